/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source's file is opened when it is first needed: a host asks for few ecosystems of many. Rows
 * are copied to the caller's arena before they are taken apart, so that results outlive the
 * statement.
 */
#include "vulndb/vulndb.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vulndb/cve.h"
#include "vulndb/encode.h"
#include "vulndb/filter.h"
#include "vulndb/format.h"
#include "vulndb/manifest.h"
#include "vulndb/readers.h"
#include "vulndb/row.h"
#include "vulndb/sql.h"
#include "vulndb/verify.h"

#define MANIFEST_MEMORY ((size_t)256 << 20)

/* The statements of a source; which ones it has depends on its kind. */
enum query {
	QUERY_PACKAGE,
	QUERY_NAME,
	QUERY_RECORD,
	QUERY_DETAIL,
	QUERY_PAGE,
	QUERY_COUNT,
};

static const char *const queries[QUERY_COUNT] = {
	[QUERY_PACKAGE] = "SELECT key, value FROM package WHERE key = ?1",
	[QUERY_NAME] = "SELECT key, value FROM name WHERE key = ?1",
	[QUERY_RECORD] = "SELECT n, value FROM record WHERE n = ?1",
	[QUERY_DETAIL] = "SELECT n, value FROM detail WHERE n = ?1",
	[QUERY_PAGE] = "SELECT n, value FROM page WHERE n <= ?1 ORDER BY n DESC LIMIT 1",
};

/* One source, opened or not. */
struct reader {
	const struct manifest_source *source;
	struct file_mark mark;
	bool is_osv;
	bool is_bad; /* left out: one of the database's `problems` says why */
	char path[PATH_MAX];
	sqlite3 *sql;
	sqlite3_stmt *stmts[QUERY_COUNT];
	str filter; /* part of the database's `filters` */
};

struct vulndb {
	char dir[PATH_MAX];
	int dir_fd, lock_fd;
	struct arena arena;
	struct buf filters; /* the file of filters; empty until it is needed, and when it is bad */
	struct file_mark filter_mark;
	bool has_filters; /* they were read, or cannot be */
	struct manifest manifest;
	struct vulndb_source *sources;
	struct reader *readers;
	struct vulndb_problem *problems; /* room for one per file */
	size_t n_problems;
	char last_ecosystem[ECOSYSTEM_MAX_BYTES + 1]; /* whose sources are in `covering` */
	size_t *covering, n_covering;
};

void vulndb_close(struct vulndb *db)
{
	if (!db)
		return;
	for (size_t i = 0; db->readers && i < db->manifest.n_sources; i++)
		sql_close(db->readers[i].sql);
	free(db->readers);
	free(db->covering);
	arena_fini(&db->arena);
	buf_fini(&db->filters);
	if (db->dir_fd >= 0)
		(void)close(db->dir_fd);
	if (db->lock_fd >= 0)
		(void)close(db->lock_fd);
	free(db);
}

static uint64_t sum_left_out(const struct manifest_source *source)
{
	uint64_t n = 0;
	for (size_t i = 0; i < REASON_COUNT; i++)
		n += i == REASON_USED ? 0 : source->by_reason[i];
	return n;
}

static void add_problem(struct vulndb *db, str source, const char *text)
{
	struct vulndb_problem *problem = &db->problems[db->n_problems++];
	problem->source = source;
	if (arena_copy(&db->arena, str_from_c(text), &problem->text) < 0)
		problem->text = STR("damaged, and no memory to say how");
}

/*
 * Something went wrong with a source. Its own fault leaves it out from now on, and is 0; what would
 * go wrong with any is passed on.
 */
