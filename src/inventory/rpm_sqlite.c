/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpm since 4.16 keeps its headers in `CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob
 * BLOB)`.
 *
 * The database comes from the scanned host, so it is handed to SQLite with as little as possible
 * around it. The filesystem below (a "VFS") has one name, and refuses every other: journals,
 * temporary files, attached databases. The file claims to be immutable, so nothing is locked and no
 * log looked for; we merge the log ourselves, page by page, and show the header in rollback mode
 * (bytes 18 and 19 are 1).
 *
 * What a damaged or hostile tree can cost is counted in things that do not depend on time: bytes
 * that SQLite reads, steps of its machine, rows, bytes of headers. All are held against the size of
 * the file.
 */
#include "inventory/rpm_sqlite.h"

#include <sqlite3.h>
#include <stdio.h>

#include "base/buf.h"
#include "inventory/rpm_header.h"
#include "inventory/rpm_wal.h"

/* The only file there is. */
#define FILE_NAME "rpmdb"
#define TABLE_NAME "Packages"
#define HEADER_BYTES 100

/* Pages are read again when they have left the cache; a tree that is read this often over has
 * loops. */
#define REREADS_MAX 8
#define READ_SLACK_BYTES ((uint64_t)16 << 20)
/* Steps of SQLite's machine between two calls of on_progress(), and calls for one row and for the
 * rest. */
#define STEPS_PER_CALL 1000
#define CALLS_SLACK 1000

struct database {
	sqlite3_vfs vfs; /* first: SQLite hands it back to us */
	const struct artefact *artefact;
	const struct rpm_blobs *to;
	struct rpm_wal wal;
	uint64_t size_bytes, read_bytes, read_max_bytes;
	uint64_t n_calls, calls_max, blobs_bytes;
	int failure; /* < 0: why a read failed */
	sqlite3 *db;
	struct buf blob;
	char name[32]; /* of the VFS; each job has its own */
};

struct handle {
	sqlite3_file base; /* first: as SQLite wants it */
	struct database *database;
};

/* Bytes of one page, or of the part of it that is asked for, from the log or the file. */
static int read_part(struct database *database, char *to, size_t n, uint64_t offset)
{
	const struct artefact *from = database->artefact;
	uint64_t at = offset, in_log;
	if (database->wal.n_pages > 0) {
		uint64_t page = offset / database->wal.page_bytes;
		if (page < UINT32_MAX &&
		        rpm_wal_find(&database->wal, (uint32_t)page + 1, &in_log)) {
			from = &database->wal.file;
			at = in_log + offset % database->wal.page_bytes;
		}
	}
	int64_t r = from->ops->read_at(from, to, n, at);
	if (r >= 0 && (size_t)r < n)
		memset(to + r, 0, n - (size_t)r);
	return r < 0 ? (int)r : (size_t)r == n;
}

/* SQLite must not think that there is a log to be found. */
static void show_rollback_mode(char *bytes, size_t n, uint64_t offset)
{
	for (uint64_t at = 18; at <= 19; at++) {
		if (at >= offset && at - offset < n && bytes[at - offset] == 2)
			bytes[at - offset] = 1;
	}
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
	struct database *database = ((struct handle *)file)->database;
	char *at = to;
	size_t left = n > 0 ? (size_t)n : 0;
	uint64_t from = offset > 0 ? (uint64_t)offset : 0;
	bool is_whole = true;

	database->read_bytes += left;
	if (database->read_bytes > database->read_max_bytes) {
		database->failure = -ERR_LIMIT;
		return SQLITE_IOERR_READ;
	}
	while (left > 0) {
		uint64_t page_bytes = database->wal.n_pages > 0 ? database->wal.page_bytes : left;
		uint64_t room = page_bytes - (database->wal.n_pages > 0 ? from % page_bytes : 0);
		size_t part = left < room ? left : (size_t)room;
		int r = read_part(database, at, part, from);
		if (r < 0) {
			database->failure = r;
			return SQLITE_IOERR_READ;
		}
		is_whole = is_whole && r == 1;
		at += part;
		from += part;
		left -= part;
	}
	show_rollback_mode(to, n > 0 ? (size_t)n : 0, offset > 0 ? (uint64_t)offset : 0);
	return is_whole ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct handle *)file)->database->size_bytes;
	return SQLITE_OK;
}

static int file_close(sqlite3_file *file)
{
	(void)file;
	return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset)
{
	(void)file, (void)from, (void)n, (void)offset;
	return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	(void)file, (void)size;
	return SQLITE_READONLY;
}

