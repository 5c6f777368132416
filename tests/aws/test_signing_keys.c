/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <pthread.h>

#include "aws/signing_keys.h"

static struct sigv4_credential credential(const char *id, const char *region)
{
	return (struct sigv4_credential){ str_from_c(id), STR("20260101"), str_from_c(region),
		STR("ssm") };
}

static void put(struct signing_keys *keys, const char *id, const char *region, uint8_t byte)
{
	struct sigv4_credential c = credential(id, region);
	uint8_t key[SIGV4_KEY_BYTES];
	uint64_t ticket;
	(void)signing_keys_find(keys, &c, key, &ticket);
	memset(key, byte, sizeof(key));
	signing_keys_put(keys, &c, key, ticket);
}

/* The first byte of a key, or -1. */
static int get(struct signing_keys *keys, const char *id, const char *region)
{
	struct sigv4_credential c = credential(id, region);
	uint8_t key[SIGV4_KEY_BYTES];
	uint64_t ticket;
	return signing_keys_find(keys, &c, key, &ticket) ? key[0] : -1;
}

static void test_signing_keys__a_key_is_found_by_all_parts_of_its_scope(void **state)
{
	(void)state;
	struct signing_keys *keys;
	assert_int_equal(signing_keys_new(10, &keys), 0);
	put(keys, "A", "eu", 1);
	put(keys, "A", "us", 2);
	put(keys, "A", "eu", 3);
	assert_int_equal(get(keys, "A", "eu"), 3);
	assert_int_equal(get(keys, "A", "us"), 2);
	assert_int_equal(get(keys, "B", "us"), -1);
	signing_keys_free(keys);
	signing_keys_free(NULL);
}

static void test_signing_keys__the_least_recently_used_goes_first(void **state)
{
	(void)state;
	struct signing_keys *keys;
	assert_int_equal(signing_keys_new(3, &keys), 0);
	put(keys, "A", "eu", 1);
	put(keys, "B", "eu", 2);
	put(keys, "C", "eu", 3);
	assert_int_equal(get(keys, "A", "eu"), 1);
	put(keys, "D", "eu", 4);
	assert_int_equal(get(keys, "B", "eu"), -1);
	assert_int_equal(get(keys, "A", "eu"), 1);
	assert_int_equal(get(keys, "C", "eu"), 3);
	assert_int_equal(get(keys, "D", "eu"), 4);
	signing_keys_free(keys);
}

static void test_signing_keys__clearing_forgets_one_access_key_only(void **state)
{
	(void)state;
	struct signing_keys *keys;
	assert_int_equal(signing_keys_new(10, &keys), 0);
	put(keys, "A", "eu", 1);
	put(keys, "AB", "eu", 2);
	put(keys, "A", "us", 3);
	signing_keys_clear(keys, STR("A"));
	assert_int_equal(get(keys, "A", "eu"), -1);
	assert_int_equal(get(keys, "A", "us"), -1);
	assert_int_equal(get(keys, "AB", "eu"), 2);
	put(keys, "A", "us", 4);
	assert_int_equal(get(keys, "A", "us"), 4);
	signing_keys_free(keys);
}

static void test_signing_keys__a_key_from_before_a_clear_is_not_kept(void **state)
{
	(void)state;
	struct signing_keys *keys;
	struct sigv4_credential c = credential("A", "eu");
	uint8_t key[SIGV4_KEY_BYTES] = { 9 };
	uint64_t ticket;
	assert_int_equal(signing_keys_new(10, &keys), 0);
	assert_false(signing_keys_find(keys, &c, key, &ticket));
	signing_keys_clear(keys, STR("A"));
	signing_keys_put(keys, &c, key, ticket);
	assert_int_equal(get(keys, "A", "eu"), -1);
	signing_keys_free(keys);
}

static void test_signing_keys__sizes_are_limited(void **state)
{
	(void)state;
	struct signing_keys *keys;
	char id[400];
	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(signing_keys_new(0, &keys), -EINVAL);
	assert_int_equal(signing_keys_new(1000001, &keys), -EINVAL);
	assert_int_equal(signing_keys_new(1, &keys), 0);
	put(keys, id, "eu", 1);
	assert_int_equal(get(keys, id, "eu"), -1);
	signing_keys_free(keys);
}

static void *hammer(void *arg)
{
	char id[16];
	for (unsigned i = 0; i < 20000; i++) {
		(void)snprintf(id, sizeof(id), "AKID%u", i * 7919u % 61);
		int got = get(arg, id, "eu");
		if (got >= 0 && got != (int)(i * 7919u % 61))
			return arg;
		put(arg, id, "eu", (uint8_t)(i * 7919u % 61));
		if (i % 100 == 0)
			signing_keys_clear(arg, str_from_c(id));
	}
	return NULL;
}

static void test_signing_keys__threads_share_it(void **state)
{
	(void)state;
	struct signing_keys *keys;
	pthread_t threads[4];
	assert_int_equal(signing_keys_new(40, &keys), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, keys), 0);
	for (size_t i = 0; i < 4; i++) {
		void *wrong;
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	signing_keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signing_keys__a_key_is_found_by_all_parts_of_its_scope),
		cmocka_unit_test(test_signing_keys__the_least_recently_used_goes_first),
		cmocka_unit_test(test_signing_keys__clearing_forgets_one_access_key_only),
		cmocka_unit_test(test_signing_keys__a_key_from_before_a_clear_is_not_kept),
		cmocka_unit_test(test_signing_keys__sizes_are_limited),
		cmocka_unit_test(test_signing_keys__threads_share_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
