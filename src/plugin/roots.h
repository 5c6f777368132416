/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Custom paths: what the parameter says is to be scanned beside the default roots.
 */

#include "base/arena.h"
#include "base/str.h"

/** Most custom paths: five of the account, five of its organisation; some room for more. */
#define PLUGIN_PATHS_MAX 64

/** Longest path, in bytes. */
#define PLUGIN_PATH_BYTES 512

/** The value of the parameter when there is no path. */
#define PLUGIN_NO_PATHS "NO_PATHS_DEFINED"

/** Paths. Strings are the arena's, each ended by a NUL. */
struct plugin_paths {
	const char *all[PLUGIN_PATHS_MAX];
	size_t n;
};

/**
 * Read the parameter's value: paths separated by commas, blanks around them ignored.
 *
 * In:      value     hostile
 *          rejected  called for each part that is no path: not absolute, too long, "." or ".." in
 *                    it, control bytes, or one too many; PLUGIN_NO_PATHS is one
 * Out:     ret       in their order, each once
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int plugin_paths_read(str value, struct arena *arena, struct plugin_paths *ret,
        void (*rejected)(void *ctx, str part), void *ctx);
