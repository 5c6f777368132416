/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Owners: which language metadata belongs to a package of the operating system.
 */

#include "base/arena.h"
#include "base/str.h"
#include "model/package.h"

/** Paths that OS packages list. Initialise with zero and an arena. */
struct owners {
	struct arena *arena;
	struct owned_path {
		str owner, path;
	} * paths;
	size_t n, cap;
};

/**
 * Remember that an OS package lists a path.
 *
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int owners_add(struct owners *owners, str owner, str path);

/**
 * Fill in `owner` of every language package whose file an OS package lists. The listed path is
 * followed through links inside the root to the file it means, and files are compared by (device,
 * inode): so a list that says /lib/python3 owns what was found below /usr/lib/python3. Two packages
 * that list one file: the first listed owns it.
 *
 * In:      root_fd  the scanned root
 *          into     takes the owners' names
 * Returns: 0; -ERR_LIMIT when an arena is full
 */
int owners_apply(const struct owners *owners, int root_fd, struct package *packages,
        size_t n_packages, struct arena *into);
