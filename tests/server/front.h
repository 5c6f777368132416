/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * front: a server in a temporary folder as its clients meet it: requests are signed, and answered
 * by the dispatcher, without a socket in between.
 */

#include "aws/sigv4.h"
#include "http/http.h"
#include "server/keys.h"
#include "server/server.h"

#define FRONT_ACCOUNT INT64_C(123456789012)
#define FRONT_NOW INT64_C(1767225600)

/** One key of a client. */
struct front_key {
	char id[KEY_ID_SIZE + 8];
	char secret[KEY_SECRET_SIZE];
	str token; /* of a session; may be empty */
};

struct front {
	char folder[64], data[80];
	struct server *server;
	struct arena arena;     /* lives as long as the test */
	struct front_key admin; /* of FRONT_ACCOUNT */
	/* The last answer. */
	int outcome; /* HTTP_DONE, HTTP_DEFER */
	int status;
	int64_t defer_ms; /* of HTTP_DEFER */
	str head, body;   /* in the arena */
};

/** What to send. Empty members have a default. */
struct front_request {
	const struct front_key *key; /* NULL: unsigned */
	const char *service;         /* "ssm" */
	const char *target;          /* "AmazonSSM.ListDocuments", or NULL */
	const char *method;          /* "POST" */
	const char *path, *query;    /* "/", none */
	const char *type;            /* by the service */
	const char *body;            /* "" */
	const char *wait;            /* X-Sonde-Wait; NULL: not sent */
	int64_t signed_at;           /* FRONT_NOW */
};

/** Make a server whose clock stands at FRONT_NOW, with one account and its key. Ends the test on
 * failure. */
void front_open(struct front *front);

/** Close it, and open it again on the same folder. */
void front_reopen(struct front *front);

/** Close it and remove the folder. */
void front_close(struct front *front);

/** Add an account; `is_enabled`: EC2 scanning is on. */
void front_account(struct front *front, int64_t number, bool is_enabled);

/** Make a key. In: instance of a host, or NULL */
void front_key(struct front *front, int64_t account, enum role role, const char *instance,
        struct front_key *ret);

/** Send a request. Returns: the status */
int front_send(struct front *front, const struct front_request *request);

/** Does the last answer's body, or head, contain a text? */
bool front_says(const struct front *front, const char *text);
