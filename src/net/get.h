/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The HTTP client inside sonde-net: one URL into one descriptor. libcurl enters in get.c.
 */

#include "net/protocol.h"

/** What to get, and whom to tell. The caller has checked every field; none is 0 by default. */
struct get_request {
	char url[NET_URL_MAX + 1];
	char etag[NET_ETAG_SIZE];
	char last_modified[NET_DATE_SIZE];
	uint64_t resume_at_bytes, max_bytes;
	uint64_t timeout_s, max_attempts, retry_wait_ms;
	int fd;

	/** A body begins at answer->n_bytes; all_bytes 0: unknown. Returns: 0; < 0 ends it.
	 * Required. */
	int (*started)(const struct net_answer *answer, uint64_t all_bytes, struct err *err);

	/** Called every second or oftener, also while nothing arrives. Required. */
	void (*progress)(uint64_t done_bytes, uint64_t all_bytes);
};

/**
 * Get the URL, following redirects, trying again after passing failures, and going on where the
 * attempt before broke off.
 *
 * Out:     ret  written on success only
 * Returns: 0; -ENOENT, -ERR_LIMIT, -ENOSPC or -EIO, with a sentence that names no URL but that of a
 *          redirect, without its secrets
 */
int get_run(const struct get_request *request, struct net_answer *ret, struct err *err);
