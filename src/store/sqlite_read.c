/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "store/bounds.h"
#include "store/sqlite.h"

/* How often SQLite asks whether it should stop, in steps of its machine. */
#define STEPS_PER_QUESTION 4000

/* clang-format off */
#define TEXTS(table) { \
	[READ_GET] = "SELECT value, sum FROM " table \
		" WHERE kind = ?1 AND account = ?2 AND bucket = ?3 AND key = ?4", \
	[READ_PART] = "SELECT account, bucket, key, CASE ?6 WHEN 0 THEN value END, sum FROM " table \
		" WHERE kind = ?1 AND account = ?2 AND bucket = ?3 AND key >= ?4 AND key < ?5" \
		" ORDER BY key LIMIT ?7", \
	[READ_ALL] = "SELECT account, bucket, key, CASE ?6 WHEN 0 THEN value END, sum FROM " table \
		" WHERE kind = ?1 AND (account, bucket, key) >= (?2, ?3, ?4) AND account <= ?5" \
		" ORDER BY account, bucket, key LIMIT ?7", \
	[READ_NEXT_PART] = "SELECT account, bucket FROM " table \
		" WHERE kind = ?1 AND (account, bucket) > (?2, ?3) AND account <= ?4" \
		" ORDER BY account, bucket LIMIT 1", \
}
/* clang-format on */

static const char *const texts[TABLES][READINGS] = {
	[TABLE_SHORT] = TEXTS("short"),
	[TABLE_LARGE] = TEXTS("large"),
};

static int is_too_late(void *ctx)
{
	const struct sqlite_reader *reader = ctx;
	return sqlite_now_ms() > reader->until_ms;
}

int sqlite_reader_init(struct sqlite_reader *reader, const char *path, struct err *err)
{
	int r = sqlite_connect(path, SQLITE_OPEN_READONLY, &reader->sql, err);
	if (r == 0)
		r = sqlite_run(reader->sql, path, "PRAGMA cache_size = -8192", err);
	for (int table = 0; r == 0 && table < TABLES; table++) {
		for (int i = 0; r == 0 && i < READINGS; i++)
			r = sqlite_prepare(
			        reader->sql, path, texts[table][i], &reader->stmts[table][i], err);
	}
	if (r == 0)
		sqlite3_progress_handler(reader->sql, STEPS_PER_QUESTION, is_too_late, reader);
	return r;
}

static struct sqlite_reader *take_reader(struct sqlite_db *db)
{
	struct sqlite_reader *reader = NULL;
	(void)pthread_mutex_lock(&db->readers_lock);
	while (!reader) {
		for (size_t i = 0; !reader && i < SQLITE_READERS; i++) {
			if (!db->readers[i].busy)
				reader = &db->readers[i];
		}
		if (!reader)
			(void)pthread_cond_wait(&db->reader_free, &db->readers_lock);
	}
	reader->busy = true;
	(void)pthread_mutex_unlock(&db->readers_lock);
	reader->until_ms = sqlite_now_ms() + SQLITE_READ_MS;
	return reader;
}

static void give_reader(struct sqlite_db *db, struct sqlite_reader *reader)
{
	(void)pthread_mutex_lock(&db->readers_lock);
	reader->busy = false;
	(void)pthread_cond_signal(&db->reader_free);
	(void)pthread_mutex_unlock(&db->readers_lock);
}

static int bind_place(sqlite3_stmt *stmt, int kind, int64_t account, int bucket)
{
	int code = sqlite3_bind_int(stmt, 1, kind);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 2, account);
	return code == SQLITE_OK ? sqlite3_bind_int(stmt, 3, bucket) : code;
}

/* Release what the statement holds: its locks, and the caller's bytes. */
static void rest(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

static int refuse_record(const char *path, struct err *err)
{
	return err_set(err, -ERR_FORMAT,
	        "%s: the store is damaged: a record is not what was written", path);
}

static bool is_sound(sqlite3_stmt *stmt, int at, const struct store_key *key, str value)
{
	return sqlite3_column_int64(stmt, at) == (sqlite3_int64)store_record_sum(key, value);
}

int sqlite_get(void *ctx, const struct store_key *key, struct arena *arena, str *ret_value,
        struct err *err)
{
	struct sqlite_db *db = ctx;
	struct sqlite_reader *reader = take_reader(db);
	sqlite3_stmt *stmt = reader->stmts[sqlite_table(key->kind)][READ_GET];
	int code = bind_place(stmt, key->kind, key->account, key->bucket), r = 0;
	if (code == SQLITE_OK)
		code = sqlite_bind(stmt, 4, key->key);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		str value = sqlite_column(stmt, 0);
		size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
		if (value.n != n)
			r = err_set(err, -ENOMEM, "%s: out of memory", db->path);
		else if (n > store_value_max(key->kind) || !is_sound(stmt, 1, key, value))
			r = refuse_record(db->path, err);
		else if (arena_copy(arena, value, ret_value) < 0)
			r = err_set(err, -ERR_LIMIT, "a value of %zu bytes does not fit", n);
	} else if (code == SQLITE_DONE) {
		r = err_set(err, -ENOENT, "there is no such record");
	} else {
		r = sqlite_failure(reader->sql, db->path, err);
	}
	rest(stmt);
	give_reader(db, reader);
	return r;
}

