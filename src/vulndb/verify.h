/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * verify: are the files of a database those that its manifest names? A file that was hashed once is
 * known by (inode, size, mtime, ctime), kept in the file STAMP_NAME beside it, so that opening is
 * cheap.
 */

#include "base/arena.h"
#include "base/err.h"
#include "vulndb/manifest.h"

/** What tells a file apart from any other, and from itself once it is changed. */
struct file_mark {
	uint64_t ino, size;
	int64_t mtime_ns, ctime_ns;
};

/** The mark of a file, following no link. Returns: 0; -ERR_FORMAT when it is not regular; -errno */
int file_mark_read(int dir_fd, const char *name, struct file_mark *ret);

/** Are they the same? */
bool file_mark_eq(const struct file_mark *a, const struct file_mark *b);

/** What verify_files() found of one file. */
struct file_state {
	struct file_mark mark;
	int r; /* 0; -ERR_FORMAT when it is missing, or not the one named; -errno */
	struct err err;
};

/**
 * Check every file of a manifest, hashing those that the stamp does not vouch for, and renew the
 * stamp if that is possible. A bad file is an answer here: the others are good all the same.
 *
 * Out:     ret  arena; one per file, in the order of manifest_file_at()
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int verify_files(int dir_fd, const struct manifest *manifest, struct arena *arena,
        struct file_state **ret, struct err *err);

/** Hash one file of a manifest. Returns: 0; -ERR_FORMAT when it is another than named; -errno */
int verify_file(int dir_fd, const struct manifest_file *file, struct err *err);

/**
 * Write the stamp for files that the caller has just hashed. Waits some milliseconds if one of them
 * was changed just now: a mark is only good when the clock has ticked since.
 */
void verify_write_stamp(int dir_fd, const struct manifest *manifest);

/**
 * Read the manifest of a folder.
 *
 * In:      path  of the folder, for messages
 * Out:     ret   arena
 * Returns: 0; -ENOENT when there is none; -ERR_FORMAT; -ERR_UNSUPPORTED; -errno
 */
int verify_read_manifest(
        int dir_fd, const char *path, struct arena *arena, struct manifest *ret, struct err *err);
