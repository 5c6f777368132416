/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every backend must do. The program runs once per row of `backends`: another one is a row.
 */
#include "support.h"

#include <pthread.h>
#include <string.h>

static const struct store_backend *const backends[] = { &store_sqlite };
static size_t current;

static int setup(void **state)
{
	int r = place_setup(state);
	if (r == 0)
		((struct place *)*state)->backend = backends[current];
	return r;
}

static int commit(struct store *store, struct store_batch *batch)
{
	struct err err = { 0 };
	int r = store_commit(store, batch, &err);
	assert_true(r == 0 || err.text[0] != '\0');
	store_batch_fini(batch);
	return r;
}

static void test_store__gives_back_what_was_put(void **state)
{
	static const int kinds[] = { 0, STORE_KIND_LARGE - 1, STORE_KIND_LARGE, STORE_KIND_MAX };
	struct store *store = open_store(state);
	for (size_t i = 0; i < 4; i++) {
		expect_record(store, key_of(kinds[i], "k"), NULL);
		assert_int_equal(put(store, key_of(kinds[i], "k"), STR("one")), 0);
		expect_record(store, key_of(kinds[i], "k"), "one");
		assert_int_equal(put(store, key_of(kinds[i], "k"), STR("two")), 0);
		assert_int_equal(put(store, key_of(kinds[i], "empty"), STR("")), 0);
	}
	store_close(store);
	store = open_store(state);
	for (size_t i = 0; i < 4; i++) {
		expect_record(store, key_of(kinds[i], "k"), "two");
		expect_record(store, key_of(kinds[i], "empty"), "");
		expect_record(store, key_of(kinds[i], "K"), NULL);
		struct store_key key = key_of(kinds[i], "k");
		key.account++;
		expect_record(store, key, NULL);
		key.account--;
		key.bucket++;
		expect_record(store, key, NULL);
	}
	store_close(store);
}

static void test_store__keeps_any_bytes_to_the_longest(void **state)
{
	static char long_key[STORE_KEY_MAX_BYTES];
	struct store *store = open_store(state);
	autofree char *bytes = malloc(STORE_LARGE_MAX_BYTES);
	struct arena arena = ARENA(STORE_LARGE_MAX_BYTES + 4096);
	struct arena small = ARENA(4096);
	struct err err = { 0 };
	uint64_t seed = 1;
	str found;
	assert_non_null(bytes);
	for (size_t i = 0; i < STORE_LARGE_MAX_BYTES; i += 8) {
		uint64_t random = next_random(&seed);
		memcpy(bytes + i, &random, 8);
	}
	memset(long_key, 0xff, sizeof(long_key));
	struct store_key key = { .kind = STORE_KIND_LARGE, .key = { long_key, sizeof(long_key) } };
	str value = { bytes, STORE_LARGE_MAX_BYTES };
	assert_int_equal(put(store, key, value), 0);
	assert_int_equal(store_get(store, key, &arena, &found, &err), 0);
	assert_true(str_eq(found, value));
	assert_int_equal(store_get(store, key, &small, &found, &err), -ERR_LIMIT);
	arena_fini(&arena);
	value.n = STORE_SHORT_MAX_BYTES;
	key.kind = 0;
	assert_int_equal(put(store, key, value), 0);
	assert_int_equal(store_get(store, key, &arena, &found, &err), 0);
	assert_true(str_eq(found, value));
	arena_fini(&arena);
	arena_fini(&small);
	store_close(store);
}

static void test_store__scans_in_the_order_of_bytes(void **state)
{
	static const char *const keys[] = { "b", "a\xff", "ab", "a", "\x01", "\xff", "aa", "B" };
	struct store *store = open_store(state);
	autobuf out = BUF(4096);
	for (int kind = STORE_KIND_LARGE - 1; kind <= STORE_KIND_LARGE; kind++) {
		struct store_range range = {
			.account = STORE_ANY_ACCOUNT, .bucket = STORE_ANY_BUCKET, .kind = kind
		};
		struct store_batch batch;
		store_batch_init(&batch, 0);
		for (size_t i = 0; i < 8; i++)
			store_batch_put(&batch, key_of(kind, keys[i]), STR("v"));
		assert_int_equal(commit(store, &batch), 0);
		list_keys(store, &range, &out);
		assert_string_equal(out.p, "\x01 B a aa ab a\xff b \xff");
		range.account = 1;
		range.bucket = 2;
		range.from = STR("a");
		range.to = STR("ab");
		list_keys(store, &range, &out);
		assert_string_equal(out.p, "a aa");
		range.from = STR("ab");
		range.to = STR("");
		list_keys(store, &range, &out);
		assert_string_equal(out.p, "ab a\xff b \xff");
		range.to = STR("ab");
		list_keys(store, &range, &out);
		assert_string_equal(out.p, "");
	}
	store_close(store);
}

