/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The inside of a running walk: what its threads share, and what each has for itself.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "walk/offer.h"
#include "walk/plan.h"
#include "walk/queue.h"
#include "walk/walk.h"

/** Most files that a thread holds back, so as to wake the caller for several at once. */
#define ENGINE_HELD_MAX 16

/** Folders after which a thread holds nothing back. */
#define ENGINE_HOLD_FOLDERS 128

/** One thread. All but the queue and the counts is its own. */
struct worker {
	_Alignas(64) struct queue queue;
	atomic_ullong n_directories, n_files, n_offered;
	struct walk *walk;
	pthread_t thread;
	unsigned index;
	struct walk_file *held[ENGINE_HELD_MAX]; /* owned; not offered yet */
	size_t n_held, max_held;
	unsigned n_since_flush; /* folders */
	char *entries;          /* ENGINE_ENTRIES_BYTES: what getdents64 fills */
	struct buf names;       /* folders found in the folder that is being read */
	struct buf path;        /* of that folder, as reported */
	struct buf real;        /* the same without links, when that differs */
};

/** A walk. The plan and the options do not change after the start. */
struct walk {
	struct walk_options options;
	struct plan plan;
	struct worker *workers;
	unsigned n_workers; /* that have buffers */
	unsigned n_started; /* that have a thread */
	unsigned max_open;  /* folders that may be kept open */
	bool has_openat2;

	struct offers offers;
	pthread_mutex_t skip_lock; /* over calls of options.skip */

	atomic_uint n_refs;      /* walk_free() and every file that is not freed */
	atomic_uint n_open;      /* folders kept open */
	atomic_ullong n_pending; /* folders found and not yet read */
	atomic_size_t next_start;
	atomic_uint n_running; /* threads that may still offer files */
	atomic_bool is_stopped;

	pthread_mutex_t idle_lock; /* over sleeping and waking */
	pthread_cond_t has_work;
	atomic_uint n_idle;
};

/** Bytes that one getdents64 call may fill. */
#define ENGINE_ENTRIES_BYTES (32u << 10)

/**
 * Names of folders, in bytes, after which the reading of a huge folder pauses until those are done;
 * less where it is deep, because each folder on the way down may have as many: together 36 MB at
 * most. Short of descriptors it does not pause, because its place would be lost with its
 * descriptor.
 */
#define ENGINE_PAUSE_BYTES (256u << 10)
#define ENGINE_PAUSE_DEEP_BYTES (32u << 10)
#define ENGINE_PAUSE_DEPTH 16

/** Most bytes of names of folders that one folder may have waiting. */
#define ENGINE_NAMES_MAX_BYTES (256u << 20)

/** Longest path that is built: WALK_DEPTH_MAX names of NAME_MAX below the longest root. */
#define ENGINE_PATH_MAX_BYTES (2u << 20)

/** Read one folder: offer what is wanted, queue the folders in it. The job's references are used
 * up. */
void visit(struct worker *worker, const struct job *job);

/** Tell the caller of something left out. In: path  as reported; "" for the root folder */
void engine_skip(struct walk *walk, enum walk_skip kind, str path, const char *reason);

/** Wait while the caller slows the walk down. */
void engine_pace(struct walk *walk);

/** Queue a batch of `n` folders on a thread's own queue and wake a thread that sleeps. Returns: 0;
 * -ENOMEM */
int engine_push(struct worker *worker, const struct batch *batch, size_t n);

/** Make a file's record. In: fd, dir taken over; path copied. Returns: caller frees; NULL, nothing
 * taken over */
struct walk_file *engine_file_new(struct walk *walk, struct walk_dir *dir, str path, int fd);

/** Offer a file, now or a little later. Takes it over. */
void engine_offer(struct worker *worker, struct walk_file *file);

/** Offer what is held back. */
void engine_flush(struct worker *worker);
