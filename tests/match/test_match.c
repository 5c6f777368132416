/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "database.h"
#include "match/hit.h"

/* Scores 9.8, 7.5, 5.3, 10.0 and 7.5 by the calculators of CVSS. */
#define CRITICAL_31 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
#define HIGH_30 "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
#define MEDIUM_31 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"
#define CRITICAL_40 "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"
#define HIGH_20 "AV:N/AC:L/Au:N/C:P/I:P/A:P"

#define SEVERITY(type, score) "\"severity\":[{\"type\":\"" type "\",\"score\":\"" score "\"}],"
#define TEXT(v)                                                                                    \
	{                                                                                          \
		v, sizeof(v) - 1                                                                   \
	}

struct scene {
	struct database database;
	struct arena arena;
	struct ledger ledger;
	struct host host;
	struct match_result result;
};

static int begin(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	scene->arena = ARENA((size_t)64 << 20);
	scene->ledger.arena = &scene->arena;
	scene->host = (struct host){ .os_id = STR("debian"), .os_version = STR("12") };
	database_init(&scene->database);
	*state = scene;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;
	match_result_fini(&scene->result);
	database_fini(&scene->database);
	arena_fini(&scene->arena);
	free(scene);
	return 0;
}

/* Write a record: its members before "affected", and what it affects. */
static void add(struct scene *scene, const char *ecosystem, const char *id, const char *members,
        const char *affected)
{
	char name[128], text[4096];
	snprintf(name, sizeof(name), "osv/%s/%s.json", ecosystem, id);
	snprintf(text, sizeof(text),
	        "{\"schema_version\":\"1.6.0\",\"id\":\"%s\",\"modified\":\"2024-01-02T03:04:05Z\","
	        "%s"
	        "\"affected\":[%s]}",
	        id, members, affected);
	database_write(&scene->database, name, text);
}

/* An affected package from 0 to its fix; no fix: every version. */
static const char *affects(const char *ecosystem, const char *name, const char *fix)
{
	static char texts[8][512];
	static unsigned n;
	char *text = texts[n++ % 8], end_event[128] = "";
	if (fix)
		snprintf(end_event, sizeof(end_event), ",{\"fixed\":\"%s\"}", fix);
	snprintf(text, sizeof(texts[0]),
	        "{\"package\":{\"ecosystem\":\"%s\",\"name\":\"%s\"},\"ranges\":[{\"type\":"
	        "\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"}%s]}]}",
	        ecosystem, name, end_event);
	return text;
}

static struct package python(const char *name, const char *version)
{
	return (struct package){
		.type = STR("pypi"),
		.name = str_from_c(name),
		.version = str_from_c(version),
		.path = STR("/srv/lib/METADATA"),
	};
}

static void match(struct scene *scene, const struct package *packages, size_t n)
{
	struct err err = { 0 };
	if (!scene->database.db)
		database_open(&scene->database);
	match_result_fini(&scene->result);
	if (match_host(scene->database.db, &scene->host, packages, n, &scene->ledger,
	            &scene->result, &err) < 0)
		fail_msg("%s", err.text);
}

static const struct finding *finding_of(const struct scene *scene, const char *id)
{
	for (size_t i = 0; i < scene->result.n_findings; i++) {
		if (str_eq(scene->result.findings[i].id, str_from_c(id)))
			return &scene->result.findings[i];
	}
	return NULL;
}

static void assert_str(str got, const char *want)
{
	if (!str_eq(got, str_from_c(want)))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(got), want);
}

static uint64_t told(const struct scene *scene, const char *part)
{
	uint64_t n = 0;
	for (size_t i = 0; i < scene->ledger.n; i++) {
		str reason = scene->ledger.entries[i].reason;
		if (memmem(reason.p, reason.n, part, strlen(part)))
			n += scene->ledger.entries[i].count;
	}
	return n;
}

