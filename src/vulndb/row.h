/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * row: the checksum at the end of each row's value, over its key and the value before it.
 */

#include "base/buf.h"
#include "base/cursor.h"
#include "base/hash.h"

#define ROW_CRC_BYTES 4u

/** An integer key as the bytes that the checksum covers. */
struct row_number {
	char bytes[8];
};

static inline struct row_number row_number(int64_t key)
{
	struct row_number number;
	for (size_t i = 0; i < sizeof(number.bytes); i++)
		number.bytes[i] = (char)(unsigned char)((uint64_t)key >> (8 * i));
	return number;
}

static inline str row_number_str(const struct row_number *number)
{
	return (str){ number->bytes, sizeof(number->bytes) };
}

/** Add the checksum to a value. */
static inline void row_close(struct buf *value, str key)
{
	buf_add_u32(value, hash_crc32(hash_crc32(0, key), buf_str(value)));
}

/** The value without its checksum. False when that is wrong. */
static inline bool row_open(str key, str blob, str *ret_value)
{
	if (blob.n < ROW_CRC_BYTES)
		return false;
	str value = str_head(blob, blob.n - ROW_CRC_BYTES);
	struct cursor in = CURSOR(str_skip(blob, value.n));
	if (hash_crc32(hash_crc32(0, key), value) != cursor_u32(&in))
		return false;
	*ret_value = value;
	return true;
}
