/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed is read once from front to back: records go to their table at once, and of everything
 * else only an index stays in memory (names, and where in the feed file each affected package
 * stands). Then the other tables are written in the order of their keys, the bodies read again from
 * the feed file.
 */
#include "vulndb/arrange.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "model/ecosystem.h"
#include "vulndb/cve.h"
#include "vulndb/encode.h"
#include "vulndb/filter.h"
#include "vulndb/row.h"
#include "vulndb/sql.h"

#define INDEX_MAX_BYTES ((size_t)4 << 30)
#define REST_BYTES ((size_t)512 << 10)

static const char osv_tables[] =
        "CREATE TABLE record(n INTEGER PRIMARY KEY, value BLOB NOT NULL);"
        "CREATE TABLE detail(n INTEGER PRIMARY KEY, value BLOB NOT NULL);"
        "CREATE TABLE name(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE package(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";
static const char page_tables[] = "CREATE TABLE page(n INTEGER PRIMARY KEY, value BLOB NOT NULL);";

/* A name that a record goes by. */
struct name {
	str key; /* index arena */
	uint32_t record;
};

/* One affected package: "text package, text BODY" of the feed file. */
struct place {
	uint64_t at;
	uint32_t n, record;
	uint32_t package; /* entry of `packages` */
};

struct arrangement {
	struct feed_reader *feed;
	sqlite3 *sql;
	const char *path;
	const struct arrange_progress *progress;
	struct arena index;   /* ids, names, keys: for the whole source */
	struct arena scratch; /* one record */
	str *ids;             /* of record n at n - 1 */
	size_t n_records, cap_records;
	struct name *names;
	size_t n_names, cap_names;
	struct place *places;
	size_t n_places, cap_places;
	struct map packages;   /* key of the table -> number of places */
	struct map ecosystems; /* name -> number of places */
	struct buf value;
};

static int out_of_memory(const struct arrangement *a, struct err *err)
{
	return err_set(err, -ENOMEM, "%s: out of memory", feed_reader_head(a->feed)->source);
}

static int damaged(const struct arrangement *a, struct err *err)
{
	return err_set(err, -ERR_FORMAT,
	        "%s: a record of the feed store is damaged: import it again",
	        feed_reader_head(a->feed)->source);
}

static void arrangement_fini(struct arrangement *a)
{
	sql_close(a->sql);
	arena_fini(&a->index);
	arena_fini(&a->scratch);
	free(a->ids);
	free(a->names);
	free(a->places);
	buf_fini(&a->value);
}

static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return items;
	size_t more = *cap ? *cap * 2 : 1024;
	void *p = realloc(items, more * size);
	if (p)
		*cap = more;
	return p;
}

static int add_name(struct arrangement *a, str key, struct err *err)
{
	struct name *names = grow(a->names, a->n_names, &a->cap_names, sizeof(*names));
	str copy;
	if (names)
		a->names = names;
	if (!names || arena_copy(&a->index, key, &copy) < 0)
		return out_of_memory(a, err);
	a->names[a->n_names++] = (struct name){ .key = copy, .record = (uint32_t)a->n_records };
	return 0;
}

static int add_names(struct arrangement *a, const str *keys, size_t n, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_name(a, keys[i], err);
	return r;
}

/* The names of a record: its id, aliases, upstream, and its related ids where they mean itself. */
static int index_names(struct arrangement *a, str id, str head, struct err *err)
{
	struct advisory advisory = { 0 };
	if (a->scratch.used_bytes > REST_BYTES)
		arena_fini(&a->scratch);
	int r = decode_head(head, &a->scratch, &advisory);
	if (r < 0)
		return r == -ERR_LIMIT ? out_of_memory(a, err) : damaged(a, err);
	r = add_name(a, id, err);
	if (r == 0)
		r = add_names(a, advisory.aliases, advisory.n_aliases, err);
	if (r == 0)
		r = add_names(a, advisory.upstream, advisory.n_upstream, err);
	if (r == 0 && advisory.uses_related)
		r = add_names(a, advisory.related, advisory.n_related, err);
	return r;
}

/* One more under `key`. Returns its place in the order of first appearance, or SIZE_MAX. */
static size_t count_in(struct map *map, str key)
{
	void **at = map_at(map, key);
	if (!at)
		return SIZE_MAX;
	*at = (void *)((uintptr_t)*at + 1); /* a number, kept in the pointer */
	const char *entry = (const char *)at - offsetof(struct map_entry, value);
	return (size_t)(entry - (const char *)map->entries) / sizeof(struct map_entry);
}

