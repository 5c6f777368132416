/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * hit: one record that says that a package is affected, and the findings made of all of them.
 */

#include "match/owners.h"
#include "match/rating.h"

/** One entry of one record that affects one package. */
struct hit {
	size_t package; /* index */
	const char *scheme;
	struct record *record;
	struct finding_reason reason;
	/* What the entry says of other versions: its ranges, and its list when that decided. */
	struct advisory_affected outlook;
};

/** A growing list in an arena. */
struct hits {
	struct arena *arena;
	struct hit *items;
	size_t n, cap;
};

/** Everything that making findings needs. */
struct grouping {
	const struct package *packages;
	struct records *records;
	struct owners *owners;
	struct arena *scratch; /* freed by the caller when the findings are made */
	struct ledger *ledger;
	struct match_result *result;
	struct map texts; /* what was copied to the result's arena -> str */
};

/** Add one hit. Returns: 0; -ERR_LIMIT */
int hits_add(struct hits *hits, const struct hit *hit);

/**
 * Make the findings of all hits: one per package and vulnerability, sorted.
 *
 * Out:     grouping->result  its findings and its suppressed
 * Returns: 0; -ERR_FORMAT when the database is damaged; -ERR_LIMIT
 */
int findings_make(struct grouping *grouping, const struct hits *hits, struct err *err);

/** What match_host() is given. */
struct match_input {
	struct vulndb *db;
	const struct host *host;
	const struct package *packages;
	size_t n_packages;
	struct ledger *ledger;
};

/** match_host(), with the most memory that each of its arenas may take. Returns: as match_host() */
int match_within(
        size_t most_bytes, const struct match_input *in, struct match_result *ret, struct err *err);
