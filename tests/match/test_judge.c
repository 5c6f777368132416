/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "affected.h"
#include "match/match.h"

static struct arena memory = ARENA((size_t)64 << 20);

static int release(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

/* The verdict over a record's ranges, and what decided. */
static enum verdict judge(
        const char *scheme, const char *ranges, const char *version, struct verdict_detail *ret)
{
	struct advisory_affected *list;
	str json;
	assert_int_equal(arena_printf(&memory, &json, "[{%s}]", ranges), 0);
	assert_int_equal(affected_read(json, &memory, &list), 1);
	return match_judge(scheme, list, str_from_c(version), &memory, ret);
}

static enum verdict judge_events(const char *scheme, const char *events, const char *version)
{
	struct verdict_detail unused;
	str text;
	assert_int_equal(arena_printf(&memory, &text,
	                         "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[%s]}]", events),
	        0);
	return judge(scheme, text.p, version, &unused);
}

#define ZERO "{\"introduced\":\"0\"}"
#define INTRODUCED(v) "{\"introduced\":\"" v "\"}"
#define FIXED(v) "{\"fixed\":\"" v "\"}"
#define LAST(v) "{\"last_affected\":\"" v "\"}"
#define RANGE(a, b) "{\"type\":\"ECOSYSTEM\",\"events\":[" a "," b "]}"
#define LIMIT(v) "{\"limit\":\"" v "\"}"

static void test_judge__ends_a_range_at_its_fix(void **state)
{
	(void)state;
	assert_int_equal(judge_events("pep440", ZERO "," FIXED("1.22"), "1.21.3"), VERDICT_YES);
	assert_int_equal(judge_events("pep440", ZERO "," FIXED("1.22"), "1.22.dev1"), VERDICT_YES);
	assert_int_equal(judge_events("pep440", ZERO "," FIXED("1.21"), "1.21.0"), VERDICT_NO);
	assert_int_equal(judge_events("pep440", ZERO "," FIXED("1.22"), "1.23"), VERDICT_NO);
}

static void test_judge__begins_before_every_version_at_0(void **state)
{
	(void)state;
	assert_int_equal(judge_events("deb", ZERO "," FIXED("1.0"), "0~~"), VERDICT_YES);
	assert_int_equal(judge_events("npm", ZERO "," FIXED("1.0.0"), "0.0.0-a"), VERDICT_YES);
}

static void test_judge__ends_behind_the_last_affected(void **state)
{
	(void)state;
	assert_int_equal(judge_events("deb", ZERO "," LAST("1.2-1"), "1.2-1"), VERDICT_YES);
	assert_int_equal(judge_events("deb", ZERO "," LAST("1.2-1"), "1.2-1+b1"), VERDICT_NO);
}

static void test_judge__takes_several_pairs_in_any_order(void **state)
{
	const char *events = FIXED("3.2.0") "," INTRODUCED("2.1.0") "," FIXED("1.0.0") "," ZERO;
	(void)state;
	assert_int_equal(judge_events("npm", events, "0.9.0"), VERDICT_YES);
	assert_int_equal(judge_events("npm", events, "1.0.0"), VERDICT_NO);
	assert_int_equal(judge_events("npm", events, "2.1.0"), VERDICT_YES);
	assert_int_equal(judge_events("npm", events, "3.2.0"), VERDICT_NO);
}

static void test_judge__takes_the_later_of_two_events_at_one_place(void **state)
{
	(void)state;
	assert_int_equal(
	        judge_events("npm", INTRODUCED("1.0.0") "," FIXED("1.0.0"), "1.0.0"), VERDICT_NO);
	assert_int_equal(judge_events("npm",
	                         ZERO "," FIXED("1.0.0") "," INTRODUCED("1.0.0") "," FIXED("2.0.0"),
	                         "1.0.0"),
	        VERDICT_YES);
	assert_int_equal(
	        judge_events("npm", INTRODUCED("1.0.0") "," LAST("1.0.0"), "1.0.0"), VERDICT_YES);
}

static void test_judge__stays_before_a_limit(void **state)
{
	(void)state;
	assert_int_equal(judge_events("npm", ZERO "," LIMIT("2.0.0"), "1.0.0"), VERDICT_YES);
	assert_int_equal(judge_events("npm", ZERO "," LIMIT("2.0.0"), "2.0.0"), VERDICT_NO);
	assert_int_equal(judge_events("npm", ZERO "," LIMIT("1.0.0") "," LIMIT("3.0.0"), "2.0.0"),
	        VERDICT_YES);
	assert_int_equal(judge_events("npm", ZERO "," LIMIT("*"), "2.0.0"), VERDICT_YES);
	assert_int_equal(judge_events("npm", ZERO "," LIMIT("odd"), "2.0.0"), VERDICT_UNKNOWN);
}

static void test_judge__never_says_no_to_what_it_cannot_order(void **state)
{
	(void)state;
	assert_int_equal(
	        judge_events("pep440", ZERO "," FIXED("1.0"), "1.0-final"), VERDICT_UNKNOWN);
	assert_int_equal(judge_events("pep440", ZERO "," FIXED("odd"), "1.0"), VERDICT_UNKNOWN);
	assert_int_equal(judge_events("pep440", INTRODUCED("odd"), "1.0"), VERDICT_UNKNOWN);
	assert_int_equal(judge_events("", ZERO "," FIXED("1.0"), "0.1"), VERDICT_UNKNOWN);
	assert_int_equal(judge_events("pep440", FIXED("1.0"), "0.1"), VERDICT_UNKNOWN);
	assert_int_equal(judge_events("pep440", "", "0.1"), VERDICT_UNKNOWN);
}

static void test_judge__says_what_an_odd_event_cannot_change(void **state)
{
	(void)state;
	/* everything is affected, whatever the version is */
	assert_int_equal(judge_events("pep440", ZERO, "1.0-final"), VERDICT_YES);
	/* one more beginning takes nothing away, one more end adds nothing */
	assert_int_equal(judge_events("pep440", ZERO "," INTRODUCED("odd"), "1.0"), VERDICT_YES);
	assert_int_equal(
	        judge_events("pep440", ZERO "," FIXED("1.0") "," LAST("odd"), "2.0"), VERDICT_NO);
}

static void test_judge__lists_versions_by_text_and_by_order(void **state)
{
	struct verdict_detail detail;
	(void)state;
	assert_int_equal(
	        judge("pep440", "\"versions\":[\"1.21\"]", "1.21.0", &detail), VERDICT_YES);
	assert_string_equal(detail.range.p, "= 1.21");
	assert_string_equal(detail.comparison.p, "1.21.0 = 1.21 (pep440)");
	assert_int_equal(detail.fixed_in.n, 0);
	assert_int_equal(
	        judge("pep440", "\"versions\":[\"1.0-final\"]", "1.0-final", &detail), VERDICT_YES);
	assert_int_equal(judge("pep440", "\"versions\":[\"1.21\"]", "1.21.1", &detail), VERDICT_NO);
	assert_int_equal(
	        judge("pep440", "\"versions\":[\"1.21\"]", "1.21-final", &detail), VERDICT_UNKNOWN);
	assert_int_equal(judge("pep440", "\"versions\":[]", "1.21", &detail), VERDICT_UNKNOWN);
}

static void test_judge__joins_ranges_and_versions(void **state)
{
	struct verdict_detail detail;
	const char *entry = "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[" INTRODUCED(
	        "2.0") "," FIXED("2.5") "]}],\"versions\":[\"1.0\"]";
	(void)state;
	assert_int_equal(judge("pep440", entry, "2.1", &detail), VERDICT_YES);
	assert_string_equal(detail.range.p, ">= 2.0, < 2.5");
	assert_int_equal(judge("pep440", entry, "1.0", &detail), VERDICT_YES);
	assert_string_equal(detail.range.p, "= 1.0");
	assert_string_equal(detail.fixed_in.p, "2.5");
	assert_int_equal(judge("pep440", entry, "1.5", &detail), VERDICT_NO);
}

static void test_judge__explains_the_line_that_holds_the_version(void **state)
{
	struct verdict_detail detail;
	const char *entry = "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[" ZERO "," FIXED(
	        "1:1.2") "," INTRODUCED("1:2.0") "," LAST("1:2.5") "," INTRODUCED("1:3.0") "]}]";
	(void)state;
	assert_int_equal(judge("rpm", entry, "1.1", &detail), VERDICT_YES);
	assert_string_equal(detail.range.p, ">= 0, < 1:1.2");
	assert_string_equal(detail.comparison.p, "1.1 < 1:1.2 (rpm)");
	assert_string_equal(detail.fixed_in.p, "1:1.2");
	assert_int_equal(judge("rpm", entry, "1:2.5", &detail), VERDICT_YES);
	assert_string_equal(detail.range.p, ">= 1:2.0, <= 1:2.5");
	assert_string_equal(detail.comparison.p, "1:2.5 <= 1:2.5 (rpm)");
	assert_int_equal(detail.fixed_in.n, 0);
	assert_int_equal(judge("rpm", entry, "1:3.1", &detail), VERDICT_YES);
	assert_string_equal(detail.range.p, ">= 1:3.0");
	assert_string_equal(detail.comparison.p, "1:3.1 >= 1:3.0 (rpm)");
	assert_int_equal(detail.fixed_in.n, 0);
}

static void test_judge__names_the_fix_that_leaves_every_range(void **state)
{
	struct verdict_detail detail;
	(void)state;
	assert_int_equal(judge("pep440",
	                         "\"ranges\":[" RANGE(ZERO, FIXED("1.5")) "," RANGE(
	                                 INTRODUCED("1.4"), FIXED("1.9")) "]",
	                         "1.0", &detail),
	        VERDICT_YES);
	assert_string_equal(detail.fixed_in.p, "1.9");
	assert_int_equal(judge("pep440",
	                         "\"ranges\":[" RANGE(ZERO, FIXED("1.5")) "," RANGE(
	                                 INTRODUCED("1.4"), LAST("1.9")) "]",
	                         "1.0", &detail),
	        VERDICT_YES);
	assert_int_equal(detail.fixed_in.n, 0);
}

static void test_judge__orders_semver_ranges_by_semver(void **state)
{
	struct verdict_detail detail;
	const char *entry =
	        "\"ranges\":[{\"type\":\"SEMVER\",\"events\":[" ZERO "," FIXED("2") "]}]";
	(void)state;
	assert_int_equal(judge("npm", entry, "2.0.0-rc.1", &detail), VERDICT_YES);
	assert_string_equal(detail.comparison.p, "2.0.0-rc.1 < 2 (semver)");
	assert_int_equal(judge("", entry, "v2.0.0", &detail), VERDICT_NO);
}

static void test_judge__leaves_nothing_half_said_when_memory_is_out(void **state)
{
	struct advisory_affected *list;
	struct arena none = ARENA(0);
	struct verdict_detail detail;
	(void)state;
	affected_read(STR("[{\"versions\":[\"1.0\"]}]"), &memory, &list);
	assert_int_equal(match_judge("deb", list, STR("1.0"), &none, &detail), VERDICT_YES);
	assert_int_equal(detail.range.n + detail.comparison.n + detail.fixed_in.n, 0);
}

/* Why a row may differ, or NULL. docs/version-order.md explains each. */
static const char *excuse(str version, const struct advisory_affected *list, size_t n)
{
	if (version.n == 0)
		return "the version is not known";
	for (size_t i = 0; i < n; i++) {
		if (list[i].n_ranges == 0 && list[i].n_versions == 0)
			return "the entry says nothing";
	}
	return NULL;
}

/* Any entry of the package: YES, else UNKNOWN, else NO. */
static enum verdict judge_all(str ecosystem, const char *scheme, str version,
        const struct advisory_affected *list, size_t n)
{
	enum verdict all = VERDICT_NO;
	struct verdict_detail unused;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(list[i].ecosystem, ecosystem) ||
		        !str_eq(list[i].package, STR("my-package")))
			continue;
		enum verdict v = match_judge(scheme, &list[i], version, &memory, &unused);
		if (v == VERDICT_YES || (v == VERDICT_UNKNOWN && all == VERDICT_NO))
			all = v;
	}
	return all;
}

