/* SPDX-License-Identifier: Apache-2.0 */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "walk/tree.h"

static const struct walk_options plain = { .n_threads = 2 };

static void make_socket(const struct tree *tree, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_at(tree, path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void test_visit__what_is_no_regular_file_is_told_and_never_opened(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "target");
	tree_dir(&tree, "fifo");
	tree_dir(&tree, "socket");
	tree_dir(&tree, "folder/" WANTED);
	assert_int_equal(mkfifo(tree_at(&tree, "fifo/" WANTED), 0644), 0);
	make_socket(&tree, "socket/" WANTED);
	tree_link(&tree, "../target", "link/" WANTED);
	tree_link(&tree, "nowhere", "dangling/" WANTED);
	assert_walk(&tree, plain, "",
	        "policy /dangling/" WANTED ": symbolic link: not followed\n"
	        "policy /fifo/" WANTED ": not a regular file: a FIFO\n"
	        "policy /link/" WANTED ": symbolic link: not followed\n"
	        "policy /socket/" WANTED ": not a regular file: a socket\n");
	tree_fini(&tree);
}

static void test_visit__a_device_is_told_and_never_opened(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	if (mknodat(tree.fd, WANTED, S_IFCHR | 0666, makedev(5, 0)) < 0) {
		print_message("skipped: the right to make a device (root)\n");
		tree_fini(&tree);
		skip();
	}
	assert_walk(&tree, plain, "", "policy /" WANTED ": not a regular file: a device\n");
	tree_fini(&tree);
}

/* What happens to a file between its listing and its opening: want() is called just there. */
struct race {
	const struct tree *tree;
	void (*happens)(const struct tree *tree);
	struct outcome *outcome;
};

static int want_and_race(void *ctx, str dir, str name)
{
	struct race *race = ctx;
	(void)dir;
	if (!str_eq(name, STR(WANTED)) && !str_eq(name, STR("trigger")))
		return -1;
	race->happens(race->tree);
	return str_eq(name, STR(WANTED)) ? 1 : -1;
}

static char skips[8][512];
static size_t n_skips;

static void keep_skip(void *ctx, enum walk_skip kind, str path, str reason)
{
	(void)ctx;
	assert_true(n_skips < 8);
	(void)snprintf(skips[n_skips++], sizeof(skips[0]), "%d " STR_FMT ": " STR_FMT, (int)kind,
	        STR_ARG(path), STR_ARG(reason));
}

static void assert_race(void (*prepare)(const struct tree *), void (*happens)(const struct tree *),
        const char *said)
{
	struct tree tree;
	struct outcome outcome;
	tree_init(&tree);
	prepare(&tree);
	struct race race = { .tree = &tree, .happens = happens };
	n_skips = 0;
	outcome_run(&outcome, &tree,
	        (struct walk_options){
	                .n_threads = 1, .want = want_and_race, .skip = keep_skip, .ctx = &race });
	assert_int_equal(outcome.n_files, 0);
	assert_int_equal(n_skips, said != NULL);
	if (said)
		assert_string_equal(skips[0], said);
	outcome_fini(&outcome);
	tree_fini(&tree);
}

static void file_at_top(const struct tree *tree)
{
	tree_file(tree, WANTED);
}

static void remove_it(const struct tree *tree)
{
	assert_int_equal(unlinkat(tree->fd, WANTED, 0), 0);
}

static void make_it_a_fifo(const struct tree *tree)
{
	remove_it(tree);
	assert_int_equal(mkfifoat(tree->fd, WANTED, 0644), 0);
}

static void make_it_a_link(const struct tree *tree)
{
	remove_it(tree);
	assert_int_equal(symlinkat("/etc/passwd", tree->fd, WANTED), 0);
}

static void make_it_a_folder(const struct tree *tree)
{
	remove_it(tree);
	assert_int_equal(mkdirat(tree->fd, WANTED, 0755), 0);
}

static void make_it_a_socket(const struct tree *tree)
{
	remove_it(tree);
	make_socket(tree, WANTED);
}

static void test_visit__a_file_that_changes_before_it_is_opened_is_told(void **state)
{
	static const char replaced[] =
	        "0 /" WANTED ": replaced during the walk: not a regular file any more";
	(void)state;
	assert_race(file_at_top, remove_it, "0 /" WANTED ": vanished during the walk");
	assert_race(file_at_top, make_it_a_fifo, replaced);
	assert_race(file_at_top, make_it_a_link, replaced);
	assert_race(file_at_top, make_it_a_folder, replaced);
	assert_race(file_at_top, make_it_a_socket, replaced);
}

static void folder_and_trigger(const struct tree *tree)
{
	tree_dir(tree, "folder");
	tree_file(tree, "trigger");
}

static void remove_folder(const struct tree *tree)
{
	assert_int_equal(unlinkat(tree->fd, "folder", AT_REMOVEDIR), 0);
}

static void make_folder_a_link(const struct tree *tree)
{
	remove_folder(tree);
	assert_int_equal(symlinkat("/etc", tree->fd, "folder"), 0);
}

static void make_folder_a_fifo(const struct tree *tree)
{
	remove_folder(tree);
	assert_int_equal(mkfifoat(tree->fd, "folder", 0644), 0);
}

static void test_visit__a_folder_that_changes_before_it_is_opened_is_told(void **state)
{
	static const char replaced[] = "0 /folder: replaced during the walk: a folder no more";
	(void)state;
	assert_race(folder_and_trigger, remove_folder, "0 /folder: vanished during the walk");
	assert_race(folder_and_trigger, make_folder_a_link, replaced);
	assert_race(folder_and_trigger, make_folder_a_fifo, replaced);
}

static bool walk_as_nobody(void *ctx)
{
	struct tree *tree = ctx;
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return false;
	struct outcome outcome;
	outcome_run(&outcome, tree, plain);
	bool is_good = outcome_has_files(&outcome, "/open/" WANTED "\n") &&
	               outcome_has_skips(&outcome,
	                       "failure /closed: cannot open this folder: Permission denied\n"
	                       "failure /open/inner/" WANTED
	                       ": cannot open this file: Permission denied\n");
	outcome_fini(&outcome);
	return is_good;
}

static void test_visit__what_cannot_be_read_is_a_failure_and_the_rest_is_read(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "closed/" WANTED);
	tree_file(&tree, "open/" WANTED);
	tree_file(&tree, "open/inner/" WANTED);
	assert_int_equal(chmod(tree_at(&tree, "closed"), 0), 0);
	assert_int_equal(chmod(tree_at(&tree, "open/inner/" WANTED), 0), 0);
	assert_int_equal(run_in_child(walk_as_nobody, &tree), 0);
	assert_int_equal(chmod(tree_at(&tree, "closed"), 0755), 0);
	tree_fini(&tree);
}