static int leave_out(
        struct vulndb *db, struct reader *reader, int r, const struct err *why, struct err *err)
{
	if (r == -ERR_LIMIT || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return err_set(err, r, "%s", why->text);
	if (!reader->is_bad)
		add_problem(db, reader->source->name, why->text);
	reader->is_bad = true;
	sql_close(reader->sql);
	reader->sql = NULL;
	memset(reader->stmts, 0, sizeof(reader->stmts));
	return 0;
}

/* What is known of a source's file at opening: its bytes, and its header. */
static int check_reader(
        struct vulndb *db, struct reader *reader, const struct file_state *state, struct err *err)
{
	struct err why = state->err;
	int r = state->r;
	if (r >= 0)
		r = sql_check_kind(reader->path, &why);
	return r < 0 ? leave_out(db, reader, r, &why, err) : 0;
}

static void lose_filters(struct vulndb *db, const char *why)
{
	db->has_filters = true;
	add_problem(db, STR(""), why);
}

static int make_readers(struct vulndb *db, const struct file_state *states, struct err *err)
{
	size_t n = db->manifest.n_sources;
	db->filter_mark = states[n].mark;
	db->problems = arena_alloc(&db->arena, n + 1, sizeof(*db->problems));
	db->sources = arena_alloc(&db->arena, n, sizeof(*db->sources));
	db->readers = calloc(n + 1, sizeof(*db->readers));
	db->covering = calloc(n + 1, sizeof(*db->covering));
	if (!db->problems || !db->sources || !db->readers || !db->covering)
		return err_set(err, -ENOMEM, "%s: out of memory", db->dir);
	for (size_t i = 0; i < n; i++) {
		const struct manifest_source *source = &db->manifest.sources[i];
		struct reader *reader = &db->readers[i];
		db->sources[i] = (struct vulndb_source){ .name = source->name,
			.kind = source->kind,
			.newest = source->newest,
			.licence = source->licence,
			.n_records = source->by_reason[REASON_USED],
			.n_left_out = sum_left_out(source),
			.by_reason = source->by_reason,
			.file = source->file.name,
			.sha256 = source->file.sha256 };
		reader->source = source;
		reader->mark = states[i].mark;
		reader->is_osv = str_eq(source->kind, STR("osv"));
		int length = snprintf(reader->path, sizeof(reader->path), "%s/" STR_FMT, db->dir,
		        STR_ARG(source->file.name));
		if (length < 0 || (size_t)length >= sizeof(reader->path))
			return err_set(err, -ENAMETOOLONG, "%s: path too long", db->dir);
		int r = check_reader(db, reader, &states[i], err);
		if (r < 0)
			return r;
	}
	if (states[n].r < 0)
		lose_filters(db, states[n].err.text);
	return 0;
}

static int open_folder(struct vulndb *db, const char *dir, struct err *err)
{
	struct file_state *states = NULL;
	if (!realpath(dir, db->dir))
		return err_set(err, -errno, "%s: %s", dir,
		        errno == ENOENT ? "no vulnerability database there" : strerror(errno));
	db->dir_fd = fs_open_dir(db->dir, false, err);
	if (db->dir_fd < 0)
		return db->dir_fd;
	db->lock_fd = readers_lock(db->dir_fd, false);
	int r = verify_read_manifest(db->dir_fd, dir, &db->arena, &db->manifest, err);
	if (r == 0)
		r = verify_files(db->dir_fd, &db->manifest, &db->arena, &states, err);
	return r < 0 ? r : make_readers(db, states, err);
}

int vulndb_open(const char *dir, struct vulndb **ret, struct err *err)
{
	struct vulndb *db = calloc(1, sizeof(*db));
	if (!db)
		return err_set(err, -ENOMEM, "%s: out of memory", dir);
	db->dir_fd = -1;
	db->lock_fd = -1;
	db->arena = ARENA(MANIFEST_MEMORY);
	db->filters = BUF(FILTER_MAX_BYTES);
	int r = open_folder(db, dir, err);
	if (r < 0) {
		vulndb_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

str vulndb_digest(const struct vulndb *db)
{
	return str_from_c(db->manifest.digest);
}

str vulndb_built_at(const struct vulndb *db)
{
	return db->manifest.built_at;
}

const struct vulndb_source *vulndb_sources(const struct vulndb *db, size_t *ret_count)
{
	*ret_count = db->manifest.n_sources;
	return db->sources;
}

const struct vulndb_problem *vulndb_problems(const struct vulndb *db, size_t *ret_count)
{
	*ret_count = db->n_problems;
	return db->problems;
}

uint64_t vulndb_coverage(const struct vulndb *db, str ecosystem)
{
	uint64_t n = 0;
	for (size_t i = 0; i < db->manifest.n_sources; i++) {
		if (!db->readers[i].is_bad)
			n += manifest_coverage(&db->manifest.sources[i], ecosystem);
	}
	return n;
}

bool vulndb_covers(const struct vulndb *db, str ecosystem)
{
	return vulndb_coverage(db, ecosystem) > 0;
}

static int row_damaged(const struct reader *reader, struct err *err)
{
	return err_set(
	        err, -ERR_FORMAT, "%s: a row is damaged: build the database again", reader->path);
}

static int out_of_memory(const struct reader *reader, struct err *err)
{
	return err_set(err, -ERR_LIMIT, STR_FMT ": the answer is larger than it may be",
	        STR_ARG(reader->source->name));
}

/* The statement, its source opened first if need be. */
static int statement(struct vulndb *db, struct reader *reader, enum query query, sqlite3_stmt **ret,
        struct err *err)
{
	if (!reader->sql) {
		struct file_mark mark;
		if (file_mark_read(db->dir_fd, strrchr(reader->path, '/') + 1, &mark) < 0 ||
		        !file_mark_eq(&mark, &reader->mark))
			return err_set(err, -ERR_FORMAT,
			        "%s: it was changed or removed since it was opened", reader->path);
		int r = sql_open_source(reader->path, reader->is_osv, &reader->sql, err);
		if (r < 0)
			return r;
	}
	if (!reader->stmts[query]) {
		int r = sql_prepare(
		        reader->sql, reader->path, queries[query], &reader->stmts[query], err);
		if (r < 0)
			return r;
	}
	*ret = reader->stmts[query];
	return 0;
}

/*
 * Run a statement whose key is bound: at most one row, checked and copied to the arena.
 * Returns 1, 0 for no row, or a failure.
 */
static int step(struct reader *reader, sqlite3_stmt *stmt, struct arena *arena, str *ret_value,
        struct err *err)
{
	int code = sqlite3_step(stmt);
	int r = 0;
	if (code == SQLITE_ROW) {
		bool is_number = sqlite3_column_type(stmt, 0) == SQLITE_INTEGER;
		struct row_number number = row_number(sqlite3_column_int64(stmt, 0));
		str key = row_number_str(&number), value;
		if (!is_number) {
			key.p = sqlite3_column_blob(stmt, 0);
			key.n = (size_t)sqlite3_column_bytes(stmt, 0);
		}
		str blob = { sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1) };
		if (!blob.p || !row_open(key, blob, &value))
			r = row_damaged(reader, err);
		else
			r = arena_copy(arena, value, ret_value) < 0 ? out_of_memory(reader, err)
			                                            : 1;
	} else if (code != SQLITE_DONE) {
		r = sql_failure(reader->sql, reader->path, err);
	}
	(void)sqlite3_reset(stmt);
	return r;
}

static int find_bytes(struct vulndb *db, struct reader *reader, enum query query, str key,
        struct arena *arena, str *ret_value, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = statement(db, reader, query, &stmt, err);
	if (r < 0)
		return r;
	if (sqlite3_bind_blob64(stmt, 1, key.n ? key.p : "", key.n, SQLITE_STATIC) != SQLITE_OK)
		return sql_failure(reader->sql, reader->path, err);
	return step(reader, stmt, arena, ret_value, err);
}

static int find_number(struct vulndb *db, struct reader *reader, enum query query, int64_t key,
        struct arena *arena, str *ret_value, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = statement(db, reader, query, &stmt, err);
	if (r < 0)
		return r;
	if (sqlite3_bind_int64(stmt, 1, key) != SQLITE_OK)
		return sql_failure(reader->sql, reader->path, err);
	return step(reader, stmt, arena, ret_value, err);
}

/* The file of filters, checked, and divided among the sources. */
static int divide_filters(struct vulndb *db)
{
	struct cursor in = CURSOR(buf_str(&db->filters));
	str magic = cursor_bytes(&in, sizeof(FILTER_MAGIC) - 1);
	uint32_t version = cursor_u32(&in), n = cursor_u32(&in);
	if (!str_eq(magic, STR(FILTER_MAGIC)) || version != FILTER_VERSION ||
	        n != db->manifest.n_sources)
		return -ERR_FORMAT;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t bytes = cursor_u32(&in), crc = cursor_u32(&in);
		str filter = cursor_bytes(&in, bytes);
		if (cursor_failed(&in) || hash_crc32(0, filter) != crc)
			return -ERR_FORMAT;
		db->readers[i].filter = filter;
	}
	return in.rest.n > 0 ? -ERR_FORMAT : 0;
}

/* Without its filter every source is asked: that is slow, and as right. */
static void read_filters(struct vulndb *db)
{
	char name[NAME_MAX + 1];
	struct file_mark mark = { 0 };
	struct err err = { 0 };
	if (db->has_filters)
		return;
	db->has_filters = true;
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(db->manifest.filter.name));
	int r = file_mark_read(db->dir_fd, name, &mark);
	if (r < 0 || !file_mark_eq(&mark, &db->filter_mark))
		r = err_set(&err, -ERR_FORMAT,
		        "%s/%s: it was changed or removed since it was opened", db->dir, name);
	else
		r = fs_read(db->dir_fd, name, &db->filters, &err);
	if (r == 0 && divide_filters(db) < 0)
		r = err_set(&err, -ERR_FORMAT,
		        "%s/%s: damaged, or of an older program: build the database again", db->dir,
		        name);
	if (r == 0)
		return;
	for (size_t i = 0; i < db->manifest.n_sources; i++)
		db->readers[i].filter = (str){ NULL, 0 };
	buf_fini(&db->filters);
	lose_filters(db, err.text);
}

