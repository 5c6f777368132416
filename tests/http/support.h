/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A server of the tests, in a thread, and clients of it: over TCP on loopback, with TLS or without.
 */

#include <openssl/ssl.h>
#include <pthread.h>

#include "http/http.h"

/** Waits in these tests end with a failure after this time; none of them is meant to be reached. */
#define PATIENCE_S 30

struct server {
	struct http *http;
	pthread_t thread;
	char dir[64]; /* certificate, key and files */
	char cert[96], key[96], file[96];
	int run_result;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t is_changed;
	bool is_released; /* handlers of /block may go on */
	unsigned n_handled, n_blocked, n_ended;
	struct buf log; /* a line each */
	struct buf access;
};

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct buf in; /* read, not yet used */
};

struct reply {
	int status;
	struct buf head, body;
};

/** The configuration that server_start() takes: a handler for the paths below, two workers. */
struct http_config server_config(bool is_tls);

/**
 * Start a server.
 *
 *   /echo    method, path, query, body          /big     BIG_BYTES bytes
 *   /file    bytes 100 to 999 of a file         /short   says more of a file than there is
 *   /none    204                                /nothing no answer at all
 *   /wait    defers by key 7 for a minute; then what it was told
 *   /soon    defers for a millisecond           /always  defers again and again
 *   /self    is woken while it looks            /block   waits for server_release()
 */
void server_start(struct server *server, struct http_config config);

/** Stop it, wait for its end and release everything. */
void server_end(struct server *server);

/** Let handlers of /block go on. */
void server_release(struct server *server);

/** Wait until a counter of the server has come to n. */
void server_await(struct server *server, const unsigned *counter, unsigned n);

/** Read a counter of the server. */
unsigned server_count(struct server *server, const unsigned *counter);

/** Wait until the log has a text. */
void server_await_log(struct server *server, const char *text);

/** Wait until no request is parked, or so many. */
void server_await_parked(struct server *server, uint64_t n);

#define BIG_BYTES ((size_t)3 << 20)

/** Write a self-signed certificate and its key below `dir`. */
void make_certificate(const char *dir, char *ret_cert, char *ret_key, size_t size);

/** Connect, with TLS if the server has it. */
void client_open(struct client *client, const struct server *server);

/** Connect without TLS, whatever the server has. */
void client_open_plain(struct client *client, const struct server *server);

/** Close. */
void client_close(struct client *client);

/** Send all bytes. */
void client_send(struct client *client, str bytes);

/** Read one reply; its body as announced, none to a HEAD. Returns: false when there is an end */
bool client_reply(struct client *client, struct reply *reply, bool is_head);

/** Does the server end the connection, without another byte? */
bool client_is_ended(struct client *client);

/** Send, read the reply, and compare. */
void client_expect(struct client *client, const char *request, int status, const char *body);

/** Find a text in the reply's head. */
bool reply_has(const struct reply *reply, const char *text);

/** Release a reply. */
void reply_fini(struct reply *reply);
