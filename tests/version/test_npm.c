/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle.h"

static void test_npm__agrees_with_the_tables_of_node_semver(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("npm", CHECK_CMP, "npm.tsv", NULL), 0);
	assert_int_equal(oracle_check("npm", CHECK_CMP, "npm-loose.tsv", NULL), 0);
}

static void test_npm__knows_what_is_a_version(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("npm", CHECK_VALID, "npm-valid.tsv", NULL), 0);
}

static void test_npm__orders_random_pairs_as_npm_does(void **state)
{
	static const char *const pieces[] = { "0", "1", "9", "10", "007", ".", "-", "-rc", "-rc.1",
		"-0", "alpha", "beta", ".x", ".2", ".10", "+b", "+b.1", "-a-b", "Z", "v", "=", " ",
		"99999999999999999999" };
	(void)state;
	assert_int_equal(oracle_check_pairs("npm", &native_npm, 0x5eed0005, pieces,
	                         sizeof(pieces) / sizeof(*pieces), 40000),
	        0);
}

static void test_npm__reads_ranges_as_node_semver_does(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("npm", CHECK_RANGE, "npm-ranges.tsv", NULL), 0);
	assert_int_equal(oracle_check("npm", CHECK_RANGE, "npm-ranges-loose.tsv", NULL), 0);
}

static enum containment in_range(const char *v, const char *range)
{
	return scheme_find(STR("npm"))->in_range(str_from_c(v), str_from_c(range));
}

static void test_npm__refuses_what_is_no_range(void **state)
{
	(void)state;
	assert_int_equal(in_range("1.0.0", "odd"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0.0", ">="), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0.0", "1.2.3.4"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0.0", ">9007199254740992.0.0"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0.0", "1.0.0 -"), RANGE_UNREADABLE);
	assert_int_equal(in_range("1.0.0", "odd || 1"), RANGE_INSIDE);
	assert_int_equal(in_range("odd", "*"), RANGE_OUTSIDE);
	assert_int_equal(in_range("1.0.0", ">*"), RANGE_OUTSIDE);
	assert_int_equal(in_range("0.0.4", "^0.0.3"), RANGE_OUTSIDE);
	assert_int_equal(in_range("1.2.9", "1.0 - 1.2"), RANGE_INSIDE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_npm__agrees_with_the_tables_of_node_semver),
		cmocka_unit_test(test_npm__knows_what_is_a_version),
		cmocka_unit_test(test_npm__orders_random_pairs_as_npm_does),
		cmocka_unit_test(test_npm__reads_ranges_as_node_semver_does),
		cmocka_unit_test(test_npm__refuses_what_is_no_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
