/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advisories.h"

static void test_feed_osv__counts_every_entry_once(void **state)
{
	struct told told;
	told_init(&told);
	const char *path = in_scratch(state, "X/PyPI/all.zip");
	write_zip(path, "folder/", "", "A-1.json", OSV_PLAIN("A-1", "one"), "A-2.json",
	        "{\"id\":", "A-3.json", "{\"id\":\"A-3\",\"withdrawn\":\"2020-01-01T00:00:00Z\"}",
	        "A-4.json", "{\"id\":\"A-4\"}", "README.txt", "words", "folder/A-5.json",
	        OSV_PLAIN("A-5", "two"), "MAL-1.json", "{\"id\":\"MAL-1\"}", "other.json",
	        OSV_PLAIN("A-1", "again"), NULL);
	import_path(state, path, &told);
	assert_true(told_has(&told.sources,
	        "X/PyPI 8 used=2 not JSON=2 withdrawn=1 malicious package=1 "
	        "names no package=1 duplicate=1\n"));
	assert_true(told_has(&told.records, "X/PyPI README.txt: not JSON\n"));
	assert_true(told_has(&told.records, "X/PyPI A-3.json: withdrawn\n"));
	assert_true(told_has(&told.records, "X/PyPI other.json: duplicate\n"));
	assert_int_equal(told.done, told.all);
	told_fini(&told);
}

static void test_feed_osv__a_damaged_entry_hides_no_neighbour(void **state)
{
	static char large[1000];
	struct zip_member members[] = {
		{ .name = "A-1.json", .text = str_from_c(OSV_PLAIN("A-1", "one")) },
		{ .name = "A-2.json", .text = str_from_c(OSV_PLAIN("A-2", "one")), .add_crc = 1 },
		{ .name = "A-3.json", .text = str_from_c(OSV_PLAIN("A-3", "one")), .flags = 1 },
		{ .name = "A-4.json",
		        .text = { large, 1000 },
		        .is_stored = true,
		        .claim_size = 20000000 },
		{ .name = "A-5.json", .text = str_from_c(OSV_PLAIN("A-5", "one")), .add_size = 1 },
		{ .name = "A-6.json", .text = str_from_c(OSV_PLAIN("A-6", "one")) },
	};
	autobuf bytes = BUF(1 << 20);
	struct told told;
	told_init(&told);
	make_zip(members, 6, false, &bytes);
	write_file(in_scratch(state, "Y/PyPI/all.zip"), buf_str(&bytes));
	import_path(state, in_scratch(state, "Y/PyPI/all.zip"), &told);
	assert_true(told_has(&told.sources, "Y/PyPI 6 used=2 too large=1 unreadable=3\n"));
	assert_true(
	        told_has(&told.records, "Y/PyPI A-2.json: unreadable: its checksum is wrong\n"));
	assert_true(told_has(&told.records, "Y/PyPI A-3.json: unreadable: it is encrypted\n"));
	assert_true(
	        told_has(&told.records, "Y/PyPI A-4.json: too large: it is 20000000 bytes long\n"));
	told_fini(&told);
}

/* An archive that is not one leaves the source that was there before. */
static void test_feed_osv__an_unusable_archive_leaves_the_old_source(void **state)
{
	const char *path = in_scratch(state, "Z/PyPI/all.zip");
	struct err err = { 0 };
	struct vulndb *db = NULL;
	struct told told;
	autobuf bytes = BUF(1 << 20);
	told_init(&told);
	write_zip(path, "A-1.json", OSV_PLAIN("A-1", "one"), NULL);
	import_path(state, path, NULL);
	read_file(path, &bytes);
	write_file(path, str_head(buf_str(&bytes), bytes.n - 10));
	assert_int_equal(feed_import(&path, 1, in_scratch(state, "store"), 1, &told.listener, &err),
	        -ERR_FORMAT);
	assert_non_null(strstr(err.text, "truncated"));
	assert_true(told_has(&told.sources, "Z/PyPI 0 problem: "));
	write_zip(path, "A-1.json", "no", "B", "{}", NULL);
	assert_int_equal(
	        feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "none of its 2 records"));
	write_zip(path, NULL);
	assert_int_equal(
	        feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "no record"));
	assert_int_equal(
	        vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 1, NULL, &err),
	        0);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &db, &err), 0);
	size_t n;
	assert_int_equal(vulndb_sources(db, &n)[0].n_records, 1);
	vulndb_close(db);
	told_fini(&told);
}

