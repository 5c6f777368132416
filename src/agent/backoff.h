/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * backoff: how long to wait after failures: doubled each time, capped, then any time up to that
 * ("full jitter"), so that a fleet whose server was away does not come back all at once.
 */

#include <stdint.h>

/** State of one thing that is tried again. */
struct backoff {
	uint64_t seed;       /* of the jitter; not 0 */
	unsigned n_failures; /* in a row */
};

/** First and longest wait, in milliseconds. */
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 600000
/** The longest Retry-After that is obeyed, in seconds. */
#define BACKOFF_RETRY_AFTER_MAX_S 3600

/** A next number of a seeded sequence (xorshift64*). Not for secrets. */
uint64_t backoff_random(uint64_t *seed);

/**
 * How long to wait after one more failure.
 *
 * In:      retry_after_s  what the server asked for; -1: nothing
 * Returns: milliseconds; never less than the server asked for, up to its limit
 */
int64_t backoff_failed(struct backoff *backoff, int64_t retry_after_s);

/** All is well again. */
void backoff_worked(struct backoff *backoff);
