/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * store: the durable state of the server, as records under one ordered keyspace. Everything else
 * the server knows is derived from it, in memory, when it starts.
 *
 * A record has an address (account, bucket, kind, key) and a value, all bytes. Records are written
 * in batches: a batch is durable as a whole or not at all. Any number of threads read and commit at
 * once; one thread of the store writes, and joins what waits to one transaction (group commit).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/** The largest account number: 12 digits. 0 is for records that belong to no account. */
#define STORE_ACCOUNT_MAX INT64_C(999999999999)
/** In a scan: every account, and every bucket. */
#define STORE_ANY_ACCOUNT INT64_C(-1)
#define STORE_ANY_BUCKET (-1)
#define STORE_BUCKET_MAX 255

/**
 * Kinds are small numbers that the caller hands out. Values of a kind below STORE_KIND_LARGE are
 * kept beside their keys and should be short (to 2 KB); kinds from there on are for long values,
 * which are kept apart so that a scan of short ones never reads past them.
 */
#define STORE_KIND_MAX 255
#define STORE_KIND_LARGE 128

/** Bytes of a key: at least 1. Keys are ordered as memcmp does, a prefix first. */
#define STORE_KEY_MAX_BYTES 512
/** Bytes of a value: of a kind below STORE_KIND_LARGE, and of the others. */
#define STORE_SHORT_MAX_BYTES ((size_t)64 << 10)
#define STORE_LARGE_MAX_BYTES ((size_t)64 << 20)
/** Records of one batch, and bytes of its keys and values. */
#define STORE_BATCH_MAX 10000
#define STORE_BATCH_MAX_BYTES ((size_t)128 << 20)
/** Records that one delete_range entry may take. */
#define STORE_DELETE_MAX 10000

struct store;
struct store_backend;

/** The address of a record. */
struct store_key {
	int64_t account; /* 0 .. STORE_ACCOUNT_MAX */
	int bucket;      /* 0 .. STORE_BUCKET_MAX; a stable hash of what the record belongs to */
	int kind;        /* 0 .. STORE_KIND_MAX */
	str key;         /* 1 .. STORE_KEY_MAX_BYTES */
};

enum store_open_flag {
	STORE_CREATE = 1 << 0,     /* make folder and store if they are missing */
	STORE_SKIP_CHECK = 1 << 1, /* do not look for damage (reads the whole file) when opening */
};

/**
 * Open a store and keep it for this process: lock it, look for damage, bring its schema up to date
 * (a copy of the file as it was is kept beside it), and start its threads.
 *
 * In:      folder  of the store; holds "sonde.sqlite", its log and a lock file. Made with mode 0700
 *          flags   of enum store_open_flag
 * Out:     ret     caller closes with store_close()
 * Returns: 0; -ENOENT when there is none and STORE_CREATE is not given; -EBUSY when another store
 *          holds it; -ERR_FORMAT when it is damaged or no store; -ERR_UNSUPPORTED when a newer
 *          program made it or the history of its schema is another; -errno
 * Cost:    blocking; reads the whole file unless STORE_SKIP_CHECK
 */
int store_open(const char *folder, unsigned flags, struct store **ret, struct err *err);

/** As store_open(), on the backend given (store/backend.h); `place` is what that backend takes. */
int store_open_on(const struct store_backend *backend, const char *place, unsigned flags,
        struct store **ret, struct err *err);

/**
 * Finish what waits to be committed, and close. NULL is a no-op.
 *
 * Threads: no other call on this store may run or follow
 */
void store_close(struct store *store);

/* ---- reading ---- */

/**
 * Read one record, as the last acknowledged batch left it.
 *
 * In:      key        borrowed
 * Out:     ret_value  arena; an empty value has n = 0
 * Returns: 0; -ENOENT when there is no such record; -ERR_LIMIT when the arena is full; -ETIMEDOUT
 *          when storage took longer than two seconds; -ERR_FORMAT when the file is damaged; -errno.
 *          -EINVAL when the address is out of its bounds
 * Threads: any
 */
