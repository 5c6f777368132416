/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../zip/zips.h"
#include "agent/package_store.h"
#include "base/fs.h"

static char folder[] = "/tmp/sonde-packages-XXXXXX";
static struct state agent = { .dir = -1, .lock = -1, .path = folder };

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	agent.dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return agent.dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)close(agent.dir);
	return fs_remove_tree(AT_FDCWD, folder);
}

static struct package_store open_store(const char *name)
{
	struct package_store store;
	struct err err = { 0 };
	if (package_store_open(&agent, str_from_c(name), &store, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static int unpack(const struct package_store *store, const struct zip_member *members, size_t n,
        const char *version)
{
	autobuf bytes = BUF((size_t)64 << 20);
	make_zip(members, n, false, &bytes);
	int fd = memfd_create("zip", MFD_CLOEXEC);
	assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
	int r = package_store_unpack(store, fd, version, NULL);
	(void)close(fd);
	return r;
}

static void assert_file(
        const struct package_store *store, const char *path, const char *text, mode_t mode)
{
	autobuf bytes = BUF(4096);
	struct stat st;
	assert_int_equal(fs_read(store->dir, path, &bytes, NULL), 0);
	assert_true(str_eq(buf_str(&bytes), str_from_c(text)));
	assert_int_equal(fstatat(store->dir, path, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static bool is_there(const struct package_store *store, const char *path)
{
	struct stat st;
	return fstatat(store->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_package_store__an_archive_becomes_files(void **state)
{
	static const struct zip_member members[] = {
		{ .name = "install.sh", .text = STR("echo"), .unix_mode = 0100644 },
		{ .name = "bin/", .unix_mode = 040755, .is_stored = true },
		{ .name = "bin/tool", .text = STR("tool"), .unix_mode = 0104755 },
		{ .name = "a/b/c", .text = STR("deep") },
	};
	struct package_store store = open_store("files");
	(void)state;
	assert_int_equal(unpack(&store, members, 4, "1.0"), 0);
	assert_file(&store, "versions/1.0/install.sh", "echo", 0644);
	assert_file(&store, "versions/1.0/bin/tool", "tool", 0755); /* no set-user-id bit */
	assert_file(&store, "versions/1.0/a/b/c", "deep", 0644);
	assert_true(package_store_has(&store, "1.0", "install.sh"));
	assert_false(package_store_has(&store, "1.0", "update.sh"));
	assert_false(package_store_has(&store, "1.0", "bin"));
	assert_false(is_there(&store, "new"));
	package_store_close(&store);
}

static void test_package_store__versions_but_one_are_removed(void **state)
{
	static const struct zip_member member = { .name = "a/b", .text = STR("1") };
	struct package_store store = open_store("prune");
	(void)state;
	assert_int_equal(unpack(&store, &member, 1, "1.0"), 0);
	assert_int_equal(unpack(&store, &member, 1, "1.1"), 0);
	assert_int_equal(unpack(&store, &member, 1, "2.0"), 0);
	assert_int_equal(package_store_prune(&store, "1.1"), 0);
	assert_false(is_there(&store, "versions/1.0"));
	assert_true(is_there(&store, "versions/1.1/a/b"));
	assert_false(is_there(&store, "versions/2.0"));
	assert_int_equal(package_store_prune(&store, NULL), 0);
	assert_false(is_there(&store, "versions/1.1"));
	assert_true(is_there(&store, "versions"));
	package_store_close(&store);
}

static void test_package_store__a_version_is_replaced_as_a_whole(void **state)
{
	static const struct zip_member old = { .name = "old", .text = STR("1") };
	static const struct zip_member new = { .name = "new", .text = STR("2") };
	struct package_store store = open_store("again");
	(void)state;
	assert_int_equal(unpack(&store, &old, 1, "1.0"), 0);
	assert_int_equal(unpack(&store, &new, 1, "1.0"), 0);
	assert_false(is_there(&store, "versions/1.0/old"));
	assert_file(&store, "versions/1.0/new", "2", 0644);
	package_store_close(&store);
}

static void test_package_store__tricks_leave_what_is_there(void **state)
{
	static const struct {
		const char *what;
		struct zip_member members[2];
	} tricks[] = {
		{ "up", { { .name = "../x", .text = STR("x") } } },
		{ "up inside", { { .name = "a/../../x", .text = STR("x") } } },
		{ "absolute", { { .name = "/tmp/x", .text = STR("x") } } },
		{ "a dot", { { .name = "./x", .text = STR("x") } } },
		{ "an empty part", { { .name = "a//x", .text = STR("x") } } },
		{ "a backslash", { { .name = "..\\x", .text = STR("x") } } },
		{ "nothing", { { .name = "", .text = STR("x") } } },
		{ "the root", { { .name = "/", .text = STR("") } } },
		{ "a link", { { .name = "x", .text = STR("/etc"), .unix_mode = 0120777 } } },
		{ "a device", { { .name = "x", .text = STR(""), .unix_mode = 020666 } } },
		{ "a pipe", { { .name = "x", .text = STR(""), .unix_mode = 010666 } } },
		{ "a folder that is a file",
		        { { .name = "x/", .text = STR(""), .unix_mode = 0100644 } } },
		{ "twice",
		        { { .name = "x", .text = STR("1") }, { .name = "x", .text = STR("2") } } },
		{ "through a file", { { .name = "x", .text = STR("1") },
		                            { .name = "x/y", .text = STR("2") } } },
		{ "over a folder", { { .name = "x/y", .text = STR("1") },
		                           { .name = "x", .text = STR("2") } } },
		{ "a wrong checksum", { { .name = "x", .text = STR("1"), .add_crc = 1 } } },
		{ "a wrong size", { { .name = "x", .text = STR("1"), .add_size = 1 } } },
		{ "too much", { { .name = "x", .text = STR("1"), .claim_size = UINT32_MAX - 1 } } },
		{ "too deep", { { .name = "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
		                      .text = STR("1") } } },
	};
	static const struct zip_member good = { .name = "good", .text = STR("1") };
	struct package_store store = open_store("tricks");
	(void)state;
	assert_int_equal(unpack(&store, &good, 1, "1.0"), 0);
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
		size_t n = tricks[i].members[1].name ? 2 : 1;
		if (unpack(&store, tricks[i].members, n, "1.0") >= 0)
			fail_msg("%s", tricks[i].what);
		if (is_there(&store, "new") || is_there(&store, "x") ||
		        is_there(&store, "versions/x"))
			fail_msg("%s: something was left", tricks[i].what);
		assert_file(&store, "versions/1.0/good", "1", 0644);
	}
	package_store_close(&store);
}

static void test_package_store__what_was_cut_off_while_unpacking_is_removed(void **state)
{
	static const struct zip_member good = { .name = "good", .text = STR("1") };
	struct package_store store = open_store("cut");
	(void)state;
	assert_int_equal(mkdirat(store.dir, "new", 0700), 0);
	assert_int_equal(mkdirat(store.dir, "new/half", 0700), 0);
	assert_int_equal(unpack(&store, &good, 1, "1.0"), 0);
	assert_false(is_there(&store, "versions/1.0/half"));
	assert_file(&store, "versions/1.0/good", "1", 0644);
	package_store_close(&store);
}

static void test_package_store__the_record_says_what_is_installed(void **state)
{
	struct package_store store = open_store("record");
	char version[PACKAGE_WORD_MAX + 1] = "x";
	bool is_changing = true;
	(void)state;
	assert_int_equal(package_store_installed(&store, version, &is_changing, NULL), 0);
	assert_int_equal(package_store_record(&store, "1.0", true, NULL), 0);
	assert_int_equal(package_store_installed(&store, version, &is_changing, NULL), 1);
	assert_string_equal(version, "1.0");
	assert_true(is_changing);
	assert_int_equal(package_store_record(&store, "1.1", false, NULL), 0);
	assert_int_equal(package_store_installed(&store, version, &is_changing, NULL), 1);
	assert_string_equal(version, "1.1");
	assert_false(is_changing);
	assert_int_equal(package_store_record(&store, NULL, false, NULL), 0);
	assert_int_equal(package_store_record(&store, NULL, false, NULL), 0);
	assert_int_equal(package_store_installed(&store, version, &is_changing, NULL), 0);
	assert_int_equal(fs_replace(store.dir, "installed", STR("../../etc\n"), 0600, NULL), 0);
	assert_int_equal(package_store_installed(&store, version, &is_changing, NULL), -ERR_FORMAT);
	package_store_close(&store);
}

static void test_package_store__one_job_at_a_time_changes_a_package(void **state)
{
	struct package_store store = open_store("lock"), other;
	(void)state;
	assert_int_equal(package_store_open(&agent, STR("lock"), &other, NULL), -EBUSY);
	package_store_close(&store);
	store = open_store("lock");
	package_store_close(&store);
	assert_int_equal(package_store_open(&agent, STR("../lock"), &other, NULL), -EINVAL);
}

static void test_package_store__a_download_has_no_name(void **state)
{
	struct package_store store = open_store("download");
	struct stat st;
	(void)state;
	int fd = package_store_file(&store, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_false(is_there(&store, "download"));
	(void)close(fd);
	package_store_close(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_package_store__an_archive_becomes_files),
		cmocka_unit_test(test_package_store__versions_but_one_are_removed),
		cmocka_unit_test(test_package_store__a_version_is_replaced_as_a_whole),
		cmocka_unit_test(test_package_store__tricks_leave_what_is_there),
		cmocka_unit_test(test_package_store__what_was_cut_off_while_unpacking_is_removed),
		cmocka_unit_test(test_package_store__the_record_says_what_is_installed),
		cmocka_unit_test(test_package_store__one_job_at_a_time_changes_a_package),
		cmocka_unit_test(test_package_store__a_download_has_no_name),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
