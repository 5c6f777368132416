/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A tree of values as bytes, from a process that may read what strangers wrote to one that may not:
 *
 *   u8 kind, and then   a boolean: u8 0 or 1   a number, a string: its length, u32, and its bytes
 *   an array: how many, u32, and each   an object: how many, u32, and each with its key before it
 *
 * all little-endian, nothing behind the root. Whoever receives it makes sure of everything that
 * aws/value.h promises, so that a sender that was taken over can say no more than a tree that the
 * stranger could have sent himself.
 */

#include "aws/value.h"
#include "base/buf.h"

/** Add a tree. */
void value_wire_add(const struct value *v, struct buf *out);

/**
 * Read a tree.
 *
 * In:      bytes  the whole; hostile; must outlive the values, which borrow from it
 *          arena  takes the tree; its cap bounds the number of values
 * Out:     ret    arena; written on success only
 * Returns: 0; -ERR_FORMAT: not such bytes, a text that is not UTF-8 or has a NUL, a number that is
 *          none, a key twice; -ERR_LIMIT past VALUE_DEPTH_MAX or the arena
 */
int value_wire_read(str bytes, struct arena *arena, const struct value **ret, struct err *err);
