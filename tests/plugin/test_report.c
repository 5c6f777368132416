/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aws/value.h"
#include "plugin/report.h"

static struct package make(const char *type, const char *name, const char *owner)
{
	return (struct package){ .type = str_from_c(type),
		.name = str_from_c(name),
		.version = STR("1.0"),
		.path = STR("/usr/lib/x/METADATA"),
		.owner = str_from_c(owner) };
}

static void test_report__packages_of_the_system_and_what_they_own_are_left_out(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	struct package all[] = { make("deb", "zlib1g", ""),
		make("pypi", "numpy", "deb python3-numpy 1"), make("pypi", "requests", ""),
		make("npm", "@a/b", "") };
	struct inventory inv = { .packages = all, .n_packages = 4 };
	struct report_packages chosen;
	struct buf out = BUF(1 << 16);
	assert_int_equal(report_choose(&inv, &arena, &chosen), 0);
	assert_int_equal(chosen.n, 2);
	assert_int_equal(chosen.n_owned, 1);
	assert_int_equal(report_write_packages(&chosen, &out), 2);
	buf_add_byte(&out, '\0');
	assert_string_equal(out.p,
	        "[{\"Name\":\"requests\",\"Version\":\"1.0\",\"PackageManager\":\"PYTHONPKG\","
	        "\"Path\":\"/usr/lib/x/METADATA\"},{\"Name\":\"@a/b\",\"Version\":\"1.0\","
	        "\"PackageManager\":\"NODEPKG\",\"Path\":\"/usr/lib/x/METADATA\"}]");
	buf_fini(&out);
	arena_fini(&arena);
}

static void test_report__an_item_is_never_larger_than_the_service_takes(void **state)
{
	(void)state;
	static char path[3000];
	static struct package pkg;
	static const struct package *all[12000];
	struct arena arena = ARENA(64 << 20);
	struct report_packages packages = { .all = all, .n = 12000 };
	const struct value *value;
	pkg = make("npm", "a", "");
	for (size_t i = 0; i < packages.n; i++)
		all[i] = &pkg;
	struct buf out = BUF(4 << 20);
	assert_int_equal(report_write_packages(&packages, &out), REPORT_ROWS_MAX);
	assert_int_equal(value_from_json(buf_str(&out), &arena, &value, NULL), 0);
	assert_int_equal(value_count(value), REPORT_ROWS_MAX);

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	pkg.path = (str){ path, sizeof(path) };
	buf_clear(&out);
	size_t n = report_write_packages(&packages, &out);
	assert_true(n > 300 && n < 400 && out.n <= REPORT_CONTENT_BYTES);
	assert_int_equal(value_from_json(buf_str(&out), &arena, &value, NULL), 0);
	assert_int_equal(value_count(value), n);
	buf_fini(&out);
	arena_fini(&arena);
}

static void test_report__metrics_say_why_it_is_partial(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20), ledger = ARENA(1 << 20);
	struct inventory inv = { .elapsed_ms = 799, .end = COLLECT_TIME };
	struct plugin_options options = { .timeout_s = 900, .cpu_limit_pct = 65 };
	struct report_packages packages = { .n = REPORT_PACKAGES_MAX + 1 };
	struct buf out = BUF(1 << 16);
	const struct value *value;
	inv.ledger.arena = &ledger;
	ledger_add(&inv.ledger, SKIP_POLICY, STR("/a"), STR("symbolic link"));
	ledger_add(&inv.ledger, SKIP_POLICY, STR("/b"), STR("symbolic link"));
	ledger_add(&inv.ledger, SKIP_FAILURE, STR(""), STR("the time is over"));
	samples_add(&inv.meter.cpu, 65);
	struct report_run run = { .began_at = 1698385052,
		.inventory = &inv,
		.packages = &packages,
		.options = &options,
		.log_tail = STR("a line\n") };
	report_write_metrics(&run, &arena, &out);
	assert_int_equal(value_from_json(buf_str(&out), &arena, &value, NULL), 0);
	value = value_at(value, 0);
	static const char *const want[][2] = { { "RunAt", "2023-10-27T05:37:32Z" },
		{ "ElapsedMs", "799" }, { "Packages", "5001" }, { "TimeLimitSeconds", "900" },
		{ "TimeLimitReached", "true" }, { "PackageLimitReached", "true" },
		{ "MemoryLimitReached", "false" }, { "CpuSamples", "1" },
		{ "CpuHistogram", "0 0 0 0 0 0 100 0 0 0" }, { "MemorySamples", "0" },
		{ "MemoryHistogram", "0 0 0 0 0 0 0 0 0 0" },
		{ "Ledger", "failed 1: the time is over\nleft out 2: symbolic link" },
		{ "Error", "" }, { "LogTail", "a line\n" } };
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		str got = value_get_str(value, str_from_c(want[i][0]));
		assert_true(str_eq(got, str_from_c(want[i][1])));
	}
	buf_fini(&out);
	arena_fini(&arena);
	arena_fini(&ledger);
}

static void test_report__a_run_that_did_not_scan_says_why_and_nothing_of_limits(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 20);
	struct inventory inv = { .elapsed_ms = 0 };
	struct plugin_options options = { .timeout_s = 900, .cpu_limit_pct = 65 };
	struct buf out = BUF(1 << 16);
	struct report_run run = { .began_at = 1698385052,
		.inventory = &inv,
		.options = &options,
		.error = STR("no rights"),
		.log_tail = STR("a line\n") };
	report_write_metrics(&run, &arena, &out);
	str want = STR("[{\"RunAt\":\"2023-10-27T05:37:32Z\",\"TimeLimitSeconds\":\"900\","
	               "\"CpuLimitPercent\":\"65\",\"Error\":\"no rights\","
	               "\"LogTail\":\"a line\\n\"}]");
	assert_true(str_eq(buf_str(&out), want));
	buf_fini(&out);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        test_report__packages_of_the_system_and_what_they_own_are_left_out),
		cmocka_unit_test(test_report__an_item_is_never_larger_than_the_service_takes),
		cmocka_unit_test(test_report__metrics_say_why_it_is_partial),
		cmocka_unit_test(
		        test_report__a_run_that_did_not_scan_says_why_and_nothing_of_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
