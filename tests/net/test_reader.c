/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/reader.h"

static void test_reader__a_text_becomes_a_tree_of_its_own(void **state)
{
	struct arena arena = ARENA(1u << 20);
	char text[] = "{\"a\":[1,{\"b\":\"x\\u00e9\"}]}";
	const struct value *tree = NULL;
	(void)state;
	assert_int_equal(reader_json(str_from_c(text), &arena, &tree, NULL), 0);
	memset(text, 'z', sizeof(text) - 1); /* nothing borrows from it */
	const struct value *a = value_get(tree, STR("a"));
	assert_int_equal(value_count(a), 2);
	assert_true(str_eq(value_get_str(value_at(a, 1), STR("b")), STR("x\xc3\xa9")));
	arena_fini(&arena);
}

static void test_reader__what_is_wrong_is_said_as_if_it_was_read_here(void **state)
{
	static const char *const texts[] = { "", "{", "[1,]", "{\"a\":1,\"a\":2}", "\"\\u0000\"",
		"\"\xff\"", "nul" };
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct arena arena = ARENA(1u << 20);
		const struct value *tree = NULL;
		struct err here = { 0 }, there = { 0 };
		int r = value_from_json(str_from_c(texts[i]), &arena, &tree, &here);
		assert_int_equal(r, -ERR_FORMAT);
		assert_int_equal(reader_json(str_from_c(texts[i]), &arena, &tree, &there), r);
		assert_string_equal(here.text, there.text);
		assert_null(tree);
		arena_fini(&arena);
	}
}

static void test_reader__a_text_beyond_the_arena_costs_only_itself(void **state)
{
	struct arena arena = ARENA(1u << 20);
	autobuf text = BUF((size_t)8 << 20);
	const struct value *tree = NULL;
	(void)state;
	buf_add_byte(&text, '[');
	for (int i = 0; i < 1000000; i++)
		buf_add(&text, STR("1,"));
	buf_add(&text, STR("1]"));
	assert_int_equal(reader_json(buf_str(&text), &arena, &tree, NULL), -ERR_LIMIT);
	assert_int_equal(reader_json(STR("[2]"), &arena, &tree, NULL), 0);
	assert_int_equal(value_count(tree), 1);
	arena_fini(&arena);
}

/* More than a pipe holds. */
static void test_reader__a_large_text_comes_whole(void **state)
{
	struct arena arena = ARENA((size_t)64 << 20);
	autobuf text = BUF((size_t)8 << 20);
	const struct value *tree = NULL;
	(void)state;
	buf_add_byte(&text, '[');
	for (int i = 0; i < 200000; i++)
		buf_add(&text, STR("\"abc\","));
	buf_add(&text, STR("{}]"));
	assert_int_equal(reader_json(buf_str(&text), &arena, &tree, NULL), 0);
	assert_int_equal(value_count(tree), 200001);
	assert_true(str_eq(value_str(value_at(tree, 199999)), STR("abc")));
	arena_fini(&arena);
}

static void test_reader__nothing_is_left_behind(void **state)
{
	struct arena arena = ARENA(1u << 20);
	const struct value *tree = NULL;
	int status, before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)state;
	(void)close(before);
	for (int i = 0; i < 5; i++)
		assert_int_equal(reader_json(STR("{}"), &arena, &tree, NULL), 0);
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, before);
	(void)close(after);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader__a_text_becomes_a_tree_of_its_own),
		cmocka_unit_test(test_reader__what_is_wrong_is_said_as_if_it_was_read_here),
		cmocka_unit_test(test_reader__a_text_beyond_the_arena_costs_only_itself),
		cmocka_unit_test(test_reader__a_large_text_comes_whole),
		cmocka_unit_test(test_reader__nothing_is_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
