/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Walk: one parallel pass over directory trees that offers the files somebody wants, opened.
 *
 * Worker threads read folders with openat and getdents64 from a work-stealing queue; whether a file
 * is wanted is decided by its name alone, before any stat. A wanted regular file is opened once,
 * O_NOFOLLOW and O_NONBLOCK, and put in a bounded queue that the caller empties. Links to folders
 * are not followed (roots may be links). Filesystems that are not the host's own disks are not
 * entered unless named. What is left out goes to the caller's `skip`. The number of threads never
 * changes what is offered.
 */

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct walk;
struct walk_dir;

/** One root. */
struct walk_root {
	const char *path; /* absolute inside the host root: "/usr/lib" */
	bool is_named; /* the user named it: entered whatever its filesystem, and a failure to open
	                  it is one */
	bool is_shallow; /* only its own entries and one level of folders: package databases */
};

/** Why the walk leaves something out. Matches model/ledger.h's kinds without knowing them. */
enum walk_skip {
	WALK_SKIP_POLICY,
	WALK_SKIP_FAILURE,
};

struct walk_options {
	int root_fd; /* the folder scanned as "/"; borrowed until walk_free() */
	const struct walk_root *roots;
	size_t n_roots;
	const char *const *excludes; /* shell patterns over whole paths (fnmatch, '*' also matches
	                                '/'), or folder prefixes */
	size_t n_excludes;
	bool one_file_system; /* stay on each root's filesystem */
	unsigned n_threads;   /* 0: one per online CPU, at most 8 */

	/** Is a file wanted? Called from any thread for every name that is no folder. Returns: >= 0
	 * a tag handed back with the file; < 0 no */
	int (*want)(void *ctx, str dir, str name);

	/** Something was left out. Called from any thread, one at a time (under a lock). `path` and
	 * `reason` are borrowed for the call. */
	void (*skip)(void *ctx, enum walk_skip kind, str path, str reason);
	void *ctx;
};

/** A wanted file, opened. Release with walk_file_free(). */
struct walk_file {
	str path; /* absolute inside the root; owned by the file; any bytes */
	int fd;   /* read-only; -1 once taken */
	int tag;  /* what want() returned */
	uint64_t dev, ino, size_bytes;
	struct walk_dir *dir; /* its folder, kept open for siblings */
};

/** Counts, right once walk_next() has said the walk is over; readable at any time for progress. */
struct walk_stats {
	uint64_t directories, files, offered;
};

/**
 * Start the threads.
 *
 * Out:     ret  caller frees
 * Returns: 0; -ENOMEM; -EAGAIN when no thread can be made. Roots that cannot be opened are skips,
 * not errors.
 */
int walk_start(const struct walk_options *options, struct walk **ret, struct err *err);

/** A descriptor that polls readable while walk_next() would not say -EAGAIN. Borrowed. */
int walk_fd(const struct walk *walk);

/**
 * Take the next wanted file.
 *
 * Out:     ret  caller frees; written when 1 is returned
 * Returns: 1; 0 when the walk is over and everything was taken; -EAGAIN when nothing is there yet
 */
int walk_next(struct walk *walk, struct walk_file **ret);

/**
 * Open a file beside another, or in a folder beside it, following no link and leaving the folder
 * never.
 *
 * In:      name  relative: "RECORD", "info/zlib1g.list"
 * Out:     ret_fd  caller closes; regular file;  ret_size_bytes, ret_dev, ret_ino of it
 * Returns: 0; -ENOENT; -EINVAL for a name that would leave the folder; -errno
 */
int walk_sibling(const struct walk_file *file, str name, int *ret_fd, uint64_t *ret_size_bytes,
        uint64_t *ret_dev, uint64_t *ret_ino);

/** Release a file. NULL is a no-op. */
void walk_file_free(struct walk_file *file);

/** Counts so far. */
struct walk_stats walk_stats(const struct walk *walk);

/** Stop the threads, drop what was not taken, release. NULL is a no-op. */
void walk_free(struct walk *walk);

/**
 * Find which file a path inside a root means, following links inside that root only.
 *
 * In:      root_fd  the folder taken as "/"
 *          path     absolute inside it
 * Out:     ret_dev, ret_ino  of what it ends at
 * Returns: 0; -ENOENT; -ELOOP; -errno
 */
int walk_identify(int root_fd, const char *path, uint64_t *ret_dev, uint64_t *ret_ino);

/**
 * Open a file by its path inside a root, following links inside that root only.
 *
 * In:      flags  for openat2: O_PATH, O_RDONLY | O_DIRECTORY, ...; O_CLOEXEC is added
 * Returns: a descriptor that the caller closes; -errno
 */
int walk_open_in_root(int root_fd, const char *path, int flags);
