/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What the tests of the schemes share: tables that others made, and the ecosystems' own tools as
 * filters that read "A<TAB>B" lines and print one of < = > ? for each.
 */

#include "base/buf.h"
#include "version/check.h"

/** An ecosystem's own tool. */
struct native {
	const char *name; /* for people: "python packaging" */
	const char *const
	        *argv; /* the filter, ended by NULL; exit code 77: what it needs is missing */
};

extern const struct native native_dpkg, native_rpm, native_packaging, native_npm;

/**
 * Let a tool answer.
 *
 * In:      lines  "A<TAB>B", each ended by LF
 * Out:     out    one sign per line; anything else it printed is left out
 * Returns: 0; -1 when the tool is not there
 */
int native_answer(const struct native *native, str lines, struct buf *out);

/**
 * Read a table of the reference data.
 *
 * Out:     out  the whole file; fails the test when it is there and cannot be read
 * Returns: false, having said what is missing, when there is none
 */
bool oracle_read(const char *table, struct buf *out);

/**
 * Check every row of a table; rows that we answer otherwise pass only if the tool answers as we do.
 *
 * In:      native  NULL: no row may differ
 * Returns: how many rows fail; the test is skipped when the table, or a tool it takes to decide, is
 * missing
 */
unsigned oracle_check(
        const char *scheme, enum check_kind kind, const char *table, const struct native *native);

/** A source of repeatable numbers below `n`. Initialise the state with any seed but 0. */
unsigned random_below(uint64_t *state, unsigned n);

/**
 * Compare random pairs with the tool.
 *
 * In:      pieces   what the versions are put together from
 *          n_pairs  how many
 * Returns: how many answers differ; what the tool refuses may be ordered by us, never the reverse
 */
unsigned oracle_check_pairs(const char *scheme, const struct native *native, uint64_t seed,
        const char *const *pieces, size_t n_pieces, unsigned n_pairs);
