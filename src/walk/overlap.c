/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlaps. A folder can be met in more than one way: a root lies inside another, or is a link to
 * one; a filesystem, or a part of one, is mounted in several places. Both are settled by *aliases*:
 * the other paths at which the mount table, and the identity (device, inode) of what stands there,
 * show the same folder.
 *
 * Roots. A root that another root comes by is dropped, if that one is earlier in the caller's
 * order, or if only that one goes deep. The roots that are left are starts; at each path of a start
 * the others stop (RULE_START).
 *
 * Mounts. Of several mounts of one folder, the one of the widest subtree, and then the earliest in
 * the table, is the original. A mount is not entered when a path below an original, which the walk
 * comes by, shows the same folder. Two things can be seen only through the mount left out:
 * filesystems mounted below it, and folders that lie hidden under a mount in the original. Both
 * become starts of their own. Deciding mounts from the widest to the narrowest makes this
 * well-founded: an original has been decided before its copies.
 */
#include "walk/overlap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "walk/root.h"

/* Most other paths of one folder that are looked for. */
#define ALIASES_MAX 64

/* The paths at which one folder stands. The first is the one that was asked about. */
struct aliases {
	size_t n;
	struct {
		str path;     /* arena */
		size_t mount; /* in which it lies */
	} at[ALIASES_MAX];
};

/* Is this folder, and no other, at the end of the path, and no link on the way? */
static bool is_same_folder(const struct plan *plan, str path, uint64_t dev, uint64_t ino)
{
	autobuf real = BUF(0);
	struct stat st;
	autoclose int fd = root_open(plan->options->root_fd, path, O_PATH | O_DIRECTORY, &real);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino &&
	       str_eq(buf_str(&real), path);
}

static int find_aliases(
        struct plan *plan, str real, uint64_t dev, uint64_t ino, struct aliases *ret)
{
	const struct mounts *table = &plan->mounts;
	size_t own = mounts_find(table, real);
	ret->n = 1;
	ret->at[0].path = real;
	ret->at[0].mount = own;
	if (own == MOUNTS_NONE)
		return 0;

	const struct mount *m = &table->mounts[own];
	autobuf inner = BUF(1u << 20); /* the folder's path inside its filesystem */
	buf_add(&inner, m->root);
	buf_add(&inner, str_skip(real, m->path.n));
	for (size_t i = 0; i < table->n && ret->n < ALIASES_MAX; i++) {
		const struct mount *other = &table->mounts[i];
		if (i == own || other->dev != m->dev || other->why ||
		        !mounts_is_below(buf_str(&inner), other->root))
			continue;
		str path, tail = str_skip(buf_str(&inner), other->root.n);
		if (arena_printf(&plan->arena, &path, STR_FMT STR_FMT, STR_ARG(other->path),
		            STR_ARG(tail)) < 0)
			return -ERR_LIMIT;
		if (mounts_find(table, path) != i || !is_same_folder(plan, path, dev, ino))
			continue;
		ret->at[ret->n].path = path;
		ret->at[ret->n++].mount = i;
	}
	return 0;
}

/* Does one start come by another, at any of that one's paths? */
static bool covers(const struct plan *plan, const struct start *start, const struct aliases *other)
{
	for (size_t i = 0; i < other->n; i++) {
		if (plan_comes_by(plan, start, start->real, other->at[i].path))
			return true;
	}
	return false;
}

/* Join roots that are the same folder: the first keeps its path. Files: the same file. */
static void join_equals(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_starts; i++) {
		struct start *a = &plan->starts[i];
		for (size_t j = i + 1; !a->is_dropped && j < plan->n_starts; j++) {
			struct start *b = &plan->starts[j];
			if (b->is_dropped || a->dev != b->dev || a->ino != b->ino ||
			        !str_eq(a->file, b->file))
				continue;
			a->is_shallow = a->is_shallow && b->is_shallow;
			a->is_named = a->is_named || b->is_named;
			b->is_dropped = true;
		}
	}
}

/* Drop the root i if another comes by it and goes at least as deep; else make the others stop
 * there. */
static int settle_root(struct plan *plan, size_t i)
{
	struct start *start = &plan->starts[i];
	struct aliases aliases;
	int r = find_aliases(plan, start->real, start->dev, start->ino, &aliases);
	for (size_t j = 0; r >= 0 && j < plan->n_starts; j++) {
		const struct start *other = &plan->starts[j];
		bool is_wider =
		        start->file.n > 0 || (!other->is_shallow && (j < i || start->is_shallow));
		if (j != i && is_wider && covers(plan, other, &aliases)) {
			start->is_dropped = true;
			return 0;
		}
	}
	for (size_t k = 0; r >= 0 && start->file.n == 0 && k < aliases.n; k++)
		r = plan_set_rule(plan, aliases.at[k].path, RULE_START, NULL);
	return r;
}

int overlap_settle(struct plan *plan)
{
	int r = 0;
	join_equals(plan);
	for (size_t i = 0; r >= 0 && i < plan->n_starts; i++) {
		if (!plan->starts[i].is_dropped)
			r = settle_root(plan, i);
	}
	return r;
}
