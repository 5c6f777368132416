/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "walk/tree.h"

static const struct walk_options plain = { .n_threads = 2 };

static int want_wanted(void *ctx, str dir, str name)
{
	(void)ctx;
	(void)dir;
	return str_eq(name, STR(WANTED)) ? 7 : -1;
}

static int want_never(void *ctx, str dir, str name)
{
	(void)ctx;
	(void)dir;
	(void)name;
	return -1;
}

static void ignore_skip(void *ctx, enum walk_skip kind, str path, str reason)
{
	(void)ctx;
	(void)kind;
	(void)path;
	(void)reason;
}

static struct walk *start(const struct tree *tree, const struct walk_root *roots, size_t n_roots)
{
	struct walk *walk = NULL;
	struct err err = { 0 };
	const struct walk_options options = { .root_fd = tree->fd,
		.roots = roots,
		.n_roots = n_roots,
		.n_threads = 2,
		.want = want_wanted,
		.skip = ignore_skip };
	assert_int_equal(walk_start(&options, &walk, &err), 0);
	return walk;
}

static struct walk_file *next(struct walk *walk)
{
	struct walk_file *file = NULL;
	int r;
	while ((r = walk_next(walk, &file)) == -EAGAIN) {
		struct pollfd pollfd = { walk_fd(walk), POLLIN, 0 };
		assert_int_equal(poll(&pollfd, 1, 60000), 1);
	}
	return r == 1 ? file : NULL;
}

static const struct walk_root whole = { .path = "/", .is_named = true };

static void test_walk__a_wanted_file_comes_opened_with_its_tag_and_identity(void **state)
{
	struct tree tree;
	struct stat st;
	char bytes[8];
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "usr/lib/" WANTED);
	tree_file(&tree, "usr/lib/other");
	struct walk *walk = start(&tree, &whole, 1);
	struct walk_file *file = next(walk);
	assert_non_null(file);
	assert_true(str_eq(file->path, STR("/usr/lib/" WANTED)));
	assert_int_equal(file->tag, 7);
	assert_int_equal(file->size_bytes, 5);
	assert_int_equal(stat(tree_at(&tree, "usr/lib/" WANTED), &st), 0);
	assert_int_equal(file->dev, st.st_dev);
	assert_int_equal(file->ino, st.st_ino);
	assert_int_equal(pread(file->fd, bytes, sizeof(bytes), 0), 5);
	assert_int_equal(fcntl(file->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	walk_file_free(file);
	assert_null(next(walk));
	assert_null(next(walk));
	struct walk_stats stats = walk_stats(walk);
	assert_int_equal(stats.directories, 3);
	assert_int_equal(stats.files, 2);
	assert_int_equal(stats.offered, 1);
	walk_free(walk);
	tree_fini(&tree);
}

static void test_walk__each_root_is_counted_for_itself(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "a/x/1");
	tree_file(&tree, "a/x/2");
	tree_file(&tree, "b/3");
	const struct walk_root roots[] = { { .path = "/a" }, { .path = "/a/x" },
		{ .path = "/b/" } };
	struct walk *walk = start(&tree, roots, 3);
	assert_null(next(walk));
	const unsigned want[][2] = { { 2, 2 }, { 0, 0 }, { 1, 1 } };
	for (size_t i = 0; i < 3; i++) {
		struct walk_stats stats = walk_root_stats(walk, i);
		assert_int_equal(stats.directories, want[i][0]);
		assert_int_equal(stats.files, want[i][1]);
	}
	walk_free(walk);
	tree_fini(&tree);
}

static bool ask_twice(void *ctx)
{
	return atomic_fetch_add((atomic_uint *)ctx, 1) % 2 == 0;
}

