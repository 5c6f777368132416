/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * load: what the store holds, into memory, when the fleet is opened.
 */

#include "fleet/inside.h"

/**
 * Load everything but the vulnerability data. The generation is what was known of matches last,
 * without what describes them.
 *
 * Returns: 0; -ERR_FORMAT when a record is damaged; -ENOMEM; what the store says
 */
int fleet_load(struct fleet *fleet, struct err *err);

/** Write the record that names a generation. */
void load_write_generation(const struct generation *generation, struct buf *out);

/** The address of that record. */
struct store_key load_generation_key(void);

/** The address of the record that holds the greatest number of a host that was forgotten. */
struct store_key load_numbers_key(void);