/* The sources that speak of an ecosystem; asked for the same one many times in a row. */
static void select_covering(struct vulndb *db, str ecosystem)
{
	if (ecosystem.n > 0 && str_eq(str_from_c(db->last_ecosystem), ecosystem))
		return;
	db->n_covering = 0;
	for (size_t i = 0; i < db->manifest.n_sources; i++) {
		if (manifest_coverage(&db->manifest.sources[i], ecosystem) > 0)
			db->covering[db->n_covering++] = i;
	}
	size_t n = ecosystem.n < sizeof(db->last_ecosystem) ? ecosystem.n : 0;
	if (n > 0)
		memcpy(db->last_ecosystem, ecosystem.p, n);
	db->last_ecosystem[n] = '\0';
}

/* A row of `package` being taken apart. */
struct package_row {
	struct reader *reader;
	str value;
};

static int decode_package(const struct package_row *row, str ecosystem, str name,
        struct arena *arena, struct advisory_affected *ret, struct err *err)
{
	struct cursor in = CURSOR(row->value);
	size_t n = decode_count(&in);
	for (size_t i = 0; i < n; i++) {
		str record = decode_text(&in), package = decode_text(&in), body = decode_text(&in);
		ret[i] = (struct advisory_affected){ .record = record,
			.source = row->reader->source->name,
			.ecosystem = ecosystem,
			.package = package.n > 0 ? package : name };
		int r = cursor_failed(&in) ? -ERR_FORMAT : decode_body(body, arena, &ret[i]);
		if (r < 0)
			return r == -ERR_LIMIT ? out_of_memory(row->reader, err)
			                       : row_damaged(row->reader, err);
	}
	return in.rest.n > 0 ? row_damaged(row->reader, err) : 0;
}

