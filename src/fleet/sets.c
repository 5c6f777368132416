/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/sets_make.h"

#include <errno.h>
#include <pthread.h>
#include <roaring/roaring.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/keys.h"
#include "fleet/postings.h"
#include "fleet/sure.h"

/* A set with what readers do not see. */
struct entry {
	struct package_set set;
	roaring_bitmap_t *hosts; /* = set.hosts */
	uint64_t hash;
	bool is_durable; /* the sets' lock */
	bool is_published;
	element_id elements[];
};

struct sets {
	pthread_mutex_t lock; /* of the planned ones: table, numbered */
	uint64_t seed;
	struct entry **table; /* open addressing by hash; a power of two, at most half full */
	size_t n_table, cap_table;
	struct entry **numbered; /* every set by number */
	size_t cap_numbered;
	uint32_t n_numbers;
	/* The fleet's lock. */
	struct entry **published; /* those that readers see, by number */
	size_t cap_published, n_published;
	struct posting *postings; /* by element */
	size_t cap_postings;
};

static void unlock(pthread_mutex_t **lock)
{
	(void)pthread_mutex_unlock(*lock);
}

static void free_entry(struct entry *entry)
{
	if (entry && entry->hosts)
		roaring_bitmap_free(entry->hosts);
	free(entry);
}

struct sets *sets_new(void)
{
	struct sets *sets = calloc(1, sizeof(*sets));
	if (!sets)
		return NULL;
	(void)pthread_mutex_init(&sets->lock, NULL);
	/* Hosts choose what their sets hold, so that they must not know where they go. */
	if (getrandom(&sets->seed, sizeof(sets->seed), GRND_NONBLOCK) < 0)
		sets->seed = (uint64_t)(uintptr_t)sets;
	return sets;
}

void sets_free(struct sets *sets)
{
	if (!sets)
		return;
	for (size_t i = 0; i < sets->cap_numbered; i++)
		free_entry(sets->numbered[i]);
	for (size_t i = 0; i < sets->cap_postings; i++)
		posting_fini(&sets->postings[i]);
	free(sets->table);
	free(sets->numbered);
	free(sets->published);
	free(sets->postings);
	(void)pthread_mutex_destroy(&sets->lock);
	free(sets);
}

/* ---- finding ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	__uint128_t product = (__uint128_t)(h ^ v) * 0x9E3779B97F4A7C15u;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(
        const struct sets *sets, int64_t account, const element_id *elements, size_t n)
{
	uint64_t h = mix(sets->seed, (uint64_t)account) ^ n;
	for (size_t i = 0; i < n; i++)
		h = mix(h, elements[i] + sets->seed);
	return h;
}

static bool is_of(const struct entry *entry, int64_t account, const element_id *elements, size_t n)
{
	return entry->set.account == account && entry->set.n_elements == n &&
	       memcmp(entry->elements, elements, n * sizeof(*elements)) == 0;
}

static struct entry *find(const struct sets *sets, uint64_t hash, int64_t account,
        const element_id *elements, size_t n)
{
	for (size_t i = hash; sets->cap_table > 0; i++) {
		struct entry *entry = sets->table[i & (sets->cap_table - 1)];
		if (!entry || (entry->hash == hash && is_of(entry, account, elements, n)))
			return entry;
	}
	return NULL;
}

static void place(struct sets *sets, struct entry *entry)
{
	size_t i = entry->hash;
	while (sets->table[i & (sets->cap_table - 1)])
		i++;
	sets->table[i & (sets->cap_table - 1)] = entry;
}

static void insert(struct sets *sets, struct entry *entry)
{
	if (2 * (sets->n_table + 1) > sets->cap_table) {
		struct entry **old = sets->table;
		size_t n = sets->cap_table;
		sets->cap_table = n ? 2 * n : 256;
		sets->table = sure_realloc(NULL, sets->cap_table, sizeof(*sets->table));
		memset(sets->table, 0, sets->cap_table * sizeof(*sets->table));
		for (size_t i = 0; i < n; i++) {
			if (old[i])
				place(sets, old[i]);
		}
		free(old);
	}
	place(sets, entry);
	sets->n_table++;
	sets->numbered = sure_reach(
	        sets->numbered, entry->set.number, &sets->cap_numbered, sizeof(*sets->numbered));
	sets->numbered[entry->set.number] = entry;
	if (entry->set.number > sets->n_numbers)
		sets->n_numbers = entry->set.number;
}

/* Take an entry out of the table: what stands behind it without a gap is placed anew. */
static void take_out(struct sets *sets, const struct entry *entry)
{
	size_t mask = sets->cap_table - 1, i = entry->hash & mask;
	while (sets->table[i] != entry)
		i = (i + 1) & mask;
	sets->table[i] = NULL;
	for (i = (i + 1) & mask; sets->table[i]; i = (i + 1) & mask) {
		struct entry *moved = sets->table[i];
		sets->table[i] = NULL;
		place(sets, moved);
	}
	sets->n_table--;
	sets->numbered[entry->set.number] = NULL;
}

