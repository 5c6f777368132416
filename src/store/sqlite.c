/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* ---- what every connection needs ---- */

int sqlite_failure(sqlite3 *sql, const char *path, struct err *err)
{
	int code = sql ? sqlite3_extended_errcode(sql) : SQLITE_NOMEM;
	int e = sql ? sqlite3_system_errno(sql) : 0;
	const char *text = sql ? sqlite3_errmsg(sql) : "out of memory";
	switch (code & 0xff) {
	case SQLITE_NOMEM: return err_set(err, -ENOMEM, "%s: out of memory", path);
	case SQLITE_FULL: return err_set(err, -ENOSPC, "%s: the disk is full", path);
	case SQLITE_READONLY: return err_set(err, -EROFS, "%s: cannot write: %s", path, text);
	case SQLITE_PERM: return err_set(err, -EACCES, "%s: %s", path, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return err_set(err, -EBUSY, "%s: another program is using it", path);
	case SQLITE_INTERRUPT: return err_set(err, -ETIMEDOUT, "%s: reading takes too long", path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS)
			break;
		/* SQLite does not always know which error of the system it met. */
		if (e == ENOSPC || e == EDQUOT)
			return err_set(err, -ENOSPC, "%s: the disk is full", path);
		if (e == EROFS || e == EACCES || e == EPERM)
			return err_set(err, -e, "%s: %s", path, strerror(e));
		return err_set(err, -EIO, "%s: the disk fails, or a limit is passed: %s", path,
		        e > 0 ? strerror(e) : text);
	default: break;
	}
	return err_set(err, -ERR_FORMAT, "%s: the store is damaged: %s", path, text);
}

int sqlite_run(sqlite3 *sql, const char *path, const char *text, struct err *err)
{
	return sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK
	               ? 0
	               : sqlite_failure(sql, path, err);
}

int sqlite_prepare(
        sqlite3 *sql, const char *path, const char *text, sqlite3_stmt **ret, struct err *err)
{
	int code = sqlite3_prepare_v3(sql, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	return code == SQLITE_OK ? 0 : sqlite_failure(sql, path, err);
}

int sqlite_number(sqlite3 *sql, const char *path, const char *text, int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite_prepare(sql, path, text, &stmt, err);
	if (r < 0)
		return r;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		r = sqlite_failure(sql, path, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

int sqlite_look(sqlite3 *sql, const char *path, const char *text, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite_prepare(sql, path, text, &stmt, err);
	if (r < 0)
		return r;
	if (sqlite3_step(stmt) != SQLITE_ROW) {
		r = sqlite_failure(sql, path, err);
	} else {
		str said = sqlite_column(stmt, 0);
		(void)str_split_first(said, '\n', &said, &(str){ NULL, 0 });
		if (!str_eq(said, STR("ok")))
			r = err_set(err, -ERR_FORMAT, "%s: the store is damaged: " STR_FMT, path,
			        STR_ARG(str_head(said, 120)));
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

int sqlite_connect(const char *path, int flags, sqlite3 **ret, struct err *err)
{
	sqlite3 *sql = NULL;
	int code = sqlite3_open_v2(path, &sql, flags | SQLITE_OPEN_NOMUTEX, NULL);
	int r = code == SQLITE_OK ? 0 : sqlite_failure(sql, path, err);
	if (r == 0) {
		(void)sqlite3_extended_result_codes(sql, 1);
		(void)sqlite3_busy_timeout(sql, SQLITE_BUSY_MS);
		(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
		(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
		(void)sqlite3_limit(sql, SQLITE_LIMIT_LENGTH, (int)(STORE_LARGE_MAX_BYTES + 4096));
		(void)sqlite3_limit(sql, SQLITE_LIMIT_ATTACHED, 0);
		r = sqlite_run(sql, path, "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY", err);
	}
	if (r < 0) {
		sqlite_disconnect(sql);
		return r;
	}
	*ret = sql;
	return 0;
}

void sqlite_disconnect(sqlite3 *sql)
{
	sqlite3_stmt *stmt;
	while (sql && (stmt = sqlite3_next_stmt(sql, NULL)))
		(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(sql);
}

int sqlite_bind(sqlite3_stmt *stmt, int at, str bytes)
{
	return sqlite3_bind_blob64(stmt, at, bytes.n ? bytes.p : "", bytes.n, SQLITE_STATIC);
}

str sqlite_column(sqlite3_stmt *stmt, int at)
{
	const void *p = sqlite3_column_blob(stmt, at);
	int n = sqlite3_column_bytes(stmt, at);
	return (str){ p, p && n > 0 ? (size_t)n : 0 };
}

str sqlite_past_keys(void)
{
	/* 513 bytes of 0xff: no key is as long, so each is below. */
#define EIGHT "\xff\xff\xff\xff\xff\xff\xff\xff"
#define SIXTY_FOUR EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
	static const char bytes[] = SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR
	        SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR "\xff";
	_Static_assert(sizeof(bytes) - 1 == STORE_KEY_MAX_BYTES + 1, "one more than a key");
	return (str){ bytes, sizeof(bytes) - 1 };
}

uint64_t sqlite_now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t sqlite_now_ms(void)
{
	return sqlite_now_us() / 1000;
}

/* ---- the gate ---- */

void sqlite_enter(struct sqlite_db *db)
{
	struct sqlite_gate *gate = &db->gate;
	(void)pthread_mutex_lock(&gate->lock);
	uint64_t mine = gate->next++;
	while (gate->serving != mine)
		(void)pthread_cond_wait(&gate->moved, &gate->lock);
	(void)pthread_mutex_unlock(&gate->lock);
}

void sqlite_leave(struct sqlite_db *db)
{
	struct sqlite_gate *gate = &db->gate;
	(void)pthread_mutex_lock(&gate->lock);
	gate->serving++;
	(void)pthread_cond_broadcast(&gate->moved);
	(void)pthread_mutex_unlock(&gate->lock);
}

/* ---- opening ---- */

int sqlite_lock(int folder_fd, const char *folder, struct err *err)
{
	int fd = openat(folder_fd, SQLITE_LOCK,
	        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open the lock file %s: %s", folder,
		        SQLITE_LOCK, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int e = errno == EWOULDBLOCK ? EBUSY : errno;
	(void)close(fd);
	if (e == EBUSY)
		return err_set(err, -EBUSY, "%s: the store is in use by another process", folder);
	return err_set(err, -e, "%s: cannot lock the store: %s", folder, strerror(e));
}

/* The file is made here, not by SQLite, so that only its owner may read it; SQLite gives the log
 * the same mode. */
static int find_file(const struct sqlite_db *db, bool may_create, struct err *err)
{
	struct stat st;
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (may_create ? O_CREAT : 0);
	autoclose int fd = openat(db->folder_fd, SQLITE_FILE, flags, 0600);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, -ENOENT, "%s: there is no store here", db->folder);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", db->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -ERR_FORMAT, "%s: not a regular file", db->path);
	if (st.st_size > 0 && st.st_size < SQLITE_SMALLEST)
		return err_set(err, -ERR_FORMAT, "%s: not a store of this program", db->path);
	if (may_create && (fsync(fd) < 0 || fsync(db->folder_fd) < 0))
		return err_set(err, -errno, "%s: cannot write: %s", db->path, strerror(errno));
	return 0;
}

static int open_folder(struct sqlite_db *db, bool may_create, struct err *err)
{
	int r = may_create ? fs_make_dirs(db->folder, 0700, err) : 0;
	if (r < 0)
		return r;
	db->folder_fd = open(db->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (db->folder_fd < 0)
		return err_set(
		        err, -errno, "%s: cannot open the folder: %s", db->folder, strerror(errno));
	if (!may_create && faccessat(db->folder_fd, SQLITE_FILE, F_OK, 0) < 0 && errno == ENOENT)
		return err_set(err, -ENOENT, "%s: there is no store here", db->folder);
	db->lock_fd = sqlite_lock(db->folder_fd, db->folder, err);
	return db->lock_fd < 0 ? db->lock_fd : find_file(db, may_create, err);
}

static int on_log(void *ctx, sqlite3 *sql, const char *name, int pages)
{
	struct sqlite_db *db = ctx;
	(void)sql;
	(void)name;
	atomic_store(&db->log_pages, pages);
	return SQLITE_OK;
}

/* The writing connection. Its log is worked into the file by sqlite_care(), after the answers have
 * gone out, rather than by SQLite inside of a commit. */
static int open_writer(struct sqlite_db *db, unsigned flags, struct err *err)
{
	static const char settings[] = "PRAGMA page_size = 4096;"
	                               "PRAGMA journal_mode = WAL;"
	                               "PRAGMA synchronous = FULL;"
	                               "PRAGMA cache_size = -65536;"
	                               "PRAGMA wal_autocheckpoint = 0;"
	                               "PRAGMA journal_size_limit = 67108864;";
	const struct migration *list;
	size_t n = sqlite_migrations(&list);
	int64_t application = 0;
	int r = sqlite_connect(db->path, SQLITE_OPEN_READWRITE, &db->sql, err);
	/* Nothing is written to a file that may be somebody else's. */
	if (r == 0)
		r = sqlite_number(db->sql, db->path, "PRAGMA application_id", &application, err);
	if (r == 0 && application != 0 && application != SQLITE_APPLICATION)
		return err_set(err, -ERR_FORMAT, "%s: not a store of this program", db->path);
	if (r == 0)
		r = sqlite_run(db->sql, db->path, settings, err);
	if (r == 0 && !(flags & STORE_SKIP_CHECK))
		r = sqlite_look(db->sql, db->path, "PRAGMA quick_check(1)", err);
	/* It read the whole file: what it left in the cache is of no more use. */
	if (r == 0 && !(flags & STORE_SKIP_CHECK))
		r = sqlite_run(db->sql, db->path, "PRAGMA shrink_memory", err);
	if (r == 0)
		r = sqlite_migrate(db->sql, db->path, db->folder_fd, list, n,
		        (flags & STORE_CREATE) != 0, err);
	if (r == 0)
		r = sqlite_writer_init(db, err);
	if (r < 0)
		return r;
	(void)sqlite3_wal_hook(db->sql, on_log, db);
	db->care_at = SQLITE_LOG_PAGES;
	r = sqlite_connect(db->path, SQLITE_OPEN_READWRITE, &db->carer, err);
	return r < 0 ? r
	             : sqlite_run(db->carer, db->path,
	                       "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0", err);
}

static void sqlite_close(void *ctx)
{
	struct sqlite_db *db = ctx;
	for (size_t i = 0; i < SQLITE_READERS; i++)
		sqlite_disconnect(db->readers[i].sql);
	sqlite_disconnect(db->carer);
	sqlite_disconnect(db->sql);
	if (db->lock_fd >= 0)
		(void)close(db->lock_fd);
	if (db->folder_fd >= 0)
		(void)close(db->folder_fd);
	(void)pthread_cond_destroy(&db->reader_free);
	(void)pthread_mutex_destroy(&db->readers_lock);
	(void)pthread_cond_destroy(&db->gate.moved);
	(void)pthread_mutex_destroy(&db->gate.lock);
	free(db->path);
	free(db->folder);
	free(db);
}

static int init_locks(struct sqlite_db *db)
{
	/* On Linux these four need no memory of their own and cannot fail. */
	int r = pthread_mutex_init(&db->gate.lock, NULL);
	r = r ? r : pthread_cond_init(&db->gate.moved, NULL);
	r = r ? r : pthread_mutex_init(&db->readers_lock, NULL);
	return r ? r : pthread_cond_init(&db->reader_free, NULL);
}

static int sqlite_open(const char *folder, unsigned flags, void **ret, struct err *err)
{
	struct sqlite_db *db = calloc(1, sizeof(*db));
	int r = db ? -init_locks(db) : -ENOMEM;
	if (r != 0) {
		free(db);
		return err_set(err, r, "%s: cannot open the store: %s", folder, strerror(-r));
	}
	db->folder_fd = -1;
	db->lock_fd = -1;
	db->folder = strdup(folder);
	if (!db->folder || asprintf(&db->path, "%s/%s", folder, SQLITE_FILE) < 0) {
		db->path = NULL;
		r = err_set(err, -ENOMEM, "%s: out of memory", folder);
	}
	if (r == 0)
		r = open_folder(db, (flags & STORE_CREATE) != 0, err);
	if (r == 0)
		r = open_writer(db, flags, err);
	for (size_t i = 0; r == 0 && i < SQLITE_READERS; i++)
		r = sqlite_reader_init(&db->readers[i], db->path, err);
	if (r < 0) {
		sqlite_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

static void sqlite_measure(void *ctx, struct store_stats *stats)
{
	struct sqlite_db *db = ctx;
	struct stat st;
	if (fstatat(db->folder_fd, SQLITE_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		stats->file_bytes = (uint64_t)st.st_size;
	if (fstatat(db->folder_fd, SQLITE_LOG, &st, AT_SYMLINK_NOFOLLOW) == 0)
		stats->wal_bytes = (uint64_t)st.st_size;
}

const struct store_backend store_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.get = sqlite_get,
	.read_part = sqlite_read_part,
	.read_all = sqlite_read_all,
	.next_part = sqlite_next_part,
	.apply = sqlite_apply,
	.care = sqlite_care,
	.backup = sqlite_backup,
	.restore = sqlite_restore,
	.check = sqlite_check,
	.measure = sqlite_measure,
};
