/* SPDX-License-Identifier: Apache-2.0 */
/* What single patterns mean; all of them against another matcher: test_patterns.py. */
#include "support.h"

#include "aws/shape_pattern.h"

static bool matches(const char *pattern, str s)
{
	const struct shape_pattern *p = shape_pattern_find(str_from_c(pattern));
	assert_non_null(p);
	assert_string_equal(shape_pattern_text(p), pattern);
	return shape_pattern_matches(p, s);
}

static void test_shape_pattern__the_whole_string_must_match(void **state)
{
	(void)state;
	assert_true(matches("\\d{12}", STR("123456789012")));
	assert_false(matches("\\d{12}", STR("1234567890123")));
	assert_false(matches("\\d{12}", STR("x123456789012")));
	assert_false(matches("\\d{12}", STR("123456789012\n")));
	assert_false(matches("\\d{12}", STR("")));
	assert_true(matches(".*[0-9]{12}.*", STR("account 123456789012!")));
}

static void test_shape_pattern__a_forbidden_beginning_is_honoured(void **state)
{
	(void)state;
	const char *tag = "(?!aws:)[a-zA-Z+-=._:/]+";
	assert_true(matches(tag, STR("team:aws:")));
	assert_true(matches(tag, STR("aws")));
	assert_false(matches(tag, STR("aws:x")));
	assert_false(matches(tag, STR("aws:")));
	assert_false(matches("^(?!\\s*$).+", STR(" \t ")));
	assert_true(matches("^(?!\\s*$).+", STR(" x ")));
}

static void test_shape_pattern__unicode_categories_and_borders_count(void **state)
{
	(void)state;
	const char *tag = "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$";
	assert_true(matches(tag, STR("Gr\xc3\xb6\xc3\x9f"
	                             "e \xe4\xb8\xad 7")));
	assert_true(matches(tag, STR("")));
	assert_false(matches(tag, STR("a\x01")));
	assert_false(matches(tag, STR("\xf0\x9f\x98\x80")));
	const char *report =
	        ".*\\b[a-f0-9]{8}\\b-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-\\b[a-f0-9]{12}\\b.*";
	assert_true(matches(report, STR("id 01234567-0123-0123-0123-0123456789ab.")));
	assert_false(matches(report, STR("id001234567-0123-0123-0123-0123456789ab")));
	assert_false(matches(report, STR("01234567-0123-0123-0123-0123456789abc")));
}

static void test_shape_pattern__what_is_not_utf8_matches_nothing(void **state)
{
	(void)state;
	assert_false(matches(".*[0-9]{12}.*", STR("\xff"
	                                          "123456789012")));
	assert_false(matches(".*[0-9]{12}.*", STR("123456789012\xc3")));
	assert_false(matches("(?!aws:)[a-zA-Z+-=._:/]+", STR("\xff")));
}

/* What makes a backtracking matcher try an exponential number of ways. */
static void test_shape_pattern__hostile_strings_take_linear_time(void **state)
{
	(void)state;
	autobuf s = BUF(1 << 20);
	const char *path = "(?:(?:/(?:\\.[-\\w]+|[-\\w]+(?:[. "
	                   "][-\\w]+)*))+/?|[A-Za-z]:\\\\(?:[-\\w]+(?:[. ][-\\w]+)*"
	                   "\\\\)*[-\\w]+(?:[. ][-\\w]+)*)";
	for (int i = 0; i < 100000; i++)
		buf_add(&s, STR("/a.a"));
	assert_true(matches(path, buf_str(&s)));
	buf_add_byte(&s, '!');
	assert_false(matches(path, buf_str(&s)));
}

static void test_shape_pattern__unknown_expressions_are_not_found(void **state)
{
	(void)state;
	assert_null(shape_pattern_find(STR("(x)")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape_pattern__the_whole_string_must_match),
		cmocka_unit_test(test_shape_pattern__a_forbidden_beginning_is_honoured),
		cmocka_unit_test(test_shape_pattern__unicode_categories_and_borders_count),
		cmocka_unit_test(test_shape_pattern__what_is_not_utf8_matches_nothing),
		cmocka_unit_test(test_shape_pattern__hostile_strings_take_linear_time),
		cmocka_unit_test(test_shape_pattern__unknown_expressions_are_not_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
