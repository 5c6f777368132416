/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit and its failures, on a backend that only counts and fails to order.
 */
#include "support.h"

#include <pthread.h>
#include <string.h>

/* What the backend does, and saw. */
struct fake {
	pthread_mutex_t lock; /* all */
	pthread_cond_t moved;
	bool is_held;    /* apply waits */
	bool is_entered; /* apply waits now */
	int failure;     /* of every transaction that has a batch with a "bad" key */
	unsigned n_groups, n_records, largest, n_care;
};

static struct fake fake;

static int fake_open(const char *place, unsigned flags, void **ret, struct err *err)
{
	(void)place;
	(void)flags;
	(void)err;
	*ret = &fake;
	return 0;
}

static void fake_close(void *db)
{
	(void)db;
}

static int fake_apply(void *db, struct store_batch *first, uint64_t *ret_sync_us, struct err *err)
{
	unsigned n = 0;
	bool is_bad = false;
	(void)db;
	(void)pthread_mutex_lock(&fake.lock);
	fake.is_entered = true;
	(void)pthread_cond_broadcast(&fake.moved);
	while (fake.is_held)
		(void)pthread_cond_wait(&fake.moved, &fake.lock);
	for (struct store_batch *batch = first; batch; batch = batch->next) {
		n += (unsigned)batch->n;
		is_bad |= str_eq(batch->first->key.key, STR("bad"));
		if (str_eq(batch->first->key.key, STR("late")))
			batch->result = err_set(&batch->err, -ESTALE, "too late");
	}
	int r = is_bad ? err_set(err, fake.failure, "no room") : 0;
	if (r == 0) {
		fake.n_groups++;
		fake.n_records += n;
		fake.largest = n > fake.largest ? n : fake.largest;
	}
	*ret_sync_us = 300;
	(void)pthread_mutex_unlock(&fake.lock);
	return r;
}

static int fake_care(void *db, bool is_idle)
{
	(void)db;
	(void)is_idle;
	(void)pthread_mutex_lock(&fake.lock);
	fake.n_care++;
	(void)pthread_cond_broadcast(&fake.moved);
	(void)pthread_mutex_unlock(&fake.lock);
	return -EIO;
}

static void fake_measure(void *db, struct store_stats *stats)
{
	(void)db;
	(void)stats;
}

static const struct store_backend backend = {
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.apply = fake_apply,
	.care = fake_care,
	.measure = fake_measure,
};

static int setup(void **state)
{
	struct store *store = NULL;
	fake = (struct fake){ .lock = PTHREAD_MUTEX_INITIALIZER,
		.moved = PTHREAD_COND_INITIALIZER,
		.failure = -ENOSPC };
	if (store_open_on(&backend, "", 0, &store, NULL) < 0)
		return -1;
	*state = store;
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	return 0;
}

/* Let apply wait, with one batch inside, so that all that is added meanwhile is one group. */
static void hold(struct store *store, struct store_batch *batch,
        void (*done)(void *ctx, int r, const struct err *err), void *ctx)
{
	(void)pthread_mutex_lock(&fake.lock);
	fake.is_held = true;
	fake.is_entered = false;
	store_batch_init(batch, 0);
	store_batch_put(batch, key_of(1, "first"), STR(""));
	assert_int_equal(store_commit_async(store, batch, done, ctx), 0);
	while (!fake.is_entered)
		(void)pthread_cond_wait(&fake.moved, &fake.lock);
	(void)pthread_mutex_unlock(&fake.lock);
}

static void let_go(void)
{
	(void)pthread_mutex_lock(&fake.lock);
	fake.is_held = false;
	(void)pthread_cond_broadcast(&fake.moved);
	(void)pthread_mutex_unlock(&fake.lock);
}

static void keep_result(void *ctx, int r, const struct err *err)
{
	assert_true(r == 0 || err->text[0] != '\0');
	*(int *)ctx = r;
}

static void add(struct store *store, struct store_batch *batch, const char *key, int *result)
{
	*result = 1;
	store_batch_init(batch, 0);
	store_batch_put(batch, key_of(1, key), STR("v"));
	assert_int_equal(store_commit_async(store, batch, keep_result, result), 0);
}

