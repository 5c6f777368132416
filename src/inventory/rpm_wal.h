/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rpm_wal: the pages that a SQLite database has committed but not yet moved into its main file.
 * Read by us, because SQLite would need to write beside the database to read them.
 */

#include "inventory/inventory.h"

/** A page and the last frame that holds it. */
struct rpm_wal_page {
	uint32_t page;  /* from 1 */
	uint32_t frame; /* from 0 */
};

/** A write-ahead log up to its last commit. Zero is an empty one. Close with rpm_wal_close(). */
struct rpm_wal {
	struct artefact file;       /* of ours while it is open */
	uint32_t page_bytes;        /* 0: nothing to merge */
	uint32_t n_database_pages;  /* of the database after the last commit */
	struct rpm_wal_page *pages; /* arena; sorted by page, each once */
	size_t n_pages;
	unsigned char header[32]; /* as it was, to see whether it is still the same log */
	const char *oddity;       /* static: what is wrong with it; NULL for nothing */
};

/**
 * Open the log beside a database and find what it holds.
 *
 * In:      name   of the log: "rpmdb.sqlite-wal"
 *          arena  takes the index and one page
 * Out:     ret    caller closes; empty when there is no log or none to merge: see `oddity`
 * Returns: 0; -ERR_LIMIT; -errno when reading fails
 * Source:  SQLite, fileformat2.html section 4 and walformat.html
 */
int rpm_wal_open(const struct artefact *database, str name, struct arena *arena,
        struct rpm_wal *ret, struct err *err);

/**
 * Where the log holds a page.
 *
 * Out:     ret_offset  of the page's bytes in the log's file; written on success only
 */
bool rpm_wal_find(const struct rpm_wal *wal, uint32_t page, uint64_t *ret_offset);

/** Is it still the log that was opened? A database in use may have begun a new one. */
bool rpm_wal_is_unchanged(const struct rpm_wal *wal);

/** Release. A zeroed log is a no-op. */
void rpm_wal_close(struct rpm_wal *wal);
