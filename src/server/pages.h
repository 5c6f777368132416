/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pages: what is there for anyone who can reach the port, without a signature: health, metrics, and
 * files that hosts fetch by an address that was handed to them.
 */

#include "http/http.h"
#include "server/server.h"

/**
 * Answer a request for a page.
 *
 * Returns: false, and nothing done, when it is for none
 */
bool page_answer(
        struct server *server, const struct http_request *request, struct http_response *response);
