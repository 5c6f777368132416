/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <string.h>

#include "vulndb/format.h"
#include "vulndb/osv.h"

/* One record's reading; the arena is released at once, so only counts and borrowed strings are
 * looked at. */
static enum reason read_text(const char *json, struct osv *ret, struct arena *arena)
{
	return osv_read(str_from_c(json), arena, ret);
}

static void expect(const char *json, enum reason expected)
{
	struct arena arena = ARENA((size_t)64 << 20);
	struct osv osv;
	enum reason reason = read_text(json, &osv, &arena);
	if (reason != expected)
		fail_msg("%s: %s, not %s", json, reason_name(reason), reason_name(expected));
	arena_fini(&arena);
}

#define PACKAGE "\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"x\"}"
#define RANGE(events) "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[" events "]}]"
#define GIT "\"ranges\":[{\"type\":\"GIT\",\"repo\":\"r\",\"events\":[{\"introduced\":\"0\"}]}]"
#define RECORD(affected)                                                                           \
	"{\"id\":\"A-1\",\"modified\":\"2020-01-01T00:00:00Z\",\"affected\":[" affected "]}"

static void test_osv__finds_exactly_one_reason(void **state)
{
	(void)state;
	expect(RECORD("{" PACKAGE "," RANGE("{\"introduced\":\"0\"}") "}"), REASON_USED);
	expect(RECORD("{" PACKAGE ",\"versions\":[\"1.0\"]}"), REASON_USED);
	expect("", REASON_NOT_JSON);
	expect("[]", REASON_NOT_JSON);
	expect("{\"id\":\"A-1\"", REASON_NOT_JSON);
	expect("{\"id\":\"A-1\"} x", REASON_NOT_JSON);
	expect("{\"affected\":[]}", REASON_NO_ID);
	expect("{\"id\":\"\"}", REASON_NO_ID);
	expect("{\"id\":7}", REASON_NO_ID);
	expect("{\"id\":\"A\\u0000B\"}", REASON_NO_ID);
	expect("{\"id\":\"A\\nB\"}", REASON_NO_ID);
	expect("{\"id\":\"A-1\",\"withdrawn\":\"2020-01-01T00:00:00Z\"}", REASON_WITHDRAWN);
	expect("{\"id\":\"MAL-2023-1\"}", REASON_MALICIOUS);
	expect("{\"id\":\"MAL-2023-1\",\"withdrawn\":\"x\"}", REASON_WITHDRAWN);
	expect("{\"id\":\"A-1\"}", REASON_NO_PACKAGE);
	expect("{\"id\":\"A-1\",\"affected\":null}", REASON_NO_PACKAGE);
	expect(RECORD(""), REASON_NO_PACKAGE);
	expect(RECORD("{" GIT "}"), REASON_NO_PACKAGE);
	expect(RECORD("{\"package\":{\"name\":\"x\"},\"versions\":[\"1\"]}"), REASON_NO_PACKAGE);
	expect(RECORD("{\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"\"}}"), REASON_NO_PACKAGE);
	expect(RECORD("{" PACKAGE "," GIT "}"), REASON_ONLY_GIT);
	expect(RECORD("{" PACKAGE "}"), REASON_NO_RANGE);
	expect(RECORD("{" PACKAGE ",\"ranges\":[],\"versions\":null}"), REASON_NO_RANGE);
	expect(RECORD("{" PACKAGE "," RANGE("") "}"), REASON_BAD_EVENT);
	expect(RECORD("{" PACKAGE "," RANGE("{\"fixed\":\"1\"}") "}"), REASON_BAD_EVENT);
	expect(RECORD("{" PACKAGE "," RANGE("{\"introduced\":0}") "}"), REASON_BAD_EVENT);
	expect(RECORD("{" PACKAGE "," RANGE("{\"introduced\":\"\"}") "}"), REASON_BAD_EVENT);
	expect(RECORD("{" PACKAGE
	              ",\"ranges\":[{\"type\":\"X\",\"events\":[{\"introduced\":\"0\"}]}]}"),
	        REASON_BAD_EVENT);
}

