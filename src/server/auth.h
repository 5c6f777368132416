/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * auth: who makes a request, by its signature alone.
 */

#include "aws/sigv4.h"
#include "server/server.h"

/** Why a request is not taken: the exception as the JSON protocols call it, and its sentence; both
 * static. */
struct auth_failure {
	const char *error, *message;
};

/** What the signature says. */
struct auth {
	struct caller caller; /* strings live in the arena */
	str service, region;  /* of the credential scope; borrow from the request */
};

/**
 * Verify a request's signature and say who made it.
 *
 * In:      request    as it stood on the wire; its digest is that of the body
 *          operation  what is asked for, or NULL: RSA signatures are for few
 *          now_at     seconds since 1970
 * Out:     ret         arena
 *          ret_failure written on failure
 * Returns: 0; -EACCES; -EIO and the like when we failed
 * Cost:    two digests of the head, one of the body before; a look-up; four more and an unsealing
 *          when the signing key is not in the cache
 */
int auth_verify(struct server *server, const struct sigv4_request *request,
        const struct operation_shape *operation, struct arena *arena, int64_t now_at,
        struct auth *ret, struct auth_failure *ret_failure);

/**
 * Is this an access key id that we know? Without a signature: for limits only. Never blocks.
 *
 * In:      token  of a session, which must be one that we made for this id; may be empty
 */
bool auth_knows(struct server *server, str access_key_id, str token);

/** The same exception in the words of a service that speaks XML: "ec2", "sts"; static. */
const char *auth_error_of(const char *error, str service);
