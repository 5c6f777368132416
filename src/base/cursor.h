/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * cursor: reads binary input from the front, bounds-checked, with a sticky failure: after the first
 * read past the end every call yields zero or empty; check cursor_failed() once at the end.
 */

#include "base/str.h"

/** Initialise with CURSOR(bytes). */
struct cursor {
	str rest;
	bool failed;
};

#define CURSOR(bytes) ((struct cursor){ .rest = (bytes), .failed = false })

/** Has a read passed the end? */
static inline bool cursor_failed(const struct cursor *cursor)
{
	return cursor->failed;
}

/** The next `n` bytes; borrows from the input. */
static inline str cursor_bytes(struct cursor *cursor, size_t n)
{
	if (cursor->failed || n > cursor->rest.n) {
		cursor->failed = true;
		return (str){ NULL, 0 };
	}
	str head = { cursor->rest.p, n };
	cursor->rest = str_skip(cursor->rest, n);
	return head;
}

static inline uint64_t cursor_le_(struct cursor *cursor, size_t n)
{
	str b = cursor_bytes(cursor, n);
	uint64_t v = 0;
	for (size_t i = b.n; i-- > 0;)
		v = v << 8 | (unsigned char)b.p[i];
	return v;
}

static inline uint64_t cursor_be_(struct cursor *cursor, size_t n)
{
	str b = cursor_bytes(cursor, n);
	uint64_t v = 0;
	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | (unsigned char)b.p[i];
	return v;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
	return (uint8_t)cursor_le_(cursor, 1);
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
	return (uint32_t)cursor_le_(cursor, 4);
}

static inline uint64_t cursor_u64(struct cursor *cursor)
{
	return cursor_le_(cursor, 8);
}

static inline uint16_t cursor_u16(struct cursor *cursor)
{
	return (uint16_t)cursor_le_(cursor, 2);
}

static inline uint32_t cursor_u32be(struct cursor *cursor)
{
	return (uint32_t)cursor_be_(cursor, 4);
}

/** A length of 4 bytes, little-endian, and as many bytes; what buf_add_str() wrote. */
static inline str cursor_str(struct cursor *cursor)
{
	return cursor_bytes(cursor, cursor_u32(cursor));
}