static int file_nothing(sqlite3_file *file, int flags)
{
	(void)file, (void)flags;
	return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *file, int *ret)
{
	(void)file;
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	(void)file, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
	(void)file;
	return 512;
}

static int file_characteristics(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_IMMUTABLE;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1, /* no shared memory and no mapping: those begin with 2 and 3 */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_nothing,
	.xFileSize = file_size,
	.xLock = file_nothing,
	.xUnlock = file_nothing,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

static int vfs_open(
        sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct handle *handle = (struct handle *)file;
	file->pMethods = NULL;
	if (!name || strcmp(name, FILE_NAME) != 0 || !(flags & SQLITE_OPEN_MAIN_DB) ||
	        !(flags & SQLITE_OPEN_READONLY))
		return SQLITE_CANTOPEN;
	handle->database = (struct database *)vfs;
	file->pMethods = &file_methods;
	if (ret_flags)
		*ret_flags = SQLITE_OPEN_READONLY;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs, (void)name, (void)sync;
	return SQLITE_READONLY;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)vfs, (void)name, (void)flags;
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	(void)vfs;
	return snprintf(ret, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* Nothing that is only read depends on chance or time. */
static int vfs_randomness(sqlite3_vfs *vfs, int size, char *ret)
{
	(void)vfs;
	memset(ret, 0, (size_t)size);
	return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs, (void)us;
	return 0;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *ret)
{
	(void)vfs, (void)size, (void)ret;
	return 0;
}

static int on_progress(void *ctx)
{
	struct database *database = ctx;
	return ++database->n_calls > database->calls_max;
}

/* One table and the list of tables are read, no function called, nothing else begun. */
static int on_authorize(void *ctx, int action, const char *a, const char *b, const char *database,
        const char *trigger)
{
	(void)ctx, (void)b, (void)database, (void)trigger;
	if (action == SQLITE_SELECT)
		return SQLITE_OK;
	if (action == SQLITE_READ && a &&
	        (sqlite3_stricmp(a, TABLE_NAME) == 0 || sqlite3_stricmp(a, "sqlite_master") == 0))
		return SQLITE_OK;
	return SQLITE_DENY;
}

/* What went wrong, in our classes. */
static int fail(struct database *database, int code, struct err *err)
{
	const char *text = database->db ? sqlite3_errmsg(database->db) : sqlite3_errstr(code);
	switch (code & 0xff) {
	case SQLITE_IOERR:
		if (database->failure == -ERR_LIMIT)
			return err_set(err, -ERR_LIMIT,
			        "the database is read over and over: it has loops");
		if (database->failure < 0)
			return err_set(err, database->failure, "the database cannot be read: %s",
			        strerror(-database->failure));
		break;
	case SQLITE_INTERRUPT:
		return err_set(err, -ERR_LIMIT, "the database takes too many steps: it has loops");
	case SQLITE_NOMEM:
	case SQLITE_TOOBIG: return err_set(err, -ERR_LIMIT, "the database: %s", text);
	default: break;
	}
	return err_set(err, -ERR_FORMAT, "the database: %s", text);
}

static void set_limits(sqlite3 *db)
{
	static const struct {
		int id, value;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, RPM_HEADER_MAX },
		{ SQLITE_LIMIT_SQL_LENGTH, 64 << 10 },
		{ SQLITE_LIMIT_COLUMN, 64 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 16 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 2 },
		{ SQLITE_LIMIT_VDBE_OP, 10000 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 4 },
		{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 1 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		(void)sqlite3_limit(db, limits[i].id, limits[i].value);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
}

/* Hand over one header. Its own damage is a note; < 0 stops everything. */
static int read_blob(struct database *database, int64_t number, struct err *err)
{
	sqlite3_blob *blob = NULL;
	char text[200];
	int r = 0;
	int code = sqlite3_blob_open(database->db, "main", TABLE_NAME, "blob", number, 0, &blob);
	size_t n = code == SQLITE_OK ? (size_t)sqlite3_blob_bytes(blob) : 0;
	database->blobs_bytes += n;
	if (database->blobs_bytes > database->size_bytes) {
		r = err_set(
		        err, -ERR_LIMIT, "the headers are larger than the database: it has loops");
	} else if (code == SQLITE_OK) {
		buf_clear(&database->blob);
		char *to = buf_reserve(&database->blob, n ? n : 1);
		if (!to)
			code = SQLITE_TOOBIG;
		else if (n > 0)
			code = sqlite3_blob_read(blob, to, (int)n, 0);
		if (code == SQLITE_OK)
			r = database->to->blob(database->to->ctx, (uint64_t)number, (str){ to, n });
	}
	if (r == 0 && code != SQLITE_OK && database->failure < 0)
		r = fail(database, code, err);
	if (r == 0 && code != SQLITE_OK) {
		(void)snprintf(text, sizeof(text), "header cannot be read: %s",
		        code == SQLITE_TOOBIG ? "it is too large" : sqlite3_errmsg(database->db));
		database->to->note(database->to->ctx, (uint64_t)number, text);
	}
	(void)sqlite3_blob_close(blob);
	return r;
}

/* Is the table as rpm makes it? A view or a virtual table would run more of SQLite, and numbers
 * that are not the tree's own keys would have to be sorted. */
static int check_table(struct database *database, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const char *text = NULL;
	bool is_table = false;
	int is_key = 0;
	int code = sqlite3_prepare_v2(database->db,
	        "SELECT sql FROM sqlite_master WHERE name = '" TABLE_NAME "' COLLATE NOCASE", -1,
	        &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(stmt, 0);
	if (text)
		is_table = str_has_prefix(str_from_c(text), STR("CREATE TABLE "));
	int r = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : fail(database, code, err);
	if (r == 0 && !is_table)
		r = err_set(err, -ERR_FORMAT, "no rpm database: it has no table " TABLE_NAME);
	/* AUTOINCREMENT stands with the tree's own key only. */
	if (r == 0)
		code = sqlite3_table_column_metadata(
		        database->db, "main", TABLE_NAME, "hnum", NULL, NULL, NULL, NULL, &is_key);
	if (r == 0 && (code != SQLITE_OK || !is_key))
		r = err_set(err, -ERR_FORMAT,
		        "no rpm database: the table " TABLE_NAME " is not numbered by hnum");
	(void)sqlite3_finalize(stmt);
	return r;
}

/* A way through the table: up from its beginning, or down to where that ended. */
struct pass {
	const char *sql;
	int64_t bound, last; /* numbers above `bound` are wanted; `last` is the last good one */
	bool is_down, has_any;
	bool is_broken; /* it ended at damage: what lies beyond can be had from the other side */
};

static int read_rows(struct database *database, struct pass *pass, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0;
	int code = sqlite3_prepare_v2(database->db, pass->sql, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 1, pass->bound);
	while (r == 0 && (code == SQLITE_OK || code == SQLITE_ROW)) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		int64_t number = sqlite3_column_int64(stmt, 0);
		bool is_next = pass->is_down ? number < pass->last : number > pass->last;
		if (number <= pass->bound || (pass->has_any && !is_next)) {
			code = SQLITE_CORRUPT;
			break;
		}
		pass->last = number;
		pass->has_any = true;
		r = read_blob(database, number, err);
	}
	pass->is_broken = r == 0 && (code & 0xff) == SQLITE_CORRUPT;
	if (pass->is_broken)
		r = err_set(err, -ERR_FORMAT, "the database is damaged %s header %lld",
		        pass->has_any ? (pass->is_down ? "before" : "after") : "near",
		        pass->has_any ? (long long)pass->last : 0);
	else if (r == 0 && code != SQLITE_DONE)
		r = fail(database, code, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

/* All rows; past a break in the tree, those that can be reached from its other end. */
static int read_table(struct database *database, struct err *err)
{
	struct pass up = {
		.sql = "SELECT hnum FROM " TABLE_NAME " WHERE hnum > ? ORDER BY hnum",
		.bound = INT64_MIN,
	};
	struct pass down = {
		.sql = "SELECT hnum FROM " TABLE_NAME " WHERE hnum > ? ORDER BY hnum DESC",
		.is_down = true,
	};
	struct err below = { 0 };
	int r = check_table(database, err);
	if (r == 0)
		r = read_rows(database, &up, err);
	if (!up.is_broken)
		return r;
	down.bound = up.has_any ? up.last : INT64_MIN;
	int back = read_rows(database, &down, &below);
	if (back < 0 && !down.is_broken)
		return err_set(err, back, "%s", below.text);
	if (!up.has_any || !down.has_any)
		return r;
	return err_set(err, -ERR_FORMAT, "the database is damaged between headers %lld and %lld",
	        (long long)up.last, (long long)down.last);
}

static int open_database(struct database *database, struct err *err)
{
	const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	int code = sqlite3_vfs_register(&database->vfs, 0);
	if (code == SQLITE_OK)
		code = sqlite3_open_v2(FILE_NAME, &database->db, flags, database->name);
	if (code != SQLITE_OK)
		return fail(database, code, err);
	set_limits(database->db);
	code = sqlite3_exec(database->db, "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON",
	        NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return fail(database, code, err);
	sqlite3_progress_handler(database->db, STEPS_PER_CALL, on_progress, database);
	(void)sqlite3_set_authorizer(database->db, on_authorize, database);
	return 0;
}

/* A transaction that was cut off leaves the pages it was about to change in a journal. */
static void look_at_journal(struct database *database)
{
	static const char magic[] = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
	char begin[8];
	struct artefact journal;
	if (database->artefact->ops->sibling(
	            database->artefact, STR("rpmdb.sqlite-journal"), &journal) != 0)
		return;
	if (journal.ops->read_at(&journal, begin, sizeof(begin), 0) == sizeof(begin) &&
	        memcmp(begin, magic, sizeof(begin)) == 0)
		database->to->note(database->to->ctx, 0,
		        "rpmdb.sqlite-journal: a transaction is under way or was cut off; the "
		        "database is read as it stands");
	journal.ops->close(&journal);
}

/* Merge the log, if there is one that fits. */
static int open_log(
        struct database *database, const char *header, struct arena *arena, struct err *err)
{
	uint32_t page_bytes = (uint32_t)(unsigned char)header[16] << 8 | (unsigned char)header[17];
	if (page_bytes == 1)
		page_bytes = 65536;
	int r = rpm_wal_open(
	        database->artefact, STR("rpmdb.sqlite-wal"), arena, &database->wal, err);
	if (r < 0)
		return r;
	struct rpm_wal *wal = &database->wal;
	if (wal->oddity)
		database->to->note(database->to->ctx, 0, wal->oddity);
	if (wal->n_pages > 0 && wal->page_bytes != page_bytes) {
		database->to->note(database->to->ctx, 0,
		        "the write-ahead log has pages of another size: what it holds is not read");
		wal->n_pages = 0;
	}
	if (wal->n_pages > 0)
		database->size_bytes = (uint64_t)wal->n_database_pages * wal->page_bytes;
	return 0;
}

static void close_database(struct database *database)
{
	(void)sqlite3_close(database->db);
	(void)sqlite3_vfs_unregister(&database->vfs);
	rpm_wal_close(&database->wal);
	buf_fini(&database->blob);
}

int rpm_sqlite_read(const struct artefact *artefact, struct arena *arena,
        const struct rpm_blobs *to, struct err *err)
{
	char before[HEADER_BYTES] = { 0 }, after[HEADER_BYTES] = { 0 };
	struct database *database = arena_alloc(arena, 1, sizeof(*database));
	if (!database)
		return err_set(err, -ERR_LIMIT, "not enough memory to open the database");
	*database = (struct database){
		.vfs = { .iVersion = 1,
		        .szOsFile = sizeof(struct handle),
		        .mxPathname = 64,
		        .zName = database->name,
		        .xOpen = vfs_open,
		        .xDelete = vfs_delete,
		        .xAccess = vfs_access,
		        .xFullPathname = vfs_full_name,
		        .xRandomness = vfs_randomness,
		        .xSleep = vfs_sleep,
		        .xCurrentTime = vfs_time,
		        .xGetLastError = vfs_last_error },
		.artefact = artefact,
		.to = to,
		.size_bytes = artefact->size_bytes,
		.blob = BUF(RPM_HEADER_MAX),
	};
	(void)snprintf(database->name, sizeof(database->name), "rpm-%p", (void *)database);
	int64_t got = artefact->ops->read_at(artefact, before, sizeof(before), 0);
	if (got < 0)
		return err_set(
		        err, (int)got, "the database cannot be read: %s", strerror((int)-got));

	look_at_journal(database);
	int r = open_log(database, before, arena, err);
	database->read_max_bytes = database->size_bytes * REREADS_MAX + READ_SLACK_BYTES;
	database->calls_max = database->size_bytes / STEPS_PER_CALL + CALLS_SLACK;
	if (r == 0)
		r = open_database(database, err);
	if (r == 0)
		r = read_table(database, err);
	(void)artefact->ops->read_at(artefact, after, sizeof(after), 0);
	if (memcmp(before, after, sizeof(before)) != 0 || !rpm_wal_is_unchanged(&database->wal))
		to->note(to->ctx, 0,
		        "the database changed while it was read: packages may be missing");
	close_database(database);
	return r;
}