static void test_store__scans_by_prefix(void **state)
{
	static const struct {
		const char *prefix, *found;
	} rows[] = { { "", "a a/ a/1 a/\xff a0 \xff \xff\xff" }, { "a/", "a/ a/1 a/\xff" },
		{ "a", "a a/ a/1 a/\xff a0" }, { "\xff", "\xff \xff\xff" }, { "a/\xff", "a/\xff" },
		{ "b", "" } };
	static const char *const keys[] = { "a", "a/", "a/1", "a/\xff", "a0", "\xff", "\xff\xff" };
	struct store *store = open_store(state);
	autobuf out = BUF(4096);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(put(store, key_of(3, keys[i]), STR("v")), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_range range = { .account = 1, .bucket = STORE_ANY_BUCKET, .kind = 3 };
		struct store_prefix_end end;
		store_prefix(&range, str_from_c(rows[i].prefix), &end);
		list_keys(store, &range, &out);
		assert_string_equal(out.p, rows[i].found);
	}
	store_close(store);
}

static int add_place(void *ctx, const struct store_key *key, str value)
{
	buf_printf(ctx, "%lld/%d/" STR_FMT "=" STR_FMT " ", (long long)key->account, key->bucket,
	        STR_ARG(key->key), STR_ARG(value));
	return 0;
}

static void scan_places(struct store *store, const struct store_range *range, struct buf *out)
{
	struct err err = { 0 };
	buf_clear(out);
	assert_int_equal(store_scan(store, range, add_place, out, &err), 0);
	buf_add_byte(out, '\0');
}

static void test_store__scans_across_accounts_and_buckets(void **state)
{
	static const int64_t accounts[] = { STORE_ACCOUNT_MAX, 7, 0 };
	static const int buckets[] = { 255, 0 };
	struct store *store = open_store(state);
	autobuf out = BUF(4096);
	for (size_t i = 0; i < 6; i++) {
		struct store_key key = key_of(4, "x");
		key.account = accounts[i % 3];
		key.bucket = buckets[i / 3];
		assert_int_equal(put(store, key, STR("1")), 0);
		key.key = STR("y");
		assert_int_equal(put(store, key, STR("2")), 0);
		key.kind = 5;
		assert_int_equal(put(store, key, STR("3")), 0);
	}
	struct store_range range = { .account = STORE_ANY_ACCOUNT,
		.bucket = STORE_ANY_BUCKET,
		.kind = 4,
		.from = STR("y") };
	scan_places(store, &range, &out);
	assert_string_equal(out.p, "0/0/y=2 0/255/y=2 7/0/y=2 7/255/y=2 "
	                           "999999999999/0/y=2 999999999999/255/y=2 ");
	range.from = STR("");
	range.account = 7;
	scan_places(store, &range, &out);
	assert_string_equal(out.p, "7/0/x=1 7/0/y=2 7/255/x=1 7/255/y=2 ");
	range.bucket = 255;
	range.flags = STORE_KEYS_ONLY;
	scan_places(store, &range, &out);
	assert_string_equal(out.p, "7/255/x= 7/255/y= ");
	range.account = STORE_ANY_ACCOUNT;
	assert_int_equal(store_scan(store, &range, add_place, &out, NULL), -EINVAL);
	range.bucket = 256;
	assert_int_equal(store_scan(store, &range, add_place, &out, NULL), -EINVAL);
	store_close(store);
}

/* More records than a piece, over several parts. */
#define MANY 2000

struct counting {
	struct store *store;
	unsigned n, stop_at;
	char last[64];
};

static int count_visit(void *ctx, const struct store_key *key, str value)
{
	struct counting *counting = ctx;
	char place[64];
	(void)snprintf(place, sizeof(place), "%012lld/%03d/" STR_FMT, (long long)key->account,
	        key->bucket, STR_ARG(key->key));
	assert_true(strcmp(place, counting->last) > 0);
	memcpy(counting->last, place, sizeof(place));
	assert_true(str_eq(value, key->key));
	/* The store may be used, and changed, from within. */
	if (counting->n == 0)
		assert_int_equal(put(counting->store, key_of(9, "during"), STR("x")), 0);
	return ++counting->n == counting->stop_at ? 77 : 0;
}

