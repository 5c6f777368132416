/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A writer of XML answers: elements and text, and no attribute but the namespace.
 *
 *     struct xml w = XML(&body);
 *     xml_begin(&w, "DescribeTagsResponse", "http://...");
 *     xml_text(&w, "requestId", id);
 *     xml_end(&w);
 */

#include "base/buf.h"
#include "base/str.h"

/** Deepest nesting of elements. */
#define XML_DEPTH_MAX 32

/** A writer. Initialise with XML(); nothing to release. The failure is the buffer's. */
struct xml {
	struct buf *out;
	const char *open[XML_DEPTH_MAX]; /* names of the open elements; static */
	unsigned depth;
};

#define XML(buffer) ((struct xml){ .out = (buffer), .depth = 0 })

/** Open an element. `name` is ours and static; `namespace_uri` may be NULL. */
void xml_begin(struct xml *w, const char *name, const char *namespace_uri);

/** Close the element opened last. */
void xml_end(struct xml *w);

/** An element with text: escaped; what XML 1.0 does not allow, and what is not UTF-8, becomes
 * U+FFFD. */
void xml_text(struct xml *w, const char *name, str text);

/** An element with a whole number. */
void xml_i64(struct xml *w, const char *name, int64_t v);

/** An element with "true" or "false". */
void xml_bool(struct xml *w, const char *name, bool v);
