/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A test's own room: a temporary folder, and a loopback web server that serves its folder
 * `files` below /files/, and its folder `feeds`, if the test makes one, as production has feeds.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "net/net.h"

struct web {
	pid_t pid;
	int in;    /* the server's standard input */
	FILE *out; /* and output */
	unsigned port;
	char dir[64]; /* temporary folder */
	int dir_fd;
	char log[8192]; /* what web_say() was answered */
};

/** Make the folder and start the server. `cert`: path of a PEM file with key and certificate, or
 * NULL. */
void web_open(struct web *web, const char *cert);

/** Stop the server and remove the folder. */
void web_close(struct web *web);

/** Give the server a command; what it answers is in web->log. */
void web_say(struct web *web, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Write files/NAME: `n` bytes that depend on `seed`, with a modification time that does too. */
void web_put(struct web *web, const char *name, size_t n, unsigned seed);

/** Write a small file into the folder. */
void web_write(struct web *web, const char *name, const char *text, unsigned mode);

/** Does the file `name` hold what web_put(n, seed) wrote? */
bool web_is(struct web *web, const char *name, size_t n, unsigned seed);

/** Is there such a file in the folder? */
bool web_has(struct web *web, const char *name);

/** A path in the folder, or a URL of the server; static, overwritten by the fourth call after. */
const char *web_path(struct web *web, const char *name);
const char *web_url(struct web *web, const char *path);

/** How often does `needle` stand in the log? */
unsigned web_count(struct web *web, const char *needle);

/** cmocka's per-test setup and teardown, with web_open(web, NULL). */
int web_setup(void **state);
int web_teardown(void **state);
