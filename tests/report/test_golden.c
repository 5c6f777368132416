/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reports against expected files: test_golden FILE FORMAT SAMPLE [WIDTH [verbose] [colour]].
 * SONDE_UPDATE=1 rewrites FILE, for review.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "sample.h"

static char **args;

static struct report_style style_of_args(void)
{
	struct report_style style = { 0 };
	uint64_t width;
	for (char **at = args + 4; args[3] && *at; at++) {
		if (str_to_u64(str_from_c(*at), 1000, &width))
			style.width = (unsigned)width;
		style.verbose = style.verbose || strcmp(*at, "verbose") == 0;
		style.colour = style.colour || strcmp(*at, "colour") == 0;
	}
	return style;
}

static void test_golden__report_is_as_expected(void **state)
{
	(void)state;
	struct report_style style = style_of_args();
	struct err err = { 0 };
	autobuf got = BUF(1 << 24), want = BUF(1 << 24);
	const struct report_format *format = report_format_find(str_from_c(args[2]));
	assert_non_null(format);
	assert_int_equal(format->write(sample_report(args[3]), &style, &got, &err), 0);
	if (getenv("SONDE_UPDATE")) {
		FILE *f = fopen(args[1], "we");
		assert_non_null(f);
		assert_int_equal(fwrite(got.p, 1, got.n, f), got.n);
		assert_int_equal(fclose(f), 0);
	}
	assert_int_equal(fs_read(AT_FDCWD, args[1], &want, &err), 0);
	buf_add_byte(&got, '\0');
	buf_add_byte(&want, '\0');
	assert_string_equal(got.p, want.p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden__report_is_as_expected),
	};
	if (argc < 4)
		return EXIT_FAILURE;
	args = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
