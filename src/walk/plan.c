/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "walk/filter.h"
#include "walk/overlap.h"
#include "walk/root.h"

/* Memory for the plan: 20 000 mounts take a few megabytes. */
#define PLAN_MAX_BYTES (64u << 20)
#define MOUNTINFO_MAX_BYTES (16u << 20)

static const char excluded[] = "excluded";
static const char other_filesystem[] = "another filesystem: not entered with --one-file-system";
static const char in_storage[] = "container storage: scan it with --root";

void plan_tell(const struct plan *plan, enum walk_skip kind, str path, const char *reason)
{
	const struct walk_options *o = plan->options;
	o->skip(o->ctx, kind, path.n > 0 ? path : STR("/"), str_from_c(reason));
}

bool plan_excludes(const struct plan *plan, str path, str real)
{
	const struct walk_options *o = plan->options;
	if (o->n_excludes == 0)
		return false;
	return filter_excludes(o->excludes, o->n_excludes, path) ||
	       ((path.n != real.n || !str_eq(path, real)) &&
	               filter_excludes(o->excludes, o->n_excludes, real));
}

/* A number of 12 bits from the last three bytes of a path: cheap, and different for most names. */
static unsigned end_of(str path)
{
	unsigned v = 0;
	for (size_t i = path.n > 3 ? path.n - 3 : 0; i < path.n; i++)
		v = v * 31 + (unsigned char)path.p[i];
	return v & 4095;
}

static void mark_end(void *ctx, str path)
{
	struct plan *plan = ctx;
	unsigned end = end_of(path);
	plan->may_end[end / 64] |= UINT64_C(1) << (end % 64);
}

