/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * slow: findings of the model the slow way, every host and every vulnerability one after the other,
 * and random questions.
 */

#include "model.h"

/** A row with its packages. */
struct slow_row {
	struct finding_row row;
	struct finding_package packages[64];
};

/** All rows of a query. */
struct slow {
	struct slow_row *rows;
	size_t n;
	struct arena arena;
};

/** Criteria with room. */
struct random_criteria {
	struct criterion items[16];
	size_t n;
};

/** Release. */
void slow_free(struct slow *slow);

/** All findings of a query, in no order. */
struct slow slow_find(struct fleet *fleet, const struct query *query);

/** Sort as a query asks. */
void slow_sort(struct slow *slow, const struct query *query);

/** Fail the test unless two rows say the same. */
void demand_equal(const struct finding_row *a, const struct finding_row *b);

/** Something like an ARN, for struct query. */
int arn_of(void *ctx, const struct finding_row *row, char *ret, size_t size);

/** Criteria of the model's own values. */
void make_criteria(struct fleet *fleet, struct random_criteria *ret, struct arena *arena);

/** Suppressions with such criteria. */
void make_suppressions(struct fleet *fleet, struct suppression *ret,
        struct random_criteria *criteria, size_t n, struct arena *arena);
