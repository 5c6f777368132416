/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * service: calls of one managed node to its server, with its credentials of the moment.
 */

#include "base/buf.h"
#include "net/aws_call.h"

/** Temporary or given credentials. Secret. */
struct credentials {
	char key_id[160], secret[264], token[4096];
	int64_t got_at, expires_at; /* 0: they do not expire */
	bool must_rotate;           /* the server wants another key pair */
};

/** Who calls, and through what. */
struct service {
	struct net_session *session; /* NULL: not open */
	const char *region;          /* borrows */
	char instance[64];           /* "mi-..."; empty: not registered */
	struct credentials keys;
};

/**
 * Call an operation, signed.
 *
 * In:      target  "AmazonSSM.PutInventory"; the service's name for the signature follows from it
 *          body    JSON
 * Out:     ret     arena; written when the server answered, also with an exception
 * Returns: 0; -EREMOTEIO when the server answered with an exception, which ret->error names;
 *          otherwise as ssm_call(): it was not reached, or not understood
 */
int service_call(struct service *service, const char *target, str body, struct arena *arena,
        struct ssm_reply *ret, struct err *err);

/**
 * As service_call(), for a question that may be held. In: wait_s  as in ssm_wait()
 */
int service_wait(struct service *service, const char *target, str body, unsigned wait_s,
        struct arena *arena, struct ssm_reply *ret, struct err *err);

/**
 * Call an operation that is no JSON 1.1: method and path of the service `sonde`.
 *
 * Returns: 0 whatever the status; as net_call()
 */
int service_rest(struct service *service, const char *method, str path, str body, bool is_json,
        struct arena *arena, struct net_call_answer *ret, struct err *err);

/** Does this class or exception mean that trying again later may help? */
bool service_may_retry(int r, const struct ssm_reply *reply);

/** Overwrite the credentials: before a child does what needs none. */
void service_forget(struct service *service);