/* The package table's key: ecosystem, zero byte, normal name. */
static int package_key(struct arrangement *a, str ecosystem, str package, str *ret)
{
	const struct ecosystem *known = ecosystem_find(ecosystem);
	str name = package;
	if (known && ecosystem_normal_name(known, package, &a->scratch, &name) < 0)
		return -ERR_LIMIT;
	buf_clear(&a->value);
	buf_add(&a->value, ecosystem);
	buf_add_byte(&a->value, '\0');
	buf_add(&a->value, name);
	*ret = buf_str(&a->value);
	return buf_failed(&a->value) ? -ERR_LIMIT : 0;
}

static int index_affected(
        struct arrangement *a, struct cursor *in, str payload, uint64_t at, struct err *err)
{
	str ecosystem = decode_text(in), key;
	const char *begin = in->rest.p;
	str package = decode_text(in);
	(void)decode_text(in);
	if (cursor_failed(in))
		return damaged(a, err);
	struct place *places = grow(a->places, a->n_places, &a->cap_places, sizeof(*places));
	if (places)
		a->places = places;
	if (!places || package_key(a, ecosystem, package, &key) < 0)
		return out_of_memory(a, err);
	size_t number = count_in(&a->packages, key);
	if (number >= UINT32_MAX || count_in(&a->ecosystems, ecosystem) == SIZE_MAX)
		return out_of_memory(a, err);
	const char *end = in->rest.p ? in->rest.p : payload.p + payload.n;
	a->places[a->n_places++] = (struct place){ .at = at + (uint64_t)(begin - payload.p),
		.n = (uint32_t)(end - begin),
		.record = (uint32_t)a->n_records,
		.package = (uint32_t)number };
	return 0;
}

/* The statements that records go through. */
struct inserts {
	sqlite3_stmt *record, *detail;
};

/* Close the row in a->value and insert it under the number of the newest record. */
static int insert_numbered(struct arrangement *a, sqlite3_stmt *insert, struct err *err)
{
	struct row_number key = row_number((int64_t)a->n_records);
	row_close(&a->value, row_number_str(&key));
	if (buf_failed(&a->value))
		return out_of_memory(a, err);
	return sql_insert_number(insert, (int64_t)a->n_records, buf_str(&a->value), a->path, err);
}

static int add_row(struct arrangement *a, sqlite3_stmt *insert, str id, str head, struct err *err)
{
	buf_clear(&a->value);
	encode_text(&a->value, id);
	encode_text(&a->value, head);
	return insert_numbered(a, insert, err);
}

static int add_detail(
        struct arrangement *a, sqlite3_stmt *insert, uint64_t cold_bytes, str cold, struct err *err)
{
	buf_clear(&a->value);
	encode_number(&a->value, cold_bytes);
	encode_text(&a->value, cold);
	return insert_numbered(a, insert, err);
}