int store_get(struct store *store, struct store_key key, struct arena *arena, str *ret_value,
        struct err *err);

enum store_scan_flag {
	STORE_KEYS_ONLY = 1 << 0, /* values are not read: each is given as empty */
};

/** Which records a scan yields: of one kind, the keys k with from <= k < to. */
struct store_range {
	int64_t account; /* or STORE_ANY_ACCOUNT */
	int bucket;      /* or STORE_ANY_BUCKET; any when the account is any */
	int kind;
	str from, to; /* empty: no bound. store_prefix() fills them for a prefix */
	unsigned flags;
};

/**
 * Visit records in the order (account, bucket, key).
 *
 * The records are read in pieces, each seen as of one moment. Between pieces others may commit: a
 * record that is neither put nor deleted during the scan is visited exactly once.
 *
 * In:      range  borrowed until the return
 *          visit  called for each; key and value borrow until it returns. It may use the store.
 *                 Returns 0 to go on; anything else ends the scan
 * Returns: 0; what `visit` returned; -ETIMEDOUT, -ERR_FORMAT, -EINVAL, -errno as store_get()
 * Cost:    one search per piece; with a bound on the key, one search per account and bucket
 * Threads: any; no transaction is open while `visit` runs
 */
int store_scan(struct store *store, const struct store_range *range,
        int (*visit)(void *ctx, const struct store_key *key, str value), void *ctx,
        struct err *err);

/** Room for the end of a prefix's range. */
struct store_prefix_end {
	char bytes[STORE_KEY_MAX_BYTES];
};

/**
 * Bound a range to the keys that begin with `prefix`.
 *
 * In:      prefix  borrowed as long as the range; empty is every key; to STORE_KEY_MAX_BYTES
 *          end     memory that range->to may borrow, as long as the range is used
 * Out:     range   from and to are set
 */
void store_prefix(struct store_range *range, str prefix, struct store_prefix_end *end);

/* ---- writing ---- */

struct store_entry;

/**
 * What is to be written as a whole, in the order of the calls. It copies what it is given. After
 * the first addition that is out of bounds every call is a no-op and store_commit() returns that
 * failure.
 */
struct store_batch {
	struct arena arena;
	struct store_entry *first, *last;
	size_t n, bytes;
	int failed; /* 0, or the class of the first failure: -EINVAL, -ERR_LIMIT */

	uint64_t n_deleted; /* out: records that deletes took away, once it is committed */

	/* The store's while the batch is being committed. */
	struct store_batch *next;
	void (*done)(void *ctx, int r, const struct err *err);
	void *ctx;
	int result;
	struct err err;
};

/**
 * Begin an empty batch.
 *
 * In:      max_bytes  of memory that it may take; 0 is the most, STORE_BATCH_MAX_BYTES
 */
void store_batch_init(struct store_batch *batch, size_t max_bytes);

/** Release a batch that is not being committed. A zeroed or released one is a no-op. */
void store_batch_fini(struct store_batch *batch);

/** Write a record; one that is there is replaced. */
void store_batch_put(struct store_batch *batch, struct store_key key, str value);

/** Delete a record; nothing happens when there is none. */
void store_batch_delete(struct store_batch *batch, struct store_key key);

/**
 * Delete the records of one account, bucket and kind with from <= key < to, the first `most` in key
 * order. batch->n_deleted tells after the commit whether there may be more.
 *
 * In:      from      its key may be empty: no lower bound
 *          to        empty: no upper bound
 *          most      1 .. STORE_DELETE_MAX
 */
void store_batch_delete_range(
        struct store_batch *batch, struct store_key from, str to, unsigned most);

/** Let the batch fail with -EEXIST if this record is there when the batch reaches this entry. */
void store_batch_expect_absent(struct store_batch *batch, struct store_key key);

/**
 * Let the batch fail with -ESTALE unless this record is there with exactly this value when the
 * batch reaches this entry.
 */
void store_batch_expect(struct store_batch *batch, struct store_key key, str value);