static void test_match__joins_sources_without_hiding_a_hit(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2021-1",
	        "\"aliases\":[\"CVE-2021-1111\",\"GHSA-aaaa-bbbb-cccc\"],",
	        affects("PyPI", "numpy", "1.10.0"));
	add(scene, "PyPI", "GHSA-aaaa-bbbb-cccc",
	        "\"aliases\":[\"CVE-2021-1111\"],\"summary\":\"Wide\",",
	        affects("PyPI", "numpy", "1.22"));
	struct package packages[] = { python("numpy", "1.21.3"), python("numpy", "1.9.0") };
	match(scene, packages, 2);

	assert_int_equal(scene->result.n_findings, 2);
	assert_int_equal(scene->result.n_compared, 2);
	const struct finding *newer = &scene->result.findings[1],
	                     *older = &scene->result.findings[0];
	if (newer->pkg != &packages[0]) {
		newer = &scene->result.findings[0];
		older = &scene->result.findings[1];
	}
	assert_str(newer->id, "CVE-2021-1111");
	assert_int_equal(newer->n_reasons, 1);
	assert_str(newer->reasons[0].advisory, "GHSA-aaaa-bbbb-cccc");
	assert_str(newer->reasons[0].range, ">= 0, < 1.22");
	assert_str(newer->reasons[0].comparison, "1.21.3 < 1.22 (pep440)");
	assert_str(newer->fixed_in, "1.22");
	assert_str(newer->title, "Wide");
	assert_str(newer->source, "osv/PyPI");
	assert_int_equal(newer->n_aliases, 1);
	assert_str(newer->aliases[0], "GHSA-aaaa-bbbb-cccc");

	/* the older one is in both ranges: both are reasons, the higher fix ends both */
	assert_int_equal(older->n_reasons, 2);
	assert_str(older->fixed_in, "1.22");
	assert_int_equal(older->fix_state, FIX_AVAILABLE);
	assert_int_equal(older->n_aliases, 2);
}

static void test_match__joins_a_record_without_cve_to_one_with(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2021-2", "\"aliases\":[\"GHSA-aaaa-bbbb-dddd\"],",
	        affects("PyPI", "thing", "2.0"));
	add(scene, "PyPI", "GHSA-aaaa-bbbb-dddd", "\"aliases\":[\"CVE-2021-2222\"],",
	        affects("PyPI", "thing", "1.0"));
	add(scene, "PyPI", "PYSEC-2021-3", "\"aliases\":[\"GHSA-aaaa-bbbb-eeee\"],",
	        affects("PyPI", "thing", "2.0"));
	add(scene, "PyPI", "PYSEC-2021-4", "", affects("PyPI", "thing", "2.0"));
	struct package pkg = python("thing", "1.5");
	match(scene, &pkg, 1);

	assert_int_equal(scene->result.n_findings, 3);
	const struct finding *found = finding_of(scene, "CVE-2021-2222");
	assert_non_null(found);
	assert_int_equal(found->n_reasons, 1);
	assert_str(found->reasons[0].advisory, "PYSEC-2021-2");
	assert_non_null(finding_of(scene, "GHSA-aaaa-bbbb-eeee"));
	assert_non_null(finding_of(scene, "PYSEC-2021-4"));
}

static void test_match__makes_a_finding_of_each_cve(void **state)
{
	struct scene *scene = *state;
	add(scene, "Debian", "DSA-5000-1", "\"upstream\":[\"CVE-2023-1000\",\"CVE-2023-1001\"],",
	        affects("Debian:12", "zlib", "1:1.3-1"));
	add(scene, "Ubuntu", "UBUNTU-CVE-2023-1002", "",
	        affects("Ubuntu:22.04:LTS", "zlib", "1:1.3-1"));
	struct package pkg = { .type = STR("deb"),
		.name = STR("zlib1g"),
		.version = STR("1:1.2.13-1+b1"),
		.source_name = STR("zlib"),
		.source_version = STR("1:1.2.13-1"),
		.path = STR("/var/lib/dpkg/status") };
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 2);
	const struct finding *found = finding_of(scene, "CVE-2023-1001");
	assert_non_null(found);
	assert_str(found->reasons[0].comparison, "1:1.2.13-1 < 1:1.3-1 (deb)");
	assert_str(found->reasons[0].package, "zlib");
	assert_str(found->reasons[0].ecosystem, "Debian:12");
	/* the other CVE of the record is no other name of this one */
	assert_int_equal(found->n_aliases, 1);
	assert_str(found->aliases[0], "DSA-5000-1");

	scene->host = (struct host){ .os_id = STR("ubuntu"), .os_version = STR("22.04") };
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_non_null(finding_of(scene, "CVE-2023-1002"));
}

