/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "base/str.h"
#include "plugin/flags.h"

static int read_words(const char *words, struct plugin_options *ret, struct err *err)
{
	static char copy[1024];
	char *args[32];
	int n = 0;
	str rest = str_from_c(copy), word;
	snprintf(copy, sizeof(copy), "%s", words);
	rest.n = strlen(copy);
	while (rest.n > 0) {
		if (!str_split_first(rest, ' ', &word, &rest)) {
			word = rest;
			rest = (str){ NULL, 0 };
		}
		args[n] = copy + (word.p - copy);
		args[n++][word.n] = '\0';
	}
	return plugin_flags_read(n, args, ret, err);
}

static void test_flags__the_line_of_the_document(void **state)
{
	(void)state;
	struct plugin_options o;
	assert_int_equal(read_words("-mode bpm -read-params-store -report-ssm-inventory "
	                            "-report-metrics-via-ssm-inventory -save-findings-as "
	                            "/opt/aws/inspector/var/output/packages.txt -format text "
	                            "-timeout 900 -cpulimit 65",
	                         &o, NULL),
	        0);
	assert_true(o.read_parameter && o.report_inventory && o.report_metrics);
	assert_string_equal(o.save_as, "/opt/aws/inspector/var/output/packages.txt");
	assert_int_equal(o.timeout_s, 900);
	assert_int_equal(o.cpu_limit_pct, 65);
	assert_false(o.is_compat);
}

static void test_flags__are_read_as_go_reads_them(void **state)
{
	(void)state;
	struct plugin_options o;
	assert_int_equal(read_words("--mode=bpm --timeout=0 -log-compat=true "
	                            "-report-ssm-inventory=false",
	                         &o, NULL),
	        0);
	assert_true(o.is_compat);
	assert_false(o.report_inventory);
	assert_int_equal(o.timeout_s, 0);
}

static void test_flags__say_what_is_wrong(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "", "-mode is missing" },
		{ "-mode", "-mode: needs a value" },
		{ "-mode cis", "-mode: 'cis' is not known, only 'bpm' is" },
		{ "-mode bpm -nothing", "-nothing: no such flag" },
		{ "-mode bpm rest", "rest: is no flag" },
		{ "-mode bpm -timeout -1", "-timeout: '-1' is no number" },
		{ "-mode bpm -timeout=", "-timeout: '' is no number" },
		{ "-mode bpm -cpulimit 101", "-cpulimit: '101' is no percentage" },
		{ "-mode bpm -format json", "-format: 'json' is not known, only 'text' is" },
		{ "-mode bpm -log-compat=2", "-log-compat: '2' is neither true nor false" },
		{ "-mode bpm -save-findings-as=", "-save-findings-as: is empty" },
		{ "-mode bpm -", "-: is no flag" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		struct plugin_options o = { .timeout_s = 7 };
		assert_int_equal(read_words(rows[i][0], &o, &err), -EINVAL);
		assert_string_equal(err.text, rows[i][1]);
		assert_int_equal(o.timeout_s, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags__the_line_of_the_document),
		cmocka_unit_test(test_flags__are_read_as_go_reads_them),
		cmocka_unit_test(test_flags__say_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
