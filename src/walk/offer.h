/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The bounded queue of opened files between the threads of a walk and its caller.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct walk_file;

/** A queue. The threads wait when it is full; the caller polls `event`. */
struct offers {
	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t not_full;
	struct walk_file **files; /* a ring of `cap` */
	size_t first, n, cap;
	int event;       /* readable while a file is there, or no more will come; owned */
	bool is_over;    /* no more will come */
	bool is_stopped; /* nobody takes any more */
};

/** Make an empty queue in the caller's memory. Returns: 0; -ENOMEM; -errno; offers_fini() is called
 * in any case */
int offers_init(struct offers *offers, size_t cap);

/** Release, files not taken included. */
void offers_fini(struct offers *offers);

/** Add files; wait while there is no room. Takes them over. Returns: false when stopped: the rest
 * is released */
bool offers_put(struct offers *offers, struct walk_file *const *files, size_t n);

/** Take the oldest file. Returns: 1; 0 when none will come; -EAGAIN when none is there yet */
int offers_take(struct offers *offers, struct walk_file **ret);

/** Say that no more files will come. */
void offers_end(struct offers *offers);

/** Say that no more files will be taken: nobody waits any more. */
void offers_stop(struct offers *offers);
