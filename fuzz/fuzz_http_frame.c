/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests. The first byte chooses the kind, the second a length; the rest is the stream.
 * Verdict, body and the place where the next request begins do not depend on how it is split. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 4096

struct outcome {
	enum frame_verdict verdict;
	int status;
	size_t n_used;
	struct buf body;
};

static void read_split(
        struct outcome *ret, bool is_chunked, uint64_t length, str bytes, size_t first, size_t step)
{
	struct frame frame;
	size_t n = first, at = 0;
	*ret = (struct outcome){ .verdict = FRAME_MORE, .body = BUF((size_t)1 << 20) };
	frame_begin(&frame, is_chunked, length, BODY_MAX);
	for (;;) {
		str in = str_head(str_skip(bytes, at), n - at), eaten = { NULL, 0 };
		size_t before = in.n;
		ret->verdict = frame_next(&frame, &in, &eaten);
		at += before - in.n;
		if (ret->verdict == FRAME_DATA) {
			if (eaten.n == 0)
				abort();
			buf_add(&ret->body, eaten);
		} else if (ret->verdict != FRAME_MORE || n == bytes.n) {
			break;
		} else {
			if (at != n)
				abort();
			n = bytes.n - n > step ? n + step : bytes.n;
		}
	}
	ret->status = frame.status;
	ret->n_used = at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	str bytes = { (const char *)data + 2, size - 2 };
	bool is_chunked = data[0] & 1;
	uint64_t length = (uint64_t)data[1] << (data[0] >> 4);
	struct outcome whole, split;
	read_split(&whole, is_chunked, length, bytes, bytes.n, 1);
	if (whole.body.n > BODY_MAX)
		abort();
	if (whole.verdict == FRAME_DONE && !is_chunked && whole.body.n != length)
		abort();
	for (int i = 0; i < 2; i++) {
		size_t place = bytes.n > 0 ? data[1] % bytes.n : 0;
		read_split(&split, is_chunked, length, bytes, i ? place : 0, i ? bytes.n + 1 : 1);
		if (split.verdict != whole.verdict || split.status != whole.status ||
		        !str_eq(buf_str(&split.body), buf_str(&whole.body)) ||
		        (whole.verdict == FRAME_DONE && split.n_used != whole.n_used))
			abort();
		buf_fini(&split.body);
	}
	buf_fini(&whole.body);
	return 0;
}
