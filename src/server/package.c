/* SPDX-License-Identifier: Apache-2.0 */
#include "server/package.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* One component: letters, digits, '.', '_' and '-', not beginning with a dot. */
static bool is_component(str s)
{
	if (s.n == 0 || s.n > 128 || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
			return false;
	}
	return true;
}

/* The folder of the packages below the data folder; -1 and errno. */
static int open_folder(const struct server *server, str name)
{
	struct arena arena = ARENA(8192);
	str path;
	int fd = -1;
	errno = ENAMETOOLONG;
	if (arena_printf(&arena, &path, STR_FMT "/packages/" STR_FMT, STR_ARG(server->data_dir),
	            STR_ARG(name)) == 0)
		fd = open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int saved = errno;
	arena_fini(&arena);
	errno = saved;
	return fd;
}

int package_open(const struct server *server, str path, int *ret_fd, uint64_t *ret_bytes)
{
	str name, version, file, rest;
	char text[300];
	struct stat st;

	if (!str_split_first(path, '/', &name, &rest) ||
	        !str_split_first(rest, '/', &version, &file) || !is_component(name) ||
	        !is_component(version) || !is_component(file))
		return -ENOENT;
	autoclose int dir = open_folder(server, name);
	if (dir < 0)
		return -errno;
	memcpy(text, rest.p, rest.n);
	text[rest.n] = '\0';
	autoclose int fd = openat(dir, text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ELOOP ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_fd = fd;
	*ret_bytes = (uint64_t)st.st_size;
	fd = -1;
	return 0;
}

/* Dotted numbers in their order, other text by its bytes: 1.10 is newer than 1.9. */
static int compare_versions(str a, str b)
{
	while (a.n > 0 || b.n > 0) {
		str head_a = a, head_b = b, rest_a = { NULL, 0 }, rest_b = { NULL, 0 };
		uint64_t n_a = 0, n_b = 0;
		(void)str_split_first(a, '.', &head_a, &rest_a);
		(void)str_split_first(b, '.', &head_b, &rest_b);
		bool are_numbers =
		        str_to_u64(head_a, INT64_MAX, &n_a) && str_to_u64(head_b, INT64_MAX, &n_b);
		int c = are_numbers ? (n_a > n_b) - (n_a < n_b) : str_cmp(head_a, head_b);
		if (c != 0)
			return c;
		a = rest_a;
		b = rest_b;
	}
	return 0;
}

/* Read one version; -ENOENT when it has no manifest. */
static int read_version(int dir, str name, const char *version, struct arena *arena,
        struct package_version *ret, struct err *err)
{
	autobuf text = BUF(PACKAGE_MANIFEST_MAX);
	struct stat st;
	autoclose int folder = openat(dir, version, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -ENOENT;
	if (fstatat(folder, "manifest.json", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	int r = fs_read(folder, "manifest.json", &text, err);
	if (r == 0)
		r = arena_copy(arena, buf_str(&text), &ret->manifest);
	if (r == 0)
		r = arena_copy(arena, str_from_c(version), &ret->version);
	if (r == 0)
		r = arena_copy(arena, name, &ret->name);
	ret->made_at = st.st_mtim.tv_sec;
	return r;
}

static void insert_sorted(struct package_version *all, size_t n, struct package_version one)
{
	for (; n > 0 && compare_versions(all[n - 1].version, one.version) > 0; n--)
		all[n] = all[n - 1];
	all[n] = one;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int package_versions(const struct server *server, str name, struct arena *arena,
        struct package_version **ret, size_t *ret_count, struct err *err)
{
	struct package_version *all = arena_alloc(arena, PACKAGE_VERSIONS_MAX, sizeof *all);
	size_t n = 0;

	*ret_count = 0;
	if (!all)
		return -ERR_LIMIT;
	*ret = all;
	autoclose int fd = is_component(name) ? open_folder(server, name) : -1;
	if (fd < 0)
		return 0;
	cleanup(close_dir) DIR *dir = fdopendir(dup(fd));
	if (!dir)
		return err_set(err, -errno, "cannot read the folder of packages");
	for (struct dirent *entry; n < PACKAGE_VERSIONS_MAX && (entry = readdir(dir)) != NULL;) {
		struct package_version one = { 0 };
		if (!is_component(str_from_c(entry->d_name)))
			continue;
		int r = read_version(fd, name, entry->d_name, arena, &one, err);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		insert_sorted(all, n++, one);
	}
	*ret_count = n;
	return 0;
}
