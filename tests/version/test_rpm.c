/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle.h"

static void test_rpm__agrees_with_the_table_of_rpm(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("rpm", CHECK_CMP, "rpm.tsv", NULL), 0);
}

static void test_rpm__agrees_with_the_table_of_osv(void **state)
{
	(void)state;
	assert_int_equal(oracle_check("rpm", CHECK_CMP, "osv-redhat.tsv", NULL), 0);
}

static void test_rpm__orders_random_pairs_as_rpm_does(void **state)
{
	static const char *const pieces[] = { "0", "1", "9", "10", "007", "99999999999999999999",
		".", "..", "_", "+", "-", "~", "~~", "^", "^^", "a", "z", "Z", "rc", "-1", "-1.el9",
		"^git1", "~pre", "1:", "0:", "3:", "\xce\xb1" };
	(void)state;
	assert_int_equal(oracle_check_pairs("rpm", &native_rpm, 0x5eed0002, pieces,
	                         sizeof(pieces) / sizeof(*pieces), 20000),
	        0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rpm__agrees_with_the_table_of_rpm),
		cmocka_unit_test(test_rpm__agrees_with_the_table_of_osv),
		cmocka_unit_test(test_rpm__orders_random_pairs_as_rpm_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
