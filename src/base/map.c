/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing over an array of entries, linear probing, at most half full.
 *
 * Keys come from hostile input: the hash is seeded with the random bytes that the kernel gives each
 * process (getauxval(3), AT_RANDOM), so that colliding keys cannot be prepared. The seed never
 * shows in a result, because entries are walked in order of insertion.
 */
#include "base/map.h"

#include <assert.h>
#include <sys/auxv.h>

static uint64_t seed(void)
{
	uint64_t v = 0;
	unsigned long at = getauxval(AT_RANDOM);
	if (at)
		memcpy(&v, (const void *)at, sizeof(v)); /* NOLINT(performance-no-int-to-ptr) */
	return v;
}

/* Multiply-and-fold over 8 bytes at a time, as wyhash does it. */
uint64_t map_hash(str s)
{
	uint64_t h = seed() ^ s.n;
	while (s.n > 0) {
		uint64_t word = 0;
		size_t n = s.n < 8 ? s.n : 8;
		memcpy(&word, s.p, n);
		__uint128_t product =
		        (__uint128_t)(h ^ word ^ 0x9E3779B97F4A7C15u) * 0xE7037ED1A0B428DBu;
		h = (uint64_t)product ^ (uint64_t)(product >> 64);
		s = str_skip(s, n);
	}
	return h ^ h >> 32;
}

static uint32_t *slot_of(const struct map *map, str key, uint64_t h)
{
	assert(map->slots && map->entries);
	size_t mask = map->n_slots - 1;
	for (size_t i = h & mask;; i = (i + 1) & mask) {
		uint32_t at = map->slots[i];
		if (at == 0)
			return &map->slots[i];
		const struct map_entry *e = &map->entries[at - 1];
		if (e->hash == h && str_eq(e->key, key))
			return &map->slots[i];
	}
}

void **map_find(const struct map *map, str key)
{
	if (map->n == 0)
		return NULL;
	uint32_t at = *slot_of(map, key, map_hash(key));
	return at ? &map->entries[at - 1].value : NULL;
}

static bool grow(struct map *map)
{
	size_t cap = map->cap ? map->cap * 2 : 16;
	if (cap > UINT32_MAX / 2)
		return false;
	struct map_entry *entries = arena_alloc(map->arena, cap, sizeof(*entries));
	uint32_t *slots = arena_alloc(map->arena, cap * 2, sizeof(*slots));
	if (!entries || !slots)
		return false;
	if (map->entries)
		memcpy(entries, map->entries, map->n * sizeof(*entries));
	map->entries = entries;
	map->cap = cap;
	map->slots = slots;
	map->n_slots = cap * 2;
	for (size_t i = 0; i < map->n; i++)
		*slot_of(map, entries[i].key, entries[i].hash) = (uint32_t)(i + 1);
	return true;
}

void **map_at(struct map *map, str key)
{
	void **known = map_find(map, key);
	if (known)
		return known;
	if (map->n == map->cap && !grow(map))
		return NULL;
	assert(map->entries);
	uint64_t h = map_hash(key);
	uint32_t *slot = slot_of(map, key, h);
	struct map_entry *e = &map->entries[map->n];
	if (arena_copy(map->arena, key, &e->key) < 0)
		return NULL;
	e->value = NULL;
	e->hash = h;
	*slot = (uint32_t)++map->n;
	return &e->value;
}
