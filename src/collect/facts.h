/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Facts: what a root says of its system as a whole.
 */

#include "base/arena.h"
#include "model/host.h"

/**
 * Read os-release, machine-id and, when the root is the running system's own, uname.
 *
 * In:      root_fd, root  the scanned root and its name
 * Out:     ret            strings in the arena; os_ fields are empty when no os-release can be read
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int facts_read(int root_fd, const char *root, struct arena *arena, struct host *ret);
