/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/hash.h"
#include "store/backend.h"
#include "store/bounds.h"

/* What an entry takes beyond its own bytes, roughly: its struct, alignment, two NULs. */
#define ENTRY_OVERHEAD_BYTES (sizeof(struct store_entry) + 48)

void store_batch_init(struct store_batch *batch, size_t max_bytes)
{
	size_t most = STORE_BATCH_MAX_BYTES + STORE_BATCH_MAX * ENTRY_OVERHEAD_BYTES;
	if (max_bytes == 0 || max_bytes > most)
		max_bytes = most;
	*batch = (struct store_batch){ .arena = ARENA(max_bytes) };
}

void store_batch_fini(struct store_batch *batch)
{
	if (!batch)
		return;
	arena_fini(&batch->arena);
	*batch = (struct store_batch){ .failed = -EINVAL };
}

bool store_key_is_valid(const struct store_key *key, size_t min_key_bytes)
{
	return key->account >= 0 && key->account <= STORE_ACCOUNT_MAX && key->bucket >= 0 &&
	       key->bucket <= STORE_BUCKET_MAX && key->kind >= 0 && key->kind <= STORE_KIND_MAX &&
	       key->key.n >= min_key_bytes && key->key.n <= STORE_KEY_MAX_BYTES;
}

uint32_t store_record_sum(const struct store_key *key, str value)
{
	unsigned char place[10];
	for (size_t i = 0; i < 8; i++)
		place[i] = (unsigned char)((uint64_t)key->account >> (8 * i));
	place[8] = (unsigned char)key->bucket;
	place[9] = (unsigned char)key->kind;
	uint32_t sum = hash_crc32(0, (str){ (const char *)place, sizeof(place) });
	return hash_crc32(hash_crc32(sum, key->key), value);
}

/* Append a copy of an entry that was found to be in bounds. */
static int add(struct store_batch *batch, const struct store_entry *entry)
{
	if (batch->n >= STORE_BATCH_MAX ||
	        entry->key.key.n + entry->value.n > STORE_BATCH_MAX_BYTES - batch->bytes)
		return -ERR_LIMIT;
	struct store_entry *copy = arena_alloc(&batch->arena, 1, sizeof(*copy));
	if (!copy)
		return -ERR_LIMIT;
	*copy = *entry;
	copy->next = NULL;
	int r = arena_copy(&batch->arena, entry->key.key, &copy->key.key);
	if (r == 0)
		r = arena_copy(&batch->arena, entry->value, &copy->value);
	if (r < 0)
		return r;
	if (batch->last)
		batch->last->next = copy;
	else
		batch->first = copy;
	batch->last = copy;
	batch->n++;
	batch->bytes += copy->key.key.n + copy->value.n;
	return 0;
}

static void add_record(struct store_batch *batch, const struct store_entry *entry)
{
	if (batch->failed)
		return;
	if (!store_key_is_valid(&entry->key, 1))
		batch->failed = -EINVAL;
	else if (entry->value.n > store_value_max(entry->key.kind))
		batch->failed = -ERR_LIMIT;
	else
		batch->failed = add(batch, entry);
}

void store_batch_put(struct store_batch *batch, struct store_key key, str value)
{
	add_record(batch, &(struct store_entry){ .type = STORE_PUT, .key = key, .value = value });
}

void store_batch_delete(struct store_batch *batch, struct store_key key)
{
	add_record(batch, &(struct store_entry){ .type = STORE_DELETE, .key = key });
}

void store_batch_expect_absent(struct store_batch *batch, struct store_key key)
{
	add_record(batch, &(struct store_entry){ .type = STORE_EXPECT_ABSENT, .key = key });
}

void store_batch_expect(struct store_batch *batch, struct store_key key, str value)
{
	add_record(
	        batch, &(struct store_entry){ .type = STORE_EXPECT, .key = key, .value = value });
}

void store_batch_delete_range(
        struct store_batch *batch, struct store_key from, str to, unsigned most)
{
	struct store_entry entry = {
		.type = STORE_DELETE_RANGE, .key = from, .value = to, .most = most
	};
	if (batch->failed)
		return;
	if (!store_key_is_valid(&from, 0) || to.n > STORE_KEY_MAX_BYTES || most == 0 ||
	        most > STORE_DELETE_MAX)
		batch->failed = -EINVAL;
	else
		batch->failed = add(batch, &entry);
}
