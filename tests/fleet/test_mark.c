/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleet/query.h"

static const struct query_mark sample = { .is_set = true,
	.generation = 7,
	.number = -1.5,
	.text = { "NVD", 3 },
	.name = { "CVE-2024-1", 10 },
	.host = 0xffffffff,
	.first_observed = 1700000000 };

static void test_mark__comes_back_from_its_bytes(void **state)
{
	struct arena arena = ARENA(65536);
	struct query_mark got;
	autobuf bytes = BUF(65536);
	(void)state;
	query_mark_write(&sample, &bytes);
	assert_int_equal(query_mark_read(buf_str(&bytes), &arena, &got), 0);
	assert_true(got.is_set);
	assert_int_equal(got.generation, 7);
	assert_true(got.number <= -1.5 && got.number >= -1.5);
	assert_true(str_eq(got.text, STR("NVD")));
	assert_true(str_eq(got.name, STR("CVE-2024-1")));
	assert_int_equal(got.host, 0xffffffff);
	assert_int_equal(got.first_observed, 1700000000);
	arena_fini(&arena);
}

static void test_mark__that_is_not_set_is_no_bytes(void **state)
{
	struct arena arena = ARENA(65536);
	struct query_mark got = sample;
	autobuf bytes = BUF(65536);
	(void)state;
	query_mark_write(&(struct query_mark){ .is_set = false }, &bytes);
	assert_int_equal(bytes.n, 0);
	assert_int_equal(query_mark_read(STR(""), &arena, &got), 0);
	assert_false(got.is_set);
}

static void test_mark__damaged_bytes_are_refused(void **state)
{
	struct arena arena = ARENA(65536), full = ARENA(0);
	struct query_mark got;
	autobuf bytes = BUF(65536);
	(void)state;
	query_mark_write(&sample, &bytes);
	for (size_t n = 1; n < bytes.n; n++)
		assert_int_equal(query_mark_read((str){ bytes.p, n }, &arena, &got), -ERR_FORMAT);
	assert_int_equal(query_mark_read(buf_str(&bytes), &full, &got), -ERR_LIMIT);
	bytes.p[0] = 2;
	assert_int_equal(query_mark_read(buf_str(&bytes), &arena, &got), -ERR_FORMAT);
	bytes.p[0] = 1;
	memset(bytes.p + 9, 0xff, 8); /* not a number */
	assert_int_equal(query_mark_read(buf_str(&bytes), &arena, &got), -ERR_FORMAT);
	buf_clear(&bytes);
	query_mark_write(&sample, &bytes);
	memset(bytes.p + 17, 0xff, 8); /* a host beyond all */
	assert_int_equal(query_mark_read(buf_str(&bytes), &arena, &got), -ERR_FORMAT);
	buf_clear(&bytes);
	query_mark_write(&sample, &bytes);
	buf_add_byte(&bytes, 'x');
	assert_int_equal(query_mark_read(buf_str(&bytes), &arena, &got), -ERR_FORMAT);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mark__comes_back_from_its_bytes),
		cmocka_unit_test(test_mark__that_is_not_set_is_no_bytes),
		cmocka_unit_test(test_mark__damaged_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