static void test_match__asks_debian_by_source_and_almalinux_by_binary(void **state)
{
	struct scene *scene = *state;
	add(scene, "Debian", "DSA-1-1", "", affects("Debian:12", "libfoo1", NULL));
	add(scene, "AlmaLinux", "ALSA-2022:1", "\"related\":[\"CVE-2022-1\",\"CVE-2022-10001\"],",
	        affects("AlmaLinux:9", "foo-libs", "1.2-3.el9"));
	add(scene, "AlmaLinux", "ALSA-2022:2", "", affects("AlmaLinux:9", "foo", "9.9-1.el9"));
	struct package debian = { .type = STR("deb"),
		.name = STR("libfoo1"),
		.version = STR("1.0-1"),
		.source_name = STR("foo"),
		.path = STR("/var/lib/dpkg/status") };
	match(scene, &debian, 1);
	assert_int_equal(scene->result.n_findings, 0);
	assert_int_equal(scene->result.n_compared, 1);

	struct package alma = { .type = STR("rpm"),
		.name = STR("foo-libs"),
		.version = STR("1.2-1.el9"),
		.source_name = STR("foo"),
		.path = STR("/var/lib/rpm/rpmdb.sqlite") };
	scene->host = (struct host){ .os_id = STR("almalinux"), .os_version = STR("9.3") };
	match(scene, &alma, 1);
	/* AlmaLinux names its CVEs in `related` */
	assert_int_equal(scene->result.n_findings, 1);
	assert_str(scene->result.findings[0].id, "CVE-2022-10001");
	assert_str(scene->result.findings[0].fixed_in, "1.2-3.el9");
}

static void test_match__keeps_to_the_module_stream(void **state)
{
	struct scene *scene = *state;
	char builds[1200];
	snprintf(builds, sizeof(builds), "%s,%s",
	        affects("AlmaLinux:8", "nodejs", "1:12.22.5-1.module_el8.4.0+2521+c668cc9f"),
	        affects("AlmaLinux:8", "nodejs", "1:12.22.5-1.module_el8.5.0+2600+aaaaaaaa"));
	add(scene, "AlmaLinux", "ALSA-2021:12",
	        "\"summary\":\"Important: nodejs:12 security update\",", builds);
	add(scene, "AlmaLinux", "ALSA-2021:14",
	        "\"summary\":\"Important: nodejs:14 security update\",",
	        affects("AlmaLinux:8", "nodejs", "1:14.17.5-1.module_el8.4.0+2522+bbbbbbbb"));
	add(scene, "AlmaLinux", "ALSA-2021:99",
	        "\"summary\":\"Important: nodejs security update\",",
	        affects("AlmaLinux:8", "nodejs", "1:16.0-1.el8"));
	struct package pkg = { .type = STR("rpm"),
		.name = STR("nodejs"),
		.version = STR("1:12.22.4-1.module_el8.4.0+2500+11111111"),
		.module = STR("nodejs:12:8040020210708131418:522a0ee4"),
		.path = STR("/var/lib/rpm/rpmdb.sqlite") };
	scene->host = (struct host){ .os_id = STR("almalinux"), .os_version = STR("8.5") };
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_str(scene->result.findings[0].id, "ALSA-2021:12");
	assert_int_equal(scene->result.findings[0].n_reasons, 2);

	/* one of the builds that carry the fix, though the other is higher */
	pkg.version = STR("1:12.22.5-1.module_el8.4.0+2521+c668cc9f");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 0);

	pkg.version = STR("1:15.0-1.el8");
	pkg.module = STR("");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_str(scene->result.findings[0].id, "ALSA-2021:99");
}

