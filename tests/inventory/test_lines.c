/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>

#include "base/buf.h"
#include "inventory/lines.h"

struct text {
	str bytes;
	size_t step; /* most that one read gives */
	uint64_t broken;
};

static int64_t text_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct text *text = artefact->ctx;
	if (offset >= text->broken)
		return -EIO;
	str part = str_head(str_skip(text->bytes, (size_t)offset), n < text->step ? n : text->step);
	if (part.n > 0)
		memcpy(to, part.p, part.n);
	return (int64_t)part.n;
}

static const struct artefact_ops ops = { .read_at = text_read_at };

/* The lines with a '|' after each, '+' where one was cut, and the failure. */
static void expect(const char *text, size_t window, size_t step, uint64_t limit, uint64_t broken,
        const char *expected, int failure)
{
	struct text behind = { str_from_c(text), step, broken };
	struct artefact artefact = { .ops = &ops, .ctx = &behind };
	struct arena arena = ARENA(1 << 20);
	struct lines lines;
	autobuf got = BUF(1 << 20);
	uint64_t n = 0;

	assert_int_equal(lines_init(&lines, &arena, window), 0);
	lines_begin(&lines, &artefact, limit);
	for (str line; lines_next(&lines, &line); n++) {
		buf_add(&got, line);
		buf_add_byte(&got, lines.is_cut ? '+' : '|');
		assert_int_equal(lines.number, n + 1);
	}
	buf_add_byte(&got, '\0');
	assert_string_equal(got.p, expected);
	assert_int_equal(lines.failure, failure);
	arena_fini(&arena);
}

static void expect_whole(const char *text, const char *expected)
{
	for (size_t window = 8; window < 40; window++) {
		for (size_t step = 1; step < 12; step++)
			expect(text, window, step, 1000, 1000, expected, 0);
	}
}

static void test_lines__gives_every_line_once(void **state)
{
	(void)state;
	expect_whole("", "");
	expect_whole("\n", "|");
	expect_whole("a", "a|");
	expect_whole("a\n", "a|");
	expect_whole("a\n\nbc\ndef\n\n", "a||bc|def||");
	expect_whole("1234567\n1234567\n123456", "1234567|1234567|123456|");
}

static void test_lines__cuts_what_is_longer_than_the_window(void **state)
{
	(void)state;
	expect("123456789\nab\n", 8, 100, 1000, 1000, "12345678+ab|", 0);
	expect("123456789123456789123456789\nab", 8, 3, 1000, 1000, "12345678+ab|", 0);
	expect("ab\n123456789123456789", 8, 5, 1000, 1000, "ab|12345678+", 0);
	expect("12345678\nab", 8, 100, 1000, 1000, "12345678+ab|", 0);
}

static void test_lines__stops_at_the_limit_and_at_a_failure(void **state)
{
	(void)state;
	expect("ab\ncd\nef\n", 64, 3, 6, 1000, "ab|cd|", -ERR_LIMIT);
	expect("ab\ncd\nef\n", 64, 3, 9, 1000, "ab|cd|ef|", 0);
	expect("ab\ncd\nef\n", 64, 3, 1000, 6, "ab|cd|", -EIO);
	expect("abcdefghijklmnop\nx", 8, 8, 1000, 8, "abcdefgh+", -EIO);
}

static void test_lines__needs_its_window(void **state)
{
	struct arena arena = ARENA(100);
	struct lines lines;
	(void)state;
	assert_int_equal(lines_init(&lines, &arena, 1000), -ERR_LIMIT);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines__gives_every_line_once),
		cmocka_unit_test(test_lines__cuts_what_is_longer_than_the_window),
		cmocka_unit_test(test_lines__stops_at_the_limit_and_at_a_failure),
		cmocka_unit_test(test_lines__needs_its_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
