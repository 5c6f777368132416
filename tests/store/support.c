/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"

int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char scratch[] = "/tmp/sonde-store-XXXXXX";
	if (!place || !mkdtemp(scratch))
		return -1;
	place->backend = &store_sqlite;
	place->names = ARENA(1 << 20);
	place->scratch = strdup(scratch);
	if (!place->scratch || asprintf(&place->folder, "%s/store", scratch) < 0)
		return -1;
	*state = place;
	return 0;
}

int place_teardown(void **state)
{
	struct place *place = *state;
	int r = fs_remove_tree(AT_FDCWD, place->scratch);
	arena_fini(&place->names);
	free(place->folder);
	free(place->scratch);
	free(place);
	return r;
}

const char *in_scratch(void **state, const char *fmt, ...)
{
	struct place *place = *state;
	char name[256];
	str path = { NULL, 0 };
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	assert_int_equal(arena_printf(&place->names, &path, "%s/%s", place->scratch, name), 0);
	return path.p;
}

struct store *open_store(void **state)
{
	const struct place *place = *state;
	struct store *store = NULL;
	struct err err = { 0 };
	int r = store_open_on(place->backend, place->folder, STORE_CREATE, &store, &err);
	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
	return store;
}

struct store_key key_of(int kind, const char *key)
{
	return (struct store_key){
		.account = 1, .bucket = 2, .kind = kind, .key = str_from_c(key)
	};
}

int put(struct store *store, struct store_key key, str value)
{
	struct store_batch batch;
	store_batch_init(&batch, 0);
	store_batch_put(&batch, key, value);
	int r = store_commit(store, &batch, NULL);
	store_batch_fini(&batch);
	return r;
}

void expect_record(struct store *store, struct store_key key, const char *value)
{
	struct arena arena = ARENA(STORE_LARGE_MAX_BYTES);
	struct err err = { 0 };
	str found = { NULL, 0 };
	int r = store_get(store, key, &arena, &found, &err);
	assert_int_equal(r, value ? 0 : -ENOENT);
	if (value)
		assert_true(str_eq(found, str_from_c(value)));
	arena_fini(&arena);
}

static int add_key(void *ctx, const struct store_key *key, str value)
{
	struct buf *out = ctx;
	(void)value;
	if (out->n > 0)
		buf_add_byte(out, ' ');
	buf_add(out, key->key);
	return 0;
}

void list_keys(struct store *store, const struct store_range *range, struct buf *out)
{
	struct err err = { 0 };
	buf_clear(out);
	int r = store_scan(store, range, add_key, out, &err);
	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
	buf_add_byte(out, '\0');
	assert_false(buf_failed(out));
}

int64_t size_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

void write_file(const char *path, str bytes)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
}

void patch(const char *path, int64_t at, str bytes)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes.p, bytes.n, at), bytes.n);
}

int run_in_child(bool (*fn)(void *ctx), void *ctx)
{
	int status = 0;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		bool is_good = fn(ctx);
		(void)fflush(NULL);
		_exit(is_good ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* splitmix64, Steele et al. 2014 */
uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}
