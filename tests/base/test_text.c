/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"

static void check_escape(str raw, const char *expected)
{
	autobuf out = BUF(4096);
	text_escape(&out, raw);
	assert_int_equal(out.n, strlen(expected));
	assert_memory_equal(out.p ? out.p : "", expected, out.n);
}

static void test_text__line_ends_stay_between_lines(void **state)
{
	(void)state;
	autobuf out = BUF(4096);
	text_escape_lines(&out, STR("a\x1b\n\nb"));
	text_escape_lines(&out, STR("c\n"));
	assert_int_equal(out.n, strlen("a\\033\n\nbc\n"));
	assert_memory_equal(out.p, "a\\033\n\nbc\n", out.n);
}

static void test_text__plain_and_foreign_letters_stay(void **state)
{
	(void)state;
	check_escape(STR(""), "");
	check_escape(STR("/usr/lib/caf\xc3\xa9 (1)~"), "/usr/lib/caf\xc3\xa9 (1)~");
	check_escape(STR("\xe6\x97\xa5\xf0\x9f\x98\x83"), "\xe6\x97\xa5\xf0\x9f\x98\x83");
}

static void test_text__control_bytes_and_backslashes_become_octal(void **state)
{
	(void)state;
	check_escape(STR("a\nb\t\r\0\x1b[31m\x7f\\"), "a\\012b\\011\\015\\000\\033[31m\\177\\134");
	check_escape(STR("\xc2\x9b"
	                 "31m"),
	        "\\302\\23331m");
}

static void test_text__what_is_not_utf8_becomes_octal_byte_by_byte(void **state)
{
	(void)state;
	check_escape(STR("\xff\xc3("), "\\377\\303(");
	check_escape(STR("\xed\xa0\x80"), "\\355\\240\\200");
	check_escape(STR("\xc0\xaf"), "\\300\\257");
}

static void test_text__invisible_and_turning_characters_become_octal(void **state)
{
	(void)state;
	check_escape(STR("\xe2\x80\xae"), "\\342\\200\\256");
	check_escape(STR("\xe2\x80\x8b"), "\\342\\200\\213");
	check_escape(STR("\xef\xbb\xbf"), "\\357\\273\\277");
	check_escape(STR("\xf3\xa0\x81\x81"), "\\363\\240\\201\\201");
}

static void test_text__every_byte_pair_is_harmless_on_a_terminal(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 0x10000; i++) {
		char raw[2] = { (char)(i >> 8), (char)i };
		autobuf out = BUF(64);
		text_escape(&out, (str){ raw, 2 });
		assert_true(str_is_utf8(buf_str(&out)));
		for (size_t k = 0; k < out.n; k++)
			assert_true((unsigned char)out.p[k] >= 0x20 && out.p[k] != 0x7F);
		for (size_t k = 0; k + 1 < out.n; k++)
			assert_false(out.p[k] == '\xc2' && (unsigned char)out.p[k + 1] < 0xA0);
	}
}

static void test_text__width_counts_terminal_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width(STR("")), 0);
	assert_int_equal(text_width(STR("abc")), 3);
	assert_int_equal(text_width(STR("caf\xc3\xa9")), 4);
	assert_int_equal(text_width(STR("e\xcc\x81")), 1);
	assert_int_equal(text_width(STR("\xe6\x97\xa5\xe6\x9c\xac")), 4);
	assert_int_equal(text_width(STR("\xf0\x9f\x98\x83")), 2);
}

static void check_cut(str raw, size_t width, const char *expected)
{
	autobuf out = BUF(4096);
	text_cut_middle(&out, raw, width);
	buf_add_byte(&out, '\0');
	assert_string_equal(out.p, expected);
}

static void test_text__the_middle_is_cut_and_both_ends_stay(void **state)
{
	(void)state;
	check_cut(STR("abcdefghij"), 10, "abcdefghij");
	check_cut(STR("abcdefghij"), 9, "abc...hij");
	check_cut(STR("abcdefghij"), 8, "abc...ij");
	check_cut(STR("abcdefghij"), 4, "a...");
	check_cut(STR("abcdefghij"), 3, "abcdefghij");
	check_cut(STR("\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"), 7,
	        "\xe6\x97\xa5...\xe6\x97\xa5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__line_ends_stay_between_lines),
		cmocka_unit_test(test_text__plain_and_foreign_letters_stay),
		cmocka_unit_test(test_text__control_bytes_and_backslashes_become_octal),
		cmocka_unit_test(test_text__what_is_not_utf8_becomes_octal_byte_by_byte),
		cmocka_unit_test(test_text__invisible_and_turning_characters_become_octal),
		cmocka_unit_test(test_text__every_byte_pair_is_harmless_on_a_terminal),
		cmocka_unit_test(test_text__width_counts_terminal_columns),
		cmocka_unit_test(test_text__the_middle_is_cut_and_both_ends_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
