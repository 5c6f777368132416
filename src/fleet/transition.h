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
