/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <string.h>

#define KEV(date, list)                                                                            \
	"{\"title\":\"t\",\"catalogVersion\":\"1\",\"dateReleased\":\"" date                       \
	"\",\"count\":1,\"vulnerabilities\":[" list "]}"
#define ENTRY(cve) "{\"cveID\":\"" cve "\",\"dateAdded\":\"2026-08-21\",\"product\":\"x\"}"

static const char *put(void **state, const char *name, const char *text)
{
	const char *path = in_scratch(state, "%s", name);
	write_file(path, str_from_c(text));
	return path;
}

static void test_feed_kev__says_which_cves_are_in_it(void **state)
{
	const char *path = put(state, "in/known_exploited_vulnerabilities.json",
	        KEV("2026-01-01T00:00:00.0000Z",
	                ENTRY("CVE-2021-44228") "," ENTRY("CVE-2014-0160")));
	struct vulndb *db = open_built(state, path);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2021-44228"), NULL), 1);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2014-0160"), NULL), 1);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2014-0161"), NULL), 0);
	assert_int_equal(vulndb_is_kev(db, STR("GHSA-x"), NULL), 0);
	uint32_t day = 7;
	assert_int_equal(vulndb_kev_added(db, STR("CVE-2014-0161"), &day, NULL), 0);
	assert_int_equal(day, 7);
	assert_int_equal(vulndb_kev_added(db, STR("CVE-2014-0160"), &day, NULL), 1);
	assert_int_equal(day, 20260821);
	vulndb_close(db);
}

static void test_feed_kev__is_recognised_under_another_name(void **state)
{
	struct told told;
	told_init(&told);
	import_path(state,
	        put(state, "in/list.json", KEV("2026-01-01T00:00:00Z", ENTRY("CVE-2021-44228"))),
	        &told);
	assert_true(told_has(&told.sources, "kev 1 used=1\n"));
	told_fini(&told);
}

static void test_feed_kev__counts_entries_that_are_none(void **state)
{
	struct told told;
	told_init(&told);
	import_path(state,
	        put(state, "in/known_exploited_vulnerabilities.json",
	                KEV("2026-01-01T00:00:00Z",
	                        ENTRY("CVE-2021-44228") "," ENTRY("CVE-2021-44228") ",7,{}," ENTRY(
	                                "GHSA-x") ",{\"cveID\":null}")),
	        &told);
	assert_true(told_has(&told.sources, "kev 6 used=1 duplicate=1 bad row=4\n"));
	assert_true(told_has(&told.records, "kev entry 5 GHSA-x: bad row"));
	told_fini(&told);
}

static void test_feed_kev__says_what_is_wrong_with_a_file(void **state)
{
	static const struct {
		const char *text, *problem;
	} rows[] = { { "{\"vulnerabilities\":[", "ends inside" }, { "{}", "no KEV catalogue" },
		{ "[]", "no KEV catalogue" }, { "<html>", "byte 0" },
		{ KEV("2026-01-01T00:00:00Z", ""), "holds no record" } };
	for (size_t i = 0; i < 5; i++) {
		const char *path =
		        put(state, "bad/known_exploited_vulnerabilities.json", rows[i].text);
		struct err err = { 0 };
		assert_int_equal(feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err),
		        -ERR_FORMAT);
		if (!strstr(err.text, rows[i].problem))
			fail_msg("%s", err.text);
	}
}

/* Of two issues below one folder the newer counts; the older is told. */
static void test_feed_kev__takes_the_newest_issue(void **state)
{
	struct told told;
	told_init(&told);
	(void)put(state, "in/known_exploited_vulnerabilities.json",
	        KEV("2026-08-21T17:46:43.6019Z",
	                ENTRY("CVE-2021-0002") "," ENTRY("CVE-2021-0003")));
	(void)put(state, "in/2025-08-25/known_exploited_vulnerabilities.json",
	        KEV("2025-08-25T17:04:19.9796Z", ENTRY("CVE-2021-0001")));
	(void)put(state, "in/zz/known_exploited_vulnerabilities.json",
	        KEV("2024-08-25T17:04:19.9796Z", ENTRY("CVE-2021-0001")));
	import_path(state, in_scratch(state, "in"), &told);
	assert_true(told_has(&told.sources, "kev 2 used=2\n"));
	assert_true(told_has(&told.ignored,
	        "in/2025-08-25/known_exploited_vulnerabilities.json: an older issue"));
	assert_true(told_has(
	        &told.ignored, "in/zz/known_exploited_vulnerabilities.json: an older issue"));
	told_fini(&told);
}

