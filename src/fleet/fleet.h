/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * fleet: which hosts have which packages, and what is therefore to be said of them. Findings are
 * derived, never stored: a finding is the view host x match, grouped by (host, vulnerability). Only
 * what cannot be derived is kept: since when a host has an element, when a match was first known,
 * what was closed, and first-observed times that a change would otherwise move.
 *
 * The durable state is in the store; everything here is rebuilt from it by fleet_open(). A change
 * is planned, committed to the store, and only then applied in memory: readers see acknowledged
 * state only, and a commit that fails changes nothing.
 *
 * Locks, in the order in which they may be taken:
 *   ingest  shared by changes of hosts, alone for the exchange of the generation and for tidying
 *   stripe  one of a fixed number of mutexes, by the bucket of a host: changes of the hosts of one
 *           bucket follow each other
 *   adding  ids that are being taken, for a moment
 *   db      the database, while new elements are matched
 *   world   the index: read by queries, written while a change is applied, which is short
 *   inside  struct dictionary, struct sets, a generation, a list of closed findings, the places
 * that are remembered: each its own, under which no other is taken
 */

#include "base/err.h"
#include "fleet/generation.h"
#include "fleet/host.h"
#include "fleet/sets.h"

struct fleet;

/** The type of our own upload: a report of `sonde inventory --format json`, the word on both of a
 * host's sets. */
#define FLEET_OWN_TYPE "Custom:SondeInventory"

/** What a fleet needs. */
struct fleet_config {
	struct store *store;
	const char *db_dir; /* of the vulnerability database; need not exist yet */
	int64_t now_at;     /* seconds since 1970 UTC */
	/** Told of what someone should know: the database changed, is damaged, is missing. */
	void (*tell)(void *ctx, const char *text);
	void *ctx;
};

/**
 * Load the fleet, and match it if the data are others than at the last time: what differs is
 * treated as by fleet_renew().
 *
 * Out:     ret  caller closes
 * Returns: 0, also without a usable database: then what was known to match stays, without what the
 *          data said of it, and nothing new matches; -ERR_FORMAT when a record is damaged; -ENOMEM;
 *          what the store says
 */
int fleet_open(const struct fleet_config *config, struct fleet **ret, struct err *err);

/** Close. No other call may run. NULL is a no-op. */
void fleet_close(struct fleet *fleet);

/* ---- hosts ---- */

/** What to change of a host; a NULL pointer changes nothing. */
struct host_change {
	const bool *is_ec2;
	const enum host_state *state;
	const struct pair *tags; /* the new tags, all of them, sorted by key */
	size_t n_tags;
	bool has_tags;
	const struct pair *facts; /* merged over the present ones; an empty value deletes one */
	size_t n_facts;
};

/**
 * Take up a host.
 *
 * In:      id       17 hexadecimal digits; no other host of any account may have it
 *          change   its first state
 *          with     more records to commit with it, or NULL: takes those of the host, too, and has
 * to be released in either case Out:     ret_number Returns: 0, durable; -EEXIST when the id is
 * taken; what the store says
 */
int fleet_host_add(struct fleet *fleet, int64_t account, const char *id,
        const struct host_change *change, int64_t now_at, struct store_batch *with,
        uint64_t *ret_number, struct err *err);

/**
 * Change a host. Leaving HOST_ACTIVE closes its findings as those of an ineligible resource (kept 3
 * days); coming back opens them, as the same ones where they were closed within 7 days and are not
 * deleted yet. Inventory is accepted in every state.
 *
 * Returns: 0, durable; -ENOENT; what the store says
 */
int fleet_host_change(struct fleet *fleet, uint64_t number, const struct host_change *change,
        int64_t now_at, struct err *err);

/** Forget hosts that were terminated long enough, closings that were kept long enough; let hosts
 * know the source packages that others told of since. Bounded work per call. Returns: 1 when there
 * is more to do; 0; what the store says */
int fleet_tidy(struct fleet *fleet, int64_t now_at, struct err *err);

/* ---- inventory ---- */

/** One inventory type in one report. */
struct report_item {
	str type, schema_version, capture_time;
	int64_t captured_at;
	str content_hash; /* may be empty: then the content is always taken */
	bool has_content;
	bool is_metered; /* its content counts towards FLEET_DAY_BYTES */
	str content;     /* what is kept as evidence, as it is to be shown again; hostile */
};

/** Bytes of metered content that are taken of one host a day (UTC). */
#define FLEET_DAY_BYTES (UINT32_C(5000) << 10)

/** Why a report was not taken. */
enum report_verdict {
	REPORT_TAKEN,
	REPORT_STALE,      /* older than what is there: acknowledged, and passed over */
	REPORT_NO_CONTENT, /* a hash alone, and there is no content of that type: send it */
	REPORT_OTHER_HASH, /* a hash alone, and it is another than that of the content: send it */
	REPORT_OVER_QUOTA, /* more metered content than is taken a day */
};

/**
 * Take a report: all its items, or none when one of them needs content, or they are more than a
 * host may report a day; what was taken so far is durable with the report. Of each type only the
 * newest by capture time counts: an older item is passed over, and the others are taken. An equal
 * hash, or the same content once more, moves the times and nothing else. What it changes in the
 * host's sets opens and closes findings.
 *
 * Out:     ret_verdict  of the item that decided; REPORT_TAKEN when all were
 *          ret_item     which item that was
 * Returns: 0, durable (also for REPORT_STALE); -ENOENT when there is no such host; -ERR_FORMAT when
 *          content is not what its type says; -ERR_LIMIT when an item has more packages or longer
 *          fields than is accepted; what the store says
 */
