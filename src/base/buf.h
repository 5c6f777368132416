/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * buf: a growable run of bytes with a maximum and a sticky failure. After the first failure every
 * call is a no-op; check buf_failed() once at the end.
 */

#include "base/err.h"
#include "base/str.h"

/** Initialise with BUF(max); release with buf_fini(). */
struct buf {
	char *p;
	size_t n, cap, max;
	bool failed; /* the maximum was passed, or memory is out */
};

#define BUF(most) ((struct buf){ .p = NULL, .n = 0, .cap = 0, .max = (most), .failed = false })

/** Release the bytes. A zeroed or released buffer is a no-op. */
void buf_fini(struct buf *buf);

/** Has an addition been lost? */
static inline bool buf_failed(const struct buf *buf)
{
	return buf->failed;
}

/** The bytes so far; borrows until the next addition. */
static inline str buf_str(const struct buf *buf)
{
	return (str){ buf->p, buf->n };
}

/** Forget the bytes and the failure; keep the memory. */
static inline void buf_clear(struct buf *buf)
{
	buf->n = 0;
	buf->failed = false;
}

/**
 * Make room for `n` more bytes without adding any.
 *
 * Returns: where they go (valid until the next addition), or NULL and the buffer has failed
 */
char *buf_reserve(struct buf *buf, size_t n);

/** Add bytes. */
void buf_add(struct buf *buf, str s);

/** Add one byte. */
void buf_add_byte(struct buf *buf, char c);

/** Add a little-endian number of 4 bytes. */
void buf_add_u32(struct buf *buf, uint32_t v);

/** Add a little-endian number of 8 bytes. */
void buf_add_u64(struct buf *buf, uint64_t v);

/** Add a length of 4 bytes, little-endian, and the bytes. What cursor_str() reads. */
void buf_add_str(struct buf *buf, str s);

/** Add formatted text, as printf. */
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define autobuf __attribute__((__cleanup__(buf_fini))) struct buf
