/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "walk/filter.h"

static bool glob(const char *pattern, const char *text)
{
	return filter_glob(str_from_c(pattern), str_from_c(text));
}

static void test_filter__a_star_matches_slashes_too(void **state)
{
	(void)state;
	assert_true(glob("*", ""));
	assert_true(glob("/home/*/cache", "/home/a/b/cache"));
	assert_true(glob("*.pyc", "/a/b.pyc"));
	assert_false(glob("*.pyc", "/a/b.pyx"));
	assert_false(glob("", "a"));
	assert_true(glob("", ""));
}

static void test_filter__classes_and_escapes_mean_what_the_shell_means(void **state)
{
	(void)state;
	assert_true(glob("/[a-c]?", "/bz"));
	assert_false(glob("/[!a-c]", "/b"));
	assert_true(glob("/[]]", "/]"));
	assert_true(glob("/[a-]", "/-"));
	assert_true(glob("/\\*", "/*"));
	assert_false(glob("/\\*", "/x"));
	assert_true(glob("/[", "/["));
	assert_true(glob("/[\xf0-\xff]", "/\xf5"));
}

/* Patterns on which POSIX leaves the result open, such as a lone '\' at the end, are not made. */
static void test_filter__agrees_with_fnmatch_on_random_patterns(void **state)
{
	static const char pattern_bytes[] = "ab/*?*[]a-!";
	static const char text_bytes[] = "ab/ab-!]";
	unsigned seed = 20240607, n_matches = 0;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		char pattern[9] = { 0 }, text[9] = { 0 };
		for (int k = rand_r(&seed) % 8; k >= 0; k--)
			pattern[k] =
			        pattern_bytes[(size_t)rand_r(&seed) % (sizeof(pattern_bytes) - 1)];
		for (int k = rand_r(&seed) % 8; k >= 0; k--)
			text[k] = text_bytes[(size_t)rand_r(&seed) % (sizeof(text_bytes) - 1)];
		bool expected = fnmatch(pattern, text, FNM_NOESCAPE) == 0;
		if (expected != glob(pattern, text))
			fail_msg("pattern %s text %s: fnmatch says %d", pattern, text, expected);
		n_matches += expected;
	}
	assert_true(n_matches > 1000);
}

static void test_filter__many_stars_take_no_exponential_time(void **state)
{
	static char pattern[2001], text[20001];
	(void)state;
	for (size_t i = 0; i < 2000; i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[1999] = 'b';
	memset(text, 'a', 20000);
	assert_false(glob(pattern, text));
}

static void test_filter__a_plain_exclusion_is_a_folder_with_all_in_it(void **state)
{
	static const char *const excludes[] = { "/data/", "/srv/x", "" };
	(void)state;
	assert_true(filter_excludes(excludes, 3, STR("/data")));
	assert_true(filter_excludes(excludes, 3, STR("/data/a/b")));
	assert_true(filter_excludes(excludes, 3, STR("/srv/x")));
	assert_false(filter_excludes(excludes, 3, STR("/srv/xy")));
	assert_false(filter_excludes(excludes, 3, STR("/dat")));
	assert_false(filter_excludes(excludes, 3, STR("")));
}

static void test_filter__the_root_excludes_everything(void **state)
{
	static const char *const excludes[] = { "/" };
	(void)state;
	assert_true(filter_excludes(excludes, 1, STR("")));
	assert_true(filter_excludes(excludes, 1, STR("/a")));
}

static void test_filter__storage_is_known_by_place_and_by_name(void **state)
{
	(void)state;
	assert_non_null(filter_storage(STR("/var/lib/docker")));
	assert_non_null(filter_storage(STR("/home/u/.local/share/containers/storage")));
	assert_non_null(filter_storage(STR("/mnt/big/docker/overlay2")));
	assert_null(filter_storage(STR("/var/lib/docker/overlay2x")));
	assert_null(filter_storage(STR("/srv/var/lib/docker")));
	assert_null(filter_storage(STR("/usr/lib/docker")));
	assert_true(filter_is_in_storage(STR("/var/lib/docker/overlay2/1/diff")));
	assert_false(filter_is_in_storage(STR("/var/lib/dockers")));
	assert_false(filter_is_in_storage(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter__a_star_matches_slashes_too),
		cmocka_unit_test(test_filter__classes_and_escapes_mean_what_the_shell_means),
		cmocka_unit_test(test_filter__agrees_with_fnmatch_on_random_patterns),
		cmocka_unit_test(test_filter__many_stars_take_no_exponential_time),
		cmocka_unit_test(test_filter__a_plain_exclusion_is_a_folder_with_all_in_it),
		cmocka_unit_test(test_filter__the_root_excludes_everything),
		cmocka_unit_test(test_filter__storage_is_known_by_place_and_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
