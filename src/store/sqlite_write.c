/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "store/bounds.h"
#include "store/sqlite.h"

/* How long the writer pauses at most for readers that keep the log from being cut. */
#define CUT_WAIT_MS 50

/* clang-format off */
#define TEXTS(table) { \
	[WRITE_PUT] = "INSERT INTO " table " (kind, account, bucket, key, value, sum)" \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6)" \
		" ON CONFLICT (kind, account, bucket, key) DO UPDATE" \
		" SET value = excluded.value, sum = excluded.sum", \
	[WRITE_DELETE] = "DELETE FROM " table \
		" WHERE kind = ?1 AND account = ?2 AND bucket = ?3 AND key = ?4", \
	[WRITE_DELETE_RANGE] = "DELETE FROM " table \
		" WHERE kind = ?1 AND account = ?2 AND bucket = ?3 AND key IN" \
		" (SELECT key FROM " table " WHERE kind = ?1 AND account = ?2 AND bucket = ?3" \
		" AND key >= ?4 AND key < ?5 ORDER BY key LIMIT ?6)", \
	[WRITE_GET] = "SELECT value FROM " table \
		" WHERE kind = ?1 AND account = ?2 AND bucket = ?3 AND key = ?4", \
}
/* clang-format on */

static const char *const texts[TABLES][WRITINGS] = {
	[TABLE_SHORT] = TEXTS("short"),
	[TABLE_LARGE] = TEXTS("large"),
};

int sqlite_writer_init(struct sqlite_db *db, struct err *err)
{
	int r = 0;
	for (int table = 0; r == 0 && table < TABLES; table++) {
		for (int i = 0; r == 0 && i < WRITINGS; i++)
			r = sqlite_prepare(
			        db->sql, db->path, texts[table][i], &db->stmts[table][i], err);
	}
	return r;
}

static enum sql_writing statement_of(enum store_entry_type type)
{
	switch (type) {
	case STORE_PUT: return WRITE_PUT;
	case STORE_DELETE: return WRITE_DELETE;
	case STORE_DELETE_RANGE: return WRITE_DELETE_RANGE;
	case STORE_EXPECT_ABSENT:
	case STORE_EXPECT: break;
	}
	return WRITE_GET;
}

static int bind(sqlite3_stmt *stmt, const struct store_entry *entry)
{
	int code = sqlite3_bind_int(stmt, 1, entry->key.kind);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 2, entry->key.account);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int(stmt, 3, entry->key.bucket);
	if (code == SQLITE_OK)
		code = sqlite_bind(stmt, 4, entry->key.key);
	if (code == SQLITE_OK && entry->type == STORE_PUT) {
		code = sqlite_bind(stmt, 5, entry->value);
		if (code == SQLITE_OK)
			code = sqlite3_bind_int64(
			        stmt, 6, store_record_sum(&entry->key, entry->value));
	}
	if (code == SQLITE_OK && entry->type == STORE_DELETE_RANGE) {
		code = sqlite_bind(stmt, 5, entry->value.n ? entry->value : sqlite_past_keys());
		if (code == SQLITE_OK)
			code = sqlite3_bind_int64(stmt, 6, entry->most);
	}
	return code;
}

/* Whether an expectation holds, from the row that was found or not. Returns: 0; -EEXIST; -ESTALE */
static int judge(const struct store_entry *entry, sqlite3_stmt *stmt, bool found, struct err *err)
{
	const struct store_key *key = &entry->key;
	bool absent = entry->type == STORE_EXPECT_ABSENT;
	if (absent ? !found : found && str_eq(sqlite_column(stmt, 0), entry->value))
		return 0;
	return err_set(err, absent ? -EEXIST : -ESTALE,
	        "record %lld/%d of kind %d %s: another writer was first", (long long)key->account,
	        key->bucket, key->kind, absent ? "is there already" : "is not as expected");
}

/*
 * Returns: 0; 1 when the batch's expectation does not hold, which is then its result; a failure of
 * the whole transaction
 */
