/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * desk: a server in a temporary folder, whose handlers are called without HTTP: as one account's
 * administrator, or as one of its hosts.
 */

#include "server/server.h"

#define DESK_ACCOUNT INT64_C(123456789012)
#define DESK_NOW INT64_C(1767225600)

struct desk {
	char folder[64];
	struct server *server;
	struct arena arena; /* of all answers */
	int64_t now_at;
	uint64_t host; /* whom desk_as_host() speaks for */
	char host_id[18];
	/* The last answer. */
	const struct value *out; /* NULL after an exception */
	str error, message;
	bool is_deferred;
};

/** Make the server with one account. Ends the test on failure. */
void desk_open(struct desk *desk);

/** Close it and remove the folder. */
void desk_close(struct desk *desk);

/** Put a host of the account into the fleet, and let it be the one that calls. */
void desk_add_host(struct desk *desk, const char *id);

/** Call an operation as the administrator. Returns: whether it was answered well */
bool desk_call(struct desk *desk, const char *operation, const char *json);

/** Call an operation as the host; "ec2messages:" before the name for that service. */
bool desk_call_host(struct desk *desk, const char *operation, const char *json);

/** Call it as the administrator and end the test unless it fails with this exception. */
void desk_fails(struct desk *desk, const char *operation, const char *json, const char *error);

/** The text at a path of the last answer: "Association.Targets.0.Key". Empty when not there. */
str desk_str(const struct desk *desk, const char *path);

/** The value at a path of the last answer; NULL when not there. */
const struct value *desk_value(const struct desk *desk, const char *path);
