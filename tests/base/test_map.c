/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/map.h"

static str key_of(unsigned i, char text[16])
{
	return (str){ text, (size_t)snprintf(text, 16, "key-%u", i) };
}

static void test_map__what_was_put_in_is_found(void **state)
{
	(void)state;
	struct arena arena = ARENA(64 << 20);
	struct map map = MAP(&arena);
	char text[16];
	for (unsigned i = 0; i < 50000; i++) {
		void **at = map_at(&map, key_of(i, text));
		assert_non_null(at);
		assert_null(*at);
		*at = (void *)(uintptr_t)(i + 1);
	}
	assert_int_equal(map.n, 50000);
	for (unsigned i = 0; i < 50000; i++) {
		void **at = map_find(&map, key_of(i, text));
		assert_non_null(at);
		assert_ptr_equal(*at, (void *)(uintptr_t)(i + 1));
		assert_ptr_equal(map_at(&map, key_of(i, text)), at);
	}
	assert_int_equal(map.n, 50000);
	assert_null(map_find(&map, STR("key-50000")));
	arena_fini(&arena);
}

static void test_map__entries_keep_the_order_of_insertion(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	struct map map = MAP(&arena);
	char text[16];
	for (unsigned i = 0; i < 1000; i++)
		assert_non_null(map_at(&map, key_of(999 - i, text)));
	for (unsigned i = 0; i < 1000; i++)
		assert_true(str_eq(map.entries[i].key, key_of(999 - i, text)));
	arena_fini(&arena);
}

static void test_map__keys_are_any_bytes_and_copied(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	struct map map = MAP(&arena);
	char text[] = "a\0b";
	*map_at(&map, (str){ text, 3 }) = text;
	*map_at(&map, STR("")) = &arena;
	text[0] = 'x';
	assert_ptr_equal(*map_find(&map, STR("a\0b")), text);
	assert_ptr_equal(*map_find(&map, (str){ NULL, 0 }), &arena);
	assert_null(map_find(&map, STR("a")));
	assert_null(map_find(&map, STR("a\0b\0")));
	assert_null(map_find(&map, STR("x\0b")));
	arena_fini(&arena);
}

static void test_map__an_empty_one_finds_nothing(void **state)
{
	(void)state;
	struct map map = { 0 };
	assert_null(map_find(&map, STR("x")));
}

static void test_map__a_full_arena_refuses_new_keys_and_keeps_the_old(void **state)
{
	(void)state;
	struct arena arena = ARENA(8192);
	struct map map = MAP(&arena);
	char text[16];
	unsigned n = 0;
	while (map_at(&map, key_of(n, text)))
		n++;
	assert_true(n > 10);
	assert_int_equal(map.n, n);
	for (unsigned i = 0; i < n; i++) {
		assert_non_null(map_find(&map, key_of(i, text)));
		assert_non_null(map_at(&map, key_of(i, text)));
	}
	assert_null(map_at(&map, STR("another")));
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map__what_was_put_in_is_found),
		cmocka_unit_test(test_map__entries_keep_the_order_of_insertion),
		cmocka_unit_test(test_map__keys_are_any_bytes_and_copied),
		cmocka_unit_test(test_map__an_empty_one_finds_nothing),
		cmocka_unit_test(test_map__a_full_arena_refuses_new_keys_and_keeps_the_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
