/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One loop in one thread joins everything: it takes opened files from the walk (whose threads are
 * the walk's own affair), hands each to a free parser process, and serves the parsers' answers.
 * Nothing that was read is looked at before the parsers' strings are copied here.
 */
#include "collect/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "collect/facts.h"
#include "collect/owners.h"
#include "collect/pool.h"
#include "inventory/inventory.h"
#include "walk/walk.h"

/* Memory for the packages of one inventory: 1 M of some 500 bytes. */
#define INVENTORY_BYTES ((size_t)1 << 30)

/* Memory for the ledger, which is bounded by LEDGER_MAX entries, and for the paths that OS packages
 * own. */
#define LEDGER_BYTES ((size_t)256 << 20)
#define OWNERS_BYTES ((size_t)256 << 20)

/* How often progress is told. */
#define PROGRESS_MS 100

/* The longest that the clocks of several parsers are not looked at while a limit holds. */
#define PACED_TICK_MS 20

#define ROOTS_MAX 256

/* Of a limit on memory, what one part may have: a half for packages and for what a parser makes of
 * one file, less for the rest, which need not be full at the same time. */
#define PACKAGES_PART 2
#define JOB_PART 4
#define OWNERS_PART 8
#define LEDGER_PART 16

static const char *const deep_inspection_roots[] = { "/usr/lib", "/usr/lib64", "/usr/local/lib",
	"/usr/local/lib64" };

/* What the walk and the parsers fill; the walk's threads touch `skips` only, under the walk's lock.
 */
struct collecting {
	struct inventory *inventory;
	struct arena owners_arena;
	struct owners owners;
	bool owners_full, is_full;
	size_t cap_packages;
	int64_t started_ms;
	struct pace *pace;
	int tag_foreign; /* want()'s answer for another root's package database */

	struct arena skip_arena; /* the walk's threads add skips here, one at a time */
	struct ledger skips;
};

/* A part of the limit on memory, or what there is without one. */
static size_t part_of(const struct collect_options *options, unsigned part, size_t most)
{
	uint64_t bytes = options->max_memory_bytes / part;
	return bytes == 0 || bytes > most ? most : (size_t)bytes;
}

/* ---- what the walk asks and tells ---- */

static bool on_pace(void *ctx)
{
	const struct collecting *c = ctx;
	return pace_wait(c->pace);
}

static int on_want(void *ctx, str dir, str name)
{
	const struct collecting *c = ctx;
	int reader = inventory_select(dir, name);
	if (reader < 0 && inventory_is_foreign_database(dir, name))
		return c->tag_foreign;
	return reader;
}

static void on_skip(void *ctx, enum walk_skip kind, str path, str reason)
{
	struct collecting *c = ctx;
	ledger_add(&c->skips, kind == WALK_SKIP_FAILURE ? SKIP_FAILURE : SKIP_POLICY, path, reason);
}

/* ---- what the parsers tell ---- */

static int copy_package(
        struct arena *arena, const struct package *from, str path, struct package *ret)
{
	struct package pkg = *from;
	str *const strings[] = { &pkg.type, &pkg.name, &pkg.version, &pkg.arch, &pkg.source_name,
		&pkg.source_version, &pkg.module, &pkg.vendor, &pkg.licence, &pkg.note };
	pkg.path = path;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		if (strings[i]->n > 0 && arena_copy(arena, *strings[i], strings[i]) < 0)
			return -ERR_LIMIT;
	}
	*ret = pkg;
	return 0;
}

static int keep_package(
        struct collecting *c, const struct walk_file *file, const struct package *pkg)
{
	struct inventory *inv = c->inventory;
	if (inv->n_packages == c->cap_packages) {
		size_t cap = c->cap_packages ? c->cap_packages * 2 : 1024;
		struct package *grown = arena_alloc(&inv->arena, cap, sizeof(*grown));
		if (!grown)
			return -ERR_LIMIT;
		if (inv->n_packages > 0)
			memcpy(grown, inv->packages, inv->n_packages * sizeof(*grown));
		inv->packages = grown;
		c->cap_packages = cap;
	}
	/* The packages of one database share its path. */
	const struct package *before =
	        inv->n_packages > 0 ? &inv->packages[inv->n_packages - 1] : NULL;
	str path = { NULL, 0 };
	if (before && str_eq(before->path, file->path))
		path = before->path;
	else if (arena_copy(&inv->arena, file->path, &path) < 0)
		return -ERR_LIMIT;
	int r = copy_package(&inv->arena, pkg, path, &inv->packages[inv->n_packages]);
	if (r >= 0)
		inv->n_packages++;
	return r;
}

