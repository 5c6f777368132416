/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

/* What one transaction takes at most: enough to divide a sync among many, little enough for a few
 * milliseconds and for the database's page cache. */
#define GROUP_RECORDS 1000
#define GROUP_BYTES ((size_t)16 << 20)
/* What may wait. */
#define QUEUE_BATCHES 16384
#define QUEUE_BYTES ((size_t)256 << 20)
/* How long the thread waits for the threads it has just answered to come back, so that they share
 * the next sync rather than fall into two halves that take turns. */
#define GATHER_MAX_US 500
#define IDLE_CARE_S 30

struct writer {
	const struct store_backend *backend;
	void *db;
	pthread_t thread, carer;

	pthread_mutex_t lock;   /* all below */
	pthread_cond_t work;    /* the queue has grown, or closing */
	pthread_cond_t room;    /* the queue has shrunk */
	pthread_cond_t written; /* has_written, or closing */
	bool has_written;       /* since the carer looked */
	struct store_batch *first, *last;
	size_t n_waiting, bytes_waiting;
	size_t gather; /* the thread waits until so many wait */
	bool closing;  /* no batch comes any more */
	struct store_stats stats;
};

static struct timespec later(uint64_t us)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t ns = (uint64_t)t.tv_nsec + us % 1000000 * 1000;
	t.tv_sec += (time_t)(us / 1000000 + ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	return t;
}

/* ---- the thread ---- */

/* Under the lock. Wait until there is a group to write; false when there will never be. */
static bool await_work(struct writer *writer, size_t n_last)
{
	if (n_last > 1 && !writer->closing) {
		struct timespec until = later(GATHER_MAX_US);
		writer->gather = n_last;
		while (writer->n_waiting < writer->gather && !writer->closing) {
			if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != 0)
				break;
		}
	}
	writer->gather = 1;
	while (writer->n_waiting == 0 && !writer->closing)
		(void)pthread_cond_wait(&writer->work, &writer->lock);
	return writer->n_waiting > 0;
}

/* Under the lock. Take the batches at the front that make one group. */
static struct store_batch *take_group(struct writer *writer, size_t *ret_n)
{
	struct store_batch *first = writer->first, *last = NULL;
	size_t n = 0, records = 0, bytes = 0;
	for (struct store_batch *batch = first; batch; batch = batch->next) {
		records += batch->n;
		bytes += batch->bytes;
		if (last && (records > GROUP_RECORDS || bytes > GROUP_BYTES))
			break;
		last = batch;
		n++;
		writer->n_waiting--;
		writer->bytes_waiting -= batch->bytes;
	}
	if (last) {
		writer->first = last->next;
		last->next = NULL;
	}
	if (!writer->first)
		writer->last = NULL;
	(void)pthread_cond_broadcast(&writer->room);
	*ret_n = n;
	return first;
}

static void count_group(struct writer *writer, const struct store_batch *first, uint64_t sync_us)
{
	struct store_stats *stats = &writer->stats;
	unsigned step = 0;
	while (step < STORE_STEPS - 1 && sync_us >= STORE_STEP_US(step))
		step++;
	(void)pthread_mutex_lock(&writer->lock);
	uint64_t before = stats->commits;
	for (const struct store_batch *batch = first; batch; batch = batch->next) {
		if (batch->result < 0) {
			stats->refused++;
			continue;
		}
		stats->commits++;
		stats->records += batch->n;
		stats->bytes += batch->bytes;
	}
	if (stats->commits > before) {
		stats->groups++;
		stats->sync_us += sync_us;
		stats->sync_steps[step]++;
	}
	(void)pthread_mutex_unlock(&writer->lock);
}

/* Answer every batch of a list. A batch may be gone once it is answered. */
static void answer(struct store_batch *first)
{
	for (struct store_batch *batch = first, *next; batch; batch = next) {
		next = batch->next;
		batch->next = NULL;
		batch->done(batch->ctx, batch->result, &batch->err);
	}
}

/* One batch that is a group by itself. */
static void write_alone(struct writer *writer, struct store_batch *batch)
{
	uint64_t sync_us = 0;
	batch->next = NULL;
	batch->result = 0;
	int r = writer->backend->apply(writer->db, batch, &sync_us, &batch->err);
	if (r < 0) {
		batch->result = r;
		(void)pthread_mutex_lock(&writer->lock);
		writer->stats.failed++;
		(void)pthread_mutex_unlock(&writer->lock);
	} else {
		count_group(writer, batch, sync_us);
	}
	answer(batch);
}

/* Together; and when that fails, one by one, so that the failure is only of those it belongs to.
 */
static void write_group(struct writer *writer, struct store_batch *first)
{
	uint64_t sync_us = 0;
	struct err err = { 0 };
	if (!first->next) {
		write_alone(writer, first);
		return;
	}
	for (struct store_batch *batch = first; batch; batch = batch->next)
		batch->result = 0;
	if (writer->backend->apply(writer->db, first, &sync_us, &err) == 0) {
		count_group(writer, first, sync_us);
		answer(first);
		return;
	}
	for (struct store_batch *batch = first, *next; batch; batch = next) {
		next = batch->next;
		write_alone(writer, batch);
	}
}

