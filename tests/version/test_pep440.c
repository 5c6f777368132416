/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle.h"

static void test_pep440__agrees_with_the_table_of_packaging(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("pep440", CHECK_CMP, "pep440.tsv", NULL), 0);
}

static void test_pep440__agrees_with_the_tables_of_osv_except_where_packaging_refuses(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("pep440", CHECK_CMP, "osv-pypi.tsv", &native_packaging), 0);
	assert_int_equal(
	        oracle_check("pep440", CHECK_CMP, "osv-pypi-generated.tsv", &native_packaging), 0);
}

static void test_pep440__knows_what_is_a_version(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("pep440", CHECK_VALID, "pep440-valid.tsv", NULL), 0);
}

static void test_pep440__normalises(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("pep440", CHECK_MAP, "pep440-normalize.tsv", NULL), 0);
}

static void test_pep440__orders_random_pairs_as_packaging_does(void **state)
{
	static const char *const pieces[] = { "0", "1", "9", "10", "007", "99999999999999999999",
		".", "-", "_", "a", "b1", "rc", "c2", "alpha", "BETA", "pre", "preview3", ".dev",
		".dev1", "dev", "post", "rev", "r4", "-1", "+l", "+abc.1", "+1", "1!", "v" };
	(void)state;
	assert_int_equal(oracle_check_pairs("pep440", &native_packaging, 0x5eed0003, pieces,
	                         sizeof(pieces) / sizeof(*pieces), 40000),
	        0);
}

static void test_pep440__reads_specifiers(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("pep440", CHECK_RANGE, "pep440-specifiers.tsv", NULL), 0);
}

static enum containment in_range(const char *v, const char *range)
{
	return scheme_find(STR("pep440"))->in_range(str_from_c(v), str_from_c(range));
}

static void test_pep440__refuses_what_is_no_specifier(void **state)
{
	(void)state;
	assert_int_equal(in_range("1.0", "1.0"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0", ">=odd"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0", "~=1"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0", ">=1.0.*"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0", ">=1.0+local"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0", "==1.0.dev1.*"), RANGE_UNREADABLE);
	assert_int_equal(in_range("odd", ">=1.0"), RANGE_OUTSIDE);
	assert_int_equal(in_range("odd", "===ODD"), RANGE_INSIDE);
	assert_int_equal(in_range("1.5", ">=1.0 , < 2, != 1.4"), RANGE_INSIDE);
	assert_int_equal(in_range("1.4", ">=1.0 , < 2, != 1.4"), RANGE_OUTSIDE);
	assert_int_equal(in_range("1.4", ">=1.0,,<2"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.4", ""), RANGE_INSIDE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pep440__agrees_with_the_table_of_packaging),
		cmocka_unit_test(
		        test_pep440__agrees_with_the_tables_of_osv_except_where_packaging_refuses),
		cmocka_unit_test(test_pep440__knows_what_is_a_version),
		cmocka_unit_test(test_pep440__normalises),
		cmocka_unit_test(test_pep440__orders_random_pairs_as_packaging_does),
		cmocka_unit_test(test_pep440__reads_specifiers),
		cmocka_unit_test(test_pep440__refuses_what_is_no_specifier),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
