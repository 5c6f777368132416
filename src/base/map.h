/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * map: byte strings to pointers, in an arena. Grows, never shrinks; keys keep the order of their
 * insertion.
 */

#include "base/arena.h"
#include "base/str.h"

struct map_entry {
	str key; /* arena */
	void *value;
	uint64_t hash;
};

/** Initialise with MAP(arena); released with the arena. */
struct map {
	struct arena *arena;
	struct map_entry *entries; /* in order of insertion */
	size_t n, cap;
	uint32_t *slots; /* entry index + 1; 0 is empty; a power of two */
	size_t n_slots;
};

#define MAP(memory)                                                                                \
	((struct map){ .arena = (memory),                                                          \
	        .entries = NULL,                                                                   \
	        .n = 0,                                                                            \
	        .cap = 0,                                                                          \
	        .slots = NULL,                                                                     \
	        .n_slots = 0 })

/** The place of a key's value, or NULL if the key is not there. Valid until the next insertion. */
void **map_find(const struct map *map, str key);

/**
 * The place of a key's value, inserted with NULL if it was not there. The key is copied.
 *
 * Returns: valid until the next insertion; NULL when the arena is full
 */
void **map_at(struct map *map, str key);

/** The hash that maps use: seeded in each process, so that nobody outside can make keys collide.
 * For tables of another shape. */
uint64_t map_hash(str key);
