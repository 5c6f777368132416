/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_fini(struct buf *buf)
{
	if (!buf)
		return;
	free(buf->p);
	*buf = BUF(buf->max);
}

char *buf_reserve(struct buf *buf, size_t n)
{
	if (buf->failed)
		return NULL;
	if (n > buf->max - buf->n) {
		buf->failed = true;
		return NULL;
	}
	if (buf->p && n <= buf->cap - buf->n)
		return buf->p + buf->n;

	size_t cap = buf->cap ? buf->cap : 256;
	while (cap - buf->n < n)
		cap = cap > buf->max / 2 ? buf->max : cap * 2;
	if (cap > buf->max)
		cap = buf->max;
	char *p = cap < SIZE_MAX ? realloc(buf->p, cap + 1) : NULL; /* room for printf's NUL */
	if (!p) {
		buf->failed = true;
		return NULL;
	}
	buf->p = p;
	buf->cap = cap;
	return buf->p + buf->n;
}

void buf_add(struct buf *buf, str s)
{
	if (s.n == 0)
		return;
	char *at = buf_reserve(buf, s.n);
	if (!at)
		return;
	memcpy(at, s.p, s.n);
	buf->n += s.n;
}

void buf_add_byte(struct buf *buf, char c)
{
	buf_add(buf, (str){ &c, 1 });
}

static void add_le(struct buf *buf, uint64_t v, size_t n)
{
	char bytes[8];
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(unsigned char)(v >> (8 * i));
	buf_add(buf, (str){ bytes, n });
}

void buf_add_u32(struct buf *buf, uint32_t v)
{
	add_le(buf, v, 4);
}

void buf_add_u64(struct buf *buf, uint64_t v)
{
	add_le(buf, v, 8);
}

void buf_add_str(struct buf *buf, str s)
{
	if (s.n > UINT32_MAX) {
		buf->failed = true;
		return;
	}
	buf_add_u32(buf, (uint32_t)s.n);
	buf_add(buf, s);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *at = n < 0 ? NULL : buf_reserve(buf, (size_t)n);
	if (!at) {
		buf->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->n += (size_t)n;
}
