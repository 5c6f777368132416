/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "advisories.h"

#define AFFECTED(ecosystem, package, version)                                                      \
	"{\"package\":{\"ecosystem\":\"" ecosystem "\",\"name\":\"" package                        \
	"\"},\"versions\":[\"" version "\"]}"

/* Two sources that speak of the same package, with the traps that names and ecosystems have. */
static int group_setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	write_zip(in_scratch(state, "osv/PyPI/all.zip"), "GHSA-1.json",
	        OSV_RECORD("GHSA-1", "2024-01-01T00:00:00Z",
	                "\"aliases\":[\"CVE-2024-0001\",\"CVE-2024-0001\"],\"related\":[\"CVE-2024-"
	                "0009\"],"
	                "\"references\":[{\"url\":\"https://example.org\"}],",
	                OSV_EVENTS("My.Package",
	                        "{\"introduced\":\"0\"},{\"fixed\":\"2\"}") "," AFFECTED("npm",
	                        "other",
	                        "1.0") "," OSV_EVENTS("my-package", "{\"introduced\":\"3\"}")),
	        "PYSEC-1.json",
	        OSV_RECORD("PYSEC-1", "2024-01-01T00:00:00Z",
	                "\"aliases\":[\"CVE-2024-0001\",\"GHSA-1\"],",
	                OSV_EVENTS("my_package", "{\"introduced\":\"0\"},{\"fixed\":\"1\"}")),
	        NULL);
	write_zip(in_scratch(state, "osv/Alma/all.zip"), "ALSA-1.json",
	        OSV_RECORD("ALSA-1", "2024-01-01T00:00:00Z", "\"related\":[\"CVE-2024-0001\"],",
	                AFFECTED("AlmaLinux:9", "bash", "1") "," AFFECTED("AlmaLinux:8", "bash",
	                        "2") "," AFFECTED("PyPI", "my-package", "9")),
	        "CLEANSTART-1.json",
	        OSV_RECORD("CLEANSTART-1", "2024-01-01T00:00:00Z",
	                "\"upstream\":[\"CVE-2024-0002\"],",
	                AFFECTED("Alpine", "bash", "1") "," AFFECTED("Nowhere:1", "A-b_C", "1")),
	        NULL);
	return 0;
}

static struct vulndb *open_db(void **state)
{
	return open_built(state, in_scratch(state, "osv"));
}