int fleet_report(struct fleet *fleet, uint64_t number, const struct report_item *items, size_t n,
        int64_t now_at, enum report_verdict *ret_verdict, size_t *ret_item, struct err *err);

/**
 * Read the content of one type, as it was reported.
 *
 * Out:     ret  arena; empty when nothing was reported
 * Returns: 0; -ENOENT; -ERR_FORMAT when it is damaged; -ERR_LIMIT
 */
int fleet_evidence(struct fleet *fleet, const struct fleet_host *host, str type,
        struct arena *arena, str *ret, struct err *err);

/** Delete the items of one type from every host of an account (DeleteInventory); as a report of no
 * package where the type carries packages. Returns: how many hosts; what the store says */
int64_t fleet_forget_type(
        struct fleet *fleet, int64_t account, str type, int64_t now_at, struct err *err);

/* ---- vulnerability data ---- */

/**
 * If the database is another one than that of the present generation: match every element with it,
 * write down what is new and what is closed, and exchange the generation. Hosts are not asked, and
 * queries go on meanwhile. While a source of the data is damaged, nothing is closed on its silence.
 *
 * Returns: 1 when there is a new generation; 0 when the data are the same; else the old generation
 *          stays, and the reason is told: what vulndb_open() and the store say
 * Threads: one at a time
 */
int fleet_renew(struct fleet *fleet, int64_t now_at, struct err *err);

/* ---- looking ---- */

/** Look at one consistent state. Between these two calls nothing changes; keep it short. */
void fleet_lock(struct fleet *fleet);

/** End looking. */
void fleet_unlock(struct fleet *fleet);

/** The present generation; borrows until fleet_unlock(), longer with generation_hold(). Locked. */
const struct generation *fleet_generation(const struct fleet *fleet);

/** A host by its number; NULL when there is none. Borrows until fleet_unlock(). Locked. */
const struct fleet_host *fleet_host_at(const struct fleet *fleet, uint64_t number);

/** Note that the agent of a host gave a sign of life; nothing when there is no such host. Locked.
 */
void fleet_pinged(struct fleet *fleet, uint64_t number, int64_t now_at);

/** How many packages of a host are matched by their own names only, although advisories name source
 * packages, because nobody told what their sources are (FACT_BY_NAME). */
uint64_t fleet_host_by_name(const struct fleet_host *host);

/** A host by its 17 digits, of whatever account; NULL when there is none. As fleet_host_at(). */
const struct fleet_host *fleet_host_find(const struct fleet *fleet, str id);

/** The numbers of an account's hosts, sorted; borrows until fleet_unlock(). Locked. */
const roaring_bitmap_t *fleet_hosts(const struct fleet *fleet, int64_t account);

/** The sets and their postings. Locked. */
const struct sets *fleet_sets(const struct fleet *fleet);

/** The dictionary, for the life of the fleet. Threads: any */
const struct dictionary *fleet_dictionary(const struct fleet *fleet);

/** Where the elements of a host lie: parses its evidence; what was asked last is remembered. */
struct place {
	element_id element;
	str path;
};

/**
 * The places of a host's packages.
 *
 * Out:     ret, ret_count  arena; sorted by element, then path
 * Returns: 0; as fleet_evidence()
 */
int fleet_places(struct fleet *fleet, const struct fleet_host *host, struct arena *arena,
        const struct place **ret, size_t *ret_count, struct err *err);

/** The places of one element: [*ret_first, *ret_first + result). */
size_t places_of(const struct place *places, size_t n, element_id element, size_t *ret_first);

/** When a finding was first observed, as far as it is open. Locked. 0: it is not open. */
int64_t fleet_first_observed(
        const struct fleet *fleet, const struct fleet_host *host, vuln_id vuln);

/** Hours of coverage of an account's hosts in the 30 days before now_at. Locked. */
double fleet_usage_hours(const struct fleet *fleet, int64_t account, int64_t now_at);

/* ---- closed findings ---- */

/** Why a finding was closed: how long it is kept, and whether its ARN may come back. */
enum closing_reason {
	CLOSED_REMEDIATED, /* the package is gone or updated, or the advisory changed: 30 days */
	CLOSED_INELIGIBLE, /* the resource left scanning: 3 days */
};

/** A package of a closed finding, as it was. */
struct closed_package {
	element_id element;
	str fixed_in;
	const str *paths; /* sorted; none when they were not known, or too long to be kept */
	size_t n_paths;
};

/** One closed finding. Strings are the fleet's, until fleet_unlock(). */
struct closed_finding {
	uint64_t host;
	int64_t account;
	char host_id[18];
	vuln_id vuln;
	enum closing_reason reason;
	int64_t first_observed, last_observed, closed_at;
	enum severity severity;
	double score, epss;
	bool is_kev;
	str text, source, source_url, vendor_severity, record_source, record_id;
	const struct closed_package *packages;
	size_t n_packages;
};

/** All closed findings of an account that are not deleted yet, sorted by vulnerability name, host
 * number and first_observed. Locked; borrows until fleet_unlock(). */
const struct closed_finding *const *fleet_closed(
        const struct fleet *fleet, int64_t account, size_t *ret_count);

/** Counts for metrics and the status page. */
struct fleet_stats {
	uint64_t n_hosts, n_elements, n_sets, n_issues, n_matches, n_closed, generation;
	uint64_t n_reports, n_hash_only, n_stale, n_renewals;
	uint64_t renew_us;                            /* of the last renewal */
	uint64_t n_hosts_by_name, n_packages_by_name; /* fleet_host_by_name() of all hosts */
};

/** Read the counts. Threads: any */
void fleet_stats(struct fleet *fleet, struct fleet_stats *ret);
