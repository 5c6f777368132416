/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle.h"

static void test_deb__agrees_with_the_table_of_dpkg(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("deb", CHECK_CMP, "dpkg.tsv", NULL), 0);
}

static void test_deb__agrees_with_the_tables_of_osv(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("deb", CHECK_CMP, "osv-debian.tsv", NULL), 0);
	assert_int_equal(oracle_check("deb", CHECK_CMP, "osv-debian-generated.tsv", NULL), 0);
}

static void test_deb__orders_random_pairs_as_dpkg_does(void **state)
{
	static const char *const pieces[] = { "0", "1", "9", "10", "007", "99999999999999999999",
		".", "+", "-", "~", "~~", "a", "z", "Z", "rc", "-1", "-1ubuntu2", "+deb12u1",
		"~bpo", "1:", "0:", "dfsg" };
	(void)state;
	assert_int_equal(oracle_check_pairs("deb", &native_dpkg, 0x5eed0001, pieces,
	                         sizeof(pieces) / sizeof(*pieces), 700),
	        0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deb__agrees_with_the_table_of_dpkg),
		cmocka_unit_test(test_deb__agrees_with_the_tables_of_osv),
		cmocka_unit_test(test_deb__orders_random_pairs_as_dpkg_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
