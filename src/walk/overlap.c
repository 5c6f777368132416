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

/* A folder that is left out, or stopped at, because another path shows it. */
struct copy {
	str path;              /* without links; arena */
	size_t mount;          /* in which it lies */
	str original;          /* where it is met; arena */
	size_t original_mount; /* in which that lies */
	struct start met_by;   /* the start that would have come by; its descriptor is not used */
	bool is_met;           /* the walk stops there: it has a rule, and is told */
};

/* What is being settled. */
struct settlement {
	struct plan *plan;
	struct copy *copies; /* arena */
	size_t n, cap;
};

static int add_copy(struct settlement *s, const struct copy *copy)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 32;
		struct copy *grown = arena_alloc(&s->plan->arena, cap, sizeof(*grown));
		if (!grown)
			return -ERR_LIMIT;
		if (s->n > 0)
			memcpy(grown, s->copies, s->n * sizeof(*grown));
		s->copies = grown;
		s->cap = cap;
	}
	s->copies[s->n] = *copy;
	s->copies[s->n++].met_by.is_dropped = false;
	return 0;
}

/* The start that comes by a folder, or NULL. Valid until a start is added. */
static const struct start *find_covering(const struct plan *plan, str real)
{
	for (size_t i = 0; i < plan->n_starts; i++) {
		const struct start *start = &plan->starts[i];
		if (plan_comes_by(plan, start, start->real, real))
			return start;
	}
	return NULL;
}

/* Join roots that are the same folder: the first keeps its path. Files: the same file. */
static int join_equals(struct settlement *s)
{
	struct plan *plan = s->plan;
	int r = 0;
	for (size_t i = 0; i < plan->n_starts; i++) {
		struct start *a = &plan->starts[i];
		for (size_t j = i + 1; r >= 0 && !a->is_dropped && j < plan->n_starts; j++) {
			struct start *b = &plan->starts[j];
			if (b->is_dropped || a->dev != b->dev || a->ino != b->ino ||
			        !str_eq(a->file, b->file))
				continue;
			a->is_shallow = a->is_shallow && b->is_shallow;
			a->is_named = a->is_named || b->is_named;
			b->is_dropped = true;
			if (a->file.n == 0 && !str_eq(a->real, b->real))
				r = add_copy(
				        s, &(struct copy){ .path = b->real,
				                   .mount = mounts_find(&plan->mounts, b->real),
				                   .original = a->real,
				                   .original_mount =
				                           mounts_find(&plan->mounts, a->real),
				                   .met_by = *b });
		}
	}
	return r;
}

/* Drop a start when another comes by it, at any of its paths, and goes at least as deep. */
static int drop_covered(struct settlement *s, size_t i, const struct aliases *aliases)
{
	struct plan *plan = s->plan;
	struct start *start = &plan->starts[i];
	for (size_t j = 0; j < plan->n_starts; j++) {
		const struct start *other = &plan->starts[j];
		bool is_wider =
		        start->file.n > 0 || (!other->is_shallow && (j < i || start->is_shallow));
		for (size_t k = 0; j != i && is_wider && k < aliases->n; k++) {
			if (!plan_comes_by(plan, other, other->real, aliases->at[k].path))
				continue;
			start->is_dropped = true;
			const struct copy copy = { .path = start->real,
				.mount = aliases->at[0].mount,
				.original = aliases->at[k].path,
				.original_mount = aliases->at[k].mount,
				.met_by = *start };
			return k > 0 && start->file.n == 0 ? add_copy(s, &copy) : 0;
		}
	}
	return 0;
}

