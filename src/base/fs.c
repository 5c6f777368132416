/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

int fs_read_fd(int fd, const char *name, struct buf *out, struct err *err)
{
	for (;;) {
		size_t room = out->max - out->n;
		char probe = 0,
		     *at = room > 0 ? buf_reserve(out, room < 65536 ? room : 65536) : &probe;
		if (!at)
			return err_set(err, -ENOMEM, "%s: out of memory", name);
		ssize_t n = read(fd, at, room > 65536 ? 65536 : room > 0 ? room : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "%s: cannot read: %s", name, strerror(errno));
		if (n == 0)
			return 0;
		if (room == 0)
			return err_set(
			        err, -ERR_LIMIT, "%s: larger than %zu bytes", name, out->max);
		out->n += (size_t)n;
	}
}

int fs_read(int dir_fd, const char *path, struct buf *out, struct err *err)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not hang us. */
	autoclose int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) /* /dev/null is an empty file */
		return err_set(err, -ERR_FORMAT, "%s: not a regular file", path);
	return fs_read_fd(fd, path, out, err);
}

static int write_all(int fd, str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = str_skip(bytes, (size_t)n);
	}
	return 0;
}

/* A temporary name that nobody can have prepared: the folder may be another user's. */
static int make_temp(int dir_fd, const char *name, unsigned mode, char ret_temp[NAME_MAX + 1])
{
	for (int tries = 0; tries < 16; tries++) {
		uint64_t random = 0;
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -errno;
		int n = snprintf(ret_temp, NAME_MAX + 1, ".%.200s.%016llx.new", name,
		        (unsigned long long)random);
		if (n < 0 || n > NAME_MAX)
			return -ENAMETOOLONG;
		int fd = openat(dir_fd, ret_temp,
		        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

/* Give the new file the mode and owner of the one it replaces. */
static int keep_owner(int dir_fd, const char *name, int fd)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0)
		return -errno;
	return fchmod(fd, st.st_mode & 0777) < 0 ? -errno : 0;
}

static int sync_folder(int dir_fd)
{
	autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_and_rename(int dir_fd, const char *name, str bytes, unsigned mode)
{
	char temp[NAME_MAX + 1];
	autoclose int fd = make_temp(dir_fd, name, mode ? mode : 0644, temp);
	if (fd < 0)
		return fd;
	int r = write_all(fd, bytes);
	if (r == 0 && mode == 0)
		r = keep_owner(dir_fd, name, fd);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, temp, dir_fd, name) < 0))
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, temp, 0);
	return r < 0 ? r : sync_folder(dir_fd);
}

int fs_replace(int dir_fd, const char *name, str bytes, unsigned mode, struct err *err)
{
	int r = write_and_rename(dir_fd, name, bytes, mode);
	return r < 0 ? err_set(err, r, "%s: cannot write: %s", name, strerror(-r)) : 0;
}

/* ".<name>.<16 hexadecimal digits>.new", as make_temp() has it. */
static bool is_temp(str name)
{
	size_t tail = sizeof(".0123456789abcdef.new") - 1;
	if (name.n <= tail + 1 || name.p[0] != '.' || !str_has_suffix(name, STR(".new")))
		return false;
	str digits = { name.p + name.n - tail, tail - 4 };
	for (size_t i = 1; i < digits.n; i++) {
		if (!is_digit(digits.p[i]) && (digits.p[i] < 'a' || digits.p[i] > 'f'))
			return false;
	}
	return digits.p[0] == '.';
}

int fs_sweep(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = dir ? 0 : -errno;
	if (!dir && fd >= 0)
		(void)close(fd);
	for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
		if (is_temp(str_from_c(entry->d_name)) && unlinkat(dir_fd, entry->d_name, 0) < 0)
			r = -errno;
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

/* Returns: 0 also when a folder of that name is there; -errno */
static int make_dir(const char *path, unsigned mode)
{
	struct stat st;
	if (mkdir(path, (mode_t)mode) == 0)
		return 0;
	if (errno != EEXIST || stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fs_make_dirs(const char *path, unsigned mode, struct err *err)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof(part))
		return err_set(err, -ENAMETOOLONG, "%s: not a usable folder name", path);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		int r = make_dir(part, mode);
		if (r < 0)
			return err_set(
			        err, r, "%s: cannot make the folder: %s", part, strerror(-r));
	}
	return 0;
}

int fs_open_dir(const char *path, bool make, struct err *err)
{
	int r = make ? fs_make_dirs(path, 0755, err) : 0;
	if (r < 0)
		return r;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "%s: cannot open the folder: %s", path,
	                        strerror(errno))
	              : fd;
}

int fs_replace_path(const char *path, str bytes, unsigned mode, struct err *err)
{
	char folder[PATH_MAX];
	str dir, name;
	if (!str_split_last(str_from_c(path), '/', &dir, &name))
		return fs_replace(AT_FDCWD, path, bytes, mode, err);
	if (name.n == 0 || dir.n + 1 >= sizeof(folder))
		return err_set(err, -EINVAL, "%s: not a file name", path);
	/* With its '/', so that the root is a folder too. */
	memcpy(folder, path, dir.n + 1);
	folder[dir.n + 1] = '\0';
	autoclose int fd = fs_open_dir(folder, false, err);
	return fd < 0 ? fd : fs_replace(fd, name.p, bytes, mode, err);
}

static int remove_children(int dir_fd, const char *name, unsigned depth);

/* One entry; a folder with what is in it. Depth is that of our own folders, so 16 is ample. */
static int remove_entry(int dir_fd, const char *name, unsigned depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int r = remove_children(dir_fd, name, depth);
	if (r == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int remove_children(int dir_fd, const char *name, unsigned depth)
{
	if (depth == 0)
		return -ELOOP;
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = remove_entry(fd, e->d_name, depth - 1);
	}
	(void)closedir(dir);
	return r;
}

int fs_remove_tree(int dir_fd, const char *name)
{
	return remove_entry(dir_fd, name, 16);
}

/* The numbers from `first` to `last`, both included. */
static void close_range_of(unsigned first, unsigned last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0u) == 0)
		return;
	struct rlimit limit = { .rlim_cur = 1024 }; /* before Linux 5.9 */
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned fd = first; fd <= last && fd < limit.rlim_cur && fd < 1u << 20; fd++)
		(void)close((int)fd);
}

void fs_close_others(const int *keep, size_t n)
{
	/* From one that is kept to the next larger one. */
	for (unsigned first = 0;;) {
		unsigned next = UINT_MAX;
		for (size_t i = 0; i < n; i++) {
			if (keep[i] >= 0 && (unsigned)keep[i] >= first && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		}
		if (next == UINT_MAX) {
			close_range_of(first, UINT_MAX);
			return;
		}
		if (next > first)
			close_range_of(first, next - 1);
		first = next + 1;
	}
}
