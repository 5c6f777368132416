/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables, elements and vulnerabilities, each from a text to a number and back. The way back is
 * a list of pieces that never move, so that it is read without a lock; the way there is a map under
 * the dictionary's lock.
 */
#include "fleet/element.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/keys.h"
#include "fleet/kinds.h"

#define MEMORY_BYTES ((size_t)64 << 30)

/* Numbers are split in two: the piece, and the place in it. */
#define PIECE_BITS 12u
#define PIECE_SIZE (1u << PIECE_BITS)
#define N_PIECES (1u << 14)
#define NUMBER_MAX (N_PIECES * PIECE_SIZE - 1)

/* What is known of a number. */
struct entry {
	uint32_t number;
	bool is_durable;
	unsigned char digest[SHA256_BYTES]; /* of an element: of its form */
	str text;                           /* canonical form, or id */
	struct element *element;            /* of an element */
};

/* One numbering. */
struct table {
	enum kind kind;
	struct map map;     /* text -> struct entry */
	uint32_t n_numbers; /* the greatest one that was given */
	/* Entries by number, set once: read without the lock. */
	_Atomic(struct entry *) *_Atomic pieces[N_PIECES];
	_Atomic uint32_t n_seen; /* as n_numbers */
};

/* A record that a batch took, and of which it is not known yet what becomes of it. */
struct pending {
	const struct store_batch *batch;
	struct entry *entry;
};

struct dictionary {
	pthread_rwlock_t lock;
	struct arena arena;
	struct table elements, vulns;
	struct map classes; /* os fields -> number */
	struct pending *pending;
	size_t n_pending, cap_pending;
};

static void unlock(pthread_rwlock_t **lock)
{
	(void)pthread_rwlock_unlock(*lock);
}

/* Hold the lock to the end of the scope. */
#define HOLD_READ(d)                                                                               \
	(void)pthread_rwlock_rdlock(&(d)->lock);                                                   \
	cleanup(unlock) __attribute__((unused)) pthread_rwlock_t *held_ = &(d)->lock
#define HOLD_WRITE(d)                                                                              \
	(void)pthread_rwlock_wrlock(&(d)->lock);                                                   \
	cleanup(unlock) __attribute__((unused)) pthread_rwlock_t *held_ = &(d)->lock

static struct entry *entry_at(const struct table *table, uint32_t number)
{
	if (number == 0 || number > NUMBER_MAX)
		return NULL;
	_Atomic(struct entry *) *piece =
	        atomic_load_explicit(&table->pieces[number >> PIECE_BITS], memory_order_acquire);
	if (!piece)
		return NULL;
	return atomic_load_explicit(&piece[number & (PIECE_SIZE - 1)], memory_order_acquire);
}

/* Locked for writing. The entry must be whole. Returns: 0; -ENOMEM */
static int publish(struct dictionary *d, struct table *table, struct entry *entry)
{
	_Atomic(struct entry *) *piece = atomic_load(&table->pieces[entry->number >> PIECE_BITS]);
	if (!piece) {
		piece = arena_alloc(&d->arena, PIECE_SIZE, sizeof(*piece));
		if (!piece)
			return -ENOMEM;
		atomic_store_explicit(
		        &table->pieces[entry->number >> PIECE_BITS], piece, memory_order_release);
	}
	atomic_store_explicit(
	        &piece[entry->number & (PIECE_SIZE - 1)], entry, memory_order_release);
	if (entry->number > table->n_numbers)
		table->n_numbers = entry->number;
	atomic_store_explicit(&table->n_seen, table->n_numbers, memory_order_release);
	return 0;
}

/* Elements of equal os share its strings and its number. Locked for writing. */
static int classify(struct dictionary *d, struct element *element)
{
	autobuf key = BUF(ELEMENT_MAX_BYTES * 2);
	buf_add_str(&key, element->os.os_id);
	buf_add_str(&key, element->os.os_version);
	buf_add_str(&key, element->os.os_codename);
	if (buf_failed(&key))
		return -ENOMEM;
	void **at = map_at(&d->classes, buf_str(&key));
	if (!at)
		return -ENOMEM;
	if (!*at) {
		struct element *first = arena_alloc(&d->arena, 1, sizeof(*first));
		if (!first)
			return -ENOMEM;
		first->os = element->os;
		first->os_class = (uint32_t)d->classes.n;
		*at = first;
	}
	const struct element *first = *at;
	element->os = first->os;
	element->os_class = first->os_class;
	return 0;
}