static void test_match__names_no_fix_when_there_is_none(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "thing", NULL));
	struct package pkg = python("thing", "1.0");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_null(scene->result.findings[0].fixed_in.p);
	assert_int_equal(scene->result.findings[0].fix_state, FIX_NONE);
	assert_int_equal(scene->result.findings[0].severity, SEVERITY_UNTRIAGED);
	assert_true(scene->result.findings[0].score < 0);
	assert_true(scene->result.findings[0].epss < 0);
	assert_false(scene->result.findings[0].is_kev);
}

static void add_rated(struct scene *scene)
{
	add(scene, "PyPI", "PYSEC-2020-1", "\"aliases\":[\"CVE-2020-1001\"],",
	        affects("PyPI", "thing", "9"));
	add(scene, "Go", "GHSA-r1",
	        "\"aliases\":[\"CVE-2020-1001\"]," SEVERITY("CVSS_V3", MEDIUM_31),
	        affects("Go", "thing", "9"));
	add(scene, "PyPI", "PYSEC-2020-2",
	        "\"aliases\":[\"CVE-2020-1002\"],\"severity\":[{\"type\":\"CVSS_V4\",\"score\":"
	        "\"" CRITICAL_40 "\"},{\"type\":\"CVSS_V2\",\"score\":\"" HIGH_20
	        "\"},{\"type\":\"CVSS_V3\",\"score\":\"" HIGH_30 "\"}],",
	        affects("PyPI", "thing", "9"));
	add(scene, "Go", "GHSA-r2",
	        "\"aliases\":[\"CVE-2020-1002\"]," SEVERITY("CVSS_V3", CRITICAL_31),
	        affects("Go", "thing", "9"));
	add(scene, "PyPI", "PYSEC-2020-3",
	        "\"aliases\":[\"CVE-2020-1003\"]," SEVERITY("CVSS_V2", HIGH_20),
	        affects("PyPI", "thing", "9"));
	add(scene, "PyPI", "PYSEC-2020-4", "\"aliases\":[\"CVE-2020-1004\"],",
	        affects("PyPI", "thing", "9"));
	add(scene, "Ubuntu", "UBUNTU-CVE-2020-1004",
	        "\"upstream\":[\"CVE-2020-1004\"]," SEVERITY("Ubuntu", "negligible"),
	        affects("Ubuntu:20.04:LTS", "thing", "9"));
	add(scene, "PyPI", "PYSEC-2020-5",
	        "\"aliases\":[\"CVE-2020-1005\"]," SEVERITY("CVSS_V3", "CVSS:3.1/odd"),
	        affects("PyPI", "thing", "9"));
}

/* One CVE told by two records: one from 0 to `fix`, the other as given. */
static const struct finding *find_by_two(
        struct scene *scene, const char *fix, const char *other_members, const char *version)
{
	char other[512];
	snprintf(other, sizeof(other),
	        "{\"package\":{\"ecosystem\":\"npm\",\"name\":\"lodash\"},%s}", other_members);
	add(scene, "npm", "GHSA-aaaa-aaaa-aaaa", "\"aliases\":[\"CVE-2020-1001\"],",
	        affects("npm", "lodash", fix));
	add(scene, "npm", "GHSA-bbbb-bbbb-bbbb", "\"aliases\":[\"CVE-2020-1001\"],", other);
	struct package pkg = { .type = STR("npm"),
		.name = STR("lodash"),
		.version = str_from_c(version),
		.path = STR("/srv/package.json") };
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_int_equal(scene->result.findings[0].n_reasons, 2);
	return &scene->result.findings[0];
}

#define SPAN(events) "\"ranges\":[{\"type\":\"SEMVER\",\"events\":[" events "]}]"
#define ZERO "{\"introduced\":\"0\"}"

static void test_match__calls_a_fix_partial_that_a_range_without_end_covers(void **state)
{
	const struct finding *found = find_by_two(*state, "4.17.16", SPAN(ZERO), "4.17.15");
	assert_str(found->fixed_in, "4.17.16");
	assert_int_equal(found->fix_state, FIX_PARTIAL);
	assert_false(found->reasons[0].affects_fix);
	assert_true(found->reasons[1].affects_fix);
}

