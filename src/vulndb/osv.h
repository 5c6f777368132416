/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * osv: one record of the OSV format, taken apart.
 *
 * Source: Open Source Vulnerability format 1.7 (ossf.github.io/osv-schema)
 */

#include "base/arena.h"
#include "base/buf.h"
#include "vulndb/vulndb.h"

/** A record, and what of it could not be used. */
struct osv {
	struct advisory advisory;                 /* without `source` */
	const struct advisory_affected *affected; /* usable ones only, in the record's order */
	size_t n_affected;
	uint64_t left_out[REASON_COUNT]; /* entries of `affected`, by why they are of no use */
	uint64_t
	        n_bad_ranges; /* ranges left out of entries that are of use: an event is unusable */
	uint64_t n_bad_versions; /* listed versions left out: empty, too long, not text */
	uint64_t n_bad_ids;      /* aliases, upstream and related ids left out, likewise */
};

/**
 * Read one record.
 *
 * In:      json   the whole text; hostile
 *          arena  takes what does not borrow from `json`
 * Out:     ret    written when the result is REASON_USED; its id also when it is a later reason
 * Returns: why it cannot be used, or REASON_USED
 */
enum reason osv_read(str json, struct arena *arena, struct osv *ret);

/** Does this text, or the beginning of one, look like an OSV record? */
bool osv_looks_like(str head);

/**
 * Describe what of a used record could not be used: "2 of 5 packages left out: only GIT ranges".
 *
 * Out:     out  appended; nothing when all was used
 */
void osv_describe(const struct osv *osv, struct buf *out);
