/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one folder costs openat2, two or more getdents64, close, and nothing else: no stat of the
 * folder, none of what is in it. That the folder lies on the filesystem of the one above it is part
 * of the openat2 call (RESOLVE_NO_XDEV); kernels without it cost one fstat more. A folder gets a
 * record in memory only when something must outlive its reading: folders in it, or a file that was
 * offered.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "walk/engine.h"
#include "walk/root.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* How long a thread waits for a descriptor to become free, in steps of a millisecond; and other
 * tries. */
#define DESCRIPTOR_WAITS 2000

static const char vanished[] = "vanished during the walk";

/* The record that getdents64 yields. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

/* One folder being read. */
struct visit {
	struct worker *worker;
	struct walk *walk;
	const struct start *start;
	const struct job *job;
	struct walk_dir *parent; /* a reference, until the record takes it */
	struct walk_dir *dir;    /* the record, and a use of it; NULL until it is needed */
	str name;
	int fd;       /* owned until the record takes it */
	uint64_t dev; /* of the folder, where openat2 is missing */
	unsigned depth;
	str path, real; /* borrow from the worker's buffers */
	size_t n_names;
	bool has_more;
};

/* Write start + tail of parent + name into a buffer, with room for one more name behind it. */
static str build_path(struct buf *buf, str start, const struct walk_dir *parent, str name)
{
	size_t tail = parent ? parent->tail_bytes + 1 + name.n : 0;
	size_t n = start.n + tail;
	buf_clear(buf);
	char *p = buf_reserve(buf, n + NAME_MAX + 2);
	if (!p)
		return (str){ NULL, 0 };
	if (start.n > 0)
		memcpy(p, start.p, start.n);
	size_t at = n;
	if (parent) {
		at -= name.n;
		memcpy(p + at, name.p, name.n);
		p[--at] = '/';
	}
	for (; parent && parent->parent; parent = parent->parent) {
		at -= parent->name_bytes;
		memcpy(p + at, parent->name, parent->name_bytes);
		p[--at] = '/';
	}
	return (str){ p, n };
}

static bool set_paths(struct visit *v, const struct walk_dir *parent, str name)
{
	struct worker *w = v->worker;
	v->path = build_path(&w->path, v->start->path, parent, name);
	v->real = v->path;
	if (v->path.p &&
	        (v->start->path.n != v->start->real.n || !str_eq(v->start->path, v->start->real)))
		v->real = build_path(&w->real, v->start->real, parent, name);
	if (v->path.p && v->real.p)
		return true;
	/* Its own path cannot be told: that of the start must do. */
	engine_skip(
	        v->walk, WALK_SKIP_FAILURE, v->start->path, "no memory for a path below this root");
	return false;
}

/* Put a name behind the folder's path, in the room that build_path() left. */
static str beside(str folder, str name)
{
	char *p = (char *)(uintptr_t)folder.p + folder.n;
	*p++ = '/';
	memcpy(p, name.p, name.n);
	return (str){ folder.p, folder.n + 1 + name.n };
}

static void tell_error(struct walk *walk, str path, const char *what, int code)
{
	char reason[128];
	if (code == ENOENT) {
		engine_skip(walk, WALK_SKIP_POLICY, path, vanished);
		return;
	}
	errno = code;
	(void)snprintf(reason, sizeof(reason), "%s: %m", what);
	engine_skip(walk, WALK_SKIP_FAILURE, path, reason);
}

/* Is an open worth another try? When descriptors are short, waits until others close theirs. */
static bool may_retry(struct worker *worker, int r, unsigned *n_tries)
{
	if ((r == -EMFILE || r == -ENFILE) && !atomic_load(&worker->walk->is_stopped)) {
		const struct timespec moment = { 0, 1000000 };
		queue_close_folders(&worker->queue);
		engine_flush(worker);
		if (*n_tries > 0)
			(void)nanosleep(&moment, NULL);
		return ++*n_tries < DESCRIPTOR_WAITS;
	}
	return r == -EINTR || (r == -EAGAIN && ++*n_tries < DESCRIPTOR_WAITS);
}

static int open_retrying(struct worker *worker, int dir_fd, const char *name, int flags)
{
	unsigned n_tries = 0;
	int r;
	do {
		int fd = openat(dir_fd, name, flags);
		r = fd >= 0 ? fd : -errno;
	} while (r < 0 && may_retry(worker, r, &n_tries));
	return r;
}

