/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sets_make: how sets come, are pointed at, and go. A set is numbered when a change is planned;
 * readers see it when the change is applied.
 */

#include "fleet/sets.h"

/** Make the empty collection. Returns: NULL when memory is out */
struct sets *sets_new(void);

/** Release. NULL is a no-op. */
void sets_free(struct sets *sets);

/**
 * Take up a set as the store has it.
 *
 * Returns: 0; -ERR_FORMAT when the record is damaged, or names an element that there is not;
 * -ENOMEM
 */
int sets_load(struct sets *sets, int64_t account, uint32_t number, str record,
        const struct dictionary *dictionary, struct err *err);

/**
 * Find or number a set.
 *
 * In:      elements  sorted, each once; none is the empty set
 *          batch     takes the record, unless the store has it
 * Returns: 0; -ENOMEM; -ERR_LIMIT
 * Threads: any; the sets' own lock
 */
int sets_plan(struct sets *sets, int64_t account, const element_id *elements, size_t n,
        const struct dictionary *dictionary, struct store_batch *batch, uint32_t *ret_number,
        struct err *err);

/**
 * Let a host point at a planned set whose record is durable, and no longer at another. With the
 * fleet's lock for writing.
 *
 * In:      from, to  0: at none
 */
void sets_move(struct sets *sets, uint64_t host, uint32_t from, uint32_t to);

/** The elements of a planned set. Threads: any */
const struct package_set *sets_planned(struct sets *sets, uint32_t number);

/** Find sets that no host points at. Nothing may be planned meanwhile. Returns: how many */
size_t sets_unused(struct sets *sets, uint32_t *ret_numbers, size_t most);

/** Forget a set that no host points at. With the fleet's lock for writing; as sets_unused(). */
void sets_forget(struct sets *sets, uint32_t number);

/** How many sets readers see. */
size_t sets_count(const struct sets *sets);

/** Visit the numbers of the sets that have an element, in no order, until `visit` returns false. */
void sets_each_of(const struct sets *sets, element_id element,
        bool (*visit)(uint32_t number, void *ctx), void *ctx);

/** Does a set have an element? NULL is the empty set. */
bool set_has(const struct package_set *set, element_id element);
