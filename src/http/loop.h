/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Loop: an io thread with its epoll and the deadlines of its connections.
 */

#include "http/core.h"

/** Make an io thread's state. Out: ret  release with io_close(). Returns: 0; -errno */
int io_open(struct http *http, struct io **ret);

/** Release it and all its connections, when neither it nor a worker runs. NULL is a no-op. */
void io_close(struct io *io);

/** The thread: serves until a stop. In: io  struct io. Returns: NULL */
void *io_run(void *io);

/** Take a connection in: epoll and deadlines. Returns: 0; -errno */
int io_add(struct io *io, struct conn *conn, int64_t deadline_ms);

/** Let go of a connection that io_add() took. */
void io_remove(struct conn *conn);

/** Set when conn_expire() is called. Cost: O(1) unless it is earlier than before */
void io_set_deadline(struct conn *conn, int64_t deadline_ms);

/** Let the connection go on in the next turn without an event. */
void io_make_ready(struct conn *conn);

/** The date of now, as in a Date field; valid until the next call. */
str io_date(struct io *io);