static void test_store__scans_in_pieces_without_loss_or_repetition(void **state)
{
	struct store *store = open_store(state);
	struct store_batch batch;
	store_batch_init(&batch, 0);
	for (unsigned i = 0; i < MANY; i++) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%06u", i * 7919 % MANY);
		struct store_key key = key_of(6, text);
		key.bucket = (int)(i % 3);
		store_batch_put(&batch, key, str_from_c(text));
	}
	assert_int_equal(commit(store, &batch), 0);
	struct store_range range = {
		.account = STORE_ANY_ACCOUNT, .bucket = STORE_ANY_BUCKET, .kind = 6
	};
	struct counting counting = { .store = store };
	assert_int_equal(store_scan(store, &range, count_visit, &counting, NULL), 0);
	assert_int_equal(counting.n, MANY);
	range.from = STR("0");
	range.to = STR("001000");
	counting = (struct counting){ .store = store };
	assert_int_equal(store_scan(store, &range, count_visit, &counting, NULL), 0);
	assert_int_equal(counting.n, 1000);
	counting = (struct counting){ .store = store, .stop_at = 300 };
	assert_int_equal(store_scan(store, &range, count_visit, &counting, NULL), 77);
	assert_int_equal(counting.n, 300);
	store_close(store);
}

static int sum_bytes(void *ctx, const struct store_key *key, str value)
{
	(void)key;
	*(size_t *)ctx += value.n;
	return 0;
}

static void test_store__scans_long_values(void **state)
{
	struct store *store = open_store(state);
	autofree char *bytes = calloc(1, (size_t)3 << 20);
	size_t sum = 0;
	assert_non_null(bytes);
	for (unsigned i = 0; i < 5; i++) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(put(store, key_of(200, text), (str){ bytes, (size_t)3 << 20 }), 0);
	}
	struct store_range range = { .account = 1, .bucket = STORE_ANY_BUCKET, .kind = 200 };
	assert_int_equal(store_scan(store, &range, sum_bytes, &sum, NULL), 0);
	assert_int_equal(sum, (size_t)15 << 20);
	store_close(store);
}

static void test_store__applies_a_batch_in_order(void **state)
{
	struct store *store = open_store(state);
	struct store_batch batch;
	assert_int_equal(put(store, key_of(1, "old"), STR("1")), 0);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "new"), STR("1"));
	store_batch_delete(&batch, key_of(1, "old"));
	store_batch_delete(&batch, key_of(1, "never"));
	store_batch_put(&batch, key_of(200, "new"), STR("large"));
	store_batch_put(&batch, key_of(1, "new"), STR("2"));
	struct err err = { 0 };
	assert_int_equal(store_commit(store, &batch, &err), 0);
	assert_int_equal(batch.n_deleted, 1);
	store_batch_fini(&batch);
	expect_record(store, key_of(1, "old"), NULL);
	expect_record(store, key_of(1, "new"), "2");
	expect_record(store, key_of(200, "new"), "large");
	store_close(store);
}

static void test_store__deletes_ranges_bounded(void **state)
{
	static const char *const keys[] = { "a", "b", "c", "d", "e" };
	struct store *store = open_store(state);
	autobuf out = BUF(4096);
	for (int kind = STORE_KIND_LARGE - 1; kind <= STORE_KIND_LARGE; kind++) {
		struct store_range range = { .account = 1, .bucket = 2, .kind = kind };
		struct store_batch batch;
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(put(store, key_of(kind, keys[i]), STR("v")), 0);
		store_batch_init(&batch, 0);
		store_batch_delete_range(&batch, key_of(kind, "b"), STR("e"), 2);
		assert_int_equal(store_commit(store, &batch, NULL), 0);
		assert_int_equal(batch.n_deleted, 2);
		list_keys(store, &range, &out);
		assert_string_equal(out.p, "a d e");
		assert_int_equal(store_commit(store, &batch, NULL), 0);
		assert_int_equal(batch.n_deleted, 1);
		store_batch_fini(&batch);
		store_batch_init(&batch, 0);
		store_batch_delete_range(&batch, key_of(kind, ""), STR(""), 100);
		assert_int_equal(store_commit(store, &batch, NULL), 0);
		assert_int_equal(batch.n_deleted, 2);
		store_batch_fini(&batch);
		list_keys(store, &range, &out);
		assert_string_equal(out.p, "");
	}
	store_close(store);
}

