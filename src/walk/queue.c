/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A batch with fewer bytes of names than this is not worth sharing out. */
#define SHARE_MIN_BYTES 64

/* Room of a new queue, in batches: most trees are less deep. */
#define BATCHES_MIN 64

struct walk_dir *queue_dir_new(
        struct walk_dir *parent, const struct start *start, str name, int fd, atomic_uint *n_open)
{
	struct walk_dir *dir = malloc(sizeof(*dir) + name.n + 1);
	if (!dir)
		return NULL;
	*dir = (struct walk_dir){ .parent = parent, .start = start, .fd = fd, .n_open = n_open };
	atomic_init(&dir->n_refs, 1);
	atomic_init(&dir->n_users, 1);
	(void)atomic_fetch_add_explicit(n_open, 1, memory_order_relaxed);
	dir->name_bytes = (uint16_t)name.n;
	if (parent) {
		dir->depth = (uint16_t)(parent->depth + 1);
		dir->tail_bytes = parent->tail_bytes + 1 + (uint32_t)name.n;
	}
	if (name.n > 0)
		memcpy(dir->name, name.p, name.n);
	dir->name[name.n] = '\0';
	return dir;
}

struct walk_dir *queue_dir_ref(struct walk_dir *dir)
{
	(void)atomic_fetch_add_explicit(&dir->n_refs, 1, memory_order_relaxed);
	return dir;
}

void queue_dir_unref(struct walk_dir *dir)
{
	while (dir && atomic_fetch_sub_explicit(&dir->n_refs, 1, memory_order_acq_rel) == 1) {
		struct walk_dir *parent = dir->parent;
		free(dir);
		dir = parent;
	}
}

void queue_dir_use(struct walk_dir *dir)
{
	(void)atomic_fetch_add_explicit(&dir->n_users, 1, memory_order_relaxed);
}

void queue_dir_unuse(struct walk_dir *dir)
{
	if (atomic_fetch_sub_explicit(&dir->n_users, 1, memory_order_acq_rel) != 1)
		return;
	(void)close(dir->fd);
	dir->fd = -1;
	(void)atomic_fetch_sub_explicit(dir->n_open, 1, memory_order_relaxed);
}

static void batch_fini(struct batch *batch)
{
	if (batch->is_user)
		queue_dir_unuse(batch->dir);
	queue_dir_unref(batch->dir);
	free(batch->names);
}

int queue_init(struct queue *queue)
{
	*queue = (struct queue){ .batches = calloc(BATCHES_MIN, sizeof(struct batch)),
		.cap = BATCHES_MIN };
	(void)pthread_mutex_init(&queue->lock, NULL); /* cannot fail with default attributes */
	return queue->batches ? 0 : -ENOMEM;
}

void queue_fini(struct queue *queue)
{
	for (size_t i = queue->first; i < queue->n; i++) {
		batch_fini(&queue->batches[i]);
	}
	free(queue->batches);
	(void)pthread_mutex_destroy(&queue->lock);
}

/* Make room for one more batch. The lock is held. */
static bool make_room(struct queue *queue)
{
	if (queue->n < queue->cap)
		return true;
	if (queue->first > 0) {
		queue->n -= queue->first;
		memmove(queue->batches, queue->batches + queue->first,
		        queue->n * sizeof(*queue->batches));
		queue->first = 0;
		return true;
	}
	size_t cap = queue->cap * 2;
	struct batch *grown = reallocarray(queue->batches, cap, sizeof(*grown));
	if (!grown)
		return false;
	queue->batches = grown;
	queue->cap = cap;
	return true;
}

int queue_push(struct queue *queue, const struct batch *batch)
{
	(void)pthread_mutex_lock(&queue->lock);
	bool has_room = make_room(queue);
	if (has_room)
		queue->batches[queue->n++] = *batch;
	(void)pthread_mutex_unlock(&queue->lock);
	return has_room ? 0 : -ENOMEM;
}

/* Take a folder of a batch. True in *ret_empty: the batch is used up, and what it held went to the
 * job. */
static void take_from(struct batch *batch, struct job *ret, bool *ret_empty)
{
	ret->start = batch->dir->start;
	ret->parent = ret->resumed = NULL;
	ret->is_user = batch->is_user;
	ret->dev = batch->dev;
	ret->ino = batch->ino;
	if (batch->at == batch->n) {
		ret->resumed = batch->dir;
		*ret_empty = true;
	} else {
		size_t n = strlen(batch->names + batch->at) + 1;
		memcpy(ret->name, batch->names + batch->at, n);
		batch->at += (uint32_t)n;
		ret->parent = batch->dir;
		*ret_empty = batch->at == batch->n && !batch->has_more;
		if (!*ret_empty)
			(void)queue_dir_ref(batch->dir);
		if (!*ret_empty && batch->is_user)
			queue_dir_use(batch->dir);
	}
	if (*ret_empty)
		free(batch->names);
}

void queue_close_folders(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	for (size_t i = queue->first; i < queue->n; i++) {
		struct batch *batch = &queue->batches[i];
		struct stat st;
		if (!batch->is_user || batch->has_more || fstat(batch->dir->fd, &st) < 0)
			continue;
		batch->dev = st.st_dev;
		batch->ino = st.st_ino;
		batch->is_user = false;
		queue_dir_unuse(batch->dir);
	}
	(void)pthread_mutex_unlock(&queue->lock);
}

bool queue_take(struct queue *queue, struct job *ret)
{
	(void)pthread_mutex_lock(&queue->lock);
	bool has_batch = queue->n > queue->first;
	if (has_batch) {
		bool is_empty;
		take_from(&queue->batches[queue->n - 1], ret, &is_empty);
		queue->n -= is_empty;
	}
	if (queue->n == queue->first)
		queue->n = queue->first = 0;
	(void)pthread_mutex_unlock(&queue->lock);
	return has_batch;
}

/* Split off the later half of a batch's names. False when they are too few, or memory is out: then
 * not. */
static bool split(struct batch *batch, struct batch *ret)
{
	uint32_t left = batch->n - batch->at;
	if (left < SHARE_MIN_BYTES)
		return false;
	uint32_t from = batch->at + left / 2;
	while (from < batch->n && batch->names[from - 1] != '\0')
		from++;
	if (from == batch->n)
		return false;
	char *names = malloc(batch->n - from);
	if (!names)
		return false;
	memcpy(names, batch->names + from, batch->n - from);
	*ret = *batch;
	ret->dir = queue_dir_ref(batch->dir);
	if (ret->is_user)
		queue_dir_use(ret->dir);
	ret->names = names;
	ret->at = 0;
	ret->n = batch->n - from;
	ret->has_more = false;
	batch->n = from;
	return true;
}

bool queue_steal(struct queue *from, struct queue *own, struct job *ret)
{
	struct batch half;
	bool has_half = false;
	(void)pthread_mutex_lock(&from->lock);
	bool has_batch = from->n > from->first;
	if (has_batch) {
		bool is_empty;
		struct batch *oldest = &from->batches[from->first];
		take_from(oldest, ret, &is_empty);
		from->first += is_empty;
		has_half = !is_empty && split(oldest, &half);
	}
	(void)pthread_mutex_unlock(&from->lock);

	if (has_half)
		(void)queue_push(own, &half); /* an empty queue has room */
	return has_batch;
}
