/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One array of entries, allocated once; a chained hash table over it and a list from the most to
 * the least recently used, both by index. Everything happens under one lock, which is held for a
 * few comparisons: deriving a key, the costly part, is the caller's and outside.
 *
 * Access key ids come from outside before anything is verified, but only keys of credentials that
 * exist are put here, so that nobody can choose what shares a chain.
 */
#include "aws/signing_keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define KEYS_MAX 1000000

struct entry {
	char name[SIGNING_KEYS_NAME_MAX + 16]; /* the credential's parts, joined by '/' */
	uint16_t name_n;
	uint16_t id_n; /* of the access key id, which comes first */
	uint8_t key[SIGV4_KEY_BYTES];
	uint32_t chain;        /* next of this slot */
	uint32_t newer, older; /* neighbours in the order of use */
};

struct signing_keys {
	pthread_mutex_t lock; /* of all that follows */
	struct entry *entries;
	uint32_t *slots;
	uint32_t n, max, n_slots; /* n_slots is a power of two */
	uint32_t newest, oldest;
	uint32_t free; /* entries given back, linked by chain */
	uint64_t n_clears;
};

int signing_keys_new(size_t max, struct signing_keys **ret_keys)
{
	if (max == 0 || max > KEYS_MAX)
		return -EINVAL;
	struct signing_keys *keys = calloc(1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	keys->max = (uint32_t)max;
	keys->n_slots = 16;
	while (keys->n_slots < max)
		keys->n_slots *= 2;
	keys->entries = calloc(max, sizeof(*keys->entries));
	keys->slots = calloc(keys->n_slots, sizeof(*keys->slots));
	if (!keys->entries || !keys->slots || pthread_mutex_init(&keys->lock, NULL) != 0) {
		free(keys->entries);
		free(keys->slots);
		free(keys);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < keys->n_slots; i++)
		keys->slots[i] = NONE;
	keys->newest = keys->oldest = keys->free = NONE;
	*ret_keys = keys;
	return 0;
}

void signing_keys_free(struct signing_keys *keys)
{
	if (!keys)
		return;
	(void)pthread_mutex_destroy(&keys->lock);
	crypto_wipe(keys->entries, keys->max * sizeof(*keys->entries));
	free(keys->entries);
	free(keys->slots);
	free(keys);
}

/* The name that a credential has here, in `ret`; false when it is too long. */
static bool name_of(const struct sigv4_credential *credential, struct entry *ret)
{
	const str parts[] = { credential->access_key_id, credential->date, credential->region,
		credential->service };
	size_t n = 0;
	for (size_t i = 0; i < 4; i++) {
		if (parts[i].n > SIGNING_KEYS_NAME_MAX || n + parts[i].n + 4 > sizeof(ret->name))
			return false;
		if (parts[i].n > 0)
			memcpy(ret->name + n, parts[i].p, parts[i].n);
		n += parts[i].n;
		ret->name[n++] = '/';
	}
	ret->name_n = (uint16_t)n;
	ret->id_n = (uint16_t)credential->access_key_id.n;
	return true;
}

/* FNV-1a. */
static uint32_t *slot_of(struct signing_keys *keys, const struct entry *entry)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < entry->name_n; i++)
		h = (h ^ (unsigned char)entry->name[i]) * 16777619u;
	return &keys->slots[(h ^ h >> 16) & (keys->n_slots - 1)];
}

static bool is_same(const struct entry *a, const struct entry *b)
{
	return str_eq((str){ a->name, a->name_n }, (str){ b->name, b->name_n });
}

static uint32_t find(struct signing_keys *keys, const struct entry *name)
{
	uint32_t i = *slot_of(keys, name);
	while (i != NONE && !is_same(&keys->entries[i], name))
		i = keys->entries[i].chain;
	return i;
}

static void take_out_of_order(struct signing_keys *keys, uint32_t i)
{
	const struct entry *entry = &keys->entries[i];
	if (entry->newer != NONE)
		keys->entries[entry->newer].older = entry->older;
	else
		keys->newest = entry->older;
	if (entry->older != NONE)
		keys->entries[entry->older].newer = entry->newer;
	else
		keys->oldest = entry->newer;
}

static void put_newest(struct signing_keys *keys, uint32_t i)
{
	keys->entries[i].newer = NONE;
	keys->entries[i].older = keys->newest;
	if (keys->newest != NONE)
		keys->entries[keys->newest].newer = i;
	else
		keys->oldest = i;
	keys->newest = i;
}

static void drop(struct signing_keys *keys, uint32_t i)
{
	struct entry *entry = &keys->entries[i];
	uint32_t *at = slot_of(keys, entry);
	while (*at != i)
		at = &keys->entries[*at].chain;
	*at = entry->chain;
	take_out_of_order(keys, i);
	crypto_wipe(entry, sizeof(*entry));
	entry->chain = keys->free;
	keys->free = i;
}

/* An entry that is in no list. */
static uint32_t take_entry(struct signing_keys *keys)
{
	if (keys->free == NONE && keys->n < keys->max)
		return keys->n++;
	if (keys->free == NONE)
		drop(keys, keys->oldest);
	uint32_t i = keys->free;
	keys->free = keys->entries[i].chain;
	return i;
}

bool signing_keys_find(struct signing_keys *keys, const struct sigv4_credential *credential,
        uint8_t ret_key[SIGV4_KEY_BYTES], uint64_t *ret_ticket)
{
	struct entry name = { .name_n = 0 };
	bool is_short = name_of(credential, &name);
	(void)pthread_mutex_lock(&keys->lock);
	*ret_ticket = keys->n_clears;
	uint32_t i = is_short ? find(keys, &name) : NONE;
	if (i != NONE) {
		memcpy(ret_key, keys->entries[i].key, SIGV4_KEY_BYTES);
		take_out_of_order(keys, i);
		put_newest(keys, i);
	}
	(void)pthread_mutex_unlock(&keys->lock);
	return i != NONE;
}

void signing_keys_put(struct signing_keys *keys, const struct sigv4_credential *credential,
        const uint8_t key[SIGV4_KEY_BYTES], uint64_t ticket)
{
	struct entry entry = { .name_n = 0 };
	if (!name_of(credential, &entry))
		return;
	memcpy(entry.key, key, SIGV4_KEY_BYTES);
	(void)pthread_mutex_lock(&keys->lock);
	if (ticket == keys->n_clears) {
		uint32_t old = find(keys, &entry);
		if (old != NONE)
			drop(keys, old);
		uint32_t i = take_entry(keys), *slot = slot_of(keys, &entry);
		keys->entries[i] = entry;
		keys->entries[i].chain = *slot;
		*slot = i;
		put_newest(keys, i);
	}
	(void)pthread_mutex_unlock(&keys->lock);
	crypto_wipe(&entry, sizeof(entry));
}

void signing_keys_clear(struct signing_keys *keys, str access_key_id)
{
	(void)pthread_mutex_lock(&keys->lock);
	keys->n_clears++;
	for (uint32_t i = keys->newest, older; i != NONE; i = older) {
		const struct entry *entry = &keys->entries[i];
		older = entry->older;
		if (str_eq((str){ entry->name, entry->id_n }, access_key_id))
			drop(keys, i);
	}
	(void)pthread_mutex_unlock(&keys->lock);
}
