/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/places.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/elements.h"

#define REMEMBERED_MAX 128u
#define MEMORY_BYTES ((size_t)512 << 20)
/* What takes more is read anew each time: all that is remembered takes no more than 128 MB. */
#define REMEMBERED_BYTES ((size_t)1 << 20)

/*
 * What is remembered of hosts that are alike, named by all that it follows from. A page of findings
 * of one vulnerability is of as many hosts as it has findings, but these have few images.
 */
struct remembered {
	unsigned char name[SHA256_BYTES];
	struct arena arena;
	struct place *places;
	size_t n;
	uint64_t used; /* when; 0: nothing is remembered here */
};

struct places_cache {
	pthread_mutex_t lock;
	struct remembered entries[REMEMBERED_MAX];
	uint64_t clock;
};

struct places_cache *places_cache_new(void)
{
	struct places_cache *cache = calloc(1, sizeof(*cache));
	if (cache)
		(void)pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void places_cache_free(struct places_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < REMEMBERED_MAX; i++)
		arena_fini(&cache->entries[i].arena);
	(void)pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Paths depend on the evidence; elements on the os, too. Hosts of other accounts never count as
 * alike: how fast an answer comes would tell what they have. */
static void name_of(const struct fleet_host *host, unsigned char ret[SHA256_BYTES])
{
	struct host os;
	autobuf text = BUF((size_t)1 << 20);
	host_os(host, &os);
	buf_add_u64(&text, (uint64_t)host->account);
	buf_add_str(&text, os.os_id);
	buf_add_str(&text, os.os_version);
	buf_add_str(&text, os.os_codename);
	for (int k = 0; k < HOST_N_SETS; k++) {
		const struct host_item *word = elements_word(host, k);
		buf_add_str(&text, word ? word->type : STR(""));
		if (word)
			buf_add(&text, (str){ (const char *)word->evidence, SHA256_BYTES });
		buf_add_u32(&text, host->sets[k]);
	}
	hash_sha256(buf_str(&text), ret);
}

static int by_element(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	if (a->element != b->element)
		return a->element < b->element ? -1 : 1;
	return str_cmp(a->path, b->path);
}

/* The packages of the word on one of the host's sets, as places. */
static int add_places(struct fleet *fleet, const struct fleet_host *host, int which,
        struct remembered *into, size_t *cap, struct arena *scratch, struct err *err)
{
	const struct host_item *word = elements_word(host, which);
	struct ledger ledger = { .arena = scratch };
	struct map owners = MAP(scratch);
	struct content content;
	struct host os;
	str bytes;
	/* Stock agents name no paths of OS packages. */
	if (!word || str_eq(word->type, STR(CONTENT_APPLICATION)))
		return 0;
	host_os(host, &os);
	int r = evidence_get(fleet->store, host->account, host_bucket(host->number), word->evidence,
	        scratch, &bytes, err);
	if (r == 0)
		r = content_read(word->type, bytes, &os, scratch, &ledger, &content, err);
	if (r == 0 && elements_index_owners(content.packages, content.n_packages, &owners) < 0)
		r = err_set(err, -ERR_LIMIT, "the packages need too much memory");
	for (size_t i = 0; r == 0 && i < content.n_packages; i++) {
		const struct package *pkg = &content.packages[i];
		if (package_is_os(pkg) != (which == HOST_OS_SET) || pkg->path.n == 0)
			continue;
		const struct element element =
		        element_of(pkg, elements_owner_of(&owners, pkg), &os);
		struct place place = {
			.element = dictionary_element_find(fleet->dictionary, &element),
		};
		if (into->n == *cap) {
			size_t larger_cap = *cap ? 2 * *cap : 1024;
			struct place *larger =
			        arena_alloc(&into->arena, larger_cap, sizeof(*larger));
			if (!larger)
				return err_set(err, -ERR_LIMIT, "too many paths");
			if (into->n > 0)
				memcpy(larger, into->places, into->n * sizeof(*larger));
			into->places = larger;
			*cap = larger_cap;
		}
		if (arena_copy(&into->arena, pkg->path, &place.path) < 0)
			return err_set(err, -ERR_LIMIT, "too many paths");
		into->places[into->n++] = place;
	}
	return r;
}

static int read_places(
        struct fleet *fleet, const struct fleet_host *host, struct remembered *ret, struct err *err)
{
	size_t cap = 0;
	int r = 0;
	ret->arena = ARENA(MEMORY_BYTES);
	ret->places = NULL;
	ret->n = 0;
	for (int k = 0; r == 0 && k < HOST_N_SETS; k++) {
		cleanup(arena_fini) struct arena scratch = ARENA(2 * MEMORY_BYTES);
		r = add_places(fleet, host, k, ret, &cap, &scratch, err);
	}
	if (r == 0 && ret->n > 1)
		qsort(ret->places, ret->n, sizeof(*ret->places), by_element);
	return r;
}

/* What is remembered of a host, or the place of what was used least. Locked. */
static struct remembered *find(struct places_cache *cache, const unsigned char *name)
{
	struct remembered *oldest = &cache->entries[0];
	for (size_t i = 0; i < REMEMBERED_MAX; i++) {
		struct remembered *at = &cache->entries[i];
		if (at->used > 0 && memcmp(at->name, name, SHA256_BYTES) == 0)
			return at;
		if (at->used < oldest->used)
			oldest = at;
	}
	return oldest;
}

static int copy_places(const struct remembered *from, struct arena *arena, const struct place **ret,
        size_t *ret_count, struct err *err)
{
	struct place *places = arena_alloc(arena, from->n, sizeof(*places));
	if (!places)
		return err_set(err, -ERR_LIMIT, "too many paths");
	for (size_t i = 0; i < from->n; i++) {
		places[i].element = from->places[i].element;
		if (arena_copy(arena, from->places[i].path, &places[i].path) < 0)
			return err_set(err, -ERR_LIMIT, "too many paths");
	}
	*ret = places;
	*ret_count = from->n;
	return 0;
}

/* Copy what is remembered of a host. Returns: 0; -ENOENT when nothing is; -ERR_LIMIT */
static int recall(struct places_cache *cache, const unsigned char *name, struct arena *arena,
        const struct place **ret, size_t *ret_count, struct err *err)
{
	(void)pthread_mutex_lock(&cache->lock);
	struct remembered *at = find(cache, name);
	int r = -ENOENT;
	if (at->used > 0 && memcmp(at->name, name, SHA256_BYTES) == 0) {
		at->used = ++cache->clock;
		r = copy_places(at, arena, ret, ret_count, err);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return r;
}

/* Remember, unless it is much, or somebody was faster. Takes what `read` holds. */
static void remember(struct places_cache *cache, const unsigned char *name, struct remembered *read)
{
	if (read->arena.used_bytes <= REMEMBERED_BYTES) {
		(void)pthread_mutex_lock(&cache->lock);
		struct remembered *at = find(cache, name), old = *at;
		if (at->used == 0 || memcmp(at->name, name, SHA256_BYTES) != 0) {
			*at = *read;
			memcpy(at->name, name, SHA256_BYTES);
			at->used = ++cache->clock;
			*read = old;
		}
		(void)pthread_mutex_unlock(&cache->lock);
	}
	arena_fini(&read->arena);
}

int places_get(struct fleet *fleet, const struct fleet_host *host, size_t *left,
        struct arena *arena, const struct place **ret, size_t *ret_count, struct err *err)
{
	unsigned char name[SHA256_BYTES];
	struct remembered read = { .used = 0 };
	name_of(host, name);
	int r = recall(fleet->places, name, arena, ret, ret_count, err);
	if (r != -ENOENT)
		return r;
	if (left && *left == 0)
		return err_set(err, -EAGAIN, "too many inventories to read");
	if (left)
		--*left;
	r = read_places(fleet, host, &read, err);
	if (r == 0)
		r = copy_places(&read, arena, ret, ret_count, err);
	if (r == 0)
		remember(fleet->places, name, &read);
	else
		arena_fini(&read.arena);
	return r;
}

int fleet_places(struct fleet *fleet, const struct fleet_host *host, struct arena *arena,
        const struct place **ret, size_t *ret_count, struct err *err)
{
	return places_get(fleet, host, NULL, arena, ret, ret_count, err);
}
