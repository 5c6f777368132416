/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * arrange: one feed file into one SQLite file. Layout in vulndb/format.h.
 */

#include "base/arena.h"
#include "base/err.h"
#include "vulndb/manifest.h"
#include "vulndb/store.h"

/** What goes on while a source is arranged. */
struct arrange_progress {
	void (*advance)(void *ctx, uint64_t bytes); /* of the feed file; may be NULL */
	void *ctx;
};

/**
 * Write a source's database.
 *
 * In:      feed  open, nothing read yet
 *          path  of the file to fill: there and empty
 *          arena takes the ecosystems and the filter
 * Out:     ret         its ecosystems and their counts, sorted by name
 *          ret_filter  arena; its filter; untouched when it is a table of CVEs
 * Returns: 0; -ERR_FORMAT when the feed file is damaged; -ERR_LIMIT when it holds more than we
 *          read; -errno
 */
int arrange_source(struct feed_reader *feed, const char *path, struct arena *arena,
        struct manifest_source *ret, str *ret_filter, const struct arrange_progress *progress,
        struct err *err);
