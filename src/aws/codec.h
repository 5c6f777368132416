/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Hexadecimal, base64 and percent-encoding, strict in both directions: what one of the writers
 * wrote is the only text that its reader turns into the same bytes, except where a contract says
 * otherwise.
 */

#include "base/buf.h"
#include "base/str.h"

/** Add the lower-case hexadecimal text of `bytes`. */
void hex_add(struct buf *out, str bytes);

/**
 * Read hexadecimal text of either case.
 *
 * In:      text  exactly 2 * n digits
 * Out:     ret   n bytes; written on success only
 * Returns: false when `text` is anything else
 */
bool hex_decode(str text, void *ret, size_t n);

/**
 * Add the base64 text of `bytes`, padded.
 *
 * Source:  RFC 4648 section 4
 */
void base64_add(struct buf *out, str bytes);

/**
 * Add the bytes that a base64 text stands for.
 *
 * In:      text  padded; no white space, no other alphabet, spare bits zero; may be empty
 * Out:     out   appended; nothing is added on failure
 * Returns: 0; -ERR_FORMAT; -ERR_LIMIT when `out` is full
 * Source:  RFC 4648 sections 3.5 and 4
 */
int base64_decode(str text, struct buf *out);

/**
 * Add `s` with every byte but the unreserved ones (letters, digits, "-._~") as %XX, upper case.
 *
 * In:      keep_slash  leave '/' as it is: for paths
 * Source:  RFC 3986 section 2.1; AWS Signature Version 4, UriEncode()
 */
void percent_add(struct buf *out, str s, bool keep_slash);

/**
 * Add `s` with every %XX turned into its byte. Bytes that are not encoded are taken as they are.
 *
 * In:      plus_is_space  '+' stands for a blank: in bodies of forms, not in addresses
 * Returns: 0; -ERR_FORMAT at a '%' without two hexadecimal digits; -ERR_LIMIT when `out` is full
 */
int percent_decode(str s, bool plus_is_space, struct buf *out);