/* Past the memory of an inventory the scan ends with what it has: is_spent() looks at is_full. */
static int on_package(void *ctx, const struct walk_file *file, const struct package *pkg)
{
	struct collecting *c = ctx;
	if (c->is_full || keep_package(c, file, pkg) >= 0)
		return 0;
	c->is_full = true;
	ledger_add(&c->inventory->ledger, SKIP_FAILURE, (str){ NULL, 0 },
	        STR("more packages than memory allows: what follows was not looked at"));
	return 0;
}

static int on_note(void *ctx, const struct walk_file *file, uint64_t where, str what)
{
	struct collecting *c = ctx;
	autobuf reason = BUF(8192);
	if (where > 0)
		buf_printf(&reason, "%" PRIu64 ": ", where);
	buf_add(&reason, what);
	ledger_add(&c->inventory->ledger, SKIP_DAMAGE, file->path, buf_str(&reason));
	return 0;
}

static int on_left_out(void *ctx, const struct walk_file *file, str why)
{
	struct collecting *c = ctx;
	ledger_add(&c->inventory->ledger, SKIP_POLICY, file->path, why);
	return 0;
}

static void tell_owners_full(struct collecting *c)
{
	if (!c->owners_full)
		ledger_add(&c->inventory->ledger, SKIP_FAILURE, (str){ NULL, 0 },
		        STR("the package databases list more metadata files than memory allows: "
		            "which packages own the rest is not known"));
	c->owners_full = true;
}

/* Past its memory, ownership of the rest is not known: said once, and the scan goes on. */
static int on_owned(void *ctx, str owner, str path)
{
	struct collecting *c = ctx;
	int reader = inventory_select(str_dirname(path), str_basename(path));
	if (reader >= 0 && reader < COLLECT_READERS_MAX)
		c->inventory->n_owned[reader]++;
	if (!c->owners_full && owners_add(&c->owners, owner, path) < 0)
		tell_owners_full(c);
	return 0;
}

static int on_done(void *ctx, const struct walk_file *file, int code, str sentence)
{
	struct collecting *c = ctx;
	if (code == 0)
		return 0;
	/* A file of a strange format is one package less; a package database that is, is all of
	 * them. */
	size_t n_readers;
	bool is_os = reader_all(&n_readers)[file->tag]->is_os;
	enum skip_kind kind = code == -ERR_FORMAT && !is_os ? SKIP_DAMAGE : SKIP_FAILURE;
	ledger_add(&c->inventory->ledger, kind, file->path,
	        sentence.n > 0 ? sentence
	                       : str_from_c(code > -1024 ? strerror(-code) : "not readable"));
	return 0;
}

/* ---- the roots ---- */

struct roots {
	struct walk_root all[ROOTS_MAX];
	size_t n;
};

static int roots_add(
        struct roots *roots, const char *path, bool is_named, bool is_shallow, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, -EINVAL, "%s: a path to scan must begin with '/'", path);
	if (roots->n == ROOTS_MAX)
		return err_set(err, -ERR_LIMIT, "more than %d paths to scan", ROOTS_MAX);
	roots->all[roots->n++] =
	        (struct walk_root){ .path = path, .is_named = is_named, .is_shallow = is_shallow };
	return 0;
}

static bool is_in_root(int root_fd, const char *path)
{
	uint64_t dev, ino;
	return walk_identify(root_fd, path, &dev, &ino) == 0;
}