static bool ask_for_ever(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_walk__who_slows_it_down_is_asked_for_each_folder(void **state)
{
	struct tree tree;
	struct walk *walk = NULL;
	atomic_uint asked = 0;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "a/b/" WANTED);
	struct walk_options options = { .root_fd = tree.fd,
		.roots = &whole,
		.n_roots = 1,
		.n_threads = 1,
		.want = want_never,
		.skip = ignore_skip,
		.pace = ask_twice,
		.ctx = &asked };
	assert_int_equal(walk_start(&options, &walk, NULL), 0);
	assert_null(next(walk));
	assert_int_equal(walk_stats(walk).directories, 3);
	walk_free(walk);
	assert_true(atomic_load(&asked) >= 2 * 3);
	/* One that is to wait for ever still ends when it is told to. */
	options.pace = ask_for_ever;
	assert_int_equal(walk_start(&options, &walk, NULL), 0);
	walk_free(walk);
	tree_fini(&tree);
}

static int check_folder(void *ctx, str dir, str name)
{
	const char **expected = ctx;
	assert_true(
	        str_eq(dir, str_from_c(str_eq(name, STR("at-top")) ? expected[0] : expected[1])));
	return -1;
}

static void test_walk__want_is_asked_with_a_folder_without_slash(void **state)
{
	struct tree tree;
	struct outcome outcome;
	const char *expected[] = { "", "/usr/lib" };
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "at-top");
	tree_file(&tree, "usr/lib/below");
	outcome_run(&outcome, &tree,
	        (struct walk_options){ .n_threads = 1,
	                .want = check_folder,
	                .skip = ignore_skip,
	                .ctx = expected });
	assert_int_equal(outcome.stats.files, 2);
	outcome_fini(&outcome);
	tree_fini(&tree);
}

/* Every non-folder of a tree as `find` lists it, against every name that the walk asks about. */
struct listing {
	atomic_ullong n, sum;
};

static uint64_t hash_path(str dir, str name)
{
	uint64_t h = 1469598103934665603u;
	for (size_t i = 0; i < dir.n; i++)
		h = (h ^ (unsigned char)dir.p[i]) * 1099511628211u;
	h = (h ^ '/') * 1099511628211u;
	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 1099511628211u;
	return h;
}

static int count_name(void *ctx, str dir, str name)
{
	struct listing *listing = ctx;
	(void)atomic_fetch_add(&listing->n, 1);
	(void)atomic_fetch_add(&listing->sum, hash_path(dir, name));
	return -1;
}

static void make_many(const struct tree *tree, unsigned n_files)
{
	unsigned seed = 5, made = 0;
	for (unsigned d = 0; made < n_files; d++) {
		char path[128];
		(void)snprintf(path, sizeof(path), "%u/%u/%u", d % 13, d % 101, d);
		tree_dir(tree, path);
		autoclose int dir = open(tree_at(tree, path), O_RDONLY | O_DIRECTORY);
		assert_true(dir >= 0);
		for (unsigned k = (unsigned)rand_r(&seed) % 200; k > 0 && made < n_files;
		        k--, made++) {
			(void)snprintf(path, sizeof(path), "file-%u", k);
			assert_int_equal(mknodat(dir, path, S_IFREG | 0644, 0), 0);
		}
	}
}

