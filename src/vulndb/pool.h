/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pool: a number of independent jobs on a few threads, and a lock on the folder they fill.
 */

#include <stddef.h>

#include "base/err.h"

/**
 * Run jobs 0 to n_jobs - 1, each once, the lower numbers first.
 *
 * In:      n_threads  0: one per CPU this process may use; the caller's thread is one of them
 *          run        called from any of the threads
 */
void pool_run(unsigned n_threads, size_t n_jobs, void (*run)(void *ctx, size_t i), void *ctx);

/**
 * Take the lock of a folder: one import, or one build, at a time. Waits for the holder. The lock
 * goes with the descriptor. Leftovers of runs that were killed (".*.new") are removed.
 *
 * Returns: a descriptor that the caller closes; -errno
 */
int pool_lock_folder(int dir_fd, const char *path, struct err *err);
