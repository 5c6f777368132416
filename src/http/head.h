/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The head of a request: request line and header fields, read byte by byte.
 *
 * Pure: no allocation, no I/O. The reader keeps places, not pointers, so that the bytes may move
 * between two calls; what it says does not depend on how the bytes were split.
 */

#include "base/str.h"
#include "http/http.h"

/** Longest method, in bytes. */
#define HEAD_METHOD_MAX 32

enum head_verdict {
	HEAD_MORE,    /* well formed so far */
	HEAD_DONE,    /* complete; `at` bytes long */
	HEAD_REFUSED, /* `status` and `reason` say why */
};

struct head_limits {
	uint32_t head_bytes, target_bytes; /* head_bytes < 64 KiB */
};

/** A piece of the head. */
struct head_span {
	uint16_t at, n;
};

struct head_field {
	struct head_span name, value;
};

/** Initialise with head_begin(). */
struct head {
	struct head_limits limits;
	uint32_t at;         /* bytes that were read */
	uint32_t mark;       /* where the current part began */
	uint8_t state;       /* enum state of head.c */
	uint8_t minor;       /* HTTP/1.minor */
	bool is_chunked;     /* Transfer-Encoding: chunked */
	bool has_length;     /* Content-Length was there */
	bool has_host;       /* Host was there */
	bool wants_close;    /* Connection: close */
	bool wants_continue; /* Expect: 100-continue, and HTTP/1.1 */
	uint8_t n_fields;
	int status;         /* of a refusal */
	const char *reason; /* of a refusal; static */
	uint64_t length;    /* Content-Length */
	struct head_span method, target;
	struct head_field fields[HTTP_HEADERS_MAX];
};

/** Start a new head. */
void head_begin(struct head *head, const struct head_limits *limits);

/**
 * Read on.
 *
 * In:      bytes  everything from the first byte of the head on, at least what was given before
 * Returns: the verdict; HEAD_REFUSED stays HEAD_REFUSED
 * Cost:    O(bytes that were not read before)
 * Source:  RFC 9112 sections 2 to 6, without everything that it allows for old clients
 */
enum head_verdict head_feed(struct head *head, str bytes);

/** The bytes of a piece. */
static inline str head_text(str bytes, struct head_span span)
{
	return str_head(str_skip(bytes, span.at), span.n);
}

/** Is it a token of RFC 9110 section 5.6.2? */
bool head_is_token(str s);

/** Is it free of control characters but tab? */
bool head_is_value(str s);
