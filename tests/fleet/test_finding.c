/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleet/criteria.h"

static void test_finding__versions_have_the_parts_that_are_shown(void **state)
{
	static const struct {
		const char *type, *version, *want, *release;
		bool has_epoch;
		uint32_t epoch;
	} cases[] = {
		{ "rpm", "4.14.301-224.520.amzn2", "4.14.301", "224.520.amzn2", true, 0 },
		{ "rpm", "1:3.0.7-5.el9", "3.0.7", "5.el9", true, 1 },
		{ "deb", "7.74.0-1.3+deb11u7", "7.74.0", "1.3+deb11u7", true, 0 },
		{ "deb", "1:2.3-4", "2.3", "4", true, 1 },
		{ "deb", "2:1.0-rc1-3", "1.0-rc1", "3", true, 2 },
		{ "deb", "2024a", "2024a", "", true, 0 },
		{ "deb", "x:2.3-4", "x:2.3", "4", true, 0 },
		{ "deb", "99999999999:2-1", "99999999999:2", "1", true, 0 },
		{ "deb", "-1", "-1", "", true, 0 },
		{ "deb", "1-", "1-", "", true, 0 },
		{ "pypi", "1!2.0-1", "1!2.0-1", "", false, 0 },
		{ "npm", "1.0.0-rc.1", "1.0.0-rc.1", "", false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct package package = { .type = str_from_c(cases[i].type),
			.version = str_from_c(cases[i].version) };
		struct finding_version got = finding_version_of(&package);
		if (!str_eq(got.version, str_from_c(cases[i].want)) ||
		        !str_eq(got.release, str_from_c(cases[i].release)) ||
		        got.has_epoch != cases[i].has_epoch || got.epoch != cases[i].epoch)
			fail_msg("%s: " STR_FMT " " STR_FMT, cases[i].version, STR_ARG(got.version),
			        STR_ARG(got.release));
	}
}

static void test_finding__architectures_are_upper_case(void **state)
{
	char text[FINDING_ARCH_SIZE], many[100];
	struct package package = { .arch = STR("x86_64") };
	(void)state;
	assert_true(str_eq(finding_arch(&package, text), STR("X86_64")));
	package.arch = STR("");
	assert_int_equal(finding_arch(&package, text).n, 0);
	memset(many, 'a', sizeof(many));
	package.arch = (str){ many, sizeof(many) };
	assert_int_equal(finding_arch(&package, text).n, FINDING_ARCH_SIZE - 1);
}

static str title_of(const char *const *names, size_t n, struct arena *arena)
{
	struct element *elements = arena_alloc(arena, n, sizeof(*elements));
	struct finding_package *packages = arena_alloc(arena, n, sizeof(*packages));
	struct finding_row row = {
		.name = STR("CVE-2015-8035"), .packages = packages, .n_packages = n
	};
	str ret;
	for (size_t i = 0; i < n; i++) {
		elements[i].package.name = str_from_c(names[i]);
		packages[i].element = &elements[i];
	}
	assert_int_equal(finding_title(&row, arena, &ret), 0);
	return ret;
}

static void test_finding__a_title_names_every_package(void **state)
{
	static const char *const names[] = { "libxml2", "libxml2", "libxml2-python" };
	struct arena arena = ARENA((size_t)64 << 20);
	(void)state;
	assert_true(str_eq(title_of(names, 0, &arena), STR("CVE-2015-8035")));
	assert_true(str_eq(title_of(names, 1, &arena), STR("CVE-2015-8035 - libxml2")));
	assert_true(str_eq(title_of(names, 3, &arena),
	        STR("CVE-2015-8035 - libxml2, libxml2, libxml2-python")));
	arena_fini(&arena);
}

static void test_finding__a_long_title_ends_at_a_whole_name(void **state)
{
	const char *names[400];
	char longest[2000];
	struct arena arena = ARENA((size_t)64 << 20);
	(void)state;
	for (size_t i = 0; i < 400; i++)
		names[i] = "package";
	for (size_t n = 100; n < 130; n++) {
		str title = title_of(names, n, &arena);
		assert_true(title.n <= TITLE_MAX_BYTES);
		assert_true(str_has_suffix(title, STR(", package")) ||
		            str_has_suffix(title, STR(", package, ...")));
		/* All of them, if they fit. */
		size_t whole = sizeof("CVE-2015-8035 - ") - 1 + n * 9 - 2;
		assert_int_equal(whole <= TITLE_MAX_BYTES, title.n == whole);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	names[0] = longest;
	assert_true(str_eq(title_of(names, 2, &arena), STR("CVE-2015-8035 - ...")));
	arena_fini(&arena);
}

static void test_finding__a_fix_is_of_all_packages(void **state)
{
	static const struct {
		enum fix_state states[2];
		size_t n;
		const char *want;
	} cases[] = {
		{ { FIX_AVAILABLE }, 1, "YES" },
		{ { FIX_NONE }, 1, "NO" },
		{ { FIX_PARTIAL }, 1, "PARTIAL" },
		{ { FIX_AVAILABLE, FIX_AVAILABLE }, 2, "YES" },
		{ { FIX_AVAILABLE, FIX_NONE }, 2, "PARTIAL" },
		{ { FIX_NONE, FIX_NONE }, 2, "NO" },
		{ { FIX_NONE, FIX_PARTIAL }, 2, "PARTIAL" },
		{ { FIX_NONE }, 0, "NO" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct finding_package packages[2] = { { .fix_state = cases[i].states[0] },
			{ .fix_state = cases[i].states[1] } };
		struct finding_row row = { .packages = packages, .n_packages = cases[i].n };
		assert_string_equal(finding_fix(&row), cases[i].want);
	}
}

static void test_finding__states_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(finding_status_name(STATUS_ACTIVE), "ACTIVE");
	assert_string_equal(finding_status_name(STATUS_SUPPRESSED), "SUPPRESSED");
	assert_string_equal(finding_status_name(STATUS_CLOSED), "CLOSED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finding__versions_have_the_parts_that_are_shown),
		cmocka_unit_test(test_finding__architectures_are_upper_case),
		cmocka_unit_test(test_finding__a_title_names_every_package),
		cmocka_unit_test(test_finding__a_long_title_ends_at_a_whole_name),
		cmocka_unit_test(test_finding__a_fix_is_of_all_packages),
		cmocka_unit_test(test_finding__states_have_their_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
