/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rating: how severe a vulnerability is, from what its records say. docs/version-order.md,
 * "Severity".
 */

#include "match/records.h"

/** What the records say. Arrays are the arena's; strings borrow from the records. */
struct rating {
	enum severity severity;
	double score; /* < 0 when a word decided, or nothing did */
	struct cvss_rating *cvss;
	size_t n_cvss;
};

/**
 * Rate.
 *
 * In:      records  that name the vulnerability, those that matched first
 *          n_hits   how many matched
 *          arena    takes the array
 *          ledger   takes vectors that cannot be read
 * Returns: 0; -ERR_LIMIT
 */
int rating_make(const struct record *const *records, size_t n_records, size_t n_hits,
        struct arena *arena, struct ledger *ledger, struct rating *ret);
