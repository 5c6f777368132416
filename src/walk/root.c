/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "walk/walk.h"

/* Longest path, and longest rest of a path with its links put in, that is resolved by hand. */
#define RESOLVE_MAX_BYTES (1u << 20)

/* How often a resolution that lost a race against a rename is tried again. */
#define RETRIES 16

/* One resolution by hand. */
struct resolution {
	int root_fd;
	int at;          /* O_PATH of the folder reached so far; root_fd itself is never closed */
	struct buf real; /* its path */
	struct buf rest; /* what is still to be resolved, from rest_at on */
	size_t rest_at;
	unsigned n_links;
};

static void resolution_fini(struct resolution *res)
{
	if (res->at >= 0 && res->at != res->root_fd)
		(void)close(res->at);
	buf_fini(&res->real);
	buf_fini(&res->rest);
}

static void move_to(struct resolution *res, int fd)
{
	if (res->at >= 0 && res->at != res->root_fd)
		(void)close(res->at);
	res->at = fd;
}

int root_openat2(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = resolve };
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	return fd >= 0 ? (int)fd : -errno;
}

bool root_lacks_openat2(int r)
{
	return r == -ENOSYS || r == -EPERM;
}

/* The next component of the rest as a C string in `name`; empty at the end. */
static int next_component(struct resolution *res, char name[NAME_MAX + 1])
{
	str rest = str_skip(buf_str(&res->rest), res->rest_at);
	size_t n_slashes = 0;
	while (n_slashes < rest.n && rest.p[n_slashes] == '/')
		n_slashes++;
	rest = str_skip(rest, n_slashes);
	size_t n = 0;
	while (n < rest.n && rest.p[n] != '/')
		n++;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	if (n > 0 && memchr(rest.p, '\0', n))
		return -EINVAL;
	if (n > 0)
		memcpy(name, rest.p, n);
	name[n] = '\0';
	res->rest_at += n_slashes + n;
	return 0;
}

/* Is the component just taken the last? A slash behind it makes it a folder, as for the kernel. */
static bool is_last(const struct resolution *res)
{
	return res->rest_at == res->rest.n;
}

/* Go to the folder above, by its path again: a kept descriptor could have been moved out of the
 * root. */
static int go_up(struct resolution *res)
{
	str parent = str_dirname(buf_str(&res->real));
	res->real.n = parent.n;
	move_to(res, res->root_fd);

	char name[NAME_MAX + 1];
	str rest = parent;
	while (rest.n > 0) {
		rest = str_skip(rest, 1);
		const char *slash = memchr(rest.p, '/', rest.n);
		size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
		memcpy(name, rest.p, n); /* was a component before: fits */
		name[n] = '\0';
		rest = str_skip(rest, n);
		int fd = openat(res->at, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		move_to(res, fd);
	}
	return 0;
}

/* Put a link's text in front of the rest. */
static int enter_link(struct resolution *res, int link_fd)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	if (++res->n_links > ROOT_LINKS_MAX)
		return -ELOOP;

	str tail = str_skip(buf_str(&res->rest), res->rest_at);
	struct buf rest = BUF(RESOLVE_MAX_BYTES);
	buf_add(&rest, (str){ target, (size_t)n });
	buf_add(&rest, tail);
	if (buf_failed(&rest)) {
		buf_fini(&rest);
		return -ENAMETOOLONG;
	}
	buf_fini(&res->rest);
	res->rest = rest;
	res->rest_at = 0;
	if (target[0] == '/') {
		res->real.n = 0;
		move_to(res, res->root_fd);
	}
	return 0;
}

/* Go one component on. Returns 1 with the opened end in *ret_fd, 0 when there is more to do, or
 * -errno. */
