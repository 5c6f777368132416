/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "walk/mounts.h"

static const char host[] =
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 0:5 / /proc rw,nosuid shared:12 - proc proc rw\n"
        "3 1 8:2 / /home rw shared:1 master:2 propagate_from:3 - xfs /dev/sda2 rw\n"
        "4 3 0:40 / /home/u/nfs rw - nfs4 server:/x rw,addr=1.2.3.4\n"
        "5 1 8:1 /srv/a /mnt/b\\040c\\134d\\011\\012\\043 rw - ext4 /dev/sda1 rw\n"
        "6 1 0:41 / /mnt/disk rw - tmpfs tmpfs rw\n"
        "7 6 8:3 /sub /mnt/disk/inner rw - btrfs /dev/sdb rw,subvol=/sub\n"
        "8 1 0:42 / /run rw - tmpfs tmpfs rw\n";

static struct mounts parse(struct arena *arena, const char *text, const char *root)
{
	struct mounts mounts = { 0 };
	assert_int_equal(mounts_parse(str_from_c(text), str_from_c(root), arena, &mounts), 0);
	return mounts;
}

static const struct mount *find(const struct mounts *mounts, const char *path)
{
	size_t i = mounts_find(mounts, str_from_c(path));
	assert_true(i < mounts->n);
	return &mounts->mounts[i];
}

static void test_mounts__a_path_lies_in_the_innermost_mount(void **state)
{
	struct arena arena = ARENA(1u << 20);
	struct mounts mounts = parse(&arena, host, "/");
	(void)state;
	assert_int_equal(mounts.n, 8);
	assert_int_equal(find(&mounts, "")->id, 1);
	assert_int_equal(find(&mounts, "/usr/lib")->id, 1);
	assert_int_equal(find(&mounts, "/homes")->id, 1);
	assert_int_equal(find(&mounts, "/home")->id, 3);
	assert_int_equal(find(&mounts, "/home/u")->id, 3);
	assert_int_equal(find(&mounts, "/home/u/nfs/deep/er")->id, 4);
	assert_int_equal(find(&mounts, "/mnt/disk/inner/x")->id, 7);
	arena_fini(&arena);
}

static void test_mounts__fields_are_read_and_unescaped(void **state)
{
	struct arena arena = ARENA(1u << 20);
	struct mounts mounts = parse(&arena, host, "/");
	(void)state;
	const struct mount *m = find(&mounts, "/mnt/b c\\d\t\n#/x");
	assert_int_equal(m->id, 5);
	assert_int_equal(m->dev, makedev(8, 1));
	assert_true(str_eq(m->root, STR("/srv/a")));
	assert_true(str_eq(m->path, STR("/mnt/b c\\d\t\n#")));
	assert_null(m->why);
	m = find(&mounts, "/home");
	assert_true(str_eq(m->type, STR("xfs")));
	assert_true(str_eq(m->root, STR("")));
	assert_null(m->why);
	assert_string_equal(
	        find(&mounts, "/home/u/nfs")->why, "network filesystem: not entered unless named");
	assert_string_equal(find(&mounts, "/proc")->why, "kernel filesystem: not entered");
	assert_null(find(&mounts, "/mnt/disk")->why);
	assert_non_null(find(&mounts, "/run")->why);
	arena_fini(&arena);
}

static void test_mounts__another_root_folder_sees_what_is_below_it(void **state)
{
	struct arena arena = ARENA(1u << 20);
	struct mounts mounts = parse(&arena, host, "/mnt/disk");
	(void)state;
	assert_int_equal(mounts.n, 2);
	assert_int_equal(find(&mounts, "")->id, 6);
	assert_int_equal(find(&mounts, "/inner/x")->id, 7);
	assert_true(str_eq(find(&mounts, "/inner")->path, STR("/inner")));

	mounts = parse(&arena, host, "/home/u");
	assert_int_equal(mounts.n, 2);
	assert_true(str_eq(find(&mounts, "/x")->root, STR("/u")));
	assert_int_equal(find(&mounts, "/nfs")->id, 4);

	/* A root folder is entered whatever its own filesystem. */
	mounts = parse(&arena, host, "/home/u/nfs/x");
	assert_int_equal(mounts.n, 1);
	assert_null(find(&mounts, "")->why);
	arena_fini(&arena);
}

