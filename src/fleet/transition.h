/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * transition: from how a host stood to how it will stand: what is to be written of each finding
 * that opens, closes, or would move. A change of a host and a new generation both come to this.
 */

#include "fleet/standing.h"

/** Two standings of one host, and what follows. Initialise the first five. */
struct transition {
	const struct standing *old, *new;
	const struct slot *slot;
	int64_t now_at;
	struct arena *arena;
	struct first *firsts; /* of the host from now on; sorted */
	size_t n_firsts;
	bool has_firsts; /* they are others than before */
	struct first
	        *closed; /* vulnerabilities that close, and since when they were open; sorted */
	size_t n_closed;
	struct closed_entry **reopened; /* closed findings that are open again */
	size_t n_reopened;
};

/**
 * Compare.
 *
 * In:      vulns  those that may differ; sorted, each once
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int transition_make(struct transition *transition, const vuln_id *vulns, size_t n, struct err *err);

/** One package of a host that has a vulnerability. */
struct closed_match {
	vuln_id vuln;
	const struct match *match;
};

/**
 * The matches of the vulnerabilities that close, as the host had them.
 *
 * Out:     ret  arena; sorted by vulnerability, then element
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int transition_matches(const struct transition *transition, struct closed_match **ret,
        size_t *ret_n, struct err *err);

/** Where the packages of what closes lay, and how much more of it may be kept. */
struct closing_places {
	const struct place *items;
	size_t n;
	size_t left_reads; /* inventories that may still be read for it */
	size_t left_bytes; /* of paths */
};

/**
 * Find where the packages of a host lie that has something to close: of its inventory before the
 * change, if packages of the matches can have a place there.
 *
 * In:      places  the two bounds
 * Out:     places  the items; arena. None when the inventory is damaged or too large, which is
 *                  told, and which must not keep the host from changing
 * Returns: 0; -EAGAIN when no more may be read: there are no items; what the store says
 */
int transition_places(struct fleet *fleet, const struct fleet_host *host,
        const struct closed_match *matches, size_t n, struct arena *arena,
        struct closing_places *places, struct err *err);

/** The packages of the matches of one vulnerability, as they are kept; arena. Returns: NULL when
 * the arena is full */
struct closed_package *transition_packages(const struct closed_match *matches, size_t n,
        struct closing_places *places, struct arena *arena);