/* The rows of all covering sources; how many entries they have together. */
static int find_rows(struct vulndb *db, str key, struct arena *arena, struct package_row *rows,
        size_t *ret_rows, size_t *ret_entries, struct err *err)
{
	size_t n = 0, entries = 0;
	uint64_t hash = filter_hash(key);
	for (size_t i = 0; i < db->n_covering; i++) {
		struct reader *reader = &db->readers[db->covering[i]];
		struct err why = { 0 };
		str value;
		if (reader->is_bad || !filter_may_have(reader->filter, hash))
			continue;
		int r = find_bytes(db, reader, QUERY_PACKAGE, key, arena, &value, &why);
		if (r < 0) {
			r = leave_out(db, reader, r, &why, err);
			if (r < 0)
				return r;
			continue;
		}
		if (r == 0)
			continue;
		struct cursor in = CURSOR(value);
		entries += decode_count(&in);
		rows[n++] = (struct package_row){ .reader = reader, .value = value };
	}
	*ret_rows = n;
	*ret_entries = entries;
	return 0;
}

/* Take the rows apart, one after the other; a damaged one leaves its source out. */
static int decode_rows(struct vulndb *db, const struct package_row *rows, size_t n_rows,
        str ecosystem, str name, struct arena *arena, struct advisory_affected *all,
        size_t *ret_count, struct err *err)
{
	size_t at = 0;
	for (size_t i = 0; i < n_rows; i++) {
		struct cursor in = CURSOR(rows[i].value);
		struct err why = { 0 };
		int r = decode_package(&rows[i], ecosystem, name, arena, all + at, &why);
		if (r == 0)
			at += decode_count(&in);
		else
			r = leave_out(db, rows[i].reader, r, &why, err);
		if (r < 0)
			return r;
	}
	*ret_count = at;
	return 0;
}

