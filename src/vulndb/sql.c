/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "vulndb/format.h"

#define URI_MAX_BYTES ((size_t)64 << 10)
#define WRITE_CACHE_KIB 8192

#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

int sql_failure(sqlite3 *sql, const char *path, struct err *err)
{
	int code = sql ? sqlite3_extended_errcode(sql) : SQLITE_NOMEM;
	int e = sql ? sqlite3_system_errno(sql) : 0;
	const char *text = sql ? sqlite3_errmsg(sql) : "out of memory";
	switch (code & 0xff) {
	case SQLITE_NOMEM: return err_set(err, -ENOMEM, "%s: out of memory", path);
	case SQLITE_FULL: return err_set(err, -ENOSPC, "%s: %s", path, strerror(e ? e : ENOSPC));
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (code == SQLITE_IOERR_SHORT_READ)
			break;
		/* SQLite does not always tell which error of the system it met */
		if (code == SQLITE_IOERR_WRITE && e <= 0)
			return err_set(err, -EIO,
			        "%s: cannot write: the disk fails, or the file is larger than a "
			        "limit allows",
			        path);
		return err_set(err, e > 0 ? -e : -EIO, "%s: %s", path, e > 0 ? strerror(e) : text);
	default: break;
	}
	return err_set(err, -ERR_FORMAT, "%s: the database is damaged: %s", path, text);
}

static int run(sqlite3 *sql, const char *path, const char *text, struct err *err)
{
	return sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK ? 0
	                                                              : sql_failure(sql, path, err);
}

void sql_close(sqlite3 *sql)
{
	/* statements are the connection's: none outlives it */
	sqlite3_stmt *stmt;
	while (sql && (stmt = sqlite3_next_stmt(sql, NULL)))
		(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(sql);
}

int sql_create(const char *path, const char *ddl, sqlite3 **ret, struct err *err)
{
	static const char settings[] = "PRAGMA page_size = " TEXT_OF(
	        DB_PAGE_BYTES) ";"
	                       "PRAGMA journal_mode = OFF;"
	                       "PRAGMA synchronous = OFF;"
	                       "PRAGMA locking_mode = EXCLUSIVE;"
	                       "PRAGMA cache_size = -" TEXT_OF(
	                               WRITE_CACHE_KIB) ";"
	                                                "PRAGMA application_id = " TEXT_OF(
	                                                        DB_APPLICATION) ";"
	                                                                        "PRAGMA "
	                                                                        "user_version "
	                                                                        "= " TEXT_OF(
	                                                                                DB_VERSION) ";"
	                                                                                            "BEGIN EXCLUSIVE;";
	sqlite3 *sql = NULL;
	int code = sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	int r = code == SQLITE_OK ? run(sql, path, settings, err) : sql_failure(sql, path, err);
	if (r == 0)
		r = run(sql, path, ddl, err);
	if (r < 0) {
		sql_close(sql);
		return r;
	}
	*ret = sql;
	return 0;
}

int sql_commit(sqlite3 *sql, const char *path, struct err *err)
{
	int r = run(sql, path, "COMMIT", err);
	sql_close(sql);
	return r;
}

/* "file:" and the path, what is special in a URI escaped. */
static void add_uri(struct buf *out, const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	buf_add(out, STR("file:"));
	for (const char *p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (is_alnum(*p) || strchr("/-_.", *p)) {
			buf_add_byte(out, *p);
		} else {
			buf_add_byte(out, '%');
			buf_add_byte(out, hex[c >> 4]);
			buf_add_byte(out, hex[c & 15]);
		}
	}
	buf_add(out, STR("?mode=ro&immutable=1"));
	buf_add_byte(out, '\0');
}

/* The header of the file, which every version of SQLite 3 lays out so (file format, section 1.3).
 */
int sql_check_kind(const char *path, struct err *err)
{
	char header[100];
	struct stat st;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, -ERR_FORMAT, "%s: not a regular file", path);
	ssize_t n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		return err_set(err, -errno, "%s: cannot read: %s", path, strerror(errno));
	struct cursor in = CURSOR(((str){ header, (size_t)n }));
	str magic = cursor_bytes(&in, 16);
	(void)cursor_bytes(&in, 44);
	uint32_t version = cursor_u32be(&in);
	(void)cursor_bytes(&in, 4);
	uint32_t application = cursor_u32be(&in);
	if (cursor_failed(&in) || !str_eq(magic, (str){ "SQLite format 3", 16 }) ||
	        application != DB_APPLICATION)
		return err_set(err, -ERR_FORMAT, "%s: no database of this program", path);
	if (version > DB_VERSION)
		return err_set(err, -ERR_UNSUPPORTED,
		        "%s: made by a newer program (version %u); update this one", path, version);
	if (version < DB_VERSION)
		return err_set(err, -ERR_UNSUPPORTED,
		        "%s: made by an older program: build it again", path);
	return 0;
}

