/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of calls, in both directions. What sonde-net takes for a request can be sent, and is
 * the same when it is sent again; of what it answers no more is believed than was allowed.
 */
#include <stdlib.h>

#include "net/call_answers.h"
#include "net/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_MAX 1000

/* One of the payloads, written again, has to be itself. */
static void assert_same(const struct buf *out, const struct call_frame *frame)
{
	str rest = buf_str(out);
	struct call_frame again;
	if (call_frame_take(&rest, CALL_ASK_MAX, &again) != 1 || rest.n > 0 ||
	        again.type != frame->type || again.number != frame->number)
		abort();
}

static void take_setup(const struct call_frame *frame)
{
	struct call_setup setup, again;
	autobuf out = BUF(1u << 20);
	if (!call_setup_read(frame->payload, &setup))
		return;
	if (!net_is_endpoint(setup.endpoint))
		abort();
	call_setup_add(&out, &setup);
	if (!call_setup_read(str_skip(buf_str(&out), CALL_FRAME_HEAD_BYTES), &again) ||
	        !str_eq(setup.endpoint, again.endpoint) ||
	        !str_eq(setup.authorities, again.authorities))
		abort();
}

static void take_ask(const struct call_frame *frame)
{
	struct net_header headers[NET_CALL_HEADERS_MAX], others[NET_CALL_HEADERS_MAX];
	struct net_call call, again;
	autobuf out = BUF(1u << 20);
	if (!call_ask_read(frame->payload, headers, &call))
		return;
	if (call_check(&call, NULL) < 0)
		abort();
	for (size_t i = 0; i < call.n_headers; i++) {
		if (memchr(call.headers[i].value.p ? call.headers[i].value.p : "", '\n',
		            call.headers[i].value.n))
			abort(); /* a line of somebody else */
	}
	call_ask_add(&out, frame->number, &call);
	assert_same(&out, frame);
	if (!call_ask_read(str_skip(buf_str(&out), CALL_FRAME_HEAD_BYTES), others, &again) ||
	        !str_eq(call.target, again.target) || !str_eq(call.body, again.body) ||
	        call.n_headers != again.n_headers || call.now != again.now)
		abort();
}

static void ask(str bytes)
{
	struct call_frame frame;
	while (call_frame_take(&bytes, CALL_ASK_MAX, &frame) == 1) {
		take_setup(&frame);
		take_ask(&frame);
	}
}

static void check_text(const struct err *err)
{
	if (err->text[0] == '\0')
		abort(); /* a failure without its sentence */
	for (const char *c = err->text; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			abort(); /* something that a terminal would obey */
	}
}

static void check_answer(const struct call_answers *answers, int event)
{
	const struct net_call_answer *answer = &answers->answer;
	if (answer->n_bytes > ANSWER_MAX || answer->n_headers > CALL_KEPT_MAX)
		abort();
	if (answers->has_head && (answer->status < 200 || answer->status > 599))
		abort();
	if (event == CALL_EVENT_END && !answers->has_head)
		abort();
	for (size_t i = 0; i < answer->n_headers; i++) {
		if (call_kept_index(answer->headers[i].name) < 0)
			abort();
	}
}

static void answer(str bytes, bool to_fd)
{
	struct arena arena = ARENA(1u << 20);
	const struct net_call call = { .method = STR("GET"),
		.target = STR("/"),
		.max_answer_bytes = ANSWER_MAX,
		.to_fd = to_fd };
	struct call_answers answers = { .call = &call, .arena = &arena, .number = 1 };
	struct call_frame frame;
	int event = 0;
	while (event >= 0 && call_frame_take(&bytes, CALL_TELL_MAX, &frame) == 1) {
		struct err err = { 0 };
		str pem, public;
		event = call_answers_take(&answers, &frame, &err);
		if (event < 0 && (err.code != event))
			abort();
		if (event < 0)
			check_text(&err);
		check_answer(&answers, event);
		if (call_key_read(frame.payload, &pem, &public) &&
		        !str_has_prefix(pem, STR("-----BEGIN")))
			abort();
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* the first byte says who listens */
	str bytes = str_skip((str){ (const char *)data, size }, 1);
	if (size > 0 && data[0] & 1)
		ask(bytes);
	else
		answer(bytes, size > 0 && data[0] & 2);
	return 0;
}
