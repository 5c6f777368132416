/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"

static char folder[] = "/tmp/sonde-test-fs-XXXXXX";
static int dir_fd;

static int setup(void **state)
{
	(void)state;
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	if (!mkdtemp(folder))
		return -1;
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)close(dir_fd);
	return fs_remove_tree(AT_FDCWD, folder);
}

static const char *below(const char *name)
{
	static char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static unsigned count_entries(void)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 2;
}

static void test_fs__a_file_is_replaced_and_read_back(void **state)
{
	(void)state;
	struct err err = { 0 };
	autobuf text = BUF(100);
	assert_int_equal(fs_replace(dir_fd, "a", STR("old"), 0600, &err), 0);
	assert_int_equal(fs_replace(dir_fd, "a", STR("new\0bytes"), 0600, &err), 0);
	assert_int_equal(fs_read(dir_fd, "a", &text, &err), 0);
	assert_true(str_eq(buf_str(&text), STR("new\0bytes")));
	assert_int_equal(count_entries(), 1);
	struct stat st;
	assert_int_equal(fstatat(dir_fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void put(const char *name)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void test_fs__what_was_cut_off_is_swept_away_and_nothing_else(void **state)
{
	(void)state;
	static const char *const stay[] = { "a.0123456789abcdef.new", ".a.0123456789abcde.new",
		".a.0123456789abcdeg.new", ".0123456789abcdef.new", ".a.0123456789ABCDEF.new",
		".a.0123456789abcdef.old", ".new", "new" };
	size_t n = sizeof(stay) / sizeof(stay[0]);
	for (size_t i = 0; i < n; i++)
		put(stay[i]);
	put(".a.0123456789abcdef.new");
	put(".key.pem.ffffffffffffffff.new");
	assert_int_equal(fs_sweep(dir_fd), 0);
	assert_int_equal(count_entries(), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(unlinkat(dir_fd, stay[i], 0), 0);
	assert_int_equal(fs_sweep(-1), -EBADF);
}

static void test_fs__a_file_is_replaced_by_its_whole_path(void **state)
{
	(void)state;
	struct err err = { 0 };
	autobuf text = BUF(100);
	assert_int_equal(fs_replace_path(below("a"), STR("old"), 0600, &err), 0);
	assert_int_equal(fs_replace_path(below("a"), STR("new"), 0600, &err), 0);
	assert_int_equal(fs_read(dir_fd, "a", &text, &err), 0);
	assert_true(str_eq(buf_str(&text), STR("new")));
	assert_int_equal(count_entries(), 1);
	assert_int_equal(fs_replace_path(below("none/a"), STR("new"), 0600, &err), -ENOENT);
	assert_int_equal(fs_replace_path(below("a/"), STR("new"), 0600, &err), -EINVAL);
}

static void test_fs__reading_appends(void **state)
{
	(void)state;
	autobuf text = BUF(100);
	assert_int_equal(fs_replace(dir_fd, "a", STR("tail"), 0600, NULL), 0);
	buf_add(&text, STR("head-"));
	assert_int_equal(fs_read(dir_fd, "a", &text, NULL), 0);
	assert_true(str_eq(buf_str(&text), STR("head-tail")));
}

static void test_fs__a_file_may_be_as_large_as_the_buffer_and_no_larger(void **state)
{
	(void)state;
	struct err err = { 0 };
	autobuf exact = BUF(4), small = BUF(3), none = BUF(0);
	assert_int_equal(fs_replace(dir_fd, "a", STR("1234"), 0600, NULL), 0);
	assert_int_equal(fs_replace(dir_fd, "empty", STR(""), 0600, NULL), 0);
	assert_int_equal(fs_read(dir_fd, "a", &exact, &err), 0);
	assert_int_equal(fs_read(dir_fd, "a", &small, &err), -ERR_LIMIT);
	assert_string_equal(err.text, "a: larger than 3 bytes");
	assert_int_equal(fs_read(dir_fd, "empty", &none, &err), 0);
}

static void test_fs__what_cannot_be_read_is_told(void **state)
{
	(void)state;
	struct err err = { 0 };
	autobuf text = BUF(100);
	assert_int_equal(fs_read(dir_fd, "missing", &text, &err), -ENOENT);
	assert_string_equal(err.text, "missing: cannot open: No such file or directory");
	assert_int_equal(fs_read(AT_FDCWD, folder, &text, &err), -ERR_FORMAT);
}

static void test_fs__a_failed_replacement_leaves_the_old_file_alone(void **state)
{
	(void)state;
	struct err err = { 0 };
	assert_int_equal(mkdirat(dir_fd, "sub", 0700), 0);
	assert_int_equal(fs_replace(dir_fd, "sub", STR("x"), 0600, &err), -EISDIR);
	assert_string_equal(err.text, "sub: cannot write: Is a directory");
	assert_int_equal(count_entries(), 1);
	assert_int_equal(fs_replace(-1, "a", STR("x"), 0600, NULL), -EBADF);
}

/* A file size limit stands for a full disk: the write fails half way. */
static void test_fs__a_full_disk_leaves_the_old_file_and_nothing_else(void **state)
{
	(void)state;
	static char bytes[64 << 10];
	assert_int_equal(fs_replace(dir_fd, "a", STR("old"), 0600, NULL), 0);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit limit = { 4096, 4096 };
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &limit);
		int r = fs_replace(dir_fd, "a", (str){ bytes, sizeof(bytes) }, 0600, NULL);
		_exit(r == -EFBIG ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	autobuf text = BUF(100);
	assert_int_equal(fs_read(dir_fd, "a", &text, NULL), 0);
	assert_true(str_eq(buf_str(&text), STR("old")));
	assert_int_equal(count_entries(), 1);
}

static void test_fs__folders_are_made_with_their_parents(void **state)
{
	(void)state;
	struct stat st;
	struct err err = { 0 };
	assert_int_equal(fs_make_dirs(below("x/y//z/"), 0755, &err), 0);
	assert_int_equal(fs_make_dirs(below("x/y/z"), 0755, &err), 0);
	assert_int_equal(fstatat(dir_fd, "x/y/z", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fs_make_dirs("", 0755, &err), -ENAMETOOLONG);
}

static void test_fs__a_file_in_the_way_of_a_folder_is_told(void **state)
{
	(void)state;
	struct err err = { 0 };
	assert_int_equal(fs_replace(dir_fd, "file", STR(""), 0600, NULL), 0);
	assert_int_equal(fs_make_dirs(below("file/x"), 0755, &err), -ENOTDIR);
	assert_int_equal(fs_make_dirs(below("file"), 0755, &err), -ENOTDIR);
	assert_int_equal(fs_open_dir(below("file"), true, &err), -ENOTDIR);
	assert_true(err.text[0] != '\0');
}

static void test_fs__a_link_to_a_folder_is_a_folder(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir_fd, "real", 0700), 0);
	assert_int_equal(symlinkat("real", dir_fd, "link"), 0);
	assert_int_equal(fs_make_dirs(below("link/x"), 0755, NULL), 0);
	assert_int_equal(fs_make_dirs(below("link"), 0755, NULL), 0);
	assert_int_equal(faccessat(dir_fd, "real/x", F_OK, 0), 0);
}

static void test_fs__a_folder_is_opened_and_made_if_asked(void **state)
{
	(void)state;
	struct err err = { 0 };
	assert_int_equal(fs_open_dir(below("new"), false, &err), -ENOENT);
	int fd = fs_open_dir(below("new/er"), true, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void test_fs__trees_are_removed_and_links_are_not_followed(void **state)
{
	(void)state;
	assert_int_equal(fs_make_dirs(below("tree/a/b"), 0755, NULL), 0);
	assert_int_equal(fs_make_dirs(below("kept"), 0755, NULL), 0);
	assert_int_equal(fs_replace(dir_fd, "kept.txt", STR("x"), 0600, NULL), 0);
	assert_int_equal(symlinkat("../kept", dir_fd, "tree/link"), 0);
	assert_int_equal(symlinkat("../kept.txt", dir_fd, "tree/a/link"), 0);
	assert_int_equal(fs_remove_tree(dir_fd, "tree"), 0);
	assert_int_equal(count_entries(), 2);
	assert_int_equal(fs_remove_tree(dir_fd, "missing"), 0);
	assert_int_equal(symlinkat("kept", dir_fd, "link"), 0);
	assert_int_equal(fs_remove_tree(dir_fd, "link"), 0);
	assert_int_equal(faccessat(dir_fd, "kept", F_OK, 0), 0);
	assert_int_equal(fs_remove_tree(dir_fd, "kept.txt"), 0);
	assert_int_equal(count_entries(), 1);
}

static int keep_two(void)
{
	int fds[6];
	for (int i = 0; i < 6; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int keep[] = { fds[4], -1, fds[1], fds[4] };
	fs_close_others(keep, 4);
	for (int i = 0; i < 6; i++) {
		if ((fcntl(fds[i], F_GETFD) >= 0) != (i == 1 || i == 4))
			return 1;
	}
	return fcntl(STDOUT_FILENO, F_GETFD) >= 0 || open("/dev/null", O_RDONLY) != 0;
}

static void test_fs__all_descriptors_but_those_named_are_closed(void **state)
{
	int status;
	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(keep_two());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		ON_DISK(test_fs__a_file_is_replaced_and_read_back),
		ON_DISK(test_fs__what_was_cut_off_is_swept_away_and_nothing_else),
		ON_DISK(test_fs__a_file_is_replaced_by_its_whole_path),
		ON_DISK(test_fs__reading_appends),
		ON_DISK(test_fs__a_file_may_be_as_large_as_the_buffer_and_no_larger),
		ON_DISK(test_fs__what_cannot_be_read_is_told),
		ON_DISK(test_fs__a_failed_replacement_leaves_the_old_file_alone),
		ON_DISK(test_fs__a_full_disk_leaves_the_old_file_and_nothing_else),
		ON_DISK(test_fs__folders_are_made_with_their_parents),
		ON_DISK(test_fs__a_file_in_the_way_of_a_folder_is_told),
		ON_DISK(test_fs__a_link_to_a_folder_is_a_folder),
		ON_DISK(test_fs__a_folder_is_opened_and_made_if_asked),
		ON_DISK(test_fs__trees_are_removed_and_links_are_not_followed),
		cmocka_unit_test(test_fs__all_descriptors_but_those_named_are_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
