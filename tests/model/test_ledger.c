/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/ledger.h"

#define assert_entry(skip, its_path, its_reason, its_count, its_kind)                              \
	do {                                                                                       \
		assert_true(str_eq((skip).path, STR(its_path)));                                   \
		assert_true(str_eq((skip).reason, STR(its_reason)));                               \
		assert_int_equal((skip).count, (its_count));                                       \
		assert_int_equal((skip).kind, (its_kind));                                         \
	} while (0)

static void test_ledger__equal_neighbours_are_counted_in_one_entry(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	struct ledger ledger = { .arena = &arena };
	char path[] = "/a";
	ledger_add(&ledger, SKIP_DAMAGE, str_from_c(path), STR("bad line"));
	path[1] = 'b'; /* the ledger keeps its own copy */
	ledger_add(&ledger, SKIP_DAMAGE, STR("/a"), STR("bad line"));
	ledger_add(&ledger, SKIP_FAILURE, STR("/a"), STR("bad line"));
	ledger_add(&ledger, SKIP_FAILURE, STR("/a"), STR("bad line"));
	ledger_add(&ledger, SKIP_DAMAGE, STR("/a"), STR("bad line"));
	assert_int_equal(ledger.n, 3);
	assert_entry(ledger.entries[0], "/a", "bad line", 2, SKIP_DAMAGE);
	assert_entry(ledger.entries[1], "/a", "bad line", 2, SKIP_FAILURE);
	assert_int_equal(ledger.n_failures, 2);
	arena_fini(&arena);
}

static void test_ledger__sort_orders_and_joins_equal_entries(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	struct ledger ledger = { .arena = &arena };
	ledger_add(&ledger, SKIP_POLICY, STR("/b"), STR("x"));
	ledger_add(&ledger, SKIP_POLICY, STR("/a"), STR("y"));
	ledger_add(&ledger, SKIP_POLICY, STR("/b"), STR("x"));
	ledger_add(&ledger, SKIP_FAILURE, STR("/a"), STR("x"));
	ledger_add(&ledger, SKIP_POLICY, STR(""), STR("z"));
	ledger_sort(&ledger);
	assert_int_equal(ledger.n, 4);
	assert_entry(ledger.entries[0], "", "z", 1, SKIP_POLICY);
	assert_entry(ledger.entries[1], "/a", "x", 1, SKIP_FAILURE);
	assert_entry(ledger.entries[2], "/a", "y", 1, SKIP_POLICY);
	assert_entry(ledger.entries[3], "/b", "x", 2, SKIP_POLICY);
	arena_fini(&arena);
}

static uint64_t sum(const struct ledger *ledger)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ledger->n; i++)
		n += ledger->entries[i].count;
	return n;
}

static void add_many(struct ledger *ledger, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char path[32];
		int len = snprintf(path, sizeof(path), "/%u", i);
		ledger_add(ledger, i % 2 ? SKIP_FAILURE : SKIP_POLICY, (str){ path, (size_t)len },
		        STR("r"));
	}
}

static void test_ledger__past_the_limit_one_entry_counts_the_rest(void **state)
{
	(void)state;
	struct arena arena = ARENA(64 << 20);
	struct ledger ledger = { .arena = &arena };
	add_many(&ledger, LEDGER_MAX + 100);
	assert_int_equal(ledger.n, LEDGER_MAX);
	assert_int_equal(ledger.n_unlisted, 101);
	assert_int_equal(ledger.n_failures, LEDGER_MAX / 2 + 50);
	assert_int_equal(sum(&ledger), LEDGER_MAX + 100);
	ledger_sort(&ledger);
	assert_entry(ledger.entries[LEDGER_MAX - 1], "",
	        "more was skipped than is listed one by one", 101, SKIP_FAILURE);
	arena_fini(&arena);
}

static void test_ledger__a_full_arena_still_counts_everything(void **state)
{
	(void)state;
	struct arena arena = ARENA(4096);
	struct ledger ledger = { .arena = &arena };
	add_many(&ledger, 1000);
	assert_true(ledger.n > 1);
	assert_true(ledger.n_unlisted > 0);
	assert_int_equal(sum(&ledger), 1000);
	assert_int_equal(ledger.n_failures, 500);
	assert_int_equal(ledger.entries[ledger.n - 1].count, ledger.n_unlisted);
	arena_fini(&arena);
}

static void test_ledger__without_any_memory_the_sums_still_tell(void **state)
{
	(void)state;
	struct arena arena = ARENA(0);
	struct ledger ledger = { .arena = &arena };
	add_many(&ledger, 10);
	ledger_sort(&ledger);
	assert_int_equal(ledger.n, 0);
	assert_int_equal(ledger.n_unlisted, 10);
	assert_int_equal(ledger.n_failures, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ledger__equal_neighbours_are_counted_in_one_entry),
		cmocka_unit_test(test_ledger__sort_orders_and_joins_equal_entries),
		cmocka_unit_test(test_ledger__past_the_limit_one_entry_counts_the_rest),
		cmocka_unit_test(test_ledger__a_full_arena_still_counts_everything),
		cmocka_unit_test(test_ledger__without_any_memory_the_sums_still_tell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