static void test_match__calls_a_fix_partial_that_is_not_after_the_last_affected(void **state)
{
	const struct finding *found = find_by_two(
	        *state, "4.17.16", SPAN(ZERO ",{\"last_affected\":\"4.17.16\"}"), "4.17.15");
	assert_int_equal(found->fix_state, FIX_PARTIAL);
	assert_true(found->reasons[1].affects_fix);
}

static void test_match__calls_a_fix_whole_that_is_after_the_last_affected(void **state)
{
	const struct finding *found = find_by_two(
	        *state, "4.17.16", SPAN(ZERO ",{\"last_affected\":\"4.17.15\"}"), "4.17.15");
	assert_str(found->fixed_in, "4.17.16");
	assert_int_equal(found->fix_state, FIX_AVAILABLE);
}

static void test_match__calls_a_fix_whole_that_is_behind_a_limit(void **state)
{
	const struct finding *found =
	        find_by_two(*state, "4.17.16", SPAN(ZERO ",{\"limit\":\"4.17.16\"}"), "4.17.15");
	assert_int_equal(found->fix_state, FIX_AVAILABLE);
}

static void test_match__takes_no_fix_away_for_a_list_of_versions(void **state)
{
	const struct finding *found =
	        find_by_two(*state, "4.17.16", "\"versions\":[\"4.17.14\",\"4.17.15\"]", "4.17.15");
	assert_str(found->fixed_in, "4.17.16");
	assert_int_equal(found->fix_state, FIX_AVAILABLE);
}

static void test_match__calls_a_fix_partial_that_is_listed_as_affected(void **state)
{
	const struct finding *found =
	        find_by_two(*state, "4.17.16", "\"versions\":[\"4.17.15\",\"4.17.16\"]", "4.17.15");
	assert_int_equal(found->fix_state, FIX_PARTIAL);
}

static void test_match__goes_on_to_the_fix_of_what_came_back(void **state)
{
	const struct finding *found = find_by_two(*state, "1.9.0",
	        SPAN(ZERO
	                ",{\"fixed\":\"1.2.0\"},{\"introduced\":\"1.8.0\"},{\"fixed\":\"2.0.0\"}"),
	        "1.0.0");
	assert_str(found->fixed_in, "2.0.0");
	assert_int_equal(found->fix_state, FIX_AVAILABLE);
	assert_false(found->reasons[0].affects_fix || found->reasons[1].affects_fix);
}

static void test_match__rates_by_the_best_vector_there_is(void **state)
{
	struct scene *scene = *state;
	add_rated(scene);
	struct package pkg = python("thing", "1.0");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 5);

	/* no vector in the record that hit: another's */
	const struct finding *found = finding_of(scene, "CVE-2020-1001");
	assert_int_equal(found->severity, SEVERITY_MEDIUM);
	assert_int_equal(found->n_cvss, 1);
	assert_str(found->cvss[0].source, "GHSA-r1");
	assert_str(found->cvss[0].vector, MEDIUM_31);
	/* the record that hit decides, 3.0 before 4.0 and 2.0; all are listed */
	found = finding_of(scene, "CVE-2020-1002");
	assert_int_equal(found->severity, SEVERITY_HIGH);
	assert_true(found->score > 7.45 && found->score < 7.55);
	assert_int_equal(found->n_cvss, 4);
	found = finding_of(scene, "CVE-2020-1003");
	assert_int_equal(found->severity, SEVERITY_HIGH);
	assert_str(found->cvss[0].version, "2.0");
	/* a vendor's word where no vector is */
	found = finding_of(scene, "CVE-2020-1004");
	assert_int_equal(found->severity, SEVERITY_INFORMATIONAL);
	assert_true(found->score < 0);
	/* a vector that is none is told */
	found = finding_of(scene, "CVE-2020-1005");
	assert_int_equal(found->severity, SEVERITY_UNTRIAGED);
	assert_int_equal(found->n_cvss, 0);
	assert_int_equal(told(scene, "PYSEC-2020-5 is no CVSS vector"), 1);

	/* sorted: severity and score falling, then id */
	assert_str(scene->result.findings[0].id, "CVE-2020-1002");
	assert_str(scene->result.findings[1].id, "CVE-2020-1003");
	assert_str(scene->result.findings[2].id, "CVE-2020-1001");
	assert_str(scene->result.findings[3].id, "CVE-2020-1004");
	assert_str(scene->result.findings[4].id, "CVE-2020-1005");
}

