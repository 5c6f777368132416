/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of the whole file. A copy is made through the writing connection, in steps, between which
 * the writer gets its turn: SQLite then carries what is written meanwhile into the copy by itself.
 * Through another connection every commit would make it begin anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/sqlite.h"

/* 1 MB in a step, some milliseconds. */
#define STEP_PAGES 256
#define COPY_BYTES ((size_t)1 << 20)

/* ---- out ---- */

static int open_copy(const char *path, sqlite3 **ret, struct err *err)
{
	sqlite3 *sql = NULL;
	int r = sqlite_connect(path, SQLITE_OPEN_READWRITE, &sql, err);
	/* The copy counts only when it is whole, synced and renamed by us. The defensive flag would
	 * refuse a copy without a journal, and the pages that the backup writes. */
	if (r == 0) {
		(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
		r = sqlite_run(
		        sql, path, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
	}
	if (r < 0) {
		sqlite_disconnect(sql);
		return r;
	}
	*ret = sql;
	return 0;
}

int sqlite_copy(sqlite3 *sql, const char *path, struct err *err)
{
	sqlite3 *out = NULL;
	int r = open_copy(path, &out, err);
	if (r < 0)
		return r;
	sqlite3_backup *backup = sqlite3_backup_init(out, "main", sql, "main");
	int code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
	(void)sqlite3_backup_finish(backup);
	if (code != SQLITE_DONE)
		r = sqlite_failure(out, path, err);
	sqlite_disconnect(out);
	return r;
}

/* Under the gate for each step only. */
static int copy_in_steps(struct sqlite_db *db, sqlite3 *out, const char *path,
        int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct err *err)
{
	int code = SQLITE_OK, r = 0;
	sqlite_enter(db);
	sqlite3_backup *backup = sqlite3_backup_init(out, "main", db->sql, "main");
	sqlite_leave(db);
	if (!backup)
		return sqlite_failure(out, path, err);
	while (r == 0 && (code == SQLITE_OK || code == SQLITE_BUSY)) {
		sqlite_enter(db);
		code = sqlite3_backup_step(backup, STEP_PAGES);
		int total = sqlite3_backup_pagecount(backup);
		int left = sqlite3_backup_remaining(backup);
		sqlite_leave(db);
		if (progress && (code == SQLITE_OK || code == SQLITE_DONE))
			r = progress(ctx, (uint64_t)(total - left), (uint64_t)total);
	}
	sqlite_enter(db);
	(void)sqlite3_backup_finish(backup);
	sqlite_leave(db);
	if (r == 0 && code != SQLITE_DONE)
		r = sqlite_failure(out, path, err);
	return r;
}

/* A name beside `path` that nobody can have prepared. */
static int make_temp(const char *path, char **ret_temp, struct err *err)
{
	uint64_t random = 0;
	char *temp = NULL;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(err, -errno, "%s: no random number: %s", path, strerror(errno));
	if (asprintf(&temp, "%s.%016llx.new", path, (unsigned long long)random) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int r = err_set(err, -errno, "%s: cannot write: %s", path, strerror(errno));
		free(temp);
		return r;
	}
	*ret_temp = temp;
	return fd;
}

/* The file, and what SQLite may have made beside it. */
static void remove_temp(const char *temp)
{
	char *beside = NULL;
	(void)unlink(temp);
	if (asprintf(&beside, "%s-wal", temp) < 0)
		return;
	autofree char *name = beside;
	(void)unlink(name);
	memcpy(name + strlen(name) - 3, "shm", sizeof("shm"));
	(void)unlink(name);
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	str name = str_dirname(str_from_c(path));
	if (name.n >= sizeof(folder))
		return -ENAMETOOLONG;
	/* Without a '/' it is this folder; below the root only '/' is left. */
	if (name.n == 0)
		(void)snprintf(folder, sizeof(folder), "%s", path[0] == '/' ? "/" : ".");
	else
		(void)snprintf(folder, sizeof(folder), STR_FMT, STR_ARG(name));
	autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Let a whole file appear under its name, which must be free. */
static int put_in_place(int fd, const char *temp, const char *path, struct err *err)
{
	if (fsync(fd) < 0)
		return err_set(err, -errno, "%s: cannot write: %s", path, strerror(errno));
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	int r = sync_folder_of(path);
	return r < 0 ? err_set(err, r, "%s: cannot write: %s", path, strerror(-r)) : 0;
}

int sqlite_backup(void *ctx, const char *path,
        int (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
        struct err *err)
{
	struct sqlite_db *db = ctx;
	sqlite3 *out = NULL;
	char *made = NULL;
	struct stat st;
	if (lstat(path, &st) == 0)
		return err_set(err, -EEXIST, "%s: there is a file of this name already", path);
	autoclose int fd = make_temp(path, &made, err);
	if (fd < 0)
		return fd;
	autofree char *temp = made;
	int r = open_copy(temp, &out, err);
	if (r == 0)
		r = copy_in_steps(db, out, path, progress, progress_ctx, err);
	sqlite_disconnect(out);
	if (r == 0)
		r = put_in_place(fd, temp, path, err);
	if (r != 0)
		remove_temp(temp);
	return r;
}

/* ---- in ---- */

static int copy_bytes(int from, int to, const char *path, struct err *err)
{
	autofree char *bytes = malloc(COPY_BYTES);
	if (!bytes)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	for (;;) {
		ssize_t n = read(from, bytes, COPY_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "%s: cannot read: %s", path, strerror(errno));
		if (n == 0)
			return 0;
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(to, bytes + done, (size_t)(n - done));
			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				return err_set(err, -errno, "%s: cannot write the copy: %s", path,
				        strerror(errno));
			done += w;
		}
	}
}

/* Is the copy a whole store that this program can serve? `path` names the backup in sentences. */
static int check_copy(const char *temp, const char *path, struct err *err)
{
	const struct migration *list;
	size_t n = sqlite_migrations(&list);
	sqlite3 *sql = NULL;
	struct err why = { 0 };
	int r = sqlite_connect(temp, SQLITE_OPEN_READWRITE, &sql, &why);
	if (r == 0)
		r = sqlite_migrate(sql, path, -1, list, n, false, &why);
	if (r == -ENOENT)
		r = err_set(&why, -ERR_FORMAT, "%s: not a backup of a store", path);
	if (r == 0)
		r = sqlite_look(sql, path, "PRAGMA integrity_check(1)", &why);
	if (r == 0)
		r = sqlite_check_records(sql, path, &why);
	sqlite_disconnect(sql);
	return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

/* Nothing of a store may be here, not even a log: it would be worked into the restored file. */
static int check_empty(int folder_fd, const char *folder, struct err *err)
{
	static const char *const names[] = { SQLITE_FILE, SQLITE_LOG, SQLITE_INDEX };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (faccessat(folder_fd, names[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return err_set(err, -EEXIST,
			        "%s: there is a store here already (%s): move the folder away "
			        "first",
			        folder, names[i]);
	}
	return 0;
}

static int restore_into(int from, const char *path, const char *folder, struct err *err)
{
	char *to = NULL, *made = NULL;
	if (asprintf(&to, "%s/%s", folder, SQLITE_FILE) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", folder);
	autofree char *target = to;
	autoclose int fd = make_temp(target, &made, err);
	if (fd < 0)
		return fd;
	autofree char *temp = made;
	int r = copy_bytes(from, fd, path, err);
	if (r == 0)
		r = check_copy(temp, path, err);
	if (r == 0)
		r = put_in_place(fd, temp, target, err);
	if (r < 0)
		remove_temp(temp);
	return r;
}

int sqlite_restore(const char *path, const char *folder, struct err *err)
{
	struct stat st;
	autoclose int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (from < 0 || fstat(from, &st) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < SQLITE_SMALLEST)
		return err_set(err, -ERR_FORMAT, "%s: not a backup of a store", path);
	int r = fs_make_dirs(folder, 0700, err);
	if (r < 0)
		return r;
	autoclose int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return err_set(
		        err, -errno, "%s: cannot open the folder: %s", folder, strerror(errno));
	autoclose int lock_fd = sqlite_lock(folder_fd, folder, err);
	if (lock_fd < 0)
		return lock_fd;
	r = check_empty(folder_fd, folder, err);
	return r < 0 ? r : restore_into(from, path, folder, err);
}

int sqlite_check(void *ctx, struct err *err)
{
	struct sqlite_db *db = ctx;
	sqlite3 *sql = NULL;
	int r = sqlite_connect(db->path, SQLITE_OPEN_READONLY, &sql, err);
	if (r == 0)
		r = sqlite_look(sql, db->path, "PRAGMA integrity_check(1)", err);
	if (r == 0)
		r = sqlite_check_records(sql, db->path, err);
	sqlite_disconnect(sql);
	return r;
}
