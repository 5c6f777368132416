/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching over the reference feeds, held against facts and recorded answers of others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "affected.h"
#include "database.h"
#include "model/ecosystem.h"
#include "version/version.h"

static struct database database;
static struct arena arena = ARENA((size_t)512 << 20);

static int open_all(void **state)
{
	(void)state;
	database_init(&database);
	static char osv[1024], derived[1024], kev[1024];
	snprintf(osv, sizeof(osv), "%s", shared_path("feeds/osv"));
	snprintf(derived, sizeof(derived), "%s", shared_path("feeds/osv-derived"));
	snprintf(kev, sizeof(kev), "%s",
	        shared_path("feeds/kev/known_exploited_vulnerabilities.json"));
	const char *const paths[] = { osv, derived, kev };
	if (access(osv, F_OK) == 0)
		database_open_from(&database, paths, 3);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	database_fini(&database);
	return 0;
}

static int release(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void skip_without_database(void)
{
	printf("skipped: %s\n", shared_path("feeds/osv"));
	skip();
}

static bool has_finding(
        const struct match_result *result, const struct package *pkg, const char *id)
{
	for (size_t i = 0; i < result->n_findings; i++) {
		if (result->findings[i].pkg == pkg &&
		        str_eq(result->findings[i].id, str_from_c(id)))
			return true;
	}
	return false;
}

static void test_reference__finds_in_numpy_what_the_widest_source_says(void **state)
{
	struct ledger ledger = { .arena = &arena };
	struct match_result result = { .findings = NULL };
	struct host host = { .os_id = STR("none") };
	const struct package packages[] = {
		{ .type = STR("pypi"),
		        .name = STR("numpy"),
		        .version = STR("1.21.3"),
		        .path = STR("/a") },
		{ .type = STR("pypi"),
		        .name = STR("numpy"),
		        .version = STR("1.21.0"),
		        .path = STR("/b") },
		{ .type = STR("npm"),
		        .name = STR("lodash"),
		        .version = STR("4.17.10"),
		        .path = STR("/c") },
	};
	(void)state;
	if (!database.db)
		skip_without_database();
	assert_int_equal(match_host(database.db, &host, packages, 3, &ledger, &result, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_true(has_finding(&result, &packages[i], "CVE-2021-34141"));
		assert_false(has_finding(&result, &packages[i], "CVE-2021-33430"));
		assert_false(has_finding(&result, &packages[i], "CVE-2021-41495"));
		assert_false(has_finding(&result, &packages[i], "CVE-2021-41496"));
	}
	for (size_t i = 0; i < result.n_findings; i++) {
		const struct finding *finding = &result.findings[i];
		if (!str_eq(finding->id, STR("CVE-2021-34141")))
			continue;
		assert_int_equal(finding->n_reasons, 1);
		assert_true(str_eq(finding->reasons[0].advisory, STR("GHSA-fpfv-jqm9-f5jm")));
		assert_true(str_eq(finding->fixed_in, STR("1.22")));
	}
	match_result_fini(&result);
}

/* Ids of the records that say this version is affected. */
static size_t answer(str ecosystem, str name, str version, str *ids, size_t max)
{
	const struct ecosystem *row = ecosystem_find(ecosystem);
	const struct advisory_affected *entries;
	struct verdict_detail unused;
	size_t n = 0, n_entries;
	str normal;

	assert_int_equal(ecosystem_normal_name(row, name, &arena, &normal), 0);
	assert_int_equal(vulndb_affecting(database.db, ecosystem, normal, &arena, &entries,
	                         &n_entries, NULL),
	        0);
	for (size_t i = 0; i < n_entries; i++) {
		assert_true(n < max);
		if (match_judge(row->scheme, &entries[i], version, &arena, &unused) == VERDICT_YES)
			ids[n++] = entries[i].record;
	}
	return n;
}

/* Does a record of ours with this id say anything about this package? */
static bool holds(str id, str ecosystem, str name)
{
	const struct advisory *records;
	const struct advisory_affected *entries;
	size_t n, n_entries;
	assert_int_equal(vulndb_naming(database.db, id, &arena, &records, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(records[i].id, id))
			continue;
		assert_int_equal(vulndb_affected_by(database.db, records[i].source, id, &arena,
		                         &entries, &n_entries, NULL),
		        0);
		for (size_t k = 0; k < n_entries; k++) {
			if (str_eq(entries[k].ecosystem, ecosystem) &&
			        str_eq_nocase(entries[k].package, name))
				return true;
		}
	}
	return false;
}

/*
 * The pack's copy of this record is of February 2024 and begins at 3.2; the answer was recorded
 * from a later one, which also holds older lines.
 */
static bool is_newer_than_the_pack(str id, str version)
{
	return str_eq(id, STR("GHSA-8x94-hmjh-97hq")) &&
	       (str_has_prefix(version, STR("1.")) || str_has_prefix(version, STR("2.")));
}

struct row {
	str ecosystem, name, version;
	str ids[400];
	size_t n_ids;
};

static void read_row(struct json *json, struct row *row)
{
	str key;
	for (json_object_begin(json); json_next_key(json, &key);) {
		if (str_eq(key, STR("ecosystem")))
			assert_true(json_string(json, &row->ecosystem));
		else if (str_eq(key, STR("name")))
			assert_true(json_string(json, &row->name));
		else if (str_eq(key, STR("version")))
			assert_true(json_string(json, &row->version));
		else if (str_eq(key, STR("ids"))) {
			for (json_array_begin(json); json_next_element(json);) {
				assert_true(row->n_ids < 400);
				assert_true(json_string(json, &row->ids[row->n_ids++]));
			}
		} else
			json_skip(json);
	}
}

static void check_row(const struct row *row, unsigned *n_held, unsigned *n_missing)
{
	str ours[2000];
	const struct ecosystem *ecosystem = ecosystem_find(row->ecosystem);
	if (!ecosystem || !*ecosystem->scheme)
		return;
	size_t n = answer(row->ecosystem, row->name, row->version, ours, 2000);
	for (size_t i = 0; i < row->n_ids; i++) {
		if (!holds(row->ids[i], row->ecosystem, row->name) ||
		        is_newer_than_the_pack(row->ids[i], row->version))
			continue;
		size_t k = 0;
		while (k < n && !str_eq(ours[k], row->ids[i]))
			k++;
		++*n_held;
		if (k < n)
			continue;
		++*n_missing;
		fprintf(stderr, STR_FMT " " STR_FMT " " STR_FMT ": " STR_FMT " is missing\n",
		        STR_ARG(row->ecosystem), STR_ARG(row->name), STR_ARG(row->version),
		        STR_ARG(row->ids[i]));
	}
}

static void test_reference__lacks_no_answer_that_osv_recorded(void **state)
{
	autobuf text = BUF(4u << 20);
	unsigned n_rows = 0, n_held = 0, n_missing = 0;
	(void)state;
	if (!database.db)
		skip_without_database();
	if (!shared_read("oracles/osv-answers/recorded.json", &text))
		skip();

	struct json json = JSON(buf_str(&text), &arena);
	for (json_array_begin(&json); json_next_element(&json); n_rows++) {
		static struct row row;
		row = (struct row){ .n_ids = 0 };
		read_row(&json, &row);
		check_row(&row, &n_held, &n_missing);
	}
	assert_int_equal(json_finish(&json, NULL), 0);
	printf("recorded.json: %u rows, %u answers from records held here, %u missing\n", n_rows,
	        n_held, n_missing);
	assert_true(n_held > 0);
	assert_int_equal(n_missing, 0);
}

static const char *scheme_of_type(str type)
{
	static const char *const types[][2] = { { "debian", "deb" }, { "ubuntu", "deb" },
		{ "redhat", "rpm" }, { "centos", "rpm" }, { "alma", "rpm" }, { "rocky", "rpm" },
		{ "oracle", "rpm" }, { "amazon", "rpm" }, { "photon", "rpm" }, { "suse", "rpm" },
		{ "opensuse-leap", "rpm" }, { "opensuse.leap", "rpm" }, { "cbl-mariner", "rpm" },
		{ "python-pkg", "pep440" }, { "pip", "pep440" }, { "node-pkg", "npm" },
		{ "npm", "npm" } };
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (str_eq(type, str_from_c(types[i][0])))
			return types[i][1];
	}
	return NULL;
}

/* What another scanner reported as affected and fixed is affected and fixed here too. */
static void test_reference__orders_fixes_as_another_scanner_did(void **state)
{
	autobuf text = BUF(1u << 20);
	unsigned n = 0, n_bad = 0;
	(void)state;
	if (!shared_read("fixtures/trivy-integration/image-findings.tsv", &text))
		skip();
	str rest = buf_str(&text), line;
	while (str_next_line(&rest, &line)) {
		str columns[9];
		size_t n_columns = 0;
		for (str tail = line; n_columns < 9; n_columns++) {
			columns[n_columns] = tail;
			if (!str_split_first(tail, '\t', &columns[n_columns], &tail))
				tail = (str){ NULL, 0 };
		}
		const char *scheme = scheme_of_type(columns[3]);
		str installed = columns[5], fix = columns[7];
		if (!scheme || fix.n == 0 || memchr(fix.p, ',', fix.n) || memchr(fix.p, ' ', fix.n))
			continue;
		const struct advisory_event events[] = { { EVENT_INTRODUCED, STR("0") },
			{ EVENT_FIXED, fix } };
		const struct advisory_range range = { .events = events, .n_events = 2 };
		const struct advisory_affected affected = { .ranges = &range, .n_ranges = 1 };
		struct verdict_detail detail;
		n++;
		if (match_judge(scheme, &affected, installed, &arena, &detail) == VERDICT_YES &&
		        str_eq(detail.fixed_in, fix) &&
		        match_judge(scheme, &affected, fix, &arena, &detail) == VERDICT_NO)
			continue;
		n_bad++;
		fprintf(stderr, STR_FMT "\n", STR_ARG(line));
	}
	printf("image-findings.tsv: %u rows\n", n);
	assert_true(n > 0);
	assert_int_equal(n_bad, 0);
}

static void test_reference__matches_many_packages(void **state)
{
	struct ledger ledger = { .arena = &arena };
	struct match_result result = { .findings = NULL };
	struct host host = { .os_id = STR("almalinux"), .os_version = STR("8.5") };
	static struct package packages[1000];
	struct timespec begin, end;
	size_t n_sources;
	(void)state;
	if (!database.db)
		skip_without_database();
	(void)vulndb_sources(database.db, &n_sources);
	static const char *const names[] = { "openssl-libs", "bash", "kernel", "perl", "nodejs",
		"curl", "glibc", "systemd", "python3", "libxml2" };
	for (size_t i = 0; i < 1000; i++) {
		str name, version;
		assert_int_equal(arena_printf(&arena, &name, "%s%s%zu", names[i % 10],
		                         i < 10 ? "" : "-", i / 10),
		        0);
		assert_int_equal(
		        arena_printf(&arena, &version, "%zu.%zu.0-1.el8", i % 7, i % 13), 0);
		packages[i] = (struct package){ .type = i % 4 ? STR("rpm") : STR("pypi"),
			.name = i < 10 ? str_from_c(names[i]) : name,
			.version = i % 4 ? version : STR("1.0"),
			.path = STR("/x") };
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(match_host(database.db, &host, packages, 1000, &ledger, &result, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("1000 packages, %zu sources: %zu findings in %.1f ms\n", n_sources,
	        result.n_findings,
	        (double)(end.tv_sec - begin.tv_sec) * 1e3 +
	                (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
	assert_int_equal(result.n_compared, 1000);
	assert_true(result.n_findings > 0);
	match_result_fini(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
		        test_reference__finds_in_numpy_what_the_widest_source_says, release),
		cmocka_unit_test_teardown(
		        test_reference__lacks_no_answer_that_osv_recorded, release),
		cmocka_unit_test_teardown(
		        test_reference__orders_fixes_as_another_scanner_did, release),
		cmocka_unit_test_teardown(test_reference__matches_many_packages, release),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
