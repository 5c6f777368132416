/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"

static const str none = { NULL, 0 };

#define assert_str(s, lit) assert_true(str_eq(s, STR(lit)))

static void test_str__equality_and_order_are_of_bytes(void **state)
{
	(void)state;
	assert_true(str_eq(none, STR("")));
	assert_false(str_eq(STR("a"), STR("b")));
	assert_false(str_eq(STR("a"), STR("aa")));
	assert_true(str_cmp(STR("a"), STR("aa")) < 0);
	assert_true(str_cmp(STR("b"), STR("aa")) > 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_true(str_cmp(STR("a\0"), STR("a")) > 0);
	assert_int_equal(str_cmp(none, STR("")), 0);
	assert_true(str_eq_nocase(STR("AbC-\xc9"), STR("aBc-\xc9")));
	assert_false(str_eq_nocase(STR("\xc9"), STR("\xe9")));
	assert_false(str_eq_nocase(STR("@"), STR("`")));
	assert_int_equal(str_from_c(NULL).n, 0);
}

static void test_str__prefix_and_suffix(void **state)
{
	(void)state;
	assert_true(str_has_prefix(STR("abc"), STR("ab")));
	assert_true(str_has_prefix(STR("abc"), none));
	assert_true(str_has_prefix(none, none));
	assert_false(str_has_prefix(STR("ab"), STR("abc")));
	assert_true(str_has_suffix(STR("abc"), STR("bc")));
	assert_true(str_has_suffix(STR("abc"), none));
	assert_false(str_has_suffix(STR("bc"), STR("abc")));
}

static void test_str__a_byte_is_one_of_its_own(void **state)
{
	(void)state;
	assert_true(str_has(STR("+-"), '-'));
	assert_false(str_has(STR("+-"), '*'));
	assert_false(str_has(STR("+-"), '\0'));
	assert_true(str_has(STR("+\0-"), '\0'));
	assert_true(str_has(STR("\xff"), '\xff'));
	assert_false(str_has(none, '\0'));
}

static void test_str__skip_and_head_stop_at_the_end(void **state)
{
	(void)state;
	assert_str(str_skip(STR("abc"), 1), "bc");
	assert_int_equal(str_skip(STR("abc"), 3).n, 0);
	assert_int_equal(str_skip(STR("abc"), SIZE_MAX).n, 0);
	assert_str(str_head(STR("abc"), 2), "ab");
	assert_str(str_head(STR("abc"), SIZE_MAX), "abc");
	assert_int_equal(str_head(none, 1).n, 0);
}

static void test_str__taking_eats_from_the_front(void **state)
{
	(void)state;
	str s = STR("123abc");
	assert_str(str_take_while(&s, is_digit), "123");
	assert_str(str_take_while(&s, is_digit), "");
	assert_str(str_take_until(&s, is_space), "abc");
	assert_int_equal(s.n, 0);
	assert_int_equal(str_take_while(&s, is_digit).n, 0);
	assert_int_equal(str_take_until(&s, is_digit).n, 0);
}

static void test_str__trimming_takes_ascii_space_only(void **state)
{
	(void)state;
	assert_str(str_trim(STR(" \t\r\n\v\fa b \n")), "a b");
	assert_str(str_trim(STR("\xc2\xa0x")), "\xc2\xa0x");
	assert_int_equal(str_trim(STR("   ")).n, 0);
	assert_int_equal(str_trim(none).n, 0);
}

static void test_str__splits_are_at_the_first_or_last_byte(void **state)
{
	(void)state;
	str head = STR("h"), tail = STR("t");
	assert_true(str_split_first(STR("a:b:c"), ':', &head, &tail));
	assert_str(head, "a");
	assert_str(tail, "b:c");
	assert_true(str_split_last(STR("a:b:c"), ':', &head, &tail));
	assert_str(head, "a:b");
	assert_str(tail, "c");
	assert_true(str_split_first(STR(":"), ':', &head, &tail));
	assert_int_equal(head.n + tail.n, 0);
	head = STR("h"), tail = STR("t");
	assert_false(str_split_first(STR("abc"), ':', &head, &tail));
	assert_false(str_split_last(none, ':', &head, &tail));
	assert_false(str_split_first(none, ':', &head, &tail));
	assert_str(head, "h");
	assert_str(tail, "t");
}

static void test_str__paths_have_a_folder_and_a_name(void **state)
{
	(void)state;
	assert_str(str_basename(STR("/a/b")), "b");
	assert_str(str_basename(STR("b")), "b");
	assert_str(str_basename(STR("a/")), "");
	assert_str(str_dirname(STR("/a/b")), "/a");
	assert_str(str_dirname(STR("/b")), "");
	assert_str(str_dirname(STR("b")), "");
}

static void test_str__lines_end_at_line_feeds(void **state)
{
	(void)state;
	str text = STR("a\n\nb\r\nlast"), line;
	assert_true(str_next_line(&text, &line));
	assert_str(line, "a");
	assert_true(str_next_line(&text, &line));
	assert_str(line, "");
	assert_true(str_next_line(&text, &line));
	assert_str(line, "b\r");
	assert_true(str_next_line(&text, &line));
	assert_str(line, "last");
	assert_false(str_next_line(&text, &line));
	text = STR("a\n");
	assert_true(str_next_line(&text, &line));
	assert_false(str_next_line(&text, &line));
}

static void test_str__numbers_are_digits_up_to_a_maximum(void **state)
{
	(void)state;
	uint64_t v = 42;
	assert_true(str_to_u64(STR("0"), 0, &v));
	assert_int_equal(v, 0);
	assert_true(str_to_u64(STR("007"), 9, &v));
	assert_int_equal(v, 7);
	assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_true(str_to_u64(STR("18446744073709551610"), UINT64_MAX, &v));
	assert_true(str_to_u64(STR("255"), 255, &v));
	v = 42;
	assert_false(str_to_u64(STR("256"), 255, &v));
	assert_false(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &v));
	assert_false(str_to_u64(STR("99999999999999999999999"), UINT64_MAX, &v));
	assert_false(str_to_u64(STR("9"), 5, &v));
	assert_false(str_to_u64(STR("1"), 0, &v));
	assert_false(str_to_u64(STR(""), 9, &v));
	assert_false(str_to_u64(none, 9, &v));
	assert_false(str_to_u64(STR("+1"), 9, &v));
	assert_false(str_to_u64(STR("-1"), 9, &v));
	assert_false(str_to_u64(STR(" 1"), 9, &v));
	assert_false(str_to_u64(STR("1x"), 99, &v));
	assert_int_equal(v, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_str__equality_and_order_are_of_bytes),
		cmocka_unit_test(test_str__prefix_and_suffix),
		cmocka_unit_test(test_str__a_byte_is_one_of_its_own),
		cmocka_unit_test(test_str__skip_and_head_stop_at_the_end),
		cmocka_unit_test(test_str__taking_eats_from_the_front),
		cmocka_unit_test(test_str__trimming_takes_ascii_space_only),
		cmocka_unit_test(test_str__splits_are_at_the_first_or_last_byte),
		cmocka_unit_test(test_str__paths_have_a_folder_and_a_name),
		cmocka_unit_test(test_str__lines_end_at_line_feeds),
		cmocka_unit_test(test_str__numbers_are_digits_up_to_a_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
