/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * evidence: what hosts sent, compressed, named by its SHA-256, in the account and bucket of the
 * host; and how many items of hosts refer to each.
 */

#include "base/buf.h"
#include "store/store.h"

/** The longest content of one item. */
#define EVIDENCE_MAX_BYTES ((size_t)48 << 20)

/** Counts of one bucket. */
struct evidence_ref {
	uint64_t name; /* of account and SHA-256 */
	uint32_t n;    /* 0: the place is free, or was */
};
struct evidence_refs {
	struct evidence_ref *table;
	size_t n, cap;
};

/** Release. */
void evidence_refs_fini(struct evidence_refs *refs);

/** How many items refer to an evidence. Two that are counted as one by mischance are only kept for
 * longer than needed. */
uint32_t evidence_refs_of(
        const struct evidence_refs *refs, int64_t account, const unsigned char *sha256);

/** Add to the count; it may be negative. Never fails: see sure.h. */
void evidence_refs_add(
        struct evidence_refs *refs, int64_t account, const unsigned char *sha256, int change);

/** Put content in a batch. Returns: 0; -ENOMEM */
int evidence_put(struct store_batch *batch, int64_t account, int bucket,
        const unsigned char *sha256, str content, struct err *err);

/** Delete it in a batch. */
void evidence_delete(
        struct store_batch *batch, int64_t account, int bucket, const unsigned char *sha256);

/**
 * Read content.
 *
 * Out:     ret  arena
 * Returns: 0; -ERR_FORMAT when it is damaged or missing; -ERR_LIMIT; what the store says
 */
int evidence_get(struct store *store, int64_t account, int bucket, const unsigned char *sha256,
        struct arena *arena, str *ret, struct err *err);
