/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * hold: how long the server is asked to hold a poll for messages. Each poll that ends wakes a host
 * that has nothing to do, so long is better; but between here and there may stand what drops a
 * connection that says nothing for a minute, and then a message would wait until that is noticed.
 * So it is learnt: what broke off is asked for shorter, what held is asked for longer again. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

/** Longest, in seconds: a signature is good for 300, and the server looks at it again at the end.
 */
#define HOLD_MOST_S 240u
/** Shortest: what Systems Manager's own service does, whoever asks. */
#define HOLD_LEAST_S 20u

/** What was learnt. Zero-initialise. */
struct hold {
	unsigned wait_s;   /* 0: nothing yet */
	unsigned n_unhurt; /* polls in a row that were held to their end */
};

/** How long to ask for, in seconds. */
unsigned hold_wait_s(const struct hold *hold);

/**
 * A poll has ended.
 *
 * In:      waited_ms  how long it took
 *          is_broken  without an answer of the server: it was cut off on the way
 */
void hold_ended(struct hold *hold, int64_t waited_ms, bool is_broken);
