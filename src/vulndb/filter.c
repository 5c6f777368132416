/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/filter.h"

uint64_t filter_hash(str key)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
	return h;
}

size_t filter_bytes(size_t n_keys)
{
	size_t bytes = (n_keys * FILTER_BITS + 7) / 8;
	return bytes < 8 ? 8 : bytes;
}

void filter_add(unsigned char *bits, size_t n_bytes, uint64_t h1)
{
	uint64_t h2 = (h1 << 32 | h1 >> 32) | 1, n_bits = n_bytes * 8;
	for (unsigned j = 0; j < FILTER_PROBES; j++) {
		uint64_t bit = (h1 + j * h2) % n_bits;
		bits[bit / 8] |= (unsigned char)(1u << bit % 8);
	}
}

bool filter_may_have(str bits, uint64_t h1)
{
	uint64_t h2 = (h1 << 32 | h1 >> 32) | 1, n_bits = (uint64_t)bits.n * 8;
	for (unsigned j = 0; n_bits > 0 && j < FILTER_PROBES; j++) {
		uint64_t bit = (h1 + j * h2) % n_bits;
		if (!((unsigned char)bits.p[bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}
