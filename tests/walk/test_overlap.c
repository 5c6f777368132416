/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each test has mounts of its own: this process leaves the mount namespace it was started in.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "walk/tree.h"

/*
 * a, with a memory filesystem on a/x/mnt that hides a folder; b, the same folder as a, with one on
 * b/x/y/sub; t, a memory filesystem; d/e, a part of t; n, a kernel filesystem.
 */
static void mount_all(struct tree *tree)
{
	tree_init(tree);
	tree_file(tree, "a/x/" WANTED);
	tree_file(tree, "a/x/y/" WANTED);
	tree_file(tree, "a/x/mnt/hidden/" WANTED);
	tree_dir(tree, "a/x/y/sub");
	tree_dir(tree, "b");
	tree_dir(tree, "d/e");
	tree_dir(tree, "n");
	tree_file(tree, "t/under/" WANTED);
	assert_int_equal(mount(tree_at(tree, "a"), tree_at(tree, "b"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("tmpfs", tree_at(tree, "t"), "tmpfs", 0, NULL), 0);
	tree_file(tree, "t/q/" WANTED);
	tree_file(tree, "t/q/w/" WANTED);
	assert_int_equal(mount(tree_at(tree, "t/q"), tree_at(tree, "d/e"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("tmpfs", tree_at(tree, "a/x/mnt"), "tmpfs", 0, NULL), 0);
	tree_file(tree, "a/x/mnt/" WANTED);
	assert_int_equal(mount("tmpfs", tree_at(tree, "b/x/y/sub"), "tmpfs", 0, NULL), 0);
	tree_file(tree, "b/x/y/sub/" WANTED);
	assert_int_equal(mount("proc", tree_at(tree, "n"), "proc", 0, NULL), 0);
}

static void unmount_all(struct tree *tree)
{
	static const char *const places[] = { "r", "n", "b/x/y/sub", "a/x/mnt", "d/e", "t", "b" };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		(void)umount2(tree_at(tree, places[i]), MNT_DETACH);
	tree_fini(tree);
}

#define COPIES                                                                                     \
	"policy /b: the same folder is read at /a\npolicy /d/e: the same folder is read at /t/q\n"
#define KERNEL "policy /n: kernel filesystem: not entered\n"

static void test_overlap__each_folder_is_met_once_however_it_is_mounted(void **state)
{
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	mount_all(&tree);
	for (unsigned n = 1; n <= 4; n++)
		assert_walk(&tree, (struct walk_options){ .n_threads = n },
		        "/a/x/mnt/" WANTED "\n/a/x/" WANTED "\n/a/x/y/" WANTED
		        "\n/b/x/mnt/hidden/" WANTED "\n/b/x/y/sub/" WANTED "\n/t/q/w/" WANTED
		        "\n/t/q/" WANTED "\n",
		        COPIES KERNEL);
	unmount_all(&tree);
}

static void test_overlap__a_copy_is_read_where_the_original_is_not(void **state)
{
	static const struct walk_root copy = { .path = "/b", .is_named = true };
	static const struct walk_root above = { .path = "/d", .is_named = true };
	static const char *const excludes[] = { "/a" };
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	mount_all(&tree);
	assert_walk(&tree, (struct walk_options){ .roots = &copy, .n_roots = 1 },
	        "/b/x/mnt/hidden/" WANTED "\n/b/x/" WANTED "\n/b/x/y/sub/" WANTED "\n/b/x/y/" WANTED
	        "\n",
	        "");
	assert_walk(&tree, (struct walk_options){ .roots = &above, .n_roots = 1 },
	        "/d/e/w/" WANTED "\n/d/e/" WANTED "\n", "");
	assert_walk(&tree, (struct walk_options){ .excludes = excludes, .n_excludes = 1 },
	        "/b/x/mnt/hidden/" WANTED "\n/b/x/" WANTED "\n/b/x/y/sub/" WANTED "\n/b/x/y/" WANTED
	        "\n/t/q/w/" WANTED "\n/t/q/" WANTED "\n",
	        "policy /a: excluded\npolicy /d/e: the same folder is read at /t/q\n" KERNEL);
	unmount_all(&tree);
}

static void test_overlap__roots_may_be_copies_of_each_other(void **state)
{
	static const struct walk_root copy_first[] = { { .path = "/b" }, { .path = "/a" } };
	static const struct walk_root part_last[] = { { .path = "/" }, { .path = "/b/x" } };
	static const struct walk_root part_first[] = { { .path = "/b/x" }, { .path = "/" } };
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	mount_all(&tree);
	assert_walk(&tree, (struct walk_options){ .roots = copy_first, .n_roots = 2 },
	        "/a/x/mnt/" WANTED "\n/b/x/mnt/hidden/" WANTED "\n/b/x/" WANTED
	        "\n/b/x/y/sub/" WANTED "\n/b/x/y/" WANTED "\n",
	        "");
	assert_walk(&tree, (struct walk_options){ .roots = part_last, .n_roots = 2 },
	        "/a/x/mnt/" WANTED "\n/a/x/" WANTED "\n/a/x/y/" WANTED "\n/b/x/mnt/hidden/" WANTED
	        "\n/b/x/y/sub/" WANTED "\n/t/q/w/" WANTED "\n/t/q/" WANTED "\n",
	        COPIES KERNEL);
	assert_walk(&tree, (struct walk_options){ .roots = part_first, .n_roots = 2 },
	        "/a/x/mnt/" WANTED "\n/b/x/mnt/hidden/" WANTED "\n/b/x/" WANTED
	        "\n/b/x/y/sub/" WANTED "\n/b/x/y/" WANTED "\n/t/q/w/" WANTED "\n/t/q/" WANTED "\n",
	        "policy /a/x: the same folder is read at /b/x\n" COPIES KERNEL);
	unmount_all(&tree);
}

static void test_overlap__a_tree_mounted_into_itself_ends(void **state)
{
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	mount_all(&tree);
	tree_dir(&tree, "r");
	assert_int_equal(mount(tree.path, tree_at(&tree, "r"), NULL, MS_BIND | MS_REC, NULL), 0);
	assert_walk(&tree, (struct walk_options){ .n_threads = 2 },
	        "/a/x/mnt/" WANTED "\n/a/x/" WANTED "\n/a/x/y/" WANTED "\n/b/x/mnt/hidden/" WANTED
	        "\n/b/x/y/sub/" WANTED "\n/t/q/w/" WANTED "\n/t/q/" WANTED "\n",
	        COPIES KERNEL "policy /r/a/x/mnt: the same folder is read at /a/x/mnt\n"
	                      "policy /r/b/x/y/sub: the same folder is read at /b/x/y/sub\n"
	                      "policy /r/b: the same folder is read at /a\n"
	                      "policy /r/d/e: the same folder is read at /t/q\n"
	                      "policy /r/n: kernel filesystem: not entered\n"
	                      "policy /r/t: the same folder is read at /t\n"
	                      "policy /r: the same folder is read at /\n");
	unmount_all(&tree);
}

static void test_overlap__one_file_system_stays_on_that_of_each_root(void **state)
{
	static const struct walk_root roots[] = { { .path = "/a" }, { .path = "/t" } };
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	mount_all(&tree);
	assert_walk(&tree,
	        (struct walk_options){ .roots = roots, .n_roots = 2, .one_file_system = true },
	        "/a/x/" WANTED "\n/a/x/y/" WANTED "\n/t/q/w/" WANTED "\n/t/q/" WANTED "\n",
	        "policy /a/x/mnt: another filesystem: not entered with --one-file-system\n");
	unmount_all(&tree);
}

static void test_overlap__memory_filesystems_of_the_running_system_are_entered_when_named(
        void **state)
{
	static const struct walk_root unnamed = { .path = "/run/user" };
	static const struct walk_root named = { .path = "/run/user", .is_named = true };
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	tree_init(&tree);
	tree_dir(&tree, "run/user");
	tree_dir(&tree, "srv");
	assert_int_equal(mount("tmpfs", tree_at(&tree, "run"), "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", tree_at(&tree, "srv"), "tmpfs", 0, NULL), 0);
	tree_file(&tree, "run/user/1/" WANTED);
	tree_file(&tree, "srv/" WANTED);
	const char *why = "memory filesystem of the running system: not entered unless named\n";
	char skips[256];
	(void)snprintf(skips, sizeof(skips), "policy /run: %s", why);
	assert_walk(&tree, (struct walk_options){ .n_threads = 2 }, "/srv/" WANTED "\n", skips);
	(void)snprintf(skips, sizeof(skips), "policy /run/user: %s", why);
	assert_walk(&tree, (struct walk_options){ .roots = &unnamed, .n_roots = 1 }, "", skips);
	assert_walk(&tree, (struct walk_options){ .roots = &named, .n_roots = 1 },
	        "/run/user/1/" WANTED "\n", "");
	assert_int_equal(umount(tree_at(&tree, "run")), 0);
	assert_int_equal(umount(tree_at(&tree, "srv")), 0);
	tree_fini(&tree);
}

static void test_overlap__a_named_kernel_filesystem_is_entered(void **state)
{
	static const struct walk_root named = { .path = "/n/sys/kernel/random", .is_named = true };
	struct tree tree;
	struct outcome outcome;
	(void)state;
	if (!may_mount())
		skip();
	mount_all(&tree);
	outcome_run(&outcome, &tree, (struct walk_options){ .roots = &named, .n_roots = 1 });
	assert_int_equal(outcome.n_skips, 0);
	assert_int_equal(outcome.stats.directories, 1);
	assert_true(outcome.stats.files >= 4);
	outcome_fini(&outcome);
	unmount_all(&tree);
}

static void test_overlap__the_root_of_a_container_is_told_another_overlay_entered(void **state)
{
	struct tree tree;
	(void)state;
	if (!may_mount())
		skip();
	tree_init(&tree);
	tree_dir(&tree, "m"); /* an overlay's changes do not go on another overlay */
	assert_int_equal(mount("tmpfs", tree_at(&tree, "m"), "tmpfs", 0, NULL), 0);
	tree_file(&tree, "m/docker/overlay2/1/diff/" WANTED);
	tree_file(&tree, "m/layer/" WANTED);
	tree_dir(&tree, "m/up");
	tree_dir(&tree, "m/work");
	tree_dir(&tree, "view");
	tree_dir(&tree, "container/rootfs");
	char options[9000];
	(void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
	        tree_at(&tree, "m/layer"), tree_at(&tree, "m/up"), tree_at(&tree, "m/work"));
	if (mount("overlay", tree_at(&tree, "view"), "overlay", 0, options) < 0) {
		(void)umount(tree_at(&tree, "m"));
		tree_fini(&tree);
		print_message("skipped: a kernel with overlayfs\n");
		skip();
	}
	assert_int_equal(
	        mount("overlay", tree_at(&tree, "container/rootfs"), "overlay", MS_RDONLY, options),
	        0);
	assert_walk(&tree, (struct walk_options){ .n_threads = 2 },
	        "/m/layer/" WANTED "\n/view/" WANTED "\n",
	        "policy /container/rootfs: container root filesystem: scan it with --root\n"
	        "policy /m/docker/overlay2: container storage: scan it with --root\n");
	assert_int_equal(umount(tree_at(&tree, "container/rootfs")), 0);
	assert_int_equal(umount(tree_at(&tree, "view")), 0);
	assert_int_equal(umount(tree_at(&tree, "m")), 0);
	tree_fini(&tree);
}

/* A mount that comes up while the walk runs is not in its plan. */
static int mount_late(void *ctx, str dir, str name)
{
	const struct tree *tree = ctx;
	(void)dir;
	if (str_eq(name, STR("trigger"))) {
		assert_int_equal(mount("proc", tree_at(tree, "late"), "proc", 0, NULL), 0);
		assert_int_equal(mount("tmpfs", tree_at(tree, "disk"), "tmpfs", 0, NULL), 0);
		tree_file(tree, "disk/in/" WANTED);
	}
	return str_eq(name, STR(WANTED)) ? 1 : -1;
}

static char late[4][256];
static size_t n_late;

static void keep_late(void *ctx, enum walk_skip kind, str path, str reason)
{
	(void)ctx;
	assert_true(n_late < 4);
	(void)snprintf(late[n_late++], sizeof(late[0]), "%d " STR_FMT ": " STR_FMT, (int)kind,
	        STR_ARG(path), STR_ARG(reason));
}

static bool walk_late(void *ctx)
{
	struct outcome outcome;
	n_late = 0;
	outcome_run(&outcome, ctx,
	        (struct walk_options){
	                .n_threads = 1, .want = mount_late, .skip = keep_late, .ctx = ctx });
	bool is_good = outcome_has_files(&outcome, "/disk/in/" WANTED "\n") && n_late == 1 &&
	               strcmp(late[0], "0 /late: kernel filesystem: not entered") == 0;
	outcome_fini(&outcome);
	return is_good;
}

static bool walk_late_by_hand(void *ctx)
{
	return hide_openat2() && walk_late(ctx);
}

static void test_overlap__a_mount_that_comes_late_is_judged_when_it_is_met(void **state)
{
	bool (*const walks[])(void *) = { walk_late, walk_late_by_hand };
	(void)state;
	if (!may_mount())
		skip();
	for (size_t i = 0; i < 2; i++) {
		struct tree tree;
		tree_init(&tree);
		tree_dir(&tree, "late");
		tree_dir(&tree, "disk");
		tree_file(&tree, "trigger");
		assert_int_equal(run_in_child(walks[i], &tree), 0);
		assert_int_equal(umount(tree_at(&tree, "late")), 0);
		assert_int_equal(umount(tree_at(&tree, "disk")), 0);
		tree_fini(&tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlap__each_folder_is_met_once_however_it_is_mounted),
		cmocka_unit_test(test_overlap__a_copy_is_read_where_the_original_is_not),
		cmocka_unit_test(test_overlap__roots_may_be_copies_of_each_other),
		cmocka_unit_test(test_overlap__a_tree_mounted_into_itself_ends),
		cmocka_unit_test(test_overlap__one_file_system_stays_on_that_of_each_root),
		cmocka_unit_test(
		        test_overlap__memory_filesystems_of_the_running_system_are_entered_when_named),
		cmocka_unit_test(test_overlap__a_named_kernel_filesystem_is_entered),
		cmocka_unit_test(
		        test_overlap__the_root_of_a_container_is_told_another_overlay_entered),
		cmocka_unit_test(test_overlap__a_mount_that_comes_late_is_judged_when_it_is_met),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
