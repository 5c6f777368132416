/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Text for people: what comes from outside reaches a terminal only through here.
 */

#include "base/buf.h"
#include "base/str.h"

/**
 * Add text so that a terminal shows it and obeys none of it: control bytes (C0, DEL, C1) and bytes
 * that are not UTF-8 become "\xNN".
 *
 * In:      keep  control bytes that stay as they are: "\n", or ""
 */
void text_add_printable(struct buf *out, str s, const char *keep);