int vulndb_affecting(struct vulndb *db, str ecosystem, str name, struct arena *arena,
        const struct advisory_affected **ret, size_t *ret_count, struct err *err)
{
	char key[ECOSYSTEM_MAX_BYTES + 1 + PACKAGE_MAX_BYTES];
	size_t n_rows, n_entries, n = 0;
	if (ecosystem.n > ECOSYSTEM_MAX_BYTES || name.n > PACKAGE_MAX_BYTES || ecosystem.n == 0 ||
	        name.n == 0) {
		*ret = NULL; /* nothing so long is ever stored */
		*ret_count = 0;
		return 0;
	}
	memcpy(key, ecosystem.p, ecosystem.n);
	key[ecosystem.n] = '\0';
	memcpy(key + ecosystem.n + 1, name.p, name.n);
	read_filters(db);
	select_covering(db, ecosystem);
	struct package_row *rows = arena_alloc(arena, db->n_covering, sizeof(*rows));
	str own_ecosystem, own_name;
	if (!rows || arena_copy(arena, ecosystem, &own_ecosystem) < 0 ||
	        arena_copy(arena, name, &own_name) < 0)
		return err_set(err, -ERR_LIMIT, "the answer is larger than it may be");
	int r = find_rows(
	        db, (str){ key, ecosystem.n + 1 + name.n }, arena, rows, &n_rows, &n_entries, err);
	struct advisory_affected *all = r < 0 ? NULL : arena_alloc(arena, n_entries, sizeof(*all));
	if (r == 0 && !all)
		return err_set(err, -ERR_LIMIT, "the answer is larger than it may be");
	if (r == 0)
		r = decode_rows(db, rows, n_rows, own_ecosystem, own_name, arena, all, &n, err);
	if (r < 0)
		return r;
	*ret = all;
	*ret_count = n;
	return 0;
}

/* A row of `record`. */
static int read_record(struct vulndb *db, struct reader *reader, uint64_t n, struct arena *arena,
        struct advisory *ret, struct err *err)
{
	struct advisory advisory = { .source = reader->source->name };
	str value;
	int r = n > INT64_MAX
	                ? 0
	                : find_number(db, reader, QUERY_RECORD, (int64_t)n, arena, &value, err);
	if (r <= 0)
		return r < 0 ? r : row_damaged(reader, err);
	struct cursor in = CURSOR(value);
	advisory.id = decode_text(&in);
	str head = decode_text(&in);
	if (cursor_failed(&in) || in.rest.n > 0)
		return row_damaged(reader, err);
	r = decode_head(head, arena, &advisory);
	if (r < 0)
		return r == -ERR_LIMIT ? out_of_memory(reader, err) : row_damaged(reader, err);
	*ret = advisory;
	return 0;
}

/* The row of `detail` of a record, unpacked. */
static int read_detail(struct vulndb *db, struct reader *reader, uint64_t n, struct arena *arena,
        struct advisory *advisory, const struct advisory_affected **ret, size_t *ret_count,
        struct err *err)
{
	const struct advisory_affected *affected = NULL;
	size_t count = 0;
	str value;
	int r = find_number(db, reader, QUERY_DETAIL, (int64_t)n, arena, &value, err);
	if (r <= 0)
		return r < 0 ? r : row_damaged(reader, err);
	struct cursor in = CURSOR(value);
	uint64_t bytes = decode_number(&in);
	str cold = decode_text(&in);
	if (cursor_failed(&in) || in.rest.n > 0 || bytes > FRAME_MAX_BYTES)
		return row_damaged(reader, err);
	char *text = arena_alloc(arena, (size_t)bytes + 1, 1);
	if (!text)
		return out_of_memory(reader, err);
	if (ZSTD_decompress(text, (size_t)bytes, cold.p, cold.n) != bytes)
		return row_damaged(reader, err);
	r = decode_cold((str){ text, (size_t)bytes }, arena, advisory, &affected, &count);
	if (r < 0)
		return r == -ERR_LIMIT ? out_of_memory(reader, err) : row_damaged(reader, err);
	*ret = affected;
	*ret_count = count;
	return 0;
}

