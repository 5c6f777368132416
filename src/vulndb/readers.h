/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * readers: the lock that keeps the files of a database in place while somebody reads it.
 */

#include <stdbool.h>

#include "base/err.h"

/** Make the lock file, so that readers without the right to write find one. Returns: 0; -errno */
int readers_make(int dir_fd, const char *path, struct err *err);

/**
 * Take the lock: shared (waits a little for a build that is removing files), or alone (at once or
 * not at all).
 *
 * Returns: a descriptor that holds it, closed by the caller; -1 when it cannot be had. A reader
 *          goes on without: a database on read-only media has no lock file and no builds, and
 *          whoever may read the file could hold the lock for ever.
 */
int readers_lock(int dir_fd, bool alone);