static void test_match__prefers_what_is_said_of_one_cve_alone(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1",
	        "\"aliases\":[\"CVE-2020-1001\",\"CVE-2020-1002\"],\"summary\":\"Both\"," SEVERITY(
	                "CVSS_V3", CRITICAL_31),
	        affects("PyPI", "thing", "9"));
	add(scene, "Go", "GHSA-r1",
	        "\"aliases\":[\"CVE-2020-1001\"],\"summary\":\"One\"," SEVERITY(
	                "CVSS_V3", MEDIUM_31),
	        affects("Go", "thing", "9"));
	struct package pkg = python("thing", "1.0");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 2);
	assert_int_equal(finding_of(scene, "CVE-2020-1001")->severity, SEVERITY_MEDIUM);
	assert_str(finding_of(scene, "CVE-2020-1001")->title, "One");
	assert_int_equal(finding_of(scene, "CVE-2020-1002")->severity, SEVERITY_CRITICAL);
	assert_str(finding_of(scene, "CVE-2020-1002")->title, "Both");
}

static void test_match__knows_what_is_exploited(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1",
	        "\"aliases\":[\"CVE-2020-1001\"],\"details\":\"First line.\\nSecond.\",",
	        affects("PyPI", "thing", "9"));
	database_write(&scene->database, "tables/epss_scores-2024-01-01.csv",
	        "#model_version:v2023.03.01,score_date:2024-01-01T00:00:00+0000\n"
	        "cve,epss,percentile\nCVE-2020-1001,0.25000,0.99000\n");
	database_write(&scene->database, "tables/known_exploited_vulnerabilities.json",
	        "{\"title\":\"CISA Catalog of Known Exploited "
	        "Vulnerabilities\",\"catalogVersion\":\"2024.01.01\","
	        "\"dateReleased\":\"2024-01-01T00:00:00.0000Z\",\"count\":1,\"vulnerabilities\":[{"
	        "\"cveID\":"
	        "\"CVE-2020-1001\",\"vendorProject\":\"A\",\"product\":\"B\",\"vulnerabilityName\":"
	        "\"C\","
	        "\"dateAdded\":\"2023-01-01\",\"shortDescription\":\"D\",\"requiredAction\":\"E\","
	        "\"dueDate\":"
	        "\"2023-02-01\"}]}");
	struct package pkg = python("thing", "1.0");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_true(scene->result.findings[0].is_kev);
	assert_true(
	        scene->result.findings[0].epss > 0.2499 && scene->result.findings[0].epss < 0.2501);
	assert_str(scene->result.findings[0].title, "First line.");
}

static void test_match__leaves_owned_packages_to_the_distribution(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "numpy", "9"));
	struct package packages[] = { python("numpy", "1.0"), python("numpy", "1.0"),
		{ .type = STR("rpm"),
		        .name = STR("python3-numpy"),
		        .version = STR("1:1.0-1"),
		        .vendor = STR("Fedora Project"),
		        .path = STR("/var/lib/rpm/rpmdb.sqlite") } };
	packages[1].owner = STR("rpm python3-numpy 1:1.0-1");
	packages[1].path = STR("/usr/lib/python3/METADATA");

	scene->host = (struct host){ .os_id = STR("fedora"), .os_version = STR("39") };
	match(scene, packages, 3);
	assert_int_equal(scene->result.n_findings, 1);
	assert_int_equal(scene->result.n_suppressed, 1);
	assert_ptr_equal(scene->result.findings[0].pkg, &packages[0]);
	assert_ptr_equal(scene->result.suppressed[0].pkg, &packages[1]);
	assert_str(scene->result.suppressed[0].suppressed,
	        "owned by rpm python3-numpy 1:1.0-1: only the distribution's advisories could "
	        "judge it, and "
	        "no source covers fedora 39");

	/* brought by somebody else's package: nobody else judges it */
	packages[2].vendor = STR("Some Company");
	match(scene, packages, 3);
	assert_int_equal(scene->result.n_findings, 2);
	packages[2].vendor = STR("Fedora Project");
	packages[1].path = STR("/opt/agent/lib/METADATA");
	match(scene, packages, 3);
	assert_int_equal(scene->result.n_findings, 2);
	assert_int_equal(scene->result.n_suppressed, 0);
}

