/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * postings: the numbers of the sets that have an element. Most elements are in few sets, a few in
 * nearly all: so a list is in place while it is tiny, then an array, then a roaring bitmap.
 */

#include "fleet/sets.h"

#include <stdint.h>

/** One list. Zero is the empty one. */
struct posting {
	union {
		uint32_t few[2];
		uint32_t *array;
		roaring_bitmap_t *bitmap;
	} at;
	uint32_t n, cap; /* cap 0: `few`; POSTING_BITMAP: `bitmap` */
};

#define POSTING_BITMAP UINT32_MAX

/** Release. */
void posting_fini(struct posting *posting);

/** Add a number that is not in it. Never fails: see sure.h. */
void posting_add(struct posting *posting, uint32_t number);

/** Take out a number, if it is in it. */
void posting_remove(struct posting *posting, uint32_t number);

/** Visit the numbers, in no order, until `visit` returns false. */
void posting_each(
        const struct posting *posting, bool (*visit)(uint32_t number, void *ctx), void *ctx);
