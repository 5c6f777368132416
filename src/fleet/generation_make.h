/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * generation_make: how a generation comes to be and grows. Matches are prepared first, by any
 * thread, where nobody sees them; to publish them is to link what is there already.
 */

#include "fleet/generation.h"

/** The matches of one element, prepared. */
struct prepared {
	element_id element;
	struct match *matches; /* sorted by vulnerability number; the generation's */
	size_t n;
};

/**
 * Make an empty generation, with one user.
 *
 * Returns: NULL when memory is out
 */
struct generation *generation_new(uint64_t number, int64_t made_at, str digest, str built_at);

/**
 * Prepare the matches of an element. Equal texts, reasons and issues are kept once.
 *
 * In:      drafts  one per vulnerability, in any order; their issues are drafts too, of which
 *                  vuln, name and what describes the vulnerability count. All is copied
 * Returns: 0; -ENOMEM
 * Threads: any; the generation's own lock
 */
int generation_prepare(struct generation *generation, element_id element,
        const struct match *drafts, size_t n, struct prepared *ret);

/** Make prepared matches part of the generation. Elements that it knows already are passed over.
 * With the fleet's lock for writing, or before anybody else knows the generation. */
void generation_publish(struct generation *generation, const struct prepared *prepared, size_t n);

/** Does the generation know the element, be it without a match? */
bool generation_knows(const struct generation *generation, element_id element);

/** Add remarks, each once, up to a bound. Before anybody else knows the generation. */
int generation_remark(struct generation *generation, str remark);
