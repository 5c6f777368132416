/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The parser's process: reads artefacts for the walker, inside the sandbox.
 */

#include "collect/pool.h"

/**
 * Serve one socket until the other side closes it. Called in a fresh child process; never returns.
 *
 * In:      index   which parser it is
 *          limits  borrowed for good
 *
 * Enters ROLE_PARSER first; when that fails, the first job is answered with the reason and nothing
 * is read.
 */
_Noreturn void parser_serve(int socket, unsigned index, const struct pool_limits *limits);
