/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Files of our own: read whole with a bound, replaced atomically. Never used on what a scan finds.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/**
 * Read a whole file and append it to `out`.
 *
 * In:      dir_fd, path  as openat; the maximum is that of `out`
 * Returns: 0; -errno; -ERR_LIMIT when the file is larger than `out` may grow; -ERR_FORMAT when it
 *          is a FIFO, a folder or the like
 */
int fs_read(int dir_fd, const char *path, struct buf *out, struct err *err);

/** Read a descriptor to its end; `name` is for the sentence. Returns: as fs_read() */
int fs_read_fd(int fd, const char *name, struct buf *out, struct err *err);

/**
 * Replace a file so that a reader sees the old bytes or all the new ones, also after a crash:
 * written beside it, synced, renamed, folder synced. On failure the old file stands and nothing is
 * left behind.
 *
 * In:      dir_fd, name  a file name inside dir_fd, which may be AT_FDCWD
 *          mode          permission bits of the new file; 0: those, and the owner, of the file it
 *                        replaces, else 0644
 * Returns: 0; -errno
 */
int fs_replace(int dir_fd, const char *name, str bytes, unsigned mode, struct err *err);

/**
 * Remove what fs_replace() in processes that were killed left in a folder. The caller is the only
 * one who writes there.
 *
 * Returns: 0; -errno
 */
int fs_sweep(int dir_fd);

/**
 * The same as fs_replace() for a file by its whole path, whose folder must be there.
 *
 * Returns: 0; -errno; -EINVAL when the path ends in '/'
 */
int fs_replace_path(const char *path, str bytes, unsigned mode, struct err *err);

/**
 * Make a folder and its missing parents.
 *
 * Returns: 0 also when it is there already; -errno
 */
int fs_make_dirs(const char *path, unsigned mode, struct err *err);

/**
 * Open a folder, making it first if need be.
 *
 * Returns: a descriptor that the caller closes; -errno
 */
int fs_open_dir(const char *path, bool make, struct err *err);

/** Remove a file or a whole folder below dir_fd, following no link. Missing is success. Returns: 0;
 * -errno */
int fs_remove_tree(int dir_fd, const char *name);

/**
 * Close every descriptor of this process but those: in a child that is to find nothing of its
 * parent's. No allocation.
 *
 * In:      keep  any order; negative numbers name none
 */
void fs_close_others(const int *keep, size_t n);