/* Where a rule for the path stands or would stand. */
static size_t rule_place(const struct plan *plan, str path)
{
	size_t low = 0, high = plan->n_rules;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_cmp(plan->rules[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct rule *plan_find_rule(const struct plan *plan, str path)
{
	size_t i = rule_place(plan, path);
	return i < plan->n_rules && str_eq(plan->rules[i].path, path) ? &plan->rules[i] : NULL;
}

const struct rule *plan_rule(const struct plan *plan, const struct start *start, str real)
{
	static const struct rule storage_rule = { .kind = RULE_SKIP, .reason = in_storage };
	unsigned end = end_of(real);
	if (!(plan->may_end[end / 64] >> (end % 64) & 1))
		return NULL;
	const struct rule *rule = plan_find_rule(plan, real);
	if (!(rule && rule->kind == RULE_START) && !start->is_in_storage && filter_storage(real))
		return &storage_rule;
	return rule;
}

int plan_set_rule(struct plan *plan, str path, enum rule_kind kind, const char *reason)
{
	struct rule *at = plan_find_rule(plan, path);
	if (!at) {
		if (plan->n_rules == plan->cap_rules) {
			size_t cap = plan->cap_rules ? plan->cap_rules * 2 : 64;
			struct rule *grown = arena_alloc(&plan->arena, cap, sizeof(*grown));
			if (!grown)
				return -ERR_LIMIT;
			if (plan->n_rules > 0)
				memcpy(grown, plan->rules, plan->n_rules * sizeof(*grown));
			plan->rules = grown;
			plan->cap_rules = cap;
		}
		size_t i = rule_place(plan, path);
		at = &plan->rules[i];
		memmove(at + 1, at, (plan->n_rules - i) * sizeof(*at));
		plan->n_rules++;
		mark_end(plan, path);
	}
	*at = (struct rule){ .path = path, .kind = kind, .reason = reason };
	return 0;
}

/* The filesystem that a path lies on; 0 when the table does not say. */
static uint64_t filesystem_of(const struct plan *plan, str real)
{
	size_t mount = mounts_find(&plan->mounts, real);
	return mount == MOUNTS_NONE ? 0 : plan->mounts.mounts[mount].dev;
}

/* Is one folder on the way entered from the folder above it? */
static bool enters(const struct plan *plan, const struct start *start, str real)
{
	const struct rule *rule = plan_rule(plan, start, real);
	if (rule && (rule->kind == RULE_SKIP || (rule->kind == RULE_START && plan->is_settled)))
		return false;
	if (rule && plan->options->one_file_system &&
	        filesystem_of(plan, start->real) != filesystem_of(plan, real))
		return false;
	if (plan->options->n_excludes == 0)
		return true;

	str tail = { real.p + start->real.n, real.n - start->real.n };
	autobuf path = BUF(1u << 20);
	buf_add(&path, start->path);
	buf_add(&path, tail);
	return !buf_failed(&path) && !plan_excludes(plan, buf_str(&path), real);
}

bool plan_comes_by(const struct plan *plan, const struct start *start, str from, str real)
{
	if (start->is_dropped || start->file.n > 0 || !mounts_is_below(from, start->real) ||
	        !mounts_is_below(real, from))
		return false;
	unsigned depth = 0;
	for (size_t n = start->real.n + 1; n <= real.n; n++) {
		if (n < real.n && real.p[n] != '/')
			continue;
		if (++depth > (start->is_shallow ? 1 : WALK_DEPTH_MAX))
			return false;
		if (n > from.n && !enters(plan, start, str_head(real, n)))
			return false;
	}
	return true;
}

struct start *plan_add_start(struct plan *plan)
{
	if (plan->n_starts == plan->cap_starts) {
		size_t cap = plan->cap_starts ? plan->cap_starts * 2 : 32;
		struct start *grown = arena_alloc(&plan->arena, cap, sizeof(*grown));
		if (!grown)
			return NULL;
		if (plan->n_starts > 0)
			memcpy(grown, plan->starts, plan->n_starts * sizeof(*grown));
		plan->starts = grown;
		plan->cap_starts = cap;
	}
	struct start_counts *counts = arena_alloc(&plan->arena, 1, sizeof(*counts));
	if (!counts)
		return NULL;
	struct start *start = &plan->starts[plan->n_starts++];
	*start = (struct start){ .fd = -1, .counts = counts };
	return start;
}

/* The path of a root as it is reported: no slash at the end, one between components. */
static int clean_path(struct plan *plan, const char *path, str *ret)
{
	struct buf clean = BUF(1u << 20);
	str rest = str_from_c(path), part;
	while (rest.n > 0) {
		if (!str_split_first(rest, '/', &part, &rest)) {
			part = rest;
			rest = (str){ NULL, 0 };
		}
		if (part.n == 0 || str_eq(part, STR(".")))
			continue;
		buf_add_byte(&clean, '/');
		buf_add(&clean, part);
	}
	int r = buf_failed(&clean) ? -ERR_LIMIT : arena_copy(&plan->arena, buf_str(&clean), ret);
	buf_fini(&clean);
	return r;
}

/* Tell of a root that cannot be opened. A root that nobody named may be missing: most hosts lack
 * some. */
static void tell_unopened(const struct plan *plan, const struct walk_root *root, str path, int r)
{
	char reason[128];
	bool is_missing = r == -ENOENT || r == -ENOTDIR;
	errno = -r;
	(void)snprintf(reason, sizeof(reason), "cannot open this root: %m");
	plan_tell(plan, is_missing && !root->is_named ? WALK_SKIP_POLICY : WALK_SKIP_FAILURE, path,
	        reason);
}

/* Why a root that nobody named is not walked, or NULL. */
static const char *why_not_unnamed(const struct plan *plan, const struct start *start)
{
	if (start->is_named)
		return NULL;
	if (start->is_in_storage)
		return in_storage;
	size_t mount = mounts_find(&plan->mounts, start->real);
	return mount == MOUNTS_NONE ? NULL : plan->mounts.mounts[mount].why;
}

/* Resolve one root into a start, or tell why not. */
static int resolve_root(struct plan *plan, const struct walk_root *root)
{
	struct start s = { .fd = -1,
		.is_named = root->is_named,
		.is_shallow = root->is_shallow,
		.root = (size_t)(root - plan->options->roots) };
	autobuf real = BUF(0);
	struct stat st;
	int r = clean_path(plan, root->path, &s.path);
	if (r < 0)
		return r;
	autoclose int fd = root_open(plan->options->root_fd, s.path, O_PATH, &real);
	if (fd < 0 || fstat(fd, &st) < 0) {
		tell_unopened(plan, root, s.path, fd < 0 ? fd : -errno);
		return 0;
	}
	if (arena_copy(&plan->arena, buf_str(&real), &s.real) < 0)
		return -ERR_LIMIT;
	if (!S_ISDIR(st.st_mode)) {
		s.file = str_basename(s.real);
		s.real = str_dirname(s.real);
		int folder = root_open(plan->options->root_fd, s.real, O_PATH | O_DIRECTORY, NULL);
		closep(&fd);
		fd = folder;
		if (fd < 0 || fstat(fd, &st) < 0) {
			tell_unopened(plan, root, s.path, fd < 0 ? fd : -errno);
			return 0;
		}
	}
	s.dev = st.st_dev;
	s.ino = st.st_ino;
	s.is_in_storage = filter_is_in_storage(s.real);

	const char *why =
	        plan_excludes(plan, s.path, s.real) ? excluded : why_not_unnamed(plan, &s);
	if (why) {
		plan_tell(plan, WALK_SKIP_POLICY, s.path, why);
		return 0;
	}
	struct start *start = plan_add_start(plan);
	if (!start)
		return -ERR_LIMIT;
	s.counts = start->counts;
	*start = s;
	start->fd = fd;
	fd = -1;
	return 0;
}

/* Read the table of the running system, as far as it concerns the root folder. No table is no
 * failure. */
static int read_mounts(struct plan *plan)
{
	char link[64], root[PATH_MAX];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", plan->options->root_fd);
	ssize_t n = readlink(link, root, sizeof(root));
	if (n <= 0 || (size_t)n == sizeof(root) || root[0] != '/')
		return 0;
	autobuf table = BUF(MOUNTINFO_MAX_BYTES);
	if (fs_read(AT_FDCWD, "/proc/self/mountinfo", &table, NULL) < 0)
		return 0;
	return mounts_parse(buf_str(&table), (str){ root, (size_t)n }, &plan->arena, &plan->mounts);
}

static int set_mount_rules(struct plan *plan)
{
	int r = 0;
	for (size_t i = 1; r >= 0 && i < plan->mounts.n; i++) {
		const struct mount *m = &plan->mounts.mounts[i];
		r = plan_set_rule(plan, m->path, m->why ? RULE_SKIP : RULE_ENTER, m->why);
	}
	filter_each_storage(mark_end, plan);
	return r;
}

/* With one_file_system: what a start would enter on another filesystem becomes a skip. */
static void keep_to_filesystems(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_rules; i++) {
		struct rule *rule = &plan->rules[i];
		const struct start *inner = NULL;
		for (size_t j = 0; rule->kind == RULE_ENTER && j < plan->n_starts; j++) {
			const struct start *s = &plan->starts[j];
			if (!s->is_dropped && s->file.n == 0 &&
			        mounts_is_below(rule->path, s->real) &&
			        (!inner || s->real.n > inner->real.n))
				inner = s;
		}
		if (inner && filesystem_of(plan, inner->real) != filesystem_of(plan, rule->path))
			*rule = (struct rule){ rule->path, RULE_SKIP, other_filesystem };
	}
}

static int make(struct plan *plan)
{
	int r = read_mounts(plan);
	if (r >= 0)
		r = set_mount_rules(plan);
	for (size_t i = 0; r >= 0 && i < plan->options->n_roots; i++)
		r = resolve_root(plan, &plan->options->roots[i]);
	if (r >= 0)
		r = overlap_settle(plan);
	if (r >= 0 && plan->options->one_file_system)
		keep_to_filesystems(plan);
	return r;
}

int plan_make(struct plan *plan, const struct walk_options *options, struct err *err)
{
	*plan = (struct plan){ .arena = ARENA(PLAN_MAX_BYTES), .options = options };
	int r = make(plan);
	if (r < 0)
		(void)err_set(err, r, "cannot plan the walk: too many roots or mounts");
	return r;
}

void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_starts; i++) {
		if (plan->starts[i].fd >= 0)
			(void)close(plan->starts[i].fd);
	}
	plan->n_starts = 0;
	arena_fini(&plan->arena);
}
