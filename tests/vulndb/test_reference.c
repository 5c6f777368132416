/* SPDX-License-Identifier: Apache-2.0 */
/* The reference feeds, whole: every count, every trap that their README lists. */
#include "support.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static struct vulndb *db;
static struct told told;

static int group_setup(void **state)
{
	struct err err = { 0 };
	char paths[4][600];
	const char *shared = shared_folder();
	if (scratch_setup(state) < 0)
		return -1;
	static const char *const folders[] = { "osv", "osv-derived", "kev", "epss" };
	const char *list[4];
	for (int i = 0; i < 4; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/feeds/%s", shared, folders[i]);
		list[i] = paths[i];
	}
	told_init(&told);
	if (feed_import(list, 4, in_scratch(state, "store"), 0, &told.listener, &err) < 0 ||
	        vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 0, NULL, &err) <
	                0 ||
	        vulndb_open(in_scratch(state, "db"), &db, &err) < 0) {
		print_message("%s\n", err.text);
		return -1;
	}
	return 0;
}

static int group_teardown(void **state)
{
	vulndb_close(db);
	told_fini(&told);
	return scratch_teardown(state);
}

/* Records in the zips, and why those that are not used are not: nothing is left over. */
static void test_reference__counts_every_record_of_every_source(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"epss 360142 used=360142\n",
		"kev 1674 used=1674\n",
		"osv-derived/Debian 8477 used=8477\n",
		"osv-derived/Hex 103 used=103\n",
		"osv-derived/Maven 514 used=514\n",
		"osv-derived/Packagist 1507 used=1507\n",
		"osv-derived/RubyGems 1157 used=1157\n",
		"osv-derived/Ubuntu 13375 used=13375\n",
		"osv-derived/npm 440 used=440\n",
		"osv/AlmaLinux 5321 used=5321\n",
		"osv/Alpaquita 11742 used=11742\n",
		"osv/BellSoft Hardened Containers 573 used=573\n",
		"osv/Bitnami 7045 used=7045\n",
		"osv/CleanStart 3890 used=3890\n",
		"osv/GIT 252 used=5 names no package=247\n",
		"osv/Go 4092 used=4076 withdrawn=16\n",
		"osv/Julia 1623 used=1619 withdrawn=4\n",
		"osv/OSS-Fuzz 3821 used=1510 withdrawn=22 only GIT ranges=2276 no ranges and no "
		"versions=13\n",
		"osv/PyPI 2575 used=2564 withdrawn=9 only GIT ranges=2\n",
		"osv/Ubuntu 34 used=27 withdrawn=7\n",
		"osv/crates.io 1145 used=1132 withdrawn=13\n",
		"osv/npm 160 used=160\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_true(told_has(&told.sources, lines[i]));
	size_t n;
	uint64_t used = 0, left_out = 0;
	const struct vulndb_source *sources = vulndb_sources(db, &n);
	assert_int_equal(n, 43);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(sources[i].kind, STR("osv")))
			used += sources[i].n_records, left_out += sources[i].n_left_out;
		if (str_eq(sources[i].name, STR("osv/GIT")))
			assert_int_equal(sources[i].by_reason[REASON_NO_PACKAGE], 247);
	}
	assert_int_equal(used + left_out, 68960);
	assert_int_equal(left_out, 2609);
	assert_true(told_has(&told.ignored,
	        "kev/2025-08-25/known_exploited_vulnerabilities.json: an older issue"));
	assert_true(told_has(&told.ignored, "osv/HARVEST.tsv: no feed we know"));
}

