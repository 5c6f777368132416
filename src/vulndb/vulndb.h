/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Vulnerability database: compiled from the feed store, read by matching.
 *
 * A folder with one immutable SQLite file per source and a manifest that names each with its
 * SHA-256. The manifest is replaced last and by rename, so a reader sees the old data or the new,
 * never a mixture. What was verified is remembered by (inode, size, mtime, ctime), and anything
 * else is hashed again. A source whose file is not what the manifest says gives no answers, and is
 * a sentence in vulndb_problems(): the other sources answer as if it were not there.
 */

#include "base/arena.h"
#include "base/err.h"
#include "model/advisory.h"

/** Why a record was not used. The names are in reason_name(); there is no "other". */
enum reason {
	REASON_USED,
	REASON_NOT_JSON,   /* the text is not JSON, or not an object */
	REASON_NO_ID,      /* no usable `id` */
	REASON_WITHDRAWN,  /* its publisher took it back */
	REASON_MALICIOUS,  /* a MAL- record: a class of its own, not imported yet */
	REASON_NO_PACKAGE, /* nothing in `affected` names a package */
	REASON_ONLY_GIT,   /* its packages have only GIT ranges and no versions */
	REASON_NO_RANGE,   /* its packages have neither ranges nor versions */
	REASON_BAD_EVENT,  /* its ranges have no usable event */
	REASON_TOO_LARGE,  /* larger than the limits of docs/vulndb-format.md */
	REASON_DUPLICATE,  /* the same id stands earlier in the same source */
	REASON_UNREADABLE, /* the zip's entry is damaged, encrypted or of an unknown method */
	REASON_BAD_ROW,    /* a line of EPSS or an entry of KEV that is not what it should be */
	REASON_COUNT,
};

/** The reason as a phrase: "withdrawn", "only GIT ranges". Static. */
const char *reason_name(enum reason reason);

struct vulndb;

/** One source of a database. Strings borrow from the database. */
struct vulndb_source {
	str name;           /* "osv/PyPI", "epss", "kev" */
	str kind;           /* row of feeds.def: "osv" */
	str newest;         /* newest `modified` of its records, RFC 3339; empty when it has none */
	str licence;        /* what the source may be used for, and whom to name */
	uint64_t n_records; /* usable records */
	uint64_t n_left_out;
	const uint64_t *by_reason; /* REASON_COUNT numbers; n_records is that of REASON_USED */
	str file, sha256;
};

/**
 * Open a database. Ask vulndb_problems() then, and again at the end.
 *
 * In:      dir  the folder that vulndb_build() filled
 * Out:     ret  caller closes
 * Returns: 0, also when files of sources are damaged, foreign or missing; -ENOENT when there is no
 *          database; -ERR_FORMAT when its manifest is damaged or foreign; -ERR_UNSUPPORTED when it
 *          was made by a newer or an older program
 */
int vulndb_open(const char *dir, struct vulndb **ret, struct err *err);

/** Close. NULL is a no-op. */
void vulndb_close(struct vulndb *db);

/** SHA-256 over everything the manifest names: names the data in reports. Borrows, hexadecimal. */
str vulndb_digest(const struct vulndb *db);

/** The newest `modified` of all inputs, RFC 3339: the date of the data, not of the build. Borrows.
 */
str vulndb_built_at(const struct vulndb *db);

/** The sources, sorted by name. Borrows. */
const struct vulndb_source *vulndb_sources(const struct vulndb *db, size_t *ret_count);

/** A source that is left out of all answers since the problem was found. Strings borrow. */
struct vulndb_problem {
	str source; /* as in struct vulndb_source; empty: the filter, which costs only time */
	str text;   /* names the file and says what is wrong */
};

/**
 * The problems so far, in the order they were found: those that show at opening, and those that a
 * look-up met later. An answer is complete only if this is empty after it.
 *
 * Out:     ret_count  grows with look-ups; at most one per source, and one
 * Returns: borrows from the database; entries stay as they are
 */
const struct vulndb_problem *vulndb_problems(const struct vulndb *db, size_t *ret_count);

/** Does any source, of those without a problem, say anything about this ecosystem, release included
 * ("Debian:12")? */
bool vulndb_covers(const struct vulndb *db, str ecosystem);

/** How many affected packages the sources without a problem name together for an ecosystem, release
 * included. */
uint64_t vulndb_coverage(const struct vulndb *db, str ecosystem);

/**
 * Everything that is said to affect a package.
 *
 * In:      ecosystem  with the release: "Debian:12", "PyPI"
 *          name       as ecosystem_normal_name() gives it
 * Out:     ret, ret_count  arena; ordered by source, record and position; written on success only
 * Returns: 0, also when a source turns out to be damaged: see vulndb_problems();
 *          -ERR_LIMIT when the arena is full; -errno (no memory, no descriptor)
 */
int vulndb_affecting(struct vulndb *db, str ecosystem, str name, struct arena *arena,
        const struct advisory_affected **ret, size_t *ret_count, struct err *err);

