/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dispatch: from an HTTP request to the handler of its operation and back. In this order: which
 * operation; whose signature; may that caller; is the input what its shape says; the handler.
 * Whatever refuses ends it, so that a handler sees only what its row promises.
 */

#include "http/http.h"
#include "server/server.h"

/** Answer a request: struct http_config.handle; ctx is a struct server. */
int dispatch_handle(void *ctx, struct http_request *request, struct http_response *response);

/**
 * Answer a request of a caller who proved who it is in another way than by a signature.
 *
 * Returns: as dispatch_handle()
 */
int dispatch_as(struct server *server, const struct caller *caller, struct http_request *request,
        struct http_response *response);

/** Look at a head: struct http_config.admit. Decides how much body is read: little for those who
 * show no key that we know. */
int dispatch_admit(void *ctx, struct http_request *head, uint64_t body_bytes,
        struct http_response *refusal, size_t *ret_max_body);
