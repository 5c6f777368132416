/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "vulndb/filter.h"

static void test_filter__never_denies_a_key_that_is_there(void **state)
{
	(void)state;
	size_t n_bytes = filter_bytes(1000), n_false = 0;
	unsigned char *bits = calloc(n_bytes, 1);
	char key[32];
	assert_non_null(bits);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "CVE-2024-%d", i);
		filter_add(bits, n_bytes, filter_hash(str_from_c(key)));
	}
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "CVE-2024-%d", i);
		assert_true(filter_may_have(
		        (str){ (char *)bits, n_bytes }, filter_hash(str_from_c(key))));
		(void)snprintf(key, sizeof(key), "GHSA-%d", i);
		n_false += filter_may_have(
		        (str){ (char *)bits, n_bytes }, filter_hash(str_from_c(key)));
	}
	assert_true(n_false < 30);
	assert_true(filter_may_have(STR(""), filter_hash(STR("x"))));
	free(bits);
}

/* The layout is on disk: it may not change without a new version. */
static void test_filter__hashes_as_the_format_says(void **state)
{
	(void)state;
	unsigned char bits[8] = { 0 };
	assert_true(filter_hash(STR("")) == 0xcbf29ce484222325u);
	assert_true(filter_hash(STR("a")) == 0xaf63dc4c8601ec8cu);
	assert_int_equal(filter_bytes(0), 8);
	assert_int_equal(filter_bytes(1000), 1500);
	filter_add(bits, 8, 0); /* h2 is 1: bits 0 to 4 */
	assert_int_equal(bits[0], 0x1f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter__never_denies_a_key_that_is_there),
		cmocka_unit_test(test_filter__hashes_as_the_format_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
