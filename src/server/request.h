/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * request: one call of one operation, authenticated, authorised and validated before its handler
 * sees it; and the answer that the handler makes. Handlers are short: decode, call a room, encode.
 */

#include "aws/shape.h"
#include "aws/value.h"
#include "aws/xml.h"
#include "base/arena.h"
#include "base/json.h"
#include "server/caller.h"

struct server;
struct request;
struct response;

/** What response_fail() and response_defer() return, negated: no class of any other function. */
enum { RESPONSE_FAILED = 2048, RESPONSE_DEFERRED };

/** Who may call an operation: the least that is asked for. Refused before the handler runs. */
enum may {
	MAY_ANYONE,          /* unsigned; the handler authenticates by what the body holds */
	MAY_CALL,            /* whoever signs, host or user */
	MAY_READ,            /* any user of an account: administrator or read-only */
	MAY_WRITE,           /* an administrator of an account */
	MAY_ADMIN_DELEGATED, /* an administrator of the delegated administrator's account */
	MAY_MANAGEMENT,      /* an administrator of the organisation's management account */
	MAY_HOST,            /* a host, about itself */
	MAY_HOST_OR_READ,    /* a host about itself, or any user of its account */
	MAY_HOST_OR_WRITE,   /* a host about itself, or an administrator of its account */
};

/** One row of operations.def. */
struct operation {
	const struct operation_shape *shape;
	enum may may;
	/**
	 * Answer one call.
	 *
	 * Returns: 0, and response->json holds the members of the output object (or response->xml
	 * the elements inside <OperationResponse>, ...Result for sts); what response_fail()
	 * returned; -errno, -ERR_*: an internal error, logged, answered without its sentence
	 */
	int (*handle)(struct request *request, struct response *response);
	const char *text; /* one sentence for docs/api.md */
};

/** One call. Everything lives as long as the request. */
struct request {
	struct server *server;
	const struct operation *operation;
	struct caller caller;
	const struct value *in; /* the input, valid by its shape; an object, never NULL */
	str body;               /* the raw body */
	struct arena *arena;
	str region;        /* of the credential scope; "us-east-1" when there is none */
	char id[37];       /* a UUID, x-amzn-RequestId */
	int64_t now_at;    /* seconds since 1970 UTC */
	int64_t now_ms;    /* the same in milliseconds */
	str peer;          /* address of the client */
	int attempt;       /* > 0 when it was deferred before */
	unsigned wait_s;   /* how long the client lets itself be held; 0: it did not say */
	bool is_wait_over; /* the longest time of a deferral is over: answer now */
};

/** The answer. The dispatcher opens the object before the handler runs and closes it behind it. */
struct response {
	struct buf body;
	struct json_writer json; /* of the JSON protocols */
	struct xml xml;          /* of the XML protocols */
	struct arena *arena;
	/* Set by response_fail(). */
	bool is_failed;
	str error, message;
	const struct value *extra; /* more members of the error */
	/* Set by response_defer(). */
	int64_t defer_ms; /* > 0: it was called */
	uint64_t defer_key;
};

/**
 * Answer with an exception.
 *
 * In:      error  its name, static: "ResourceNotFoundException"
 *          fmt    a sentence for the client: what, where, what next; nothing secret
 * Returns: a class < 0 for the handler to return
 */
int response_fail(struct response *response, const char *error, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/** A ValidationException of inspector2 with reason FIELD_VALIDATION_FAILED and one field. Returns:
 * as response_fail() */
int response_invalid(struct response *response, const char *field, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/**
 * Answer later: the handler is called again when server_wake() is called with the key, or after
 * `ms` with request->is_wait_over. Returns: a class < 0 for the handler to return
 */
int response_defer(struct response *response, uint64_t key, int64_t ms);

#ifdef SONDE_LINT
/* For scripts/lint, whose readers see one file at a time: what these return. */
#define response_fail(...) ((void)(response_fail)(__VA_ARGS__), -RESPONSE_FAILED)
#define response_invalid(...) ((void)(response_invalid)(__VA_ARGS__), -RESPONSE_FAILED)
#endif

/** "key": seconds since 1970, as Amazon's JSON protocols write times; nothing for 0. */
void write_time(struct json_writer *w, const char *key, int64_t at);

/** "key": text; nothing for an empty text. */
void write_text(struct json_writer *w, const char *key, str text);

/** "key": number. */
void write_number(struct json_writer *w, const char *key, int64_t number);
