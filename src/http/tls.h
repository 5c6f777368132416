/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * TLS of a server on non-blocking sockets. The only file that knows OpenSSL.
 */

#include <openssl/types.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/**
 * Read certificate and key and prepare for connections: TLS 1.3 and 1.2, http/1.1, session tickets.
 *
 * In:      cert, key  paths of PEM files; the chain starts with the server's certificate
 * Out:     ret        release with tls_close()
 * Returns: 0; -ERR_FORMAT; -ENOMEM
 */
int tls_open(const char *cert, const char *key, SSL_CTX **ret, struct err *err);

/** Release. NULL is a no-op. */
void tls_close(SSL_CTX *tls);

/**
 * Begin with a connection.
 *
 * In:      fd  non-blocking; stays the caller's
 * Returns: release with tls_end(); NULL when memory is out
 */
SSL *tls_begin(SSL_CTX *tls, int fd);

/** Release a connection's state. NULL is a no-op. */
void tls_end(SSL *link);

/** Go on with the handshake. Returns: 0 when it is done; -EAGAIN; -EPROTO and other -errno. */
int tls_handshake(SSL *link);

/** Did the client resume a session? */
bool tls_is_resumed(const SSL *link);

/** Read, as recv(). Returns: bytes; 0 at the end; -EAGAIN; -EPROTO and other -errno */
ssize_t tls_read(SSL *link, char *p, size_t n);

/**
 * Write, as send(). After -EAGAIN the same bytes come again, though maybe from elsewhere.
 *
 * Returns: bytes, at least 1; -EAGAIN; -EPROTO and other -errno
 */
ssize_t tls_write(SSL *link, const char *p, size_t n);

/** Tell the client that nothing will follow, if that is possible without waiting. */
void tls_finish(SSL *link);
