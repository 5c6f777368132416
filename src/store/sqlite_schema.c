/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's history: numbered steps, each applied once, in a transaction that also notes the
 * step and the digest of its text. A process that dies in between leaves whole steps, and the next
 * start goes on with the first that is missing. A step that was applied never changes; where its
 * digest differs, program and file do not belong together.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "store/sqlite.h"

static const struct migration rows[] = {
#include "store/migrations.inc"
};

size_t sqlite_migrations(const struct migration **ret)
{
	*ret = rows;
	return sizeof(rows) / sizeof(rows[0]);
}

static int refuse_history(const char *path, int number, struct err *err)
{
	return err_set(err, -ERR_UNSUPPORTED,
	        "%s: step %d of its schema is not the one that this program knows: it was made by "
	        "another build",
	        path, number);
}

/* Compare what stands in the file with the list. */
static int check_history(sqlite3 *sql, const char *path, const struct migration *list,
        int64_t version, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int number = 0, r;
	r = sqlite_prepare(
	        sql, path, "SELECT number, sha256 FROM migration ORDER BY number", &stmt, err);
	while (r == 0) {
		char hex[SHA256_HEX_SIZE];
		int code = sqlite3_step(stmt);
		if (code == SQLITE_DONE)
			break;
		if (code != SQLITE_ROW) {
			r = sqlite_failure(sql, path, err);
			break;
		}
		if (number >= version || sqlite3_column_int64(stmt, 0) != number + 1) {
			r = refuse_history(path, number + 1, err);
			break;
		}
		hash_sha256_hex(str_from_c(list[number].text), hex);
		number++;
		if (!str_eq(sqlite_column(stmt, 1), str_from_c(hex)))
			r = refuse_history(path, number, err);
	}
	(void)sqlite3_finalize(stmt);
	if (r == 0 && number != version)
		r = refuse_history(path, number + 1, err);
	return r;
}

static int note_step(sqlite3 *sql, const char *path, const struct migration *step, struct err *err)
{
	char hex[SHA256_HEX_SIZE];
	sqlite3_stmt *stmt = NULL;
	hash_sha256_hex(str_from_c(step->text), hex);
	int r = sqlite_prepare(sql, path,
	        "INSERT INTO migration (number, name, sha256) VALUES (?1, ?2, ?3)", &stmt, err);
	if (r < 0)
		return r;
	int code = sqlite3_bind_int(stmt, 1, step->number);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 2, step->name, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 3, hex, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_DONE)
		r = sqlite_failure(sql, path, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

/* Returns: 0; a failure, after which the file is as before */
static int apply_step(sqlite3 *sql, const char *path, const struct migration *step, struct err *err)
{
	static const char begin[] =
	        "BEGIN IMMEDIATE;"
	        "PRAGMA application_id = 1399739252;" /* SQLITE_APPLICATION */
	        "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY,"
	        " name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT;";
	_Static_assert(SQLITE_APPLICATION == 1399739252, "the text above says it too");
	int r = sqlite_run(sql, path, begin, err);
	if (r == 0)
		r = sqlite_run(sql, path, step->text, err);
	if (r == 0)
		r = note_step(sql, path, step, err);
	if (r == 0)
		r = sqlite_run(sql, path, "COMMIT", err);
	if (r < 0 && !sqlite3_get_autocommit(sql))
		(void)sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* Keep the file as it was before its schema changes. */
static int keep_copy(
        sqlite3 *sql, const char *path, int folder_fd, int64_t version, struct err *err)
{
	char name[64], temp[80], *to = NULL;
	(void)snprintf(name, sizeof(name), SQLITE_FILE ".schema-%lld", (long long)version);
	(void)snprintf(temp, sizeof(temp), "%s.new", name);
	str folder = str_dirname(str_from_c(path));
	if (asprintf(&to, STR_FMT "/%s", STR_ARG(folder), temp) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	autofree char *held = to;
	/* What an earlier start has left of it is worth nothing: it did not come to the rename. */
	(void)unlinkat(folder_fd, temp, 0);
	autoclose int fd =
	        openat(folder_fd, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot make a copy before the schema changes: %s",
		        held, strerror(errno));
	int r = sqlite_copy(sql, held, err);
	if (r == 0 && (fsync(fd) < 0 || renameat(folder_fd, temp, folder_fd, name) < 0 ||
	                      fsync(folder_fd) < 0))
		r = err_set(err, -errno, "%s: cannot make a copy before the schema changes: %s",
		        held, strerror(errno));
	if (r < 0)
		(void)unlinkat(folder_fd, temp, 0);
	return r;
}

/* An empty file becomes a store; one with tables but without our mark is somebody else's. */
static int check_fresh(
        sqlite3 *sql, const char *path, int64_t application, bool may_init, struct err *err)
{
	int64_t n = 0;
	if (application == SQLITE_APPLICATION)
		return 0;
	int r = sqlite_number(sql, path, "SELECT count(*) FROM sqlite_schema", &n, err);
	if (r < 0)
		return r;
	if (application != 0 || n != 0)
		return err_set(err, -ERR_FORMAT, "%s: not a store of this program", path);
	if (!may_init)
		return err_set(err, -ENOENT, "%s: the store was never set up", path);
	return 0;
}

int sqlite_migrate(sqlite3 *sql, const char *path, int folder_fd, const struct migration *list,
        size_t n, bool may_init, struct err *err)
{
	int64_t application = 0, version = 0;
	int r = sqlite_number(sql, path, "PRAGMA application_id", &application, err);
	if (r == 0)
		r = check_fresh(sql, path, application, may_init, err);
	if (r == 0 && application != 0)
		r = sqlite_number(
		        sql, path, "SELECT coalesce(max(number), 0) FROM migration", &version, err);
	if (r < 0)
		return r;
	if (version < 0 || (version == 0 && application != 0))
		return err_set(
		        err, -ERR_FORMAT, "%s: the store is damaged: it has no version", path);
	if (version > (int64_t)n)
		return err_set(err, -ERR_UNSUPPORTED,
		        "%s: made by a newer program (schema %lld, this program knows %zu): update "
		        "this one",
		        path, (long long)version, n);
	if (version > 0)
		r = check_history(sql, path, list, version, err);
	if (r == 0 && folder_fd >= 0 && version > 0 && version < (int64_t)n)
		r = keep_copy(sql, path, folder_fd, version, err);
	for (size_t i = (size_t)version; r == 0 && folder_fd >= 0 && i < n; i++)
		r = apply_step(sql, path, &list[i], err);
	return r;
}