/**
 * Write a batch, and return when it is on disk or when it is certain that nothing of it is.
 *
 * Batches of several threads share a transaction, but not their failures. After -ENOSPC, -EIO or
 * -EROFS the store goes on: the next commit tries again. After a power cut a batch that failed so
 * may yet be found, whole (the disk may have kept what it reported as lost); never half.
 *
 * In:      batch  unchanged but for n_deleted; may be committed again, or released
 * Returns: 0, also for an empty batch; -EEXIST, -ESTALE when an expectation does not hold; -EINVAL,
 *          -ERR_LIMIT when the batch was given something out of bounds; -ENOSPC, -EIO, -EROFS, or
 *          what else the system says; -ERR_FORMAT when the file is damaged
 * Cost:    blocks for about one fsync, two when others are being written
 * Threads: any, each with its own batch
 */
int store_commit(struct store *store, struct store_batch *batch, struct err *err);

/**
 * As store_commit(), but return at once and call `done` when the outcome is certain.
 *
 * In:      batch  the store's until `done` is called; `done` may release it
 *          done   called once, on the store's writing thread: it must be short and must not wait
 *                 for another commit. r and err as of store_commit(). err borrows
 * Returns: 0 when `done` will be or was called; else it will not: -EAGAIN when too much waits
 *          already; -EINVAL, -ERR_LIMIT as store_commit()
 * Threads: any, `done` included
 */
int store_commit_async(struct store *store, struct store_batch *batch,
        void (*done)(void *ctx, int r, const struct err *err), void *ctx);

/* ---- care ---- */

/**
 * Copy the store into one new file while others read and write. It has what was acknowledged before
 * the call, and whole batches only.
 *
 * In:      path      of a file that is not there yet; it appears when it is whole
 *          progress  told of pages copied and pages in all, which may change; returns 0 to go on,
 *                    anything else to stop. May be NULL
 * Returns: 0; -EEXIST when `path` is there; what `progress` returned; -ERR_FORMAT; -errno
 * Threads: any; writing goes on between steps
 */
int store_backup(struct store *store, const char *path,
        int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct err *err);

/**
 * Make a store of a backup. The backup is looked through first, and stays as it is.
 *
 * In:      path    of a file that store_backup() made
 *          folder  made if missing
 * Returns: 0; -EBUSY when a store is open there; -EEXIST when there is one; -ERR_FORMAT when the
 *          backup is damaged or none; -ERR_UNSUPPORTED when a newer program made it; -errno
 */
int store_restore(const char *path, const char *folder, struct err *err);

/**
 * Look through the whole store for damage, more thoroughly than store_open() does.
 *
 * Returns: 0; -ERR_FORMAT with the first finding; -errno
 * Cost:    reads everything and holds one moment of it, so that the log grows meanwhile
 * Threads: any
 */
int store_check(struct store *store, struct err *err);

/** Steps of the histogram: step i counts commits of less than STORE_STEP_US(i) microseconds that no
 * earlier step counts; the last counts the rest. */
#define STORE_STEPS 16
#define STORE_STEP_US(i) (UINT64_C(128) << (i))

/** Counts since the store was opened, for metrics. */
struct store_stats {
	uint64_t commits;    /* batches that are durable */
	uint64_t refused;    /* batches whose expectation did not hold */
	uint64_t failed;     /* batches that failed otherwise */
	uint64_t groups;     /* transactions that wrote them */
	uint64_t records;    /* puts and deletes in them */
	uint64_t bytes;      /* of their keys and values */
	uint64_t waiting;    /* batches now waiting */
	uint64_t wal_bytes;  /* of the log, now */
	uint64_t file_bytes; /* of the database file, now */
	uint64_t checkpoints, checkpoints_failed;
	uint64_t sync_us;                 /* time in durable commits, in all */
	uint64_t sync_steps[STORE_STEPS]; /* how long they took */
};

/**
 * Read the counts.
 *
 * Threads: any
 */
void store_stats(struct store *store, struct store_stats *ret);