static int apply_entry(struct sqlite_db *db, struct store_batch *batch,
        const struct store_entry *entry, struct err *err)
{
	enum sql_writing which = statement_of(entry->type);
	sqlite3_stmt *stmt = db->stmts[sqlite_table(entry->key.kind)][which];
	int r = 0, code = bind(stmt, entry);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		r = sqlite_failure(db->sql, db->path, err);
	else if (which == WRITE_GET)
		batch->result = judge(entry, stmt, code == SQLITE_ROW, &batch->err);
	else if (which != WRITE_PUT)
		batch->n_deleted += (uint64_t)sqlite3_changes64(db->sql);
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return r < 0 ? r : batch->result < 0;
}

static bool has_expectations(const struct store_batch *batch)
{
	for (const struct store_entry *entry = batch->first; entry; entry = entry->next) {
		if (entry->type == STORE_EXPECT || entry->type == STORE_EXPECT_ABSENT)
			return true;
	}
	return false;
}

/* Only a batch that expects something can fail alone; it pays for a savepoint. */
static int apply_batch(struct sqlite_db *db, struct store_batch *batch, struct err *err)
{
	bool guarded = has_expectations(batch);
	int r = guarded ? sqlite_run(db->sql, db->path, "SAVEPOINT batch", err) : 0;
	batch->n_deleted = 0;
	for (const struct store_entry *entry = batch->first; r == 0 && entry; entry = entry->next)
		r = apply_entry(db, batch, entry, err);
	if (r < 0 || !guarded)
		return r;
	if (r > 0) {
		batch->n_deleted = 0;
		r = sqlite_run(db->sql, db->path, "ROLLBACK TO batch", err);
	}
	return r < 0 ? r : sqlite_run(db->sql, db->path, "RELEASE batch", err);
}

int sqlite_apply(void *ctx, struct store_batch *first, uint64_t *ret_sync_us, struct err *err)
{
	struct sqlite_db *db = ctx;
	sqlite_enter(db);
	int r = sqlite_run(db->sql, db->path, "BEGIN IMMEDIATE", err);
	for (struct store_batch *batch = first; r == 0 && batch; batch = batch->next)
		r = apply_batch(db, batch, err);
	if (r == 0) {
		uint64_t begin = sqlite_now_us();
		r = sqlite_run(db->sql, db->path, "COMMIT", err);
		*ret_sync_us = sqlite_now_us() - begin;
	}
	/* Some failures have ended the transaction already. */
	if (r < 0 && !sqlite3_get_autocommit(db->sql))
		(void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	sqlite_leave(db);
	return r;
}

/* The log is cut when all of it is in the file and nobody reads from it: for that the writer has to
 * pause. Returns: SQLite's code */
static int cut_log(struct sqlite_db *db)
{
	sqlite_enter(db);
	(void)sqlite3_busy_timeout(db->sql, CUT_WAIT_MS);
	int code = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(db->sql, SQLITE_BUSY_MS);
	if (code == SQLITE_OK)
		atomic_store(&db->log_pages, 0);
	sqlite_leave(db);
	return code;
}

/*
 * Work the log into the file, through a connection that hinders no writer and waits for no reader;
 * and cut it when it has become long or nothing else is to do. What cannot be done now is tried
 * again when the log has grown by as much, not after every commit.
 */
int sqlite_care(void *ctx, bool is_idle)
{
	struct sqlite_db *db = ctx;
	int pages = atomic_load(&db->log_pages);
	if (pages < db->care_seen)
		db->care_at = SQLITE_LOG_PAGES; /* it has begun at its front again */
	db->care_seen = pages;
	if (pages < db->care_at && !(is_idle && pages > 0))
		return 0;
	db->care_at = pages + SQLITE_LOG_PAGES;
	int code =
	        sqlite3_wal_checkpoint_v2(db->carer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (code == SQLITE_OK && (is_idle || pages >= SQLITE_LOG_CUT_PAGES))
		code = cut_log(db);
	return code == SQLITE_OK ? 1 : (code & 0xff) == SQLITE_BUSY ? 0 : -EIO;
}