static void test_match__counts_what_a_vendors_deb_brought(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "numpy", "9"));
	struct package packages[] = { python("numpy", "1.0"),
		{ .type = STR("deb"),
		        .name = STR("agent"),
		        .version = STR("3-1"),
		        .vendor = STR("Agent Support <support@nodesource.com>"),
		        .path = STR("/var/lib/dpkg/status") } };
	packages[0].owner = STR("deb agent 3-1");
	match(scene, packages, 2);
	assert_int_equal(scene->result.n_findings, 1);
	packages[1].vendor = STR("A Person <person@gmail.com>");
	match(scene, packages, 2);
	assert_int_equal(scene->result.n_findings, 0);
	assert_int_equal(scene->result.n_suppressed, 1);
}

static void test_match__says_that_the_distribution_judges(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "numpy", "9"));
	add(scene, "Debian", "DSA-1-1", "", affects("Debian:12", "other", "9"));
	struct package pkg = python("numpy", "1.0");
	pkg.owner = STR("deb python3-numpy 1:1.24.2-1");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 0);
	assert_int_equal(scene->result.n_suppressed, 1);
	assert_str(scene->result.suppressed[0].suppressed,
	        "owned by deb python3-numpy 1:1.24.2-1: the distribution's advisories judge it");
}

static void test_match__tells_what_it_could_not_judge(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "thing", "9"));
	struct package packages[] = {
		python("thing", "1.0-final"),
		python("unknown-to-all", "1.0-final"),
		{ .type = STR("deb"),
		        .name = STR("a"),
		        .version = STR("1"),
		        .path = STR("/status") },
		{ .type = STR("deb"),
		        .name = STR("b"),
		        .version = STR("1"),
		        .path = STR("/status") },
		{ .type = STR("npm"),
		        .name = STR("c"),
		        .version = STR("1.0.0"),
		        .path = STR("/c") },
		{ .type = STR("strange"),
		        .name = STR("d"),
		        .version = STR("1"),
		        .path = STR("/d") },
		{ .type = STR("strange"),
		        .name = STR("e"),
		        .version = STR("1"),
		        .path = STR("/e") },
	};
	match(scene, packages, sizeof(packages) / sizeof(*packages));
	assert_int_equal(scene->result.n_findings, 0);
	assert_int_equal(scene->result.n_compared, 2);
	assert_int_equal(
	        told(scene, "PYSEC-2020-1 could not be judged: thing version '1.0-final'"), 1);
	assert_int_equal(
	        told(scene, "no source of advisories covers the deb packages of debian 12"), 2);
	assert_int_equal(told(scene, "no source of advisories covers the npm packages"), 1);
	assert_int_equal(
	        told(scene, "no ecosystem of advisories is known for the strange packages"), 2);
	/* one entry each, and none that makes the scan incomplete */
	assert_int_equal(scene->ledger.n, 4);
	assert_int_equal(scene->ledger.n_failures, 0);
}

static void test_match__takes_names_as_python_compares_them(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "Ruamel.YAML_x", "9"));
	struct package pkg = python("ruamel-yaml-x", "1.0");
	match(scene, &pkg, 1);
	assert_int_equal(scene->result.n_findings, 1);
	assert_str(scene->result.findings[0].reasons[0].package, "Ruamel.YAML_x");
}

static void test_match__gives_nothing_for_nothing(void **state)
{
	struct scene *scene = *state;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "thing", "9"));
	match(scene, NULL, 0);
	assert_int_equal(scene->result.n_findings + scene->result.n_suppressed, 0);
	match_result_fini(&scene->result);
	match_result_fini(&scene->result);
	match_result_fini(NULL);
}

