/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "walk/engine.h"
#include "walk/root.h"

#define THREADS_MAX 64u
#define THREADS_DEFAULT_MAX 8u
#define STACK_BYTES (256u << 10)

/* Most opened files that wait for the caller. */
#define OFFERS_MAX 128u

/* How often an idle thread looks for work before it sleeps: waking costs more than most folders. */
#define LOOKS_BEFORE_SLEEP 64

/* A file with what the caller does not see. */
struct offered {
	struct walk_file file;
	struct walk *walk; /* a reference */
	char path[];
};

static void drop_ref(struct walk *walk)
{
	if (atomic_fetch_sub_explicit(&walk->n_refs, 1, memory_order_acq_rel) == 1)
		free(walk);
}

void engine_skip(struct walk *walk, enum walk_skip kind, str path, const char *reason)
{
	(void)pthread_mutex_lock(&walk->skip_lock);
	walk->options.skip(
	        walk->options.ctx, kind, path.n > 0 ? path : STR("/"), str_from_c(reason));
	(void)pthread_mutex_unlock(&walk->skip_lock);
}

void engine_pace(struct walk *walk)
{
	while (walk->options.pace && !atomic_load(&walk->is_stopped) &&
	        walk->options.pace(walk->options.ctx))
		continue;
}

struct walk_file *engine_file_new(struct walk *walk, struct walk_dir *dir, str path, int fd)
{
	struct offered *offered = malloc(sizeof(*offered) + path.n);
	if (!offered)
		return NULL;
	*offered = (struct offered){ .walk = walk };
	memcpy(offered->path, path.p, path.n);
	offered->file.path = (str){ offered->path, path.n };
	offered->file.fd = fd;
	offered->file.dir = queue_dir_ref(dir);
	queue_dir_use(dir);
	(void)atomic_fetch_add_explicit(&walk->n_refs, 1, memory_order_relaxed);
	return &offered->file;
}

void walk_file_free(struct walk_file *file)
{
	if (!file)
		return;
	/* The file stands first in its offered. */
	struct offered *offered = (struct offered *)(void *)file;
	closep(&file->fd);
	queue_dir_unuse(file->dir);
	queue_dir_unref(file->dir);
	drop_ref(offered->walk);
	free(offered);
}

int walk_sibling(const struct walk_file *file, str name, int *ret_fd, uint64_t *ret_size_bytes,
        uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct stat st;
	int r = root_open_sibling(file->dir->fd, name, ret_fd, &st);
	if (r < 0)
		return r;
	*ret_size_bytes = (uint64_t)st.st_size;
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return 0;
}

/* Wake threads that sleep. The lock makes sure that none is between its last look and its sleep. */
static void wake(struct walk *walk, bool all)
{
	(void)pthread_mutex_lock(&walk->idle_lock);
	if (all)
		(void)pthread_cond_broadcast(&walk->has_work);
	else
		(void)pthread_cond_signal(&walk->has_work);
	(void)pthread_mutex_unlock(&walk->idle_lock);
}

int engine_push(struct worker *worker, const struct batch *batch, size_t n)
{
	struct walk *walk = worker->walk;
	(void)atomic_fetch_add(&walk->n_pending, n);
	int r = queue_push(&worker->queue, batch);
	if (r < 0)
		(void)atomic_fetch_sub(&walk->n_pending, n);
	else if (atomic_load(&walk->n_idle) > 0)
		wake(walk, n > 1);
	return r;
}

void engine_flush(struct worker *worker)
{
	worker->n_since_flush = 0;
	if (worker->n_held > 0)
		(void)offers_put(&worker->walk->offers, worker->held, worker->n_held);
	worker->n_held = 0;
}

void engine_offer(struct worker *worker, struct walk_file *file)
{
	(void)atomic_fetch_add_explicit(&worker->n_offered, 1, memory_order_relaxed);
	worker->held[worker->n_held++] = file;
	if (worker->n_held >= worker->max_held)
		engine_flush(worker);
}

static bool take_start(struct walk *walk, struct job *ret)
{
	for (;;) {
		size_t i = atomic_fetch_add(&walk->next_start, 1);
		if (i >= walk->plan.n_starts)
			return false;
		if (walk->plan.starts[i].is_dropped)
			continue;
		ret->parent = ret->resumed = NULL;
		ret->start = &walk->plan.starts[i];
		ret->name[0] = '\0';
		return true;
	}
}