static void test_osv__judges_a_record_by_its_best_entry(void **state)
{
	(void)state;
	expect(RECORD("{" PACKAGE "," GIT "},{" PACKAGE ",\"versions\":[\"1\"]}"), REASON_USED);
	expect(RECORD("{" GIT "},{" PACKAGE "}"), REASON_NO_RANGE);
	expect(RECORD("{" PACKAGE "},{" PACKAGE "," GIT "}"), REASON_ONLY_GIT);
	expect(RECORD("{" PACKAGE "," GIT "},{" PACKAGE "," RANGE("") "}"), REASON_BAD_EVENT);
}

static void test_osv__keeps_the_usable_entries_and_tells_of_the_others(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	autobuf text = BUF(1024);
	struct osv osv;
	assert_int_equal(read_text(RECORD("{" GIT "},{" PACKAGE "," GIT "},{" PACKAGE
	                                  ",\"versions\":[\"1\",7,\"2\"]}"),
	                         &osv, &arena),
	        REASON_USED);
	assert_int_equal(osv.n_affected, 1);
	assert_int_equal(osv.affected[0].n_versions, 2);
	osv_describe(&osv, &text);
	assert_true(
	        str_eq(buf_str(&text), STR("2 of 3 packages left out: names no package, only GIT "
	                                   "ranges; 1 listed versions left out")));
	arena_fini(&arena);
}

static void test_osv__drops_git_ranges_beside_others_without_a_word(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	autobuf text = BUF(1024);
	struct osv osv;
	const char *json = RECORD(
	        "{" PACKAGE ",\"ranges\":[{\"type\":\"GIT\",\"events\":[{\"introduced\":\"0\"}]},"
	        "{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"1\"},{\"fixed\":\"2\"},"
	        "{\"introduced\":\"3\"},{\"last_affected\":\"4\"},{\"limit\":\"5\"}]}]}");
	assert_int_equal(read_text(json, &osv, &arena), REASON_USED);
	assert_int_equal(osv.affected[0].n_ranges, 1);
	const struct advisory_range *range = &osv.affected[0].ranges[0];
	assert_true(range->is_semver);
	assert_int_equal(range->n_events, 5);
	static const enum advisory_event_kind kinds[] = { EVENT_INTRODUCED, EVENT_FIXED,
		EVENT_INTRODUCED, EVENT_LAST_AFFECTED, EVENT_LIMIT };
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(range->events[i].kind, kinds[i]);
		assert_int_equal(range->events[i].version.p[0], '1' + (int)i);
	}
	osv_describe(&osv, &text);
	assert_int_equal(text.n, 0);
	arena_fini(&arena);
}

/* A range that lacks one of its events says something else than the record did. */
static void test_osv__drops_a_range_with_an_event_it_cannot_use(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	autobuf json = BUF(65536), text = BUF(1024);
	struct osv osv;
	buf_add(&json, STR("{\"id\":\"A-1\",\"affected\":[{" PACKAGE ",\"versions\":[\"1\"],"
	                   "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},"
	                   "{\"fixed\":\""));
	for (int i = 0; i < 10000; i++)
		buf_add_byte(&json, '1');
	buf_add(&json, STR("\"}]}]}]}"));
	assert_int_equal(osv_read(buf_str(&json), &arena, &osv), REASON_USED);
	assert_int_equal(osv.affected[0].n_ranges, 0);
	assert_int_equal(osv.affected[0].n_versions, 1);
	osv_describe(&osv, &text);
	assert_true(str_eq(buf_str(&text), STR("1 ranges left out: no usable event")));
	arena_fini(&arena);
}