static void read_find(const struct tree *tree, struct listing *listing, unsigned *ret_folders)
{
	char command[5000];
	(void)snprintf(
	        command, sizeof(command), "cd '%s' && find . -printf '%%y%%p\\n'", tree->path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	char line[4096];
	while (fgets(line, sizeof(line), pipe)) {
		str path = str_trim(str_from_c(line + 2));
		*ret_folders += line[0] == 'd';
		if (line[0] != 'd') {
			listing->n++;
			listing->sum += hash_path(str_dirname(path), str_basename(path));
		}
	}
	assert_int_equal(pclose(pipe), 0);
}

static void test_walk__a_large_tree_is_what_find_lists_with_any_number_of_threads(void **state)
{
	static const unsigned n_threads[] = { 1, 2, 8 };
	struct tree tree;
	struct listing expected = { 0 };
	unsigned n_folders = 0;
	(void)state;
	tree_init_large(&tree);
	make_many(&tree, 100000);
	read_find(&tree, &expected, &n_folders);
	assert_int_equal(expected.n, 100000);
	for (size_t i = 0; i < 3; i++) {
		struct listing listing = { 0 };
		struct outcome outcome;
		outcome_run(&outcome, &tree,
		        (struct walk_options){ .n_threads = n_threads[i],
		                .want = count_name,
		                .skip = ignore_skip,
		                .ctx = &listing });
		assert_int_equal(listing.n, expected.n);
		assert_int_equal(listing.sum, expected.sum);
		assert_int_equal(outcome.stats.files, expected.n);
		assert_int_equal(outcome.stats.directories, n_folders);
		outcome_fini(&outcome);
	}
	tree_fini(&tree);
}

static void test_walk__every_wanted_file_of_a_large_tree_is_offered_once(void **state)
{
	static const unsigned n_threads[] = { 1, 2, 8 };
	struct tree tree;
	(void)state;
	tree_init_large(&tree);
	for (unsigned i = 0; i < 3000; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "%u/%u/" WANTED, i % 37, i);
		tree_file(&tree, path);
	}
	for (size_t i = 0; i < 3; i++) {
		struct outcome outcome;
		outcome_run(&outcome, &tree, (struct walk_options){ .n_threads = n_threads[i] });
		assert_int_equal(outcome.n_files, 3000);
		assert_int_equal(outcome.stats.offered, 3000);
		for (size_t k = 1; k < outcome.n_files; k++)
			assert_string_not_equal(outcome.files[k - 1], outcome.files[k]);
		assert_true(outcome_has_skips(&outcome, ""));
		outcome_fini(&outcome);
	}
	tree_fini(&tree);
}

static void test_walk__names_are_bytes(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "\xff\xfe\x01/\x80 \n\t'\"/" WANTED);
	tree_file(&tree, "caf\xe9/" WANTED);
	struct outcome outcome;
	outcome_run(&outcome, &tree, plain);
	assert_int_equal(outcome.n_files, 2);
	assert_string_equal(outcome.files[0], "/caf\xe9/" WANTED);
	assert_string_equal(outcome.files[1], "/\xff\xfe\x01/\x80 \n\t'\"/" WANTED);
	outcome_fini(&outcome);
	tree_fini(&tree);
}

static void test_walk__a_path_longer_than_the_system_takes_is_read(void **state)
{
	struct tree tree;
	char path[16384] = "";
	size_t n = 0;
	(void)state;
	tree_init(&tree);
	for (int i = 0; i < 40; i++) {
		memset(path + n, 'a' + i % 26, 250);
		path[n + 250] = '/';
		n += 251;
	}
	memcpy(path + n, WANTED, sizeof(WANTED));
	tree_file(&tree, path);
	struct outcome outcome;
	outcome_run(&outcome, &tree, plain);
	assert_int_equal(outcome.n_files, 1);
	assert_string_equal(outcome.files[0] + 1, path);
	outcome_fini(&outcome);
	tree_fini(&tree);
}

static void test_walk__a_tree_deeper_than_the_limit_is_told(void **state)
{
	struct tree tree;
	char path[8192] = "";
	(void)state;
	tree_init(&tree);
	for (int i = 0; i < 1030; i++)
		memcpy(path + 2 * i, "d/", 3);
	memcpy(path + 2 * 1030, WANTED, sizeof(WANTED));
	tree_file(&tree, path);
	struct outcome outcome;
	outcome_run(&outcome, &tree, plain);
	assert_int_equal(outcome.n_files, 0);
	assert_int_equal(outcome.n_skips, 1);
	assert_non_null(strstr(outcome.skips[0], "/d: deeper than 1024 folders: not read"));
	assert_true(strncmp(outcome.skips[0], "failure /d/d/", 13) == 0);
	assert_int_equal(outcome.stats.directories, 1025);
	outcome_fini(&outcome);
	tree_fini(&tree);
}

