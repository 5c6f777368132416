/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * arena: memory of one job, released as a whole. It has a hard cap, so that a hostile input costs
 * itself and not the host.
 */

#include "base/err.h"
#include "base/str.h"

struct arena_block;

/** One job's memory. Initialise with ARENA(cap); release with arena_fini(). */
struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used_bytes, cap_bytes;
};

#define ARENA(cap) ((struct arena){ .blocks = NULL, .used_bytes = 0, .cap_bytes = (cap) })

/**
 * Release everything. A zeroed or released arena is a no-op; the arena can be used again.
 */
void arena_fini(struct arena *arena);

/**
 * Allocate zeroed memory, aligned for any type.
 *
 * In:      n, size  n elements of `size` bytes; the product saturates
 * Returns: memory that lives as long as the arena; NULL when the cap is passed or memory is out
 */
void *arena_alloc(struct arena *arena, size_t n, size_t size) __attribute__((warn_unused_result));

/**
 * Copy bytes into the arena. A NUL follows the copy, so that ret.p is also a C string.
 *
 * Out:     ret_copy  arena; written on success only
 * Returns: 0; -ERR_LIMIT when the cap is passed or memory is out
 */
int arena_copy(struct arena *arena, str s, str *ret_copy) __attribute__((warn_unused_result));

/**
 * Format into the arena, as printf.
 *
 * Out:     ret  arena, NUL follows; written on success only
 * Returns: 0; -ERR_LIMIT when the cap is passed or memory is out
 */
int arena_printf(struct arena *arena, str *ret, const char *fmt, ...) PRINTF_LIKE(3, 4)
        __attribute__((warn_unused_result));
