/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * upload: the whole inventory, compressed and in pieces, to the service `sonde`. Hash first: what
 * the server has is not sent.
 *
 * Source: docs/inventory-types.md
 */

#include "agent/service.h"
#include "base/hash.h"

/** One inventory to send. */
struct upload {
	int fd; /* one zstd frame; read with pread */
	uint64_t packed_bytes, bytes;
	char sha256[SHA256_HEX_SIZE];
	char captured[32]; /* "2026-01-31T23:59:59Z" */
};

/**
 * Send it, if it is wanted.
 *
 * Out:     ret_is_sent  false: the server had it, or has something newer
 * Returns: 0: the server has it durably; -EOPNOTSUPP when the server has no such service; -EAGAIN
 *          and what net_call() says: later perhaps; -EREMOTEIO: refused, and again would be
 */
int upload_send(
        struct service *service, const struct upload *upload, bool *ret_is_sent, struct err *err);
