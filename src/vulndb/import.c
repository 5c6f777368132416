/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job per source. Jobs start with the largest, so that no thread is left with a long one at the
 * end; what they tell is kept and handed to the listener in the order of the sources' names, so
 * that a run tells the same with any number of threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vulndb/encode.h"
#include "vulndb/feed.h"
#include "vulndb/pool.h"

#define TOLD_MAX_BYTES ((size_t)64 << 20)

struct run {
	const struct import_listener *listener;
	struct job *jobs; /* in order of names */
	int *results;
	bool *done;
	size_t *by_size; /* job numbers, the largest first */
	size_t n;
	pthread_mutex_t lock; /* guards done, n_told, done_bytes and the listener */
	size_t n_told;
	uint64_t done_bytes, all_bytes;
};

static void on_advance(void *ctx, uint64_t bytes)
{
	struct run *run = ctx;
	(void)pthread_mutex_lock(&run->lock);
	run->done_bytes += bytes;
	if (run->listener && run->listener->progress)
		run->listener->progress(run->listener->ctx, run->done_bytes, run->all_bytes);
	(void)pthread_mutex_unlock(&run->lock);
}

static void tell_records(const struct import_listener *listener, const struct job *job)
{
	struct cursor in = CURSOR(buf_str(&job->told));
	while (in.rest.n > 0 && !cursor_failed(&in)) {
		str record = decode_text(&in), what = decode_text(&in);
		autobuf text = BUF((size_t)1 << 20);
		buf_add(&text, record);
		buf_add_byte(&text, '\0');
		size_t at = text.n;
		buf_add(&text, what);
		buf_add_byte(&text, '\0');
		if (!buf_failed(&text))
			listener->record(listener->ctx, job->result.source, text.p, text.p + at);
	}
	if (job->n_untold > 0) {
		char more[64];
		(void)snprintf(more, sizeof(more), "%llu more, not listed",
		        (unsigned long long)job->n_untold);
		listener->record(listener->ctx, job->result.source, "", more);
	}
}

/* Tell of all jobs that are done and have no unfinished one before them. The lock is held. */
static void tell_done(struct run *run)
{
	const struct import_listener *listener = run->listener;
	for (; run->n_told < run->n && run->done[run->n_told]; run->n_told++) {
		struct job *job = &run->jobs[run->n_told];
		if (listener && listener->record)
			tell_records(listener, job);
		if (listener && listener->source)
			listener->source(listener->ctx, &job->result);
		buf_fini(&job->told);
	}
}

static void run_job(void *ctx, size_t i)
{
	struct run *run = ctx;
	size_t at = run->by_size[i];
	struct job *job = &run->jobs[at];
	struct err err = { 0 };
	int r = job->found->feed->import(job, &err);
	if (r < 0) {
		job->result.n_replaced = 0;
		(void)snprintf(job->result.problem, sizeof(job->result.problem), "%s",
		        err.text[0] ? err.text : "it cannot be imported");
	}
	job_advance(job, job->found->bytes);
	(void)pthread_mutex_lock(&run->lock);
	run->results[at] = r;
	run->done[at] = true;
	tell_done(run);
	(void)pthread_mutex_unlock(&run->lock);
}

static int by_size(const void *a, const void *b, void *ctx)
{
	const struct run *run = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	uint64_t m = run->jobs[x].found->bytes, n = run->jobs[y].found->bytes;
	if (m != n)
		return m > n ? -1 : 1;
	return (x > y) - (x < y);
}

/* An issue older than the one in the store is told, and left. */
static bool is_outdated(const struct found *found, const struct feed_head *old,
        const struct import_listener *listener)
{
	char why[160];
	struct stamp stored;
	if (!found->feed->only_newest || !stamp_parse(str_from_c(old->newest), &stored) ||
	        feed_is_ahead(stored, listener) ||
	        (found->has_date && stamp_cmp(found->date, stored) >= 0))
		return false;
	(void)snprintf(why, sizeof(why),
	        found->is_ahead ? "dated in the future: the issue of %s in the store stays"
	                        : "older than the issue of %s in the store, which stays",
	        old->newest);
	if (listener && listener->ignored)
		listener->ignored(listener->ctx, found->paths[0], why);
	return true;
}

