/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Walk: one parallel pass over directory trees that offers the files somebody wants, opened.
 *
 * Worker threads read folders with openat and getdents64 from a work-stealing queue; whether a file
 * is wanted is decided by its name alone, before any stat. A wanted regular file is opened once,
 * O_NOFOLLOW and O_NONBLOCK, and put in a bounded queue that the caller empties. Links to folders
 * are not followed (roots may be links). What is left out goes to the caller's `skip`. The number
 * of threads never changes what is offered.
 *
 * Filesystems: those of the kernel, of the network and of FUSE, memory filesystems below /run, /dev
 * and /sys, container engines' storage and containers' root filesystems are not entered, unless
 * they are, or hold, a named root. Everything else is: a type that is not known is taken for a
 * disk. Snaps and flatpaks are software of the host. Mounts that come up while the walk runs are
 * judged when they are met.
 *
 * Every folder is met once. Of overlapping roots, the first in the caller's order that covers a
 * folder gives its path. Of several mounts of one folder (bind mounts) one is read and the others
 * are told with its path; what only the others show, is read there. This takes /proc; without it a
 * folder mounted twice is read twice.
 */

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct walk;
struct walk_dir;

/** One root: a folder, or a file that is then the only candidate. */
struct walk_root {
	const char *path; /* absolute inside the host root: "/usr/lib" */
	bool is_named;   /* by the user: whatever its filesystem; failing to open it is a failure */
	bool is_shallow; /* only its own entries and one level of folders: package databases */
};

/** Why the walk leaves something out. Matches model/ledger.h's kinds without knowing them. */
enum walk_skip {
	WALK_SKIP_POLICY,
	WALK_SKIP_FAILURE,
};

/** What to walk, and for whom. Strings and arrays may go after walk_start(). */
struct walk_options {
	int root_fd; /* the folder scanned as "/"; borrowed until walk_free() */
	const struct walk_root *roots;
	size_t n_roots;
	/* Shell patterns over whole paths ('*' also matches '/'), or folders with all below them.
	 */
	const char *const *excludes;
	size_t n_excludes;
	bool one_file_system; /* stay on each root's filesystem */
	unsigned n_threads;   /* 0: one per CPU of this process, at most 8; never more than 64 */

	/**
	 * Is a file wanted? Called from any thread for every name that is no folder. `dir` has no
	 * slash at its end; "" is the root. Returns: >= 0 a tag handed back with the file; < 0 no
	 */
	int (*want)(void *ctx, str dir, str name);

	/**
	 * Something was left out. Called from any thread, one at a time (under a lock), and from
	 * walk_start(). `path` and `reason` are borrowed for the call.
	 */
	void (*skip)(void *ctx, enum walk_skip kind, str path, str reason);

	/**
	 * Slow the walk down. Called from any thread between folders, and now and then inside a
	 * large one; may block, but not for long. NULL: nobody slows it. Returns: true: ask again
	 */
	bool (*pace)(void *ctx);
	void *ctx;
};

/** A wanted file, opened. Release with walk_file_free(), before or after the walk's own end. */
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
 * Start the threads. They use up to seven eighths of the descriptors that RLIMIT_NOFILE allows;
 * short of them they open folders by path, and wait a little for files to be released.
 *
 * Out:     ret  caller frees
 * Returns: 0; -ENOMEM; -ERR_LIMIT for too many roots; -EAGAIN when no thread can be made; -EMFILE.
 *          Roots that cannot be opened are skips, not errors.
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
 * Returns: 0; -ENOENT; -EINVAL for a name that would leave the folder; -ELOOP for a link; -EISDIR;
 *          -ENXIO for what is no file; -errno
 */
int walk_sibling(const struct walk_file *file, str name, int *ret_fd, uint64_t *ret_size_bytes,
        uint64_t *ret_dev, uint64_t *ret_ino);

/** Release a file. NULL is a no-op. */
void walk_file_free(struct walk_file *file);

/** Counts so far. */
struct walk_stats walk_stats(const struct walk *walk);

/**
 * Counts of what was read for one root so far, `offered` aside: what an earlier root covers is that
 * one's.
 *
 * In:      root  index into the options' roots
 */
struct walk_stats walk_root_stats(const struct walk *walk, size_t root);

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
