/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report/sheet.h"

#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

static const struct column titles[] = { { .title = "ID" }, { .title = "NAME", .may_cut = true } };

static const struct {
	struct cell cells[2];
	str path;
} rows[] = {
	{ { { S("1"), NULL }, { S("a"), NULL } }, S("/very/long/path/to/the/first") },
	{ { { S("2"), NULL }, { S("a-name-that-is-long"), NULL } },
	        S("/very/long/path/to/the/first") },
	{ { { S("3"), NULL }, { S(""), NULL } }, S("/x\n") },
};

static void check(size_t path_at, unsigned width, const char *expected)
{
	struct arena arena = ARENA(1 << 20);
	struct sheet sheet;
	autobuf out = BUF(1 << 16);
	assert_int_equal(sheet_new(&arena, titles, 2, path_at, 3, &sheet), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(sheet_add(&sheet, rows[i].cells, rows[i].path), 0);
	assert_int_equal(sheet_write(&sheet, width, false, &out), 0);
	buf_add_byte(&out, '\0');
	assert_string_equal(out.p, expected);
	arena_fini(&arena);
}

static const char wide[] = "ID  NAME                 PATH\n"
                           "1   a                    /very/long/path/to/the/first\n"
                           "2   a-name-that-is-long  /very/long/path/to/the/first\n"
                           "3   -                    /x\\012\n";

static void test_sheet__without_a_terminal_each_row_has_its_path(void **state)
{
	(void)state;
	check(2, 0, wide);
}

static void test_sheet__a_wide_terminal_is_as_none(void **state)
{
	(void)state;
	check(2, 53, wide);
}

static void test_sheet__the_path_can_stand_before_another_column(void **state)
{
	(void)state;
	check(1, 0,
	        "ID  PATH                          NAME\n"
	        "1   /very/long/path/to/the/first  a\n"
	        "2   /very/long/path/to/the/first  a-name-that-is-long\n"
	        "3   /x\\012                        -\n");
}

static void test_sheet__on_a_narrow_terminal_rows_stand_under_their_path(void **state)
{
	(void)state;
	check(2, 52,
	        "PATH\n"
	        "  ID  NAME\n"
	        "/very/long/path/to/the/first\n"
	        "  1   a\n"
	        "  2   a-name-that-is-long\n"
	        "/x\\012\n"
	        "  3   -\n");
}

static void test_sheet__names_lose_their_middle_and_paths_nothing(void **state)
{
	(void)state;
	check(2, 22,
	        "PATH\n"
	        "  ID  NAME\n"
	        "/very/long/path/to/the/first\n"
	        "  1   a\n"
	        "  2   a-name-...s-long\n"
	        "/x\\012\n"
	        "  3   -\n");
	check(2, 1,
	        "PATH\n"
	        "  ID  NAME\n"
	        "/very/long/path/to/the/first\n"
	        "  1   a\n"
	        "  2   a-nam...long\n"
	        "/x\\012\n"
	        "  3   -\n");
}

static void test_sheet__no_more_rows_than_were_announced(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 16), none = ARENA(0);
	struct sheet sheet;
	assert_int_equal(sheet_new(&arena, titles, 2, 2, 1, &sheet), 0);
	assert_int_equal(sheet_add(&sheet, rows[0].cells, rows[0].path), 0);
	assert_int_equal(sheet_add(&sheet, rows[0].cells, rows[0].path), -ERR_LIMIT);
	assert_int_equal(sheet_new(&none, titles, 2, 2, 1, &sheet), -ERR_LIMIT);
	assert_int_equal(
	        sheet_new(&arena, titles, SHEET_COLUMNS_MAX + 1, 2, 1, &sheet), -ERR_LIMIT);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sheet__without_a_terminal_each_row_has_its_path),
		cmocka_unit_test(test_sheet__a_wide_terminal_is_as_none),
		cmocka_unit_test(test_sheet__the_path_can_stand_before_another_column),
		cmocka_unit_test(test_sheet__on_a_narrow_terminal_rows_stand_under_their_path),
		cmocka_unit_test(test_sheet__names_lose_their_middle_and_paths_nothing),
		cmocka_unit_test(test_sheet__no_more_rows_than_were_announced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
