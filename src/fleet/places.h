/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * places: where the packages of the hosts lie that somebody looked at last.
 */

#include "fleet/fleet.h"

struct places_cache;

/** Make an empty cache. Returns: NULL when memory is out */
struct places_cache *places_cache_new(void);

/** Release. NULL is a no-op. */
void places_cache_free(struct places_cache *cache);
