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
 * Take the lock: shared (waits for a build that is removing files, which is short), or alone (never
 * waits).
 *
 * Returns: a descriptor that holds it, closed by the caller; -1 when it cannot be had. A reader
 * goes on without: a database on read-only media has no lock file and no builds.
 */
int readers_lock(int dir_fd, bool alone);