static void test_store__keeps_nothing_of_a_batch_whose_expectation_fails(void **state)
{
	struct store *store = open_store(state);
	struct store_batch batch;
	assert_int_equal(put(store, key_of(1, "there"), STR("1")), 0);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "half"), STR("x"));
	store_batch_delete(&batch, key_of(1, "there"));
	store_batch_expect_absent(&batch, key_of(1, "half"));
	assert_int_equal(commit(store, &batch), -EEXIST);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "half"), STR("x"));
	store_batch_expect(&batch, key_of(1, "there"), STR("2"));
	assert_int_equal(commit(store, &batch), -ESTALE);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "half"), STR("x"));
	store_batch_expect(&batch, key_of(1, "nowhere"), STR(""));
	assert_int_equal(commit(store, &batch), -ESTALE);
	expect_record(store, key_of(1, "half"), NULL);
	expect_record(store, key_of(1, "there"), "1");
	store_batch_init(&batch, 0);
	store_batch_expect(&batch, key_of(1, "there"), STR("1"));
	store_batch_expect_absent(&batch, key_of(1, "half"));
	store_batch_put(&batch, key_of(1, "there"), STR("2"));
	assert_int_equal(commit(store, &batch), 0);
	expect_record(store, key_of(1, "there"), "2");
	struct store_stats stats;
	store_stats(store, &stats);
	assert_int_equal(stats.refused, 3);
	assert_int_equal(stats.failed, 0);
	store_close(store);
}

static void test_store__returns_a_batchs_own_failure(void **state)
{
	struct store *store = open_store(state);
	struct store_batch batch;
	store_batch_init(&batch, 0);
	assert_int_equal(commit(store, &batch), 0);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, "a"), STR("1"));
	store_batch_put(&batch, key_of(-1, "a"), STR("1"));
	assert_int_equal(commit(store, &batch), -EINVAL);
	expect_record(store, key_of(1, "a"), NULL);
	struct arena arena = ARENA(4096);
	struct err err = { 0 };
	str value;
	assert_int_equal(store_get(store, key_of(1, ""), &arena, &value, &err), -EINVAL);
	store_close(store);
}

#define THREADS 16
#define ROUNDS 40

struct worker {
	pthread_t thread;
	struct store *store;
	unsigned id, n_won;
	int r;
};

/* Every thread writes its own, and counts one number up with all others. */
static void *work(void *arg)
{
	struct worker *worker = arg;
	for (unsigned i = 0; i < ROUNDS && worker->r == 0; i++) {
		struct store_batch batch;
		struct arena arena = ARENA(4096);
		char own[32], next[32];
		str now = STR("0");
		uint64_t v = 0;
		int r = store_get(worker->store, key_of(1, "shared"), &arena, &now, NULL);
		(void)str_to_u64(now, UINT32_MAX, &v);
		(void)snprintf(own, sizeof(own), "%02u-%04u", worker->id, i);
		(void)snprintf(next, sizeof(next), "%llu", (unsigned long long)v + 1);
		store_batch_init(&batch, 0);
		if (r == 0)
			store_batch_expect(&batch, key_of(1, "shared"), now);
		store_batch_put(&batch, key_of(1, "shared"), str_from_c(next));
		store_batch_put(&batch, key_of(2, own), str_from_c(own));
		int code = r == 0 ? store_commit(worker->store, &batch, NULL) : r;
		worker->n_won += code == 0;
		worker->r = code == 0 || code == -ESTALE ? 0 : code;
		store_batch_fini(&batch);
		arena_fini(&arena);
	}
	return NULL;
}

static void test_store__lets_one_of_many_threads_win(void **state)
{
	struct worker workers[THREADS] = { 0 };
	struct store *store = open_store(state);
	struct store_stats stats;
	unsigned n_won = 0;
	char text[32];
	assert_int_equal(put(store, key_of(1, "shared"), STR("0")), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .store = store, .id = i };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].r, 0);
		n_won += workers[i].n_won;
	}
	(void)snprintf(text, sizeof(text), "%u", n_won);
	expect_record(store, key_of(1, "shared"), text);
	store_stats(store, &stats);
	assert_int_equal(stats.commits, n_won + 1);
	assert_int_equal(stats.refused, THREADS * ROUNDS - n_won);
	autobuf out = BUF(64 << 10);
	struct store_range range = { .account = 1, .bucket = 2, .kind = 2 };
	list_keys(store, &range, &out);
	assert_int_equal(out.n, n_won * 8);
	store_close(store);
}