/* The records of one source that go by a name. Returns how many; their numbers in `ret_numbers`. */
static int find_named(struct vulndb *db, struct reader *reader, str id, uint64_t hash,
        struct arena *arena, struct cursor *ret_numbers, size_t *ret_count, struct err *err)
{
	str value;
	int r = 0;
	if (reader->is_osv && !reader->is_bad && filter_may_have(reader->filter, hash))
		r = find_bytes(db, reader, QUERY_NAME, id, arena, &value, err);
	if (r <= 0) {
		*ret_count = 0;
		return r;
	}
	struct cursor in = CURSOR(value);
	size_t n = decode_count(&in);
	if (cursor_failed(&in))
		return row_damaged(reader, err);
	*ret_numbers = in;
	*ret_count = n;
	return 0;
}

/* What one source has under a name. */
struct named {
	struct cursor numbers;
	size_t n;
};

/* The records of one source, as far as they can be read: all, or none of them. */
static int read_named(struct vulndb *db, struct reader *reader, struct named *named,
        struct arena *arena, struct advisory *ret, size_t *ret_count, struct err *err)
{
	struct err why = { 0 };
	for (size_t i = 0; i < named->n; i++) {
		int r = read_record(
		        db, reader, decode_number(&named->numbers), arena, &ret[i], &why);
		if (r < 0) {
			*ret_count = 0;
			return leave_out(db, reader, r, &why, err);
		}
	}
	*ret_count = named->n;
	return 0;
}

int vulndb_naming(struct vulndb *db, str id, struct arena *arena, const struct advisory **ret,
        size_t *ret_count, struct err *err)
{
	size_t n = 0, total = 0;
	uint64_t hash = filter_hash(id);
	struct named *named = arena_alloc(arena, db->manifest.n_sources, sizeof(*named));
	if (!named)
		return err_set(err, -ERR_LIMIT, "the answer is larger than it may be");
	read_filters(db);
	for (size_t i = 0; i < db->manifest.n_sources; i++) {
		struct err why = { 0 };
		int r = find_named(
		        db, &db->readers[i], id, hash, arena, &named[i].numbers, &named[i].n, &why);
		if (r < 0) {
			named[i].n = 0;
			r = leave_out(db, &db->readers[i], r, &why, err);
		}
		if (r < 0)
			return r;
		total += named[i].n;
	}
	struct advisory *all = arena_alloc(arena, total, sizeof(*all));
	if (!all)
		return err_set(err, -ERR_LIMIT, "the answer is larger than it may be");
	for (size_t i = 0; i < db->manifest.n_sources; i++) {
		size_t more;
		int r = read_named(db, &db->readers[i], &named[i], arena, all + n, &more, err);
		if (r < 0)
			return r;
		n += more;
	}
	*ret = all;
	*ret_count = n;
	return 0;
}

static struct reader *find_reader(struct vulndb *db, str source)
{
	for (size_t i = 0; i < db->manifest.n_sources; i++) {
		if (str_eq(db->manifest.sources[i].name, source))
			return &db->readers[i];
	}
	return NULL;
}

/* One whole record of one source. Returns 1, 0 when it has none of that id, or a failure. */
static int find_whole(struct vulndb *db, struct reader *reader, str id, struct arena *arena,
        struct advisory *ret, const struct advisory_affected **ret_affected, size_t *ret_count,
        struct err *err)
{
	struct cursor numbers;
	size_t n = 0;
	int r = find_named(db, reader, id, filter_hash(id), arena, &numbers, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct advisory advisory = { .n_aliases = 0 };
		uint64_t number = decode_number(&numbers);
		r = read_record(db, reader, number, arena, &advisory, err);
		if (r < 0 || !str_eq(advisory.id, id))
			continue; /* the name is an alias of this one */
		r = read_detail(db, reader, number, arena, &advisory, ret_affected, ret_count, err);
		if (r < 0)
			return r;
		*ret = advisory;
		return 1;
	}
	return r;
}