static int open_same_mount(struct worker *worker, int dir_fd, const char *name)
{
	unsigned n_tries = 0;
	int r;
	do {
		r = root_openat2(dir_fd, name, FOLDER_FLAGS, RESOLVE_NO_XDEV);
	} while (r < 0 && may_retry(worker, r, &n_tries));
	return r;
}

/* Open the folder above again, its descriptor given up: down from the start, through no link. */
static int reopen_parent(const struct visit *v)
{
	const char *names[WALK_DEPTH_MAX + 1];
	size_t n = 0;
	for (const struct walk_dir *dir = v->parent; dir->parent && n <= WALK_DEPTH_MAX;
	        dir = dir->parent)
		names[n++] = dir->name;
	autoclose int at = open_retrying(v->worker, v->start->fd, ".", O_PATH | O_CLOEXEC);
	while (at >= 0 && n > 0) {
		const int flags = O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC;
		int fd = open_retrying(v->worker, at, names[--n], flags);
		closep(&at);
		at = fd;
	}
	struct stat st;
	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		return -errno;
	if (st.st_dev != v->job->dev || st.st_ino != v->job->ino)
		return -ENOENT; /* another folder has its name now: the one we knew is gone */
	int r = at;
	at = -1;
	return r;
}

/* A folder on another filesystem that the plan does not know. Returns 0 when it may be entered. */
static int judge_crossing(struct visit *v, int fd)
{
	struct statfs fs;
	struct stat st;
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return -errno;
	const char *why = mounts_why_not_magic((uint64_t)fs.f_type, v->real);
	if (!why && v->walk->options.one_file_system && st.st_dev != v->start->dev)
		why = "another filesystem: not entered with --one-file-system";
	if (!why)
		return 0;
	engine_skip(v->walk, WALK_SKIP_POLICY, v->path, why);
	return -EXDEV;
}

