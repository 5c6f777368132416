/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "aws/value_wire.h"

static const char sample[] = "{\"a\":[1,-2.5e3,true,false,null,\"x\\u00e9\"],\"b\":{},\"c\":[],"
                             "\"d\":{\"e\":{\"f\":\"\"}}}";

static void test_value_wire__a_tree_survives_the_way(void **state)
{
	struct arena arena = ARENA(1u << 20);
	autobuf bytes = BUF(4096), there = BUF(4096), back = BUF(4096);
	struct json_writer a = JSON_WRITER(&there, false), b = JSON_WRITER(&back, false);
	const struct value *tree, *read;
	(void)state;
	assert_int_equal(value_from_json(str_from_c(sample), &arena, &tree, NULL), 0);
	value_wire_add(tree, &bytes);
	assert_int_equal(value_wire_read(buf_str(&bytes), &arena, &read, NULL), 0);
	value_write_json(tree, &a);
	value_write_json(read, &b);
	assert_true(str_eq(buf_str(&there), buf_str(&back)));
	arena_fini(&arena);
}

static void test_value_wire__a_tree_that_breaks_off_is_refused_anywhere(void **state)
{
	struct arena arena = ARENA(4u << 20);
	autobuf bytes = BUF(4096);
	const struct value *tree;
	(void)state;
	assert_int_equal(value_from_json(str_from_c(sample), &arena, &tree, NULL), 0);
	value_wire_add(tree, &bytes);
	for (size_t n = 0; n < bytes.n; n++)
		assert_int_equal(value_wire_read(str_head(buf_str(&bytes), n), &arena, &tree, NULL),
		        -ERR_FORMAT);
	buf_add_byte(&bytes, 0);
	assert_int_equal(value_wire_read(buf_str(&bytes), &arena, &tree, NULL), -ERR_FORMAT);
	arena_fini(&arena);
}

static void test_value_wire__what_no_tree_could_be_is_refused(void **state)
{
	static const struct {
		str bytes;
		int r;
	} bad[] = {
		{ STR("\x06"), -ERR_FORMAT },               /* no kind */
		{ STR("\xff"), -ERR_FORMAT },               /* no kind */
		{ STR("\x01\x02"), -ERR_FORMAT },           /* neither true nor false */
		{ STR("\x03\x01\0\0\0\xff"), -ERR_FORMAT }, /* not UTF-8 */
		{ STR("\x03\x01\0\0\0\0"), -ERR_FORMAT },   /* NUL */
		{ STR("\x02\x02\0\0\0"
		      "01"),
		        -ERR_FORMAT },                        /* no number */
		{ STR("\x02\x01\0\0\0x"), -ERR_FORMAT },      /* no number */
		{ STR("\x02\0\0\0\0"), -ERR_FORMAT },         /* no number */
		{ STR("\x03\xff\xff\xff\xff"), -ERR_FORMAT }, /* longer than all */
		{ STR("\x04\xff\xff\xff\xff"), -ERR_FORMAT }, /* more elements than bytes */
		{ STR("\x05\x02\0\0\0\x01\0\0\0a\0\x01\0\0\0a\0"), -ERR_FORMAT }, /* a key twice */
		{ STR("\x05\x01\0\0\0\x01\0\0\0\x80\0"), -ERR_FORMAT }, /* a key that is no text */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena arena = ARENA(1u << 20);
		const struct value *tree = NULL;
		if (value_wire_read(bad[i].bytes, &arena, &tree, NULL) != bad[i].r || tree)
			fail_msg("case %zu", i);
		arena_fini(&arena);
	}
}

static void test_value_wire__depth_and_number_of_values_are_limited(void **state)
{
	struct arena arena = ARENA(1u << 20);
	autobuf deep = BUF(4096), many = BUF(1u << 20);
	const struct value *tree;
	(void)state;
	for (int i = 0; i < VALUE_DEPTH_MAX + 1; i++) {
		buf_add_byte(&deep, VALUE_ARRAY);
		buf_add_u32(&deep, 1);
	}
	buf_add_byte(&deep, VALUE_NULL);
	assert_int_equal(value_wire_read(buf_str(&deep), &arena, &tree, NULL), -ERR_LIMIT);
	buf_add_byte(&many, VALUE_ARRAY);
	buf_add_u32(&many, 200000);
	for (int i = 0; i < 200000; i++)
		buf_add_byte(&many, VALUE_NULL);
	assert_int_equal(value_wire_read(buf_str(&many), &arena, &tree, NULL), -ERR_LIMIT);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_wire__a_tree_survives_the_way),
		cmocka_unit_test(test_value_wire__a_tree_that_breaks_off_is_refused_anywhere),
		cmocka_unit_test(test_value_wire__what_no_tree_could_be_is_refused),
		cmocka_unit_test(test_value_wire__depth_and_number_of_values_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