/* What the store has of a source; zeros when it has nothing, or nothing that can be read. */
static void read_old_head(int dir_fd, const struct found *found, struct feed_head *ret)
{
	char name[FEED_FILE_NAME_SIZE];
	struct feed_reader *reader = NULL;
	*ret = (struct feed_head){ 0 };
	feed_file_name(found->name, name);
	if (feed_reader_open(dir_fd, name, &reader, NULL) == 0)
		*ret = *feed_reader_head(reader);
	feed_reader_close(reader);
}

static void run_fini(struct run *run)
{
	for (size_t i = 0; run->jobs && i < run->n; i++)
		buf_fini(&run->jobs[i].told);
	free(run->jobs);
	free(run->results);
	free(run->done);
	free(run->by_size);
	(void)pthread_mutex_destroy(&run->lock);
}

/* Jobs for all sources but those that the store has newer; *ret_left counts these. */
static int run_init(struct run *run, const struct found_list *list, int dir_fd,
        const struct import_listener *listener, size_t *ret_left, struct err *err)
{
	*run = (struct run){ .listener = listener,
		.jobs = calloc(list->n + 1, sizeof(*run->jobs)),
		.results = calloc(list->n + 1, sizeof(*run->results)),
		.done = calloc(list->n + 1, sizeof(*run->done)),
		.by_size = calloc(list->n + 1, sizeof(*run->by_size)) };
	(void)pthread_mutex_init(&run->lock, NULL);
	if (!run->jobs || !run->results || !run->done || !run->by_size)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < list->n; i++) {
		const struct found *found = &list->items[i];
		struct feed_head old;
		read_old_head(dir_fd, found, &old);
		if (is_outdated(found, &old, listener)) {
			++*ret_left;
			continue;
		}
		struct job *job = &run->jobs[run->n];
		*job = (struct job){ .found = found,
			.dir_fd = dir_fd,
			.told = BUF(TOLD_MAX_BYTES),
			.result = { .n_replaced = old.n_records },
			.advance = on_advance,
			.ctx = run };
		(void)snprintf(job->result.source, sizeof(job->result.source), "%s", found->name);
		if (found->is_ahead)
			job_tell(job, str_basename(str_from_c(found->paths[0])),
			        STR("dated in the future: used until there is another issue"));
		run->all_bytes += found->bytes;
		run->by_size[run->n] = run->n;
		run->n++;
	}
	qsort_r(run->by_size, run->n, sizeof(*run->by_size), by_size, run);
	return 0;
}

/* What the jobs came to, together. */
static int verdict(const struct run *run, size_t n_left, struct err *err)
{
	size_t n_good = n_left;
	for (size_t i = 0; i < run->n; i++) {
		int r = run->results[i];
		if (r == 0)
			n_good++;
		else if (r > -ERR_FORMAT) /* the system's: a full disk, no memory */
			return err_set(err, r, "%s", run->jobs[i].result.problem);
	}
	if (n_good > 0)
		return 0;
	for (size_t i = 0; i < run->n; i++) {
		if (run->results[i] < 0)
			return err_set(err, -ERR_FORMAT, "%s", run->jobs[i].result.problem);
	}
	return err_set(err, -ENOENT, "no feed was found");
}

int feed_import(const char *const *paths, size_t n_paths, const char *feed_dir, unsigned n_threads,
        const struct import_listener *listener, struct err *err)
{
	struct found_list list = { 0 };
	struct run run = { 0 };
	size_t n_left = 0;
	autoclose int dir_fd = fs_open_dir(feed_dir, true, err);
	if (dir_fd < 0)
		return dir_fd;
	autoclose int lock_fd = pool_lock_folder(dir_fd, feed_dir, err);
	if (lock_fd < 0)
		return lock_fd;
	int r = found_list_fill(paths, n_paths, &list, listener, err);
	if (r == 0) {
		r = run_init(&run, &list, dir_fd, listener, &n_left, err);
		if (r == 0) {
			pool_run(n_threads, run.n, run_job, &run);
			r = verdict(&run, n_left, err);
		}
		run_fini(&run);
	}
	found_list_fini(&list);
	return r;
}
