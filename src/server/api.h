/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * api: the handlers, one file api_<subject>.c each; operations.def is the only list of them.
 */

#include "server/request.h"

#define OPERATION(service, name, may, handler, text)                                               \
	int api_##handler(struct request *request, struct response *response);
#include "server/operations.def"
#undef OPERATION
