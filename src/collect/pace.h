/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Pace: a limit on processor time, held by the process and the children that join it together. What
 * other children use counts when they are watched, or have ended; it is they who are waited for.
 *
 * Over any PACE_WINDOW_MS they use at most the limit, as measured by their own CPU clocks. Whoever
 * has run ahead of it waits. Every function takes NULL for "no limit".
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** The window over which the limit holds, in milliseconds. */
#define PACE_WINDOW_MS 2000

/** Smallest and largest limit, in percent of one processor. */
#define PACE_MIN_PCT 1
#define PACE_MAX_PCT 6400

/** Most children that are watched: parsers, and one more. */
#define PACE_CHILDREN_MAX 17
/** The place of sonde-net, which whoever calls a server watches. */
#define PACE_NET (PACE_CHILDREN_MAX - 1)

struct pace;

/**
 * Begin to hold a limit. From here on the calling thread is slowed down by itself, wherever it is:
 * a timer of the process's CPU clock interrupts it (SIGPROF, SA_RESTART) and it sleeps there. Other
 * threads ask pace_wait(), and block that signal.
 *
 * In:      limit_pct  of one processor; 0: none, and *ret_pace is NULL
 * Out:     ret_pace   caller ends it, in the same thread
 * Returns: 0; -ENOMEM, -EAGAIN and other -errno
 */
int pace_begin(unsigned limit_pct, struct pace **ret_pace, struct err *err);

/**
 * Hold the limit in a child that was just forked by whoever began it: as pace_begin() does for the
 * calling thread. Called before the child gives up the right to make timers.
 *
 * In:      index  below PACE_CHILDREN_MAX: which child it is
 * Returns: 0; -EAGAIN and other -errno
 */
int pace_join(struct pace *pace, unsigned index);

/**
 * Count the time of a child, all of it, by its CPU clock, until pace_leave(). One that is watched
 * already is not counted twice.
 *
 * In:      index  as in pace_join()
 *          pid    0: nobody
 */
void pace_watch(struct pace *pace, unsigned index, int pid);

/** A child has ended and was waited for, and stays on the account as every such child does. */
void pace_leave(struct pace *pace, unsigned index);

/**
 * Wait, while more was used than the limit has allowed so far, but at most 250 ms.
 *
 * Returns: true: ask again
 * Cost:    a few system calls a millisecond, however often it is called
 * Threads: any, at once; also from a signal handler
 */
bool pace_wait(struct pace *pace);

/** The limit in percent; 0 without one. */
unsigned pace_limit_pct(const struct pace *pace);

/** End it: the calling thread runs free. NULL is a no-op. */
void pace_end(struct pace *pace);