/* Drop one root, or make the others stop at each of its paths. */
static int settle_root(struct settlement *s, size_t i)
{
	struct plan *plan = s->plan;
	const struct start *start = &plan->starts[i];
	struct aliases aliases;
	int r = find_aliases(plan, start->real, start->dev, start->ino, &aliases);
	if (r >= 0)
		r = drop_covered(s, i, &aliases);
	if (r < 0 || start->is_dropped || start->file.n > 0)
		return r;
	for (size_t k = 0; r >= 0 && k < aliases.n; k++) {
		const struct start *covering = find_covering(plan, aliases.at[k].path);
		r = plan_set_rule(plan, aliases.at[k].path, RULE_START, NULL);
		if (r >= 0 && k > 0 && covering)
			r = add_copy(s, &(struct copy){ .path = aliases.at[k].path,
			                        .mount = aliases.at[k].mount,
			                        .original = start->real,
			                        .original_mount = aliases.at[0].mount,
			                        .met_by = *covering,
			                        .is_met = true });
	}
	return r;
}

/* Is mount a the original of mount b, if both show one folder? The wider, then the earlier. */
static bool is_original(const struct mount *a, const struct mount *b)
{
	return a->root.n != b->root.n ? a->root.n < b->root.n : a->order < b->order;
}

/* The identity of the folder at a path without links. */
static bool identify(const struct plan *plan, str path, uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct stat st;
	autoclose int fd = root_open(plan->options->root_fd, path, O_PATH | O_DIRECTORY, NULL);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return true;
}

/* Does the table show the filesystem of a mount again? Most mounts need no further look. */
static bool has_twin(const struct mounts *table, size_t mount)
{
	for (size_t i = 0; i < table->n; i++) {
		if (i != mount && table->mounts[i].dev == table->mounts[mount].dev)
			return true;
	}
	return false;
}

/*
 * Decide one mount. Whether the walk comes by is asked of the paths alone: below a copy, mounts
 * that are none become starts of their own. Returns 1 and what it copies when it is left out, 0
 * when it is entered.
 */
static int decide(struct plan *plan, size_t mount, const bool *is_copy, struct copy *ret)
{
	const struct mount *m = &plan->mounts.mounts[mount];
	const struct rule *rule = plan_find_rule(plan, m->path);
	uint64_t dev, ino;
	if (m->why || !rule || rule->kind != RULE_ENTER || !has_twin(&plan->mounts, mount))
		return 0;
	const struct start *start = find_covering(plan, m->path);
	if (!start || !identify(plan, m->path, &dev, &ino))
		return 0;

	struct aliases aliases;
	int r = find_aliases(plan, m->path, dev, ino, &aliases);
	if (r < 0)
		return r;
	for (size_t i = 1; i < aliases.n; i++) {
		size_t other = aliases.at[i].mount;
		if (is_copy[other] || !is_original(&plan->mounts.mounts[other], m) ||
		        !find_covering(plan, aliases.at[i].path))
			continue;
		*ret = (struct copy){ .path = m->path,
			.mount = mount,
			.original = aliases.at[i].path,
			.original_mount = other,
			.met_by = *start,
			.is_met = true };
		return 1;
	}
	return 0;
}

struct rank {
	const struct mount *mount;
	size_t place;
};

static int compare_ranks(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	return is_original(x->mount, y->mount) ? -1 : is_original(y->mount, x->mount);
}

static int settle_mounts(struct settlement *s)
{
	struct plan *plan = s->plan;
	const struct mounts *table = &plan->mounts;
	struct rank *ranks = arena_alloc(&plan->arena, table->n, sizeof(*ranks));
	bool *is_copy = arena_alloc(&plan->arena, table->n, sizeof(*is_copy));
	if (!ranks || !is_copy)
		return -ERR_LIMIT;
	for (size_t i = 0; i < table->n; i++)
		ranks[i] = (struct rank){ &table->mounts[i], i };
	qsort(ranks, table->n, sizeof(*ranks), compare_ranks);

	int r = 0;
	for (size_t i = 0; r >= 0 && i < table->n; i++) {
		struct copy copy;
		size_t mount = ranks[i].place;
		r = mount > 0 ? decide(plan, mount, is_copy, &copy) : 0;
		is_copy[mount] = r > 0;
		if (r > 0)
			r = add_copy(s, &copy);
	}
	return r;
}

