/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/sqlite.h"

static int try_open(void **state, unsigned flags, struct err *err)
{
	const struct place *place = *state;
	struct store *store = NULL;
	*err = (struct err){ 0 };
	int r = store_open(place->folder, flags, &store, err);
	assert_true(r == 0 || err->text[0] != '\0');
	store_close(store);
	return r;
}

static const char *file_of(void **state)
{
	return in_scratch(state, "store/%s", SQLITE_FILE);
}

static void test_sqlite__keeps_its_files_to_itself(void **state)
{
	struct store *store = open_store(state);
	struct stat st;
	assert_int_equal(put(store, key_of(1, "a"), STR("1")), 0);
	static const char *const names[] = { "store/" SQLITE_FILE, "store/" SQLITE_LOG,
		"store/" SQLITE_LOCK };
	assert_int_equal(stat(in_scratch(state, "store"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(stat(in_scratch(state, "%s", names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0077, 0);
	}
	store_close(store);
	/* Closed, all is in one file. */
	assert_int_equal(size_of(in_scratch(state, "store/" SQLITE_LOG)), -1);
}

static bool open_elsewhere(void *ctx)
{
	struct err err;
	CHECK(try_open(ctx, STORE_CREATE, &err) == -EBUSY);
	CHECK(strstr(err.text, "another process") != NULL);
	return true;
}

static void test_sqlite__refuses_a_second_process(void **state)
{
	struct err err;
	struct store *store = open_store(state);
	assert_int_equal(run_in_child(open_elsewhere, state), 0);
	assert_int_equal(try_open(state, 0, &err), -EBUSY);
	store_close(store);
	assert_int_equal(try_open(state, 0, &err), 0);
}

/* Records of some 4.5 KB each, of other bytes in each round: equal ones SQLite would not write. */
static void fill(struct store *store, unsigned n, char round)
{
	char bytes[3000];
	struct store_batch batch;
	memset(bytes, round, sizeof(bytes));
	store_batch_init(&batch, 0);
	for (unsigned i = 0; i < n; i++) {
		char key[16];
		(void)snprintf(key, sizeof(key), "%06u", i);
		store_batch_put(&batch, key_of(1, key), (str){ bytes, 1500 });
		store_batch_put(&batch, key_of(200, key), (str){ bytes, sizeof(bytes) });
	}
	assert_int_equal(store_commit(store, &batch, NULL), 0);
	store_batch_fini(&batch);
}

static int look(void *ctx, const struct store_key *key, str value)
{
	++*(unsigned *)ctx;
	return key->key.n == 6 && value.n > 0 ? 0 : -1;
}

/* Open what was damaged, and read all of it. It may be refused, with a sentence, or be read. */
static bool survive(void **state, struct err *err)
{
	const struct place *place = *state;
	struct store *store = NULL;
	unsigned n = 0;
	*err = (struct err){ 0 };
	int r = store_open(place->folder, STORE_SKIP_CHECK, &store, err);
	for (int kind = 1; r == 0 && kind <= 200; kind += 199) {
		struct store_range range = {
			.account = STORE_ANY_ACCOUNT, .bucket = STORE_ANY_BUCKET, .kind = kind
		};
		r = store_scan(store, &range, look, &n, err);
	}
	if (r == 0)
		r = put(store, key_of(1, "000000"), STR("x"));
	if (r < 0 && r != -1)
		assert_true(err->text[0] != '\0' || r == -ERR_FORMAT);
	store_close(store);
	return r == 0;
}

static void test_sqlite__survives_damage_anywhere(void **state)
{
	struct store *store = open_store(state);
	autobuf whole = BUF((size_t)16 << 20);
	uint64_t seed = 4711;
	unsigned n_refused = 0;
	fill(store, 60, 'x');
	store_close(store);
	const char *path = file_of(state);
	assert_int_equal(fs_read(AT_FDCWD, path, &whole, NULL), 0);
	for (unsigned round = 0; round < 150; round++) {
		struct err err;
		char bytes[16];
		size_t at = next_random(&seed) % (round % 3 ? whole.n : 4096);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)next_random(&seed);
		patch(path, (int64_t)at, (str){ bytes, 1 + round % sizeof(bytes) });
		n_refused += !survive(state, &err);
		(void)unlink(in_scratch(state, "store/" SQLITE_LOG));
		(void)unlink(in_scratch(state, "store/" SQLITE_INDEX));
		write_file(path, buf_str(&whole));
	}
	/* The rest has hit what is not used. */
	assert_true(n_refused > 40);
	assert_true(survive(state, &(struct err){ 0 }));
}

static void test_sqlite__survives_truncation(void **state)
{
	struct store *store = open_store(state);
	autobuf whole = BUF((size_t)16 << 20);
	struct err err;
	fill(store, 60, 'x');
	store_close(store);
	const char *path = file_of(state);
	assert_int_equal(fs_read(AT_FDCWD, path, &whole, NULL), 0);
	for (size_t n = 1; n < whole.n; n += 1 + whole.n / 23) {
		str head = str_head(buf_str(&whole), n);
		write_file(path, head);
		assert_int_equal(try_open(state, 0, &err), -ERR_FORMAT);
		assert_non_null(strstr(err.text, SQLITE_FILE));
		(void)unlink(in_scratch(state, "store/" SQLITE_LOG));
		(void)unlink(in_scratch(state, "store/" SQLITE_INDEX));
	}
}

static void test_sqlite__says_what_is_damaged(void **state)
{
	static const char junk[64] = "no database, but a text";
	struct store *store = open_store(state);
	struct err err;
	fill(store, 200, 'x');
	store_close(store);
	autobuf zero = BUF(1 << 20);
	memset(buf_reserve(&zero, 40960), 0, 40960);
	patch(file_of(state), 12 * 4096, (str){ zero.p, 40960 });
	assert_int_equal(try_open(state, 0, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "damaged"));
	patch(file_of(state), 0, (str){ junk, sizeof(junk) });
	assert_int_equal(try_open(state, 0, &err), -ERR_FORMAT);
}

static void test_sqlite__refuses_what_is_no_store(void **state)
{
	const struct place *place = *state;
	struct err err;
	assert_int_equal(mkdir(place->folder, 0700), 0);
	assert_int_equal(try_open(state, 0, &err), -ENOENT);
	assert_int_equal(mkfifo(file_of(state), 0600), 0);
	assert_true(try_open(state, STORE_CREATE, &err) < 0);
	assert_int_equal(unlink(file_of(state)), 0);
	assert_int_equal(symlink("/dev/null", file_of(state)), 0);
	assert_true(try_open(state, STORE_CREATE, &err) < 0);
	assert_int_equal(unlink(file_of(state)), 0);
	/* What an interrupted start leaves is finished when asked for, and else not there. */
	write_file(file_of(state), STR(""));
	assert_int_equal(try_open(state, 0, &err), -ENOENT);
	assert_int_equal(try_open(state, STORE_CREATE, &err), 0);
}

static bool open_without_rights(void *ctx)
{
	struct err err;
	if (geteuid() == 0)
		CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	int r = try_open(ctx, STORE_CREATE, &err);
	CHECK(r == -EACCES || r == -EPERM);
	CHECK(strstr(err.text, "store") != NULL);
	return true;
}

static void test_sqlite__says_when_the_folder_is_read_only(void **state)
{
	const struct place *place = *state;
	store_close(open_store(state));
	assert_int_equal(chmod(place->scratch, 0755), 0);
	assert_int_equal(chmod(place->folder, 0555), 0);
	assert_int_equal(chmod(file_of(state), 0444), 0);
	assert_int_equal(chmod(in_scratch(state, "store/" SQLITE_LOCK), 0444), 0);
	assert_int_equal(run_in_child(open_without_rights, state), 0);
	assert_int_equal(chmod(place->folder, 0700), 0);
}

static void test_sqlite__keeps_the_log_short(void **state)
{
	struct store *store = open_store(state);
	struct store_stats stats;
	/* Each fill is some 2,100 pages. */
	for (unsigned i = 0; i < 30; i++)
		fill(store, 1000, (char)i);
	assert_int_equal(put(store, key_of(1, "000000"), STR("x")), 0);
	store_stats(store, &stats);
	assert_true(stats.checkpoints > 0);
	assert_int_equal(stats.checkpoints_failed, 0);
	assert_true(stats.wal_bytes < (uint64_t)80 << 20);
	store_close(store);
}

static void test_sqlite__finds_no_fault_in_a_sound_store(void **state)
{
	struct store *store = open_store(state);
	struct err err = { 0 };
	fill(store, 100, 'x');
	assert_int_equal(store_check(store, &err), 0);
	store_close(store);
}

/* What SQLite itself does not notice: one bit of one value. */
static void test_sqlite__notices_one_changed_bit_of_a_value(void **state)
{
	struct store *store = open_store(state);
	autobuf whole = BUF((size_t)16 << 20);
	struct arena arena = ARENA(4096);
	struct err err = { 0 };
	str found;
	assert_int_equal(put(store, key_of(1, "k"), STR("needle needle")), 0);
	store_close(store);
	assert_int_equal(fs_read(AT_FDCWD, file_of(state), &whole, NULL), 0);
	const char *at = memmem(whole.p, whole.n, "needle needle", 13);
	assert_non_null(at);
	patch(file_of(state), at - whole.p, STR("n\x64"));
	store = open_store(state);
	assert_int_equal(store_get(store, key_of(1, "k"), &arena, &found, &err), -ERR_FORMAT);
	assert_int_equal(store_check(store, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "damaged"));
	/* Written anew it is sound again. */
	assert_int_equal(put(store, key_of(1, "k"), STR("needle")), 0);
	assert_int_equal(store_check(store, &err), 0);
	store_close(store);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		on_place(test_sqlite__keeps_its_files_to_itself),
		on_place(test_sqlite__refuses_a_second_process),
		on_place(test_sqlite__survives_damage_anywhere),
		on_place(test_sqlite__survives_truncation),
		on_place(test_sqlite__says_what_is_damaged),
		on_place(test_sqlite__refuses_what_is_no_store),
		on_place(test_sqlite__says_when_the_folder_is_read_only),
		on_place(test_sqlite__keeps_the_log_short),
		on_place(test_sqlite__finds_no_fault_in_a_sound_store),
		on_place(test_sqlite__notices_one_changed_bit_of_a_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