static void test_reference__answers_for_numpy_with_both_sources(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory_affected *a;
	static const char *const records[] = { "GHSA-5545-2q6w-2gh6", "GHSA-6p56-wp2h-9hxr",
		"GHSA-f7c7-j99h-c22f", "GHSA-fpfv-jqm9-f5jm", "PYSEC-2017-1", "PYSEC-2018-33",
		"PYSEC-2018-34", "PYSEC-2019-108", "PYSEC-2021-854", "PYSEC-2021-855",
		"PYSEC-2021-856", "PYSEC-2021-857" };
	size_t n;
	assert_int_equal(vulndb_affecting(db, STR("PyPI"), STR("numpy"), &arena, &a, &n, NULL), 0);
	assert_int_equal(n, 12);
	for (size_t i = 0; i < n; i++)
		assert_true(str_eq(a[i].record, str_from_c(records[i])));
	const struct advisory_range *range = &a[3].ranges[0];
	assert_true(str_eq(range->events[0].version, STR("0")));
	assert_true(str_eq(range->events[1].version, STR("1.22")));
	const struct advisory *named;
	assert_int_equal(vulndb_naming(db, STR("CVE-2021-34141"), &arena, &named, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_true(str_eq(named[0].id, STR("GHSA-fpfv-jqm9-f5jm")));
	assert_true(str_eq(named[1].id, STR("PYSEC-2021-855")));
	arena_fini(&arena);
}

/* CleanStart's records that say plain "Alpine" must not reach an Alpine host. */
static void test_reference__keeps_alpine_without_a_release_apart(void **state)
{
	(void)state;
	assert_int_equal(vulndb_coverage(db, STR("Alpine")), 2007);
	assert_true(vulndb_coverage(db, STR("Alpine:v3.18")) < 10);
}

static void test_reference__keeps_every_release_suffix(void **state)
{
	(void)state;
	static const char *const names[] = { "AlmaLinux:9", "Debian:11", "Ubuntu:22.04:LTS",
		"Ubuntu:Pro:18.04:LTS", "Red Hat:enterprise_linux:7::client", "Alpaquita:stream",
		"Packagist:https://packages.drupal.org/8", "SUSE:Linux Enterprise Server 12 SP1" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(vulndb_covers(db, str_from_c(names[i])));
	assert_false(vulndb_covers(db, STR("Debian:99")));
}

/* Records of over half a megabyte, severities in words, dates that say nothing. */
static void test_reference__reads_the_odd_records(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)64 << 20);
	struct advisory a;
	struct err err = { 0 };
	const struct advisory_affected *affected;
	size_t n;
	assert_int_equal(
	        vulndb_record(db, STR("osv/Go"), STR("GO-2022-0322"), &arena, &a, &err), 0);
	assert_false(a.uses_related);
	assert_true(str_has_prefix(a.modified, STR("0001-01-01")));
	assert_int_equal(
	        vulndb_record(db, STR("osv/AlmaLinux"), STR("ALBA-2021:4604"), &arena, &a, &err),
	        0);
	assert_true(a.uses_related);
	assert_true(str_eq(a.related[0], STR("CVE-2021-40438")));
	const struct advisory *named;
	assert_int_equal(vulndb_naming(db, STR("CVE-2021-40438"), &arena, &named, &n, &err), 0);
	bool has_alma = false, has_go = false;
	for (size_t i = 0; i < n; i++)
		has_alma |= str_eq(named[i].id, STR("ALBA-2021:4604"));
	assert_true(has_alma);
	assert_int_equal(vulndb_naming(db, STR("CVE-2023-44487"), &arena, &named, &n, &err), 0);
	for (size_t i = 0; i < n; i++)
		has_go |= str_eq(named[i].id, STR("GO-2023-2153"));
	assert_false(has_go); /* only related to it */
	assert_int_equal(vulndb_affecting(db, STR("Ubuntu:16.04:LTS"), STR("linux"), &arena,
	                         &affected, &n, &err),
	        0);
	assert_true(n > 500);
	arena_fini(&arena);
}

static void test_reference__dates_the_data_by_its_newest_record(void **state)
{
	(void)state;
	assert_true(str_eq(vulndb_built_at(db), STR("2026-09-10T03:50:10.750068508Z")));
}

static void test_reference__has_scores_and_the_catalogue(void **state)
{
	(void)state;
	double v = 0;
	assert_int_equal(vulndb_epss(db, STR("CVE-1999-0001"), &v, NULL), 0);
	assert_true(v == 0.03351);
	assert_int_equal(vulndb_epss(db, STR("CVE-2026-74439"), &v, NULL), 0);
	assert_true(v == 0.00156);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2026-73570"), NULL), 1);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2021-34141"), NULL), 0);
}

/* Each record of each source is there under its own id, and all its entries under their packages.
 */
static void test_reference__every_file_verifies(void **state)
{
	struct err err = { 0 };
	if (vulndb_verify(in_scratch(state, "db"), NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference__counts_every_record_of_every_source),
		cmocka_unit_test(test_reference__answers_for_numpy_with_both_sources),
		cmocka_unit_test(test_reference__keeps_alpine_without_a_release_apart),
		cmocka_unit_test(test_reference__keeps_every_release_suffix),
		cmocka_unit_test(test_reference__reads_the_odd_records),
		cmocka_unit_test(test_reference__dates_the_data_by_its_newest_record),
		cmocka_unit_test(test_reference__has_scores_and_the_catalogue),
		cmocka_unit_test(test_reference__every_file_verifies),
	};
	const char *shared = shared_folder();
	char path[600];
	(void)snprintf(path, sizeof(path), "%s/feeds/osv/PyPI/all.zip", shared ? shared : "");
	if (!shared || access(path, R_OK) < 0) {
		(void)printf("skipped: the reference feeds (%s/feeds)\n", shared ? shared : SHARED);
		return 77;
	}
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