static void test_walk__a_folder_of_very_many_folders_is_read_in_parts(void **state)
{
	struct tree tree;
	(void)state;
	tree_init_large(&tree);
	for (unsigned i = 0; i < 12000; i++) {
		char path[300];
		(void)snprintf(path, sizeof(path), "%0200u", i);
		assert_int_equal(mkdirat(tree.fd, path, 0755), 0);
		if (i % 100 == 0) {
			(void)snprintf(path, sizeof(path), "%0200u/" WANTED, i);
			tree_file(&tree, path);
		}
	}
	for (unsigned n = 1; n <= 4; n += 3) {
		struct outcome outcome;
		outcome_run(&outcome, &tree, (struct walk_options){ .n_threads = n });
		assert_int_equal(outcome.n_files, 120);
		assert_int_equal(outcome.stats.directories, 12001);
		outcome_fini(&outcome);
	}
	tree_fini(&tree);
}

static void test_walk__links_to_folders_are_not_followed(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "a/" WANTED);
	tree_link(&tree, "..", "a/loop");
	tree_link(&tree, "a", "b");
	tree_link(&tree, "/", "a/root");
	assert_walk(&tree, plain, "/a/" WANTED "\n", "");
	tree_fini(&tree);
}

static void test_walk__excluded_paths_are_told_and_not_entered(void **state)
{
	static const char *const excludes[] = { "/srv/cache/", "*/tmp/*", "/home/?/x" };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "srv/cache/a/" WANTED);
	tree_file(&tree, "srv/data/" WANTED);
	tree_file(&tree, "var/tmp/" WANTED);
	tree_file(&tree, "var/tmp/deep/" WANTED);
	tree_file(&tree, "home/u/x/" WANTED);
	tree_file(&tree, "home/uu/x/" WANTED);
	assert_walk(&tree,
	        (struct walk_options){ .n_threads = 2, .excludes = excludes, .n_excludes = 3 },
	        "/home/uu/x/" WANTED "\n/srv/data/" WANTED "\n",
	        "policy /home/u/x: excluded\npolicy /srv/cache: excluded\n"
	        "policy /var/tmp/deep: excluded\npolicy /var/tmp/" WANTED ": excluded\n");
	tree_fini(&tree);
}

static void test_walk__container_storage_is_told_and_entered_only_when_named(void **state)
{
	static const struct walk_root named = { .path = "/var/lib/docker", .is_named = true };
	static const struct walk_root inside = { .path = "/var/lib/docker/overlay2/1",
		.is_named = false };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "var/lib/docker/overlay2/1/diff/" WANTED);
	tree_file(&tree, "home/u/.local/share/containers/storage/overlay/1/" WANTED);
	tree_file(&tree, "usr/lib/docker/" WANTED);
	const char *storage = "container storage: scan it with --root\n";
	char skips[512];
	(void)snprintf(skips, sizeof(skips),
	        "policy /home/u/.local/share/containers/storage: %spolicy /var/lib/docker: %s",
	        storage, storage);
	assert_walk(&tree, plain, "/usr/lib/docker/" WANTED "\n", skips);
	assert_walk(&tree, (struct walk_options){ .roots = &named, .n_roots = 1 },
	        "/var/lib/docker/overlay2/1/diff/" WANTED "\n", "");
	(void)snprintf(skips, sizeof(skips), "policy /var/lib/docker/overlay2/1: %s", storage);
	assert_walk(&tree, (struct walk_options){ .roots = &inside, .n_roots = 1 }, "", skips);
	tree_fini(&tree);
}

static void test_walk__a_missing_root_is_a_failure_only_when_named(void **state)
{
	static const struct walk_root roots[] = {
		{ .path = "/default" },
		{ .path = "/named", .is_named = true },
		{ .path = "/there", .is_named = true },
		{ .path = "/loop", .is_named = true },
	};
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "there/" WANTED);
	tree_link(&tree, "loop", "loop");
	assert_walk(&tree, (struct walk_options){ .roots = roots, .n_roots = 4 },
	        "/there/" WANTED "\n",
	        "failure /loop: cannot open this root: Too many levels of symbolic links\n"
	        "failure /named: cannot open this root: No such file or directory\n"
	        "policy /default: cannot open this root: No such file or directory\n");
	tree_fini(&tree);
}