static bool find_job(struct worker *worker, struct job *ret)
{
	struct walk *walk = worker->walk;
	if (queue_take(&worker->queue, ret))
		return true;
	if (atomic_load_explicit(&walk->next_start, memory_order_relaxed) < walk->plan.n_starts &&
	        take_start(walk, ret))
		return true;
	for (unsigned i = 1; i < walk->n_workers; i++) {
		struct worker *other = &walk->workers[(worker->index + i) % walk->n_workers];
		if (queue_steal(&other->queue, &worker->queue, ret))
			return true;
	}
	return false;
}

static bool is_over(struct walk *walk)
{
	return atomic_load(&walk->is_stopped) || atomic_load(&walk->n_pending) == 0;
}

/* Find a job, asleep while there is none. False: the walk is over. */
static bool await_job(struct worker *worker, struct job *ret)
{
	struct walk *walk = worker->walk;
	for (unsigned looks = 0; looks < LOOKS_BEFORE_SLEEP && !is_over(walk); looks++) {
		if (find_job(worker, ret))
			return true;
		(void)sched_yield();
	}
	bool has_job = false;
	engine_flush(worker);
	(void)pthread_mutex_lock(&walk->idle_lock);
	(void)atomic_fetch_add(&walk->n_idle, 1);
	while (!is_over(walk) && !(has_job = find_job(worker, ret)))
		(void)pthread_cond_wait(&walk->has_work, &walk->idle_lock);
	(void)atomic_fetch_sub(&walk->n_idle, 1);
	(void)pthread_mutex_unlock(&walk->idle_lock);
	return has_job;
}

/* Some threads are done; the last one's end is the walk's. */
static void stop_running(struct walk *walk, unsigned n)
{
	if (n > 0 && atomic_fetch_sub(&walk->n_running, n) == n)
		offers_end(&walk->offers);
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	struct walk *walk = worker->walk;
	struct job job;
	while (await_job(worker, &job)) {
		engine_pace(walk);
		visit(worker, &job);
		if (++worker->n_since_flush >= ENGINE_HOLD_FOLDERS)
			engine_flush(worker);
		if (atomic_fetch_sub(&walk->n_pending, 1) == 1)
			wake(walk, true);
	}
	engine_flush(worker);
	stop_running(walk, 1);
	return NULL;
}

static unsigned choose_threads(const struct walk_options *options)
{
	if (options->n_threads > 0)
		return options->n_threads < THREADS_MAX ? options->n_threads : THREADS_MAX;
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return n < 1 ? 1 : (unsigned)n < THREADS_DEFAULT_MAX ? (unsigned)n : THREADS_DEFAULT_MAX;
}

/*
 * Three eighths of the descriptors go to open folders, a quarter to files that wait, each with its
 * folder, and as many to those that all threads together hold back.
 */
static void share_descriptors(
        struct walk *walk, unsigned n_threads, size_t *ret_offers, size_t *ret_held)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	rlim_t n = limit.rlim_cur > 65536 ? 65536 : limit.rlim_cur;
	walk->max_open = (unsigned)(n / 8 * 3);
	*ret_offers = n / 8 > OFFERS_MAX ? OFFERS_MAX : n / 8 > 0 ? (size_t)(n / 8) : 1;
	*ret_held = *ret_offers / n_threads;
	*ret_held = *ret_held > ENGINE_HELD_MAX ? ENGINE_HELD_MAX : *ret_held > 0 ? *ret_held : 1;
}

/* Copy what the caller may release after walk_start(). */
static int copy_excludes(struct walk *walk)
{
	struct walk_options *o = &walk->options;
	const char **copies = arena_alloc(&walk->plan.arena, o->n_excludes + 1, sizeof(*copies));
	if (!copies)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_excludes; i++) {
		str copy;
		if (arena_copy(&walk->plan.arena, str_from_c(o->excludes[i]), &copy) < 0)
			return -ENOMEM;
		copies[i] = copy.p;
	}
	o->excludes = copies;
	o->roots = NULL;
	return 0;
}

static int make_workers(struct walk *walk, unsigned n, size_t max_held)
{
	walk->workers = aligned_alloc(_Alignof(struct worker), n * sizeof(struct worker));
	if (!walk->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &walk->workers[i];
		*w = (struct worker){ .walk = walk, .index = i, .max_held = max_held };
		int r = queue_init(&w->queue);
		walk->n_workers++;
		w->names = BUF(ENGINE_NAMES_MAX_BYTES);
		w->path = BUF(ENGINE_PATH_MAX_BYTES);
		w->real = BUF(ENGINE_PATH_MAX_BYTES);
		w->entries = malloc(ENGINE_ENTRIES_BYTES);
		if (r < 0 || !w->entries)
			return -ENOMEM;
	}
	return 0;
}

/* Start the threads, with every signal left to the caller's but those that tell of a fault of their
 * own. */
