/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The mount table, and which filesystems a walk enters.
 *
 * Source:  proc_pid_mountinfo(5); Documentation/filesystems/proc.rst, section 3.5
 */

#include "base/arena.h"
#include "base/str.h"

/** One mount. */
struct mount {
	uint64_t id, parent;
	size_t order; /* its place in the table: an earlier mount of the same folder is the original
	               */
	uint64_t dev; /* as st_dev, but of the whole filesystem: the same for all subvolumes of
	                 btrfs */
	str root; /* the folder of the filesystem that is mounted: "" for all of it, "/sub/volume";
	             arena */
	str path; /* where; "" for the root folder; arena */
	str type; /* "ext4"; arena */
	str options;     /* of the filesystem: "rw,lowerdir=..."; arena */
	const char *why; /* why it is not entered; static or arena; NULL: it is */
};

/** Mounts below one root folder. The first is the one in which the root folder lies, with the path
 * "". */
struct mounts {
	struct mount *mounts;
	size_t n;
};

/** No mount. */
#define MOUNTS_NONE ((size_t)-1)

/** Most mounts that are read; what lies beyond is judged when the walk meets it. */
#define MOUNTS_MAX 20000

/**
 * Read a mount table and keep what concerns one root folder: the mount it lies in, which gets the
 * path "", and those below it, with paths inside it.
 *
 * In:      text  of /proc/self/mountinfo; a damaged line is passed over
 *          root  where the root folder lies in the same table's paths: "/", "/mnt/disk"
 * Out:     ret   arena
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int mounts_parse(str text, str root, struct arena *arena, struct mounts *ret);

/**
 * Find the mount in which a path lies, as a lookup from the root folder would: a mount hidden under
 * another is never the answer.
 *
 * In:      path  inside the root folder, without links; "" is the root folder
 * Returns: its place in the table; MOUNTS_NONE for an empty table
 */
size_t mounts_find(const struct mounts *mounts, str path);

/**
 * Why is a filesystem not entered, judged by its type?
 *
 * In:      type  as in the mount table;  path  where it is mounted, inside the root
 *          options  its options: an overlay whose layers lie in an engine's storage is a
 * container's root Returns: a reason, static; NULL when it is entered
 */
const char *mounts_why_not(str type, str path, str options);

/** The same for a filesystem that is not in the table, by its number in statfs(2). */
const char *mounts_why_not_magic(uint64_t magic, str path);

/** Is a path the folder itself, or below it? Both without a slash at the end; "" is the root. */
bool mounts_is_below(str path, str folder);
