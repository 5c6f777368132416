/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ssm/pattern.h"

static bool matches(const char *text, const char *s)
{
	struct arena arena = ARENA((size_t)8 << 20);
	struct pattern *pattern = NULL;
	struct err err = { 0 };
	if (pattern_read(str_from_c(text), &arena, &pattern, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	bool is_match = pattern_matches(pattern, str_from_c(s));
	arena_fini(&arena);
	return is_match;
}

static int reads(const char *text)
{
	struct arena arena = ARENA((size_t)8 << 20);
	struct pattern *pattern = NULL;
	struct err err = { 0 };
	int r = pattern_read(str_from_c(text), &arena, &pattern, &err);
	if (r < 0)
		assert_true(err.text[0] != '\0');
	arena_fini(&arena);
	return r;
}

static void test_pattern__matches_what_inspector_declares(void **state)
{
	(void)state;
	const char *timeout = "^([0-9]|[1-9][0-9]+)$", *limit = "^([1-9]|[1-9][0-9])$|^(100)$";
	assert_true(matches(timeout, "0"));
	assert_true(matches(timeout, "900"));
	assert_false(matches(timeout, "09"));
	assert_false(matches(timeout, ""));
	assert_false(matches(timeout, "900;reboot"));
	assert_true(matches(limit, "65"));
	assert_true(matches(limit, "100"));
	assert_false(matches(limit, "0"));
	assert_false(matches(limit, "101"));
}

static void test_pattern__looks_anywhere_without_anchors(void **state)
{
	(void)state;
	assert_true(matches("b+c", "aabbcd"));
	assert_false(matches("^b", "ab"));
	assert_true(matches("", "anything"));
	assert_true(matches("", ""));
	assert_true(matches("^$", ""));
	assert_false(matches("^$", "x"));
}

static void test_pattern__knows_classes_groups_and_repetitions(void **state)
{
	(void)state;
	assert_true(matches("^\\d{2,3}$", "123"));
	assert_false(matches("^\\d{2,3}$", "1234"));
	assert_true(matches("^\\d{2,}$", "12345"));
	assert_true(matches("^[^/\\s]+$", "a-b"));
	assert_false(matches("^[^/\\s]+$", "a b"));
	assert_true(matches("^[]a-c-]+$", "]-ab"));
	assert_true(matches("^(?:ab|cd)*e?$", "abcdabe"));
	assert_true(matches("^(a|)(b|)$", "b"));
	assert_true(matches("^\\w+\\.\\w+$", "x.y"));
	assert_false(matches("^.$", "\n"));
	assert_true(matches("^.$", "\xc3\xa9"));
	assert_true(matches("^[\xc3\xa0-\xc3\xbf]$", "\xc3\xa9"));
	assert_true(matches("^a{0}b$", "b"));
}

static void test_pattern__does_not_backtrack(void **state)
{
	(void)state;
	assert_false(matches("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
	assert_true(matches(
	        "^(a?){60}a{60}$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(matches("^((a*)*)*$", "b"));
}

static void test_pattern__refuses_what_it_cannot_do(void **state)
{
	(void)state;
	assert_int_equal(reads("("), -ERR_FORMAT);
	assert_int_equal(reads(")"), -ERR_FORMAT);
	assert_int_equal(reads("[a"), -ERR_FORMAT);
	assert_int_equal(reads("[b-a]"), -ERR_FORMAT);
	assert_int_equal(reads("*a"), -ERR_FORMAT);
	assert_int_equal(reads("a{2"), -ERR_FORMAT);
	assert_int_equal(reads("a{3,2}"), -ERR_FORMAT);
	assert_int_equal(reads("a\\"), -ERR_FORMAT);
	assert_int_equal(reads("[\\"), -ERR_FORMAT);
	assert_int_equal(reads("(?=a)"), -ERR_UNSUPPORTED);
	assert_int_equal(reads("(a)\\1"), -ERR_UNSUPPORTED);
	assert_int_equal(reads("((a{1000}){1000}){1000}"), -ERR_LIMIT);
	assert_int_equal(reads("((()()){1000}){1000}"), -ERR_LIMIT);
	assert_int_equal(reads("((((((((((((((((((((((((((((((((((((((((((((("), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pattern__matches_what_inspector_declares),
		cmocka_unit_test(test_pattern__looks_anywhere_without_anchors),
		cmocka_unit_test(test_pattern__knows_classes_groups_and_repetitions),
		cmocka_unit_test(test_pattern__does_not_backtrack),
		cmocka_unit_test(test_pattern__refuses_what_it_cannot_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
