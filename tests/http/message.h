/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A whole request read by the two readers, in pieces: what the tests and the fuzz targets compare.
 */

#include "base/buf.h"
#include "http/frame.h"
#include "http/head.h"

struct message {
	int status;    /* 0: not complete; 200: accepted; else the refusal */
	size_t n_used; /* bytes of the message, when accepted */
	struct head head;
	struct buf body; /* released by message_fini() */
};

/** Read `bytes` as if pieces of `step` bytes arrived, the first one of `first` bytes. */
static inline void message_read(struct message *message, str bytes, size_t first, size_t step)
{
	static const struct head_limits limits = { .head_bytes = 16384, .target_bytes = 8192 };
	enum head_verdict verdict = HEAD_MORE;
	struct frame frame;
	size_t n = first < bytes.n ? first : bytes.n, at = 0;
	message->body = BUF((size_t)1 << 24);
	message->status = 0;
	head_begin(&message->head, &limits);
	for (bool is_last = false; !is_last; n = bytes.n - n > step ? n + step : bytes.n) {
		is_last = n == bytes.n;
		if (verdict == HEAD_MORE) {
			verdict = head_feed(&message->head, str_head(bytes, n));
			at = message->head.at;
			if (verdict == HEAD_REFUSED)
				message->status = message->head.status;
			if (verdict == HEAD_DONE)
				frame_begin(&frame, message->head.is_chunked, message->head.length,
				        (uint64_t)1 << 24);
		}
		while (verdict == HEAD_DONE && message->status == 0) {
			str in = str_head(str_skip(bytes, at), n - at), data;
			size_t before = in.n;
			enum frame_verdict got = frame_next(&frame, &in, &data);
			at += before - in.n;
			if (got == FRAME_DATA)
				buf_add(&message->body, data);
			else if (got == FRAME_REFUSED)
				message->status = frame.status;
			else if (got == FRAME_DONE)
				message->status = 200;
			else
				break;
		}
	}
	message->n_used = at;
}

static inline void message_fini(struct message *message)
{
	buf_fini(&message->body);
}
