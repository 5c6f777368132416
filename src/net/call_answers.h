/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What `sonde` believes of the frames that answer one call: each is checked against the protocol,
 * the call and what came before it. Pure, so that it can be fuzzed.
 */

#include "net/call_frame.h"

/** What a frame asks the reader to do. */
enum call_event {
	CALL_EVENT_HEAD, /* `answer` has all but the body */
	CALL_EVENT_DATA, /* the payload is more of the body */
	CALL_EVENT_END,  /* the last one: `answer` is the result, but for the body */
};

/** Answers to one call, so far. Zero-initialise, with the first three set. */
struct call_answers {
	const struct net_call *call; /* whole; borrows */
	struct arena *arena;         /* takes the headers */
	uint16_t number;
	struct net_call_answer answer; /* n_bytes are those so far */
	bool has_head, has_ended;
};

/**
 * Take one frame.
 *
 * In:      frame  hostile
 * Returns: an enum call_event; < 0 when sonde-net reports a failure, with its class (then has_ended
 *          is true and the next call can be made), when the answer is larger than allowed,
 *          -ERR_LIMIT, or when the frame may not come here, -EPROTO
 */
int call_answers_take(
        struct call_answers *answers, const struct call_frame *frame, struct err *err);

/** Does the body of this answer go to the descriptor of the call? */
static inline bool call_answers_to_fd(const struct call_answers *answers)
{
	return answers->call->to_fd && answers->answer.status == 200;
}
