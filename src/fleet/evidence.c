/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/keys.h"
#include "fleet/sure.h"

#define LEVEL 3

void evidence_refs_fini(struct evidence_refs *refs)
{
	free(refs->table);
	*refs = (struct evidence_refs){ .n = 0 };
}

/* A digest is as good as random already. */
static uint64_t name_of(int64_t account, const unsigned char *sha256)
{
	uint64_t name;
	memcpy(&name, sha256, sizeof(name));
	name ^= (uint64_t)account * 0x9E3779B97F4A7C15u;
	return name ? name : 1;
}

static struct evidence_ref *place_of(const struct evidence_refs *refs, uint64_t name)
{
	for (size_t i = name;; i++) {
		struct evidence_ref *at = &refs->table[i & (refs->cap - 1)];
		if (at->name == name || at->name == 0)
			return at;
	}
}

uint32_t evidence_refs_of(
        const struct evidence_refs *refs, int64_t account, const unsigned char *sha256)
{
	return refs->cap > 0 ? place_of(refs, name_of(account, sha256))->n : 0;
}

/* Names whose count fell to nothing stay in the table until it is full. */
static void grow(struct evidence_refs *refs)
{
	struct evidence_refs old = *refs;
	size_t n_used = 0;
	for (size_t i = 0; i < old.cap; i++)
		n_used += old.table[i].n > 0;
	refs->cap = 16;
	while (refs->cap < 4 * n_used)
		refs->cap *= 2;
	refs->n = n_used;
	refs->table = sure_realloc(NULL, refs->cap, sizeof(*refs->table));
	memset(refs->table, 0, refs->cap * sizeof(*refs->table));
	for (size_t i = 0; i < old.cap; i++) {
		if (old.table[i].n > 0)
			*place_of(refs, old.table[i].name) = old.table[i];
	}
	free(old.table);
}

void evidence_refs_add(
        struct evidence_refs *refs, int64_t account, const unsigned char *sha256, int change)
{
	uint64_t name = name_of(account, sha256);
	if (4 * (refs->n + 1) > 3 * refs->cap)
		grow(refs);
	struct evidence_ref *at = place_of(refs, name);
	if (at->name == 0) {
		at->name = name;
		refs->n++;
	}
	at->n = (uint32_t)((int64_t)at->n + change);
}

static struct store_key key_of(int64_t account, int bucket, const unsigned char *sha256)
{
	return (struct store_key){
		.account = account,
		.bucket = bucket,
		.kind = KIND_EVIDENCE,
		.key = { (const char *)sha256, SHA256_BYTES },
	};
}

int evidence_put(struct store_batch *batch, int64_t account, int bucket,
        const unsigned char *sha256, str content, struct err *err)
{
	size_t most = ZSTD_compressBound(content.n);
	autofree char *packed = malloc(most);
	if (!packed)
		return err_set(err, -ENOMEM, "no memory to compress an inventory");
	size_t n = ZSTD_compress(packed, most, content.p, content.n, LEVEL);
	if (ZSTD_isError(n))
		return err_set(err, -ENOMEM, "an inventory cannot be compressed: %s",
		        ZSTD_getErrorName(n));
	store_batch_put(batch, key_of(account, bucket, sha256), (str){ packed, n });
	return 0;
}

void evidence_delete(
        struct store_batch *batch, int64_t account, int bucket, const unsigned char *sha256)
{
	store_batch_delete(batch, key_of(account, bucket, sha256));
}

int evidence_get(struct store *store, int64_t account, int bucket, const unsigned char *sha256,
        struct arena *arena, str *ret, struct err *err)
{
	cleanup(arena_fini) struct arena memory = ARENA(STORE_LARGE_MAX_BYTES + ((size_t)1 << 20));
	str packed;
	int r = store_get(store, key_of(account, bucket, sha256), &memory, &packed, err);
	if (r == -ENOENT)
		return err_set(err, -ERR_FORMAT, "the inventory of a host is missing");
	if (r < 0)
		return r;
	unsigned long long n = ZSTD_getFrameContentSize(packed.p, packed.n);
	if (n == ZSTD_CONTENTSIZE_UNKNOWN || n == ZSTD_CONTENTSIZE_ERROR || n > EVIDENCE_MAX_BYTES)
		return err_set(err, -ERR_FORMAT, "the inventory of a host is damaged");
	char *content = arena_alloc(arena, (size_t)n, 1);
	if (!content)
		return err_set(err, -ERR_LIMIT, "the inventory of a host is too large");
	size_t got = ZSTD_decompress(content, (size_t)n, packed.p, packed.n);
	if (ZSTD_isError(got))
		return err_set(err, -ERR_FORMAT, "the inventory of a host is damaged");
	unsigned char digest[SHA256_BYTES];
	hash_sha256((str){ content, got }, digest);
	if (memcmp(digest, sha256, sizeof(digest)) != 0)
		return err_set(err, -ERR_FORMAT, "the inventory of a host is damaged");
	*ret = (str){ content, got };
	return 0;
}
