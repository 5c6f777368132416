/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "plugin/roots.h"

static void on_rejected(void *ctx, str part)
{
	buf_printf(ctx, "[" STR_FMT "]", STR_ARG(part));
}

static void check(const char *value, const char *want, const char *want_rejected)
{
	struct arena arena = ARENA(1 << 16);
	struct plugin_paths paths = { .n = 0 };
	struct buf got = BUF(1 << 16), rejected = BUF(1 << 16);
	assert_int_equal(
	        plugin_paths_read(str_from_c(value), &arena, &paths, on_rejected, &rejected), 0);
	for (size_t i = 0; i < paths.n; i++)
		buf_printf(&got, "[%s]", paths.all[i]);
	buf_add_byte(&got, '\0');
	buf_add_byte(&rejected, '\0');
	assert_string_equal(got.p, want);
	assert_string_equal(rejected.p, want_rejected);
	buf_fini(&got);
	buf_fini(&rejected);
	arena_fini(&arena);
}

static void test_roots__of_the_parameter(void **state)
{
	(void)state;
	check("", "", "");
	check("NO_PATHS_DEFINED", "", "[NO_PATHS_DEFINED]");
	check("/home/ssm-user", "[/home/ssm-user]", "");
	check("/opt/a b,/srv/.venv/", "[/opt/a b][/srv/.venv/]", "");
	check(" /a , ,/b\n,/a", "[/a][/b]", "");
	check("relative,/,/a/../b,/a/.,/x\x01y", "", "[relative][/][/a/../b][/a/.][/x\x01y]");
}

static void test_roots__too_long_or_too_many(void **state)
{
	(void)state;
	char text[8192] = "/";
	memset(text + 1, 'a', PLUGIN_PATH_BYTES - 1);
	char want[1024];
	snprintf(want, sizeof(want), "[%s]", text);
	check(text, want, "");
	text[PLUGIN_PATH_BYTES] = 'a';
	snprintf(want, sizeof(want), "[%s]", text);
	check(text, "", want);

	struct arena arena = ARENA(1 << 16);
	struct plugin_paths paths = { .n = 0 };
	struct buf value = BUF(1 << 16), rejected = BUF(1 << 16);
	for (int i = 0; i < PLUGIN_PATHS_MAX + 2; i++)
		buf_printf(&value, "/p%d,", i);
	assert_int_equal(
	        plugin_paths_read(buf_str(&value), &arena, &paths, on_rejected, &rejected), 0);
	assert_int_equal(paths.n, PLUGIN_PATHS_MAX);
	assert_true(str_eq(buf_str(&rejected), STR("[/p64][/p65]")));
	buf_fini(&value);
	buf_fini(&rejected);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots__of_the_parameter),
		cmocka_unit_test(test_roots__too_long_or_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
