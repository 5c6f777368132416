/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Inside sonde-net: the header lines of a call, with its signature. Pure but for random salt.
 */

#include "aws/sigv4.h"
#include "net/call.h"

/** Most bytes of all header lines of a call together. */
#define SIGN_LINES_MAX (NET_CALL_HEADER_BYTES_MAX + 16384)

/**
 * Add the header lines that a call is sent with: Host, its own, and what its signature needs. All
 * of them are signed.
 *
 * In:      endpoint  as in struct net_session_config
 *          call      has passed call_check()
 * Out:     lines     added: "Name: value", each ended by a NUL
 * Returns: 0; -EINVAL when it cannot be signed, above all by a bad key; -ERR_LIMIT when `lines` is
 *          full; -ENOMEM
 */
int sign_lines(const struct crypto *crypto, str endpoint, const struct net_call *call,
        struct buf *lines, struct err *err);
