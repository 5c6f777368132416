/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * stamp: points in time as feeds write them. Texts are kept as written; this orders them.
 */

#include "base/str.h"

/** A point in time. */
struct stamp {
	int64_t at;    /* seconds since 1970 UTC */
	uint32_t nano; /* nanoseconds past it */
};

/**
 * Read a time: "2026-08-21T17:46:43.6019Z", "...+02:00", "...+0000", or a day, "2026-08-21".
 *
 * Out:     ret  written on success only
 * Returns: false for anything else, and for a month, day or hour that does not exist
 * Source:  RFC 3339, section 5.6; the colon of the offset may be missing, as EPSS writes it
 */
bool stamp_parse(str text, struct stamp *ret);

/** < 0, 0 or > 0 as `a` is before, at or after `b`. */
int stamp_cmp(struct stamp a, struct stamp b);

/** Is this a date that stands for "not known"? The year 1, which Go's zero time shows as. */
bool stamp_is_unknown(struct stamp stamp);
