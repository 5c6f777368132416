/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sure: memory for what must not fail. When a change is durable, memory has to follow it; if there
 * is none left, what the store holds is right and what the process holds is not, and starting anew
 * is the one way to make them agree.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** As reallocarray(); ends the program when memory is out. */
static inline void *sure_realloc(void *p, size_t n, size_t size)
{
	void *larger = reallocarray(p, n > 0 ? n : 1, size);
	if (!larger)
		abort();
	return larger;
}

/** Make room for one more element in a list of `*cap`; the room is not cleared. */
static inline void *sure_grow(void *items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return items;
	*cap = *cap ? *cap + *cap / 2 + 1 : 4;
	return sure_realloc(items, *cap, size);
}

/** Make room for index `i`; new elements are zero. */
static inline void *sure_reach(void *items, size_t i, size_t *cap, size_t size)
{
	if (i < *cap)
		return items;
	size_t larger_cap = i + i / 4 + 64;
	char *larger = sure_realloc(items, larger_cap, size);
	memset(larger + *cap * size, 0, (larger_cap - *cap) * size);
	*cap = larger_cap;
	return larger;
}