static void *write_all(void *arg)
{
	struct writer *writer = arg;
	size_t n = 0;
	(void)pthread_mutex_lock(&writer->lock);
	while (await_work(writer, n)) {
		struct store_batch *group = take_group(writer, &n);
		(void)pthread_mutex_unlock(&writer->lock);
		write_group(writer, group);
		(void)pthread_mutex_lock(&writer->lock);
		writer->has_written = true;
		(void)pthread_cond_signal(&writer->written);
	}
	(void)pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* The second thread: what the log needs, beside the writing. */
static void *care(void *arg)
{
	struct writer *writer = arg;
	(void)pthread_mutex_lock(&writer->lock);
	while (!writer->closing) {
		struct timespec until = later((uint64_t)IDLE_CARE_S * 1000000);
		bool is_idle = false;
		while (!writer->has_written && !writer->closing && !is_idle)
			is_idle = pthread_cond_timedwait(&writer->written, &writer->lock, &until) !=
			          0;
		is_idle = !writer->has_written;
		writer->has_written = false;
		(void)pthread_mutex_unlock(&writer->lock);
		int r = writer->backend->care(writer->db, is_idle);
		(void)pthread_mutex_lock(&writer->lock);
		writer->stats.checkpoints += r > 0;
		writer->stats.checkpoints_failed += r < 0;
	}
	(void)pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* ---- its callers ---- */

int writer_add(struct writer *writer, struct store_batch *batch, bool may_wait)
{
	int r = 0;
	(void)pthread_mutex_lock(&writer->lock);
	while (r == 0 && writer->n_waiting > 0 &&
	        (writer->n_waiting >= QUEUE_BATCHES ||
	                writer->bytes_waiting + batch->bytes > QUEUE_BYTES)) {
		if (!may_wait)
			r = -EAGAIN;
		else
			(void)pthread_cond_wait(&writer->room, &writer->lock);
	}
	if (r == 0) {
		batch->next = NULL;
		if (writer->last)
			writer->last->next = batch;
		else
			writer->first = batch;
		writer->last = batch;
		writer->n_waiting++;
		writer->bytes_waiting += batch->bytes;
		if (writer->n_waiting >= writer->gather)
			(void)pthread_cond_signal(&writer->work);
	}
	(void)pthread_mutex_unlock(&writer->lock);
	return r;
}

void writer_stats(struct writer *writer, struct store_stats *ret)
{
	(void)pthread_mutex_lock(&writer->lock);
	*ret = writer->stats;
	ret->waiting = writer->n_waiting;
	(void)pthread_mutex_unlock(&writer->lock);
}

/* Conditions that wait by the clock that nobody sets. */
static int init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);
	if (r == 0) {
		r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		if (r == 0)
			r = pthread_cond_init(cond, &attr);
		(void)pthread_condattr_destroy(&attr);
	}
	return r;
}

/* The lock and its conditions; all or none. */
static int init_locks(struct writer *writer)
{
	pthread_cond_t *const conds[] = { &writer->work, &writer->room, &writer->written };
	size_t n = 0;
	int r = pthread_mutex_init(&writer->lock, NULL);
	if (r != 0)
		return r;
	while (r == 0 && n < 3) {
		r = init_cond(conds[n]);
		n += r == 0;
	}
	if (r == 0)
		return 0;
	while (n > 0)
		(void)pthread_cond_destroy(conds[--n]);
	(void)pthread_mutex_destroy(&writer->lock);
	return r;
}

static void fini_locks(struct writer *writer)
{
	(void)pthread_cond_destroy(&writer->written);
	(void)pthread_cond_destroy(&writer->room);
	(void)pthread_cond_destroy(&writer->work);
	(void)pthread_mutex_destroy(&writer->lock);
}

/* Let the threads that run finish what waits, and wait for them. */
static void join(struct writer *writer, bool has_carer)
{
	(void)pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	(void)pthread_cond_signal(&writer->work);
	(void)pthread_cond_signal(&writer->written);
	(void)pthread_mutex_unlock(&writer->lock);
	(void)pthread_join(writer->thread, NULL);
	if (has_carer)
		(void)pthread_join(writer->carer, NULL);
}

int writer_new(const struct store_backend *backend, void *db, struct writer **ret, struct err *err)
{
	autofree struct writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return err_set(err, -ENOMEM, "cannot start the store's writer: out of memory");
	writer->backend = backend;
	writer->db = db;
	writer->gather = 1;
	int r = init_locks(writer);
	if (r != 0)
		return err_set(err, -r, "cannot start the store's writer: %s", strerror(r));
	r = pthread_create(&writer->thread, NULL, write_all, writer);
	if (r == 0) {
		r = pthread_create(&writer->carer, NULL, care, writer);
		if (r != 0)
			join(writer, false);
	}
	if (r != 0) {
		fini_locks(writer);
		return err_set(err, -r, "cannot start the store's writer: %s", strerror(r));
	}
	*ret = TAKE(writer);
	return 0;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	join(writer, true);
	fini_locks(writer);
	free(writer);
}