static int start_threads(struct walk *walk)
{
	static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };
	sigset_t all, before;
	pthread_attr_t attributes;
	int r = pthread_attr_init(&attributes);
	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)sigdelset(&all, faults[i]);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&walk->n_running, walk->n_workers);
	while (r == 0 && walk->n_started < walk->n_workers) {
		struct worker *w = &walk->workers[walk->n_started];
		r = pthread_create(&w->thread, &attributes, run, w);
		walk->n_started += r == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	stop_running(walk, walk->n_workers - walk->n_started);
	return walk->n_started > 0 ? 0 : -r;
}

static int start(struct walk *walk, struct err *err)
{
	size_t n_offers, max_held;
	unsigned n_threads = choose_threads(&walk->options);
	share_descriptors(walk, n_threads, &n_offers, &max_held);
	int r = offers_init(&walk->offers, n_offers);
	if (r < 0)
		return err_set(err, r, "cannot start the walk: no memory or no descriptor left");
	r = plan_make(&walk->plan, &walk->options, err);
	if (r < 0)
		return r;
	r = copy_excludes(walk);
	if (r >= 0)
		r = make_workers(walk, n_threads, max_held);
	if (r < 0)
		return err_set(err, r, "cannot start the walk: out of memory");

	int probe = root_openat2(walk->options.root_fd, ".", O_PATH | O_DIRECTORY, RESOLVE_NO_XDEV);
	walk->has_openat2 = !root_lacks_openat2(probe);
	closep(&probe);
	for (size_t i = 0; i < walk->plan.n_starts; i++)
		walk->n_pending += !walk->plan.starts[i].is_dropped;
	if (walk->n_pending == 0) {
		offers_end(&walk->offers);
		return 0;
	}
	r = start_threads(walk);
	return r < 0 ? err_set(err, r, "cannot start a thread for the walk") : 0;
}

int walk_start(const struct walk_options *options, struct walk **ret, struct err *err)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	if (!walk)
		return err_set(err, -ENOMEM, "cannot start the walk: out of memory");
	walk->options = *options;
	atomic_init(&walk->n_refs, 1);
	(void)pthread_mutex_init(&walk->skip_lock, NULL);
	(void)pthread_mutex_init(&walk->idle_lock, NULL);
	(void)pthread_cond_init(&walk->has_work, NULL);
	int r = start(walk, err);
	if (r < 0) {
		walk_free(walk);
		return r;
	}
	*ret = walk;
	return 0;
}

int walk_fd(const struct walk *walk)
{
	return walk->offers.event;
}

int walk_next(struct walk *walk, struct walk_file **ret)
{
	return offers_take(&walk->offers, ret);
}

struct walk_stats walk_stats(const struct walk *walk)
{
	struct walk_stats stats = { 0 };
	for (unsigned i = 0; i < walk->n_workers; i++) {
		const struct worker *w = &walk->workers[i];
		stats.directories += atomic_load_explicit(&w->n_directories, memory_order_relaxed);
		stats.files += atomic_load_explicit(&w->n_files, memory_order_relaxed);
		stats.offered += atomic_load_explicit(&w->n_offered, memory_order_relaxed);
	}
	return stats;
}

struct walk_stats walk_root_stats(const struct walk *walk, size_t root)
{
	struct walk_stats stats = { 0 };
	for (size_t i = 0; i < walk->plan.n_starts; i++) {
		const struct start *start = &walk->plan.starts[i];
		if (start->root != root)
			continue;
		stats.directories +=
		        atomic_load_explicit(&start->counts->n_directories, memory_order_relaxed);
		stats.files += atomic_load_explicit(&start->counts->n_files, memory_order_relaxed);
	}
	return stats;
}

void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	atomic_store(&walk->is_stopped, true);
	if (walk->offers.files)
		offers_stop(&walk->offers);
	wake(walk, true);
	for (unsigned i = 0; i < walk->n_started; i++)
		(void)pthread_join(walk->workers[i].thread, NULL);
	for (unsigned i = 0; i < walk->n_workers; i++) {
		struct worker *w = &walk->workers[i];
		queue_fini(&w->queue);
		free(w->entries);
		buf_fini(&w->names);
		buf_fini(&w->path);
		buf_fini(&w->real);
	}
	free(walk->workers);
	if (walk->offers.files)
		offers_fini(&walk->offers);
	plan_fini(&walk->plan);
	(void)pthread_cond_destroy(&walk->has_work);
	(void)pthread_mutex_destroy(&walk->idle_lock);
	(void)pthread_mutex_destroy(&walk->skip_lock);
	drop_ref(walk);
}
