/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "vulndb/stamp.h"

static int64_t at(const char *text)
{
	struct stamp stamp;
	if (!stamp_parse(str_from_c(text), &stamp))
		fail_msg("%s: not read", text);
	return stamp.at;
}

static void test_stamp__reads_every_way_feeds_write_a_time(void **state)
{
	(void)state;
	assert_int_equal(at("1970-01-01T00:00:00Z"), 0);
	assert_int_equal(at("2000-02-29T12:00:00Z"), 951825600);
	assert_int_equal(at("2026-08-21T17:46:43.6019Z"), 1787334403);
	assert_int_equal(at("2026-08-16T00:00:00+0000"), 1786838400);
	assert_int_equal(at("2020-06-18T14:40:24+01:00"), at("2020-06-18T13:40:24Z"));
	assert_int_equal(at("2020-06-18T14:40:24-01:30"), at("2020-06-18T16:10:24Z"));
	assert_int_equal(at("2026-08-21"), at("2026-08-21T00:00:00Z"));
	assert_int_equal(at("1969-12-31T23:59:59Z"), -1);
}

static void test_stamp__refuses_what_is_no_time(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "2026", "2026-13-01", "2026-00-01", "2026-04-00",
		"2026-01-32", "2026-06-31", "2026-01-01T", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00Zx",
		"2026-01-01T00:00:00+1", "yesterday", "2026-01-01T00:00:00+25:00", "-026-01-01" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct stamp stamp;
		if (stamp_parse(str_from_c(bad[i]), &stamp))
			fail_msg("'%s' was read as a time", bad[i]);
	}
}

static void test_stamp__orders_by_instant_and_not_by_text(void **state)
{
	(void)state;
	struct stamp a, b;
	assert_true(stamp_parse(STR("2026-01-01T00:00:00+02:00"), &a));
	assert_true(stamp_parse(STR("2025-12-31T23:00:00Z"), &b));
	assert_true(stamp_cmp(a, b) < 0);
	assert_true(stamp_parse(STR("2026-01-01T00:00:00.5Z"), &a));
	assert_true(stamp_parse(STR("2026-01-01T00:00:00.45Z"), &b));
	assert_true(stamp_cmp(a, b) > 0);
	assert_int_equal(stamp_cmp(a, a), 0);
}

static void test_stamp__knows_the_date_that_means_unknown(void **state)
{
	(void)state;
	struct stamp stamp;
	assert_true(stamp_parse(STR("0001-01-01T00:00:00Z"), &stamp));
	assert_true(stamp_is_unknown(stamp));
	assert_true(stamp_parse(STR("1999-01-01T00:00:00Z"), &stamp));
	assert_false(stamp_is_unknown(stamp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stamp__reads_every_way_feeds_write_a_time),
		cmocka_unit_test(test_stamp__refuses_what_is_no_time),
		cmocka_unit_test(test_stamp__orders_by_instant_and_not_by_text),
		cmocka_unit_test(test_stamp__knows_the_date_that_means_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
