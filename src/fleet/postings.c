/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/postings.h"

#include <roaring/roaring.h>

#include "fleet/sure.h"

/* From so many numbers on a bitmap is the smaller one, and adding to the array the slower. */
#define ARRAY_MAX 64u
#define FEW 2u

void posting_fini(struct posting *posting)
{
	if (posting->cap == POSTING_BITMAP)
		roaring_bitmap_free(posting->at.bitmap);
	else if (posting->cap > 0)
		free(posting->at.array);
	*posting = (struct posting){ .n = 0 };
}

static uint32_t *numbers_of(struct posting *posting)
{
	return posting->cap > 0 ? posting->at.array : posting->at.few;
}

static void make_bitmap(struct posting *posting)
{
	roaring_bitmap_t *bitmap = roaring_bitmap_of_ptr(posting->n, posting->at.array);
	if (!bitmap)
		abort();
	free(posting->at.array);
	posting->at.bitmap = bitmap;
	posting->cap = POSTING_BITMAP;
}

void posting_add(struct posting *posting, uint32_t number)
{
	if (posting->cap == 0 && posting->n == FEW) {
		uint32_t *array = sure_realloc(NULL, 2 * FEW, sizeof(*array));
		memcpy(array, posting->at.few, sizeof(posting->at.few));
		posting->at.array = array;
		posting->cap = 2 * FEW;
	} else if (posting->cap > 0 && posting->n == posting->cap && posting->n < ARRAY_MAX) {
		posting->cap *= 2;
		posting->at.array = sure_realloc(posting->at.array, posting->cap, sizeof(uint32_t));
	} else if (posting->cap > 0 && posting->cap != POSTING_BITMAP && posting->n == ARRAY_MAX) {
		make_bitmap(posting);
	}
	if (posting->cap == POSTING_BITMAP)
		roaring_bitmap_add(posting->at.bitmap, number);
	else
		numbers_of(posting)[posting->n] = number;
	posting->n++;
}

void posting_remove(struct posting *posting, uint32_t number)
{
	if (posting->cap == POSTING_BITMAP) {
		if (roaring_bitmap_contains(posting->at.bitmap, number)) {
			roaring_bitmap_remove(posting->at.bitmap, number);
			posting->n--;
		}
		return;
	}
	uint32_t *numbers = numbers_of(posting);
	for (uint32_t i = 0; i < posting->n; i++) {
		if (numbers[i] == number) {
			numbers[i] = numbers[--posting->n];
			return;
		}
	}
}

void posting_each(
        const struct posting *posting, bool (*visit)(uint32_t number, void *ctx), void *ctx)
{
	if (posting->cap == POSTING_BITMAP) {
		(void)roaring_iterate(posting->at.bitmap, visit, ctx);
		return;
	}
	const uint32_t *numbers = posting->cap > 0 ? posting->at.array : posting->at.few;
	for (uint32_t i = 0; i < posting->n && visit(numbers[i], ctx); i++) {
	}
}