static void test_mounts__a_hidden_mount_is_never_the_answer(void **state)
{
	static const char text[] = "1 0 8:1 / / rw - ext4 x rw\n"
	                           "2 1 8:2 / /a rw - ext4 x rw\n"
	                           "3 2 8:3 / /a/b rw - ext4 x rw\n"
	                           "4 2 8:4 / /a rw - ext4 x rw\n" /* over /a: /a/b is gone */
	                           "5 1 8:5 / /c rw - ext4 x rw\n"
	                           "6 5 8:6 / /c rw - ext4 x rw\n"
	                           "7 6 8:7 / /c rw - ext4 x rw\n"; /* three deep */
	struct arena arena = ARENA(1u << 20);
	struct mounts mounts = parse(&arena, text, "/");
	(void)state;
	assert_int_equal(find(&mounts, "/a/b/x")->id, 4);
	assert_int_equal(find(&mounts, "/c")->id, 7);
	for (size_t i = 0; i < mounts.n; i++)
		assert_true(mounts.mounts[i].id != 3 && mounts.mounts[i].id != 2 &&
		            mounts.mounts[i].id != 5);
	arena_fini(&arena);
}

static void test_mounts__a_table_without_its_root_is_read_as_in_a_chroot(void **state)
{
	static const char text[] = "30 29 0:5 / /proc rw - proc proc rw\n"
	                           "31 29 8:2 / /data rw - ext4 x rw\n";
	struct arena arena = ARENA(1u << 20);
	struct mounts mounts = parse(&arena, text, "/");
	(void)state;
	assert_int_equal(find(&mounts, "/proc/1")->id, 30);
	assert_int_equal(find(&mounts, "/data/x")->id, 31);
	assert_null(find(&mounts, "/usr")->why);
	assert_true(mounts_find(&mounts, STR("/usr")) == 0);
	arena_fini(&arena);
}

static void test_mounts__damaged_lines_are_passed_over(void **state)
{
	static const char text[] =
	        "\n-\n1\n1 0\n1 0 8:1\n1 0 8-1 / / rw - ext4 x rw\nx 0 8:1 / / rw - ext4 x rw\n"
	        "1 0 8:1 / relative rw - ext4 x rw\n"
	        "1 0 8:1 / / rw shared:1\n"
	        "99999999999999999999 0 8:1 / / rw - ext4 x rw\n"
	        "1 0 8:1 / / rw - ext4 x rw\n"
	        "2 2 8:2 / /self rw - ext4 x rw\n"
	        "3 1 8:3 / /odd\\04\\9 rw - ext4";
	struct arena arena = ARENA(1u << 20);
	struct mounts mounts = parse(&arena, text, "/");
	(void)state;
	assert_int_equal(find(&mounts, "/usr")->id, 1);
	assert_int_equal(find(&mounts, "/odd\\04\\9")->id, 3);
	mounts = parse(&arena, "", "/");
	assert_int_equal(mounts.n, 1);
	assert_int_equal(mounts_find(&mounts, STR("/x")), 0);
	assert_true(mounts_find(&(struct mounts){ 0 }, STR("")) == MOUNTS_NONE);
	arena_fini(&arena);
}

static void test_mounts__a_full_arena_is_a_limit(void **state)
{
	struct arena arena = ARENA(256);
	struct mounts mounts;
	(void)state;
	assert_int_equal(mounts_parse(str_from_c(host), STR("/"), &arena, &mounts), -ERR_LIMIT);
	arena_fini(&arena);
}

