/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The folders still to be read, one queue per thread. A thread takes the folder it found last, so
 * that few are waiting; one that has nothing takes from another's far end, where the large subtrees
 * are.
 */

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/str.h"

struct start;
struct walk;

/**
 * A folder that was read. Its record lives while something below it needs its path; its descriptor
 * lives while somebody needs to open what is in it, which is shorter.
 */
struct walk_dir {
	struct walk_dir *parent; /* a reference; NULL for a start */
	const struct start *start;
	atomic_uint n_refs;
	atomic_uint n_users; /* of the descriptor; nobody else may look at it */
	int fd;              /* owned; closed with the last user */
	atomic_uint *n_open; /* where descriptors are counted */
	uint64_t dev;        /* where openat2 is missing: the filesystem */
	uint32_t tail_bytes; /* of its path below the start: "/a/b" has 4 */
	uint16_t depth;      /* below the start, which has 0 */
	uint16_t name_bytes;
	char name[]; /* in its parent; ends in a NUL */
};

/**
 * Make a folder's record.
 *
 * In:      parent  a reference that is taken over;  fd  taken over;  n_open  raised by one while it
 * is open Returns: with one reference and one user; NULL when memory is out, and nothing is taken
 * over
 */
struct walk_dir *queue_dir_new(
        struct walk_dir *parent, const struct start *start, str name, int fd, atomic_uint *n_open);

/** Add a reference. */
struct walk_dir *queue_dir_ref(struct walk_dir *dir);

/** Drop a reference; the last one drops its parent's. NULL is a no-op. */
void queue_dir_unref(struct walk_dir *dir);

/** Add a user of the descriptor; the caller is one, or holds the lock under which there is one. */
void queue_dir_use(struct walk_dir *dir);

/** Be a user no more; the last one closes the folder. Before the reference is dropped. */
void queue_dir_unuse(struct walk_dir *dir);

/** Names of folders in one folder, waiting: one item of a queue. */
struct batch {
	struct walk_dir *dir; /* a reference */
	bool is_user;         /* and a use of its descriptor; else it is opened by path */
	uint64_t dev, ino;    /* then it must still be this one */
	char *names;          /* owned; each ends in a NUL */
	uint32_t at, n;       /* the names from `at` to `n` are left */
	bool has_more; /* the folder itself is not read to its end: go on when the names are used up
	                */
};

/** One thread's batches, the oldest first. */
struct queue {
	pthread_mutex_t lock; /* over all that follows */
	struct batch *batches;
	size_t first, n, cap;
};

/** One folder to read. */
struct job {
	struct walk_dir *parent; /* a reference; NULL for a start */
	bool is_user;            /* and a use of its descriptor; else it is opened by path */
	uint64_t dev, ino;       /* then it must still be this one */
	const struct start *start;
	struct walk_dir
	        *resumed; /* a reference and a use: read on in this folder; parent is NULL */
	char name[NAME_MAX + 1];
};

/** Make an empty queue in the caller's memory. Returns: 0; -ENOMEM, and queue_fini() is still
 * called */
int queue_init(struct queue *queue);

/** Drop what waits. A zeroed queue that was never made must not come here. */
void queue_fini(struct queue *queue);

/** Add a batch as the newest. Taken over: names, reference and use. Returns: 0; -ENOMEM, and
 * nothing is taken over */
int queue_push(struct queue *queue, const struct batch *batch);

/** Close the folders of waiting batches, as far as may be: they are opened by path then. */
void queue_close_folders(struct queue *queue);

/** Take one folder of the newest batch. Returns: false when the queue is empty */
bool queue_take(struct queue *queue, struct job *ret);

/**
 * Take one folder of another thread's oldest batch, and move half of what is left there to `own`.
 *
 * In:      own  the thread's own queue; empty
 * Returns: false when there is nothing
 */
bool queue_steal(struct queue *from, struct queue *own, struct job *ret);
