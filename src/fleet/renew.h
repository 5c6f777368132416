/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * renew: another generation. Everything is matched beside the present one; what differs is written
 * down as one change; then the new one takes the other's place.
 */

#include "fleet/inside.h"
#include "fleet/transition.h"

/**
 * Match everything when the fleet is opened, and put the result in the place of the generation that
 * was loaded; as fleet_renew() where it differs from what was known.
 *
 * Returns: 0, also when there is no database, it cannot be used or the store refuses what differs:
 *          then what was known stays; -ENOMEM
 */
int renew_at_start(struct fleet *fleet, int64_t now_at, struct err *err);

/** What becomes of one host. */
struct host_outcome {
	uint64_t number;
	const struct first *firsts;
	size_t n_firsts;
	bool has_firsts;
	struct closed_entry **reopened;
	size_t n_reopened;
};

/** What a new generation changes. */
struct outcome {
	struct arena arena;
	struct journal journal;
	struct host_outcome *hosts;
	size_t n_hosts, cap_hosts;
	struct closing_group **groups;
	size_t n_groups, cap_groups;
	size_t n_elements;   /* whose vulnerabilities are others */
	struct map closings; /* by account, vulnerability and packages, while they are gathered */
};

/** Release. */
void outcome_fini(struct outcome *outcome);

/**
 * Find out what differs between two generations, for every host. With `ingest` alone.
 *
 * Out:     ret  begun by the caller with zero; its journal has all records but that of the
 * generation Returns: 0; -ENOMEM; -ERR_LIMIT
 */
int outcome_make(struct fleet *fleet, const struct generation *old, const struct generation *new,
        int64_t now_at, struct outcome *ret, struct err *err);
