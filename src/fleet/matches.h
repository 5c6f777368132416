/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * matches: what the store keeps of matches: which vulnerabilities an element has, since when. All
 * else is derived anew when the fleet is opened.
 */

#include "fleet/generation_make.h"
#include "fleet/journal.h"

/** One vulnerability of an element; as struct match.matched_at. */
struct known_match {
	vuln_id vuln;
	int64_t matched_at;
};

/** Put the record of an element in a batch; none when it has no match. Returns: 0; -ENOMEM */
int matches_put(struct store_batch *batch, const struct prepared *prepared, struct err *err);

/** Put it in a journal, or delete it when the element has no match. Returns: 0; -ENOMEM */
int matches_journal(struct journal *journal, element_id element, const struct match *matches,
        size_t n, struct err *err);

/**
 * Read such a record.
 *
 * Out:     ret  arena; sorted by vulnerability
 * Returns: 0; -ERR_FORMAT; -ERR_LIMIT
 */
int matches_read(
        str record, struct arena *arena, struct known_match **ret, size_t *ret_n, struct err *err);
