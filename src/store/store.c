/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "store/backend.h"
#include "store/bounds.h"
#include "store/writer.h"

struct store {
	const struct store_backend *backend;
	void *db;
	struct writer *writer;
};

/* A piece is full before a value is added that passes STORE_PIECE_BYTES, or right after. */
#define PIECE_MAX_BYTES (STORE_PIECE_BYTES + STORE_LARGE_MAX_BYTES + (64u << 10))

/* ---- opening ---- */

int store_open_on(const struct store_backend *backend, const char *place, unsigned flags,
        struct store **ret, struct err *err)
{
	autofree struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return err_set(err, -ENOMEM, "cannot open the store: out of memory");
	store->backend = backend;
	int r = backend->open(place, flags, &store->db, err);
	if (r < 0)
		return r;
	r = writer_new(backend, store->db, &store->writer, err);
	if (r < 0) {
		backend->close(store->db);
		return r;
	}
	*ret = TAKE(store);
	return 0;
}

int store_open(const char *folder, unsigned flags, struct store **ret, struct err *err)
{
	return store_open_on(&store_sqlite, folder, flags, ret, err);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	writer_free(store->writer);
	store->backend->close(store->db);
	free(store);
}

/* ---- reading ---- */

static int refuse_address(struct err *err)
{
	return err_set(err, -EINVAL, "the address of a record is out of its bounds");
}

int store_get(struct store *store, struct store_key key, struct arena *arena, str *ret_value,
        struct err *err)
{
	if (!store_key_is_valid(&key, 1))
		return refuse_address(err);
	return store->backend->get(store->db, &key, arena, ret_value, err);
}

int store_piece_add(struct store_piece *piece, int64_t account, int bucket, str key, str value)
{
	buf_add_u64(&piece->bytes, (uint64_t)account);
	buf_add_u32(&piece->bytes, (uint32_t)bucket);
	buf_add_str(&piece->bytes, key);
	buf_add_str(&piece->bytes, value);
	piece->n++;
	if (buf_failed(&piece->bytes))
		return -ENOMEM;
	return piece->n >= STORE_PIECE_RECORDS || piece->bytes.n > STORE_PIECE_BYTES;
}

/* The state of a scan between pieces. */
struct scan {
	struct store *store;
	int (*visit)(void *ctx, const struct store_key *key, str value);
	void *ctx;
	struct store_read read;
	struct store_piece piece;
	char from[STORE_KEY_MAX_BYTES + 1]; /* the key after the last visited */
};

/* Visit what the piece holds, and let the next one begin after it. */
static int visit_piece(struct scan *scan)
{
	struct cursor in = CURSOR(buf_str(&scan->piece.bytes));
	struct store_key key = { .kind = scan->read.kind };
	int r = 0;
	for (size_t i = 0; i < scan->piece.n; i++) {
		key.account = (int64_t)cursor_u64(&in);
		key.bucket = (int)cursor_u32(&in);
		key.key = cursor_str(&in);
		str value = cursor_str(&in);
		if (r == 0)
			r = scan->visit(scan->ctx, &key, value);
		if (r != 0)
			return r;
	}
	if (scan->piece.n > 0) {
		/* No key lies between a key and the same with a zero byte behind it. */
		memcpy(scan->from, key.key.p, key.key.n);
		scan->from[key.key.n] = '\0';
		scan->read.from = (str){ scan->from, key.key.n + 1 };
		scan->read.account = key.account;
		scan->read.bucket = key.bucket;
	}
	return 0;
}

static int scan_pieces(struct scan *scan,
        int (*next)(void *db, const struct store_read *read, struct store_piece *piece,
                struct err *err),
        struct err *err)
{
	int more = 1;
	while (more > 0) {
		buf_clear(&scan->piece.bytes);
		scan->piece.n = 0;
		more = next(scan->store->db, &scan->read, &scan->piece, err);
		if (more < 0)
			return more;
		int r = visit_piece(scan);
		if (r != 0)
			return r;
	}
	return 0;
}

/* With a bound on the key: part by part, each searched for the bound. */
static int scan_parts(struct scan *scan, const struct store_range *range, struct err *err)
{
	const struct store_backend *backend = scan->store->backend;
	for (;;) {
		int r = backend->next_part(
		        scan->store->db, &scan->read, &scan->read.account, &scan->read.bucket, err);
		if (r <= 0)
			return r;
		scan->read.from = range->from;
		r = scan_pieces(scan, backend->read_part, err);
		if (r != 0)
			return r;
	}
}

