/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * inside: what a fleet is made of. Read fleet.h for the locks and their order.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "fleet/closing.h"
#include "fleet/evidence.h"
#include "fleet/fleet.h"
#include "fleet/generation_make.h"
#include "fleet/host_make.h"
#include "fleet/journal.h"
#include "fleet/keys.h"
#include "fleet/origins.h"
#include "fleet/places.h"
#include "fleet/sets_make.h"
#include "fleet/usage.h"
#include "vulndb/vulndb.h"

/** As many stripes as there are buckets: changes of the hosts of one bucket follow each other. */
#define FLEET_STRIPES 256

/** Hosts of which no package was reported for so long are not covered. */
#define FLEET_STALE_S (INT64_C(7) * 86400)

/** The place of a host, by its number. */
struct slot {
	struct fleet_host *host;      /* NULL: no longer there */
	struct first *firsts;         /* sorted by vulnerability */
	struct closed_entry **closed; /* not deleted yet; sorted by vulnerability, then time */
	size_t n_firsts, n_closed, cap_closed;
};

/** What is kept of an account. */
struct account {
	int64_t number;
	roaring_bitmap_t *hosts;
	struct closed_list closed;
	struct origins origins;
};

struct fleet {
	struct store *store;
	char *db_dir;
	void (*tell)(void *ctx, const char *text);
	void *ctx;
	struct dictionary *dictionary;

	pthread_rwlock_t ingest;
	pthread_mutex_t stripes[FLEET_STRIPES];
	pthread_rwlock_t world;

	/* The stripe to plan with, the stripe and `world` for writing to change. */
	struct evidence_refs evidence[FLEET_STRIPES];
	struct usage_days usage[FLEET_STRIPES];

	/* `world`. A slot is changed by the holder of its stripe only, which may therefore read it
	   without `world`, but for where its piece lies. */
	struct sets *sets;
	struct generation *generation;
	struct slot **pieces; /* slots by number, in pieces that stay where they are */
	size_t cap_pieces;
	uint32_t *ids; /* open addressing by id -> number; a power of two, at most half full */
	size_t n_ids, cap_ids;
	struct account **accounts; /* sorted by number */
	size_t n_accounts, cap_accounts;

	/* `adding`: ids that are being taken. */
	pthread_mutex_t adding;
	const char **taken;
	size_t n_taken, cap_taken;
	uint64_t n_given; /* the greatest number that was given to a host */

	pthread_mutex_t db_lock; /* held while the database is asked; inside a stripe */
	struct vulndb *db; /* of the present generation; NULL: none. Changed with `ingest` too */

	struct places_cache *places;
	_Atomic uint32_t n_closings; /* the last counter of a closing's key */
	_Atomic int64_t latest_at;   /* the latest time that a change was said to happen at */
	_Atomic bool has_journal;    /* a journal waits to be carried out */

	_Atomic uint64_t n_hosts, n_closed, n_reports, n_hash_only, n_stale, n_renewals, renew_us;
	_Atomic uint64_t n_sets, n_issues, n_matches, generation_number;
	/* Hosts, and packages of theirs, that are matched by the name of a binary package only; and
	   how many hosts were told of. */
	_Atomic uint64_t n_hosts_by_name, n_packages_by_name, n_by_name_told;
};

/** The account of a number, made when it is not there. With `world` for writing. */
struct account *fleet_account(struct fleet *fleet, int64_t number);

/** The account of a number; NULL when there is none. With `world`. */
struct account *fleet_account_find(const struct fleet *fleet, int64_t number);

/** The slot of a number; NULL when there never was such a host. With `world`, or the host's stripe
 * and a moment of `world`. */
struct slot *fleet_slot(const struct fleet *fleet, uint64_t number);

/** The slot of a number, made when it is not there. With `world` for writing. */
struct slot *fleet_reach(struct fleet *fleet, uint64_t number);

/** Put a host in its slot, its account and the table of ids. With `world` for writing. */
void fleet_insert(struct fleet *fleet, struct fleet_host *host);

/** Take a host out of these. With `world` for writing. */
void fleet_remove(struct fleet *fleet, uint64_t number);

/** The number of the host with an id; 0 when there is none. With `world`. */
uint64_t fleet_number_of(const struct fleet *fleet, str id);

/** A time, not before any other that a change happened at: a clock that was set back must not make
 * findings older. */
int64_t fleet_time(struct fleet *fleet, int64_t now_at);

/** Tell a sentence to whoever asked to be told. */
void fleet_tell(const struct fleet *fleet, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Bring the counts of what readers see up to date. With `world` for writing. */
void fleet_count(struct fleet *fleet);

/** Count what is matched by name only, when a host takes the place of another; NULL: of none. */
void fleet_count_names(
        struct fleet *fleet, const struct fleet_host *old, const struct fleet_host *new);

/** Tell how much is matched by name only, whenever it has doubled. Without `world`. */
void fleet_tell_names(struct fleet *fleet);

/** Begin a change of hosts: `ingest`, shared, with no journal waiting. Returns: 0; what the store
 * says, and nothing is held */
int fleet_begin(struct fleet *fleet, struct err *err);

/** End it. */
void fleet_end(struct fleet *fleet);

/** Begin a change of everything: `ingest`, alone. As fleet_begin(). */
int fleet_begin_alone(struct fleet *fleet, struct err *err);