static void check_table(const char *table, str ecosystem, const char *scheme, unsigned most_excused)
{
	autobuf text = BUF(1u << 20);
	unsigned n_rows = 0, n_bad = 0, n_excused = 0;
	if (!shared_read(table, &text))
		skip();

	str rest = buf_str(&text), line, version = { 0 }, json = { 0 }, want = { 0 };
	while (str_next_line(&rest, &line)) {
		struct advisory_affected *list;
		assert_true(str_split_first(line, '\t', &version, &json));
		assert_true(str_split_last(json, '\t', &json, &want));
		size_t n = affected_read(json, &memory, &list);
		enum verdict got = judge_all(ecosystem, scheme, version, list, n);
		bool wants = str_eq(want, STR("true"));
		n_rows++;
		if (got == (wants ? VERDICT_YES : VERDICT_NO))
			continue;
		const char *why = excuse(version, list, n);
		n_excused += why && got == VERDICT_UNKNOWN;
		if (why && got == VERDICT_UNKNOWN)
			continue;
		n_bad++;
		fprintf(stderr, "%s: " STR_FMT ": got %d\n", table, STR_ARG(line), (int)got);
	}
	printf("%s: %u rows, %u of them answered by 'unknown'\n", table, n_rows, n_excused);
	assert_true(n_rows > 0);
	assert_int_equal(n_bad, 0);
	assert_true(n_excused <= most_excused);
}

