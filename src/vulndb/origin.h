/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * origin: which database a record comes from, told by the prefix of its id.
 */

#include "base/str.h"

/** One database of advisories. Every field is static. */
struct origin {
	const char *prefix;    /* of its ids, up to and without the first dash: "GHSA" */
	const char *publisher; /* whom to name */
	const char *licence;
	bool uses_related; /* its records name their own CVEs in `related`, not in aliases or
	                      upstream */
};

/** The database whose ids look like this; NULL when it is not in the table. */
const struct origin *origin_of_id(str id);

/** All rows, sorted by prefix. */
const struct origin *origin_all(size_t *ret_count);
