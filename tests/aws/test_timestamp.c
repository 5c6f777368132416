/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <time.h>

#include "aws/timestamp.h"

static void test_timestamp__dates_go_both_ways(void **state)
{
	(void)state;
	for (int64_t at = -62167219200; at <= 253402300799; at += 86400 * 13 + 3607) {
		autobuf iso = BUF(100);
		char want[64];
		int64_t back = 0;
		struct tm tm;
		time_t t = (time_t)at;
		timestamp_add_iso(&iso, at * 1000);
		assert_true(timestamp_from_iso(buf_str(&iso), &back));
		assert_int_equal(back, at * 1000);
		assert_non_null(gmtime_r(&t, &tm));
		(void)snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ",
		        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		        tm.tm_sec);
		assert_text(buf_str(&iso), want);
	}
}

static void test_timestamp__fractions_and_zones_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t at_ms;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01", 0 },
		{ "1970-01-01T00:00:00.5Z", 500 },
		{ "1970-01-01T00:00:00.1239Z", 123 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31 23:30:00-00:30", 0 },
		{ "1969-12-31T23:59:59.999z", -1 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t at_ms = 77;
		assert_true(timestamp_from_iso(str_from_c(rows[i].text), &at_ms));
		assert_int_equal(at_ms, rows[i].at_ms);
	}
}

static void test_timestamp__dates_that_do_not_exist_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "1970", "1970-01", "1970-13-01", "1970-00-01",
		"1970-01-00", "1970-04-31", "1970-02-29", "1900-02-29", "1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01T00:00:00",
		"1970-01-01T00:00Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx",
		"1970-01-01T00:00:00+1:00", "+1970-01-01", "0000-01-01T00:00:00+00:01" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t at_ms;
		if (timestamp_from_iso(str_from_c(bad[i]), &at_ms))
			fail_msg("%s", bad[i]);
	}
}

static void test_timestamp__values_are_seconds_or_dates(void **state)
{
	(void)state;
	struct arena memory = ARENA(1 << 16);
	static const struct {
		const char *json;
		bool good;
		int64_t at_ms;
	} rows[] = { { "1751328000.123", true, 1751328000123 }, { "-1", true, -1000 },
		{ "1.5e9", true, 1500000000000 }, { "\"1751328000\"", true, 1751328000000 },
		{ "\"2025-07-01T00:00:00Z\"", true, 1751328000000 }, { "1e15", false, 0 },
		{ "\"now\"", false, 0 }, { "\"\"", false, 0 }, { "true", false, 0 },
		{ "null", false, 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t at_ms = 0;
		assert_int_equal(
		        timestamp_from_value(parse(&memory, rows[i].json), &at_ms), rows[i].good);
		assert_int_equal(at_ms, rows[i].at_ms);
	}
	arena_fini(&memory);
}

static void test_timestamp__json_has_epoch_seconds(void **state)
{
	(void)state;
	autobuf out = BUF(200);
	struct json_writer w = JSON_WRITER(&out, false);
	json_write_array(&w);
	timestamp_write_epoch(&w, 1751328000123);
	timestamp_write_epoch(&w, 1751328000000);
	timestamp_write_epoch(&w, -1500);
	json_write_array_end(&w);
	assert_text(buf_str(&out), "[1751328000.123,1751328000,-1.5]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timestamp__dates_go_both_ways),
		cmocka_unit_test(test_timestamp__fractions_and_zones_are_read),
		cmocka_unit_test(test_timestamp__dates_that_do_not_exist_are_refused),
		cmocka_unit_test(test_timestamp__values_are_seconds_or_dates),
		cmocka_unit_test(test_timestamp__json_has_epoch_seconds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
