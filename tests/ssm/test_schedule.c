/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aws/timestamp.h"
#include "ssm/schedule.h"

static int64_t at(const char *iso)
{
	int64_t ms = 0;
	assert_true(timestamp_from_iso(str_from_c(iso), &ms));
	return ms / 1000;
}

static bool reads(const char *text)
{
	struct schedule schedule;
	struct err err = { 0 };
	int r = schedule_read(str_from_c(text), &schedule, &err);
	if (r < 0)
		assert_true(err.text[0] != '\0');
	return r == 0;
}

static void assert_next(const char *text, const char *after, const char *expected)
{
	struct schedule schedule;
	struct err err = { 0 };
	if (schedule_read(str_from_c(text), &schedule, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	int64_t got = schedule_next(&schedule, at(after), 0);
	if (got != (expected ? at(expected) : 0))
		fail_msg("%s after %s: %lld", text, after, (long long)got);
}

static void test_schedule__reads_rates(void **state)
{
	(void)state;
	assert_true(reads("rate(30 minutes)"));
	assert_true(reads("rate(1 hour)"));
	assert_true(reads("RATE(2 Days)"));
	assert_false(reads("rate(29 minutes)"));
	assert_false(reads("rate(0 hours)"));
	assert_false(reads("rate(-1 hours)"));
	assert_false(reads("rate(1 week)"));
	assert_false(reads("rate(99999999999999999999 days)"));
	assert_false(reads("rate(1 hour"));
	assert_false(reads(""));
	assert_false(reads("every(1 hour)"));
	assert_next("rate(6 hours)", "2026-01-01T05:00:00Z", "2026-01-01T11:00:00Z");
}

static void test_schedule__reads_one_time(void **state)
{
	(void)state;
	assert_true(reads("at(2026-07-07T15:55:00)"));
	assert_false(reads("at(2026-02-30T15:55:00)"));
	assert_false(reads("at(2026-07-07)"));
	assert_next("at(2026-07-07T15:55:00)", "2026-07-07T15:54:59Z", "2026-07-07T15:55:00Z");
	assert_next("at(2026-07-07T15:55:00)", "2026-07-07T15:55:00Z", NULL);
}

static void test_schedule__refuses_crons_that_are_none(void **state)
{
	(void)state;
	assert_false(reads("cron(0 2 ? *)"));
	assert_false(reads("cron(0 2 ? * SUN * *)"));
	assert_false(reads("cron(60 2 ? * SUN *)"));
	assert_false(reads("cron(0 24 ? * SUN *)"));
	assert_false(reads("cron(0 2 0 * ? *)"));
	assert_false(reads("cron(0 2 32 * ? *)"));
	assert_false(reads("cron(0 2 ? 13 * *)"));
	assert_false(reads("cron(0 2 ? * 8 *)"));
	assert_false(reads("cron(0 2 ? * SUN#6 *)"));
	assert_false(reads("cron(0 2 ? * FUN *)"));
	assert_false(reads("cron(0/0 2 ? * * *)"));
	assert_false(reads("cron(5-1 2 ? * * *)"));
	assert_false(reads("cron(0, 2 ? * * *)"));
	assert_false(reads("cron(? 2 * * * *)"));
	assert_false(reads("cron(0 2 * * * 1969)"));
}

static void test_schedule__finds_the_next_cron_time(void **state)
{
	(void)state;
	/* 2026-01-01 is a Thursday. */
	assert_next("cron(0/30 * * * ? *)", "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z");
	assert_next("cron(0 2 ? * SUN *)", "2026-01-01T00:00:00Z", "2026-01-04T02:00:00Z");
	assert_next("cron(0 2 ? * 1 *)", "2026-01-01T00:00:00Z", "2026-01-04T02:00:00Z");
	assert_next("cron(0 2 ? * SUN)", "2026-01-04T02:00:00Z", "2026-01-11T02:00:00Z");
	assert_next(
	        "cron(15 9-17/4 * * MON-FRI *)", "2026-01-02T17:15:00Z", "2026-01-05T09:15:00Z");
	assert_next("cron(0 0 1 JAN ? *)", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
	assert_next("cron(59 23 31 12 ? 2030)", "2026-01-01T00:00:00Z", "2030-12-31T23:59:00Z");
	assert_next("cron(0 0 29 2 ? *)", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
	assert_next("cron(0 0 29 2 ? *)", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z");
	assert_next("cron(0 0 30 2 ? *)", "2026-01-01T00:00:00Z", NULL);
	assert_next("cron(0 0 1 1 ? 2000)", "2026-01-01T00:00:00Z", NULL);
}

static void test_schedule__knows_the_signs_of_days(void **state)
{
	(void)state;
	assert_next("cron(0 0 L * ? *)", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z");
	/* 2026-01-31 is a Saturday, 2026-02-28 too, 2026-03-01 a Sunday. */
	assert_next("cron(0 0 LW * ? *)", "2026-01-15T00:00:00Z", "2026-01-30T00:00:00Z");
	assert_next("cron(0 0 1W 3 ? *)", "2026-02-15T00:00:00Z", "2026-03-02T00:00:00Z");
	assert_next("cron(0 0 31W 1 ? *)", "2026-01-15T00:00:00Z", "2026-01-30T00:00:00Z");
	assert_next("cron(0 0 ? * TUE#2 *)", "2026-01-01T00:00:00Z", "2026-01-13T00:00:00Z");
	assert_next("cron(0 0 ? * 6L *)", "2026-01-01T00:00:00Z", "2026-01-30T00:00:00Z");
	assert_next("cron(0 0 ? * THU#5 *)", "2026-01-30T00:00:00Z", "2026-04-30T00:00:00Z");
}

static void test_schedule__puts_cron_times_off(void **state)
{
	(void)state;
	struct schedule schedule;
	assert_int_equal(schedule_read(STR("cron(0 0 ? * TUE#2 *)"), &schedule, NULL), 0);
	assert_int_equal(schedule_next(&schedule, at("2026-01-01T00:00:00Z"), 2),
	        at("2026-01-15T00:00:00Z"));
	assert_int_equal(schedule_next(&schedule, at("2026-01-14T00:00:00Z"), 2),
	        at("2026-01-15T00:00:00Z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule__reads_rates),
		cmocka_unit_test(test_schedule__reads_one_time),
		cmocka_unit_test(test_schedule__refuses_crons_that_are_none),
		cmocka_unit_test(test_schedule__finds_the_next_cron_time),
		cmocka_unit_test(test_schedule__knows_the_signs_of_days),
		cmocka_unit_test(test_schedule__puts_cron_times_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