/* Make an entry. Its text is the map's copy of the key. Locked for writing. */
static int make_entry(struct dictionary *d, struct table *table, str text, uint32_t number,
        struct entry **ret, struct err *err)
{
	if (number > NUMBER_MAX)
		return err_set(err, -ERR_LIMIT, "more elements than %u", NUMBER_MAX);
	struct entry *entry = arena_alloc(&d->arena, 1, sizeof(*entry));
	void **at = entry ? map_at(&table->map, text) : NULL;
	if (!at)
		return err_set(err, -ENOMEM, "no memory for the dictionary");
	entry->number = number;
	entry->text = table->map.entries[table->map.n - 1].key;
	if (table == &d->elements) {
		struct element *element = arena_alloc(&d->arena, 1, sizeof(*element));
		int r = element ? element_read(entry->text, element, err) : -ENOMEM;
		if (r == 0)
			r = classify(d, element);
		if (r < 0)
			return r == -ENOMEM ? err_set(err, r, "no memory for the dictionary") : r;
		element->id = number;
		entry->element = element;
		hash_sha256(entry->text, entry->digest);
	}
	int r = publish(d, table, entry);
	if (r < 0)
		return err_set(err, r, "no memory for the dictionary");
	*at = entry;
	*ret = entry;
	return 0;
}