static void test_osv__reads_what_a_record_says_of_itself(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	struct osv osv;
	const char *json =
	        "{\"id\":\"ALSA-2022:1\",\"summary\":\"a \\u00e9 title\",\"details\":\"more\","
	        "\"published\":\"P\",\"modified\":\"M\",\"aliases\":[\"CVE-2020-1\",\"\",null],"
	        "\"upstream\":null,"
	        "\"related\":[\"CVE-2020-2\"],\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"CVSS:"
	        "3.1/AV:N\"},"
	        "{\"type\":\"Ubuntu\",\"score\":\"low\"}],\"references\":[{\"type\":\"WEB\","
	        "\"url\":\"https://a\"},{}],"
	        "\"affected\":[{" PACKAGE
	        ",\"versions\":[\"1\"],\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
	        "\"CVSS:3.1/AV:N\"},{\"type\":\"CVSS_V4\",\"score\":\"CVSS:4.0/AV:N\"}]}]}";
	assert_int_equal(read_text(json, &osv, &arena), REASON_USED);
	const struct advisory *a = &osv.advisory;
	assert_true(str_eq(a->title, STR("a \xc3\xa9 title")));
	assert_true(str_eq(a->details, STR("more")));
	assert_true(a->uses_related);
	assert_int_equal(a->n_aliases, 1);
	assert_int_equal(osv.n_bad_ids, 2);
	assert_int_equal(a->n_upstream, 0);
	assert_int_equal(a->n_related, 1);
	assert_int_equal(a->n_references, 1);
	assert_int_equal(a->n_severities, 3); /* the entry's are added, each once */
	assert_true(str_eq(a->severities[2].type, STR("CVSS_V4")));
	arena_fini(&arena);
}

