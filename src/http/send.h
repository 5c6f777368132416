/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Send: bytes of a reply into the socket, with TLS or without; and bytes out of it.
 */

#include "http/core.h"

/** Read, as recv(). Returns: bytes; 0 at the end; -EAGAIN; other -errno */
ssize_t conn_read(struct conn *conn, char *p, size_t n);

/** Send "100 Continue". Returns: 0; -EAGAIN when it did not go out whole; other -errno */
int conn_send_continue(struct conn *conn);

/**
 * Send the next piece of the exchange's reply.
 *
 * Returns: bytes, at least 1; -EAGAIN; -EIO when the file is shorter than was said; other -errno
 */
ssize_t conn_send_piece(struct conn *conn);
