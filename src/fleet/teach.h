/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * teach: between what an account's hosts tell of source packages (origins.h) and those of its hosts
 * whose agents do not tell.
 */

#include "fleet/inside.h"

/** Learn what all hosts tell; when they are loaded. */
void teach_learn(struct fleet *fleet);

/**
 * Let hosts whose agents name no source packages know what was learnt since they reported, as far
 * as their sets of packages become others by it. A bounded number of hosts per call.
 *
 * Returns: 1 when there is more to do; 0; what the store says
 * Threads: one at a time; with no lock of the fleet
 */
int teach_hosts(struct fleet *fleet, int64_t now_at, struct err *err);