/* Open below a folder. -EXDEV: left out, and told. */
static int open_below(struct visit *v, int base, const char *name, bool is_known)
{
	struct walk *walk = v->walk;
	int fd = walk->has_openat2 && !is_known ? open_same_mount(v->worker, base, name) : -EXDEV;
	if (fd >= 0 || fd != -EXDEV)
		return fd;
	fd = open_retrying(v->worker, base, name, FOLDER_FLAGS);
	if (fd < 0 || (walk->has_openat2 && is_known))
		return fd;

	int r = 0;
	if (!walk->has_openat2) {
		struct stat st;
		r = fstat(fd, &st) < 0 ? -errno : 0;
		if (r == 0)
			v->dev = st.st_dev;
		if (r == 0 && (is_known || st.st_dev == v->parent->dev))
			return fd;
	}
	if (r == 0)
		r = judge_crossing(v, fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

/* Open the folder of a job. Returns 0, or a class after telling why not. */
static int open_folder(struct visit *v)
{
	struct walk *walk = v->walk;
	int r;
	if (!v->parent) {
		v->dev = v->start->dev;
		r = open_retrying(v->worker, v->start->fd, ".", FOLDER_FLAGS);
	} else {
		const struct rule *rule = plan_rule(&walk->plan, v->start, v->real);
		if (rule && rule->kind == RULE_START)
			return -EXDEV;
		const char *why = rule && rule->kind == RULE_SKIP ? rule->reason : NULL;
		if (!why && plan_excludes(&walk->plan, v->path, v->real))
			why = "excluded";
		if (why) {
			engine_skip(walk, WALK_SKIP_POLICY, v->path, why);
			return -EXDEV;
		}
		autoclose int again = v->job->is_user ? -1 : reopen_parent(v);
		int base = v->job->is_user ? v->parent->fd : again;
		r = base < 0 ? base : open_below(v, base, v->name.p, rule != NULL);
	}
	if (r == -EXDEV)
		return r;
	if (r == -ENOTDIR || r == -ELOOP)
		engine_skip(walk, WALK_SKIP_POLICY, v->path,
		        "replaced during the walk: a folder no more");
	else if (r < 0)
		tell_error(walk, v->path, "cannot open this folder", -r);
	v->fd = r;
	return r < 0 ? r : 0;
}

/* The folder's record, made when first needed; NULL when memory is out. */
static struct walk_dir *keep(struct visit *v)
{
	if (!v->dir) {
		v->dir = queue_dir_new(v->parent, v->start, v->name, v->fd, &v->walk->n_open);
		if (!v->dir)
			return NULL;
		v->dir->dev = v->dev;
		v->parent = NULL;
	}
	return v->dir;
}

static const char *kind_reason(unsigned type)
{
	switch (type) {
	case DT_LNK: return "symbolic link: not followed";
	case DT_FIFO: return "not a regular file: a FIFO";
	case DT_SOCK: return "not a regular file: a socket";
	case DT_CHR:
	case DT_BLK: return "not a regular file: a device";
	default: return "not a regular file";
	}
}

/* Open a wanted file and hand it over. */
static void offer(struct visit *v, str name, unsigned type, int tag)
{
	struct walk *walk = v->walk;
	str path = beside(v->path, name);
	str real = v->real.p == v->path.p ? path : beside(v->real, name);
	const struct rule *rule = plan_rule(&walk->plan, v->start, real);
	const char *why = rule && rule->kind == RULE_SKIP ? rule->reason : NULL;
	if (!why && plan_excludes(&walk->plan, path, real))
		why = "excluded";
	if (!why && type != DT_REG)
		why = kind_reason(type);
	if (why) {
		engine_skip(walk, WALK_SKIP_POLICY, path, why);
		return;
	}
	struct stat st;
	autoclose int fd = open_retrying(v->worker, v->fd, name.p, FILE_FLAGS);
	if (fd == -ELOOP || fd == -ENXIO ||
	        (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))) {
		engine_skip(walk, WALK_SKIP_POLICY, path,
		        "replaced during the walk: not a regular file any more");
		return;
	}
	if (fd < 0) {
		tell_error(walk, path, "cannot open this file", -fd);
		return;
	}
	struct walk_dir *dir = keep(v);
	struct walk_file *file = dir ? engine_file_new(walk, dir, path, fd) : NULL;
	if (!file) {
		tell_error(walk, path, "cannot offer this file", ENOMEM);
		return;
	}
	fd = -1;
	file->tag = tag;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->size_bytes = (uint64_t)st.st_size;
	engine_offer(v->worker, file);
}

static unsigned type_of(int dir_fd, const char *name)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

static void meet(struct visit *v, const struct entry *entry)
{
	struct walk *walk = v->walk;
	const char *z = entry->name;
	if (z[0] == '.' && (z[1] == '\0' || (z[1] == '.' && z[2] == '\0')))
		return;
	str name = str_from_c(z);
	unsigned type = entry->type == DT_UNKNOWN ? type_of(v->fd, z) : entry->type;
	if (type == DT_DIR) {
		if (v->start->is_shallow && v->depth > 0)
			return;
		if (v->depth >= WALK_DEPTH_MAX) {
			engine_skip(walk, WALK_SKIP_FAILURE, beside(v->path, name),
			        "deeper than 1024 folders: not read");
			return;
		}
		buf_add(&v->worker->names, (str){ z, name.n + 1 });
		v->n_names++;
		return;
	}
	(void)atomic_fetch_add_explicit(&v->worker->n_files, 1, memory_order_relaxed);
	int tag = walk->options.want(walk->options.ctx, v->path, name);
	if (tag >= 0)
		offer(v, name, type, tag);
}

/* Have enough folders been found to go there first? */
static bool may_pause(const struct visit *v)
{
	size_t enough =
	        v->depth > ENGINE_PAUSE_DEPTH ? ENGINE_PAUSE_DEEP_BYTES : ENGINE_PAUSE_BYTES;
	return v->worker->names.n >= enough &&
	       atomic_load_explicit(&v->walk->n_open, memory_order_relaxed) <= v->walk->max_open;
}

/* Read on in the folder until its end, or until enough folders were found in it. */
static void read_entries(struct visit *v)
{
	struct worker *w = v->worker;
	while (!atomic_load_explicit(&v->walk->is_stopped, memory_order_relaxed)) {
		long n = syscall(SYS_getdents64, v->fd, w->entries, (size_t)ENGINE_ENTRIES_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			tell_error(v->walk, v->path, "cannot read this folder to its end", errno);
		if (n <= 0)
			return;
		for (long at = 0; at < n;) {
			const void *p = w->entries + at;
			const struct entry *entry = p;
			meet(v, entry);
			at += entry->bytes;
		}
		engine_pace(v->walk);
		if (may_pause(v)) {
			v->has_more = true;
			return;
		}
	}
}

/* With many folders open, let this one be opened again by its path. Not in its middle. */
static void choose_use(const struct visit *v, struct batch *batch)
{
	struct stat st;
	batch->is_user =
	        v->has_more ||
	        atomic_load_explicit(&v->walk->n_open, memory_order_relaxed) <= v->walk->max_open ||
	        fstat(batch->dir->fd, &st) < 0;
	if (batch->is_user) {
		queue_dir_use(batch->dir);
		return;
	}
	batch->dev = st.st_dev;
	batch->ino = st.st_ino;
}

/* Queue the folders that were found. */
static void push_names(struct visit *v)
{
	struct buf *names = &v->worker->names;
	struct batch batch = { .n = (uint32_t)names->n, .has_more = v->has_more };
	batch.dir = buf_failed(names) ? NULL : keep(v);
	if (batch.dir && names->n > 0)
		batch.names = malloc(names->n);
	bool is_ready = batch.dir && (batch.names || names->n == 0);
	if (is_ready) {
		if (names->n > 0)
			memcpy(batch.names, names->p, names->n);
		(void)queue_dir_ref(batch.dir);
		choose_use(v, &batch);
		is_ready = engine_push(v->worker, &batch, v->n_names + v->has_more) == 0;
		if (!is_ready && batch.is_user)
			queue_dir_unuse(batch.dir);
		if (!is_ready)
			queue_dir_unref(batch.dir);
	}
	if (!is_ready) {
		free(batch.names);
		tell_error(v->walk, v->path, "cannot enter the folders in this folder", ENOMEM);
	}
}

/* A root that is a file: offer it as if it had been met in its folder. */
static void visit_file_root(struct visit *v)
{
	struct walk *walk = v->walk;
	str shown = str_basename(v->start->path);
	v->path = build_path(&v->worker->path, str_dirname(v->start->path), NULL, (str){ NULL, 0 });
	v->real = build_path(&v->worker->real, v->start->real, NULL, (str){ NULL, 0 });
	if (!v->path.p || !v->real.p || open_folder(v) < 0)
		return;
	(void)atomic_fetch_add_explicit(&v->worker->n_files, 1, memory_order_relaxed);
	int tag = walk->options.want(walk->options.ctx, v->path, shown);
	if (tag < 0)
		engine_skip(walk, WALK_SKIP_POLICY, v->start->path,
		        "no reader wants a file of this name");
	else
		offer(v, v->start->file, type_of(v->fd, v->start->file.p), tag);
}

static void read_folder(struct visit *v)
{
	read_entries(v);
	if (v->n_names > 0 || v->has_more)
		push_names(v);
}

/* Drop what the visit and its job hold. */
static void leave(struct visit *v, bool uses_parent, struct walk_dir *parent)
{
	if (uses_parent)
		queue_dir_unuse(parent);
	if (v->dir) {
		queue_dir_unuse(v->dir);
		queue_dir_unref(v->dir);
	} else {
		closep(&v->fd);
		queue_dir_unref(v->parent);
	}
}

void visit(struct worker *worker, const struct job *job)
{
	struct visit v = { .worker = worker,
		.walk = worker->walk,
		.start = job->start,
		.job = job,
		.parent = job->parent,
		.dir = job->resumed,
		.fd = -1,
		.name = str_from_c(job->name) };
	/* Only this thread adds to it. */
	uint64_t n_files = atomic_load_explicit(&worker->n_files, memory_order_relaxed);
	buf_clear(&worker->names);
	if (v.start->file.n > 0) {
		visit_file_root(&v);
	} else if (v.dir) {
		v.fd = v.dir->fd;
		v.depth = v.dir->depth;
		v.dev = v.dir->dev;
		if (set_paths(&v, v.dir->parent, (str){ v.dir->name, v.dir->name_bytes }))
			read_folder(&v);
	} else {
		v.depth = v.parent ? v.parent->depth + 1u : 0;
		if (set_paths(&v, v.parent, v.name) && open_folder(&v) == 0) {
			(void)atomic_fetch_add_explicit(
			        &worker->n_directories, 1, memory_order_relaxed);
			(void)atomic_fetch_add_explicit(
			        &v.start->counts->n_directories, 1, memory_order_relaxed);
			read_folder(&v);
		}
	}
	n_files = atomic_load_explicit(&worker->n_files, memory_order_relaxed) - n_files;
	(void)atomic_fetch_add_explicit(&v.start->counts->n_files, n_files, memory_order_relaxed);
	leave(&v, job->parent && job->is_user, job->parent);
}
