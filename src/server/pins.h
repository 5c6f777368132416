/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pins: generations that page tokens name, held for a while, so that who pages through findings
 * sees one state of the vulnerability data to the end while new advisories arrive.
 *
 * Threads: any
 */

#include "fleet/generation.h"

/** Generations held at once, and for how long after a token was last made for one. */
#define PINS_MAX 8
#define PINS_SECONDS 1800

struct pins;

/** Begin with none. Returns: 0; -ENOMEM */
int pins_open(struct pins **ret);

/** Let go of all. NULL is a no-op. */
void pins_close(struct pins *pins);

/** Hold a generation from now on; the one that was not asked for longest gives way. */
void pins_hold(struct pins *pins, const struct generation *generation, int64_t now_at);

/**
 * A generation by its number.
 *
 * Returns: one that the caller lets go of with generation_drop(); NULL when it is not held any more
 */
const struct generation *pins_find(struct pins *pins, uint64_t number, int64_t now_at);
