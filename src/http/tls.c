/* SPDX-License-Identifier: Apache-2.0 */
#include "http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* A session may be resumed for a day; the agents of a fleet come back sooner. */
#define TICKET_S (24 * 60 * 60)

/* Of TLS 1.2 only forward secrecy and authenticated ciphers are left; 1.3 has nothing else. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

static int choose_protocol(SSL *link, const unsigned char **ret, unsigned char *ret_n,
        const unsigned char *in, unsigned n, void *ctx)
{
	static const unsigned char ours[] = "\x08http/1.1";
	(void)link;
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

static int load(SSL_CTX *tls, const char *cert, const char *key, struct err *err)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1)
		return fail(err, "certificate", cert);
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		return fail(err, "key", key);
	if (SSL_CTX_check_private_key(tls) != 1)
		return fail(err, "key", key);
	return 0;
}

int tls_open(const char *cert, const char *key, SSL_CTX **ret, struct err *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	if (!tls)
		return err_set(err, -ENOMEM, "TLS cannot be set up");
	static const unsigned char context[] = "sonde";
	bool is_set = SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
	              SSL_CTX_set_cipher_list(tls, CIPHERS_12) == 1 &&
	              SSL_CTX_set_session_id_context(tls, context, sizeof(context) - 1) == 1 &&
	              SSL_CTX_set_num_tickets(tls, 1) == 1;
	if (!is_set) {
		tls_close(tls);
		return err_set(err, -ENOMEM, "TLS cannot be set up");
	}
	(void)SSL_CTX_set_options(tls,
	        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	                SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Sessions live in tickets, at the clients: nothing is kept here. */
	(void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(tls, TICKET_S);
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
	int r = load(tls, cert, key, err);
	if (r < 0)
		tls_close(tls);
	else
		*ret = tls;
	return r;
}

void tls_close(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}

SSL *tls_begin(SSL_CTX *tls, int fd)
{
	SSL *link = SSL_new(tls);
	if (link && SSL_set_fd(link, fd) == 1) {
		SSL_set_accept_state(link);
		return link;
	}
	ERR_clear_error();
	SSL_free(link);
	return NULL;
}

void tls_end(SSL *link)
{
	SSL_free(link);
}

/* The class of a call that returned r <= 0; 0 is the end. errno is the one of the call. */
static int outcome(SSL *link, int r)
{
	int saved = errno;
	switch (SSL_get_error(link, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL: return saved > 0 ? -saved : -ECONNRESET;
	default: return -EPROTO;
	}
}

int tls_handshake(SSL *link)
{
	ERR_clear_error();
	errno = 0;
	int r = SSL_do_handshake(link);
	if (r == 1)
		return 0;
	r = outcome(link, r);
	ERR_clear_error();
	return r == 0 ? -ECONNRESET : r;
}

bool tls_is_resumed(const SSL *link)
{
	return SSL_session_reused(link) == 1;
}

ssize_t tls_read(SSL *link, char *p, size_t n)
{
	size_t n_read = 0;
	ERR_clear_error();
	errno = 0;
	int r = SSL_read_ex(link, p, n, &n_read);
	if (r == 1)
		return (ssize_t)n_read;
	r = outcome(link, r);
	ERR_clear_error();
	return r;
}

ssize_t tls_write(SSL *link, const char *p, size_t n)
{
	size_t n_written = 0;
	ERR_clear_error();
	errno = 0;
	int r = SSL_write_ex(link, p, n, &n_written);
	if (r == 1)
		return (ssize_t)n_written;
	r = outcome(link, r);
	ERR_clear_error();
	return r == 0 ? -EPIPE : r;
}

void tls_finish(SSL *link)
{
	ERR_clear_error();
	(void)SSL_shutdown(link);
	ERR_clear_error();
}