static char *deep_lines;

/* A folder at each of 90 levels, with brothers: more to keep open than there are descriptors. */
static void make_deep(const struct tree *tree)
{
	char path[1024] = "";
	size_t n = 0;
	char *lines[270];
	size_t n_lines = 0;
	for (int i = 0; i < 90; i++) {
		static const char *const brothers[] = { "a", "b", "c" };
		for (int k = 0; k < 3; k++) {
			char file[1100];
			(void)snprintf(file, sizeof(file), "%s%s/%s", path, brothers[k], WANTED);
			tree_file(tree, file);
			assert_true(asprintf(&lines[n_lines++], "/%s\n", file) > 0);
		}
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s/", i % 2 ? "b" : "a");
	}
	size_t size = 1;
	for (size_t i = 0; i < n_lines; i++)
		size += strlen(lines[i]);
	deep_lines = calloc(size, 1);
	for (size_t i = 0, at = 0; i < n_lines; i++) {
		size_t length = strlen(lines[i]);
		memcpy(deep_lines + at, lines[i], length);
		at += length;
		free(lines[i]);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(char *lines)
{
	char *list[512];
	size_t n = 0, size = strlen(lines);
	for (char *p = lines; *p;) {
		char *end = strchr(p, '\n');
		list[n++] = strndup(p, (size_t)(end - p) + 1);
		p = end + 1;
	}
	qsort(list, n, sizeof(list[0]), compare_lines);
	for (size_t i = 0, at = 0; i < n && at < size; i++) {
		/* Compared without their ends, as the walk's are. */
		size_t length = strlen(list[i]);
		memcpy(lines + at, list[i], length);
		at += length;
		free(list[i]);
	}
}

static bool walk_with_few_descriptors(void *ctx)
{
	struct rlimit few = { 40, 40 };
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		return false;
	bool is_good = true;
	for (unsigned n = 1; n <= 4; n += 3) {
		struct outcome outcome;
		outcome_run(&outcome, ctx, (struct walk_options){ .n_threads = n });
		is_good = is_good && outcome_has_skips(&outcome, "") && outcome.n_files == 270 &&
		          outcome_has_files(&outcome, deep_lines);
		outcome_fini(&outcome);
	}
	return is_good;
}

static void test_visit__a_deep_tree_needs_no_descriptor_for_each_level(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	make_deep(&tree);
	sort_lines(deep_lines);
	assert_int_equal(run_in_child(walk_with_few_descriptors, &tree), 0);
	free(deep_lines);
	tree_fini(&tree);
}

static bool walk_without_openat2(void *ctx)
{
	if (!hide_openat2())
		return false;
	struct outcome outcome;
	outcome_run(&outcome, ctx, plain);
	bool is_good = outcome_has_files(&outcome, "/a/b/" WANTED "\n/a/" WANTED "\n") &&
	               outcome_has_skips(&outcome, "");
	outcome_fini(&outcome);
	return is_good;
}

static void test_visit__a_kernel_without_openat2_walks_the_same(void **state)
{
	struct tree tree;
	(void)state;
	tree_init(&tree);
	tree_file(&tree, "a/b/" WANTED);
	tree_file(&tree, "a/" WANTED);
	tree_link(&tree, "a", "link");
	assert_int_equal(run_in_child(walk_without_openat2, &tree), 0);
	tree_fini(&tree);
}

static void test_visit__a_filesystem_that_tells_no_types_is_read_the_same(void **state)
{
	struct tree tree;
	char command[9000];
	(void)state;
	if (!may_mount())
		skip();
	tree_init(&tree);
	tree_dir(&tree, "disk");
	(void)snprintf(command, sizeof(command),
	        "PATH=$PATH:/sbin:/usr/sbin; cd '%s' && truncate -s 8M image && "
	        "mkfs.ext4 -q -O ^filetype image && mount -o loop image disk && rmdir "
	        "disk/lost+found",
	        tree.path);
	if (system(command) != 0) {
		tree_fini(&tree);
		print_message("skipped: mkfs.ext4 and a loop device\n");
		skip();
	}
	tree_file(&tree, "disk/a/b/" WANTED);
	tree_dir(&tree, "disk/fifo");
	assert_int_equal(mkfifo(tree_at(&tree, "disk/fifo/" WANTED), 0644), 0);
	assert_walk(&tree, plain, "/disk/a/b/" WANTED "\n",
	        "policy /disk/fifo/" WANTED ": not a regular file: a FIFO\n");
	assert_int_equal(umount(tree_at(&tree, "disk")), 0);
	tree_fini(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visit__what_is_no_regular_file_is_told_and_never_opened),
		cmocka_unit_test(test_visit__a_device_is_told_and_never_opened),
		cmocka_unit_test(test_visit__a_file_that_changes_before_it_is_opened_is_told),
		cmocka_unit_test(test_visit__a_folder_that_changes_before_it_is_opened_is_told),
		cmocka_unit_test(test_visit__what_cannot_be_read_is_a_failure_and_the_rest_is_read),
		cmocka_unit_test(test_visit__a_deep_tree_needs_no_descriptor_for_each_level),
		cmocka_unit_test(test_visit__a_kernel_without_openat2_walks_the_same),
		cmocka_unit_test(test_visit__a_filesystem_that_tells_no_types_is_read_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