static int choose_roots(
        const struct collect_options *options, int root_fd, struct roots *ret, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < options->n_paths; i++)
		r = roots_add(ret, options->paths[i], true, false, err);
	size_t n_default = sizeof(deep_inspection_roots) / sizeof(*deep_inspection_roots);
	for (size_t i = 0; r >= 0 && options->n_paths == 0 && i < n_default; i++) {
		if (is_in_root(root_fd, deep_inspection_roots[i]))
			r = roots_add(ret, deep_inspection_roots[i], false, false, err);
	}
	for (size_t i = 0; r >= 0 && i < options->n_more_paths; i++)
		r = roots_add(ret, options->more_paths[i], true, false, err);

	size_t n_readers;
	const struct reader *const *readers = reader_all(&n_readers);
	for (size_t i = 0; i < n_readers; i++) {
		for (const char *const *dir = readers[i]->well_known; r >= 0 && dir && *dir;
		        dir++) {
			if (is_in_root(root_fd, *dir))
				r = roots_add(ret, *dir, false, true, err);
		}
	}
	return r;
}

/* ---- the loop ---- */

static void tell_progress(const struct collect_options *options, const struct walk *walk,
        const struct inventory *inventory, int64_t *last_ms)
{
	int64_t now = clock_ms();
	if (!options->progress || now - *last_ms < PROGRESS_MS)
		return;
	*last_ms = now;
	struct walk_stats stats = walk_stats(walk);
	options->progress(
	        options->progress_ctx, stats.directories, stats.files, inventory->n_packages);
}

static bool is_too_large(struct collecting *c, const struct walk_file *file)
{
	size_t n_readers;
	const struct reader *reader = reader_all(&n_readers)[file->tag];
	char text[128];
	if (file->size_bytes <= reader->max_bytes)
		return false;
	(void)snprintf(text, sizeof(text),
	        "larger than the %" PRIu64 " bytes that the %s reader takes", reader->max_bytes,
	        reader->name);
	ledger_add(&c->inventory->ledger, SKIP_FAILURE, file->path, str_from_c(text));
	return true;
}

/* One file of the walk: to a parser, or to the ledger. */
static int take_file(struct collecting *c, struct pool *pool, struct walk_file *file)
{
	c->inventory->n_candidates++;
	if (file->tag == c->tag_foreign) {
		ledger_add(&c->inventory->ledger, SKIP_POLICY, file->path,
		        STR("the package database of another root: scan that one with --root"));
	} else if (!is_too_large(c, file)) {
		return pool_give(pool, file);
	}
	walk_file_free(file);
	return 0;
}

/* The ledger says what follows was not looked at, and why. */
static bool end_early(struct collecting *c, enum collect_end end, str reason)
{
	c->inventory->end = end;
	ledger_add(&c->inventory->ledger, SKIP_FAILURE, (str){ NULL, 0 }, reason);
	return true;
}

/* Is a budget spent? */
static bool is_spent(struct collecting *c, const struct collect_options *options, struct pool *pool)
{
	struct inventory *inv = c->inventory;
	pid_t pids[POOL_PARSERS_MAX];
	(void)meter_take(&inv->meter, pids, pool_pids(pool, pids), false);
	if (c->is_full) {
		inv->end = COLLECT_MEMORY; /* told when it became so */
		return true;
	}
	if (options->timeout_ms > 0 &&
	        (uint64_t)(clock_ms() - c->started_ms) >= options->timeout_ms)
		return end_early(c, COLLECT_TIME,
		        STR("the time limit (--timeout) was reached: what follows was not looked "
		            "at"));
	if (options->max_packages > 0 && inv->n_packages >= options->max_packages)
		return end_early(c, COLLECT_PACKAGES,
		        STR("the package limit (--max-packages) was reached: what follows was not "
		            "looked at"));
	if (options->max_memory_bytes > 0 && inv->meter.memory_bytes > options->max_memory_bytes)
		return end_early(c, COLLECT_MEMORY,
		        STR("the memory limit (--max-memory) was reached: what follows was not "
		            "looked at"));
	return false;
}