/* Many batches that are handed over without waiting. */
struct async {
	struct store_batch batch;
	pthread_mutex_t *lock;
	unsigned *n_done;
};

static void count_done(void *ctx, int r, const struct err *err)
{
	struct async *async = ctx;
	(void)err;
	assert_int_equal(r, 0);
	store_batch_fini(&async->batch);
	(void)pthread_mutex_lock(async->lock);
	++*async->n_done;
	(void)pthread_mutex_unlock(async->lock);
}

#define ASYNC 3000

static void test_store__groups_what_waits_and_finishes_it_when_closed(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct async *asyncs = calloc(ASYNC, sizeof(*asyncs));
	struct store *store = open_store(state);
	struct store_stats stats;
	unsigned n_done = 0, n = 0;
	assert_non_null(asyncs);
	for (unsigned i = 0; i < ASYNC; i++) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%05u", i);
		asyncs[i] = (struct async){ .lock = &lock, .n_done = &n_done };
		store_batch_init(&asyncs[i].batch, 0);
		store_batch_put(&asyncs[i].batch, key_of(7, text), str_from_c(text));
		assert_int_equal(
		        store_commit_async(store, &asyncs[i].batch, count_done, &asyncs[i]), 0);
	}
	/* One that waits comes after all before it. */
	assert_int_equal(put(store, key_of(8, "last"), STR("x")), 0);
	store_stats(store, &stats);
	assert_int_equal(stats.commits, ASYNC + 1);
	assert_true(stats.groups < ASYNC / 10);
	assert_int_equal(stats.records, ASYNC + 1);
	assert_true(stats.bytes > 0 && stats.file_bytes > 0 && stats.sync_us > 0);
	for (unsigned i = 0; i < STORE_STEPS; i++)
		n += (unsigned)stats.sync_steps[i];
	assert_int_equal(n, stats.groups);
	for (unsigned i = 0; i < 100; i++) {
		asyncs[i].batch = (struct store_batch){ 0 };
		store_batch_init(&asyncs[i].batch, 0);
		store_batch_put(&asyncs[i].batch, key_of(8, "more"), STR("x"));
		assert_int_equal(
		        store_commit_async(store, &asyncs[i].batch, count_done, &asyncs[i]), 0);
	}
	store_close(store);
	assert_int_equal(n_done, ASYNC + 100);
	free(asyncs);
}

static void test_store__is_made_only_when_asked(void **state)
{
	const struct place *place = *state;
	struct store *store = NULL;
	struct err err = { 0 };
	assert_int_equal(store_open_on(place->backend, place->folder, 0, &store, &err), -ENOENT);
	assert_true(err.text[0] != '\0');
	store_close(open_store(state));
	assert_int_equal(store_open_on(place->backend, place->folder, 0, &store, &err), 0);
	store_close(store);
	store_close(NULL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, place_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_store__gives_back_what_was_put),
		CASE(test_store__keeps_any_bytes_to_the_longest),
		CASE(test_store__scans_in_the_order_of_bytes),
		CASE(test_store__scans_by_prefix),
		CASE(test_store__scans_across_accounts_and_buckets),
		CASE(test_store__scans_in_pieces_without_loss_or_repetition),
		CASE(test_store__scans_long_values),
		CASE(test_store__applies_a_batch_in_order),
		CASE(test_store__deletes_ranges_bounded),
		CASE(test_store__keeps_nothing_of_a_batch_whose_expectation_fails),
		CASE(test_store__returns_a_batchs_own_failure),
		CASE(test_store__lets_one_of_many_threads_win),
		CASE(test_store__groups_what_waits_and_finishes_it_when_closed),
		CASE(test_store__is_made_only_when_asked),
	};
	int r = 0;
	for (current = 0; current < sizeof(backends) / sizeof(backends[0]); current++)
		r += cmocka_run_group_tests_name(backends[current]->name, tests, NULL, NULL);
	return r;
}