/* ---- making ---- */

static struct entry *make_entry(
        struct sets *sets, int64_t account, uint32_t number, const element_id *elements, size_t n)
{
	struct entry *entry = malloc(sizeof(*entry) + n * sizeof(*elements));
	if (!entry)
		return NULL;
	*entry = (struct entry){
		.hash = hash_of(sets, account, elements, n),
		.hosts = roaring_bitmap_create(),
	};
	memcpy(entry->elements, elements, n * sizeof(*elements));
	entry->set = (struct package_set){
		.number = number,
		.account = account,
		.elements = entry->elements,
		.n_elements = n,
		.hosts = entry->hosts,
	};
	if (!entry->hosts) {
		free(entry);
		return NULL;
	}
	return entry;
}

static int by_digest(const void *left, const void *right)
{
	return memcmp(left, right, SHA256_BYTES);
}

/* Name a set by what it holds. */
static int digest_of(const struct dictionary *dictionary, const element_id *elements, size_t n,
        unsigned char ret[SHA256_BYTES])
{
	static const unsigned char head[] = { 'v', '1', ':' };
	autofree unsigned char *digests = malloc(n * SHA256_BYTES + sizeof(head));
	if (!digests)
		return -ENOMEM;
	memcpy(digests, head, sizeof(head));
	for (size_t i = 0; i < n; i++) {
		const unsigned char *digest = dictionary_element_digest(dictionary, elements[i]);
		if (!digest)
			return -EINVAL;
		memcpy(digests + sizeof(head) + i * SHA256_BYTES, digest, SHA256_BYTES);
	}
	qsort(digests + sizeof(head), n, SHA256_BYTES, by_digest);
	hash_sha256((str){ (const char *)digests, n * SHA256_BYTES + sizeof(head) }, ret);
	return 0;
}

static void write_varint(struct buf *out, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_add_byte(out, (char)(v & 0x7F) | (char)0x80);
	buf_add_byte(out, (char)v);
}

static uint32_t read_varint(struct cursor *cursor)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t b = cursor_u8(cursor);
		v |= (uint64_t)(b & 0x7Fu) << shift;
		if (b < 0x80 && v <= UINT32_MAX)
			return (uint32_t)v;
	}
	cursor->failed = true;
	return 0;
}

/* The digest, and the elements as differences. */
static void write_set(const struct package_set *set, struct buf *out)
{
	buf_add(out, (str){ (const char *)set->sha256, sizeof(set->sha256) });
	write_varint(out, (uint32_t)set->n_elements);
	for (size_t i = 0; i < set->n_elements; i++)
		write_varint(out, set->elements[i] - (i > 0 ? set->elements[i - 1] : 0));
}

static int put_record(const struct package_set *set, struct store_batch *batch, struct err *err)
{
	autobuf record = BUF(STORE_LARGE_MAX_BYTES);
	write_set(set, &record);
	if (buf_failed(&record))
		return err_set(err, -ENOMEM, "no memory for a package set");
	const struct key key = key_u32(set->number);
	store_batch_put(batch, key_at(set->account, 0, KIND_SET, &key), buf_str(&record));
	return 0;
}

int sets_plan(struct sets *sets, int64_t account, const element_id *elements, size_t n,
        const struct dictionary *dictionary, struct store_batch *batch, uint32_t *ret_number,
        struct err *err)
{
	*ret_number = 0;
	if (n == 0)
		return 0;
	uint64_t hash = hash_of(sets, account, elements, n);
	(void)pthread_mutex_lock(&sets->lock);
	cleanup(unlock) pthread_mutex_t *held = &sets->lock;
	(void)held;

	struct entry *entry = find(sets, hash, account, elements, n);
	if (!entry) {
		if (sets->n_numbers == UINT32_MAX)
			return err_set(err, -ERR_LIMIT, "too many package sets");
		entry = make_entry(sets, account, sets->n_numbers + 1, elements, n);
		if (!entry)
			return err_set(err, -ENOMEM, "no memory for a package set");
		int r = digest_of(dictionary, elements, n, entry->set.sha256);
		if (r < 0) {
			free_entry(entry);
			return err_set(err, r, "a package set cannot be named");
		}
		insert(sets, entry);
	}
	*ret_number = entry->set.number;
	/* Whoever else plans with it may fail to commit: so each puts the record until it is
	   known to be there. */
	return entry->is_durable ? 0 : put_record(&entry->set, batch, err);
}

const struct package_set *sets_planned(struct sets *sets, uint32_t number)
{
	(void)pthread_mutex_lock(&sets->lock);
	cleanup(unlock) pthread_mutex_t *held = &sets->lock;
	(void)held;
	const struct entry *entry = number < sets->cap_numbered ? sets->numbered[number] : NULL;
	return entry ? &entry->set : NULL;
}

