/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * verify: asks whether a signature is genuine. `sonde` has no such cryptography: a sonde-net of its
 * own kind answers, started for one question, without network, files and rights (ROLE_VERIFIER). A
 * sonde-net that has spoken to a server is never asked.
 */

#include "base/err.h"
#include "base/str.h"

/** Bytes of an Ed25519 public key, and of a signature. */
#define VERIFY_KEY_BYTES 32
#define VERIFY_SIGNATURE_BYTES 64
/** Longest text, in bytes. */
#define VERIFY_TEXT_MAX (1u << 20)

/**
 * Is this the signature of the text by that key?
 *
 * In:      program    path of sonde-net; NULL: beside this executable, else from $PATH
 *          key        VERIFY_KEY_BYTES
 *          text       hostile
 *          signature  hostile; of any length
 * Returns: 0 it is genuine; -EKEYREJECTED it is not; -ERR_LIMIT; -ENOENT without a sonde-net; -EIO,
 *          -EPROTO and -ETIMEDOUT when it broke: nothing is known then
 * Cost:    blocks at most 30 s
 * Source:  RFC 8032
 */
int verify_ed25519(const char *program, str key, str text, str signature, struct err *err);
