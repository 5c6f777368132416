/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Protocols: how an error is answered in each of them.
 */

#include "aws/value.h"
#include "base/buf.h"
#include "base/str.h"

enum protocol {
	PROTOCOL_JSON11,    /* ssm, ec2messages, organizations */
	PROTOCOL_REST_JSON, /* inspector2, sonde */
	PROTOCOL_QUERY,     /* sts */
	PROTOCOL_EC2,       /* ec2 */
};

/** An error to be answered. Borrows everything. */
struct protocol_error {
	str name;    /* "ResourceNotFoundException" */
	str message; /* a sentence */
	str request_id;
	const struct value
	        *extra; /* an object of further members for the JSON protocols, or NULL */
};

/** What goes with a body. */
struct protocol_reply {
	unsigned status;          /* of HTTP */
	const char *content_type; /* static */
	str error_type; /* for x-amzn-ErrorType; { NULL, 0 } where the protocol has no such header
	                 */
};

/**
 * The protocol that a service speaks.
 *
 * In:      service  as in a credential scope
 * Returns: false, and nothing written, for a service that we do not know
 */
bool protocol_of(str service, enum protocol *ret);

/** The content type of a good answer; static. */
const char *protocol_content_type(enum protocol protocol);

/** The HTTP status of an exception; 400 for one that is in no table. */
unsigned protocol_status(enum protocol protocol, str name);

/**
 * Add the body of an error's answer.
 *
 * In:      namespace_uri  of the XML protocols, for PROTOCOL_QUERY only; may be NULL
 * Out:     body  appended
 *          ret   status and headers; error_type borrows from error->name
 */
void protocol_write_error(enum protocol protocol, const struct protocol_error *error,
        const char *namespace_uri, struct buf *body, struct protocol_reply *ret);