static void test_osv__uses_related_only_where_it_means_the_record_itself(void **state)
{
	(void)state;
	static const struct {
		const char *id;
		bool uses;
	} rows[] = { { "ALSA-2022:1", true }, { "ALBA-2022:1", true }, { "RLSA-2022:1", true },
		{ "RHSA-2022:1", true }, { "MGASA-2022-1", true }, { "SUSE-SU-2022:1", true },
		{ "openSUSE-SU-2022:1", true }, { "USN-1-1", true }, { "UBUNTU-CVE-2022-1", true },
		{ "DSA-1-1", true }, { "OESA-2021-1", true }, { "GHSA-aaaa-bbbb-cccc", false },
		{ "GO-2022-1", false }, { "PYSEC-2022-1", false }, { "RUSTSEC-2022-1", false },
		{ "HSEC-2022-1", false }, { "CVE-2022-1", false }, { "NEW-1", false },
		{ "plain", false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena = ARENA((size_t)1 << 20);
		char json[256];
		struct osv osv;
		(void)snprintf(json, sizeof(json),
		        "{\"id\":\"%s\",\"affected\":[{" PACKAGE ",\"versions\":[\"1\"]}]}",
		        rows[i].id);
		assert_int_equal(read_text(json, &osv, &arena), REASON_USED);
		if (osv.advisory.uses_related != rows[i].uses)
			fail_msg("%s", rows[i].id);
		arena_fini(&arena);
	}
}

static void test_osv__has_limits(void **state)
{
	(void)state;
	struct arena small = ARENA((size_t)16 << 10), arena = ARENA((size_t)64 << 20);
	autobuf json = BUF((size_t)4 << 20);
	struct osv osv;
	buf_add(&json, STR("{\"id\":\"A-1\",\"affected\":[{" PACKAGE ",\"versions\":[\"1\""));
	for (int i = 0; i < 10000; i++)
		buf_add(&json, STR(",\"1\""));
	buf_add(&json, STR("]}]}"));
	assert_int_equal(osv_read(buf_str(&json), &small, &osv), REASON_TOO_LARGE);
	assert_int_equal(osv_read(buf_str(&json), &arena, &osv), REASON_USED);
	buf_clear(&json);
	buf_add(&json, STR("{\"id\":\"A-1\",\"severity\":["));
	for (int i = 0; i < 300; i++)
		buf_printf(&json, "%s{\"type\":\"T\",\"score\":\"%d\"}", i ? "," : "", i);
	buf_add(&json, STR("]}"));
	assert_int_equal(osv_read(buf_str(&json), &arena, &osv), REASON_TOO_LARGE);
	buf_clear(&json);
	buf_add(&json, STR("{\"id\":\"A-1\",\"x\":"));
	for (int i = 0; i < 100; i++)
		buf_add_byte(&json, '[');
	assert_int_equal(osv_read(buf_str(&json), &arena, &osv), REASON_TOO_LARGE);
	arena_fini(&small);
	arena_fini(&arena);
}

static void test_osv__recognises_a_record_by_its_beginning(void **state)
{
	(void)state;
	assert_true(osv_looks_like(STR("{\"schema_version\":\"1.0\",\"id\":\"A\",\"det")));
	assert_true(osv_looks_like(STR("{\"id\":\"A\",\"modified\":\"2020\"}")));
	assert_false(osv_looks_like(STR("{\"id\":\"A\"}")));
	assert_false(osv_looks_like(STR("{\"id\":7,\"modified\":\"2020\"}")));
	assert_false(osv_looks_like(STR("{\"catalogVersion\":\"1\",\"vulnerabilities\":[]}")));
	assert_false(osv_looks_like(STR("[]")));
	assert_false(osv_looks_like(STR("")));
}

/* GitHub's older records have no vector, only a word. */
static void test_osv__takes_the_words_of_publishers_as_severities_behind_the_vectors(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	struct osv osv;
	const struct advisory *a = &osv.advisory;
	assert_int_equal(read_text("{\"id\":\"GHSA-8j8c\",\"database_specific\":{\"cwe_ids\":[],"
	                           "\"severity\":\"HIGH\"},\"affected\":[{" PACKAGE
	                           ",\"versions\":[\"1\"],\"ecosystem_specific\":{\"severity\":"
	                           "\"LOW\"},\"database_specific\":{\"severity\":\"HIGH\"}}]}",
	                         &osv, &arena),
	        REASON_USED);
	assert_int_equal(a->n_severities, 2);
	assert_true(str_eq(a->severities[0].type, STR("GHSA")));
	assert_true(str_eq(a->severities[0].score, STR("HIGH")));
	assert_true(str_eq(a->severities[1].score, STR("LOW")));
	assert_int_equal(read_text("{\"id\":\"CVSS_V3-1\",\"database_specific\":{\"severity\":"
	                           "\"Moderate\"},\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
	                           "\"CVSS:3.1/x\"}],\"affected\":[{" PACKAGE
	                           ",\"versions\":[\"1\"],\"ecosystem_specific\":7}]}",
	                         &osv, &arena),
	        REASON_USED);
	assert_int_equal(a->n_severities, 2);
	assert_true(str_eq(a->severities[0].type, STR("CVSS_V3")));
	assert_true(str_eq(a->severities[1].type, STR("word")));
	assert_int_equal(
	        read_text("{\"id\":\"A-1\",\"database_specific\":{\"severity\":[\"HIGH\"]},"
	                  "\"affected\":[{" PACKAGE ",\"versions\":[\"1\"],"
	                  "\"database_specific\":{\"severity\":null}}]}",
	                &osv, &arena),
	        REASON_USED);
	assert_int_equal(a->n_severities, 0);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_osv__finds_exactly_one_reason),
		cmocka_unit_test(test_osv__judges_a_record_by_its_best_entry),
		cmocka_unit_test(test_osv__keeps_the_usable_entries_and_tells_of_the_others),
		cmocka_unit_test(test_osv__drops_git_ranges_beside_others_without_a_word),
		cmocka_unit_test(test_osv__drops_a_range_with_an_event_it_cannot_use),
		cmocka_unit_test(test_osv__reads_what_a_record_says_of_itself),
		cmocka_unit_test(test_osv__uses_related_only_where_it_means_the_record_itself),
		cmocka_unit_test(test_osv__has_limits),
		cmocka_unit_test(test_osv__recognises_a_record_by_its_beginning),
		cmocka_unit_test(
		        test_osv__takes_the_words_of_publishers_as_severities_behind_the_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
