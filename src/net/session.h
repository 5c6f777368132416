/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Inside sonde-net: calls, one after the other, until nobody asks any more.
 */

#include "base/err.h"

/** What the libraries need before the process enters its role. Opaque. */
struct session;

/**
 * Load the libraries.
 *
 * Out:     ret_session  owned, released with session_free()
 * Returns: 0; -EIO, -ENOMEM, -ERR_UNSUPPORTED
 */
int session_new(struct session **ret_session, struct err *err);

/** Close the connections and release; NULL is a no-op. */
void session_free(struct session *session);

/** Tell that no call will be answered, and why; as the last thing that is told. */
void session_fail(const struct err *err);

/**
 * Answer what comes in on descriptor 0, on descriptor 1, until it ends.
 *
 * Returns: 0 at an orderly end; -EPROTO when what came was no request; what the setup failed with.
 *          The caller tells it by session_fail()
 */
int session_serve(struct session *session, struct err *err);
