/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL reads and writes through a BIO of ours and not through its own for sockets: it notes when
 * a read took all there was, which saves every request a call that only says EAGAIN; and it sends
 * without SIGPIPE.
 */
#include "http/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A session may be resumed for a day; the agents of a fleet come back sooner. */
#define TICKET_S (24 * 60 * 60)

/* Of TLS 1.2 only forward secrecy and authenticated ciphers are left; 1.3 has nothing else. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls {
	SSL_CTX *ctx;
	BIO_METHOD *method; /* of the sockets */
};

struct tls_link {
	SSL *ssl;
	int fd;
	bool is_short; /* the last read got less than it had room for */
};

static int link_read(BIO *bio, char *p, size_t n, size_t *ret_n)
{
	struct tls_link *link = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t r = recv(link->fd, p, n, 0);
	link->is_short = r < 0 || (size_t)r < n;
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	if (r == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	*ret_n = r > 0 ? (size_t)r : 0;
	return r > 0;
}

static int link_write(BIO *bio, const char *p, size_t n, size_t *ret_n)
{
	struct tls_link *link = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t r = send(link->fd, p, n, MSG_NOSIGNAL);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	*ret_n = r > 0 ? (size_t)r : 0;
	return r > 0;
}

static long link_control(BIO *bio, int command, long number, void *ptr)
{
	(void)number;
	(void)ptr;
	if (command == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return command == BIO_CTRL_FLUSH;
}

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_n,
        const unsigned char *in, unsigned n, void *ctx)
{
	static const unsigned char ours[] = "\x08http/1.1";
	(void)ssl;
	(void)ctx;
	/* The answer points into `in` or `ours`; the function wants it without const. */
	unsigned char *chosen = NULL;
	if (SSL_select_next_proto(&chosen, ret_n, ours, sizeof(ours) - 1, in, n) !=
	        OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int fail(struct err *err, const char *what, const char *path)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);
	ERR_clear_error();
	return err_set(err, -ERR_FORMAT, "%s %s: %s", what, path, why ? why : "cannot be used");
}

static int load(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return fail(err, "certificate", cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	        SSL_CTX_check_private_key(ctx) != 1)
		return fail(err, "key", key);
	return 0;
}

static bool make_method(struct tls *tls)
{
	int type = BIO_get_new_index();
	tls->method = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "sonde");
	return tls->method && BIO_meth_set_read_ex(tls->method, link_read) == 1 &&
	       BIO_meth_set_write_ex(tls->method, link_write) == 1 &&
	       BIO_meth_set_ctrl(tls->method, link_control) == 1;
}

static bool make_context(struct tls *tls)
{
	static const unsigned char context[] = "sonde";
	SSL_CTX *ctx = tls->ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	        SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 ||
	        SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1) != 1 ||
	        SSL_CTX_set_num_tickets(ctx, 1) != 1)
		return false;
	(void)SSL_CTX_set_options(ctx,
	        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	                SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Sessions live in tickets, at the clients: nothing is kept here. */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ctx, TICKET_S);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return true;
}

int tls_open(const char *cert, const char *key, struct tls **ret, struct err *err)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	if (!tls || !make_method(tls) || !make_context(tls)) {
		tls_close(tls);
		return err_set(err, -ENOMEM, "TLS cannot be set up");
	}
	int r = load(tls->ctx, cert, key, err);
	if (r < 0)
		tls_close(tls);
	else
		*ret = tls;
	return r;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	BIO_meth_free(tls->method);
	free(tls);
}

struct tls_link *tls_begin(struct tls *tls, int fd)
{
	struct tls_link *link = calloc(1, sizeof(*link));
	BIO *bio = link ? BIO_new(tls->method) : NULL;
	if (bio)
		link->ssl = SSL_new(tls->ctx);
	if (!bio || !link->ssl) {
		ERR_clear_error();
		(void)BIO_free(bio);
		free(link);
		return NULL;
	}
	link->fd = fd;
	BIO_set_data(bio, link);
	BIO_set_init(bio, 1);
	SSL_set_bio(link->ssl, bio, bio);
	SSL_set_accept_state(link->ssl);
	return link;
}

void tls_end(struct tls_link *link)
{
	if (!link)
		return;
	SSL_free(link->ssl);
	free(link);
}

/* The class of a call that returned r <= 0; 0 is the end. errno is the one of the call. */
static int outcome(const struct tls_link *link, int r)
{
	int saved = errno;
	switch (SSL_get_error(link->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL: return saved > 0 ? -saved : -ECONNRESET;
	default: return -EPROTO;
	}
}

int tls_handshake(struct tls_link *link)
{
	ERR_clear_error();
	errno = 0;
	int r = SSL_do_handshake(link->ssl);
	if (r == 1)
		return 0;
	r = outcome(link, r);
	ERR_clear_error();
	return r == 0 ? -ECONNRESET : r;
}

bool tls_is_resumed(const struct tls_link *link)
{
	return SSL_session_reused(link->ssl) == 1;
}

bool tls_is_drained(const struct tls_link *link)
{
	return link->is_short && !SSL_has_pending(link->ssl);
}

ssize_t tls_read(struct tls_link *link, char *p, size_t n)
{
	size_t n_read = 0;
	ERR_clear_error();
	errno = 0;
	int r = SSL_read_ex(link->ssl, p, n, &n_read);
	if (r == 1)
		return (ssize_t)n_read;
	r = outcome(link, r);
	ERR_clear_error();
	return r;
}

ssize_t tls_write(struct tls_link *link, const char *p, size_t n)
{
	size_t n_written = 0;
	ERR_clear_error();
	errno = 0;
	int r = SSL_write_ex(link->ssl, p, n, &n_written);
	if (r == 1)
		return (ssize_t)n_written;
	r = outcome(link, r);
	ERR_clear_error();
	return r == 0 ? -EPIPE : r;
}

void tls_finish(struct tls_link *link)
{
	ERR_clear_error();
	(void)SSL_shutdown(link->ssl);
	ERR_clear_error();
}
