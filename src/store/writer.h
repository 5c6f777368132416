/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * writer: the one thread that writes. Batches wait in a queue; the thread takes what waits, to a
 * bound, as one group, and commits it. While it is syncing, the next group gathers: under load the
 * groups grow by themselves, and a batch that is alone waits for nobody. A second thread gives the
 * backend its turns to tidy up.
 */

#include "store/backend.h"

struct writer;

/**
 * Start the thread.
 *
 * In:      backend, db  borrowed until writer_free()
 * Returns: 0; -errno
 */
int writer_new(const struct store_backend *backend, void *db, struct writer **ret, struct err *err);

/** Finish what waits, stop the thread, release. NULL is a no-op. */
void writer_free(struct writer *writer);

/**
 * Hand over a batch whose done and ctx are set.
 *
 * In:      may_wait  for room when the queue is full
 * Returns: 0; -EAGAIN when it is full and may_wait is false
 */
int writer_add(struct writer *writer, struct store_batch *batch, bool may_wait);

/** Read the counts that the writer keeps. */
void writer_stats(struct writer *writer, struct store_stats *ret);