/* Leave out what is a copy, each with the path that shows the same. */
static int set_copy_rules(const struct settlement *s)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < s->n; i++) {
		str reason;
		str shown = s->copies[i].original.n > 0 ? s->copies[i].original : STR("/");
		if (!s->copies[i].is_met)
			continue;
		if (arena_printf(&s->plan->arena, &reason, "the same folder is read at " STR_FMT,
		            STR_ARG(shown)) < 0)
			return -ERR_LIMIT;
		r = plan_set_rule(s->plan, s->copies[i].path, RULE_SKIP, reason.p);
	}
	return r;
}

/* Begin anew at a folder below a copy, unless the walk comes by it, at any of its paths. */
static int add_island(struct plan *plan, const struct copy *copy, str real)
{
	const struct start *s = &copy->met_by;
	if (!plan_comes_by(plan, s, copy->path, real))
		return 0;
	autoclose int fd = root_open(plan->options->root_fd, real, O_PATH | O_DIRECTORY, NULL);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0; /* it is gone, or it is a file */
	struct aliases aliases;
	int r = find_aliases(plan, real, st.st_dev, st.st_ino, &aliases);
	if (r < 0)
		return r;
	for (size_t i = 0; i < aliases.n; i++) {
		if (find_covering(plan, aliases.at[i].path))
			return 0;
	}

	struct start *island = plan_add_start(plan);
	str tail = str_skip(real, s->real.n);
	if (!island || arena_printf(&plan->arena, &island->path, STR_FMT STR_FMT, STR_ARG(s->path),
	                       STR_ARG(tail)) < 0)
		return -ERR_LIMIT;
	island->real = real;
	island->root = s->root;
	island->dev = st.st_dev;
	island->ino = st.st_ino;
	island->is_in_storage = s->is_in_storage;
	island->fd = fd;
	fd = -1;
	return 0;
}

/* A filesystem mounted below a copy, where the original has none: begin there, or tell why not. */
static int add_mounted(struct plan *plan, const struct copy *copy, const struct mount *mounted)
{
	const struct rule *rule = plan_find_rule(plan, mounted->path);
	if (!rule || rule->kind == RULE_START)
		return 0;
	if (rule->kind == RULE_ENTER)
		return add_island(plan, copy, mounted->path);
	if (!find_covering(plan, str_dirname(mounted->path)))
		plan_tell(plan, WALK_SKIP_POLICY, mounted->path, rule->reason);
	return 0;
}

/* What only a copy leads to: filesystems mounted in it, and folders that mounts hide in the
 * original. */
static int add_islands(struct plan *plan, const struct copy *copy)
{
	const struct mounts *table = &plan->mounts;
	const struct mount *own = &table->mounts[copy->mount];
	const struct mount *original = &table->mounts[copy->original_mount];
	int r = 0;
	for (size_t i = 1; r >= 0 && i < table->n; i++) {
		const struct mount *m = &table->mounts[i];
		if (m->parent == own->id && m->path.n > copy->path.n &&
		        mounts_is_below(m->path, copy->path))
			r = add_mounted(plan, copy, m);
		if (r < 0 || m->parent != original->id || m->path.n <= copy->original.n ||
		        !mounts_is_below(m->path, copy->original))
			continue;
		str hidden, tail = str_skip(m->path, copy->original.n);
		if (arena_printf(&plan->arena, &hidden, STR_FMT STR_FMT, STR_ARG(copy->path),
		            STR_ARG(tail)) < 0)
			return -ERR_LIMIT;
		if (mounts_find(table, hidden) == copy->mount)
			r = add_island(plan, copy, hidden);
	}
	return r;
}

int overlap_settle(struct plan *plan)
{
	struct settlement s = { .plan = plan };
	int r = join_equals(&s);
	for (size_t i = 0; r >= 0 && i < plan->n_starts; i++) {
		if (!plan->starts[i].is_dropped)
			r = settle_root(&s, i);
	}
	if (r < 0 || plan->mounts.n == 0)
		return r;
	r = settle_mounts(&s);
	if (r >= 0)
		r = set_copy_rules(&s);
	plan->is_settled = true;
	for (size_t i = 0; r >= 0 && i < s.n; i++)
		r = add_islands(plan, &s.copies[i]);
	return r;
}
