/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Calls in Amazon's JSON 1.1 protocol, for everyone on the host who speaks to the server's API.
 *
 * Source: AWS, "AWS JSON 1.1 protocol" (Smithy 2.0)
 */

#include "aws/value.h"
#include "net/call.h"

/** What the service said. In the arena of the call. */
struct ssm_reply {
	const struct value *value; /* the result; NULL when `error` is not empty */
	str error;      /* name of the exception, without namespace; empty: all went well */
	str message;    /* of the exception; hostile, may be empty */
	str request_id; /* of the service; hostile, may be empty */
	unsigned status;
	int64_t retry_after_s; /* -1: the service did not say */
};

/**
 * Call an operation. When the service refuses the signature and its clock proves to be another than
 * the host's, the call is made once more with its time.
 *
 * In:      sign    credentials; NET_SIGN_NONE for the few operations that are not signed
 *          target  "AmazonSSM.UpdateInstanceInformation": the value of X-Amz-Target
 *          body    JSON
 *          now     as in struct net_call
 * Out:     ret_reply  written on success only
 * Returns: 0 when the service answered, be it with an exception: ask ret_reply->error; as
 * net_call() when it did not; -EPROTO when the answer is not of this protocol; as reader_json()
 * when it could not be read
 */
int ssm_call(struct net_session *session, const struct net_sign *sign, str target, str body,
        int64_t now, struct arena *arena, struct ssm_reply *ret_reply, struct err *err);

/** The header by which a caller says how many seconds an answer may be waited for. Other servers
 * than our own do not know it. */
#define SSM_WAIT_HEADER "X-Sonde-Wait"

/**
 * As ssm_call(), for a question that the service holds until there is something to say.
 *
 * In:      wait_s  how long it may be held: told to the service, which need not follow
 * Cost:    blocks at most wait_s and 20 s more; a caller that waits for long may rest_memory()
 * first
 */
int ssm_wait(struct net_session *session, const struct net_sign *sign, str target, str body,
        unsigned wait_s, struct arena *arena, struct ssm_reply *ret_reply, struct err *err);
