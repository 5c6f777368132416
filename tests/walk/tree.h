/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What the tests of walk/ share: a temporary tree, and a walk run to its end with all that it told.
 */

#include <sys/types.h>

#include "walk/walk.h"

/** A temporary folder, used as the root of walks. */
struct tree {
	char path[4096];
	int fd;
};

/** Make one, readable by everybody. Ends the test on failure. */
void tree_init(struct tree *tree);

/** Make one in memory, if there is a place: many files cost a disk much. */
void tree_init_large(struct tree *tree);

/** Remove it with all that is in it. */
void tree_fini(struct tree *tree);

/** Make a folder and its parents. */
void tree_dir(const struct tree *tree, const char *path);

/** Make a file of some bytes, and its folders. */
void tree_file(const struct tree *tree, const char *path);

/** Make a link. */
void tree_link(const struct tree *tree, const char *target, const char *path);

/** The full path of something in the tree, in one of a few static buffers that take turns. */
const char *tree_at(const struct tree *tree, const char *path);

/** All that one walk said. */
struct outcome {
	char **files; /* paths offered, sorted */
	size_t n_files;
	char **skips; /* "policy PATH: REASON" or "failure PATH: REASON", sorted */
	size_t n_skips;
	struct walk_stats stats;
};

/** The file name that outcome_run() wants, with the tag 7, when options.want is NULL. */
#define WANTED "wanted"

/** Run a walk to its end. In: options  want, skip and ctx are set here unless want is set; roots
 * NULL: "/", named */
void outcome_run(struct outcome *outcome, const struct tree *tree, struct walk_options options);

/** Release. */
void outcome_fini(struct outcome *outcome);

/** Compare what was offered, or told, with lines in order, each ended by '\n'. */
bool outcome_has_files(const struct outcome *outcome, const char *lines);
bool outcome_has_skips(const struct outcome *outcome, const char *lines);

/** Run a walk and require files and skips. */
void assert_walk(
        const struct tree *tree, struct walk_options options, const char *files, const char *skips);

/** Call fn in a child process. Returns: its wait status; 0 when fn returned true */
int run_in_child(bool (*fn)(void *ctx), void *ctx);

/** Give this process its own mounts. Returns: false, with a line that says what is missing */
bool may_mount(void);

/** Make openat2() fail with ENOSYS in this process, for good. Returns: false when there are no
 * filters */
bool hide_openat2(void);
