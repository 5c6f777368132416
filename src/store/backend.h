/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * backend: what a database must be able to do to hold the store. One backend is one table of
 * functions; store.c, writer.c and batch.c do the rest and check every bound before they call.
 */

#include "base/buf.h"
#include "store/store.h"

enum store_entry_type {
	STORE_PUT,
	STORE_DELETE,
	STORE_DELETE_RANGE,
	STORE_EXPECT_ABSENT,
	STORE_EXPECT,
};

/** One step of a batch; all in the batch's arena. */
struct store_entry {
	struct store_entry *next;
	enum store_entry_type type;
	struct store_key key; /* of a range: where it begins; key.key may then be empty */
	str value;            /* of a range: where it ends, empty for no bound */
	unsigned most;        /* of a range */
};

/** Where a piece of a scan begins, and what bounds it. */
struct store_read {
	int kind;
	int64_t account; /* of the first record */
	int bucket;
	str from;             /* first key; may be empty, and one byte longer than a key */
	str to;               /* in one part: the first key not to be read; empty: no bound */
	int64_t account_last; /* across parts: the last account to be read */
	bool keys_only;
};

/** Records of one piece, in order: store_piece_add() writes them and store_piece_next() reads. */
struct store_piece {
	struct buf bytes;
	size_t n;
};

/** A piece is full with so many records, or with more than so many bytes. */
#define STORE_PIECE_RECORDS 256
#define STORE_PIECE_BYTES ((size_t)1 << 20)

/**
 * A backend. Every function is required. `db` is what open gave; all but open and close are called
 * by any thread at any time, apply and care by one thread at a time.
 *
 * Expected classes, where nothing else is said: 0; -ERR_FORMAT for damage; -ETIMEDOUT for a read
 * that took too long; -errno. The sentence is always set.
 */
struct store_backend {
	const char *name;

	/** Open and lock. Contract: store_open() */
	int (*open)(const char *place, unsigned flags, void **ret_db, struct err *err);

	/** Close what open gave; no other call runs. */
	void (*close)(void *db);

	/** Read one record. Contract: store_get() */
	int (*get)(void *db, const struct store_key *key, struct arena *arena, str *ret_value,
	        struct err *err);

	/**
	 * Append records of one account and bucket to a piece, in key order, until it is full.
	 *
	 * Returns: 1 when the piece is full: there may be more; 0
	 */
	int (*read_part)(void *db, const struct store_read *read, struct store_piece *piece,
	        struct err *err);

	/** The same across accounts and buckets, in the order (account, bucket, key), to the end of
	 * account_last. */
	int (*read_all)(void *db, const struct store_read *read, struct store_piece *piece,
	        struct err *err);

	/**
	 * Find the first (account, bucket) after read's, to account_last, that has records of the
	 * kind.
	 *
	 * Returns: 1 and both are set; 0 when there is none
	 */
	int (*next_part)(void *db, const struct store_read *read, int64_t *ret_account,
	        int *ret_bucket, struct err *err);

	/**
	 * Write batches in one transaction, in their order.
	 *
	 * A batch whose expectation does not hold leaves nothing behind and hinders no other: its
	 * result is -EEXIST or -ESTALE, and its err says which record. Of the others the result is
	 * 0 and n_deleted is set.
	 *
	 * In:      first         linked by next
	 * Out:     ret_sync_us   what making it durable took
	 * Returns: 0 when all of it is durable; else nothing of it is
	 */
	int (*apply)(void *db, struct store_batch *first, uint64_t *ret_sync_us, struct err *err);

	/**
	 * Do what the log needs. Called after groups of batches, and now and then when idle, on a
	 * thread of its own: the next group need not wait.
	 *
	 * Returns: 1 when something was done; 0; a failure, after which it is called again later
	 */
	int (*care)(void *db, bool is_idle);

	/** Contract: store_backup() */
	int (*backup)(void *db, const char *path,
	        int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
	        struct err *err);

	/** Contract: store_restore() */
	int (*restore)(const char *path, const char *place, struct err *err);

	/** Contract: store_check() */
	int (*check)(void *db, struct err *err);

	/** Set wal_bytes and file_bytes. */
	void (*measure)(void *db, struct store_stats *stats);
};

/** SQLite 3, in a folder. The backend of store_open(). */
extern const struct store_backend store_sqlite;

/**
 * Add a record to a piece.
 *
 * Returns: 1 when the piece is full; 0; -ENOMEM
 */
int store_piece_add(struct store_piece *piece, int64_t account, int bucket, str key, str value);
