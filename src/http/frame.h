/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The body of a request: where it ends, by Content-Length or in chunks.
 *
 * Pure: no allocation, no I/O. What it says does not depend on how the bytes were split.
 */

#include "base/str.h"

enum frame_verdict {
	FRAME_MORE,    /* all bytes were eaten, more are needed */
	FRAME_DATA,    /* some of the body */
	FRAME_DONE,    /* the body is complete; the next byte belongs to the next request */
	FRAME_REFUSED, /* `status` and `reason` say why */
};

/** Initialise with frame_begin(). */
struct frame {
	uint64_t left;  /* of the body, or of the current chunk */
	uint64_t total; /* body bytes so far, the announced rest of the chunk included */
	uint64_t max_bytes;
	uint8_t state; /* enum state of frame.c */
	uint8_t n_digits;
	int status;         /* of a refusal */
	const char *reason; /* of a refusal; static */
};

/**
 * Start a body.
 *
 * In:      is_chunked  else it has `length` bytes, which may be 0
 *          max_bytes   of the body; more is refused with 413, by what is announced
 */
void frame_begin(struct frame *frame, bool is_chunked, uint64_t length, uint64_t max_bytes);

/**
 * Eat from the front of `in`.
 *
 * Out:     ret_data  FRAME_DATA: borrows from `in`, not empty
 * Returns: the verdict; call again after FRAME_DATA. FRAME_DONE and FRAME_REFUSED stay
 * Source:  RFC 9112 section 7.1, without chunk extensions and trailers
 */
enum frame_verdict frame_next(struct frame *frame, str *in, str *ret_data);
