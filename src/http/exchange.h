/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Exchange: one request and its response, from the end of the head to the last byte of the reply.
 */

#include "http/core.h"

/**
 * Make one from a head.
 *
 * In:      conn   the connection
 *          head   complete; or NULL: a head that was refused, for the reply alone
 *          bytes  of the head; they are copied
 * Returns: release with exchange_free(); NULL when memory is out
 */
struct exchange *exchange_new(struct conn *conn, const struct head *head, str bytes);

/** Release it, its descriptor too. NULL is a no-op. It must not be parked. */
void exchange_free(struct exchange *exchange);

/**
 * Add to the body of the request, and count it among all bodies in memory.
 *
 * Returns: 0; -ERR_LIMIT when there are too many of them; -ENOMEM
 */
int exchange_add_body(struct exchange *exchange, str bytes);

/** Empty the response, before a handler fills it. */
void exchange_reset_response(struct exchange *exchange);

/** Call the handler. Threads: a worker, or the io thread when there are no workers */
void exchange_handle(struct exchange *exchange);

/** Make the response a refusal: one line of text, and Retry-After when it is a 503. */
void exchange_refuse(struct exchange *exchange, int status, const char *reason);

/**
 * Write status line and header into `reply`, and the body if it is small.
 *
 * In:      date  of the Date field
 * Returns: 0; -ENOMEM
 */
int exchange_compose(struct exchange *exchange, str date);
