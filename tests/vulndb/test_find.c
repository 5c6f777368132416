/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advisories.h"

static void test_find__names_sources_after_their_folders(void **state)
{
	struct told told;
	told_init(&told);
	write_zip(
	        in_scratch(state, "in/osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
	write_zip(in_scratch(state, "in/osv/Red Hat/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"),
	        NULL);
	write_zip(in_scratch(state, "in/osv-derived/PyPI/all.zip"), "A-1.json",
	        OSV_PLAIN("A-1", "a"), NULL);
	write_zip(in_scratch(state, "in/some.zip"), "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
	import_path(state, in_scratch(state, "in"), &told);
	assert_true(str_eq(
	        buf_str(&told.sources), STR("osv-derived/PyPI 1 used=1\nosv/PyPI 1 used=1\nosv/Red "
	                                    "Hat 1 used=1\nosv/some 1 used=1\n")));
	told_fini(&told);
}

static void test_find__takes_one_zip(void **state)
{
	struct told told;
	told_init(&told);
	write_zip(in_scratch(state, "osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
	import_path(state, in_scratch(state, "osv/PyPI/all.zip"), &told);
	import_path(state, in_scratch(state, "osv/PyPI"), &told);
	assert_true(str_eq(buf_str(&told.sources), STR("osv/PyPI 1 used=1\nosv/PyPI 1 used=1\n")));
	told_fini(&told);
}

static void test_find__takes_a_folder_of_loose_records(void **state)
{
	struct told told;
	told_init(&told);
	write_file(in_scratch(state, "mine/A-1.json"), str_from_c(OSV_PLAIN("A-1", "a")));
	write_file(in_scratch(state, "mine/A-2.json"), STR("{ damaged"));
	write_file(in_scratch(state, "mine/deeper/A-3.json"), str_from_c(OSV_PLAIN("A-3", "a")));
	write_file(in_scratch(state, "mine/other/list.json"), STR("{\"packages\":[]}"));
	write_file(in_scratch(state, "mine/README"), STR("words"));
	import_path(state, in_scratch(state, "mine"), &told);
	assert_true(told_has(&told.sources, "osv/mine 3 used=2 not JSON=1\n"));
	assert_true(told_has(&told.records, "osv/mine A-2.json: not JSON\n"));
	assert_true(
	        told_has(&told.ignored, "mine/other/list.json: JSON, but neither an OSV record"));
	assert_true(told_has(&told.ignored, "mine/README: no feed we know"));
	told_fini(&told);
}

static void test_find__takes_one_loose_record(void **state)
{
	struct told told;
	told_init(&told);
	write_file(in_scratch(state, "mine/A-1.json"), str_from_c(OSV_PLAIN("A-1", "a")));
	write_file(in_scratch(state, "mine/A-2.json"), str_from_c(OSV_PLAIN("A-2", "a")));
	import_path(state, in_scratch(state, "mine/A-2.json"), &told);
	assert_true(told_has(&told.sources, "osv/mine 1 used=1\n"));
	told_fini(&told);
}

static void test_find__tells_of_files_that_are_no_feed(void **state)
{
	struct told told;
	struct err err = { 0 };
	told_init(&told);
	write_zip(in_scratch(state, "in/cves.zip"), "CVE-1.json", "{\"dataType\":\"CVE_RECORD\"}",
	        NULL);
	write_file(in_scratch(state, "in/notes.txt"), STR("words"));
	write_file(in_scratch(state, "elsewhere/A-1.json"), str_from_c(OSV_PLAIN("A-1", "a")));
	assert_int_equal(symlink(in_scratch(state, "elsewhere"), in_scratch(state, "in/link")), 0);
	assert_int_equal(mkfifo(in_scratch(state, "in/fifo"), 0600), 0);
	const char *path = in_scratch(state, "in");
	assert_int_equal(feed_import(&path, 1, in_scratch(state, "store"), 1, &told.listener, &err),
	        -ENOENT);
	assert_non_null(strstr(err.text, "no feed"));
	assert_true(told_has(&told.ignored, "in/cves.zip: a zip without OSV records"));
	assert_true(told_has(&told.ignored, "in/notes.txt: no feed we know"));
	assert_true(told_has(&told.ignored, "in/link: a symbolic link is not followed"));
	assert_true(told_has(&told.ignored, "in/fifo: not a regular file"));
	told_fini(&told);
}

static void test_find__follows_a_link_that_is_given(void **state)
{
	struct told told;
	told_init(&told);
	write_zip(in_scratch(state, "osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
	assert_int_equal(symlink(in_scratch(state, "osv"), in_scratch(state, "link")), 0);
	import_path(state, in_scratch(state, "link"), &told);
	assert_true(told_has(&told.sources, "osv/PyPI 1 used=1\n"));
	told_fini(&told);
}

static void test_find__says_which_path_is_missing(void **state)
{
	struct err err = { 0 };
	const char *path = in_scratch(state, "not-there");
	assert_int_equal(feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "not-there"));
}

static void test_find__tells_when_two_files_give_one_source(void **state)
{
	struct told told;
	struct err err = { 0 };
	told_init(&told);
	write_zip(in_scratch(state, "a/osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
	write_zip(in_scratch(state, "b/osv/PyPI/all.zip"), "A-2.json", OSV_PLAIN("A-2", "a"), NULL);
	const char *paths[] = { in_scratch(state, "a"), in_scratch(state, "b") };
	assert_int_equal(
	        feed_import(paths, 2, in_scratch(state, "store"), 1, &told.listener, &err), 0);
	assert_true(told_has(&told.ignored, "b/osv/PyPI/all.zip: another file found before"));
	told_fini(&told);
}

/* A name is shown in tables and reports: what a terminal would obey, or hide, is no name. */
static void test_find__refuses_names_that_are_not_printable(void **state)
{
	static const char *const names[] = { "a\xc2\x9b", "a\u202eb", "a\u200b", "a\x01", "a\xff",
		"a\\b" };
	struct told told;
	struct err err = { 0 };
	told_init(&told);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = in_scratch(state, "u/osv/%s/all.zip", names[i]);
		write_zip(path, "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
		assert_int_equal(
		        feed_import(&path, 1, in_scratch(state, "s"), 1, &told.listener, &err),
		        -ENOENT);
		assert_true(told_has(&told.ignored, "its name cannot be that of a source"));
		buf_clear(&told.ignored);
	}
	told_fini(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find__names_sources_after_their_folders,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_find__takes_one_zip, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_find__takes_a_folder_of_loose_records,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_find__takes_one_loose_record, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_find__tells_of_files_that_are_no_feed,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_find__follows_a_link_that_is_given, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_find__says_which_path_is_missing, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_find__tells_when_two_files_give_one_source,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_find__refuses_names_that_are_not_printable,
		        scratch_setup, scratch_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
