/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Pool: the parser processes, seen from the walker's side. A parser that dies or hangs costs the
 * artefact it had.
 */

#include "base/err.h"
#include "base/str.h"
#include "model/package.h"
#include "walk/walk.h"

struct pool;
struct pace;

/** What the parsers must keep to. Zero is the default of every field. */
struct pool_limits {
	struct pace *pace;  /* borrowed; NULL: none */
	uint64_t job_bytes; /* memory for one file; 0: 1 GiB */
};

/** What comes back. Called from the thread that runs pool_turn(); strings are borrowed for the
 * call. */
struct pool_listener {
	/** A package of `file`, checked; `path` and the rest that the parser may not say are filled
	 * in. Returns: 0, or < 0: stop. */
	int (*package)(void *ctx, const struct walk_file *file, const struct package *pkg);
	/** A damaged record of `file`. */
	int (*note)(void *ctx, const struct walk_file *file, uint64_t where, str what);
	/** `file` is sound and rightly no package. */
	int (*skip)(void *ctx, const struct walk_file *file, str why);
	/** A path that an OS package owns. */
	int (*owned)(void *ctx, str owner, str path);
	/** `file` is done: code 0 or < 0 with a sentence. The pool frees it after the call. */
	int (*done)(void *ctx, const struct walk_file *file, int code, str sentence);
	void *ctx;
};

/**
 * Start the processes. Called before the walk's threads exist.
 *
 * In:      limits  NULL: none
 * Out:     ret  caller frees
 * Returns: 0; -errno
 */
int pool_start(unsigned n_parsers, const struct pool_limits *limits,
        const struct pool_listener *listener, struct pool **ret, struct err *err);

/** Is a parser free to take a file? */
bool pool_has_room(const struct pool *pool);

/** Is any file still being read? */
bool pool_is_busy(const struct pool *pool);

/**
 * Give a file to a free parser; the pool owns it from here on. Its tag is the index of the reader.
 *
 * Returns: 0, also when it failed at once, which is told as done(); what done() returned if < 0
 */
int pool_give(struct pool *pool, struct walk_file *file);

/**
 * Wait until a parser speaks, the descriptor is readable, or the time is over, and serve what there
 * is.
 *
 * In:      fd          polled too; -1 for none
 *          timeout_ms  most that it waits
 * Returns: 0; < 0 what a listener returned, or -errno
 */
int pool_turn(struct pool *pool, int fd, int timeout_ms);

/** Most parsers of a pool. */
#define POOL_PARSERS_MAX 16

/** The parsers that run. Out: ret_pids  room for POOL_PARSERS_MAX. Returns: how many */
size_t pool_pids(const struct pool *pool, pid_t *ret_pids);

/** End the processes and release. NULL is a no-op. */
void pool_free(struct pool *pool);