int sets_load(struct sets *sets, int64_t account, uint32_t number, str record,
        const struct dictionary *dictionary, struct err *err)
{
	struct cursor cursor = CURSOR(record);
	str digest = cursor_bytes(&cursor, SHA256_BYTES);
	size_t n = read_varint(&cursor);
	if (n > cursor.rest.n)
		cursor.failed = true;
	autofree element_id *elements =
	        cursor_failed(&cursor) ? NULL : calloc(n > 0 ? n : 1, sizeof(*elements));
	element_id before = 0;
	for (size_t i = 0; elements && i < n; i++) {
		element_id step = read_varint(&cursor);
		elements[i] = before + step;
		if (step == 0 || elements[i] < before ||
		        !dictionary_element_at(dictionary, elements[i]))
			cursor.failed = true;
		before = elements[i];
	}
	if (!elements || n == 0 || number == 0 || cursor_failed(&cursor) || cursor.rest.n > 0)
		return err_set(err, -ERR_FORMAT, "the record of package set %u is damaged", number);

	(void)pthread_mutex_lock(&sets->lock);
	cleanup(unlock) pthread_mutex_t *held = &sets->lock;
	(void)held;
	if (number < sets->cap_numbered && sets->numbered[number])
		return err_set(err, -ERR_FORMAT, "package set %u is there twice", number);
	struct entry *entry = make_entry(sets, account, number, elements, n);
	if (!entry)
		return err_set(err, -ENOMEM, "no memory for a package set");
	memcpy(entry->set.sha256, digest.p, SHA256_BYTES);
	entry->is_durable = true;
	insert(sets, entry);
	return 0;
}

/* ---- pointing ---- */

static void publish(struct sets *sets, struct entry *entry)
{
	const struct package_set *set = &entry->set;
	sets->published = sure_reach(
	        sets->published, set->number, &sets->cap_published, sizeof(*sets->published));
	sets->published[set->number] = entry;
	sets->n_published++;
	sets->postings = sure_reach(sets->postings, set->elements[set->n_elements - 1],
	        &sets->cap_postings, sizeof(*sets->postings));
	for (size_t i = 0; i < set->n_elements; i++)
		posting_add(&sets->postings[set->elements[i]], set->number);
	entry->is_published = true;
}

void sets_move(struct sets *sets, uint64_t host, uint32_t from, uint32_t to)
{
	if (from == to)
		return;
	if (from != 0)
		roaring_bitmap_remove(sets->published[from]->hosts, (uint32_t)host);
	if (to == 0)
		return;
	(void)pthread_mutex_lock(&sets->lock);
	struct entry *entry = sets->numbered[to];
	entry->is_durable = true;
	(void)pthread_mutex_unlock(&sets->lock);
	if (!entry->is_published)
		publish(sets, entry);
	roaring_bitmap_add(entry->hosts, (uint32_t)host);
}

size_t sets_unused(struct sets *sets, uint32_t *ret_numbers, size_t most)
{
	size_t n = 0;
	for (size_t i = 0; n < most && i < sets->cap_numbered; i++) {
		const struct entry *entry = sets->numbered[i];
		if (entry && roaring_bitmap_is_empty(entry->hosts))
			ret_numbers[n++] = (uint32_t)i;
	}
	return n;
}

void sets_forget(struct sets *sets, uint32_t number)
{
	struct entry *entry = sets->numbered[number];
	take_out(sets, entry);
	if (entry->is_published) {
		sets->published[number] = NULL;
		sets->n_published--;
		for (size_t i = 0; i < entry->set.n_elements; i++)
			posting_remove(&sets->postings[entry->set.elements[i]], number);
	}
	free_entry(entry);
}

/* ---- looking ---- */

const struct package_set *sets_at(const struct sets *sets, uint32_t number)
{
	const struct entry *entry = number < sets->cap_published ? sets->published[number] : NULL;
	return entry ? &entry->set : NULL;
}

size_t sets_count(const struct sets *sets)
{
	return sets->n_published;
}

struct gathering {
	const struct sets *sets;
	roaring_bitmap_t *out;
};

static bool gather(uint32_t number, void *ctx)
{
	const struct gathering *gathering = ctx;
	roaring_bitmap_or_inplace(gathering->out, gathering->sets->published[number]->hosts);
	return true;
}

int sets_hosts_of(const struct sets *sets, element_id element, roaring_bitmap_t *out)
{
	struct gathering gathering = { sets, out };
	sets_each_of(sets, element, gather, &gathering);
	return 0;
}

void sets_each_of(const struct sets *sets, element_id element,
        bool (*visit)(uint32_t number, void *ctx), void *ctx)
{
	if (element < sets->cap_postings)
		posting_each(&sets->postings[element], visit, ctx);
}

bool set_has(const struct package_set *set, element_id element)
{
	size_t low = 0, high = set ? set->n_elements : 0;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (set->elements[i] == element)
			return true;
		if (set->elements[i] < element)
			low = i + 1;
		else
			high = i;
	}
	return false;
}