static int add_record(struct arrangement *a, str payload, uint64_t at,
        const struct inserts *inserts, struct err *err)
{
	struct cursor in = CURSOR(payload);
	str id = decode_text(&in), head = decode_text(&in);
	uint64_t cold_bytes = decode_number(&in);
	str cold = decode_text(&in);
	size_t n = decode_count(&in);
	str *ids = grow(a->ids, a->n_records, &a->cap_records, sizeof(*ids));
	if (cursor_failed(&in) || id.n == 0)
		return damaged(a, err);
	if (ids)
		a->ids = ids;
	if (!ids || a->n_records >= RECORDS_MAX ||
	        arena_copy(&a->index, id, &a->ids[a->n_records]) < 0)
		return out_of_memory(a, err);
	if (a->n_records > 0 && str_cmp(a->ids[a->n_records - 1], id) >= 0)
		return damaged(a, err);
	a->n_records++;
	int r = index_names(a, id, head, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = index_affected(a, &in, payload, at, err);
	if (r < 0)
		return r;
	r = add_row(a, inserts->record, id, head, err);
	return r < 0 ? r : add_detail(a, inserts->detail, cold_bytes, cold, err);
}

static int write_records(struct arrangement *a, struct err *err)
{
	struct inserts inserts = { NULL, NULL };
	str payload;
	uint64_t at;
	int r = sql_prepare(
	        a->sql, a->path, "INSERT INTO record VALUES(?1, ?2)", &inserts.record, err);
	if (r == 0)
		r = sql_prepare(
		        a->sql, a->path, "INSERT INTO detail VALUES(?1, ?2)", &inserts.detail, err);
	while (r == 0 && (r = feed_reader_next(a->feed, &payload, &at, err)) > 0) {
		r = add_record(a, payload, at, &inserts, err);
		if (r == 0 && a->progress)
			a->progress->advance(a->progress->ctx, payload.n + 8);
	}
	return r;
}

static int by_key(const void *x, const void *y)
{
	const struct name *a = x, *b = y;
	int c = str_cmp(a->key, b->key);
	return c ? c : (a->record > b->record) - (a->record < b->record);
}

/* How many of the names from `i` on are the same; ret_records of them are of different records. */
static size_t same_names(const struct arrangement *a, size_t i, size_t *ret_records)
{
	size_t n = 1, records = 1;
	for (; i + n < a->n_names && str_eq(a->names[i + n].key, a->names[i].key); n++)
		records += a->names[i + n].record != a->names[i + n - 1].record;
	*ret_records = records;
	return n;
}

static int write_names(struct arrangement *a, struct err *err)
{
	sqlite3_stmt *insert = NULL;
	if (a->n_names > 0)
		qsort(a->names, a->n_names, sizeof(*a->names), by_key);
	int r = sql_prepare(a->sql, a->path, "INSERT INTO name VALUES(?1, ?2)", &insert, err);
	for (size_t i = 0, n; r == 0 && i < a->n_names; i += n) {
		str key = a->names[i].key;
		size_t records;
		n = same_names(a, i, &records);
		buf_clear(&a->value);
		encode_number(&a->value, records);
		for (size_t j = i; j < i + n; j++) {
			if (j == i || a->names[j].record != a->names[j - 1].record)
				encode_number(&a->value, a->names[j].record);
		}
		row_close(&a->value, key);
		if (buf_failed(&a->value))
			return out_of_memory(a, err);
		r = sql_insert_bytes(insert, key, buf_str(&a->value), a->path, err);
	}
	return r;
}

/* The keys of both tables go into the filter. */
static int make_filter(struct arrangement *a, struct arena *arena, str *ret_filter, struct err *err)
{
	size_t n_bytes = filter_bytes(a->n_names + a->packages.n);
	unsigned char *bits = arena_alloc(arena, n_bytes, 1);
	if (!bits)
		return out_of_memory(a, err);
	for (size_t i = 0; i < a->n_names; i++)
		filter_add(bits, n_bytes, filter_hash(a->names[i].key));
	for (size_t i = 0; i < a->packages.n; i++)
		filter_add(bits, n_bytes, filter_hash(a->packages.entries[i].key));
	*ret_filter = (str){ (const char *)bits, n_bytes };
	return 0;
}

/* One entry of a row of `package`: the record's id, the name as written if it differs, the body. */
static int add_entry(struct arrangement *a, const struct place *place, str key, struct buf *scratch,
        struct err *err)
{
	str ecosystem, name;
	buf_clear(scratch);
	int r = feed_reader_read(a->feed, place->at, place->n, scratch, err);
	if (r < 0)
		return r;
	struct cursor in = CURSOR(buf_str(scratch));
	str package = decode_text(&in), body = decode_text(&in);
	if (cursor_failed(&in) || !str_split_first(key, '\0', &ecosystem, &name))
		return damaged(a, err);
	encode_text(&a->value, a->ids[place->record - 1]);
	encode_text(&a->value, str_eq(package, name) ? STR("") : package);
	encode_text(&a->value, body);
	return 0;
}

/* A package's key and its run of places. */
struct group {
	str key;
	size_t n, first; /* of `order` */
};

static int by_group_key(const void *x, const void *y)
{
	const struct group *a = x, *b = y;
	return str_cmp(a->key, b->key);
}

static int write_groups(
        struct arrangement *a, const struct group *groups, const uint32_t *order, struct err *err)
{
	sqlite3_stmt *insert = NULL;
	autobuf scratch = BUF(FRAME_MAX_BYTES);
	int r = sql_prepare(a->sql, a->path, "INSERT INTO package VALUES(?1, ?2)", &insert, err);
	for (size_t i = 0; r == 0 && i < a->packages.n; i++) {
		const struct group *group = &groups[i];
		buf_clear(&a->value);
		encode_number(&a->value, group->n);
		for (size_t j = 0; r == 0 && j < group->n; j++)
			r = add_entry(
			        a, &a->places[order[group->first + j]], group->key, &scratch, err);
		row_close(&a->value, group->key);
		if (r == 0 && buf_failed(&a->value))
			r = err_set(err, -ERR_LIMIT, "%s: more than %zu bytes about one package",
			        feed_reader_head(a->feed)->source, ROW_MAX_BYTES);
		if (r == 0)
			r = sql_insert_bytes(insert, group->key, buf_str(&a->value), a->path, err);
	}
	return r;
}

/* Places are in the order of their records; a counting sort by package keeps that. */
static int write_packages(struct arrangement *a, struct err *err)
{
	size_t n = a->packages.n, first = 0;
	autofree struct group *groups = calloc(n + 1, sizeof(*groups));
	autofree size_t *next = calloc(n + 1, sizeof(*next));
	autofree uint32_t *order = calloc(a->n_places + 1, sizeof(*order));
	if (!groups || !next || !order)
		return out_of_memory(a, err);
	for (size_t i = 0; i < n; i++) {
		const struct map_entry *entry = &a->packages.entries[i];
		groups[i] = (struct group){
			.key = entry->key, .n = (size_t)(uintptr_t)entry->value, .first = first
		};
		next[i] = first;
		first += groups[i].n;
	}
	for (size_t i = 0; i < a->n_places; i++)
		order[next[a->places[i].package]++] = (uint32_t)i;
	if (n > 0)
		qsort(groups, n, sizeof(*groups), by_group_key);
	return write_groups(a, groups, order, err);
}

static int by_ecosystem(const void *x, const void *y)
{
	const struct manifest_ecosystem *a = x, *b = y;
	return str_cmp(a->name, b->name);
}

static int list_ecosystems(struct arrangement *a, struct arena *arena, struct manifest_source *ret)
{
	size_t n = a->ecosystems.n;
	struct manifest_ecosystem *all = arena_alloc(arena, n, sizeof(*all));
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		const struct map_entry *entry = &a->ecosystems.entries[i];
		all[i].n = (uint64_t)(uintptr_t)entry->value;
		if (arena_copy(arena, entry->key, &all[i].name) < 0)
			return -ERR_LIMIT;
	}
	if (n > 0)
		qsort(all, n, sizeof(*all), by_ecosystem);
	ret->ecosystems = all;
	ret->n_ecosystems = n;
	return 0;
}

