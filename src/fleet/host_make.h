/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * host_make: what only the fleet does with hosts: make them of a draft, and keep the times of their
 * items apart from their record, so that a report that changes nothing writes little.
 */

#include "base/buf.h"
#include "fleet/host.h"

/** When a finding of a host was first observed, where it cannot be derived. */
struct first {
	vuln_id vuln;
	int64_t at;
};

/**
 * Make a host of a draft, whose strings and arrays are copied.
 *
 * Returns: one that host_free() releases; NULL when memory is out
 */
struct fleet_host *host_make(const struct fleet_host *draft);

/** Is this 17 lower-case hexadecimal digits? */
bool host_id_is_good(str id);

/** Would the records of two states of a host be the same, but for the times of items, which
 * KIND_SEEN has? */
bool host_differs_in_times_only(const struct fleet_host *a, const struct fleet_host *b);

/** Write when a host was seen, the times of its items, and what was taken of its day's quota: the
 * value of KIND_SEEN. */
void host_write_seen(const struct fleet_host *host, int64_t seen_at, struct buf *out);

/**
 * Read such a record.
 *
 * In:      at   a host that nobody else knows yet; replaced by one with these times, and released
 * Returns: 0; -ERR_FORMAT; -ENOMEM: the host stays
 */
int host_read_seen(struct fleet_host **at, str record, struct err *err);

/** Write what a host has since when: the value of KIND_SINCE. */
void since_write(const struct fleet_host *host, const struct first *firsts, size_t n_firsts,
        struct buf *out);

/**
 * Read such a record.
 *
 * In:      at   as host_read_seen(); gets its attach times
 * Out:     ret_firsts  sorted by vulnerability; the caller frees them
 * Returns: as host_read_seen()
 */
int since_read(struct fleet_host **at, str record, struct first **ret_firsts, size_t *ret_n,
        struct err *err);