static void test_walk__a_link_as_root_is_followed_inside_the_root_folder(void **state)
{
	static const struct walk_root roots[] = { { .path = "/lib", .is_named = true } };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "usr/lib/a/" WANTED);
	tree_link(&tree, "/../usr/lib", "lib");
	assert_walk(&tree, (struct walk_options){ .roots = roots, .n_roots = 1 },
	        "/lib/a/" WANTED "\n", "");
	tree_fini(&tree);
}

static void test_walk__roots_that_overlap_are_walked_once_under_the_first(void **state)
{
	static const struct walk_root lib_first[] = { { .path = "/lib" }, { .path = "/usr/lib" },
		{ .path = "/usr/lib64" }, { .path = "//usr//lib/./a/" } };
	static const struct walk_root usr_first[] = { { .path = "/usr" }, { .path = "/lib" } };
	static const struct walk_root inner_first[] = { { .path = "/lib/a" }, { .path = "/usr" } };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "usr/lib/a/b/" WANTED);
	tree_file(&tree, "usr/lib/" WANTED);
	tree_link(&tree, "usr/lib", "lib");
	tree_link(&tree, "lib", "usr/lib64");
	assert_walk(&tree,
	        (struct walk_options){ .roots = lib_first, .n_roots = 4, .n_threads = 2 },
	        "/lib/a/b/" WANTED "\n/lib/" WANTED "\n", "");
	assert_walk(&tree,
	        (struct walk_options){ .roots = usr_first, .n_roots = 2, .n_threads = 2 },
	        "/usr/lib/a/b/" WANTED "\n/usr/lib/" WANTED "\n", "");
	assert_walk(&tree,
	        (struct walk_options){ .roots = inner_first, .n_roots = 2, .n_threads = 2 },
	        "/lib/a/b/" WANTED "\n/usr/lib/" WANTED "\n", "");
	tree_fini(&tree);
}

static void test_walk__a_root_below_an_excluded_or_stored_folder_is_still_walked(void **state)
{
	static const struct walk_root roots[] = { { .path = "/", .is_named = true },
		{ .path = "/var/lib/docker/x", .is_named = true } };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "var/lib/docker/x/" WANTED);
	tree_file(&tree, "var/lib/docker/y/" WANTED);
	assert_walk(&tree, (struct walk_options){ .roots = roots, .n_roots = 2 },
	        "/var/lib/docker/x/" WANTED "\n",
	        "policy /var/lib/docker: container storage: scan it with --root\n");
	tree_fini(&tree);
}

static void test_walk__a_shallow_root_goes_one_folder_down(void **state)
{
	static const struct walk_root alone[] = { { .path = "/db", .is_shallow = true } };
	static const struct walk_root deeper[] = { { .path = "/db", .is_shallow = true },
		{ .path = "/db/1/2" } };
	static const struct walk_root covered[] = { { .path = "/db", .is_shallow = true },
		{ .path = "/" } };
	static const struct walk_root nested[] = { { .path = "/db", .is_shallow = true },
		{ .path = "/db/1", .is_shallow = true } };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "db/" WANTED);
	tree_file(&tree, "db/1/" WANTED);
	tree_file(&tree, "db/1/2/" WANTED);
	tree_file(&tree, "db/1/2/3/" WANTED);
	assert_walk(&tree, (struct walk_options){ .roots = alone, .n_roots = 1 },
	        "/db/1/" WANTED "\n/db/" WANTED "\n", "");
	const char *all =
	        "/db/1/2/3/" WANTED "\n/db/1/2/" WANTED "\n/db/1/" WANTED "\n/db/" WANTED "\n";
	assert_walk(&tree, (struct walk_options){ .roots = deeper, .n_roots = 2 }, all, "");
	assert_walk(&tree, (struct walk_options){ .roots = covered, .n_roots = 2 }, all, "");
	assert_walk(&tree, (struct walk_options){ .roots = nested, .n_roots = 2 },
	        "/db/1/2/" WANTED "\n/db/1/" WANTED "\n/db/" WANTED "\n", "");
	tree_fini(&tree);
}

