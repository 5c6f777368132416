/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"

static void check(str raw, const char *keep, const char *expected)
{
	autobuf out = BUF(4096);
	text_add_printable(&out, raw, keep);
	buf_add_byte(&out, '\0');
	assert_string_equal(out.p, expected);
}

static void test_text__what_can_be_shown_stays(void **state)
{
	(void)state;
	check(STR(""), "", "");
	check(STR("abc caf\xc3\xa9 \xe6\x97\xa5"), "", "abc caf\xc3\xa9 \xe6\x97\xa5");
}

static void test_text__controls_and_bad_bytes_are_escaped(void **state)
{
	(void)state;
	check(STR("\x1b[31m\x07\x7f\r\n"), "", "\\x1b[31m\\x07\\x7f\\x0d\\x0a");
	check(STR("a\0b"), "", "a\\x00b");
	check(STR("\xc2\x9b\xff"), "", "\\xc2\\x9b\\xff");
}

static void test_text__kept_controls_stay_and_nul_is_never_one(void **state)
{
	(void)state;
	check(STR("a\nb\tc"), "\n", "a\nb\\x09c");
	check(STR("a\0\n"), "\n", "a\\x00\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__what_can_be_shown_stays),
		cmocka_unit_test(test_text__controls_and_bad_bytes_are_escaped),
		cmocka_unit_test(test_text__kept_controls_stay_and_nul_is_never_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
