/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cursor.h"

static void test_cursor__numbers_have_their_byte_order(void **state)
{
	(void)state;
	struct cursor c = CURSOR(STR(
	        "\x01\x02\x03\x01\x02\x03\x04\x01\x02\x03\x04\x01\x02\x03\x04\x05\x06\x07\x08"));
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u16(&c), 0x0302);
	assert_int_equal(cursor_u32(&c), 0x04030201);
	assert_int_equal(cursor_u32be(&c), 0x01020304);
	assert_int_equal(cursor_u64(&c), 0x0807060504030201);
	assert_false(cursor_failed(&c));
	assert_int_equal(c.rest.n, 0);
}

static void test_cursor__high_bytes_are_not_signs(void **state)
{
	(void)state;
	struct cursor c = CURSOR(STR("\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff"));
	assert_int_equal(cursor_u8(&c), 0xFF);
	assert_int_equal(cursor_u32(&c), 0xFFFFFFFF);
	assert_true(cursor_u64(&c) == 0xFFFFFFFFFFFFFFFE);
	assert_false(cursor_failed(&c));
	assert_int_equal(cursor_u16(&c), 0);
	assert_true(cursor_failed(&c));
}

static void test_cursor__a_read_past_the_end_is_sticky(void **state)
{
	(void)state;
	struct cursor c = CURSOR(STR("abcd"));
	assert_int_equal(cursor_bytes(&c, 5).n, 0);
	assert_true(cursor_failed(&c));
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_bytes(&c, 0).n, 0);
	assert_int_equal(cursor_str(&c).n, 0);
	assert_true(cursor_failed(&c));
}

static void test_cursor__a_length_larger_than_the_rest_is_a_failure(void **state)
{
	(void)state;
	struct cursor c = CURSOR(STR("\xff\xff\xff\xff"
	                             "abc"));
	str s = cursor_str(&c);
	assert_int_equal(s.n, 0);
	assert_null(s.p);
	assert_true(cursor_failed(&c));
}

static void test_cursor__bytes_borrow_from_the_input(void **state)
{
	(void)state;
	static const char text[] = "abcdef";
	struct cursor c = CURSOR(str_from_c(text));
	assert_ptr_equal(cursor_bytes(&c, 2).p, text);
	assert_ptr_equal(cursor_bytes(&c, 4).p, text + 2);
	assert_int_equal(cursor_bytes(&c, 0).n, 0);
	assert_false(cursor_failed(&c));
}

static void test_cursor__nothing_can_be_read_as_nothing(void **state)
{
	(void)state;
	struct cursor c = CURSOR(((str){ NULL, 0 }));
	assert_int_equal(cursor_bytes(&c, 0).n, 0);
	assert_false(cursor_failed(&c));
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(cursor_failed(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursor__numbers_have_their_byte_order),
		cmocka_unit_test(test_cursor__high_bytes_are_not_signs),
		cmocka_unit_test(test_cursor__a_read_past_the_end_is_sticky),
		cmocka_unit_test(test_cursor__a_length_larger_than_the_rest_is_a_failure),
		cmocka_unit_test(test_cursor__bytes_borrow_from_the_input),
		cmocka_unit_test(test_cursor__nothing_can_be_read_as_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
