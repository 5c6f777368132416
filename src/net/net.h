/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Net: gets a URL into a descriptor through `sonde-net`, the only program with a network library.
 *
 * `sonde` starts it as an own process, which gives up root before it reads a byte, hands it
 * descriptors and reads its answers, which it believes no more than a stranger's. What arrives is
 * parsed by nobody on the way.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/** Longest URL, in bytes, and the room for the two validators of a response with their NULs. */
#define NET_URL_MAX 2048
#define NET_ETAG_SIZE 256
#define NET_DATE_SIZE 64

/** How a fetch ended, or, while it runs, what is known of the body that arrives. */
struct net_answer {
	bool unchanged;           /* 304: the copy at hand is current; fd was not touched */
	uint64_t n_bytes;         /* length of the whole body in fd, resumed part included */
	char etag[NET_ETAG_SIZE]; /* as sent, quotes included; empty when there was none of use */
	char last_modified[NET_DATE_SIZE];
};

/** One file to fetch. Strings borrow. */
struct net_request {
	const char *url;  /* http or https, at most NET_URL_MAX bytes, escaped */
	const char *etag; /* of the copy at hand: a conditional request; NULL or empty for none */
	const char *last_modified; /* the same by date */
	uint64_t resume_at_bytes;  /* bytes already in fd, from a fetch that broke off; `etag` and
	                              `last_modified` are then of them, and the request is not
	                              conditional */
	uint64_t max_bytes;        /* more than this is refused; required */
	unsigned timeout_s; /* slower than 1000 bytes/s for so long ends it; 0: 60; at most 3600 */
	unsigned max_attempts;  /* with the first; 0: 5; at most 100 */
	unsigned retry_wait_ms; /* the unit in which waits between attempts count; 0: 1000,
	                           a second, which is also the most */
	int fd; /* where the body goes; borrowed; opened for writing, not for appending */

	/**
	 * Called before the first byte of a body is written, and not again for it; a server that
	 * has a newer body meanwhile starts a second one. May be NULL.
	 *
	 * In:      answer         validators of this body; n_bytes are already in fd (0: it was
	 * emptied) Returns: 0; < 0 ends the fetch with this class and err
	 */
	int (*started)(void *ctx, const struct net_answer *answer, struct err *err);

	/** Called now and then; `all_bytes` is 0 when unknown. May be NULL. */
	void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
	void *ctx;
};

/**
 * Fetch a URL.
 *
 * In:      program  path of sonde-net; NULL: beside this executable, else from $PATH. It gets this
 *                   process's environment, whose proxy settings it honours as curl does
 * Out:     ret      written on success only
 * Returns: 0; -ENOENT when there is no such file (404, 410) or no sonde-net; -ERR_LIMIT past
 * max_bytes; -ENOSPC, -EIO and the rest with a sentence that names the URL without its secrets.
 * What is in fd then can be resumed with the validators of the last `started` Cost:    blocks; at
 * most six hours for one attempt; waits between attempts as the server asks, up to 120 units each
 */
int net_fetch(const char *program, const struct net_request *request, struct net_answer *ret,
        struct err *err);

/** How net_fetch_file() fetches; as in struct net_request. */
struct net_file_options {
	uint64_t max_bytes;
	unsigned timeout_s, max_attempts, retry_wait_ms;
	void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
	void *ctx;
};

/**
 * Keep a file the same as a URL: fetch it only when it changed, go on where a fetch broke off, and
 * replace it only by a whole one.
 *
 * Beside `name` stand `name.state` (digest of the URL, validators, length and SHA-256 of the file)
 * and, after a fetch that broke off, `name.part` and `name.part.state`. They are hints: a state
 * that is missing, damaged, of another URL or of other bytes than the file's costs one whole fetch.
 * A part is resumed only under the same boot, because bytes that were not synced may be gone after
 * another.
 *
 * In:      program  as net_fetch
 *          dir_fd   a folder, opened for reading
 *          name     a plain file name of at most 200 bytes that does not begin with '.'
 * Out:     ret_changed  whether `name` holds other bytes than before; on success only; may be NULL
 * Returns: 0, then `name` is whole and current; as net_fetch; -EBUSY when another process fetches
 *          the same name. On every failure the old file stands, unless all went well but the last
 *          step: that the folder reaches the disk
 * Cost:    reads the old and the new file once for their digests; blocks as net_fetch
 */
int net_fetch_file(const char *program, const char *url, int dir_fd, const char *name,
        const struct net_file_options *options, bool *ret_changed, struct err *err);

/**
 * Escape one segment of a URL's path (RFC 3986 section 2.3: all but unreserved characters), so that
 * "GitHub Actions" becomes "GitHub%20Actions". A failure sticks in `out`.
 */
void net_url_escape(struct buf *out, str segment);

/**
 * Say where a mirror has a URL: https://host/path becomes <mirror>/host/path.
 *
 * In:      mirror  an http or https URL; a '/' at its end is ignored
 * Out:     out     the URL is added
 * Returns: 0; -ERR_FORMAT when either is not such a URL; -ERR_LIMIT when `out` is full
 */
int net_url_on_mirror(str url, str mirror, struct buf *out, struct err *err);
