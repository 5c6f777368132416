/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that is full, and a limit on the size of files: the batches that do not fit fail, whole,
 * and the store goes on by itself when there is room again.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_MOUNT 9
#define VALUE_BYTES 20000

/* Batch i: two records that belong together. */
static int put_pair(struct store *store, unsigned i)
{
	static char bytes[VALUE_BYTES];
	char key[16];
	struct store_batch batch;
	struct err err = { 0 };
	(void)snprintf(key, sizeof(key), "%06u", i);
	memset(bytes, (int)('a' + i % 26), sizeof(bytes));
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key_of(1, key), str_from_c(key));
	store_batch_put(&batch, key_of(200, key), (str){ bytes, sizeof(bytes) });
	int r = store_commit(store, &batch, &err);
	store_batch_fini(&batch);
	return r;
}

static bool is_there(struct store *store, unsigned i, int kind, bool want)
{
	struct arena arena = ARENA(64 << 10);
	struct err err = { 0 };
	char key[16];
	str value;
	(void)snprintf(key, sizeof(key), "%06u", i);
	int r = store_get(store, key_of(kind, key), &arena, &value, &err);
	arena_fini(&arena);
	return r == (want ? 0 : -ENOENT);
}

/* Fill until it fails; returns the number of the batch that failed. */
static unsigned fill(struct store *store, unsigned from, int *ret_r)
{
	unsigned i = from;
	while (i < 100000 && (*ret_r = put_pair(store, i)) == 0)
		i++;
	return i;
}

/* Everything below n is there, n is not, and a batch fits again. */
static bool went_on(struct store *store, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK(is_there(store, i, 1, true) && is_there(store, i, 200, true));
	CHECK(is_there(store, n, 1, false) && is_there(store, n, 200, false));
	CHECK(put_pair(store, n) == 0);
	CHECK(is_there(store, n, 1, true) && is_there(store, n, 200, true));
	return true;
}

static bool reopened(const char *folder, unsigned n)
{
	struct store *store = NULL;
	struct err err = { 0 };
	CHECK(store_open(folder, 0, &store, &err) == 0);
	CHECK(store_check(store, &err) == 0);
	for (unsigned i = 0; i < n; i++)
		CHECK(is_there(store, i, 1, true) && is_there(store, i, 200, true));
	CHECK(is_there(store, n, 1, false) && is_there(store, n, 200, false));
	store_close(store);
	return true;
}

static bool fill_a_small_disk(void *ctx)
{
	void **state = ctx;
	const char *mount_at = in_scratch(state, "disk");
	const char *ballast = in_scratch(state, "disk/ballast");
	struct store *store = NULL;
	struct err err = { 0 };
	static char bytes[3 << 20];
	int r = 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	        mkdir(mount_at, 0700) < 0 || mount("none", mount_at, "tmpfs", 0, "size=10m") < 0)
		_exit(NO_MOUNT);
	write_file(ballast, (str){ bytes, sizeof(bytes) });
	const char *folder = in_scratch(state, "disk/store");
	CHECK(store_open(folder, STORE_CREATE, &store, &err) == 0);
	unsigned n = fill(store, 0, &r);
	CHECK(n > 20 && r == -ENOSPC);
	/* Still full: the next fails too, and nothing that was there has gone. */
	CHECK(put_pair(store, n) == -ENOSPC);
	CHECK(is_there(store, n - 1, 200, true) && is_there(store, n, 1, false));
	CHECK(unlink(ballast) == 0);
	CHECK(went_on(store, n));
	n = fill(store, n + 1, &r);
	CHECK(r == -ENOSPC);
	store_close(store);
	return reopened(folder, n);
}

static void test_full__recovers_when_the_disk_has_room_again(void **state)
{
	int status = run_in_child(fill_a_small_disk, state);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MOUNT) {
		print_message("skipped: the right to mount (root)\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static bool pass_a_limit(void *ctx)
{
	const struct place *place = *(void **)ctx;
	struct rlimit limit = { 0 };
	struct store *store = NULL;
	struct err err = { 0 };
	int r = 0;
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(store_open(place->folder, STORE_CREATE, &store, &err) == 0);
	CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	rlim_t most = limit.rlim_max;
	limit.rlim_cur = 3 << 20;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	unsigned n = fill(store, 0, &r);
	CHECK(n > 20 && (r == -EIO || r == -ENOSPC));
	limit.rlim_cur = most;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(went_on(store, n));
	struct store_stats stats;
	store_stats(store, &stats);
	CHECK(stats.failed == 1 && stats.commits == n + 1);
	store_close(store);
	return reopened(place->folder, n + 1);
}

static void test_full__recovers_from_a_limit_on_files(void **state)
{
	assert_int_equal(run_in_child(pass_a_limit, state), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		on_place(test_full__recovers_when_the_disk_has_room_again),
		on_place(test_full__recovers_from_a_limit_on_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