static int read_whole(struct vulndb *db, str source, str id, struct arena *arena,
        struct advisory *ret, const struct advisory_affected **ret_affected, size_t *ret_count,
        struct err *err)
{
	struct reader *reader = find_reader(db, source);
	struct err why = { 0 };
	int r = 0;
	read_filters(db);
	if (reader && !reader->is_bad) {
		r = find_whole(db, reader, id, arena, ret, ret_affected, ret_count, &why);
		if (r < 0)
			r = leave_out(db, reader, r, &why, err);
	}
	if (r < 0)
		return r;
	if (reader && reader->is_bad) {
		*ret = (struct advisory){ .source = reader->source->name };
		*ret_affected = NULL;
		*ret_count = 0;
		return arena_copy(arena, id, &ret->id) < 0 ? out_of_memory(reader, err) : 0;
	}
	return r > 0 ? 0
	             : err_set(err, -ENOENT, "no record " STR_FMT " in " STR_FMT,
	                       STR_ARG(str_head(id, 80)), STR_ARG(str_head(source, 100)));
}

int vulndb_record(struct vulndb *db, str source, str id, struct arena *arena, struct advisory *ret,
        struct err *err)
{
	const struct advisory_affected *affected;
	size_t n;
	return read_whole(db, source, id, arena, ret, &affected, &n, err);
}

int vulndb_affected_by(struct vulndb *db, str source, str id, struct arena *arena,
        const struct advisory_affected **ret, size_t *ret_count, struct err *err)
{
	struct advisory advisory = { 0 };
	const struct advisory_affected *affected = NULL;
	size_t n = 0;
	int r = read_whole(db, source, id, arena, &advisory, &affected, &n, err);
	struct advisory_affected *own = r < 0 ? NULL : arena_alloc(arena, n, sizeof(*own));
	if (r < 0)
		return r;
	if (!own)
		return err_set(err, -ERR_LIMIT, "the answer is larger than it may be");
	for (size_t i = 0; i < n; i++) {
		own[i] = affected[i];
		own[i].record = advisory.id;
		own[i].source = advisory.source;
	}
	*ret = own;
	*ret_count = n;
	return 0;
}

/* The value of a CVE in one source. Returns 1, 0, or a failure. */
static int find_cve_in(struct vulndb *db, struct reader *reader, uint32_t year, uint32_t number,
        uint32_t *ret_value, struct err *err)
{
	struct arena arena = ARENA((size_t)1 << 20);
	str page = { NULL, 0 };
	int r = find_number(
	        db, reader, QUERY_PAGE, (int64_t)year << 32 | number, &arena, &page, err);
	if (r > 0) {
		r = cve_page_find(page, year, number, ret_value);
		if (r < 0)
			r = row_damaged(reader, err);
	}
	arena_fini(&arena);
	return r;
}

/* The value of a CVE in the first source of a kind. Returns 1, 0, or a failure. */
static int find_cve(
        struct vulndb *db, const char *kind, str cve, uint32_t *ret_value, struct err *err)
{
	uint32_t year, number;
	if (!cve_parse(cve, &year, &number))
		return 0;
	for (size_t i = 0; i < db->manifest.n_sources; i++) {
		struct reader *reader = &db->readers[i];
		struct err why = { 0 };
		if (reader->is_bad || !str_eq(reader->source->kind, str_from_c(kind)))
			continue;
		int r = find_cve_in(db, reader, year, number, ret_value, &why);
		if (r < 0)
			r = leave_out(db, reader, r, &why, err);
		if (r != 0)
			return r;
	}
	return 0;
}

int vulndb_epss(struct vulndb *db, str cve, double *ret, struct err *err)
{
	uint32_t value;
	int r = find_cve(db, "epss", cve, &value, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(
		        err, -ENOENT, "no EPSS score of " STR_FMT, STR_ARG(str_head(cve, 80)));
	*ret = (double)value / 1e9;
	return 0;
}

int vulndb_kev_added(struct vulndb *db, str cve, uint32_t *ret_day, struct err *err)
{
	return find_cve(db, "kev", cve, ret_day, err);
}

int vulndb_is_kev(struct vulndb *db, str cve, struct err *err)
{
	uint32_t day;
	return vulndb_kev_added(db, cve, &day, err);
}
