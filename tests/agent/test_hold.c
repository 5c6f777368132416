/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/hold.h"

static void test_hold__it_begins_with_the_longest(void **state)
{
	(void)state;
	struct hold hold = { 0 };
	assert_int_equal(hold_wait_s(&hold), HOLD_MOST_S);
	hold_ended(&hold, HOLD_MOST_S * 1000, false);
	assert_int_equal(hold_wait_s(&hold), HOLD_MOST_S);
}

static void test_hold__what_is_cut_off_is_asked_for_shorter(void **state)
{
	(void)state;
	struct hold hold = { 0 };
	hold_ended(&hold, 60000, true);
	assert_int_equal(hold_wait_s(&hold), 120);
	hold_ended(&hold, 60000, true);
	assert_int_equal(hold_wait_s(&hold), 60);
	for (int i = 0; i < 10; i++)
		hold_ended(&hold, 20000, true);
	assert_int_equal(hold_wait_s(&hold), HOLD_LEAST_S);
}

static void test_hold__a_server_that_is_away_teaches_nothing(void **state)
{
	(void)state;
	struct hold hold = { 0 };
	for (int i = 0; i < 10; i++)
		hold_ended(&hold, 10000, true);
	assert_int_equal(hold_wait_s(&hold), HOLD_MOST_S);
}

static void test_hold__what_holds_for_long_is_asked_for_longer_again(void **state)
{
	(void)state;
	struct hold hold = { 0 };
	hold_ended(&hold, 60000, true);
	hold_ended(&hold, 60000, true);
	for (int i = 0; i < 14; i++)
		hold_ended(&hold, 60000, false);
	assert_int_equal(hold_wait_s(&hold), 60);
	hold_ended(&hold, 1000, false); /* it had something to say */
	assert_int_equal(hold_wait_s(&hold), 60);
	hold_ended(&hold, 60000, false);
	assert_int_equal(hold_wait_s(&hold), 120);
	for (int i = 0; i < 100; i++)
		hold_ended(&hold, 300000, false);
	assert_int_equal(hold_wait_s(&hold), HOLD_MOST_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold__it_begins_with_the_longest),
		cmocka_unit_test(test_hold__what_is_cut_off_is_asked_for_shorter),
		cmocka_unit_test(test_hold__a_server_that_is_away_teaches_nothing),
		cmocka_unit_test(test_hold__what_holds_for_long_is_asked_for_longer_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
