/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ledger: what was not looked at, or not understood, and why. Nothing is dropped without an entry
 * here.
 */

#include "base/arena.h"
#include "base/str.h"

/** What an entry means for the result. */
enum skip_kind {
	SKIP_POLICY,  /* left out on purpose: another filesystem, an excluded path, a helper file */
	SKIP_DAMAGE,  /* a record or file that is not what it should be; its neighbours were read */
	SKIP_FAILURE, /* something that should have been read and was not: the scan is incomplete */
};

/** One reason at one path. */
struct skip {
	str path;   /* absolute inside the root, any bytes; empty when it is about the whole run */
	str reason; /* a sentence without a full stop */
	uint64_t count; /* how often */
	enum skip_kind kind;
};

/** Entries, in order of their first appearance until ledger_sort(). */
struct ledger {
	struct arena *arena;
	struct skip *entries;
	size_t n, cap;
	uint64_t n_failures; /* sum of `count` over SKIP_FAILURE */
	uint64_t n_unlisted; /* skips past LEDGER_MAX, in the last entry */
};

/** Most entries listed one by one; what comes after is counted in one entry that says so. */
#define LEDGER_MAX 20000

/**
 * Add one skip. The same path and reason as the entry before it only raises its count.
 *
 * In:      path, reason  copied into the ledger's arena
 */
void ledger_add(struct ledger *ledger, enum skip_kind kind, str path, str reason);

/** Sort by path and reason and join equal entries. */
void ledger_sort(struct ledger *ledger);
