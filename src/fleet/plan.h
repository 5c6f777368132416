/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * plan: a change of one host. It is put together while the host's stripe is held, committed to the
 * store, and only then applied to what readers see; until then the plan owns everything new, and
 * dropping it leaves nothing behind.
 *
 *   plan_begin        takes the locks; the draft is the host as it is
 *   ... the caller changes the draft and its items ...
 *   plan_sets         the sets that follow from the items
 *   plan_settle       what opens and what closes
 *   plan_commit       writes, and applies
 *   plan_end          releases
 */

#include "fleet/elements.h"
#include "fleet/standing.h"

/** An item of the draft. */
struct planned_item {
	struct host_item item;
	str content;  /* of the report; p is NULL: what the store has */
	bool is_read; /* `read` holds what it says */
	struct content read;
};

/** A change. */
struct plan {
	struct fleet *fleet;
	uint64_t number;
	int64_t now_at;
	struct arena arena;
	struct store_batch batch;
	struct slot *slot;
	const struct fleet_host *old;
	struct fleet_host draft;    /* its items are `items` */
	struct planned_item *items; /* sorted by type */
	size_t n_items, cap_items;
	struct ledger ledger;
	int64_t seen_at; /* when the host is seen to have reported */
	bool is_report;  /* it brings, or confirms, packages */

	enum closing_reason reason; /* what closes, closes for this */
	struct element_list lists[HOST_N_SETS];
	bool is_list[HOST_N_SETS]; /* the set is another one: lists[] is it */
	struct prepared *prepared; /* elements that nobody asked about before; sorted */
	size_t n_prepared;

	struct first *firsts; /* the host's new ones; arena */
	size_t n_firsts;
	bool has_firsts;
	struct buf closing;          /* record of what closes */
	struct closing_group *group; /* the same as it is held */
	struct closed_entry **reopened;
	size_t n_reopened;
	struct usage_day days[USAGE_DAYS_MAX];
	size_t n_days;
	struct fleet_host *made;
};

/**
 * Begin to change a host.
 *
 * Returns: 0, to be ended with plan_end(); -ENOENT when there is no such host; what the store says.
 *          After a failure nothing is held
 */
int plan_begin(
        struct fleet *fleet, uint64_t number, int64_t now_at, struct plan *ret, struct err *err);

/** Find an item of the draft by its type; NULL when there is none. */
struct planned_item *plan_item(struct plan *plan, str type);

/** Add an item of a type that the draft lacks. Returns: NULL when the arena is full */
struct planned_item *plan_add_item(struct plan *plan, str type);

/** Take an item out. */
void plan_remove_item(struct plan *plan, struct planned_item *item);

/** Merge pairs over the facts of the draft; an empty value deletes one. Returns: 0; -ERR_LIMIT */
int plan_facts(struct plan *plan, const struct pair *facts, size_t n, struct err *err);

/** Let the draft be in a state from now on. */
void plan_state(struct plan *plan, enum host_state state);

/** Find the sets that the draft's items and os make, and match what is new in them. Returns: 0;
 * -ERR_FORMAT, -ERR_LIMIT when content is not as it should be; what the store says */
int plan_sets(struct plan *plan, struct err *err);

/** Let plan_sets() take the set of OS packages as it is, with the source packages that are known
 * now, of a host whose word on them lacks these. Returns: as plan_sets() */
int plan_remake(struct plan *plan, struct err *err);

/** Find out what opens and closes, and since when. Returns: 0; -ERR_LIMIT; -ENOMEM */
int plan_settle(struct plan *plan, struct err *err);

/** Write, and apply. Returns: 0, durable; else nothing has changed: what the store says */
int plan_commit(struct plan *plan, struct err *err);

/** Release, and let go of the locks. */
void plan_end(struct plan *plan);

/** Does a type carry packages? */
bool type_has_packages(str type);
