/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a sample report: print_sample FORMAT SAMPLE. For checks in other languages. */
#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

int main(int argc, char **argv)
{
	const struct report *report = argc == 3 ? sample_report(argv[2]) : NULL;
	const struct report_format *format =
	        argc == 3 ? report_format_find(str_from_c(argv[1])) : NULL;
	struct report_style style = { 0 };
	struct err err = { 0 };
	autobuf out = BUF(1 << 24);
	if (!report || !format || format->write(report, &style, &out, &err) < 0)
		return EXIT_FAILURE;
	return fwrite(out.p, 1, out.n, stdout) == out.n ? EXIT_SUCCESS : EXIT_FAILURE;
}