static int run_loop(struct collecting *c, const struct collect_options *options, struct walk *walk,
        struct pool *pool)
{
	bool over = false;
	int64_t told_ms = clock_ms();
	const int tick_ms = c->pace ? PACED_TICK_MS : PROGRESS_MS;
	int r = 0;
	while (r >= 0 && (!over || pool_is_busy(pool))) {
		if (is_spent(c, options, pool))
			break; /* what parsers are still reading is lost with them, as the ledger
			          says */
		bool waiting = false; /* for the walk, beside the parsers */
		while (r >= 0 && !over && !waiting && pool_has_room(pool)) {
			struct walk_file *file = NULL;
			int got = walk_next(walk, &file);
			if (got == 1)
				r = take_file(c, pool, file);
			else if (got == -EAGAIN)
				waiting = true;
			else
				over = true;
		}
		if (r >= 0 && (waiting || pool_is_busy(pool)))
			r = pool_turn(pool, waiting ? walk_fd(walk) : -1, tick_ms);
		(void)pace_wait(c->pace); /* which looks at the parsers' clocks */
		tell_progress(options, walk, c->inventory, &told_ms);
	}
	return r;
}

static int order_packages(const void *a, const void *b)
{
	return package_order(a, b);
}

static void take_skips(struct collecting *c)
{
	for (size_t i = 0; i < c->skips.n; i++) {
		const struct skip *skip = &c->skips.entries[i];
		for (uint64_t n = 0; n < skip->count; n++)
			ledger_add(&c->inventory->ledger, skip->kind, skip->path, skip->reason);
	}
}

/* More than the limit on processor time keeps busy would only run ahead of it. */
static unsigned limit_workers(const struct collecting *c, unsigned asked, unsigned otherwise)
{
	unsigned pct = pace_limit_pct(c->pace), busy = (pct + 99) / 100;
	if (asked > 0 || pct == 0)
		return asked > 0 ? asked : otherwise;
	return otherwise == 0 || busy < otherwise ? busy : otherwise;
}

static int start_pool(struct collecting *c, const struct collect_options *options,
        struct pool **ret, struct err *err)
{
	struct pool_listener listener = { .package = on_package,
		.note = on_note,
		.skip = on_left_out,
		.owned = on_owned,
		.done = on_done,
		.ctx = c };
	struct pool_limits limits = { .pace = c->pace,
		.job_bytes = part_of(options, JOB_PART, (size_t)1 << 30) };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cpus > 4 ? 4 : cpus < 1 ? 1 : (unsigned)cpus;
	/* With little memory, one file at a time. */
	if (options->max_memory_bytes > 0)
		n = 1;
	return pool_start(limit_workers(c, options->n_parsers, n), &limits, &listener, ret, err);
}

