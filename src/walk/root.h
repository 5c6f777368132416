/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Paths inside a root folder, resolved component by component: links never lead out of the root.
 */

#include <sys/stat.h>

#include "base/buf.h"
#include "base/str.h"

/** How many links one path may pass, as the kernel's own limit (path_resolution(7)). */
#define ROOT_LINKS_MAX 40

/**
 * Open a path inside a root by hand: one component at a time, O_PATH and O_NOFOLLOW.
 *
 * What openat2() does in one call; for kernels without it, and for callers that need to know where
 * the path really ends. ".." at the root stays there; an absolute link starts again at the root.
 *
 * In:      path   any bytes; a missing '/' in front makes no difference
 *          flags  for the last component, as openat(); with O_NOFOLLOW a link at the end is not
 * followed Out:     ret_real  may be NULL: the path without links, "" for the root itself, else
 * "/a/b" Returns: a descriptor that the caller closes; -ENOENT; -ELOOP; -ENAMETOOLONG; -ENOMEM;
 * -errno
 */
int root_open(int root_fd, str path, int flags, struct buf *ret_real);

/**
 * openat2() without the wrapper that the C library lacks.
 *
 * In:      dir_fd, path  as openat();  flags  O_CLOEXEC is added;  resolve  RESOLVE_*
 * Returns: a descriptor that the caller closes; -ENOSYS or -EPERM where there is no such call;
 * -errno
 */
int root_openat2(int dir_fd, const char *path, int flags, uint64_t resolve);

/** Was this class of openat2() the answer of a kernel, or of a container's filter, that has no such
 * call? */
bool root_lacks_openat2(int r);

/**
 * Open a regular file below a folder, through no link; never opens a device or a FIFO.
 *
 * In:      name  relative, plain components
 * Out:     ret_fd  caller closes;  ret_st  of it
 * Returns: 0; -EINVAL for a name that would leave the folder; -ELOOP for a link; -EISDIR; -ENXIO
 * for what is no file; -errno
 */
int root_open_sibling(int dir_fd, str name, int *ret_fd, struct stat *ret_st);
