/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Folders that a walk could meet twice: roots inside roots, and mounts of what is mounted elsewhere
 * too.
 */

#include "walk/plan.h"

/**
 * Make sure that the walk meets every folder once: drop roots, stop at roots, leave out mounts. The
 * plan has its roots as starts, and a rule for each mount.
 *
 * Returns: 0; -ERR_LIMIT
 */
int overlap_settle(struct plan *plan);
