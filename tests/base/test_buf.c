/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cursor.h"

static void test_buf__bytes_are_kept_in_order(void **state)
{
	(void)state;
	autobuf buf = BUF(1 << 20);
	for (int i = 0; i < 10000; i++)
		buf_add_byte(&buf, (char)i);
	buf_add(&buf, STR("end"));
	buf_add(&buf, (str){ NULL, 0 });
	assert_int_equal(buf.n, 10003);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf.p[i], (char)i);
	assert_true(str_has_suffix(buf_str(&buf), STR("end")));
}

static void test_buf__passing_the_maximum_is_sticky(void **state)
{
	(void)state;
	autobuf buf = BUF(4);
	buf_add(&buf, STR("abcd"));
	assert_false(buf_failed(&buf));
	buf_add_byte(&buf, 'e');
	assert_true(buf_failed(&buf));
	assert_true(str_eq(buf_str(&buf), STR("abcd")));
	buf_add(&buf, (str){ NULL, 0 });
	assert_null(buf_reserve(&buf, 0));
	buf_clear(&buf);
	buf_add(&buf, STR("xy"));
	assert_false(buf_failed(&buf));
	assert_true(str_eq(buf_str(&buf), STR("xy")));
}

static void test_buf__too_much_at_once_adds_nothing(void **state)
{
	(void)state;
	autobuf buf = BUF(4);
	buf_add(&buf, STR("ab"));
	buf_add(&buf, STR("cde"));
	assert_true(buf_failed(&buf));
	assert_true(str_eq(buf_str(&buf), STR("ab")));
	autobuf none = BUF(0);
	buf_add_byte(&none, 'x');
	assert_true(buf_failed(&none));
}

static void test_buf__formatted_text_may_fill_it_exactly(void **state)
{
	(void)state;
	autobuf buf = BUF(5);
	buf_printf(&buf, "%s", "ab");
	buf_printf(&buf, "%03d", 7);
	assert_false(buf_failed(&buf));
	assert_true(str_eq(buf_str(&buf), STR("ab007")));
	buf_printf(&buf, "%d", 1);
	assert_true(buf_failed(&buf));
	assert_true(str_eq(buf_str(&buf), STR("ab007")));
}

static void test_buf__reserved_room_is_room(void **state)
{
	(void)state;
	autobuf buf = BUF(100000);
	char *at = buf_reserve(&buf, 70000);
	assert_non_null(at);
	memset(at, 'x', 70000);
	assert_int_equal(buf.n, 0);
	assert_null(buf_reserve(&buf, 100001));
	assert_true(buf_failed(&buf));
}

static void test_buf__numbers_and_strings_are_read_back_by_a_cursor(void **state)
{
	(void)state;
	autobuf buf = BUF(1 << 10);
	buf_add_u32(&buf, 0x01020304);
	buf_add_u64(&buf, 0x0102030405060708);
	buf_add_str(&buf, STR("text"));
	buf_add_str(&buf, STR(""));
	assert_memory_equal(buf.p, "\4\3\2\1\10\7\6\5\4\3\2\1\4\0\0\0text", 20);

	struct cursor cursor = CURSOR(buf_str(&buf));
	assert_int_equal(cursor_u32(&cursor), 0x01020304);
	assert_int_equal(cursor_u64(&cursor), 0x0102030405060708);
	assert_true(str_eq(cursor_str(&cursor), STR("text")));
	assert_int_equal(cursor_str(&cursor).n, 0);
	assert_false(cursor_failed(&cursor));
	assert_int_equal(cursor.rest.n, 0);
}

static void test_buf__released_and_zeroed_ones_can_be_released_again(void **state)
{
	(void)state;
	struct buf buf = BUF(10), zero = { 0 };
	buf_add_byte(&buf, 'x');
	buf_fini(&buf);
	buf_fini(&buf);
	buf_fini(&zero);
	buf_fini(NULL);
	buf_add_byte(&buf, 'y');
	assert_true(str_eq(buf_str(&buf), STR("y")));
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf__bytes_are_kept_in_order),
		cmocka_unit_test(test_buf__passing_the_maximum_is_sticky),
		cmocka_unit_test(test_buf__too_much_at_once_adds_nothing),
		cmocka_unit_test(test_buf__formatted_text_may_fill_it_exactly),
		cmocka_unit_test(test_buf__reserved_room_is_room),
		cmocka_unit_test(test_buf__numbers_and_strings_are_read_back_by_a_cursor),
		cmocka_unit_test(test_buf__released_and_zeroed_ones_can_be_released_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