static void test_mounts__filesystems_are_judged_by_type_place_and_layers(void **state)
{
	static const struct {
		const char *type, *path, *options, *why;
	} cases[] = {
		{ "ext4", "/", "rw", NULL },
		{ "zfs", "/tank", "rw", NULL },
		{ "squashfs", "/snap/core/1", "ro", NULL },
		{ "invented", "/x", "rw", NULL },
		{ "tmpfs", "/tmp", "rw", NULL },
		{ "tmpfs", "/runner", "rw", NULL },
		{ "tmpfs", "/run/user/0", "rw", "memory" },
		{ "tmpfs", "/dev/shm", "rw", "memory" },
		{ "ramfs", "/run/credentials", "rw", "memory" },
		{ "sysfs", "/sys", "rw", "kernel" },
		{ "cgroup2", "/sys/fs/cgroup", "rw", "kernel" },
		{ "cifs", "/mnt", "rw", "network" },
		{ "autofs", "/net", "rw", "network" },
		{ "9p", "/mnt/c", "rw", "network" },
		{ "fuse.sshfs", "/mnt", "rw", "FUSE" },
		{ "fuseblk", "/mnt", "rw", "FUSE" },
		{ "overlay", "/usr", "ro,lowerdir=/run/extensions/a/usr:/usr", NULL },
		{ "overlay", "/x", "rw,lowerdir=/var/lib/docker/overlay2/l/A:/b,upperdir=/c",
		        "container" },
		{ "overlay", "/x", "rw,lowerdir=/a,upperdir=/big/docker/overlay2/1/diff",
		        "container" },
		{ "overlay", "/big/storage/1/merged", "rw,lowerdir=l/A", "container" },
		{ "overlay", "/run/containerd/x/rootfs", "rw,lowerdir=/l", "container" },
		{ "overlay", "/etc", "rw,workdir=/var/lib/docker/overlay2/1", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = mounts_why_not(str_from_c(cases[i].type),
		        str_from_c(cases[i].path), str_from_c(cases[i].options));
		if (!why != !cases[i].why ||
		        (why && strncmp(why, cases[i].why, strlen(cases[i].why)) != 0))
			fail_msg("%s on %s: %s", cases[i].type, cases[i].path,
			        why ? why : "entered");
	}
}

static void test_mounts__numbers_of_filesystems_say_the_same_as_names(void **state)
{
	(void)state;
	assert_null(mounts_why_not_magic(0xef53, STR("/x")));
	assert_null(mounts_why_not_magic(0, STR("/x")));
	assert_null(mounts_why_not_magic(0x01021994, STR("/tmp")));
	assert_non_null(mounts_why_not_magic(0x01021994, STR("/run/x")));
	assert_string_equal(
	        mounts_why_not_magic(0x9fa0, STR("/x")), "kernel filesystem: not entered");
	assert_string_equal(mounts_why_not_magic(0x6969, STR("/x")),
	        "network filesystem: not entered unless named");
	/* f_type is a signed number on some machines. */
	assert_non_null(mounts_why_not_magic((uint64_t)(int64_t)(int32_t)0xff534d42, STR("/x")));
	assert_non_null(mounts_why_not_magic(0x794c7630, STR("/x/merged")));
	assert_null(mounts_why_not_magic(0x794c7630, STR("/usr")));
}

static void test_mounts__many_mounts_are_found_quickly(void **state)
{
	enum { N = 15000 };
	struct arena arena = ARENA(64u << 20);
	char *text = malloc(N * 80);
	size_t n = (size_t)snprintf(text, 80, "1 0 8:1 / / rw - ext4 x rw\n");
	(void)state;
	for (unsigned i = 0; i < N; i++)
		n += (size_t)snprintf(
		        text + n, 80, "%u 1 8:%u / /m/%u rw - ext4 x rw\n", i + 2, i % 7 + 2, i);
	struct mounts mounts = parse(&arena, text, "/");
	assert_int_equal(mounts.n, N + 1);
	assert_int_equal(find(&mounts, "/m/14999/x")->id, 15001);
	free(text);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts__a_path_lies_in_the_innermost_mount),
		cmocka_unit_test(test_mounts__fields_are_read_and_unescaped),
		cmocka_unit_test(test_mounts__another_root_folder_sees_what_is_below_it),
		cmocka_unit_test(test_mounts__a_hidden_mount_is_never_the_answer),
		cmocka_unit_test(test_mounts__a_table_without_its_root_is_read_as_in_a_chroot),
		cmocka_unit_test(test_mounts__damaged_lines_are_passed_over),
		cmocka_unit_test(test_mounts__a_full_arena_is_a_limit),
		cmocka_unit_test(test_mounts__filesystems_are_judged_by_type_place_and_layers),
		cmocka_unit_test(test_mounts__numbers_of_filesystems_say_the_same_as_names),
		cmocka_unit_test(test_mounts__many_mounts_are_found_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
