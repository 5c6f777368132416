/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "walk/root.h"
#include "walk/tree.h"

static void assert_real(const struct tree *tree, const char *path, const char *expected)
{
	autobuf real = BUF(0);
	autoclose int fd = root_open(tree->fd, str_from_c(path), O_PATH, &real);
	if (fd < 0)
		fail_msg("%s: %d", path, fd);
	assert_true(str_eq(buf_str(&real), str_from_c(expected)));
}

static int open_by_hand(const struct tree *tree, const char *path, int flags)
{
	return root_open(tree->fd, str_from_c(path), flags, NULL);
}

static void make_links(struct tree *tree)
{
	tree_init(tree);
	tree_file(tree, "usr/lib/file");
	tree_file(tree, "etc/passwd");
	tree_link(tree, "usr/lib", "lib");
	tree_link(tree, "/lib", "usr/back");
	tree_link(tree, "../../../../etc", "usr/lib/up");
	tree_link(tree, "loop", "loop");
	tree_link(tree, "/", "usr/lib/root");
	tree_link(tree, "missing/x", "dangling");
}

static void test_root__links_stay_inside(void **state)
{
	struct tree tree;
	(void)state;
	make_links(&tree);
	assert_real(&tree, "/", "");
	assert_real(&tree, "", "");
	assert_real(&tree, "/../..", "");
	assert_real(&tree, "//usr/./lib//", "/usr/lib");
	assert_real(&tree, "/lib/file", "/usr/lib/file");
	assert_real(&tree, "/usr/back/up/passwd", "/etc/passwd");
	assert_real(&tree, "/usr/lib/root/lib/../lib/file", "/usr/lib/file");
	assert_real(&tree, "/lib/../lib/file", "/usr/lib/file"); /* ".." of where the link leads */
	tree_fini(&tree);
}

