/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The plan of a walk, made before any thread starts: where it begins, and which paths it stops at.
 *
 * All questions whose answer could depend on which thread comes first are settled here: which of
 * several overlapping roots reports a folder, and which of several mounts of one folder is entered.
 */

#include <stdatomic.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "walk/mounts.h"
#include "walk/walk.h"

/** What was read from one start on; any thread adds. */
struct start_counts {
	atomic_ullong n_directories, n_files;
};

/** Where the walk begins: a root, or a mount inside one that cannot be reached otherwise. */
struct start {
	str path; /* as it is reported: "" for "/", "/usr/lib"; arena */
	str real; /* the same without links; of a file: its folder; arena */
	int fd;   /* O_PATH; the folder itself, or the one that holds the file; owned */
	uint64_t dev, ino;
	str file; /* a root may be a file: its name in the folder; else empty; arena */
	bool is_named, is_shallow, is_in_storage;
	bool is_dropped;             /* another start comes by here */
	size_t root;                 /* index of the root that it is, or is reported below */
	struct start_counts *counts; /* arena */
};

/** What to do at a path. */
enum rule_kind {
	RULE_ENTER, /* another filesystem, entered */
	RULE_SKIP,  /* not entered, and told */
	RULE_START, /* not entered from here: a start of its own */
};

/** One path at which the walk stops to think. */
struct rule {
	str path; /* without links; arena */
	enum rule_kind kind;
	const char *reason; /* of RULE_SKIP; static or arena */
};

/** A plan. Initialise with plan_init(), release with plan_fini(). */
struct plan {
	struct arena arena;
	const struct walk_options *options; /* borrowed; strings copied into the arena */
	struct mounts mounts;
	struct start *starts;
	size_t n_starts, cap_starts;
	struct rule *rules; /* sorted by path */
	size_t n_rules, cap_rules;
	bool is_settled;      /* where one start stops for another is known */
	uint64_t may_end[64]; /* one bit per hash of the last bytes of a path at which there is a
	                         rule */
};

/** Deepest folder below a start that is read. */
#define WALK_DEPTH_MAX 1024

/**
 * Make the plan: read the mount table, resolve the roots, settle overlaps.
 *
 * In:      options  its skip() is told of roots that cannot be opened and of what they leave out
 * Out:     plan     caller releases, also after a failure
 * Returns: 0; -ENOMEM; -ERR_LIMIT
 */
int plan_make(struct plan *plan, const struct walk_options *options, struct err *err);

/**
 * Does a start's walk come by a folder, as far as exclusions, storage, depth and filesystems say?
 * While the plan is not settled, other starts and copies on the way are no hindrance.
 *
 * In:      from  where to begin: the start, or a folder below it that is taken as reached; real
 *          real  the folder, without links
 */
bool plan_comes_by(const struct plan *plan, const struct start *start, str from, str real);

/** Add a start, all zero but its descriptor. Returns: it, valid until the next one is added; NULL:
 * no memory */
struct start *plan_add_start(struct plan *plan);

/** Set the rule for a path; a later one replaces it. In: path lives in the arena. Returns: 0;
 * -ERR_LIMIT */
int plan_set_rule(struct plan *plan, str path, enum rule_kind kind, const char *reason);

/** Find the rule set for exactly this path, or NULL. Valid until the next one is set. */
struct rule *plan_find_rule(const struct plan *plan, str path);

/** Tell the caller of something that is left out. In: path "" for the root folder */
void plan_tell(const struct plan *plan, enum walk_skip kind, str path, const char *reason);

/** Release. A zeroed plan is a no-op. */
void plan_fini(struct plan *plan);

/**
 * Find the rule for a folder, or file, that the walk has met.
 *
 * In:      real  its path without links
 * Returns: the rule, or NULL: go on; a folder of container storage has a static rule
 */
const struct rule *plan_rule(const struct plan *plan, const struct start *start, str real);

/** Is a path excluded by the caller? In: path as reported; real without links */
bool plan_excludes(const struct plan *plan, str path, str real);