static void test_walk__a_root_may_be_a_file(void **state)
{
	static const struct walk_root roots[] = { { .path = "/a/" WANTED, .is_named = true },
		{ .path = "/a/other", .is_named = true },
		{ .path = "/link/" WANTED, .is_named = true } };
	static const struct walk_root covered[] = { { .path = "/a/" WANTED, .is_named = true },
		{ .path = "/" } };
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "a/" WANTED);
	tree_file(&tree, "a/other");
	tree_file(&tree, "a/c/" WANTED);
	tree_link(&tree, "a", "link");
	assert_walk(&tree, (struct walk_options){ .roots = roots, .n_roots = 3 }, "/a/" WANTED "\n",
	        "policy /a/other: no reader wants a file of this name\n");
	assert_walk(&tree, (struct walk_options){ .roots = covered, .n_roots = 2 },
	        "/a/c/" WANTED "\n/a/" WANTED "\n", "");
	tree_fini(&tree);
}

static void test_walk__no_root_is_an_empty_walk(void **state)
{
	struct tree tree;
	struct walk_file *file = NULL;
	(void)state;
	tree_init(&tree);
	struct walk *walk = start(&tree, &whole, 0);
	struct pollfd pollfd = { walk_fd(walk), POLLIN, 0 };
	assert_int_equal(poll(&pollfd, 1, 60000), 1);
	assert_int_equal(walk_next(walk, &file), 0);
	walk_free(walk);
	walk_free(NULL);
	walk_file_free(NULL);
	tree_fini(&tree);
}

static void test_walk__it_can_be_stopped_while_its_threads_wait(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	for (unsigned i = 0; i < 400; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "%u/%u/" WANTED, i % 7, i);
		tree_file(&tree, path);
	}
	for (int i = 0; i < 20; i++) {
		struct walk *walk = start(&tree, &whole, 1);
		if (i % 2 == 0) {
			struct pollfd pollfd = { walk_fd(walk), POLLIN, 0 };
			assert_int_equal(poll(&pollfd, 1, 60000), 1);
		}
		walk_free(walk);
	}
	tree_fini(&tree);
}

static void test_walk__a_file_may_outlive_its_walk(void **state)
{
	struct tree tree;
	int fd = -1;
	uint64_t size, dev, ino;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "a/" WANTED);
	tree_file(&tree, "a/RECORD");
	struct walk *walk = start(&tree, &whole, 1);
	struct walk_file *file = next(walk);
	walk_free(walk);
	assert_true(str_eq(file->path, STR("/a/" WANTED)));
	assert_int_equal(walk_sibling(file, STR("RECORD"), &fd, &size, &dev, &ino), 0);
	(void)close(fd);
	walk_file_free(file);
	tree_fini(&tree);
}

