/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The side of sonde-net that verifies one signature: net/verify.h.
 */

#include "base/err.h"

/**
 * Enter ROLE_VERIFIER, read the question from standard input, answer it on standard output.
 *
 * Returns: 0 when it was answered, however; -EPROTO when it was no question; as crypto_new() and
 *          sandbox_enter()
 */
int verify_answer(struct err *err);
