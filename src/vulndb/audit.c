/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every byte of every file: its SHA-256 against the manifest, SQLite's own look at its pages, and
 * the checksum of each row. The last two find nothing in a file whose digest is right, unless the
 * build itself went wrong: which is what they are for.
 */
#include "vulndb/vulndb.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vulndb/format.h"
#include "vulndb/manifest.h"
#include "vulndb/readers.h"
#include "vulndb/row.h"
#include "vulndb/sql.h"
#include "vulndb/verify.h"

#define MANIFEST_MEMORY ((size_t)256 << 20)

static int check_pages(sqlite3 *sql, const char *path, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = sql_prepare(sql, path, "PRAGMA integrity_check(1)", &stmt, err);
	if (r < 0)
		return r;
	if (sqlite3_step(stmt) != SQLITE_ROW)
		return sql_failure(sql, path, err);
	const char *text = (const char *)sqlite3_column_text(stmt, 0);
	if (!text || strcmp(text, "ok") != 0)
		return err_set(err, -ERR_FORMAT, "%.100s: the database is damaged: %.120s", path,
		        text ? text : "");
	return 0;
}

static int check_rows(sqlite3 *sql, const char *path, const char *query, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code, r = sql_prepare(sql, path, query, &stmt, err);
	if (r < 0)
		return r;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct row_number number = row_number(sqlite3_column_int64(stmt, 0));
		str key = row_number_str(&number), value;
		if (sqlite3_column_type(stmt, 0) != SQLITE_INTEGER) {
			key.p = sqlite3_column_blob(stmt, 0);
			key.n = (size_t)sqlite3_column_bytes(stmt, 0);
		}
		str blob = { sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1) };
		if (!blob.p || !row_open(key, blob, &value))
			return err_set(err, -ERR_FORMAT, "%s: a row is damaged", path);
	}
	return code == SQLITE_DONE ? 0 : sql_failure(sql, path, err);
}

static int check_database(const char *path, bool is_osv, struct err *err)
{
	static const char *const osv[] = { "SELECT n, value FROM record",
		"SELECT n, value FROM detail", "SELECT key, value FROM name",
		"SELECT key, value FROM package", NULL };
	static const char *const pages[] = { "SELECT n, value FROM page", NULL };
	sqlite3 *sql = NULL;
	int r = sql_open_source(path, is_osv, &sql, err);
	if (r == 0)
		r = check_pages(sql, path, err);
	for (const char *const *query = is_osv ? osv : pages; r == 0 && *query; query++)
		r = check_rows(sql, path, *query, err);
	sql_close(sql);
	return r;
}

static int check_source(
        int dir_fd, const char *dir, const struct manifest_source *source, struct err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" STR_FMT, dir, STR_ARG(source->file.name));
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", dir);
	int r = verify_file(dir_fd, &source->file, err);
	return r < 0 ? r : check_database(path, str_eq(source->kind, STR("osv")), err);
}

static int check_files(int dir_fd, const char *dir, const struct manifest *manifest,
        void (*told)(void *ctx, const char *file, const char *problem), void *ctx, struct err *err)
{
	const struct manifest_file *file;
	int r = 0;
	for (size_t i = 0; (file = manifest_file_at(manifest, i)); i++) {
		char name[NAME_MAX + 1];
		struct err why = { 0 };
		int checked = i < manifest->n_sources
		                      ? check_source(dir_fd, dir, &manifest->sources[i], &why)
		                      : verify_file(dir_fd, file, &why);
		(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(file->name));
		if (told)
			told(ctx, name, checked < 0 ? why.text : NULL);
		if (checked < 0 && r == 0)
			r = err_set(err, -ERR_FORMAT, "%s", why.text);
	}
	return r;
}

int vulndb_verify(const char *dir, void (*told)(void *ctx, const char *file, const char *problem),
        void *ctx, struct err *err)
{
	char resolved[PATH_MAX];
	struct arena arena = ARENA(MANIFEST_MEMORY);
	struct manifest manifest = { 0 };
	struct err why = { 0 };
	if (!realpath(dir, resolved))
		return err_set(err, -errno, "%s: %s", dir,
		        errno == ENOENT ? "no vulnerability database there" : strerror(errno));
	autoclose int dir_fd = fs_open_dir(resolved, false, err);
	if (dir_fd < 0)
		return dir_fd;
	autoclose int lock_fd = readers_lock(dir_fd, false);
	(void)lock_fd; /* held until the end */
	int r = verify_read_manifest(dir_fd, dir, &arena, &manifest, &why);
	if (r != -ENOENT && told)
		told(ctx, MANIFEST_NAME, r < 0 ? why.text : NULL);
	if (r < 0)
		r = err_set(err, r, "%s", why.text);
	else
		r = check_files(dir_fd, resolved, &manifest, told, ctx, err);
	arena_fini(&arena);
	return r;
}
