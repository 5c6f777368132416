/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The parser's process: reads artefacts for the walker, inside the sandbox.
 */

/**
 * Serve one socket until the other side closes it. Called in a fresh child process; never returns.
 *
 * Enters ROLE_PARSER first; when that fails, the first job is answered with the reason and nothing
 * is read.
 */
_Noreturn void parser_serve(int socket);
