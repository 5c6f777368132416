/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Inside sonde-net: one call after the other over libcurl, which keeps the connection alive.
 */

#include "net/call_frame.h"

/** Where frames go. Required. */
struct ask_listener {
	/** Take a whole frame. Does not return when nobody hears it. */
	void (*tell)(str frame);
};

/** The connections of one session. Opaque. */
struct ask;

/**
 * Get ready to call one endpoint.
 *
 * In:      setup     borrows for as long as the result lives
 * Out:     ret_ask   owned, released with ask_free()
 * Returns: 0; -EIO, -ENOMEM
 */
int ask_new(const struct call_setup *setup, const struct ask_listener *listener,
        struct ask **ret_ask, struct err *err);

/** Close the connections and release; NULL is a no-op. */
void ask_free(struct ask *ask);

/**
 * Make one call and tell its answer: HEAD, DATA, END. When it fails it may have told a part.
 *
 * In:      lines  of the request's header, each ended by a NUL
 * Returns: 0; -ETIMEDOUT, -ECONNREFUSED, -EKEYREJECTED, -ERR_LIMIT, -EPROTO, -EIO as net_call()
 */
int ask_run(
        struct ask *ask, const struct net_call *call, str lines, uint16_t number, struct err *err);
