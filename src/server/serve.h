/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * serve: the life of a server: make its folder, open it, serve, stop, close.
 */

#include "server/log.h"
#include "server/server.h"

/** What a server is told when it is opened. Strings are copied. */
struct server_config {
	const char *data_dir;
	const char *db_dir;     /* NULL: "db" in the data folder */
	const char *public_url; /* NULL: made of the address that is listened to */
	struct log log;
	bool is_skipping_check; /* do not read the whole store for damage */
};

/** Where it listens. Strings are needed until server_run() has returned. */
struct serve_config {
	const char *listen;             /* "127.0.0.1:8443"; port 0 is any free one */
	const char *tls_cert, *tls_key; /* NULL: plain HTTP */
	unsigned n_workers;             /* 0: chosen by us */
	/** Told of the address that is listened to when requests are taken:
	 * "http://127.0.0.1:8443". Optional. */
	void (*ready)(void *ctx, const char *url);
	void *ctx;
};

/**
 * Make the data folder (0700), the store in it and the server's own keys.
 *
 * Returns: 0; -EEXIST when there is a server already; -errno; what the store says
 */
int server_init(const char *data_dir, struct err *err);

/**
 * Open the store and load what the control plane keeps. Enough for commands; the fleet is loaded by
 * server_run().
 *
 * Out:     ret  caller closes
 * Returns: 0; -ENOENT when there is no server in that folder; -EBUSY when one runs; -ENOMEM; what
 * the store says
 */
int server_open(const struct server_config *config, struct server **ret, struct err *err);

/**
 * Load the fleet: which host has what, and what is known of it.
 *
 * Returns: 0; what fleet_open() says
 */
int server_load(struct server *server, struct err *err);

/**
 * Serve until SIGTERM or SIGINT, then finish what runs. The caller has blocked both signals in its
 * only thread, so that no other takes them.
 *
 * Returns: 0 after a clean stop; what http_open() says
 */
int server_run(struct server *server, const struct serve_config *config, struct err *err);

/** Close. NULL is a no-op. */
void server_close(struct server *server);

/** Renew the matches if the data changed, forget what is old, make reports, bring accounts about:
 * what the background thread does once a second. In and out: reconciled_at is when all accounts
 * were looked at last, which is done once a minute; 0: at once
 */
void server_tend(struct server *server, int64_t now_at, int64_t *reconciled_at);
