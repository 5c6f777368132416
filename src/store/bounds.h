/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * bounds: what addresses and values may be, in one place for those who write, read and look for
 * damage.
 */

#include "store/store.h"

/** Is the address within its bounds, its key at least so long? */
bool store_key_is_valid(const struct store_key *key, size_t min_key_bytes);

/** A checksum of address and value, kept with each record: the disk may change a byte. */
uint32_t store_record_sum(const struct store_key *key, str value);

/** The longest value of a kind. */
static inline size_t store_value_max(int kind)
{
	return kind >= STORE_KIND_LARGE ? STORE_LARGE_MAX_BYTES : STORE_SHORT_MAX_BYTES;
}
