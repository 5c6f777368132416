/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * match_fleet: elements x vulnerability data -> matches, by asking match_host() about many elements
 * at once.
 */

#include "fleet/generation_make.h"
#include "vulndb/vulndb.h"

/** When a match was first known. */
typedef int64_t match_since(void *ctx, element_id element, vuln_id vuln);

/** What matching needs. */
struct matching {
	struct vulndb *db; /* the caller holds what guards it */
	struct dictionary *dictionary;
	struct generation *generation; /* takes what is prepared */
	struct store_batch *batch;     /* takes records of new vulnerabilities */
	/** Called between elements: may commit the batch and begin it anew. May be NULL. */
	int (*flush)(void *ctx, struct store_batch *batch, struct err *err);
	match_since *since;
	void *ctx;
	bool keeps_remarks; /* the generation takes what could not be judged */
};

/**
 * Match elements.
 *
 * In:      ids  numbers of elements, in any order; sorted anew
 * Out:     ret  one per element, in the new order of ids; the generation's until it is published
 * Returns: 0; -ERR_FORMAT when the database is damaged; -ERR_LIMIT; -errno
 * Cost:    one look-up per ecosystem and name; blocks on the database's files
 */
int match_elements(const struct matching *matching, element_id *ids, size_t n, struct prepared *ret,
        struct err *err);