static void test_judge__agrees_with_the_table_of_osv(void **state)
{
	(void)state;
	check_table("oracles/versions/osv-affects.tsv", STR("npm"), "npm", 11);
}

static void test_judge__agrees_with_the_table_of_go(void **state)
{
	(void)state;
	check_table("oracles/versions/osv-affects-go.tsv", STR("Go"), "semver", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_judge__ends_a_range_at_its_fix, release),
		cmocka_unit_test_teardown(test_judge__begins_before_every_version_at_0, release),
		cmocka_unit_test_teardown(test_judge__ends_behind_the_last_affected, release),
		cmocka_unit_test_teardown(test_judge__takes_several_pairs_in_any_order, release),
		cmocka_unit_test_teardown(
		        test_judge__takes_the_later_of_two_events_at_one_place, release),
		cmocka_unit_test_teardown(test_judge__stays_before_a_limit, release),
		cmocka_unit_test_teardown(
		        test_judge__never_says_no_to_what_it_cannot_order, release),
		cmocka_unit_test_teardown(
		        test_judge__says_what_an_odd_event_cannot_change, release),
		cmocka_unit_test_teardown(test_judge__lists_versions_by_text_and_by_order, release),
		cmocka_unit_test_teardown(test_judge__joins_ranges_and_versions, release),
		cmocka_unit_test_teardown(
		        test_judge__explains_the_line_that_holds_the_version, release),
		cmocka_unit_test_teardown(
		        test_judge__names_the_fix_that_leaves_every_range, release),
		cmocka_unit_test_teardown(test_judge__orders_semver_ranges_by_semver, release),
		cmocka_unit_test_teardown(
		        test_judge__leaves_nothing_half_said_when_memory_is_out, release),
		cmocka_unit_test_teardown(test_judge__agrees_with_the_table_of_osv, release),
		cmocka_unit_test_teardown(test_judge__agrees_with_the_table_of_go, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
