/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

static void check_text(struct buf *out, const char *expected)
{
	buf_add_byte(out, '\0');
	assert_false(buf_failed(out));
	assert_string_equal(out->p, expected);
}

static void write_sample(struct json_writer *w)
{
	json_write_object(w);
	json_write_key(w, "a");
	json_write_array(w);
	json_write_u64(w, 1);
	json_write_object(w);
	json_write_object_end(w);
	json_write_array(w);
	json_write_array_end(w);
	json_write_null(w);
	json_write_array_end(w);
	json_write_member_str(w, "b", STR("x"));
	json_write_member_str(w, "c", (str){ NULL, 0 });
	json_write_key(w, "d\"");
	json_write_bool(w, true);
	json_write_key(w, "e");
	json_write_bool(w, false);
	json_write_object_end(w);
}

static void test_json_write__compact(void **state)
{
	(void)state;
	autobuf out = BUF(1 << 16);
	struct json_writer w = JSON_WRITER(&out, false);
	write_sample(&w);
	check_text(
	        &out, "{\"a\":[1,{},[],null],\"b\":\"x\",\"c\":null,\"d\\\"\":true,\"e\":false}");
}

static void test_json_write__pretty(void **state)
{
	(void)state;
	autobuf out = BUF(1 << 16);
	struct json_writer w = JSON_WRITER(&out, true);
	write_sample(&w);
	check_text(&out, "{\n"
	                 "  \"a\": [\n"
	                 "    1,\n"
	                 "    {},\n"
	                 "    [],\n"
	                 "    null\n"
	                 "  ],\n"
	                 "  \"b\": \"x\",\n"
	                 "  \"c\": null,\n"
	                 "  \"d\\\"\": true,\n"
	                 "  \"e\": false\n"
	                 "}\n");
}

static void check_str(str s, const char *expected)
{
	autobuf out = BUF(1 << 16);
	struct json_writer w = JSON_WRITER(&out, false);
	json_write_str(&w, s);
	check_text(&out, expected);
}

static void test_json_write__strings_are_escaped(void **state)
{
	(void)state;
	check_str(STR(""), "\"\"");
	check_str((str){ NULL, 0 }, "\"\"");
	check_str(STR("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
	check_str(STR("\n\t\r\b\f\x1b\x7f"), "\"\\n\\t\\r\\u0008\\u000c\\u001b\\u007f\"");
	check_str(STR("\0x"), "\"\\u0000x\"");
	check_str(STR("caf\xc3\xa9 \xf0\x9f\x98\x83"), "\"caf\xc3\xa9 \xf0\x9f\x98\x83\"");
}

static void test_json_write__bytes_that_are_not_utf8_are_replaced(void **state)
{
	(void)state;
	check_str(STR("a\xff"
	              "b"),
	        "\"a\xef\xbf\xbd"
	        "b\"");
	check_str(STR("\xc3"), "\"\xef\xbf\xbd\"");
	check_str(STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_str(STR("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* A report may be looked at on a terminal: what drives it or turns the text round is escaped too.
 */
static void test_json_write__what_drives_a_terminal_is_escaped(void **state)
{
	(void)state;
	check_str(STR("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
	check_str(STR("\xe2\x80\xa8\xe2\x80\xae\xe2\x80\x8f\xe2\x81\xa6\xe2\x80\xa6"),
	        "\"\\u2028\\u202e\\u200f\\u2066\xe2\x80\xa6\"");
}

static void check_double(double v, int decimals, const char *expected)
{
	autobuf out = BUF(1 << 16);
	struct json_writer w = JSON_WRITER(&out, false);
	json_write_double(&w, v, decimals);
	check_text(&out, expected);
}

static void test_json_write__numbers_lose_their_trailing_zeros(void **state)
{
	(void)state;
	check_double(9.8, 1, "9.8");
	check_double(10, 1, "10");
	check_double(0, 1, "0");
	check_double(100, 0, "100");
	check_double(0.94321, 6, "0.94321");
	check_double(0.00043, 5, "0.00043");
	check_double(0.000001, 5, "0");
	check_double(-0.000001, 5, "0");
	check_double(-0.0, 1, "0");
	check_double(-1.25, 2, "-1.25");
	check_double(0.05, 1, "0.1");
	check_double(7.449999, 1, "7.4");
	check_double(1e20, 1, "100000000000000000000");
	check_double(-9007199254740993.0, 3, "-9007199254740992");
	check_double((double)NAN, 1, "null");
	check_double((double)INFINITY, 1, "null");
	check_double(-(double)INFINITY, 1, "null");
	check_double(123456789.125, 3, "123456789.125");
}

static void test_json_write__whole_numbers_are_exact(void **state)
{
	(void)state;
	autobuf out = BUF(1 << 16);
	struct json_writer w = JSON_WRITER(&out, false);
	json_write_array(&w);
	json_write_u64(&w, UINT64_MAX);
	json_write_u64(&w, 0);
	json_write_array_end(&w);
	check_text(&out, "[18446744073709551615,0]");
}

static void test_json_write__a_full_buffer_fails_and_nothing_else(void **state)
{
	(void)state;
	for (size_t max = 0; max < 70; max++) {
		autobuf out = BUF(max);
		struct json_writer w = JSON_WRITER(&out, true);
		write_sample(&w);
		json_write_double(&w, 1.5, 3);
		assert_true(buf_failed(&out));
		assert_true(out.n <= max);
	}
}

static void test_json_write__utf8_is_told_from_other_bytes(void **state)
{
	(void)state;
	assert_true(str_is_utf8(STR("")));
	assert_true(str_is_utf8(STR("a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x83\xf4\x8f\xbf\xbf")));
	static const char *const bad[] = { "\x80", "\xc3", "\xc3\x28", "\xc0\x80", "\xc1\xbf",
		"\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe6\x97",
		"\xf0\x9f\x98", "a\xe6" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_is_utf8(str_from_c(bad[i])));
	assert_int_equal(str_utf8_len(STR("\xe6\x97\xa5x")), 3);
	assert_int_equal(str_utf8_len(STR("")), 0);
}

static void test_json_write__keys_and_numbers_from_outside_are_written_as_they_are(void **state)
{
	(void)state;
	autobuf out = BUF(1000);
	struct json_writer w = JSON_WRITER(&out, false);
	json_write_object(&w);
	json_write_key_str(&w, (str){ "a\"\xff"
	                              "b",
	                               4 });
	json_write_number(&w, STR("1.50e3"));
	json_write_key_str(&w, (str){ NULL, 0 });
	json_write_number(&w, STR("-0"));
	json_write_object_end(&w);
	assert_true(str_eq(buf_str(&out), STR("{\"a\\\"\xEF\xBF\xBD"
	                                      "b\":1.50e3,\"\":-0}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        test_json_write__keys_and_numbers_from_outside_are_written_as_they_are),
		cmocka_unit_test(test_json_write__compact),
		cmocka_unit_test(test_json_write__pretty),
		cmocka_unit_test(test_json_write__strings_are_escaped),
		cmocka_unit_test(test_json_write__bytes_that_are_not_utf8_are_replaced),
		cmocka_unit_test(test_json_write__what_drives_a_terminal_is_escaped),
		cmocka_unit_test(test_json_write__numbers_lose_their_trailing_zeros),
		cmocka_unit_test(test_json_write__whole_numbers_are_exact),
		cmocka_unit_test(test_json_write__a_full_buffer_fails_and_nothing_else),
		cmocka_unit_test(test_json_write__utf8_is_told_from_other_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