/* The roots that people know, while there is room for them. */
static int name_roots(struct collecting *c, const struct roots *roots, struct err *err)
{
	struct inventory *inv = c->inventory;
	inv->roots = arena_alloc(&inv->ledger_arena, roots->n + 1, sizeof(*inv->roots));
	for (size_t i = 0; i < roots->n && inv->roots; i++) {
		if (roots->all[i].is_shallow)
			continue;
		if (arena_copy(&inv->ledger_arena, str_from_c(roots->all[i].path),
		            &inv->roots[inv->n_roots].path) < 0)
			return err_set(err, -ENOMEM, "out of memory");
		inv->n_roots++;
	}
	return inv->roots ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static void take_counts(struct collecting *c, const struct walk *walk, const struct roots *roots)
{
	struct inventory *inv = c->inventory;
	struct walk_stats stats = walk_stats(walk);
	inv->n_directories = stats.directories;
	inv->n_files = stats.files;
	for (size_t i = 0, at = 0; i < roots->n; i++) {
		if (roots->all[i].is_shallow)
			continue;
		struct walk_stats below = walk_root_stats(walk, i);
		inv->roots[at].n_directories = below.directories;
		inv->roots[at++].n_files = below.files;
	}
}

static int run(
        struct collecting *c, const struct collect_options *options, int root_fd, struct err *err)
{
	struct roots roots = { .n = 0 };
	int r = choose_roots(options, root_fd, &roots, err);
	if (r < 0)
		return r;
	struct pool *pool = NULL;
	r = name_roots(c, &roots, err);
	if (r >= 0)
		r = start_pool(c, options, &pool, err);
	if (r < 0)
		return r;
	struct walk_options walking = { .root_fd = root_fd,
		.roots = roots.all,
		.n_roots = roots.n,
		.excludes = options->excludes,
		.n_excludes = options->n_excludes,
		.one_file_system = options->one_file_system,
		.n_threads = limit_workers(c, options->n_threads, 0),
		.want = on_want,
		.skip = on_skip,
		.pace = c->pace ? on_pace : NULL,
		.ctx = c };
	struct walk *walk = NULL;
	r = walk_start(&walking, &walk, err);
	if (r >= 0) {
		r = run_loop(c, options, walk, pool);
		if (r < 0)
			(void)err_set(err, r, "the scan ended early: %s", strerror(-r));
		take_counts(c, walk, &roots);
		pid_t pids[POOL_PARSERS_MAX];
		(void)meter_take(&c->inventory->meter, pids, pool_pids(pool, pids), true);
	}
	walk_free(walk);
	pool_free(pool);
	return r;
}

/* OS packages without a distribution cannot be judged; a tree without any needs no os-release. */
static void tell_unknown_os(struct inventory *inv)
{
	bool has_os = false;
	for (size_t i = 0; i < inv->n_packages && !has_os; i++)
		has_os = package_is_os(&inv->packages[i]);
	if (inv->host.os_id.n == 0)
		ledger_add(&inv->ledger, has_os ? SKIP_FAILURE : SKIP_POLICY,
		        STR("/etc/os-release"),
		        STR("not there or not readable: which distribution this is cannot be "
		            "told"));
}

static int collect_from(
        int root_fd, const struct collect_options *options, struct inventory *inv, struct err *err)
{
	size_t n_readers;
	(void)reader_all(&n_readers);
	struct collecting c = { .inventory = inv,
		.started_ms = clock_ms(),
		.pace = options->pace,
		.tag_foreign = (int)n_readers,
		.skip_arena = ARENA(part_of(options, LEDGER_PART, LEDGER_BYTES)) };
	c.skips.arena = &c.skip_arena;
	c.owners_arena = ARENA(part_of(options, OWNERS_PART, OWNERS_BYTES));
	c.owners.arena = &c.owners_arena;

	int r = facts_read(root_fd, options->root, &inv->arena, &inv->host);
	if (r >= 0)
		r = run(&c, options, root_fd, err);
	if (r >= 0 &&
	        owners_apply(&c.owners, root_fd, inv->packages, inv->n_packages, &inv->arena) < 0)
		tell_owners_full(&c);
	tell_unknown_os(inv);
	take_skips(&c);
	arena_fini(&c.skip_arena);
	arena_fini(&c.owners_arena);
	if (inv->n_packages > 0)
		qsort(inv->packages, inv->n_packages, sizeof(*inv->packages), order_packages);
	ledger_sort(&inv->ledger);
	return r;
}

int collect_run(const struct collect_options *options, struct inventory *ret, struct err *err)
{
	int64_t started_ms = clock_ms();
	*ret = (struct inventory){ .arena = ARENA(part_of(options, PACKAGES_PART, INVENTORY_BYTES)),
		.ledger_arena = ARENA(part_of(options, LEDGER_PART, LEDGER_BYTES)) };
	meter_init(&ret->meter);
	ret->ledger.arena = &ret->ledger_arena;
	autoclose int root_fd = open(options->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return err_set(err, -errno, "%s: cannot open the root: %s", options->root,
		        strerror(errno));
	int r = collect_from(root_fd, options, ret, err);
	ret->elapsed_ms = (uint64_t)(clock_ms() - started_ms);
	return r;
}

void inventory_fini(struct inventory *inventory)
{
	if (!inventory)
		return;
	arena_fini(&inventory->arena);
	arena_fini(&inventory->ledger_arena);
	*inventory = (struct inventory){ .n_packages = 0 };
}
