/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "version/check.h"

static enum check_result check(const char *scheme, enum check_kind kind, const char *line)
{
	struct err err = { 0 };
	enum check_result r =
	        check_line(scheme_find(str_from_c(scheme)), kind, str_from_c(line), &err);
	assert_true((r == CHECK_FAIL) == (err.text[0] != '\0'));
	return r;
}

static void test_check__reads_the_names_of_kinds(void **state)
{
	enum check_kind kind = CHECK_CMP;
	(void)state;
	assert_true(check_kind_parse(STR("map"), &kind));
	assert_int_equal(kind, CHECK_MAP);
	assert_true(check_kind_parse(STR("range"), &kind));
	assert_int_equal(kind, CHECK_RANGE);
	assert_false(check_kind_parse(STR("Map"), &kind));
	assert_int_equal(kind, CHECK_RANGE);
}

static void test_check__compares_both_sides(void **state)
{
	(void)state;
	assert_int_equal(check("deb", CHECK_CMP, "1.0~rc1\t<\t1.0"), CHECK_PASS);
	assert_int_equal(check("deb", CHECK_CMP, "1.0~rc1\t<\t1.0\r"), CHECK_PASS);
	assert_int_equal(check("deb", CHECK_CMP, "1.0~rc1\t>\t1.0"), CHECK_FAIL);
	assert_int_equal(check("deb", CHECK_CMP, "1_0\t?\t1.0"), CHECK_PASS);
	assert_int_equal(check("deb", CHECK_CMP, "1_0\t<\t1.0"), CHECK_FAIL);
}

static void test_check__refuses_lines_of_another_shape(void **state)
{
	(void)state;
	assert_int_equal(check("deb", CHECK_CMP, "1.0 < 1.1"), CHECK_FAIL);
	assert_int_equal(check("deb", CHECK_CMP, "1.0\t<"), CHECK_FAIL);
	assert_int_equal(check("deb", CHECK_CMP, "1.0\t<=\t1.1"), CHECK_FAIL);
	assert_int_equal(check("deb", CHECK_CMP, "1.0\t\t1.1"), CHECK_FAIL);
	assert_int_equal(check("deb", CHECK_VALID, "1.0\tyes"), CHECK_FAIL);
	assert_int_equal(check("pep440", CHECK_MAP, "1.0"), CHECK_FAIL);
}

static void test_check__passes_over_comments_and_empty_lines(void **state)
{
	(void)state;
	assert_int_equal(check("deb", CHECK_CMP, ""), CHECK_NOTHING);
	assert_int_equal(check("deb", CHECK_CMP, "\r"), CHECK_NOTHING);
	assert_int_equal(check("deb", CHECK_CMP, "# a comment"), CHECK_NOTHING);
	assert_int_equal(check("deb", CHECK_CMP, "#\t=\t#"), CHECK_FAIL);
}

static void test_check__asks_for_validity_and_normal_forms(void **state)
{
	(void)state;
	assert_int_equal(check("npm", CHECK_VALID, "1.2.3\ttrue"), CHECK_PASS);
	assert_int_equal(check("npm", CHECK_VALID, "=1.2.3\tfalse"), CHECK_PASS);
	assert_int_equal(check("npm", CHECK_VALID, "1.2\ttrue"), CHECK_FAIL);
	assert_int_equal(check("pep440", CHECK_MAP, "1.0-ALPHA\t1.0a0"), CHECK_PASS);
	assert_int_equal(check("pep440", CHECK_MAP, "1.0-ALPHA\t1.0a1"), CHECK_FAIL);
	assert_int_equal(check("pep440", CHECK_MAP, "french toast\t"), CHECK_PASS);
}

static void test_check__asks_for_ranges(void **state)
{
	(void)state;
	assert_int_equal(check("npm", CHECK_RANGE, "1.2.3\t^1.2.0\ttrue"), CHECK_PASS);
	assert_int_equal(check("npm", CHECK_RANGE, "2.0.0\t^1.2.0\tfalse"), CHECK_PASS);
	assert_int_equal(check("npm", CHECK_RANGE, "2.0.0\t^1.2.0\ttrue"), CHECK_FAIL);
	assert_int_equal(check("npm", CHECK_RANGE, "1.2.3\t^1.2.0\tfalse"), CHECK_FAIL);
	assert_int_equal(check("npm", CHECK_RANGE, "2.0.0\todd\ttrue"), CHECK_FAIL);
	assert_int_equal(check("npm", CHECK_RANGE, "2.0.0\t^1.2.0"), CHECK_FAIL);
}

static void test_check__says_which_kinds_a_scheme_lacks(void **state)
{
	struct err err = { 0 };
	const struct scheme *deb = scheme_find(STR("deb"));
	(void)state;
	assert_int_equal(check_supports(deb, CHECK_CMP, &err), 0);
	assert_int_equal(check_supports(deb, CHECK_VALID, &err), 0);
	assert_int_equal(check_supports(deb, CHECK_MAP, &err), -ERR_UNSUPPORTED);
	assert_string_equal(err.text, "scheme deb has no normal form of a version");
	assert_int_equal(check_supports(deb, CHECK_RANGE, &err), -ERR_UNSUPPORTED);
	assert_int_equal(check_supports(scheme_find(STR("pep440")), CHECK_MAP, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check__reads_the_names_of_kinds),
		cmocka_unit_test(test_check__compares_both_sides),
		cmocka_unit_test(test_check__refuses_lines_of_another_shape),
		cmocka_unit_test(test_check__passes_over_comments_and_empty_lines),
		cmocka_unit_test(test_check__asks_for_validity_and_normal_forms),
		cmocka_unit_test(test_check__asks_for_ranges),
		cmocka_unit_test(test_check__says_which_kinds_a_scheme_lacks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
