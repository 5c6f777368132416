/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Conn: what happens on one connection. All calls but conn_new() belong to its io thread.
 */

#include <sys/socket.h>

#include "http/core.h"

/**
 * Make a connection.
 *
 * In:      io  whose it will be
 *          fd  non-blocking; the connection's from here on
 * Returns: release with conn_free(); NULL when memory is out, and fd is closed
 * Threads: any
 */
struct conn *conn_new(struct io *io, int fd, const struct sockaddr_storage *peer);

/** Release it and its exchange. It is not in an io thread's hands. */
void conn_free(struct conn *conn);

/** Take it into its io thread and begin to serve. It may be gone afterwards. */
void conn_begin(struct conn *conn);

/** epoll says something. It may be gone afterwards. */
void conn_event(struct conn *conn, uint32_t events);

/** Go on as far as possible without waiting. It may be gone afterwards. */
void conn_turn(struct conn *conn);

/** The exchange is back from a worker, or was woken. It may be gone afterwards. */
void conn_return(struct conn *conn);

/** The deadline has come. It may be gone afterwards. */
void conn_expire(struct conn *conn);

/** The server stops: let idle connections and deferrals expire now. */
void conn_stop(struct conn *conn);