static int step(struct resolution *res, int flags, int *ret_fd)
{
	char name[NAME_MAX + 1];
	int r = next_component(res, name);
	if (r < 0)
		return r;
	if (name[0] == '\0') {
		int end = openat(res->at, ".", flags | O_CLOEXEC);
		if (end < 0)
			return -errno;
		*ret_fd = end;
		return 1;
	}
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_up(res);

	autoclose int fd = openat(res->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && !(is_last(res) && (flags & O_NOFOLLOW)))
		return enter_link(res, fd);
	if (!is_last(res) && !S_ISDIR(st.st_mode))
		return -ENOTDIR;

	buf_add_byte(&res->real, '/');
	buf_add(&res->real, str_from_c(name));
	if (buf_failed(&res->real))
		return -ENAMETOOLONG;
	if (!is_last(res)) {
		move_to(res, fd);
		fd = -1;
		return 0;
	}
	int end = openat(res->at, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (end < 0)
		return -errno;
	*ret_fd = end;
	return 1;
}

int root_open(int root_fd, str path, int flags, struct buf *ret_real)
{
	cleanup(resolution_fini) struct resolution res = {
		.root_fd = root_fd,
		.at = root_fd,
		.real = BUF(RESOLVE_MAX_BYTES),
		.rest = BUF(RESOLVE_MAX_BYTES),
	};
	buf_add(&res.rest, path);
	if (buf_failed(&res.rest))
		return -ENAMETOOLONG;

	int fd = -1;
	int r = 0;
	while (r == 0)
		r = step(&res, flags, &fd);
	if (r < 0)
		return r;
	if (ret_real) {
		buf_fini(ret_real);
		*ret_real = res.real;
		res.real = BUF(RESOLVE_MAX_BYTES);
	}
	return fd;
}

int walk_open_in_root(int root_fd, const char *path, int flags)
{
	int r = -EAGAIN;
	for (int i = 0; r == -EAGAIN && i < RETRIES; i++)
		r = root_openat2(root_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (root_lacks_openat2(r) || r == -EAGAIN)
		r = root_open(root_fd, str_from_c(path), flags, NULL);
	return r;
}

int walk_identify(int root_fd, const char *path, uint64_t *ret_dev, uint64_t *ret_ino)
{
	autoclose int fd = walk_open_in_root(root_fd, path, O_PATH);
	struct stat st;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return 0;
}

/* May a sibling have this name? Only plain components: nothing that could leave the folder. */
static bool is_below(str name)
{
	if (name.n == 0 || memchr(name.p, '\0', name.n))
		return false;
	str head, rest = name;
	do {
		if (!str_split_first(rest, '/', &head, &rest)) {
			head = rest;
			rest = (str){ NULL, 0 };
		}
		if (head.n == 0 || str_eq(head, STR(".")) || str_eq(head, STR("..")))
			return false;
	} while (rest.n > 0);
	return name.p[name.n - 1] != '/';
}

/* Open a name below a folder, through no link, on any kernel. */
static int open_below(int dir_fd, const char *name, int flags)
{
	const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	int r = root_openat2(dir_fd, name, flags | O_NOFOLLOW, resolve);
	if (!root_lacks_openat2(r))
		return r;

	autoclose int at = -1;
	for (const char *slash; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
		char part[NAME_MAX + 1];
		size_t n = (size_t)(slash - name);
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(part, name, n);
		part[n] = '\0';
		int fd = openat(
		        at >= 0 ? at : dir_fd, part, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOTDIR ? -ELOOP : -errno;
		closep(&at);
		at = fd;
	}
	int fd = openat(at >= 0 ? at : dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

int root_open_sibling(int dir_fd, str name, int *ret_fd, struct stat *ret_st)
{
	char path[PATH_MAX];
	if (!is_below(name))
		return -EINVAL;
	if (name.n >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, name.p, name.n);
	path[name.n] = '\0';

	/* Looked at before it is opened: opening a device may do something. */
	struct stat st;
	autoclose int peek = open_below(dir_fd, path, O_PATH);
	if (peek < 0)
		return peek;
	if (fstat(peek, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : S_ISDIR(st.st_mode) ? -EISDIR : -ENXIO;
	autoclose int fd = open_below(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	*ret_fd = fd;
	*ret_st = st;
	fd = -1;
	return 0;
}
