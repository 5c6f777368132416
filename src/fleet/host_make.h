/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * host_make: what only the fleet does with hosts: make them of a draft, and keep the times of their
 * items apart from their record, so that a report that changes nothing writes little.
 */

#include "base/buf.h"
#include "fleet/host.h"

/**
 * Make a host of a draft, whose strings and arrays are copied.
 *
 * Returns: one that host_free() releases; NULL when memory is out
 */
struct fleet_host *host_make(const struct fleet_host *draft);

/** Is this 17 lower-case hexadecimal digits? */
bool host_id_is_good(str id);

/** Write when a host was seen, and the times of its items: the value of KIND_SEEN. */
void host_write_seen(const struct fleet_host *host, int64_t seen_at, struct buf *out);

/**
 * Read such a record.
 *
 * In:      at   a host that nobody else knows yet; replaced by one with these times, and released
 * Returns: 0; -ERR_FORMAT; -ENOMEM: the host stays
 */
int host_read_seen(struct fleet_host **at, str record, struct err *err);
