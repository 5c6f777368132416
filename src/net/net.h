/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Net: gets a URL into a descriptor through `sonde-net`, the only program with a network library.
 *
 * `sonde` starts it as an own process, without privileges when it is root itself, hands it descriptors
 * and reads its answers; what arrives is parsed by nobody on the way.
 */

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/** One file to fetch. Strings borrow. */
struct net_request {
	const char *url;           /* http or https */
	const char *etag;          /* of the copy at hand: a conditional request; NULL or empty for none */
	const char *last_modified; /* the same by date */
	uint64_t resume_at_bytes;  /* bytes already in fd, from a fetch that broke off; needs `etag` or `last_modified` of it */
	uint64_t max_bytes;        /* more than this is refused */
	unsigned timeout_s;        /* without a byte; 0: 60 */
	int fd;                    /* where the body goes; borrowed; opened for writing */

	/** Called now and then; `all_bytes` is 0 when unknown. May be NULL. */
	void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
	void *ctx;
};

/** How it ended. */
struct net_answer {
	bool unchanged;         /* 304: the copy at hand is current; fd was not touched */
	uint64_t n_bytes;       /* length of the whole body in fd, resumed part included */
	char etag[256];         /* empty when the server sent none */
	char last_modified[64];
};

/**
 * Fetch a URL.
 *
 * In:      program  path of sonde-net; NULL: beside this executable, else from $PATH
 * Out:     ret      written on success only
 * Returns: 0; -ENOENT when there is no such file (404, 410) or no sonde-net; -ERR_LIMIT past max_bytes;
 *          -EIO and the rest with a sentence that names the URL; what is in fd then can be resumed
 */
int net_fetch(const char *program, const struct net_request *request, struct net_answer *ret, struct err *err);
