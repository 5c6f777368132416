/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * spool: what the server has not taken yet: reports of runs, and the newest inventory. Bounded: a
 * report replaces the one of the same key, and beyond the limit the oldest give way.
 */

#include "agent/service.h"
#include "agent/state.h"
#include "agent/upload.h"

/** Most reports that are kept, and the largest one, in bytes. */
#define SPOOL_REPORTS_MAX 64
#define SPOOL_REPORT_BYTES ((size_t)1 << 20)

/**
 * Keep a call to be made later.
 *
 * In:      key  what it is about: a later call of the same key takes its place
 * Returns: 0; -ERR_LIMIT when it is too large; -errno
 */
int spool_add(const struct state *state, str key, const char *target, str body, struct err *err);

/** Is there anything to deliver? */
bool spool_has(const struct state *state);

/**
 * Make the calls that wait, oldest first, until one fails in a way that may pass. What the server
 * refuses for good is dropped.
 *
 * Returns: 0 nothing waits any more; as service_call()
 */
int spool_deliver(const struct state *state, struct service *service, struct err *err);

/** Keep the newest inventory. Returns: 0; -errno */
int spool_keep_inventory(const struct state *state, const struct upload *upload, struct err *err);

/** Forget the kept inventory: a newer one was taken. */
void spool_drop_inventory(const struct state *state);

/** Send the kept inventory, if there is one. Returns: 0; as upload_send() */
int spool_deliver_inventory(const struct state *state, struct service *service, struct err *err);