/* Note that a batch takes the entry's record. Locked for writing. */
static int note_pending(struct dictionary *d, struct entry *entry, struct store_batch *batch)
{
	if (d->n_pending == d->cap_pending) {
		size_t cap = d->cap_pending ? d->cap_pending * 2 : 256;
		struct pending *larger = reallocarray(d->pending, cap, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		d->pending = larger;
		d->cap_pending = cap;
	}
	d->pending[d->n_pending++] = (struct pending){ batch, entry };
	return 0;
}

/* Is it there, and durable? */
static const struct entry *find_durable(struct dictionary *d, const struct table *table, str text)
{
	HOLD_READ(d);
	void **at = map_find(&table->map, text);
	const struct entry *entry = at ? *at : NULL;
	return entry && entry->is_durable ? entry : NULL;
}

static int number_text(struct dictionary *d, struct table *table, str text,
        struct store_batch *batch, uint32_t *ret, struct err *err)
{
	const struct entry *found = find_durable(d, table, text);
	if (found) {
		*ret = found->number;
		return 0;
	}
	HOLD_WRITE(d);
	void **at = map_find(&table->map, text);
	struct entry *entry = at ? *at : NULL;
	if (!entry) {
		int r = make_entry(d, table, text, table->n_numbers + 1, &entry, err);
		if (r < 0)
			return r;
	}
	if (!entry->is_durable) {
		if (note_pending(d, entry, batch) < 0)
			return err_set(err, -ENOMEM, "no memory for the dictionary");
		const struct key key = key_u32(entry->number);
		store_batch_put(batch, key_at(0, 0, table->kind, &key), text);
	}
	*ret = entry->number;
	return 0;
}

int dictionary_element(struct dictionary *d, const struct element *element,
        struct store_batch *batch, element_id *ret, struct err *err)
{
	char form[ELEMENT_MAX_BYTES];
	size_t n = element_form(element, form);
	if (n == 0)
		return err_set(err, -ERR_LIMIT, "package " STR_FMT " is longer than %u bytes",
		        STR_ARG(str_head(element->package.name, 100)), ELEMENT_MAX_BYTES);
	return number_text(d, &d->elements, (str){ form, n }, batch, ret, err);
}

int dictionary_vuln(
        struct dictionary *d, str name, struct store_batch *batch, vuln_id *ret, struct err *err)
{
	return number_text(d, &d->vulns, name, batch, ret, err);
}

void dictionary_committed(struct dictionary *d, const struct store_batch *batch, bool is_durable)
{
	HOLD_WRITE(d);
	size_t n = 0;
	for (size_t i = 0; i < d->n_pending; i++) {
		if (d->pending[i].batch != batch)
			d->pending[n++] = d->pending[i];
		else if (is_durable)
			d->pending[i].entry->is_durable = true;
	}
	d->n_pending = n;
}

bool dictionary_element_is_durable(const struct dictionary *d, element_id id)
{
	struct dictionary *locked = (struct dictionary *)(uintptr_t)d;
	const struct entry *entry = entry_at(&d->elements, id);
	HOLD_READ(locked);
	return entry && entry->is_durable;
}

const struct element *dictionary_element_at(const struct dictionary *d, element_id id)
{
	const struct entry *entry = entry_at(&d->elements, id);
	return entry ? entry->element : NULL;
}

const unsigned char *dictionary_element_digest(const struct dictionary *d, element_id id)
{
	const struct entry *entry = entry_at(&d->elements, id);
	return entry ? entry->digest : NULL;
}

str dictionary_vuln_name(const struct dictionary *d, vuln_id id)
{
	const struct entry *entry = entry_at(&d->vulns, id);
	return entry ? entry->text : (str){ "", 0 };
}

static uint32_t find_number(const struct dictionary *d, const struct table *table, str text)
{
	struct dictionary *locked = (struct dictionary *)(uintptr_t)d;
	HOLD_READ(locked);
	void **at = map_find(&table->map, text);
	const struct entry *entry = at ? *at : NULL;
	return entry ? entry->number : 0;
}

vuln_id dictionary_vuln_find(const struct dictionary *d, str name)
{
	return find_number(d, &d->vulns, name);
}

element_id dictionary_element_find(const struct dictionary *d, const struct element *element)
{
	char form[ELEMENT_MAX_BYTES];
	size_t n = element_form(element, form);
	return n == 0 ? 0 : find_number(d, &d->elements, (str){ form, n });
}

element_id dictionary_n_elements(const struct dictionary *d)
{
	return atomic_load_explicit(&d->elements.n_seen, memory_order_acquire);
}

/* ---- loading ---- */

struct loader {
	struct dictionary *dictionary;
	struct table *table;
	struct err *err;
};

static int load_record(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct cursor cursor = CURSOR(key->key);
	uint32_t number = cursor_u32be(&cursor);
	struct entry *entry;

	if (key->key.n != 4 || number == 0 || value.n == 0 || entry_at(loader->table, number) ||
	        map_find(&loader->table->map, value))
		return err_set(loader->err, -ERR_FORMAT,
		        "record %u of the dictionary (kind %d) is damaged", number, key->kind);
	int r = make_entry(loader->dictionary, loader->table, value, number, &entry, loader->err);
	if (r == 0)
		entry->is_durable = true;
	return r;
}

static int load(struct dictionary *d, struct table *table, struct store *store, struct err *err)
{
	struct loader loader = { d, table, err };
	const struct store_range range = { .account = 0, .bucket = 0, .kind = (int)table->kind };
	HOLD_WRITE(d);
	return store_scan(store, &range, load_record, &loader, err);
}

int dictionary_open(struct store *store, struct dictionary **ret, struct err *err)
{
	struct dictionary *d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(err, -ENOMEM, "no memory for the dictionary");
	(void)pthread_rwlock_init(&d->lock, NULL);
	d->arena = ARENA(MEMORY_BYTES);
	d->classes = MAP(&d->arena);
	d->elements.kind = KIND_ELEMENT;
	d->elements.map = MAP(&d->arena);
	d->vulns.kind = KIND_VULN;
	d->vulns.map = MAP(&d->arena);

	int r = load(d, &d->elements, store, err);
	if (r == 0)
		r = load(d, &d->vulns, store, err);
	if (r != 0) {
		dictionary_close(d);
		return r;
	}
	*ret = d;
	return 0;
}

void dictionary_close(struct dictionary *d)
{
	if (!d)
		return;
	(void)pthread_rwlock_destroy(&d->lock);
	free(d->pending);
	arena_fini(&d->arena);
	free(d);
}
