/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES ((size_t)64 << 10)
#define ALIGN _Alignof(max_align_t)

/* Under AddressSanitizer the bytes that nobody asked for are out of bounds, as behind a malloc().
 */
#ifdef __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

void arena_fini(struct arena *arena)
{
	if (!arena)
		return;
	for (struct arena_block *b = arena->blocks, *next; b; b = next) {
		next = b->next;
		UNPOISON(b->bytes, b->size);
		free(b);
	}
	arena->blocks = NULL;
	arena->used_bytes = 0;
}

static struct arena_block *add_block(struct arena *arena, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES;
	struct arena_block *b = calloc(1, sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	POISON(b->bytes, size);
	/* A block made for one large piece is full at once: keep filling the one before it. */
	if (size == bytes && arena->blocks) {
		b->next = arena->blocks->next;
		arena->blocks->next = b;
	} else {
		b->next = arena->blocks;
		arena->blocks = b;
	}
	return b;
}

void *arena_alloc(struct arena *arena, size_t n, size_t size)
{
	size_t wanted;
	if (__builtin_mul_overflow(n, size, &wanted) || wanted > arena->cap_bytes ||
	        wanted > PTRDIFF_MAX / 2) /* no sum below can overflow */
		return NULL;
	size_t bytes = (wanted + ALIGN - 1) & ~(ALIGN - 1);
	if (bytes == 0)
		bytes = ALIGN;
	if (bytes > arena->cap_bytes - arena->used_bytes)
		return NULL;

	struct arena_block *b = arena->blocks;
	if (!b || bytes > b->size - b->used) {
		b = add_block(arena, bytes);
		if (!b)
			return NULL;
	}
	void *p = b->bytes + b->used;
	UNPOISON(p, wanted);
	b->used += bytes;
	arena->used_bytes += bytes;
	return p;
}

int arena_copy(struct arena *arena, str s, str *ret_copy)
{
	char *p = s.n < SIZE_MAX ? arena_alloc(arena, s.n + 1, 1) : NULL;
	if (!p)
		return -ERR_LIMIT;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	*ret_copy = (str){ p, s.n };
	return 0;
}

int arena_printf(struct arena *arena, str *ret, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1, 1);
	if (!p)
		return -ERR_LIMIT;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	*ret = (str){ p, (size_t)n };
	return 0;
}
