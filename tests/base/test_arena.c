/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_arena__memory_is_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	unsigned char *last = NULL;
	for (size_t size = 1; size < 300; size++) {
		unsigned char *p = arena_alloc(&arena, size, 1);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xAA, size);
		assert_ptr_not_equal(p, last);
		last = p;
	}
	arena_fini(&arena);
}

static void test_arena__the_cap_holds_to_the_byte(void **state)
{
	(void)state;
	struct arena arena = ARENA(64);
	assert_non_null(arena_alloc(&arena, 64, 1));
	assert_null(arena_alloc(&arena, 1, 1));
	arena_fini(&arena);
	assert_null(arena_alloc(&arena, 65, 1));
	assert_non_null(arena_alloc(&arena, 1, 1));
	arena_fini(&arena);
}

static void test_arena__sizes_that_overflow_are_refused(void **state)
{
	(void)state;
	struct arena arena = ARENA(SIZE_MAX);
	assert_null(arena_alloc(&arena, SIZE_MAX, 2));
	assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(&arena, SIZE_MAX, 1));
	assert_null(arena_alloc(&arena, SIZE_MAX - 8, 1));
	assert_int_equal(arena.used_bytes, 0);
	arena_fini(&arena);
}

static void test_arena__nothing_at_all_is_still_memory(void **state)
{
	(void)state;
	struct arena arena = ARENA(1024);
	void *a = arena_alloc(&arena, 0, 8), *b = arena_alloc(&arena, 8, 0);
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	arena_fini(&arena);
}

static void test_arena__a_large_piece_leaves_the_rest_of_the_block_in_use(void **state)
{
	(void)state;
	struct arena arena = ARENA(16 << 20);
	char *small = arena_alloc(&arena, 16, 1);
	char *large = arena_alloc(&arena, 1 << 20, 1);
	char *next = arena_alloc(&arena, 16, 1);
	assert_non_null(large);
	memset(large, 1, 1 << 20);
	assert_ptr_equal(next, small + 16);
	arena_fini(&arena);
}

static void test_arena__copies_end_with_nul(void **state)
{
	(void)state;
	struct arena arena = ARENA(1024);
	str copy;
	char text[] = "abc";
	assert_int_equal(arena_copy(&arena, str_from_c(text), &copy), 0);
	text[0] = 'x';
	assert_string_equal(copy.p, "abc");
	assert_int_equal(copy.n, 3);
	assert_int_equal(arena_copy(&arena, (str){ NULL, 0 }, &copy), 0);
	assert_string_equal(copy.p, "");
	assert_int_equal(arena_copy(&arena, (str){ text, SIZE_MAX }, &copy), -ERR_LIMIT);
	assert_string_equal(copy.p, "");
	arena_fini(&arena);
}

static void test_arena__formatted_text_fits_or_is_refused(void **state)
{
	(void)state;
	struct arena arena = ARENA(64);
	str text = STR("untouched");
	assert_int_equal(arena_printf(&arena, &text, "%s-%u", "a", 7u), 0);
	assert_string_equal(text.p, "a-7");
	assert_int_equal(text.n, 3);
	assert_int_equal(arena_printf(&arena, &text, "%0100d", 1), -ERR_LIMIT);
	assert_string_equal(text.p, "a-7");
	arena_fini(&arena);
}

static void test_arena__released_and_zeroed_ones_can_be_released_again(void **state)
{
	(void)state;
	struct arena arena = ARENA(1024), zero = { 0 };
	assert_non_null(arena_alloc(&arena, 1, 1));
	arena_fini(&arena);
	arena_fini(&arena);
	arena_fini(&zero);
	arena_fini(NULL);
	assert_null(arena_alloc(&zero, 1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena__memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(test_arena__the_cap_holds_to_the_byte),
		cmocka_unit_test(test_arena__sizes_that_overflow_are_refused),
		cmocka_unit_test(test_arena__nothing_at_all_is_still_memory),
		cmocka_unit_test(test_arena__a_large_piece_leaves_the_rest_of_the_block_in_use),
		cmocka_unit_test(test_arena__copies_end_with_nul),
		cmocka_unit_test(test_arena__formatted_text_fits_or_is_refused),
		cmocka_unit_test(test_arena__released_and_zeroed_ones_can_be_released_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
