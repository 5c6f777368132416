/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/due.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)

static int64_t at(struct due due, int64_t now)
{
	int64_t ret = -1;
	struct err err = { 0 };
	assert_int_equal(due_at(&due, now, &ret, &err), 0);
	return ret;
}

static void test_due__what_is_pending_or_never_ran_runs_now(void **state)
{
	(void)state;
	assert_true(at((struct due){ .detailed_status = STR("Pending"),
	                       .last_at = NOW - 5,
	                       .ran_at = NOW - 5,
	                       .expression = STR("rate(1 day)") },
	                    NOW) <= NOW);
	assert_true(at((struct due){ .detailed_status = STR("Associated") }, NOW) <= NOW);
	assert_true(at((struct due){ .expression = STR("rate(1 day)") }, NOW) <= NOW);
}

static void test_due__a_rate_counts_from_the_last_run(void **state)
{
	(void)state;
	struct due due = { .detailed_status = STR("Success"),
		.last_at = NOW - 3600,
		.expression = STR("rate(6 hours)") };
	assert_int_equal(at(due, NOW), NOW - 3600 + 6 * 3600);
	due.ran_at = NOW - 60; /* the service does not know yet */
	assert_int_equal(at(due, NOW), NOW - 60 + 6 * 3600);
}

static void test_due__run_once_runs_once(void **state)
{
	(void)state;
	assert_true(at((struct due){ .detailed_status = STR("Success"), .last_at = NOW - 5 },
	                    NOW) == DUE_NEVER);
	assert_true(at((struct due){ .detailed_status = STR("Associated"), .ran_at = NOW - 5 },
	                    NOW) == DUE_NEVER);
}

static void test_due__what_was_cut_off_runs_again(void **state)
{
	(void)state;
	struct due due = { .detailed_status = STR("InProgress"),
		.last_at = NOW - 60,
		.expression = STR("rate(6 hours)") };
	assert_true(at(due, NOW) <= NOW);
	due.ran_at = NOW - 60;
	assert_true(at(due, NOW) > NOW);
}

/* The clock was ahead by a day, and is set right: the schedule goes on. */
static void test_due__a_clock_that_was_set_back_stops_nothing(void **state)
{
	(void)state;
	struct due due = { .detailed_status = STR("Success"),
		.last_at = NOW + DAY,
		.ran_at = NOW + DAY,
		.expression = STR("rate(1 hour)") };
	assert_int_equal(at(due, NOW), NOW + 3600);
	due.expression = STR("cron(0 * ? * * *)");
	assert_true(at(due, NOW) <= NOW + 3600);
	/* Ahead: what was missed runs once, and then by its schedule. */
	due.last_at = due.ran_at = NOW - DAY;
	assert_true(at(due, NOW) <= NOW);
}

/* It is asked again each minute, and each half hour the server says again what it knows. */
static void test_due__a_time_to_come_is_counted_from_when_it_was_seen(void **state)
{
	(void)state;
	struct due_ahead ahead = { 0 };
	for (int64_t now = NOW; now < NOW + DAY; now += 60)
		assert_int_equal(due_last(&ahead, NOW + DAY, now), NOW);
	/* Another one is another one; one that has come is what it is. */
	assert_int_equal(due_last(&ahead, NOW + DAY + 7, NOW + 60), NOW + 60);
	assert_int_equal(due_last(&ahead, NOW - 5, NOW + 120), NOW - 5);
	assert_int_equal(due_last(&ahead, NOW + DAY, NOW + 180), NOW + 180);
	/* And the clock is set back once more. */
	assert_int_equal(due_last(&ahead, NOW + DAY, NOW - DAY), NOW - DAY);
	assert_int_equal(due_last(&ahead, NOW + DAY, NOW), NOW - DAY);
}

static void test_due__an_expression_that_is_none_is_refused(void **state)
{
	(void)state;
	struct due due = {
		.detailed_status = STR("Success"), .last_at = 1, .expression = STR("rate(soon)")
	};
	int64_t ret = 7;
	struct err err = { 0 };
	assert_int_equal(due_at(&due, NOW, &ret, &err), -ERR_FORMAT);
	assert_int_equal(ret, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due__what_is_pending_or_never_ran_runs_now),
		cmocka_unit_test(test_due__a_rate_counts_from_the_last_run),
		cmocka_unit_test(test_due__run_once_runs_once),
		cmocka_unit_test(test_due__what_was_cut_off_runs_again),
		cmocka_unit_test(test_due__a_clock_that_was_set_back_stops_nothing),
		cmocka_unit_test(test_due__a_time_to_come_is_counted_from_when_it_was_seen),
		cmocka_unit_test(test_due__an_expression_that_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