static void check_siblings(const struct tree *tree)
{
	static const struct {
		const char *name;
		int r;
	} cases[] = {
		{ "RECORD", 0 },
		{ "info/list", 0 },
		{ "missing", -ENOENT },
		{ "info/missing", -ENOENT },
		{ "../outside", -EINVAL },
		{ "/etc/passwd", -EINVAL },
		{ "info/../RECORD", -EINVAL },
		{ "", -EINVAL },
		{ ".", -EINVAL },
		{ "./RECORD", -EINVAL },
		{ "info//list", -EINVAL },
		{ "info/", -EINVAL },
		{ "info", -EISDIR },
		{ "link", -ELOOP },
		{ "out/outside", -ELOOP },
		{ "pipe", -ENXIO },
		{ "RECORD/x", -ENOTDIR },
	};
	struct walk *walk = start(tree, &whole, 1);
	struct walk_file *file = next(walk);
	assert_non_null(file);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = -1;
		uint64_t size = 0, dev = 0, ino = 0;
		int r = walk_sibling(file, str_from_c(cases[i].name), &fd, &size, &dev, &ino);
		bool is_right = r == cases[i].r || (r == -ELOOP && cases[i].r == -ENOTDIR);
		if (!is_right)
			fail_msg("%s: %d, not %d", cases[i].name, r, cases[i].r);
		assert_int_equal(fd >= 0, r == 0);
		assert_int_equal(size, r == 0 ? 5 : 0);
		if (fd >= 0)
			(void)close(fd);
	}
	static const char nul[] = "RECORD\0x";
	int fd = -1;
	uint64_t size, dev, ino;
	assert_int_equal(
	        walk_sibling(file, (str){ nul, sizeof(nul) }, &fd, &size, &dev, &ino), -EINVAL);
	walk_file_free(file);
	walk_free(walk);
}

static bool check_siblings_by_hand(void *ctx)
{
	if (!hide_openat2())
		return false;
	check_siblings(ctx);
	return true;
}

static void test_walk__a_sibling_never_leaves_the_folder(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "outside");
	tree_file(&tree, "a/" WANTED);
	tree_file(&tree, "a/RECORD");
	tree_file(&tree, "a/info/list");
	tree_link(&tree, "RECORD", "a/link");
	tree_link(&tree, "..", "a/out");
	assert_int_equal(mkfifo(tree_at(&tree, "a/pipe"), 0644), 0);
	check_siblings(&tree);
	assert_int_equal(run_in_child(check_siblings_by_hand, &tree), 0);
	tree_fini(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk__a_wanted_file_comes_opened_with_its_tag_and_identity),
		cmocka_unit_test(test_walk__want_is_asked_with_a_folder_without_slash),
		cmocka_unit_test(
		        test_walk__a_large_tree_is_what_find_lists_with_any_number_of_threads),
		cmocka_unit_test(test_walk__every_wanted_file_of_a_large_tree_is_offered_once),
		cmocka_unit_test(test_walk__names_are_bytes),
		cmocka_unit_test(test_walk__a_path_longer_than_the_system_takes_is_read),
		cmocka_unit_test(test_walk__a_tree_deeper_than_the_limit_is_told),
		cmocka_unit_test(test_walk__a_folder_of_very_many_folders_is_read_in_parts),
		cmocka_unit_test(test_walk__links_to_folders_are_not_followed),
		cmocka_unit_test(test_walk__excluded_paths_are_told_and_not_entered),
		cmocka_unit_test(test_walk__container_storage_is_told_and_entered_only_when_named),
		cmocka_unit_test(test_walk__a_missing_root_is_a_failure_only_when_named),
		cmocka_unit_test(test_walk__a_link_as_root_is_followed_inside_the_root_folder),
		cmocka_unit_test(test_walk__roots_that_overlap_are_walked_once_under_the_first),
		cmocka_unit_test(
		        test_walk__a_root_below_an_excluded_or_stored_folder_is_still_walked),
		cmocka_unit_test(test_walk__a_shallow_root_goes_one_folder_down),
		cmocka_unit_test(test_walk__a_root_may_be_a_file),
		cmocka_unit_test(test_walk__no_root_is_an_empty_walk),
		cmocka_unit_test(test_walk__it_can_be_stopped_while_its_threads_wait),
		cmocka_unit_test(test_walk__each_root_is_counted_for_itself),
		cmocka_unit_test(test_walk__who_slows_it_down_is_asked_for_each_folder),
		cmocka_unit_test(test_walk__a_file_may_outlive_its_walk),
		cmocka_unit_test(test_walk__a_sibling_never_leaves_the_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
