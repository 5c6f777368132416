/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunk extensions and trailers are refused: no client of ours sends any, and both have been used
 * to hide a second request from one of two programs that read the same bytes.
 */
#include "http/frame.h"

/* A chunk of more than 4 GiB is not sent by anybody, and no sum overflows. */
#define DIGITS_MAX 8

enum state {
	S_LENGTH,
	S_SIZE,
	S_SIZE_END,
	S_CHUNK,
	S_CHUNK_CR,
	S_CHUNK_LF,
	S_LAST_CR,
	S_LAST_LF,
	S_DONE,
	S_REFUSED,
};

static void refuse(struct frame *frame, int status, const char *reason)
{
	frame->state = S_REFUSED;
	frame->status = status;
	frame->reason = reason;
}

void frame_begin(struct frame *frame, bool is_chunked, uint64_t length, uint64_t max_bytes)
{
	*frame = (struct frame){ .max_bytes = max_bytes };
	if (is_chunked) {
		frame->state = S_SIZE;
		return;
	}
	frame->left = frame->total = length;
	frame->state = length > 0 ? S_LENGTH : S_DONE;
	if (length > max_bytes)
		refuse(frame, 413, "the body is too large");
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void take_size_byte(struct frame *frame, char c)
{
	int digit = hex_value(c);
	if (digit >= 0 && frame->n_digits < DIGITS_MAX) {
		frame->left = frame->left << 4 | (unsigned)digit;
		frame->n_digits++;
	} else if (digit >= 0) {
		refuse(frame, 400, "a chunk size is too long");
	} else if (frame->n_digits == 0 || c != '\r') {
		refuse(frame, 400, "a chunk size is not a number, CR and LF");
	} else {
		frame->state = S_SIZE_END;
	}
}

static void end_size(struct frame *frame)
{
	frame->n_digits = 0;
	if (frame->left == 0) {
		frame->state = S_LAST_CR;
		return;
	}
	frame->total += frame->left;
	frame->state = S_CHUNK;
	if (frame->total > frame->max_bytes)
		refuse(frame, 413, "the body is too large");
}

/* One byte of what stands between data. */
static void take_byte(struct frame *frame, char c)
{
	static const struct {
		char want;
		uint8_t next;
		const char *reason;
	} rows[] = {
		[S_CHUNK_CR] = { '\r', S_CHUNK_LF, "a chunk is longer than its size" },
		[S_CHUNK_LF] = { '\n', S_SIZE, "a bare CR behind a chunk" },
		[S_LAST_CR] = { '\r', S_LAST_LF, "a trailer" },
		[S_LAST_LF] = { '\n', S_DONE, "a bare CR behind the last chunk" },
		[S_SIZE_END] = { '\n', S_SIZE_END, "a bare CR behind a chunk size" },
	};
	if (frame->state == S_SIZE) {
		take_size_byte(frame, c);
		return;
	}
	unsigned state = frame->state;
	if (c != rows[state].want)
		refuse(frame, 400, rows[state].reason);
	else if (state == S_SIZE_END)
		end_size(frame);
	else
		frame->state = rows[state].next;
}

enum frame_verdict frame_next(struct frame *frame, str *in, str *ret_data)
{
	while (frame->state < S_DONE && in->n > 0) {
		if (frame->state != S_LENGTH && frame->state != S_CHUNK) {
			take_byte(frame, in->p[0]);
			*in = str_skip(*in, 1);
			continue;
		}
		size_t n = in->n < frame->left ? in->n : (size_t)frame->left;
		*ret_data = str_head(*in, n);
		*in = str_skip(*in, n);
		frame->left -= n;
		if (frame->left == 0)
			frame->state = frame->state == S_LENGTH ? S_DONE : S_CHUNK_CR;
		return FRAME_DATA;
	}
	if (frame->state == S_REFUSED)
		return FRAME_REFUSED;
	return frame->state == S_DONE ? FRAME_DONE : FRAME_MORE;
}