/* Less memory than it takes is a sentence, at whichever allocation it ends, and leaves nothing
 * behind. */
static void test_match__stops_when_memory_is_out(void **state)
{
	struct scene *scene = *state;
	struct package packages[] = {
		python("thing", "1.0"), python("thing", "1.0"), python("Some_Thing", "1.0-final"),
		{ .type = STR("deb"),
		        .name = STR("a"),
		        .version = STR("1"),
		        .path = STR("/status") },
		{ .type = STR("strange"), .name = STR("d"), .version = STR("1"), .path = STR("/d") }
	};
	packages[1].owner = STR("deb a 1");
	add_rated(scene);
	add(scene, "Debian", "DSA-1-1", "\"upstream\":[\"CVE-2020-1009\"],\"details\":\"Some.\",",
	        affects("Debian:12", "a", "2"));
	database_open(&scene->database);

	const struct match_input in = { scene->database.db, &scene->host, packages,
		sizeof(packages) / sizeof(*packages), &scene->ledger };
	unsigned n_limited = 0;
	int r = -ERR_LIMIT;
	for (size_t most_bytes = 0; r == -ERR_LIMIT; most_bytes += 64) {
		struct err err = { 0 };
		r = match_within(most_bytes, &in, &scene->result, &err);
		if (r == -ERR_LIMIT) {
			assert_true(err.text[0] != '\0');
			n_limited++;
			match_result_fini(&scene->result);
		}
	}
	assert_int_equal(r, 0);
	assert_true(n_limited > 100);
	assert_int_equal(scene->result.n_findings, 6);
	assert_int_equal(scene->result.n_suppressed, 5);
}

static void test_match__says_so_when_a_record_is_not_there(void **state)
{
	struct scene *scene = *state;
	struct err err = { 0 };
	struct record *record;
	add(scene, "PyPI", "PYSEC-2020-1", "", affects("PyPI", "thing", "9"));
	database_open(&scene->database);
	struct records records = RECORDS(scene->database.db, &scene->arena);
	assert_int_equal(records_get(&records, STR("osv/PyPI"), STR("PYSEC-2020-9"), &record, &err),
	        -ERR_FORMAT);
	assert_string_equal(err.text, "osv/PyPI: record PYSEC-2020-9 is named but not there");
	assert_int_equal(
	        records_get(&records, STR("osv/PyPI"), STR("PYSEC-2020-1"), &record, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_match__joins_sources_without_hiding_a_hit),
		TEST(test_match__joins_a_record_without_cve_to_one_with),
		TEST(test_match__makes_a_finding_of_each_cve),
		TEST(test_match__asks_debian_by_source_and_almalinux_by_binary),
		TEST(test_match__keeps_to_the_module_stream),
		TEST(test_match__names_no_fix_when_there_is_none),
		TEST(test_match__calls_a_fix_partial_that_a_range_without_end_covers),
		TEST(test_match__calls_a_fix_partial_that_is_not_after_the_last_affected),
		TEST(test_match__calls_a_fix_whole_that_is_after_the_last_affected),
		TEST(test_match__calls_a_fix_whole_that_is_behind_a_limit),
		TEST(test_match__takes_no_fix_away_for_a_list_of_versions),
		TEST(test_match__calls_a_fix_partial_that_is_listed_as_affected),
		TEST(test_match__goes_on_to_the_fix_of_what_came_back),
		TEST(test_match__rates_by_the_best_vector_there_is),
		TEST(test_match__prefers_what_is_said_of_one_cve_alone),
		TEST(test_match__knows_what_is_exploited),
		TEST(test_match__leaves_owned_packages_to_the_distribution),
		TEST(test_match__counts_what_a_vendors_deb_brought),
		TEST(test_match__says_that_the_distribution_judges),
		TEST(test_match__tells_what_it_could_not_judge),
		TEST(test_match__takes_names_as_python_compares_them),
		TEST(test_match__gives_nothing_for_nothing),
		TEST(test_match__stops_when_memory_is_out),
		TEST(test_match__says_so_when_a_record_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
