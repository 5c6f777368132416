/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * apply: the parts of a change of memory that a change of a host and a new generation share. All of
 * them with `world` for writing.
 */

#include "fleet/inside.h"

/** Add closed findings to their account and hosts. */
void apply_closings(struct fleet *fleet, struct closing_group *group);

/** Take closed findings that are open again out of their account and a host. */
void apply_reopened(
        struct fleet *fleet, struct slot *slot, struct closed_entry *const *entries, size_t n);

/** Replace the times of a host's findings that cannot be derived; `firsts` is copied. */
void apply_firsts(struct slot *slot, const struct first *firsts, size_t n);

/**
 * The record that says which findings of one host in one record of closings are open again: those
 * that are already, and `entries`, all of that group.
 *
 * Out:     ret_key  its key, behind that of the record
 *          out      its value
 */
void apply_reopened_record(const struct closed_entry *first, struct closed_entry *const *entries,
        size_t n, struct key *ret_key, struct buf *out);

/** The key of a record of closings. */
struct key closing_key(int64_t closed_at, uint32_t counter);
