/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * keys: the keys of records, which are big-endian numbers one behind the other.
 */

#include "base/cursor.h"
#include "fleet/kinds.h"
#include "store/store.h"

/** A key. Initialise with zero. */
struct key {
	char bytes[40];
	size_t n;
};

/** Add a number of `size` bytes. */
static inline void key_add(struct key *key, uint64_t v, size_t size)
{
	for (size_t i = size; i-- > 0;)
		key->bytes[key->n++] = (char)(v >> (8 * i) & 0xFF);
}

/** The address of a record; borrows the key. */
static inline struct store_key key_at(
        int64_t account, int bucket, enum kind kind, const struct key *key)
{
	return (struct store_key){
		.account = account,
		.bucket = bucket,
		.kind = (int)kind,
		.key = { key->bytes, key->n },
	};
}

/** A key of one number of 4 bytes. */
static inline struct key key_u32(uint32_t v)
{
	struct key key = { .n = 0 };
	key_add(&key, v, sizeof(v));
	return key;
}

/** A key of one number of 8 bytes. */
static inline struct key key_u64(uint64_t v)
{
	struct key key = { .n = 0 };
	key_add(&key, v, sizeof(v));
	return key;
}

/** Read a number of 8 bytes, big-endian. */
static inline uint64_t cursor_u64be(struct cursor *cursor)
{
	uint64_t high = cursor_u32be(cursor);
	return high << 32 | cursor_u32be(cursor);
}
