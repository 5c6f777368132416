/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "match/modules.h"

static bool allows(const char *label, const char *version, const char *fix)
{
	const struct advisory_event events[] = {
		{ EVENT_INTRODUCED, STR("0") },
		{ EVENT_FIXED, str_from_c(fix) },
	};
	const struct advisory_range range = { .events = events, .n_events = fix ? 2 : 1 };
	const struct advisory_affected affected = { .ranges = &range, .n_ranges = 1 };
	const struct package pkg = { .module = str_from_c(label), .version = str_from_c(version) };
	return module_allows(&pkg, &affected);
}

static bool fits(const char *label, const char *title)
{
	return module_stream_fits(str_from_c(label), str_from_c(title));
}

static void test_modules__knows_the_builds_of_modules(void **state)
{
	(void)state;
	assert_true(module_is_build(STR("1:12.22.5-1.module_el8.4.0+2521+c668cc9f")));
	assert_true(module_is_build(STR("1:12.22.5-1.module+el8.4.0+2521+c668cc9f")));
	assert_false(module_is_build(STR("1.0-1.el8")));
	assert_false(module_is_build(STR("1.0-1.modules")));
	assert_false(module_is_build(STR("1.0-1.module")));
	assert_false(module_is_build(STR("")));
}

static void test_modules__compares_builds_of_one_kind_only(void **state)
{
	const char *label = "nodejs:12:8040020210817133458:522a0ee4";
	const char *build = "1:12.22.4-1.module_el8.4.0+2500+aaaaaaaa";
	const char *fix = "1:12.22.5-1.module_el8.4.0+2521+c668cc9f";
	(void)state;
	assert_true(allows(label, build, fix));
	assert_true(allows(NULL, build, fix));
	assert_true(allows(NULL, "1.0-1.el8", "1.0-2.el8"));
	assert_false(allows(label, build, "1:16.0-1.el8"));
	assert_false(allows(NULL, "1:10.0-1.el8", fix));
	assert_true(allows(label, build, NULL));
	assert_true(allows(NULL, "1:10.0-1.el8", NULL));
}

static void test_modules__compares_within_a_stream_only(void **state)
{
	const char *label = "nodejs:12:8040020210817133458:522a0ee4";
	(void)state;
	assert_true(fits(label, "Important: nodejs:12 security and bug fix update"));
	assert_false(fits(label, "Important: nodejs:14 security and bug fix update"));
	assert_false(fits(label, "Important: nodejs:120 security update"));
	assert_false(fits(label, "Moderate: perl:5.32 security update"));
	assert_true(fits(label, "Moderate: perl:5.32, nodejs:12 and ruby:2.5 security update"));
	assert_true(fits(label, "Important: varnish security update"));
	assert_true(fits(label, ""));
	assert_true(fits("", "Important: nodejs:14 security update"));
	assert_true(
	        fits("virt:rhel:1:a", "Important: virt:rhel and virt-devel:rhel security update"));
	assert_false(fits("container-tools:2.0:1:a", "new module: container-tools:3.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modules__knows_the_builds_of_modules),
		cmocka_unit_test(test_modules__compares_builds_of_one_kind_only),
		cmocka_unit_test(test_modules__compares_within_a_stream_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