/**
 * Every record that names an id: as its own id, an alias, or its upstream (or `related`, for
 * sources that use it so).
 *
 * Out:     ret, ret_count  arena; ordered by source and id; `details` and `references` are empty
 *          here: they are packed, and vulndb_record() unpacks them
 * Returns: as vulndb_affecting()
 */
int vulndb_naming(struct vulndb *db, str id, struct arena *arena, const struct advisory **ret,
        size_t *ret_count, struct err *err);

/**
 * One record, whole.
 *
 * Out:     ret  arena; nothing but id and source when the source has a problem: what it affects may
 *               have been answered before that was found
 * Returns: 0; -ENOENT; else as vulndb_affecting()
 */
int vulndb_record(struct vulndb *db, str source, str id, struct arena *arena, struct advisory *ret,
        struct err *err);

/** Everything one record affects; as vulndb_affecting(), but asked by record. Also -ENOENT. */
int vulndb_affected_by(struct vulndb *db, str source, str id, struct arena *arena,
        const struct advisory_affected **ret, size_t *ret_count, struct err *err);

/** EPSS probability (0 to 1) of a CVE. Returns: 0; -ENOENT; -errno */
int vulndb_epss(struct vulndb *db, str cve, double *ret, struct err *err);

/** Is a CVE in CISA's catalogue of exploited vulnerabilities? Returns: 1, 0; -errno */
int vulndb_is_kev(struct vulndb *db, str cve, struct err *err);

/** The same, and when it was added: ret_day is the day as YYYYMMDD, 0 when the catalogue has no
 * date of it; written when the result is 1. */
int vulndb_kev_added(struct vulndb *db, str cve, uint32_t *ret_day, struct err *err);

/**
 * Read every byte of every file: digests, the databases' own integrity, the checksum of each row.
 *
 * Out:     told  called once per file with its result; may be NULL
 * Returns: 0; -ENOENT; -ERR_FORMAT when anything is wrong
 */
int vulndb_verify(const char *dir, void (*told)(void *ctx, const char *file, const char *problem),
        void *ctx, struct err *err);

/** What importing one source gave. Sum of by_reason = n_records. */
struct import_result {
	char source[128];
	uint64_t n_records, by_reason[REASON_COUNT];
	uint64_t n_bytes;    /* of text read, decompressed */
	uint64_t n_replaced; /* records of the file in the store that this import took the place of;
	                        0 when there was none, and in a build */
	char problem[248];   /* why it could not be imported, and the old one stands; else empty */
};

/** What an import tells while it works. Called from one thread at a time; any entry may be NULL. */
struct import_listener {
	void (*source)(void *ctx, const struct import_result *result);
	/** A record left out, or oddly used: "osv/PyPI", "PYSEC-2021-1.json", "withdrawn". */
	void (*record)(void *ctx, const char *source, const char *record, const char *what);
	/** A file that belongs to no feed we know, or to an older issue of one. */
	void (*ignored)(void *ctx, const char *path, const char *why);
	void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
	void *ctx;
	/** The clock, in seconds since 1970 UTC: an issue dated more than two days after it is not
	 * taken for newer than another. 0: dates are believed. */
	int64_t now_at;
};

/**
 * Normalise published feeds into the feed store.
 *
 * In:      paths      files and folders: a folder of <Ecosystem>/all.zip, one zip, loose JSON,
 *                     EPSS (epss_scores-*.csv[.gz]), KEV (known_exploited_vulnerabilities.json),
 *                     or a folder of these
 *          feed_dir   the store; made when missing; one file per source, replaced atomically
 *          n_threads  0: one per CPU
 * Returns: 0 when at least one source was imported, or the store has a newer issue already;
 *          -ENOENT when a path does not exist, or nothing in `paths` is a feed;
 *          -ERR_FORMAT when every source found was unusable;
 *          -errno (a full disk: the old files stand)
 * Cost:    one pass over the text; sources in parallel
 */
int feed_import(const char *const *paths, size_t n_paths, const char *feed_dir, unsigned n_threads,
        const struct import_listener *listener, struct err *err);

/**
 * Compile the feed store to a database. The same store gives the same bytes.
 *
 * In:      db_dir  made when missing; its old data stand until everything new is in place
 * Returns: 0; -ENOENT when the store is empty; -ERR_FORMAT when a store file is damaged; -errno
 */
int vulndb_build(const char *feed_dir, const char *db_dir, unsigned n_threads,
        const struct import_listener *listener, struct err *err);

/** One kind of feed: a row of feeds.def. Every field is static. */
struct feed_info {
	const char *name; /* "osv" */
	const char *title;
	const char *url; /* where it is published; "{ECOSYSTEM}" stands for each of `list_url` */
	const char *list_url; /* a text file with one ecosystem a line; NULL for a single file */
	const char *licence;
	const char *format; /* the document its importer follows */
};

/** The rows of feeds.def, for `db update` and `db licenses`. */
const struct feed_info *feed_all(size_t *ret_count);