static void settle(struct store *store)
{
	let_go();
	/* What is answered after all others were. */
	assert_int_equal(put(store, key_of(1, "end"), STR("")), 0);
}

static void test_writer__joins_what_waits_to_one_group(void **state)
{
	struct store_batch batches[51];
	int results[51];
	hold(*state, &batches[50], keep_result, &results[50]);
	for (unsigned i = 0; i < 50; i++)
		add(*state, &batches[i], "good", &results[i]);
	settle(*state);
	assert_int_equal(fake.largest >= 50, 1);
	assert_true(fake.n_groups <= 3);
	for (unsigned i = 0; i <= 50; i++) {
		assert_int_equal(results[i], 0);
		store_batch_fini(&batches[i]);
	}
}

static void test_writer__fails_only_the_batch_that_is_at_fault(void **state)
{
	static const struct {
		const char *key;
		int r;
	} rows[] = { { "good", 0 }, { "bad", -ENOSPC }, { "good", 0 }, { "late", -ESTALE },
		{ "good", 0 } };
	struct store_batch batches[6];
	struct store_stats stats;
	int results[6];
	hold(*state, &batches[5], keep_result, &results[5]);
	for (unsigned i = 0; i < 5; i++)
		add(*state, &batches[i], rows[i].key, &results[i]);
	settle(*state);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(results[i], rows[i].r);
	store_stats(*state, &stats);
	assert_int_equal(stats.failed, 1);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.commits, 5);
	assert_int_equal(stats.sync_steps[2], stats.groups);
	for (unsigned i = 0; i < 6; i++)
		store_batch_fini(&batches[i]);
}

static void test_writer__bounds_a_group(void **state)
{
	struct store_batch batches[9];
	int results[9];
	hold(*state, &batches[8], keep_result, &results[8]);
	for (unsigned i = 0; i < 8; i++) {
		store_batch_init(&batches[i], 0);
		for (unsigned j = 0; j < 400; j++)
			store_batch_put(&batches[i], key_of(1, "k"), STR("v"));
		assert_int_equal(
		        store_commit_async(*state, &batches[i], keep_result, &results[i]), 0);
	}
	settle(*state);
	assert_int_equal(fake.largest, 800);
	assert_int_equal(fake.n_records, 3202);
	for (unsigned i = 0; i < 9; i++)
		store_batch_fini(&batches[i]);
}

static void test_writer__refuses_more_than_may_wait(void **state)
{
	enum { MOST = 16384 };
	struct store_batch *batches = calloc(MOST + 2, sizeof(*batches));
	struct store_stats stats;
	int result, last;
	assert_non_null(batches);
	hold(*state, &batches[MOST], keep_result, &last);
	for (unsigned i = 0; i < MOST; i++)
		add(*state, &batches[i], "good", &result);
	store_stats(*state, &stats);
	assert_int_equal(stats.waiting, MOST);
	store_batch_init(&batches[MOST + 1], 0);
	store_batch_put(&batches[MOST + 1], key_of(1, "more"), STR(""));
	assert_int_equal(
	        store_commit_async(*state, &batches[MOST + 1], keep_result, &result), -EAGAIN);
	settle(*state);
	for (unsigned i = 0; i <= MOST + 1; i++)
		store_batch_fini(&batches[i]);
	free(batches);
}

static void test_writer__counts_care_that_failed(void **state)
{
	struct store_stats stats;
	/* The second call comes after the first was counted. */
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(put(*state, key_of(1, "a"), STR("")), 0);
		(void)pthread_mutex_lock(&fake.lock);
		while (fake.n_care < i)
			(void)pthread_cond_wait(&fake.moved, &fake.lock);
		(void)pthread_mutex_unlock(&fake.lock);
	}
	store_stats(*state, &stats);
	assert_true(stats.checkpoints_failed >= 1);
	assert_int_equal(stats.checkpoints, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_writer__joins_what_waits_to_one_group),
		CASE(test_writer__fails_only_the_batch_that_is_at_fault),
		CASE(test_writer__bounds_a_group),
		CASE(test_writer__refuses_more_than_may_wait),
		CASE(test_writer__counts_care_that_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
