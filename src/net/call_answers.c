/* SPDX-License-Identifier: Apache-2.0 */
#include "net/call_answers.h"

#include <errno.h>

static int refuse(struct err *err)
{
	return err_set(err, -EPROTO, "sonde-net gave an answer that is none");
}

static int take_head(struct call_answers *answers, str payload, struct err *err)
{
	struct net_header borrowed[CALL_KEPT_MAX];
	struct net_call_answer answer;
	if (answers->has_head || !call_head_read(payload, borrowed, &answer))
		return refuse(err);
	struct net_header *headers = arena_alloc(answers->arena, CALL_KEPT_MAX, sizeof(*headers));
	int r = headers ? 0 : -ERR_LIMIT;
	for (size_t i = 0; r == 0 && i < answer.n_headers; i++) {
		headers[i].name = borrowed[i].name; /* static */
		r = arena_copy(answers->arena, borrowed[i].value, &headers[i].value);
	}
	if (r < 0)
		return err_set(err, r, "no memory for the answer");
	answer.headers = headers;
	answers->answer = answer;
	answers->has_head = true;
	return CALL_EVENT_HEAD;
}

static uint64_t most_bytes(const struct call_answers *answers)
{
	uint64_t max = answers->call->max_answer_bytes;
	return call_answers_to_fd(answers) || max < NET_CALL_ANSWER_MAX ? max : NET_CALL_ANSWER_MAX;
}

static int take_data(struct call_answers *answers, str payload, struct err *err)
{
	uint64_t max = most_bytes(answers);
	if (!answers->has_head || payload.n == 0 || payload.n > CALL_DATA_MAX)
		return refuse(err);
	if (payload.n > max - answers->answer.n_bytes)
		return err_set(err, -ERR_LIMIT, "an answer of more than the %llu bytes allowed",
		        (unsigned long long)max);
	answers->answer.n_bytes += payload.n;
	return CALL_EVENT_DATA;
}

static int take_end(struct call_answers *answers, str payload, struct err *err)
{
	struct cursor cursor = CURSOR(payload);
	uint64_t n = cursor_u64(&cursor);
	if (!answers->has_head || cursor_failed(&cursor) || cursor.rest.n > 0 ||
	        n != answers->answer.n_bytes)
		return refuse(err);
	answers->has_ended = true;
	return CALL_EVENT_END;
}

int call_answers_take(struct call_answers *answers, const struct call_frame *frame, struct err *err)
{
	if (answers->has_ended || frame->number != answers->number)
		return refuse(err);
	switch (frame->type) {
	case CALL_FRAME_HEAD: return take_head(answers, frame->payload, err);
	case CALL_FRAME_DATA: return take_data(answers, frame->payload, err);
	case CALL_FRAME_END: return take_end(answers, frame->payload, err);
	case CALL_FRAME_FAIL: {
		int r = call_fail_read(frame->payload, err);
		answers->has_ended = r != -EPROTO;
		return r;
	}
	case CALL_FRAME_SETUP:
	case CALL_FRAME_ASK:
	case CALL_FRAME_MAKE_KEY:
	case CALL_FRAME_READY:
	case CALL_FRAME_KEY:
	default: return refuse(err);
	}
}
