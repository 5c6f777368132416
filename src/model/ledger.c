/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One slot behind the entries in use is always kept free: when the list or the arena is full, the
 * entry that says so still has a place.
 */
#include "model/ledger.h"

#include <stdlib.h>

static const char unlisted_reason[] = "more was skipped than is listed one by one";

static bool is_overflow(const struct skip *skip)
{
	return skip->reason.p == unlisted_reason;
}

static bool has_overflow(const struct ledger *ledger)
{
	return ledger->entries && ledger->n > 0 && is_overflow(&ledger->entries[ledger->n - 1]);
}

static bool grow(struct ledger *ledger)
{
	size_t cap = ledger->cap ? ledger->cap * 2 : 32;
	struct skip *entries =
	        ledger->arena ? arena_alloc(ledger->arena, cap, sizeof(*entries)) : NULL;
	if (!entries)
		return false;
	if (ledger->entries)
		memcpy(entries, ledger->entries, ledger->n * sizeof(*entries));
	ledger->entries = entries;
	ledger->cap = cap;
	return true;
}

static void add_unlisted(struct ledger *ledger, enum skip_kind kind)
{
	ledger->n_unlisted++;
	if (!has_overflow(ledger)) {
		if (!ledger->entries || ledger->n == ledger->cap)
			return; /* not even the first entry had room; the two sums still tell */
		ledger->entries[ledger->n++] =
		        (struct skip){ .reason = { unlisted_reason, sizeof(unlisted_reason) - 1 } };
	}
	struct skip *last = &ledger->entries[ledger->n - 1];
	last->count++;
	if (kind > last->kind)
		last->kind = kind; /* the gravest of them */
}

void ledger_add(struct ledger *ledger, enum skip_kind kind, str path, str reason)
{
	struct skip *last =
	        ledger->entries && ledger->n > 0 ? &ledger->entries[ledger->n - 1] : NULL;
	struct skip skip = { .count = 1, .kind = kind };

	if (kind == SKIP_FAILURE)
		ledger->n_failures++;
	if (last && last->kind == kind && str_eq(last->path, path) &&
	        str_eq(last->reason, reason)) {
		last->count++;
		return;
	}
	bool listed = !(last && is_overflow(last)) && ledger->n < LEDGER_MAX - 1 &&
	              ((ledger->entries && ledger->n + 1 < ledger->cap) || grow(ledger)) &&
	              arena_copy(ledger->arena, path, &skip.path) == 0 &&
	              arena_copy(ledger->arena, reason, &skip.reason) == 0;
	if (listed)
		ledger->entries[ledger->n++] = skip;
	else
		add_unlisted(ledger, kind);
}

static int skip_order(const void *left, const void *right)
{
	const struct skip *a = left, *b = right;
	int c = (int)is_overflow(a) - (int)is_overflow(b);
	if (c == 0)
		c = str_cmp(a->path, b->path);
	if (c == 0)
		c = str_cmp(a->reason, b->reason);
	return c ? c : (int)a->kind - (int)b->kind;
}

void ledger_sort(struct ledger *ledger)
{
	size_t n = 0;
	if (ledger->n > 1)
		qsort(ledger->entries, ledger->n, sizeof(*ledger->entries), skip_order);
	for (size_t i = 0; i < ledger->n; i++) {
		if (n > 0 && skip_order(&ledger->entries[n - 1], &ledger->entries[i]) == 0)
			ledger->entries[n - 1].count += ledger->entries[i].count;
		else
			ledger->entries[n++] = ledger->entries[i];
	}
	ledger->n = n;
}
