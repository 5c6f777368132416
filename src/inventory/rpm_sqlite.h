/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rpm_sqlite: the headers of an rpm database in SQLite's format. SQLite reads through a filesystem
 * of ours that knows one file, the artefact: it can open, write and map nothing, whatever the
 * database says.
 */

#include "inventory/inventory.h"

/** Where headers go. */
struct rpm_blobs {
	/** A header, borrowed for the call. Returns: 0; < 0: stop reading */
	int (*blob)(void *ctx, uint64_t number, str bytes);

	/** A header that cannot be read, or something about the whole database: `number` is 0 then.
	 */
	void (*note)(void *ctx, uint64_t number, const char *what);
	void *ctx;
};

/**
 * Read every header, in the order of their numbers.
 *
 * A write-ahead log beside the database is merged up to its last commit. Where the tree of records
 * is broken, the rest is read from its other end, and the call fails after that.
 *
 * In:      artefact  "rpmdb.sqlite"; its log and its journal are looked for beside it
 *          arena     takes the index of the log
 * Returns: 0; -ERR_FORMAT when it is no such database or is damaged; -ERR_LIMIT; -errno;
 *          what `blob` returned
 */
int rpm_sqlite_read(const struct artefact *artefact, struct arena *arena,
        const struct rpm_blobs *to, struct err *err);