static bool is_range_valid(const struct store_range *range)
{
	bool account = range->account == STORE_ANY_ACCOUNT ||
	               (range->account >= 0 && range->account <= STORE_ACCOUNT_MAX);
	bool bucket = range->bucket == STORE_ANY_BUCKET ||
	              (range->bucket >= 0 && range->bucket <= STORE_BUCKET_MAX &&
	                      range->account != STORE_ANY_ACCOUNT);
	return account && bucket && range->kind >= 0 && range->kind <= STORE_KIND_MAX &&
	       range->from.n <= STORE_KEY_MAX_BYTES && range->to.n <= STORE_KEY_MAX_BYTES;
}

int store_scan(struct store *store, const struct store_range *range,
        int (*visit)(void *ctx, const struct store_key *key, str value), void *ctx, struct err *err)
{
	bool any = range->account == STORE_ANY_ACCOUNT;
	struct scan scan = { .store = store, .visit = visit, .ctx = ctx };
	if (!is_range_valid(range))
		return refuse_address(err);
	scan.piece.bytes = BUF(PIECE_MAX_BYTES);
	scan.read = (struct store_read){ .kind = range->kind,
		.account = any ? 0 : range->account,
		.account_last = any ? STORE_ACCOUNT_MAX : range->account,
		.bucket = range->bucket,
		.from = range->from,
		.to = range->to,
		.keys_only = range->flags & STORE_KEYS_ONLY };
	int r;
	if (range->bucket != STORE_ANY_BUCKET)
		r = scan_pieces(&scan, store->backend->read_part, err);
	else if (range->from.n == 0 && range->to.n == 0)
		r = scan_pieces(&scan, store->backend->read_all, err);
	else
		r = scan_parts(&scan, range, err);
	buf_fini(&scan.piece.bytes);
	return r;
}

void store_prefix(struct store_range *range, str prefix, struct store_prefix_end *end)
{
	/* The first key after all that begin so: the last byte that can be raised is, and what
	 * follows it goes. Without such a byte there is no bound. */
	size_t n = str_head(prefix, sizeof(end->bytes)).n;
	range->from = prefix;
	range->to = (str){ NULL, 0 };
	if (n == 0)
		return;
	memcpy(end->bytes, prefix.p, n);
	while (n > 0 && (unsigned char)end->bytes[n - 1] == 0xff)
		n--;
	if (n == 0)
		return;
	end->bytes[n - 1] = (char)((unsigned char)end->bytes[n - 1] + 1);
	range->to = (str){ end->bytes, n };
}

/* ---- writing ---- */

/* One thread that waits for its batch. */
struct waiter {
	pthread_mutex_t lock; /* answered */
	pthread_cond_t cond;
	bool answered;
};

static void on_done(void *ctx, int r, const struct err *err)
{
	struct waiter *waiter = ctx;
	(void)r;
	(void)err;
	(void)pthread_mutex_lock(&waiter->lock);
	waiter->answered = true;
	(void)pthread_cond_signal(&waiter->cond);
	(void)pthread_mutex_unlock(&waiter->lock);
}

static int refuse_batch(const struct store_batch *batch, struct err *err)
{
	return err_set(err, batch->failed,
	        batch->failed == -EINVAL
	                ? "the batch holds a record whose address is out of its bounds"
	                : "the batch, or a value in it, is larger than the store accepts");
}

int store_commit(struct store *store, struct store_batch *batch, struct err *err)
{
	struct waiter waiter = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER };
	if (batch->failed)
		return refuse_batch(batch, err);
	if (batch->n == 0) {
		batch->n_deleted = 0;
		return 0;
	}
	batch->done = on_done;
	batch->ctx = &waiter;
	(void)writer_add(store->writer, batch, true);
	(void)pthread_mutex_lock(&waiter.lock);
	while (!waiter.answered)
		(void)pthread_cond_wait(&waiter.cond, &waiter.lock);
	(void)pthread_mutex_unlock(&waiter.lock);
	batch->ctx = NULL;
	(void)pthread_cond_destroy(&waiter.cond);
	(void)pthread_mutex_destroy(&waiter.lock);
	return batch->result < 0 ? err_set(err, batch->result, "%s", batch->err.text) : 0;
}

int store_commit_async(struct store *store, struct store_batch *batch,
        void (*done)(void *ctx, int r, const struct err *err), void *ctx)
{
	if (batch->failed)
		return batch->failed;
	batch->done = done;
	batch->ctx = ctx;
	return writer_add(store->writer, batch, false);
}

/* ---- care ---- */

int store_backup(struct store *store, const char *path,
        int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct err *err)
{
	return store->backend->backup(store->db, path, progress, ctx, err);
}

int store_restore(const char *path, const char *folder, struct err *err)
{
	return store_sqlite.restore(path, folder, err);
}

int store_check(struct store *store, struct err *err)
{
	return store->backend->check(store->db, err);
}

void store_stats(struct store *store, struct store_stats *ret)
{
	writer_stats(store->writer, ret);
	store->backend->measure(store->db, ret);
}
