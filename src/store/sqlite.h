/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sqlite: what the files of the SQLite backend share. SQLite is called in sqlite*.c only.
 *
 * One connection writes; it is used by whoever holds the gate. A few connections read, and one
 * works the log into the file. SQLite's own
 * locks between them are those of its write-ahead log: readers hinder no writer and wait for none.
 */

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/str.h"
#include "store/backend.h"

/** Connections that read; a thread waits when all are busy. */
#define SQLITE_READERS 4
/** How long a reading statement may take: one that is older would keep the log from shrinking. */
#define SQLITE_READ_MS 2000
/** How long a connection waits for another's lock. */
#define SQLITE_BUSY_MS 5000
/** Pages of the log from which it is worked into the file, and from which it is cut. */
#define SQLITE_LOG_PAGES 4000
#define SQLITE_LOG_CUT_PAGES 16000

/** Bytes of the smallest page: a file that is shorter, but not empty, is none of SQLite's. */
#define SQLITE_SMALLEST 512

#define SQLITE_FILE "sonde.sqlite"
#define SQLITE_LOG "sonde.sqlite-wal"
#define SQLITE_INDEX "sonde.sqlite-shm"
#define SQLITE_LOCK "sonde.lock"
/** "SnSt": marks a file as ours. */
#define SQLITE_APPLICATION 0x536e5374

enum sql_table { TABLE_SHORT, TABLE_LARGE, TABLES };

enum sql_reading { READ_GET, READ_PART, READ_ALL, READ_NEXT_PART, READINGS };

struct sqlite_reader {
	sqlite3 *sql;
	sqlite3_stmt *stmts[TABLES][READINGS];
	uint64_t until_ms; /* when the statement is stopped */
	bool busy;
};

enum sql_writing { WRITE_PUT, WRITE_DELETE, WRITE_DELETE_RANGE, WRITE_GET, WRITINGS };

/** Who may use the writing connection, in the order of asking: a copy in steps must not keep the
 * writer out, nor the writer the copy. */
struct sqlite_gate {
	pthread_mutex_t lock; /* next, serving */
	pthread_cond_t moved;
	uint64_t next, serving;
};

struct sqlite_db {
	char *folder, *path;
	int folder_fd, lock_fd;

	struct sqlite_gate gate; /* sql, stmts */
	sqlite3 *sql;
	sqlite3_stmt *stmts[TABLES][WRITINGS];
	atomic_int log_pages; /* in the log after the last commit */

	/* The thread's that calls care. */
	sqlite3 *carer;
	int care_at, care_seen; /* pages: when the log is worked next, and how long it was */

	pthread_mutex_t readers_lock; /* busy of each; the rest is the holder's */
	pthread_cond_t reader_free;
	struct sqlite_reader readers[SQLITE_READERS];
};

/** One step of the schema's history. */
struct migration {
	int number; /* from 1, without a gap */
	const char *name, *text;
};

/** The history as this program knows it. static. Returns: how many */
size_t sqlite_migrations(const struct migration **ret);

/**
 * Bring the schema up to date: compare what was applied with the list, copy the file, apply what is
 * missing, each step in a transaction of its own.
 *
 * In:      path       of the file, for sentences
 *          folder_fd  where the copy "sonde.sqlite.schema-<number>" goes; -1: only compare
 *          list, n    the history
 *          may_init   an empty file is made a store
 * Returns: 0; -ENOENT when it is empty and may_init is false; -ERR_UNSUPPORTED when it is newer, or
 *          its history is another; -ERR_FORMAT when it is damaged or foreign; -errno
 */
int sqlite_migrate(sqlite3 *sql, const char *path, int folder_fd, const struct migration *list,
        size_t n, bool may_init, struct err *err);

/** Which table has a kind's records. */
static inline enum sql_table sqlite_table(int kind)
{
	return kind >= STORE_KIND_LARGE ? TABLE_LARGE : TABLE_SHORT;
}

/** Turn SQLite's last failure into a class and a sentence. Returns: -ERR_FORMAT for damage;
 * -ETIMEDOUT when it was stopped; -errno */
