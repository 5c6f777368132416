/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * text: bytes from outside as a person sees them on a terminal: harmless, and of known width.
 */

#include "base/buf.h"
#include "base/str.h"

/**
 * Write bytes so that a terminal only shows them: each byte of a control character, of what is not
 * UTF-8, and of characters that are invisible or turn the direction of writing becomes "\ooo", its
 * value in octal, and so does a backslash, as in /proc/self/mountinfo: printf '%b' gives the bytes
 * back.
 *
 * Out:     out  appended: well-formed UTF-8, one line
 */
void text_escape(struct buf *out, str s);

/** The same for text of several lines, whose line ends stay. */
void text_escape_lines(struct buf *out, str s);

/**
 * How many columns a terminal needs for text that text_escape() wrote: two for wide characters,
 * none for combining ones.
 *
 * Source:  Unicode 15, East_Asian_Width W and F, by blocks
 */
size_t text_width(str s);

/**
 * Write escaped text, its middle replaced by "..." if it is wider than `width`.
 */
void text_cut_middle(struct buf *out, str s, size_t width);
