/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * feed: what an importer is given and must do. One file per kind (feed_osv.c, ...); feeds.def is
 * the only list of them.
 */

#include "base/buf.h"
#include "base/err.h"
#include "vulndb/stamp.h"
#include "vulndb/store.h"
#include "vulndb/vulndb.h"

/** One source that was found below the given paths. */
struct found {
	char name[SOURCE_MAX_BYTES + 1]; /* "osv/PyPI" */
	const struct feed *feed;
	char **paths; /* one archive or table, or the loose files in order; owned */
	size_t n_paths, cap_paths;
	bool is_loose;
	uint64_t bytes; /* of all files */
	bool has_date;
	struct stamp date; /* of the issue, for kinds of which only the newest counts */
	bool is_ahead;     /* it had a date that cannot be: has_date is false */
};

/** The import of one source: what it reads, and what it tells. Owned by one thread. */
struct job {
	const struct found *found;
	int dir_fd; /* the feed store */
	struct import_result result;
	char newest[64]; /* newest date seen, as written */
	struct stamp newest_at;
	struct buf told;                /* pairs of texts: record, what */
	uint64_t n_untold;              /* more than `told` may hold */
	uint64_t n_advanced, n_pending; /* of found->bytes: told as progress, and not yet */
	void (*advance)(void *ctx, uint64_t bytes);
	void *ctx;
};

/** What a file shows before it is read. */
struct feed_sight {
	str path, name; /* whole path, and its last component */
	str head;       /* first bytes, unpacked if it is a gzip file */
};

/** One kind of feed. */
struct feed {
	const char *name; /* as in feed_all() */
	bool only_newest; /* of several issues, only the newest counts */

	/** Is this a file of the feed? Loose JSON records are found in another way: see find.c. */
	bool (*claims)(const struct feed_sight *sight);

	/** The date of an issue; NULL unless only_newest. False when it shows none. */
	bool (*date)(const struct feed_sight *sight, struct stamp *ret);

	/**
	 * Read the source and put its file into the store.
	 *
	 * Out:     job  counts and messages
	 * Returns: 0; -ERR_FORMAT or -ERR_LIMIT when it is unusable as a whole; -errno
	 */
	int (*import)(struct job *job, struct err *err);
};

/** The row of a kind; NULL if there is none. */
const struct feed *feed_find(str name);

/** The i-th row; NULL behind the last. */
const struct feed *feed_at(size_t i);

/** Count a record that was not used, and tell why. */
void job_left_out(struct job *job, str record, enum reason reason);

/** Tell something odd of a record. */
void job_tell(struct job *job, str record, str what);

/** Take note of a date: the newest one that is a date is kept. */
void job_date(struct job *job, str date);

/** So many more bytes of the source's files are done. */
void job_advance(struct job *job, uint64_t bytes);

/**
 * Complete a feed file with the job's counts.
 *
 * In:      licence  what the source may be used for, and whom to name
 * Returns: 0; -ERR_FORMAT when nothing in it was a record of the feed; -errno
 */
int job_commit(struct job *job, struct feed_writer *writer, str licence, struct err *err);

/**
 * Read a whole file; unpack it if it is gzip.
 *
 * Out:     out  appended; its maximum is the limit, for the packed and the unpacked bytes each
 * Returns: 0; -ERR_FORMAT when the gzip data are damaged or truncated; -ERR_LIMIT; -errno
 */
int feed_read_file(const char *path, struct buf *out, struct err *err);

/**
 * Read the first bytes of an open regular file, unpacked if it is gzip.
 *
 * Out:     out  appended, as much as its maximum allows
 * Returns: 0; -errno
 */
int feed_read_head(int fd, struct buf *out);

/** Is an issue dated further ahead of the clock than time zones and clocks explain? */
bool feed_is_ahead(struct stamp date, const struct import_listener *listener);

/** A set of sources found. */
struct found_list {
	struct found *items;
	size_t n, cap;
};

/** Release. A zeroed list is a no-op. */
void found_list_fini(struct found_list *list);

/**
 * Find the feeds below the given paths. Symbolic links below them are not followed.
 *
 * Out:     ret  sorted by name, each name once; caller releases, also on failure
 *          listener  told of every file that belongs to no feed, or to an older issue
 * Returns: 0; -ENOENT when a path does not exist; -ERR_LIMIT; -errno
 */
int found_list_fill(const char *const *paths, size_t n_paths, struct found_list *ret,
        const struct import_listener *listener, struct err *err);
