/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/backoff.h"

static void test_backoff__waits_double_and_are_capped(void **state)
{
	(void)state;
	int64_t most[16] = { 0 };
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct backoff backoff = { .seed = seed * 7919 };
		for (int i = 0; i < 16; i++) {
			int64_t wait = backoff_failed(&backoff, -1);
			int64_t cap = (int64_t)BACKOFF_FIRST_MS << i;
			if (cap > BACKOFF_MOST_MS)
				cap = BACKOFF_MOST_MS;
			assert_true(wait >= 0 && wait <= cap);
			most[i] = wait > most[i] ? wait : most[i];
		}
	}
	/* Full jitter: the whole range is used. */
	for (int i = 0; i < 16; i++) {
		int64_t cap = (int64_t)BACKOFF_FIRST_MS << i;
		if (cap > BACKOFF_MOST_MS)
			cap = BACKOFF_MOST_MS;
		assert_true(most[i] > cap * 9 / 10);
	}
}

static void test_backoff__a_seed_gives_the_same_waits_again(void **state)
{
	(void)state;
	struct backoff a = { .seed = 42 }, b = { .seed = 42 };
	for (int i = 0; i < 20; i++)
		assert_int_equal(backoff_failed(&a, -1), backoff_failed(&b, -1));
}

static void test_backoff__what_the_server_asks_for_is_the_least(void **state)
{
	(void)state;
	struct backoff backoff = { .seed = 3 };
	for (int i = 0; i < 50; i++) {
		struct backoff fresh = { .seed = (uint64_t)i + 1 };
		assert_true(backoff_failed(&fresh, 30) >= 30000);
		assert_true(backoff_failed(&fresh, INT64_MAX) <=
		            (int64_t)BACKOFF_RETRY_AFTER_MAX_S * 1000 + BACKOFF_MOST_MS);
	}
	(void)backoff_failed(&backoff, -1);
	backoff_worked(&backoff);
	assert_int_equal(backoff.n_failures, 0);
	assert_true(backoff_failed(&backoff, -1) <= BACKOFF_FIRST_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff__waits_double_and_are_capped),
		cmocka_unit_test(test_backoff__a_seed_gives_the_same_waits_again),
		cmocka_unit_test(test_backoff__what_the_server_asks_for_is_the_least),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