/* One bad source does not keep the others out. */
static void test_feed_osv__imports_the_sources_that_can_be(void **state)
{
	struct told told;
	told_init(&told);
	write_zip(in_scratch(state, "W/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "one"), NULL);
	write_file(in_scratch(state, "W/npm/all.zip"), STR("no zip"));
	import_path(state, in_scratch(state, "W"), &told);
	assert_true(told_has(&told.sources, "W/PyPI 1 used=1\nW/npm 0 problem: "));
	told_fini(&told);
}

static void test_feed_osv__dates_a_source_by_its_newest_known_date(void **state)
{
	const char *path = in_scratch(state, "V/PyPI/all.zip");
	write_zip(path, "A-1.json",
	        OSV_RECORD("A-1", "0001-01-01T00:00:00Z", "",
	                OSV_EVENTS("a", "{\"introduced\":\"0\"}")),
	        "A-2.json",
	        OSV_RECORD("A-2", "2023-05-01T00:00:00+02:00", "",
	                OSV_EVENTS("a", "{\"introduced\":\"0\"}")),
	        "A-3.json",
	        OSV_RECORD("A-3", "2023-04-30T23:00:00Z", "",
	                OSV_EVENTS("a", "{\"introduced\":\"0\"}")),
	        "A-4.json",
	        OSV_RECORD("A-4", "no date", "", OSV_EVENTS("a", "{\"introduced\":\"0\"}")), NULL);
	struct vulndb *db = open_built(state, path);
	assert_true(str_eq(vulndb_built_at(db), STR("2023-04-30T23:00:00Z")));
	vulndb_close(db);
}

static void test_feed_osv__only_unknown_dates_give_no_date(void **state)
{
	const char *path = in_scratch(state, "U/PyPI/all.zip");
	write_zip(path, "A-1.json",
	        OSV_RECORD("A-1", "0001-01-01T00:00:00Z", "",
	                OSV_EVENTS("a", "{\"introduced\":\"0\"}")),
	        NULL);
	struct vulndb *db = open_built(state, path);
	assert_int_equal(vulndb_built_at(db).n, 0);
	vulndb_close(db);
}

static void test_feed_osv__names_whom_the_records_are_from(void **state)
{
	const char *path = in_scratch(state, "T/PyPI/all.zip");
	size_t n;
	write_zip(path, "GHSA-1.json", OSV_PLAIN("GHSA-1", "a"), "PYSEC-1.json",
	        OSV_PLAIN("PYSEC-1", "a"), "ALSA-1.json", OSV_PLAIN("ALSA-1", "a"), "ALBA-1.json",
	        OSV_PLAIN("ALBA-1", "a"), "X.json", OSV_PLAIN("X", "a"), NULL);
	struct vulndb *db = open_built(state, path);
	assert_true(str_eq(
	        vulndb_sources(db, &n)[0].licence, STR("AlmaLinux: MIT; GitHub: CC-BY-4.0; Python "
	                                               "Packaging Authority: CC-BY-4.0; others: as "
	                                               "their publishers state")));
	vulndb_close(db);
}

/* Another folder of the same name takes the place of the first: a number tells. */
static void test_feed_osv__tells_how_many_records_it_replaces(void **state)
{
	struct told told;
	struct err err = { 0 };
	told_init(&told);
	write_zip(in_scratch(state, "a/osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"),
	        "A-2.json", OSV_PLAIN("A-2", "a"), NULL);
	write_zip(in_scratch(state, "b/osv/PyPI/all.zip"), "A-3.json", OSV_PLAIN("A-3", "a"), NULL);
	write_file(in_scratch(state, "c/osv/PyPI/all.zip"), STR("no zip"));
	import_path(state, in_scratch(state, "a/osv"), &told);
	assert_int_equal(told.last.n_replaced, 0);
	import_path(state, in_scratch(state, "b/osv"), &told);
	assert_int_equal(told.last.n_replaced, 2);
	const char *path = in_scratch(state, "c/osv");
	told.done = 0;
	assert_int_equal(feed_import(&path, 1, in_scratch(state, "store"), 1, &told.listener, &err),
	        -ERR_FORMAT);
	assert_int_equal(told.last.n_replaced, 0);
	told_fini(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        test_feed_osv__counts_every_entry_once, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_osv__a_damaged_entry_hides_no_neighbour,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_feed_osv__an_unusable_archive_leaves_the_old_source, scratch_setup,
		        scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_osv__imports_the_sources_that_can_be,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_feed_osv__dates_a_source_by_its_newest_known_date, scratch_setup,
		        scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_osv__only_unknown_dates_give_no_date,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_osv__names_whom_the_records_are_from,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_osv__tells_how_many_records_it_replaces,
		        scratch_setup, scratch_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
