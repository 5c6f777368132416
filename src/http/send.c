/* SPDX-License-Identifier: Apache-2.0 */
#include "http/send.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* Most that one call hands to the kernel: other connections wait meanwhile. */
#define PIECE_BYTES ((size_t)256 << 10)

/* One record of TLS. */
#define RECORD_BYTES ((size_t)16 << 10)

ssize_t conn_read(struct conn *conn, char *p, size_t n)
{
	if (conn->tls)
		return tls_read(conn->tls, p, n);
	ssize_t r = recv(conn->fd, p, n, 0);
	return r < 0 ? -errno : r;
}

static ssize_t send_bytes(struct conn *conn, str bytes, bool has_more)
{
	bytes = str_head(bytes, PIECE_BYTES);
	if (conn->tls)
		return tls_write(conn->tls, bytes.p, bytes.n);
	ssize_t r = send(conn->fd, bytes.p, bytes.n, MSG_NOSIGNAL | (has_more ? MSG_MORE : 0));
	return r < 0 ? -errno : r;
}

int conn_send_continue(struct conn *conn)
{
	str line = STR("HTTP/1.1 100 Continue\r\n\r\n");
	ssize_t n = send_bytes(conn, line, false);
	if (n < 0)
		return (int)n;
	/* It goes into an empty socket buffer; a client whose buffer does not even hold this is no
	 * client. */
	return (size_t)n == line.n ? 0 : -EAGAIN;
}

static ssize_t send_file(struct conn *conn, int fd, uint64_t at, uint64_t left)
{
	off_t offset = (off_t)at;
	if (!conn->tls) {
		ssize_t r = sendfile(
		        conn->fd, fd, &offset, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES);
		return r == 0 ? -EIO : r < 0 ? -errno : r;
	}
	ssize_t n = pread(
	        fd, conn->io->bytes, left < RECORD_BYTES ? (size_t)left : RECORD_BYTES, offset);
	if (n <= 0)
		return n == 0 ? -EIO : -errno;
	return tls_write(conn->tls, conn->io->bytes, (size_t)n);
}

ssize_t conn_send_piece(struct conn *conn)
{
	const struct exchange *exchange = conn->exchange;
	const struct http_response *response = &exchange->response;
	if (exchange->sent_bytes < exchange->reply.n)
		return send_bytes(conn, str_skip(buf_str(&exchange->reply), exchange->sent_bytes),
		        exchange->body_bytes > 0);
	uint64_t at = exchange->sent_bytes - exchange->reply.n;
	if (response->fd < 0)
		return send_bytes(conn, str_skip(buf_str(&response->body), at), false);
	return send_file(conn, response->fd, response->file_at + at, exchange->body_bytes - at);
}