static int write_pages(struct arrangement *a, struct err *err)
{
	sqlite3_stmt *insert = NULL;
	str page;
	uint64_t at;
	int r = sql_prepare(a->sql, a->path, "INSERT INTO page VALUES(?1, ?2)", &insert, err);
	while (r == 0 && (r = feed_reader_next(a->feed, &page, &at, err)) > 0) {
		int64_t n;
		if (cve_page_key(page, &n) < 0)
			return damaged(a, err);
		struct row_number key = row_number(n);
		buf_clear(&a->value);
		buf_add(&a->value, page);
		row_close(&a->value, row_number_str(&key));
		if (buf_failed(&a->value))
			return out_of_memory(a, err);
		r = sql_insert_number(insert, n, buf_str(&a->value), a->path, err);
		if (r == 0 && a->progress)
			a->progress->advance(a->progress->ctx, page.n + 8);
	}
	return r;
}

static int write_tables(struct arrangement *a, struct arena *arena, struct manifest_source *ret,
        str *ret_filter, struct err *err)
{
	int r = write_records(a, err);
	if (r == 0)
		r = write_names(a, err);
	if (r == 0)
		r = write_packages(a, err);
	if (r == 0)
		r = make_filter(a, arena, ret_filter, err);
	if (r == 0 && list_ecosystems(a, arena, ret) < 0)
		r = out_of_memory(a, err);
	return r;
}

int arrange_source(struct feed_reader *feed, const char *path, struct arena *arena,
        struct manifest_source *ret, str *ret_filter, const struct arrange_progress *progress,
        struct err *err)
{
	struct arrangement a = { .feed = feed,
		.path = path,
		.progress = progress,
		.index = ARENA(INDEX_MAX_BYTES),
		.scratch = ARENA(RECORD_MAX_MEMORY),
		.value = BUF(ROW_MAX_BYTES) };
	a.packages = MAP(&a.index);
	a.ecosystems = MAP(&a.index);
	bool is_osv = strcmp(feed_reader_head(feed)->kind, "osv") == 0;
	int r = sql_create(path, is_osv ? osv_tables : page_tables, &a.sql, err);
	if (r == 0)
		r = is_osv ? write_tables(&a, arena, ret, ret_filter, err) : write_pages(&a, err);
	if (r == 0) {
		r = sql_commit(a.sql, path, err);
		a.sql = NULL;
	}
	arrangement_fini(&a);
	return r;
}
