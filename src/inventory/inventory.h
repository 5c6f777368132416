/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Inventory: which packages a host has, read from the files that record them.
 *
 * One file per reader (deb.c, npm.c, ...); ecosystems.def is the only list of them. Readers are
 * handed artefacts and hand back packages, notes and file ownership: they open nothing, log
 * nothing, keep nothing. They run in a process that may not open files (sandbox/), so a bug costs
 * one artefact.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/package.h"

/**
 * One file that the walker found and opened. Readers see this only; `ops` is the walker's side.
 */
struct artefact {
	str path;            /* absolute inside the root; any bytes */
	uint64_t size_bytes; /* when it was opened; it may have shrunk or grown since */
	uint64_t dev, ino;
	const struct artefact_ops *ops;
	void *ctx;
};

/** How the bytes behind an artefact are had. Every entry is required. */
struct artefact_ops {
	/**
	 * Read at an offset.
	 *
	 * Returns: bytes read, fewer than `n` only at the end of the file; 0 past it; -errno
	 */
	int64_t (*read_at)(const struct artefact *artefact, void *to, size_t n, uint64_t offset);

	/**
	 * Open a file beside this one. Only names that the reader's row lists are given.
	 *
	 * In:      name  relative to this file's folder, no "..": "info/zlib1g:amd64.list"
	 * Out:     ret   a new artefact; release with close()
	 * Returns: 0; -ENOENT when there is none; -EPERM when the row does not list it; -errno
	 */
	int (*sibling)(const struct artefact *artefact, str name, struct artefact *ret);
	void (*close)(struct artefact *artefact); /* NULL ctx is a no-op */
};

/** Where a reader puts what it finds. Everything is copied before a call returns. */
struct sink {
	/**
	 * A package. `path`, `reader`, `dev`, `ino` and `owner` are filled in by the caller when
	 * empty.
	 *
	 * Returns: 0; < 0: stop reading
	 */
	int (*package)(void *ctx, const struct package *pkg);

	/**
	 * A damaged or odd record, which the ledger will tell.
	 *
	 * In:      where  a line, record or byte number as `what` says; 0 for none
	 */
	void (*note)(void *ctx, uint64_t where, const char *what);

	/** The artefact is sound and rightly no package: a helper file, the interpreter itself. */
	void (*skip)(void *ctx, const char *why);

	/**
	 * An OS package's file that another reader would take for a language package's metadata.
	 * Readers ask inventory_is_metadata() about every listed path and pass on those only.
	 *
	 * In:      owner  "deb python3-numpy 1:1.24.2-1"
	 *          path   absolute inside the root, as the database writes it
	 */
	int (*owned)(void *ctx, str owner, str path);
	void *ctx;
};

/** Which names a reader wants. A name matches when every field that is set, with STR(), does. */
struct pattern {
	str dir;         /* exact folder inside the root, "/var/lib/dpkg"; unset: any folder */
	str parent_tail; /* end of the parent folder's name: ".dist-info"; unset: any */
	str name;        /* exact file name; unset: any */
	str name_tail;   /* end of the file name; unset: any */
};

/** The empty row that ends a list of patterns. */
#define PATTERN_END                                                                                \
	{                                                                                          \
		.dir = { NULL, 0 }                                                                 \
	}

/** Is this that row? */
static inline bool pattern_is_end(const struct pattern *pattern)
{
	return !pattern->dir.p && !pattern->parent_tail.p && !pattern->name.p &&
	       !pattern->name_tail.p;
}

/** One reader: a file and a row. Every field is required unless it says otherwise. */
struct reader {
	const char *name;   /* row of ecosystems.def: "deb" */
	const char *title;  /* for people: "Debian packages (dpkg)" */
	const char *source; /* the text this code follows */

	/** An OS package database: its patterns have `dir` and count for the scanned root only. */
	bool is_os;
	const struct pattern *patterns; /* ended by PATTERN_END */

	/** Names given on request, ended by NULL: exact, or one '*' for any bytes but '/'. */
	const char *const *siblings;

	/** Folders to look at even when they are outside the roots, ended by NULL. */
	const char *const *well_known;
	uint64_t max_bytes; /* a larger artefact is not read: the ledger says so */

	/**
	 * Read one artefact.
	 *
	 * In:      artefact  hostile
	 *          arena     this job's memory, capped
	 * Out:     sink      one call per package, in file order; one note per damaged record
	 * Returns: 0; -ERR_FORMAT when this is not such a file at all; -ERR_LIMIT;
	 *          -ERR_UNSUPPORTED; -errno when reading fails; what sink returned
	 */
	int (*read)(const struct artefact *artefact, struct arena *arena, const struct sink *sink,
	        struct err *err);
};

/** Every built-in reader, in the order of ecosystems.def. Static. */
const struct reader *const *reader_all(size_t *ret_count);

/**
 * Which reader wants a file, by its path alone. Called for every name of a walk: no allocation, no
 * I/O.
 *
 * In:      dir   absolute folder inside the root, no trailing '/', "" for the root itself
 *          name  file name
 * Returns: index into reader_all(); -1 when none does
 */
int inventory_select(str dir, str name);

/**
 * Would an OS package database's name be wanted if the scanned root were another one?
 * "/srv/jail/var/lib/dpkg" + "status" is: the ledger tells the user to scan /srv/jail with --root.
 */
bool inventory_is_foreign_database(str dir, str name);

/**
 * Is `path` (absolute inside the root) what a language reader would read? Says which listed files
 * an OS reader passes on.
 */
bool inventory_is_metadata(str path);

/** Does a reader's row list this sibling? The walker asks before it opens anything. */
bool reader_may_see(const struct reader *reader, str name);

/**
 * Read a whole artefact into the arena, as long as it was when it was opened; shorter if it has
 * shrunk.
 *
 * In:      max_bytes  most that is read
 * Out:     ret  arena, a NUL follows
 * Returns: 0; -ERR_LIMIT when it is larger or the arena is full; -errno
 */
int artefact_read_all(const struct artefact *artefact, struct arena *arena, uint64_t max_bytes,
        str *ret, struct err *err);
