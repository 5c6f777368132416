/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"

/* A digest of every record of the kinds that the tests use, and how many there are. */
struct digest {
	uint32_t crc;
	unsigned n;
};

static int add_record(void *ctx, const struct store_key *key, str value)
{
	struct digest *digest = ctx;
	digest->crc = hash_crc32(digest->crc, key->key);
	digest->crc = hash_crc32(digest->crc, value);
	digest->n++;
	return 0;
}

static struct digest digest_of(struct store *store)
{
	struct digest digest = { 0 };
	for (int kind = 1; kind <= 200; kind += 199) {
		struct store_range range = {
			.account = STORE_ANY_ACCOUNT, .bucket = STORE_ANY_BUCKET, .kind = kind
		};
		assert_int_equal(store_scan(store, &range, add_record, &digest, NULL), 0);
	}
	return digest;
}

static int put_pair(struct store *store, unsigned i)
{
	static const char bytes[5000];
	char key[16];
	struct store_batch batch;
	(void)snprintf(key, sizeof(key), "%06u", i);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, key), str_from_c(key));
	store_batch_put(&batch, key_of(200, key), (str){ bytes, sizeof(bytes) });
	int r = store_commit(store, &batch, NULL);
	store_batch_fini(&batch);
	return r;
}

static unsigned count_names(const char *folder)
{
	unsigned n = 0;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

static struct store *restore_and_open(void **state, const char *backup)
{
	const char *folder = in_scratch(state, "again");
	struct store *store = NULL;
	struct err err = { 0 };
	int r = store_restore(backup, folder, &err);
	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
	assert_int_equal(store_open(folder, 0, &store, &err), 0);
	return store;
}

static void test_sqlite_copy__restores_what_was_saved(void **state)
{
	struct store *store = open_store(state);
	const char *backup = in_scratch(state, "backup");
	struct err err = { 0 };
	struct stat st;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(put_pair(store, i), 0);
	assert_int_equal(store_backup(store, backup, NULL, NULL, &err), 0);
	struct digest before = digest_of(store);
	assert_int_equal(before.n, 100);
	store_close(store);
	assert_int_equal(stat(backup, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	store = restore_and_open(state, backup);
	struct digest after = digest_of(store);
	assert_int_equal(after.n, before.n);
	assert_int_equal(after.crc, before.crc);
	assert_int_equal(put_pair(store, 50), 0);
	store_close(store);
	/* backup, store/, again/ and nothing temporary */
	assert_int_equal(count_names(in_scratch(state, ".")), 3);
	assert_int_equal(count_names(in_scratch(state, "again")), 2);
}

struct busy {
	pthread_t thread;
	struct store *store;
	atomic_uint n;
	atomic_bool is_over;
	atomic_int r;
};

static void *write_on(void *arg)
{
	struct busy *busy = arg;
	while (!atomic_load(&busy->is_over) && busy->r == 0) {
		busy->r = put_pair(busy->store, 1000 + atomic_load(&busy->n));
		if (busy->r == 0)
			(void)atomic_fetch_add(&busy->n, 1);
	}
	return NULL;
}

/* The copy must not be over before something was written while it was being made. */
static int await_writes(void *ctx, uint64_t done, uint64_t total)
{
	struct busy *busy = ctx;
	assert_true(done <= total);
	unsigned n = atomic_load(&busy->n);
	while (done < total && busy->r == 0 && atomic_load(&busy->n) == n)
		(void)usleep(100);
	return 0;
}

static void test_sqlite_copy__copies_while_others_write(void **state)
{
	struct store *store = open_store(state);
	struct busy busy = { .store = store };
	const char *backup = in_scratch(state, "backup");
	struct err err = { 0 };
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(put_pair(store, i), 0);
	assert_int_equal(pthread_create(&busy.thread, NULL, write_on, &busy), 0);
	while (atomic_load(&busy.n) == 0)
		(void)usleep(100);
	unsigned before = atomic_load(&busy.n);
	assert_int_equal(store_backup(store, backup, await_writes, &busy, &err), 0);
	unsigned after = atomic_load(&busy.n);
	atomic_store(&busy.is_over, true);
	assert_int_equal(pthread_join(busy.thread, NULL), 0);
	assert_int_equal(busy.r, 0);
	store_close(store);
	store = restore_and_open(state, backup);
	struct digest digest = digest_of(store);
	/* Whole batches; all of before; at most one more than was acknowledged. */
	assert_int_equal(digest.n % 2, 0);
	assert_true(digest.n / 2 >= 500 + before);
	assert_true(digest.n / 2 <= 500 + after + 1);
	for (unsigned i = 0; i < digest.n / 2 - 500; i++) {
		char key[16];
		(void)snprintf(key, sizeof(key), "%06u", 1000 + i);
		expect_record(store, key_of(1, key), key);
	}
	store_close(store);
}

static int stop(void *ctx, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	++*(unsigned *)ctx;
	return 42;
}

static void test_sqlite_copy__stops_when_told_and_leaves_nothing(void **state)
{
	struct store *store = open_store(state);
	unsigned n = 0;
	assert_int_equal(put_pair(store, 1), 0);
	assert_int_equal(store_backup(store, in_scratch(state, "backup"), stop, &n, NULL), 42);
	assert_int_equal(n, 1);
	assert_int_equal(count_names(in_scratch(state, ".")), 1);
	store_close(store);
}

static void test_sqlite_copy__replaces_no_file(void **state)
{
	struct store *store = open_store(state);
	struct err err = { 0 };
	const char *own = in_scratch(state, "store/sonde.sqlite");
	assert_int_equal(put_pair(store, 1), 0);
	assert_int_equal(store_backup(store, own, NULL, NULL, &err), -EEXIST);
	assert_int_equal(
	        store_backup(store, in_scratch(state, "no/where"), NULL, NULL, &err), -ENOENT);
	assert_int_equal(store_backup(store, in_scratch(state, "backup"), NULL, NULL, &err), 0);
	assert_int_equal(
	        store_backup(store, in_scratch(state, "backup"), NULL, NULL, &err), -EEXIST);
	/* Neither over an open store, nor over a closed one, nor beside its log. */
	const struct place *place = *state;
	const char *backup = in_scratch(state, "backup");
	assert_int_equal(store_restore(backup, place->folder, &err), -EBUSY);
	store_close(store);
	assert_int_equal(store_restore(backup, place->folder, &err), -EEXIST);
	const char *log = in_scratch(state, "again/sonde.sqlite-wal");
	assert_int_equal(mkdir(in_scratch(state, "again"), 0700), 0);
	write_file(log, STR("old"));
	assert_int_equal(store_restore(backup, in_scratch(state, "again"), &err), -EEXIST);
}

static void test_sqlite_copy__refuses_what_is_no_whole_backup(void **state)
{
	struct store *store = open_store(state);
	const char *backup = in_scratch(state, "backup");
	const char *folder = in_scratch(state, "again");
	autobuf whole = BUF((size_t)16 << 20);
	struct err err = { 0 };
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(put_pair(store, i), 0);
	assert_int_equal(store_backup(store, backup, NULL, NULL, &err), 0);
	store_close(store);
	assert_int_equal(fs_read(AT_FDCWD, backup, &whole, NULL), 0);
	for (size_t n = 0; n < whole.n; n += 1 + whole.n / 13) {
		write_file(backup, str_head(buf_str(&whole), n));
		assert_int_equal(store_restore(backup, folder, &err), -ERR_FORMAT);
		assert_non_null(strstr(err.text, "backup"));
	}
	/* One tree's page is zero. */
	write_file(backup, buf_str(&whole));
	autobuf zero = BUF(4096);
	memset(buf_reserve(&zero, 4096), 0, 4096);
	patch(backup, 3 * 4096, (str){ zero.p, 4096 });
	assert_int_equal(store_restore(backup, folder, &err), -ERR_FORMAT);
	assert_int_equal(store_restore(in_scratch(state, "none"), folder, &err), -ENOENT);
	assert_int_equal(store_restore(in_scratch(state, "store"), folder, &err), -ERR_FORMAT);
	assert_int_equal(count_names(folder), 1); /* the lock file */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		on_place(test_sqlite_copy__restores_what_was_saved),
		on_place(test_sqlite_copy__copies_while_others_write),
		on_place(test_sqlite_copy__stops_when_told_and_leaves_nothing),
		on_place(test_sqlite_copy__replaces_no_file),
		on_place(test_sqlite_copy__refuses_what_is_no_whole_backup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
