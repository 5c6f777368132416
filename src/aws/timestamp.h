/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Times on the wire: epoch seconds in JSON, ISO 8601 in XML and in dates that are strings. Inside
 * the program a time with a fraction is int64_t milliseconds since 1970 UTC.
 */

#include "aws/value.h"

/** Write a time as epoch seconds with up to three digits behind the point. */
void timestamp_write_epoch(struct json_writer *w, int64_t at_ms);

/** Add a time as "2026-01-31T23:59:59Z", with ".123" before the Z if there is a fraction. Years
 * outside 0 to 9999 are clamped. */
void timestamp_add_iso(struct buf *out, int64_t at_ms);

/**
 * Read a date and time.
 *
 * In:      s  "2026-01-31T23:59:59", perhaps a fraction, and "Z" or "+hh:mm"; or a date alone
 * Out:     ret_at_ms  digits behind the milliseconds are dropped
 * Returns: false for anything else, and for days and hours that do not exist
 * Source:  RFC 3339 section 5.6
 */
bool timestamp_from_iso(str s, int64_t *ret_at_ms);

/**
 * Read a timestamp of a request: a number (epoch seconds), or a string as timestamp_from_iso() or
 * of epoch seconds, which is what address parameters have.
 *
 * Returns: false for anything else, and outside the years 0 to 9999
 */
bool timestamp_from_value(const struct value *v, int64_t *ret_at_ms);