/* An older issue does not replace a newer one in the store without being said. */
static void test_feed_kev__keeps_a_newer_issue_in_the_store(void **state)
{
	struct told told;
	struct err err = { 0 };
	struct vulndb *db = NULL;
	told_init(&told);
	import_path(state,
	        put(state, "new/known_exploited_vulnerabilities.json",
	                KEV("2026-08-21T00:00:00Z", ENTRY("CVE-2021-0002"))),
	        &told);
	import_path(state,
	        put(state, "old/known_exploited_vulnerabilities.json",
	                KEV("2025-08-25T00:00:00Z", ENTRY("CVE-2021-0001"))),
	        &told);
	assert_true(told_has(&told.ignored,
	        "old/known_exploited_vulnerabilities.json: older than the issue of "
	        "2026-08-21T00:00:00Z in the store, which stays"));
	assert_int_equal(
	        vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 1, NULL, &err),
	        0);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &db, &err), 0);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2021-0002"), NULL), 1);
	assert_int_equal(vulndb_is_kev(db, STR("CVE-2021-0001"), NULL), 0);
	vulndb_close(db);
	told_fini(&told);
}

#define NOW_AT 1767225600 /* 2026-01-01 */

/* One wrong date, believed, would keep every later issue out. */
static void test_feed_kev__an_issue_dated_in_the_future_is_never_the_newer(void **state)
{
	struct told told;
	told_init(&told);
	told.listener.now_at = NOW_AT;
	const char *future = put(state, "future/known_exploited_vulnerabilities.json",
	        KEV("2099-01-01T00:00:00Z", ENTRY("CVE-2021-0001")));
	import_path(state, future, &told);
	assert_true(told_has(&told.records, "dated in the future: used until"));
	import_path(state,
	        put(state, "now/known_exploited_vulnerabilities.json",
	                KEV("2026-01-02T00:00:00Z", ENTRY("CVE-2021-0002"))),
	        &told);
	assert_int_equal(told.last.by_reason[REASON_USED], 1);
	assert_int_equal(told.last.n_replaced, 1);
	assert_int_equal(told.ignored.n, 0);
	import_path(state, future, &told);
	assert_true(told_has(&told.ignored,
	        "future/known_exploited_vulnerabilities.json: dated in the future: the issue of "
	        "2026-01-02T00:00:00Z in the store stays"));
	told_fini(&told);
}

static void test_feed_kev__takes_an_issue_before_one_dated_in_the_future(void **state)
{
	static const char *const folders[] = { "a/1", "a/2", "a/3" };
	static const char *const texts[] = { KEV("2098-01-01T00:00:00Z", ENTRY("CVE-2021-0001")),
		KEV("2025-01-01T00:00:00Z", ENTRY("CVE-2021-0002") "," ENTRY("CVE-2021-0003")),
		KEV("2099-01-01T00:00:00Z", ENTRY("CVE-2021-0001")) };
	struct told told;
	told_init(&told);
	told.listener.now_at = NOW_AT;
	for (size_t i = 0; i < 3; i++) {
		char name[100];
		(void)snprintf(
		        name, sizeof(name), "%s/known_exploited_vulnerabilities.json", folders[i]);
		(void)put(state, name, texts[i]);
	}
	import_path(state, in_scratch(state, "a"), &told);
	assert_true(told_has(&told.sources, "kev 2 used=2\n"));
	assert_true(told_has(&told.ignored, "a/1/known_exploited_vulnerabilities.json: dated"));
	assert_true(told_has(&told.ignored, "a/3/known_exploited_vulnerabilities.json: dated"));
	told_fini(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        test_feed_kev__says_which_cves_are_in_it, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_kev__is_recognised_under_another_name,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_kev__counts_entries_that_are_none,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_kev__says_what_is_wrong_with_a_file,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_feed_kev__takes_the_newest_issue, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_kev__keeps_a_newer_issue_in_the_store,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_feed_kev__an_issue_dated_in_the_future_is_never_the_newer,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_feed_kev__takes_an_issue_before_one_dated_in_the_future, scratch_setup,
		        scratch_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
