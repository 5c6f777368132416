/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What the tests of calls share: call_server.py on the loopback, a temporary folder, and one arena.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <cmocka.h>

#include "net/call.h"

struct server {
	pid_t pid;
	int in; /* the server's standard input */
	unsigned port;
	char dir[64];
	int dir_fd;
	struct arena arena;
	char text[512]; /* what server_path() and server_endpoint() gave */
	char endpoint[64];
};

/** Make the folder and start the server; with a certificate of 127.0.0.1 at `cert`, if not NULL. */
void server_open(struct server *server, const char *cert);

/** Make NAME.key and NAME.pem, self-signed, for an address as subjectAltName has it. False without
 * openssl(1). */
bool server_make_cert(struct server *server, const char *name, const char *address);

/** Start the server, when the folder is there. */
void server_start(struct server *server, const char *cert_name);

/** Stop the server and remove the folder. */
void server_close(struct server *server);

/** A path in the folder; overwritten by the next call. */
const char *server_path(struct server *server, const char *name);

/** A session with the server, over http unless `ca_file`. */
struct net_session *server_session(struct server *server, const struct net_session_config *config);

/** Write an executable script that stands in for sonde-net, and give its path. */
const char *server_script(struct server *server, const char *script);

/** cmocka's per-test setup and teardown, with a server over http. */
int server_setup(void **state);
int server_teardown(void **state);
