/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * order: what findings are sorted by, and the orders of a generation's issues that are remembered
 * with it.
 */

#include "fleet/query.h"

/** Where a finding stands. Texts borrow from what the row borrows from. */
struct sort_key {
	double number;
	str text;
	str name;
	uint64_t host;
	int64_t first_observed;
};

/** By what and how. */
struct sort_order {
	enum finding_field field;
	bool is_descending;
};

/** Is the field one that issues have, so that they can be walked in its order? */
bool sort_is_of_issues(enum finding_field field);

/** The key of a row; first_observed as far as the row has it. */
void sort_key_of_row(enum finding_field field, const struct finding_row *row, struct sort_key *ret);

/** The key of an issue; host and first_observed are 0. */
void sort_key_of_issue(enum finding_field field, const struct issue *issue, struct sort_key *ret);

/** Order by value and name alone. */
int sort_compare_values(
        const struct sort_order *order, const struct sort_key *a, const struct sort_key *b);

/** Order whole keys. */
int sort_compare(
        const struct sort_order *order, const struct sort_key *a, const struct sort_key *b);

/** The orders that were asked for. */
struct orders;

/** Begin to remember. Returns: NULL when memory is out */
struct orders *orders_new(void);

/** Release. NULL is a no-op. */
void orders_free(struct orders *orders);

/** Sort issues by value, then name, then rank. */
void orders_sort(const struct sort_order *order, const struct issue **issues, size_t n);

/**
 * The issues of a generation in an order: by value, then name, then rank.
 *
 * Out:     ret      all n_issues of them; until the fleet is unlocked
 *          ret_own  what it lies in when nobody remembers it: caller frees; else NULL
 * Returns: 0; -ENOMEM
 * Threads: any
 */
int orders_of(const struct generation *generation, const struct sort_order *order,
        const struct issue *const **ret, void **ret_own);
