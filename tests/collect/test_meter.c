/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "collect/meter.h"

static void check(const unsigned *pcts, size_t n, const unsigned want[SAMPLES_BUCKETS])
{
	struct samples samples = { 0 };
	unsigned got[SAMPLES_BUCKETS];
	for (size_t i = 0; i < n; i++)
		samples_add(&samples, pcts[i]);
	samples_shares(&samples, got);
	assert_memory_equal(got, want, sizeof(got));
}

static void test_meter__shares_add_up_to_a_hundred(void **state)
{
	(void)state;
	check(NULL, 0, (const unsigned[10]){ 0 });
	check((const unsigned[]){ 11, 25, 84, 99 }, 4,
	        (const unsigned[10]){ 0, 25, 25, 0, 0, 0, 0, 0, 25, 25 });
	check((const unsigned[]){ 0, 10, 20 }, 3, (const unsigned[10]){ 34, 33, 33 });
	check((const unsigned[]){ 0, 0, 10, 20, 30, 40, 50 }, 7,
	        (const unsigned[10]){ 29, 15, 14, 14, 14, 14 });
	check((const unsigned[]){ 100, 4000000000u }, 2,
	        (const unsigned[10]){ 0, 0, 0, 0, 0, 0, 0, 0, 0, 100 });
}

static void test_meter__measures_this_process(void **state)
{
	(void)state;
	struct meter meter;
	meter_init(&meter);
	assert_false(meter_take(&meter, NULL, 0, false) && meter.cpu.n > 1);
	assert_true(meter_take(&meter, NULL, 0, true));
	assert_true(meter.cpu.n >= 1 && meter.memory.n == meter.cpu.n);
	assert_true(meter.memory_bytes > (64 << 10));
	assert_true(meter.max_memory_bytes >= meter.memory_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meter__shares_add_up_to_a_hundred),
		cmocka_unit_test(test_meter__measures_this_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
