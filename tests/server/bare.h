/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A server without HTTP, in a folder of its own: handlers are called as the dispatcher calls them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/server.h"

#define BARE_NOW INT64_C(1700000000) /* 2023-11-14T22:13:20Z */
#define BARE_ACCOUNT INT64_C(111122223333)

struct bare {
	char folder[64];
	struct server server;
	struct caller admin, reader, host, other_host;
	struct operation operation;
	struct arena arena;
	struct response response; /* of the last call */
	str body;                 /* raw, for the next call; empty: none */
	int64_t now_at;
};

/* cmocka setup and teardown: *state is a struct bare * with the hosts mi-00000000000000001 and
 * mi-00000000000000002, the second one's caller in other_host. */
int bare_setup(void **state);
int bare_teardown(void **state);

/* Close everything and open it again from the store. */
void bare_reopen(struct bare *bare);

/*
 * Call a handler with an input that satisfies its shape. Fails the test when the input does not or
 * the handler gives an internal error.
 *
 * Returns: the answer's object as text, or "ErrorName" with what else the error says
 */
const char *bare_call(struct bare *bare, const struct caller *caller, const char *service,
        const char *name, int (*handle)(struct request *, struct response *), const char *input);

/* The answer as a tree. */
const struct value *bare_parse(struct bare *bare, const char *text);

/* Fail unless the text contains the part. */
void assert_contains(const char *text, const char *part);
