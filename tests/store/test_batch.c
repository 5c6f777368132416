/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <string.h>

static int failure_of_put(struct store_key key, str value)
{
	struct store_batch batch;
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key, value);
	int r = batch.failed;
	store_batch_fini(&batch);
	return r;
}

static void test_batch__refuses_addresses_out_of_bounds(void **state)
{
	static char long_key[STORE_KEY_MAX_BYTES + 1];
	struct store_key key = key_of(0, "k");
	(void)state;
	assert_int_equal(failure_of_put(key, STR("")), 0);
	assert_int_equal(failure_of_put(key_of(STORE_KIND_MAX, "k"), STR("")), 0);
	assert_int_equal(failure_of_put(key_of(STORE_KIND_MAX + 1, "k"), STR("")), -EINVAL);
	assert_int_equal(failure_of_put(key_of(-1, "k"), STR("")), -EINVAL);
	assert_int_equal(failure_of_put(key_of(0, ""), STR("")), -EINVAL);
	key.key = (str){ long_key, STORE_KEY_MAX_BYTES };
	assert_int_equal(failure_of_put(key, STR("")), 0);
	key.key.n++;
	assert_int_equal(failure_of_put(key, STR("")), -EINVAL);
	key = key_of(0, "k");
	key.account = STORE_ACCOUNT_MAX;
	assert_int_equal(failure_of_put(key, STR("")), 0);
	key.account++;
	assert_int_equal(failure_of_put(key, STR("")), -EINVAL);
	key.account = STORE_ANY_ACCOUNT;
	assert_int_equal(failure_of_put(key, STR("")), -EINVAL);
	key.account = 0;
	key.bucket = STORE_BUCKET_MAX + 1;
	assert_int_equal(failure_of_put(key, STR("")), -EINVAL);
	key.bucket = STORE_ANY_BUCKET;
	assert_int_equal(failure_of_put(key, STR("")), -EINVAL);
}

static void test_batch__refuses_values_that_are_too_long(void **state)
{
	autofree char *bytes = calloc(1, STORE_LARGE_MAX_BYTES + 1);
	(void)state;
	assert_non_null(bytes);
	str value = { bytes, STORE_SHORT_MAX_BYTES };
	assert_int_equal(failure_of_put(key_of(1, "k"), value), 0);
	value.n++;
	assert_int_equal(failure_of_put(key_of(1, "k"), value), -ERR_LIMIT);
	assert_int_equal(failure_of_put(key_of(STORE_KIND_LARGE, "k"), value), 0);
	value.n = STORE_LARGE_MAX_BYTES;
	assert_int_equal(failure_of_put(key_of(STORE_KIND_LARGE, "k"), value), 0);
	value.n++;
	assert_int_equal(failure_of_put(key_of(STORE_KIND_LARGE, "k"), value), -ERR_LIMIT);
}

static void test_batch__keeps_its_first_failure(void **state)
{
	struct store_batch batch;
	(void)state;
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "a"), STR("1"));
	store_batch_put(&batch, key_of(1, ""), STR("2"));
	store_batch_put(&batch, key_of(1, "b"), STR("3"));
	store_batch_delete(&batch, key_of(1, "c"));
	store_batch_delete_range(&batch, key_of(1, ""), STR(""), 0);
	assert_int_equal(batch.failed, -EINVAL);
	assert_int_equal(batch.n, 1);
	store_batch_fini(&batch);
}

static void test_batch__is_bounded_in_entries_and_bytes(void **state)
{
	struct store_batch batch;
	(void)state;
	store_batch_init(&batch, 0);
	for (unsigned i = 0; i < STORE_BATCH_MAX; i++)
		store_batch_delete(&batch, key_of(1, "k"));
	assert_int_equal(batch.failed, 0);
	store_batch_delete(&batch, key_of(1, "k"));
	assert_int_equal(batch.failed, -ERR_LIMIT);
	store_batch_fini(&batch);

	static const char bytes[4096];
	store_batch_init(&batch, 8192);
	store_batch_put(&batch, key_of(1, "k"), (str){ bytes, sizeof(bytes) });
	assert_int_equal(batch.failed, 0);
	store_batch_put(&batch, key_of(1, "l"), (str){ bytes, sizeof(bytes) });
	assert_int_equal(batch.failed, -ERR_LIMIT);
	store_batch_fini(&batch);
}

static void test_batch__bounds_what_a_range_deletes(void **state)
{
	static const struct {
		unsigned most;
		int r;
	} rows[] = { { 0, -EINVAL }, { 1, 0 }, { STORE_DELETE_MAX, 0 },
		{ STORE_DELETE_MAX + 1, -EINVAL } };
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_batch batch;
		store_batch_init(&batch, 0);
		store_batch_delete_range(&batch, key_of(1, ""), STR(""), rows[i].most);
		assert_int_equal(batch.failed, rows[i].r);
		store_batch_fini(&batch);
	}
}

static void test_batch__released_twice_or_zeroed_is_a_no_op(void **state)
{
	struct store_batch batch = { 0 };
	(void)state;
	store_batch_fini(NULL);
	store_batch_fini(&batch);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "a"), STR("1"));
	store_batch_fini(&batch);
	store_batch_fini(&batch);
	store_batch_put(&batch, key_of(1, "a"), STR("1"));
	assert_int_equal(batch.n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch__refuses_addresses_out_of_bounds),
		cmocka_unit_test(test_batch__refuses_values_that_are_too_long),
		cmocka_unit_test(test_batch__keeps_its_first_failure),
		cmocka_unit_test(test_batch__is_bounded_in_entries_and_bytes),
		cmocka_unit_test(test_batch__bounds_what_a_range_deletes),
		cmocka_unit_test(test_batch__released_twice_or_zeroed_is_a_no_op),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
