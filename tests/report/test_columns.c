/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report/columns.h"

#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

static const struct column titles[] = { { .title = "NAME" }, { .title = "N", .is_right = true },
	{ .title = "PATH" } };

static const struct cell cells[] = {
	{ S("caf\xc3\xa9"), "\033[31m" },
	{ S("1"), NULL },
	{ S("/a\\033x"), NULL },
	{ S("\xe6\x97\xa5\xe6\x9c\xac"), NULL },
	{ S("12345"), "\033[1m" },
	{ S("-"), NULL },
};

static const struct columns sample = { titles, 3, cells, 2, false };
static const char expected[] = "NAME      N  PATH\n"
                               "caf\xc3\xa9      1  /a\\033x\n"
                               "\xe6\x97\xa5\xe6\x9c\xac  12345  -\n";

static void check(int (*draw)(const struct columns *, struct buf *), const struct columns *columns,
        const char *want)
{
	autobuf out = BUF(1 << 16);
	assert_int_equal(draw(columns, &out), 0);
	buf_add_byte(&out, '\0');
	assert_string_equal(out.p, want);
}

static void test_columns__cells_are_aligned(void **state)
{
	(void)state;
	check(columns_plain, &sample, expected);
	check(columns_write, &sample, expected);
}

static void test_columns__titles_stand_alone_without_rows(void **state)
{
	(void)state;
	const struct columns none = { titles, 3, NULL, 0, false };
	check(columns_plain, &none, "NAME  N  PATH\n");
	check(columns_write, &none, "NAME  N  PATH\n");
}

/* What is left when escape sequences are taken away. */
static void strip(struct buf *out, str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '\033')
			buf_add_byte(out, text.p[i]);
		else
			while (i < text.n && text.p[i] != 'm')
				i++;
	}
}

static void test_columns__colour_adds_nothing_but_colour(void **state)
{
	(void)state;
	struct columns coloured = sample;
	coloured.colour = true;
	autobuf out = BUF(1 << 16), plain = BUF(1 << 16);
	assert_int_equal(columns_write(&coloured, &out), 0);
	strip(&plain, buf_str(&out));
	buf_add_byte(&plain, '\0');
	buf_add_byte(&out, '\0');
	assert_string_equal(plain.p, expected);
	assert_non_null(strstr(out.p, "\033[31mcaf"));
	assert_non_null(strstr(out.p, "\033[1mNAME"));
}

static void test_columns__a_full_buffer_is_told(void **state)
{
	(void)state;
	autobuf out = BUF(10);
	assert_int_equal(columns_plain(&sample, &out), -ENOMEM);
	autobuf other = BUF(10);
	assert_int_equal(columns_write(&sample, &other), -ENOMEM);
}

#ifdef HAVE_SMARTCOLS
static void test_columns__the_library_draws_what_we_draw(void **state)
{
	(void)state;
	autobuf out = BUF(1 << 16);
	if (columns_smartcols(&sample, &out) == -ENOSYS) {
		print_message("skipped: the C library has no locale C.UTF-8\n");
		skip();
	}
	check(columns_smartcols, &sample, expected);
}

static void test_columns__the_locale_of_the_program_is_left_alone(void **state)
{
	(void)state;
	locale_t before = uselocale((locale_t)0);
	check(columns_write, &sample, expected);
	assert_ptr_equal(uselocale((locale_t)0), before);
	assert_string_equal(setlocale(LC_CTYPE, NULL), "C");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns__cells_are_aligned),
		cmocka_unit_test(test_columns__titles_stand_alone_without_rows),
		cmocka_unit_test(test_columns__colour_adds_nothing_but_colour),
		cmocka_unit_test(test_columns__a_full_buffer_is_told),
#ifdef HAVE_SMARTCOLS
		cmocka_unit_test(test_columns__the_library_draws_what_we_draw),
		cmocka_unit_test(test_columns__the_locale_of_the_program_is_left_alone),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