/* Step through what a statement yields until the piece is full. */
static int fill(struct sqlite_db *db, struct sqlite_reader *reader, sqlite3_stmt *stmt,
        const struct store_read *read, struct store_piece *piece, struct err *err)
{
	for (;;) {
		int code = sqlite3_step(stmt);
		if (code == SQLITE_DONE)
			return 0;
		if (code != SQLITE_ROW)
			return sqlite_failure(reader->sql, db->path, err);
		str value = sqlite_column(stmt, 3);
		struct store_key key = { .account = sqlite3_column_int64(stmt, 0),
			.bucket = sqlite3_column_int(stmt, 1),
			.kind = read->kind,
			.key = sqlite_column(stmt, 2) };
		if (!store_key_is_valid(&key, 1) || value.n > store_value_max(read->kind) ||
		        (!read->keys_only && !is_sound(stmt, 4, &key, value)))
			return refuse_record(db->path, err);
		int r = store_piece_add(piece, key.account, key.bucket, key.key, value);
		if (r < 0)
			return err_set(err, r, "%s: out of memory", db->path);
		if (r > 0)
			return 1;
	}
}

static int read_piece(struct sqlite_db *db, enum sql_reading which, const struct store_read *read,
        struct store_piece *piece, struct err *err)
{
	struct sqlite_reader *reader = take_reader(db);
	sqlite3_stmt *stmt = reader->stmts[sqlite_table(read->kind)][which];
	int r, code = bind_place(stmt, read->kind, read->account, read->bucket);
	if (code == SQLITE_OK)
		code = sqlite_bind(stmt, 4, read->from);
	if (code == SQLITE_OK && which == READ_PART)
		code = sqlite_bind(stmt, 5, read->to.n ? read->to : sqlite_past_keys());
	else if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 5, read->account_last);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int(stmt, 6, read->keys_only);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int(stmt, 7, STORE_PIECE_RECORDS);
	r = code == SQLITE_OK ? fill(db, reader, stmt, read, piece, err)
	                      : sqlite_failure(reader->sql, db->path, err);
	rest(stmt);
	give_reader(db, reader);
	return r;
}

int sqlite_read_part(
        void *db, const struct store_read *read, struct store_piece *piece, struct err *err)
{
	return read_piece(db, READ_PART, read, piece, err);
}

int sqlite_read_all(
        void *db, const struct store_read *read, struct store_piece *piece, struct err *err)
{
	return read_piece(db, READ_ALL, read, piece, err);
}

int sqlite_next_part(void *ctx, const struct store_read *read, int64_t *ret_account,
        int *ret_bucket, struct err *err)
{
	struct sqlite_db *db = ctx;
	struct sqlite_reader *reader = take_reader(db);
	sqlite3_stmt *stmt = reader->stmts[sqlite_table(read->kind)][READ_NEXT_PART];
	int r, code = bind_place(stmt, read->kind, read->account, read->bucket);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 4, read->account_last);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		*ret_account = sqlite3_column_int64(stmt, 0);
		*ret_bucket = sqlite3_column_int(stmt, 1);
		r = 1;
	} else {
		r = code == SQLITE_DONE ? 0 : sqlite_failure(reader->sql, db->path, err);
	}
	rest(stmt);
	give_reader(db, reader);
	return r;
}

static int check_table(sqlite3 *sql, const char *path, const char *text, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = SQLITE_ROW, r = sqlite_prepare(sql, path, text, &stmt, err);
	while (r == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		str value = sqlite_column(stmt, 4);
		struct store_key key = { .kind = sqlite3_column_int(stmt, 0),
			.account = sqlite3_column_int64(stmt, 1),
			.bucket = sqlite3_column_int(stmt, 2),
			.key = sqlite_column(stmt, 3) };
		if (!store_key_is_valid(&key, 1) || value.n > store_value_max(key.kind) ||
		        !is_sound(stmt, 5, &key, value))
			r = refuse_record(path, err);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = sqlite_failure(sql, path, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

int sqlite_check_records(sqlite3 *sql, const char *path, struct err *err)
{
	int r = check_table(
	        sql, path, "SELECT kind, account, bucket, key, value, sum FROM short", err);
	if (r == 0)
		r = check_table(
		        sql, path, "SELECT kind, account, bucket, key, value, sum FROM large", err);
	return r;
}
