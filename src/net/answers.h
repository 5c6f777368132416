/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What `sonde` believes of the answers of sonde-net: each line is checked against the protocol, the
 * request and what came before it. Pure, so that it can be fuzzed.
 */

#include "net/protocol.h"

/** What a line asks the reader to do. */
enum answers_event {
	ANSWERS_GO_ON,    /* nothing; read on */
	ANSWERS_STARTED,  /* a body begins: `answer` has its validators and where */
	ANSWERS_PROGRESS, /* `done_bytes` and `all_bytes` are new */
	ANSWERS_END,      /* the last line: `answer` is the result */
};

/** Answers to one request, so far. Zero-initialise, with `request` set. */
struct answers {
	const struct net_request *request; /* borrows */
	struct net_answer answer;
	uint64_t done_bytes, all_bytes;
	size_t n_bytes; /* of all lines together */
	bool started;
	bool ended;               /* the last line was here, be it a result or a failure */
	char etag[NET_ETAG_SIZE]; /* of a body that did not start yet */
	char last_modified[NET_DATE_SIZE];
};

/**
 * Take one line.
 *
 * In:      line  without its line end; hostile
 * Returns: an enum answers_event; < 0 when sonde-net reports a failure, with its class, or when the
 *          line is none that may come here, -EPROTO. The sentence does not name the URL
 */
int answers_take(struct answers *answers, str line, struct err *err);
