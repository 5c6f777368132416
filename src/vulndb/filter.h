/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * filter: a Bloom filter over byte strings. It says "certainly not there" for nearly all that are
 * not, so that asking forty sources for one id, or for a package that nothing is said about, opens
 * few of their pages.
 *
 * Layout: FILTER_BITS bits for each key, at least 64 and a multiple of 8; bit i is bit i % 8 of
 * byte i / 8. A key sets the bits (h1 + j * h2) mod bits, j from 0 to FILTER_PROBES - 1, where h1
 * is the FNV-1a hash of 64 bits, and h2 is h1 with its halves exchanged, made odd.
 */

#include "base/buf.h"
#include "base/str.h"

#define FILTER_BITS 12u
#define FILTER_PROBES 5u

/** Bytes of a filter for so many keys. */
size_t filter_bytes(size_t n_keys);

/** The hash of a key, computed once for many filters. */
uint64_t filter_hash(str key);

/** Add a key. */
void filter_add(unsigned char *bits, size_t n_bytes, uint64_t hash);

/** May the key be there? False is certain. An empty filter answers true. */
bool filter_may_have(str bits, uint64_t hash);
