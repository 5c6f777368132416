/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * reader: reads JSON that a stranger wrote, for programs that may be root: a server's answers,
 * messages and documents. Each text is read in a process of its own, which has given up every
 * right, file and descriptor before it looks at the first byte, and is gone afterwards. What comes
 * back is bounded and checked here, so that of a reader that was taken over nothing worse can come
 * than a tree that the server could have sent.
 *
 * docs/decisions/0007-readers.md says why it is made like this.
 */

#include "aws/value.h"

/** How long one text may take, in milliseconds. */
#define READER_TIMEOUT_MS 20000

/**
 * Read a JSON text: value_from_json() in a process without rights.
 *
 * In:      text   hostile; need not outlive the call
 *          arena  takes the tree and its texts
 * Out:     ret    arena; written on success only
 * Returns: 0; -ERR_FORMAT and -ERR_LIMIT as value_from_json(); -EIO when the reader died or said
 *          what it could not mean; -ETIMEDOUT; as sandbox_enter() where that cannot be done
 * Cost:    a fork: milliseconds; blocks at most READER_TIMEOUT_MS
 */
int reader_json(str text, struct arena *arena, const struct value **ret, struct err *err);
