/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * inside: what the files of the framework share; handlers need none of it.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "aws/signing_keys.h"
#include "http/http.h"
#include "server/log.h"
#include "server/server.h"

/** Accounts that may be locked at once; more wait. */
#define ACCOUNT_LOCKS_MAX 256

/** Steps of the latency histogram: step i counts calls of less than LATENCY_STEP_US(i); the last
 * counts the rest. */
#define LATENCY_STEPS 12
#define LATENCY_STEP_US(i) (UINT64_C(250) << (2 * (i)))

/** Counts of one operation. */
struct operation_counts {
	_Atomic uint64_t good, refused, failed; /* by status: to 399, to 499, from 500 */
	_Atomic uint64_t us;
	_Atomic uint64_t steps[LATENCY_STEPS];
};

/** The server's own, beside what struct server shows to handlers. */
struct server_inside {
	struct log log;
	struct signing_keys *signing_keys;
	const struct operation *
	        *operations;             /* by index in operation_all(); NULL: not implemented */
	struct operation *rows;          /* of operations.def */
	struct operation_counts *counts; /* as operations, and one more for what is none */
	size_t n_operations;
	struct http *http; /* NULL while nothing is served */
	int64_t started_at;
	_Atomic int64_t fixed_ms;  /* tests: what the clock says; 0: the system's */
	_Atomic uint64_t n_clones; /* calls of machines that are copies of a host */
	_Atomic uint32_t n_audit;  /* tells entries of one second apart */

	/* Accounts that are locked. */
	pthread_mutex_t locks_mutex;
	pthread_cond_t locks_freed;
	int64_t locked[ACCOUNT_LOCKS_MAX]; /* under locks_mutex */
	size_t n_locked;

	/* What the background thread found, for /healthz and /metrics. */
	_Atomic int64_t renewed_at;      /* last look at the vulnerability data that went well */
	_Atomic int64_t store_failed_at; /* last commit that failed for want of space or the like */

	str db_dir; /* of the vulnerability database */
	/* Which manifest was looked at last: the background thread's alone. */
	ino_t manifest_ino;
	struct timespec manifest_mtime;

	pthread_t background;
	pthread_mutex_t stop_mutex;
	pthread_cond_t stop_cond;
	bool is_stopping; /* under stop_mutex */
};

/** The table of operations: operations.def with the shapes of each row. */

/**
 * Make it.
 *
 * Out:     server->inside->operations, counts and n_operations
 * Returns: 0; -ENOMEM; -EINVAL when a row has no shape or stands twice
 */
int operations_make(struct server *server, struct err *err);

/** Release it. */
void operations_free(struct server *server);

/** The row of an operation; NULL when it is not implemented. */
const struct operation *operation_row(
        const struct server *server, const struct operation_shape *shape);

/** What operations.def says of an operation, without a server. False when it is not implemented. */
bool operation_describe(const struct operation_shape *shape, struct operation *ret);

/** May a caller call it? Accounts and hosts that the request names are another question. */
bool may_call(enum may may, const struct caller *caller);

/** Count a call. In: shape NULL for what is no operation */
void metrics_count(
        struct server *server, const struct operation_shape *shape, int status, uint64_t us);

/** Write /metrics. */
void metrics_write(struct server *server, struct buf *out);

/** Write /healthz. Returns: whether all is well */
bool health_write(struct server *server, int64_t now_at, struct buf *out);

/** Is an account's organisation led by a delegated administrator whom it follows? Out: ret, when it
 * does; lives in the arena. */
bool account_has_admin(struct server *server, const struct account *account, struct arena *arena,
        struct organisation *ret);

/** Is any kind of scanning on? */
bool account_is_enabled(const struct account *account);

/** What an account becomes when its organisation takes it in: a member, with what is enabled for
 * new ones. In and out: account. Out: ret, the change that writes it. Returns: 0; -ERR_LIMIT */
int organisation_take_in(const struct organisation *organisation, struct account *account,
        int64_t now_at, struct arena *arena, struct object_change *ret);

/** Prepare the locks of accounts. */
void locks_init(struct server_inside *inside);

/** Release the locks. */
void locks_fini(struct server_inside *inside);