static void test_root__what_does_not_resolve_has_its_class(void **state)
{
	struct tree tree;
	(void)state;
	make_links(&tree);
	assert_int_equal(open_by_hand(&tree, "/missing", O_PATH), -ENOENT);
	assert_int_equal(open_by_hand(&tree, "/dangling", O_PATH), -ENOENT);
	assert_int_equal(open_by_hand(&tree, "/loop", O_PATH), -ELOOP);
	assert_int_equal(open_by_hand(&tree, "/etc/passwd/x", O_PATH), -ENOTDIR);
	assert_int_equal(open_by_hand(&tree, "/etc/passwd/", O_PATH), -ENOTDIR);
	assert_int_equal(open_by_hand(&tree, "/etc/passwd", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	char name[300];
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(open_by_hand(&tree, name, O_PATH), -ENAMETOOLONG);
	assert_int_equal(root_open(tree.fd, (str){ "a\0b", 3 }, O_PATH, NULL), -EINVAL);
	tree_fini(&tree);
}

static void test_root__a_link_at_the_end_can_be_opened_itself(void **state)
{
	struct tree tree;
	struct stat st;
	(void)state;
	make_links(&tree);
	autoclose int fd = open_by_hand(&tree, "/usr/back", O_PATH | O_NOFOLLOW);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	tree_fini(&tree);
}

static void test_root__identify_tells_links_to_the_same_file(void **state)
{
	struct tree tree;
	uint64_t dev[3], ino[3];
	(void)state;
	make_links(&tree);
	assert_int_equal(walk_identify(tree.fd, "/usr/lib/file", &dev[0], &ino[0]), 0);
	assert_int_equal(walk_identify(tree.fd, "/lib/file", &dev[1], &ino[1]), 0);
	assert_int_equal(walk_identify(tree.fd, "/etc/passwd", &dev[2], &ino[2]), 0);
	assert_int_equal(dev[0], dev[1]);
	assert_int_equal(ino[0], ino[1]);
	assert_true(ino[0] != ino[2]);
	assert_int_equal(walk_identify(tree.fd, "/loop", &dev[0], &ino[0]), -ELOOP);
	assert_int_equal(walk_identify(tree.fd, "/nothing", &dev[0], &ino[0]), -ENOENT);
	tree_fini(&tree);
}

/* A small tree of folders, files and links that point anywhere, all of few names so that paths hit.
 */
static void make_random(struct tree *tree, unsigned *seed)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	static const char *const targets[] = { "a", "b/c", "../a", "/a/b", "..", "/", "../../../b",
		"./c/.", "d/", "/c/../a" };
	tree_init(tree);
	for (int i = 0; i < 40; i++) {
		char path[64] = "";
		size_t n = 0;
		for (unsigned depth = (unsigned)rand_r(seed) % 4 + 1; depth > 0; depth--)
			n += (size_t)snprintf(
			        path + n, sizeof(path) - n, "/%s", names[rand_r(seed) % 4]);
		const char *full = tree_at(tree, path);
		switch (rand_r(seed) % 4) {
		case 0: (void)!symlink(targets[rand_r(seed) % 10], full); break;
		case 1: (void)mknod(full, S_IFREG | 0644, 0); break;
		default: (void)mkdir(full, 0755); break;
		}
	}
}

static void test_root__by_hand_and_by_the_kernel_is_the_same(void **state)
{
	static const char *const parts[] = { "a", "b", "c", "d", "..", ".", "" };
	unsigned seed = 77, n_found = 0;
	(void)state;
	for (int t = 0; t < 25; t++) {
		struct tree tree;
		make_random(&tree, &seed);
		int probe = root_openat2(tree.fd, ".", O_PATH, RESOLVE_IN_ROOT);
		if (root_lacks_openat2(probe)) {
			tree_fini(&tree);
			print_message("skipped: a kernel with openat2\n");
			skip();
		}
		(void)close(probe);
		for (int i = 0; i < 400; i++) {
			char path[64] = "/";
			size_t n = 1;
			for (unsigned k = (unsigned)rand_r(&seed) % 6; k > 0; k--)
				n += (size_t)snprintf(path + n, sizeof(path) - n, "%s/",
				        parts[rand_r(&seed) % 7]);
			if (rand_r(&seed) % 4 != 0)
				path[n > 1 ? n - 1 : 1] = '\0';
			int flags = O_PATH | (rand_r(&seed) % 3 == 0 ? O_NOFOLLOW : 0) |
			            (rand_r(&seed) % 3 == 0 ? O_DIRECTORY : 0);
			struct stat x = { 0 }, y = { 0 };
			autoclose int kernel = root_openat2(tree.fd, path, flags, RESOLVE_IN_ROOT);
			autoclose int hand = open_by_hand(&tree, path, flags);
			if ((kernel < 0) != (hand < 0) || (kernel < 0 && kernel != hand))
				fail_msg("%s flags %x: kernel %d, hand %d", path, (unsigned)flags,
				        kernel, hand);
			if (kernel < 0)
				continue;
			n_found++;
			assert_int_equal(fstat(kernel, &x), 0);
			assert_int_equal(fstat(hand, &y), 0);
			if (x.st_ino != y.st_ino || x.st_dev != y.st_dev)
				fail_msg("%s: two files", path);
		}
		tree_fini(&tree);
	}
	assert_true(n_found > 1000);
}

static bool open_without_openat2(void *ctx)
{
	const struct tree *tree = ctx;
	if (!hide_openat2())
		return false;
	autoclose int fd = walk_open_in_root(tree->fd, "/usr/back/up/passwd", O_RDONLY);
	char bytes[8];
	return fd >= 0 && read(fd, bytes, sizeof(bytes)) == 5 &&
	       (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void test_root__a_kernel_without_openat2_resolves_the_same(void **state)
{
	struct tree tree;
	(void)state;
	make_links(&tree);
	autoclose int fd = walk_open_in_root(tree.fd, "/usr/back/up/passwd", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(run_in_child(open_without_openat2, &tree), 0);
	tree_fini(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root__links_stay_inside),
		cmocka_unit_test(test_root__what_does_not_resolve_has_its_class),
		cmocka_unit_test(test_root__a_link_at_the_end_can_be_opened_itself),
		cmocka_unit_test(test_root__identify_tells_links_to_the_same_file),
		cmocka_unit_test(test_root__by_hand_and_by_the_kernel_is_the_same),
		cmocka_unit_test(test_root__a_kernel_without_openat2_resolves_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
