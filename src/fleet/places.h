/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * places: where the packages of the hosts lie that somebody looked at last.
 */

#include "fleet/fleet.h"

/** What fleet_places() says, while so many inventories may still be read anew: *left counts down;
 * NULL: any number. Returns: as fleet_places(); -EAGAIN when none may */
int places_get(struct fleet *fleet, const struct fleet_host *host, size_t *left,
        struct arena *arena, const struct place **ret, size_t *ret_count, struct err *err);

struct places_cache;

/** Make an empty cache. Returns: NULL when memory is out */
struct places_cache *places_cache_new(void);

/** Release. NULL is a no-op. */
void places_cache_free(struct places_cache *cache);
