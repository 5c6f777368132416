/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rpm_image: databases that SQLite makes, damaged or not, and what rpm_sqlite_read() and SQLite
 * itself read of them. For tests; everything fails the running test when it cannot be done.
 */

#include <sqlite3.h>

#include "base/buf.h"
#include "inventory/rpm_sqlite.h"

/** A database in memory: what its reader is given instead of files. */
struct image {
	str db, wal, journal;
	bool has_wal, has_journal;
	int read_error; /* < 0: what reads at or past `error_at` return */
	uint64_t error_at;
	int sibling_error;  /* < 0: what opening a log returns */
	uint64_t wal_size;  /* what the log claims to have; 0: as many as it has */
	int wal_error;      /* < 0: what reading the log returns at or past `error_at` */
	size_t arena_bytes; /* of the job's memory; 0: plenty */
	unsigned n_open;
	str touch; /* on the second read of the header, this stands there instead */
	unsigned n_header_reads;
};

/** What was read. Initialise with HEARD; release with heard_fini(). */
struct heard {
	struct buf rows;  /* "<number> <bytes> <sum>\n" */
	struct buf notes; /* "<number> <what>\n" */
	int answer;
	void (*during)(void); /* called for each header; may be NULL */
};

#define HEARD ((struct heard){ .rows = BUF((size_t)16 << 20), .notes = BUF((size_t)1 << 20) })

/** One test's files: a folder, a database in it that is kept open, and copies of its files. */
struct files {
	char folder[64], db[128], wal[160];
	sqlite3 *handle;
	struct buf db_bytes, wal_bytes;
};

/** Release. */
void heard_fini(struct heard *heard);

/** Is the text among the lines? */
bool heard_has(struct buf *lines, const char *text);

/** Read with rpm_sqlite_read(); what it returned. */
int image_read(struct image *image, struct heard *heard, struct err *err);

/** Make an empty rpm database in a new folder. `mode` is SQLite's journal mode. */
void files_open(struct files *files, const char *mode, int page_bytes);

/** Run SQL in it. */
void files_exec(struct files *files, const char *sql);

/** Add a header of `size` bytes, none of which means anything. */
void files_add(struct files *files, int number, int size);

/** Make one in write-ahead mode with several transactions in its log, and load it. */
void files_fill_log(struct files *files);

/** Take copies of the bytes of both files as they are now. */
void files_load(struct files *files);

/** Those bytes; borrowed. */
struct image files_image(const struct files *files);

/** Does SQLite read the image to its end? Then ours must be equal. */
bool files_compare(const struct files *files, struct image *image);

/** Close it and remove the folder. */
void files_close(struct files *files);

/** Big-endian numbers, as SQLite's files have them. */
uint32_t get_u32be(const char *p);

/** Write one. */
void put_u32be(char *p, uint32_t v);
