/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/package_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "zip/zip.h"

#define RECORD "installed"
#define RECORD_MAX 1024u
#define CHANGING "changing"
#define NAME_MAX_BYTES 255

/* ---- the folder ---- */

static int make_folder(int dir, const char *name, struct err *err)
{
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "packages: cannot make a folder: %m");
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_set(err, -errno, "packages: %m") : fd;
}

static int take_lock(struct package_store *store, struct err *err)
{
	store->lock = openat(store->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock < 0)
		return err_set(err, -errno, "packages: %m");
	if (flock(store->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -EBUSY, "the package is being changed by another job");
	return 0;
}

int package_store_open(
        const struct state *state, str name, struct package_store *ret, struct err *err)
{
	struct package_store store = { .dir = -1, .lock = -1 };
	char word[PACKAGE_WORD_MAX + 1];
	if (!package_is_word(name))
		return err_set(err, -EINVAL, "not the name of a package");
	memcpy(word, name.p, name.n);
	word[name.n] = '\0';
	int n = snprintf(store.path, sizeof(store.path), "%s/packages/%s", state->path, word);
	if (n < 0 || (size_t)n >= sizeof(store.path))
		return err_set(err, -ENAMETOOLONG, "the path of the state folder is too long");
	autoclose int all = make_folder(state->dir, "packages", err);
	if (all < 0)
		return all;
	store.dir = make_folder(all, word, err);
	int r = store.dir < 0 ? store.dir : take_lock(&store, err);
	autoclose int versions = r < 0 ? -1 : make_folder(store.dir, "versions", err);
	if (r == 0 && versions < 0)
		r = versions;
	if (r < 0)
		package_store_close(&store);
	else
		*ret = store;
	return r;
}

void package_store_close(struct package_store *store)
{
	if (store->lock >= 0)
		(void)close(store->lock);
	if (store->dir >= 0)
		(void)close(store->dir);
	store->dir = store->lock = -1;
}

int package_store_installed(const struct package_store *store,
        char ret_version[PACKAGE_WORD_MAX + 1], bool *ret_is_changing, struct err *err)
{
	autobuf bytes = BUF(RECORD_MAX);
	str rest, version, mark = { NULL, 0 };
	int r = fs_read(store->dir, RECORD, &bytes, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	rest = buf_str(&bytes);
	if (!str_next_line(&rest, &version) || !package_is_word(version))
		return err_set(err, -ERR_FORMAT, "%s/" RECORD ": names no version", store->path);
	(void)str_next_line(&rest, &mark);
	memcpy(ret_version, version.p, version.n);
	ret_version[version.n] = '\0';
	*ret_is_changing = str_eq(mark, STR(CHANGING));
	return 1;
}

int package_store_record(
        const struct package_store *store, const char *version, bool is_changing, struct err *err)
{
	autobuf bytes = BUF(RECORD_MAX);
	if (!version) {
		if (unlinkat(store->dir, RECORD, 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "%s/" RECORD ": %m", store->path);
		return fsync(store->dir) < 0 ? err_set(err, -errno, "%s: %m", store->path) : 0;
	}
	buf_printf(&bytes, "%s\n%s", version, is_changing ? CHANGING "\n" : "");
	return fs_replace(store->dir, RECORD, buf_str(&bytes), 0600, err);
}

int package_store_file(const struct package_store *store, struct err *err)
{
	(void)unlinkat(store->dir, "download", 0);
	int fd = openat(store->dir, "download", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot make a file: %m", store->path);
	(void)unlinkat(store->dir, "download", 0);
	return fd;
}

bool package_store_has(const struct package_store *store, const char *version, const char *file)
{
	char path[3 * PACKAGE_WORD_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "versions/%s/%s", version, file);
	return n > 0 && (size_t)n < sizeof(path) &&
	       fstatat(store->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int package_store_prune(const struct package_store *store, const char *version)
{
	int fd = openat(store->dir, "versions", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cleanup(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			(void)close(fd);
		return -saved;
	}
	int r = 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		/* No version begins with a dot. */
		if (entry->d_name[0] == '.' || (version && strcmp(entry->d_name, version) == 0))
			continue;
		int removed = fs_remove_tree(fd, entry->d_name);
		r = r < 0 ? r : removed;
	}
	return r;
}

/* ---- unpacking ---- */

/* "a/b/c" with names of ordinary files; a folder ends in '/'. */
static bool is_path(str path)
{
	unsigned depth = 0;
	if (path.n > 0 && path.p[path.n - 1] == '/')
		path = str_head(path, path.n - 1);
	if (path.n == 0 || memchr(path.p, '\0', path.n) || memchr(path.p, '\\', path.n))
		return false;
	for (bool has_more = true; has_more;) {
		str name = path, rest = { NULL, 0 };
		has_more = str_split_first(path, '/', &name, &rest);
		if (name.n == 0 || name.n > NAME_MAX_BYTES || str_eq(name, STR(".")) ||
		        str_eq(name, STR("..")) || ++depth > PACKAGE_DEPTH_MAX)
			return false;
		path = rest;
	}
	return true;
}

/* Regular files and folders; zero when no Unix system wrote it. */
static bool is_kind(const struct zip_entry *entry)
{
	mode_t kind = entry->unix_mode & S_IFMT;
	return kind == 0 || (zip_entry_is_folder(entry) ? kind == S_IFDIR : kind == S_IFREG);
}

/* All of it is looked at before anything is written. */
static int check_entries(const struct zip_entry *entries, size_t n, struct err *err)
{
	uint64_t bytes = 0;
	if (n > PACKAGE_ENTRIES_MAX)
		return err_set(
		        err, -ERR_LIMIT, "the package has more than %u files", PACKAGE_ENTRIES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!is_path(entries[i].name))
			return err_set(err, -ERR_FORMAT,
			        "the package has a file whose path leads elsewhere");
		if (!is_kind(&entries[i]))
			return err_set(err, -ERR_FORMAT,
			        "the package has what is neither a file nor a folder");
		if (__builtin_add_overflow(bytes, entries[i].size, &bytes) ||
		        bytes > PACKAGE_UNPACKED_MAX)
			return err_set(err, -ERR_LIMIT, "the package unpacks to more than 1 GiB");
	}
	return 0;
}

/* The folder that a path lies in, its parents made. Returns: a descriptor; -errno */
static int open_parent(int root, str path, str *ret_name)
{
	int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
	str name, rest;
	while (at >= 0 && str_split_first(path, '/', &name, &rest) && rest.n > 0) {
		char word[NAME_MAX_BYTES + 1];
		memcpy(word, name.p, name.n);
		word[name.n] = '\0';
		int next =
		        mkdirat(at, word, 0755) < 0 && errno != EEXIST
		                ? -1
		                : openat(at, word, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		int saved = errno;
		(void)close(at);
		errno = saved;
		at = next;
		path = rest;
	}
	*ret_name = path;
	return at < 0 ? -errno : at;
}

static int write_file(int dir, const char *name, str bytes, mode_t mode)
{
	autoclose int fd =
	        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno != EINTR)
			return -errno;
		bytes = str_skip(bytes, n > 0 ? (size_t)n : 0);
	}
	return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int unpack_one(struct zip *zip, const struct zip_entry *entry, int root, struct buf *bytes,
        struct err *err)
{
	char word[NAME_MAX_BYTES + 2];
	str name;
	autoclose int dir = open_parent(root, entry->name, &name);
	if (dir < 0)
		return err_set(err, dir, "a folder of the package cannot be made");
	memcpy(word, name.p, name.n);
	word[name.n] = '\0';
	if (zip_entry_is_folder(entry))
		return mkdirat(dir, word, 0755) < 0 && errno != EEXIST
		               ? err_set(err, -errno, "a folder of the package cannot be made: %m")
		               : 0;
	buf_clear(bytes);
	int r = zip_read(zip, entry, bytes, err);
	if (r < 0)
		return r;
	r = write_file(dir, word, buf_str(bytes), entry->unix_mode & 0111 ? 0755 : 0644);
	if (r == -EEXIST || r == -EISDIR)
		return err_set(err, -ERR_FORMAT, "the package has a file twice");
	return r < 0 ? err_set(err, r, "a file of the package cannot be written") : 0;
}

static int unpack_all(struct zip *zip, int root, struct err *err)
{
	autobuf bytes = BUF(PACKAGE_FILE_MAX);
	size_t n;
	const struct zip_entry *entries = zip_entries(zip, &n);
	int r = check_entries(entries, n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = unpack_one(zip, &entries[i], root, &bytes, err);
	return r;
}

/* It takes the place of what is there. */
static int put_in_place(const struct package_store *store, const char *version, struct err *err)
{
	char path[2 * PACKAGE_WORD_MAX];
	(void)snprintf(path, sizeof(path), "versions/%s", version);
	int r = fs_remove_tree(store->dir, path);
	if (r == 0 &&
	        (syncfs(store->dir) < 0 || renameat(store->dir, "new", store->dir, path) < 0 ||
	                fsync(store->dir) < 0))
		r = -errno;
	return r < 0 ? err_set(err, r, "%s/%s: cannot be made", store->path, path) : 0;
}

int package_store_unpack(
        const struct package_store *store, int fd, const char *version, struct err *err)
{
	struct zip *zip = NULL;
	int r = fs_remove_tree(store->dir, "new");
	if (r < 0 || mkdirat(store->dir, "new", 0700) < 0)
		return err_set(err, r < 0 ? r : -errno, "%s: cannot make a folder", store->path);
	autoclose int root =
	        openat(store->dir, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (root < 0)
		return err_set(err, -errno, "%s: %m", store->path);
	r = zip_open(fd, &zip, err);
	if (r == 0)
		r = unpack_all(zip, root, err);
	zip_close(zip);
	if (r == 0)
		r = put_in_place(store, version, err);
	if (r < 0)
		(void)fs_remove_tree(store->dir, "new");
	return r;
}