static void harden(sqlite3 *sql)
{
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_limit(sql, SQLITE_LIMIT_LENGTH, (int)(ROW_MAX_BYTES + 4096));
}

int sql_open(const char *path, sqlite3 **ret, struct err *err)
{
	sqlite3 *sql = NULL;
	autobuf uri = BUF(URI_MAX_BYTES);
	add_uri(&uri, path);
	if (buf_failed(&uri))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	int r = sql_check_kind(path, err);
	if (r < 0)
		return r;
	int code = sqlite3_open_v2(
	        uri.p, &sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	r = code == SQLITE_OK ? 0 : sql_failure(sql, path, err);
	if (r == 0) {
		harden(sql);
		r = run(sql, path, "PRAGMA mmap_size = 0", err);
	}
	if (r < 0) {
		sql_close(sql);
		return r;
	}
	*ret = sql;
	return 0;
}

int sql_prepare(
        sqlite3 *sql, const char *path, const char *text, sqlite3_stmt **ret, struct err *err)
{
	int code = sqlite3_prepare_v3(sql, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	return code == SQLITE_OK ? 0 : sql_failure(sql, path, err);
}

/* Without this a table that is not there could pass for an empty one. */
static int check_tables(sqlite3 *sql, const char *path, bool is_osv, struct err *err)
{
	static const char *const osv[] = { "record", "detail", "name", "package", NULL };
	static const char *const pages[] = { "page", NULL };
	sqlite3_stmt *stmt = NULL;
	int r = sql_prepare(sql, path,
	        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", &stmt, err);
	for (const char *const *table = is_osv ? osv : pages; r == 0 && *table; table++) {
		int code = sqlite3_bind_text(stmt, 1, *table, -1, SQLITE_STATIC);
		if (code == SQLITE_OK)
			code = sqlite3_step(stmt);
		if (code == SQLITE_DONE)
			r = err_set(err, -ERR_FORMAT, "%s: it has no table \"%s\": build it again",
			        path, *table);
		else if (code != SQLITE_ROW)
			r = sql_failure(sql, path, err);
		(void)sqlite3_reset(stmt);
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

int sql_open_source(const char *path, bool is_osv, sqlite3 **ret, struct err *err)
{
	sqlite3 *sql = NULL;
	int r = sql_open(path, &sql, err);
	if (r == 0)
		r = check_tables(sql, path, is_osv, err);
	if (r < 0) {
		sql_close(sql);
		return r;
	}
	*ret = sql;
	return 0;
}

static int insert(sqlite3_stmt *stmt, int code, str value, const char *path, struct err *err)
{
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob64(stmt, 2, value.n ? value.p : "", value.n, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_DONE)
		code = sqlite3_reset(stmt);
	return code == SQLITE_OK ? 0 : sql_failure(sqlite3_db_handle(stmt), path, err);
}

int sql_insert_number(sqlite3_stmt *stmt, int64_t key, str value, const char *path, struct err *err)
{
	return insert(stmt, sqlite3_bind_int64(stmt, 1, key), value, path, err);
}

int sql_insert_bytes(sqlite3_stmt *stmt, str key, str value, const char *path, struct err *err)
{
	int code = sqlite3_bind_blob64(stmt, 1, key.n ? key.p : "", key.n, SQLITE_STATIC);
	return insert(stmt, code, value, path, err);
}
