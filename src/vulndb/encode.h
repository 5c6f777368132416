/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * encode: the pieces of an advisory as bytes, and back. Layout in vulndb/format.h.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "model/advisory.h"

/** Add an unsigned LEB128 number. */
void encode_number(struct buf *out, uint64_t v);

/** Add a text: its length as a number, and its bytes. */
void encode_text(struct buf *out, str s);

/** Read a number; the cursor fails when it is longer than 10 bytes. */
uint64_t decode_number(struct cursor *in);

/** Read a text; borrows. */
str decode_text(struct cursor *in);

/**
 * Read how many elements follow, each at least one byte long.
 *
 * Returns: the number; 0 and a failed cursor when the rest cannot hold that many
 */
size_t decode_count(struct cursor *in);

/** Add the HEAD of an advisory: everything but id, source, details and references. */
void encode_head(struct buf *out, const struct advisory *advisory);

/** Add the BODY of an affected package: ranges and versions. */
void encode_body(struct buf *out, const struct advisory_affected *affected);

/** Add the COLD part: details, references and everything affected. */
void encode_cold(struct buf *out, const struct advisory *advisory,
        const struct advisory_affected *affected, size_t n_affected);

/**
 * Read a HEAD.
 *
 * In:      bytes  one whole HEAD
 * Out:     ret  the members that encode_head() wrote; strings borrow, arrays arena; written also on
 * failure Returns: 0; -ERR_FORMAT; -ERR_LIMIT when the arena is full
 */
int decode_head(str bytes, struct arena *arena, struct advisory *ret);

/** Read a BODY into `ret`; as decode_head(). */
int decode_body(str bytes, struct arena *arena, struct advisory_affected *ret);

/**
 * Read a COLD part.
 *
 * Out:     ret  its details and references
 *          ret_affected, ret_count  arena; ecosystem, package, ranges and versions of each
 * Returns: 0; -ERR_FORMAT; -ERR_LIMIT when the arena is full
 */
int decode_cold(str bytes, struct arena *arena, struct advisory *ret,
        const struct advisory_affected **ret_affected, size_t *ret_count);