static void test_read__answers_for_a_package_in_order_of_source_record_and_position(void **state)
{
	struct vulndb *db = open_db(state);
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory_affected *a;
	size_t n;
	assert_int_equal(
	        vulndb_affecting(db, STR("PyPI"), STR("my-package"), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 4);
	assert_true(str_eq(a[0].source, STR("osv/Alma")));
	assert_true(str_eq(a[0].record, STR("ALSA-1")));
	assert_true(str_eq(a[0].versions[0], STR("9")));
	assert_true(str_eq(a[1].record, STR("GHSA-1")));
	assert_true(str_eq(a[1].package, STR("My.Package"))); /* as written */
	assert_true(str_eq(a[1].ecosystem, STR("PyPI")));
	assert_true(str_eq(a[1].ranges[0].events[1].version, STR("2")));
	assert_true(str_eq(a[2].package, STR("my-package")));
	assert_true(str_eq(a[3].record, STR("PYSEC-1")));
	vulndb_close(db); /* the answer is the arena's */
	assert_true(str_eq(a[1].ranges[0].events[1].version, STR("2")));
	arena_fini(&arena);
}

static void expect_count(
        struct vulndb *db, const char *ecosystem, const char *name, size_t expected)
{
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory_affected *a;
	size_t n;
	assert_int_equal(
	        vulndb_affecting(db, str_from_c(ecosystem), str_from_c(name), &arena, &a, &n, NULL),
	        0);
	assert_int_equal(n, expected);
	arena_fini(&arena);
}

/* A release is part of the ecosystem: without it, or with another, nothing matches. */
static void test_read__keeps_releases_apart(void **state)
{
	struct vulndb *db = open_db(state);
	expect_count(db, "AlmaLinux:9", "bash", 1);
	expect_count(db, "AlmaLinux:8", "bash", 1);
	expect_count(db, "AlmaLinux:10", "bash", 0);
	expect_count(db, "AlmaLinux", "bash", 0);
	expect_count(db, "Alpine", "bash", 1);
	expect_count(db, "Alpine:v3.18", "bash", 0);
	expect_count(db, "Nowhere:1", "A-b_C", 1);
	expect_count(db, "npm", "other", 1);
	expect_count(db, "npm", "", 0);
	expect_count(db, "", "other", 0);
	assert_true(vulndb_covers(db, STR("AlmaLinux:9")));
	assert_false(vulndb_covers(db, STR("AlmaLinux:7")));
	assert_false(vulndb_covers(db, STR("AlmaLinux")));
	assert_int_equal(vulndb_coverage(db, STR("PyPI")), 4);
	vulndb_close(db);
}

static void test_read__finds_records_by_id_alias_upstream_and_meant_related(void **state)
{
	struct vulndb *db = open_db(state);
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory *a;
	size_t n;
	assert_int_equal(vulndb_naming(db, STR("CVE-2024-0001"), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_true(str_eq(a[0].id, STR("ALSA-1")));
	assert_true(a[0].uses_related);
	assert_true(str_eq(a[1].id, STR("GHSA-1")));
	assert_false(a[1].uses_related);
	assert_true(str_eq(a[1].title, STR("about GHSA-1")));
	assert_true(str_eq(a[2].source, STR("osv/PyPI")));
	assert_int_equal(vulndb_naming(db, STR("GHSA-1"), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(vulndb_naming(db, STR("CVE-2024-0002"), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(vulndb_naming(db, STR("CVE-2024-0009"), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 0); /* GHSA's `related` are others */
	assert_int_equal(vulndb_naming(db, STR(""), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 0);
	arena_fini(&arena);
	vulndb_close(db);
}

static void test_read__gives_one_record_whole(void **state)
{
	struct vulndb *db = open_db(state);
	struct arena arena = ARENA((size_t)1 << 20);
	struct advisory a;
	const struct advisory_affected *affected;
	struct err err = { 0 };
	size_t n;
	assert_int_equal(vulndb_record(db, STR("osv/PyPI"), STR("GHSA-1"), &arena, &a, &err), 0);
	assert_true(str_eq(a.details, STR("details of GHSA-1")));
	assert_int_equal(a.n_references, 1);
	assert_int_equal(
	        vulndb_affected_by(db, STR("osv/PyPI"), STR("GHSA-1"), &arena, &affected, &n, &err),
	        0);
	assert_int_equal(n, 3);
	assert_true(str_eq(affected[1].ecosystem, STR("npm")));
	assert_true(str_eq(affected[1].record, STR("GHSA-1")));
	assert_true(str_eq(affected[2].source, STR("osv/PyPI")));
	assert_int_equal(vulndb_record(db, STR("osv/PyPI"), STR("CVE-2024-0001"), &arena, &a, &err),
	        -ENOENT);
	assert_int_equal(
	        vulndb_record(db, STR("osv/Alma"), STR("GHSA-1"), &arena, &a, &err), -ENOENT);
	assert_int_equal(
	        vulndb_record(db, STR("nowhere"), STR("GHSA-1"), &arena, &a, &err), -ENOENT);
	assert_non_null(strstr(err.text, "GHSA-1"));
	arena_fini(&arena);
	vulndb_close(db);
}

static void test_read__a_full_arena_is_a_limit(void **state)
{
	struct vulndb *db = open_db(state);
	struct err err = { 0 };
	const struct advisory_affected *affected;
	const struct advisory *a;
	struct advisory one;
	size_t n;
	for (size_t cap = 16; cap < 512; cap += 16) {
		struct arena arena = ARENA(cap);
		int r = vulndb_affecting(
		        db, STR("PyPI"), STR("my-package"), &arena, &affected, &n, &err);
		assert_true(r == 0 || r == -ERR_LIMIT);
		arena_fini(&arena);
		r = vulndb_naming(db, STR("GHSA-1"), &arena, &a, &n, &err);
		assert_true(r == 0 || r == -ERR_LIMIT);
		arena_fini(&arena);
		r = vulndb_record(db, STR("osv/PyPI"), STR("GHSA-1"), &arena, &one, &err);
		assert_true(r == 0 || r == -ERR_LIMIT);
		arena_fini(&arena);
	}
	vulndb_close(db);
}

static void test_read__says_when_there_is_no_database(void **state)
{
	struct vulndb *db = NULL;
	struct err err = { 0 };
	assert_int_equal(vulndb_open(in_scratch(state, "nothing"), &db, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no vulnerability database"));
	write_file(in_scratch(state, "empty/file"), STR(""));
	assert_int_equal(vulndb_open(in_scratch(state, "empty"), &db, &err), -ENOENT);
	assert_int_equal(vulndb_verify(in_scratch(state, "empty"), NULL, NULL, &err), -ENOENT);
	vulndb_close(NULL);
}

/* The name may hold what is special in a URI. */
static void test_read__opens_a_folder_of_any_name(void **state)
{
	struct err err = { 0 };
	struct vulndb *db = NULL;
	const char *dir = in_scratch(state, "a b?mode=rw#%%41\xff");
	import_path(state, in_scratch(state, "osv"), NULL);
	assert_int_equal(vulndb_build(in_scratch(state, "store"), dir, 1, NULL, &err), 0);
	assert_int_equal(vulndb_open(dir, &db, &err), 0);
	expect_count(db, "AlmaLinux:9", "bash", 1);
	vulndb_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        test_read__answers_for_a_package_in_order_of_source_record_and_position),
		cmocka_unit_test(test_read__keeps_releases_apart),
		cmocka_unit_test(test_read__finds_records_by_id_alias_upstream_and_meant_related),
		cmocka_unit_test(test_read__gives_one_record_whole),
		cmocka_unit_test(test_read__a_full_arena_is_a_limit),
		cmocka_unit_test(test_read__says_when_there_is_no_database),
		cmocka_unit_test(test_read__opens_a_folder_of_any_name),
	};
	return cmocka_run_group_tests(tests, group_setup, scratch_teardown);
}
