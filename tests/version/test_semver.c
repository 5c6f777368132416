/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle.h"

static void test_semver__agrees_with_the_table_of_osv(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("semver", CHECK_CMP, "osv-semver.tsv", NULL), 0);
}

static void test_semver__agrees_with_the_table_of_npm(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("semver", CHECK_CMP, "npm.tsv", NULL), 0);
}

static void test_semver__orders_random_pairs_as_npm_does(void **state)
{
	static const char *const pieces[] = { "0", "1", "9", "10", "007", "-rc", "-rc.1", "-0",
		"-1", "alpha", "beta.2", "-x.10", "-x.y", "+b", "+b.1", "-a-b", "Z" };
	(void)state;
	assert_int_equal(oracle_check_pairs("semver", &native_npm, 0x5eed0004, pieces,
	                         sizeof(pieces) / sizeof(*pieces), 20000),
	        0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_semver__agrees_with_the_table_of_osv),
		cmocka_unit_test(test_semver__agrees_with_the_table_of_npm),
		cmocka_unit_test(test_semver__orders_random_pairs_as_npm_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