int sqlite_failure(sqlite3 *sql, const char *path, struct err *err);

/** Run constant statements without results. Returns: 0; as sqlite_failure() */
int sqlite_run(sqlite3 *sql, const char *path, const char *text, struct err *err);

/** Read the one number that a statement yields. Returns: 0; as sqlite_failure() */
int sqlite_number(sqlite3 *sql, const char *path, const char *text, int64_t *ret, struct err *err);

/**
 * Let SQLite look for damage.
 *
 * In:      text  "PRAGMA quick_check(1)" or "PRAGMA integrity_check(1)"
 * Returns: 0; -ERR_FORMAT with the first finding; as sqlite_failure()
 */
int sqlite_look(sqlite3 *sql, const char *path, const char *text, struct err *err);

/**
 * Open a connection that trusts nothing in the file: defensive, no triggers, no views, no mmap.
 *
 * In:      flags  of sqlite3_open_v2()
 * Returns: 0; as sqlite_failure()
 */
int sqlite_connect(const char *path, int flags, sqlite3 **ret, struct err *err);

/** Close a connection and its statements. NULL is a no-op. */
void sqlite_disconnect(sqlite3 *sql);

/** Prepare a statement that lives as long as its connection. Returns: 0; as sqlite_failure() */
int sqlite_prepare(
        sqlite3 *sql, const char *path, const char *text, sqlite3_stmt **ret, struct err *err);

/** Bind bytes; an empty string is an empty blob, not NULL. Returns: SQLite's code */
int sqlite_bind(sqlite3_stmt *stmt, int at, str bytes);

/** The bytes of a column. Borrows until the next step. */
str sqlite_column(sqlite3_stmt *stmt, int at);

/** An upper bound that is above every key, for a range without one. static */
str sqlite_past_keys(void);

/** Copy a whole database into an empty file. Returns: 0; as sqlite_failure() */
int sqlite_copy(sqlite3 *sql, const char *path, struct err *err);

/** Make a folder's lock file and lock it for this store. Returns: a descriptor; -EBUSY; -errno */
int sqlite_lock(int folder_fd, const char *folder, struct err *err);

/** Milliseconds of the clock that nobody sets; microseconds. */
uint64_t sqlite_now_ms(void);
/** The same in microseconds. */
uint64_t sqlite_now_us(void);

/** Wait until the writing connection is the caller's alone. */
void sqlite_enter(struct sqlite_db *db);
/** Let the next one have it. */
void sqlite_leave(struct sqlite_db *db);

/** Prepare a reader's statements. Returns: 0; as sqlite_failure() */
int sqlite_reader_init(struct sqlite_reader *reader, const char *path, struct err *err);
/** Compare every record with its sum. Returns: 0; -ERR_FORMAT; as sqlite_failure() */
int sqlite_check_records(sqlite3 *sql, const char *path, struct err *err);
/** Prepare the writing statements. Returns: 0; as sqlite_failure() */
int sqlite_writer_init(struct sqlite_db *db, struct err *err);

/** As struct store_backend says. */
int sqlite_get(void *db, const struct store_key *key, struct arena *arena, str *ret_value,
        struct err *err);
/** As struct store_backend says. */
int sqlite_read_part(
        void *db, const struct store_read *read, struct store_piece *piece, struct err *err);
/** As struct store_backend says. */
int sqlite_read_all(
        void *db, const struct store_read *read, struct store_piece *piece, struct err *err);
/** As struct store_backend says. */
int sqlite_next_part(void *db, const struct store_read *read, int64_t *ret_account, int *ret_bucket,
        struct err *err);
/** As struct store_backend says. */
int sqlite_apply(void *db, struct store_batch *first, uint64_t *ret_sync_us, struct err *err);
/** As struct store_backend says. */
int sqlite_care(void *db, bool is_idle);
/** As struct store_backend says. */
int sqlite_backup(void *ctx, const char *path,
        int (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
        struct err *err);
/** As struct store_backend says. */
int sqlite_restore(const char *path, const char *folder, struct err *err);
/** As struct store_backend says. */
int sqlite_check(void *db, struct err *err);
