/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * origins: which source packages the binary packages of Debian and its relatives were built from,
 * as the hosts of one account told. Their advisories name source packages, and a stock agent does
 * not say which one a package is of; our own uploads do.
 *
 * What was learnt counts in the same account, distribution and release only, so that no host can
 * change what is found on another account's. Where hosts of an account say different things, a
 * package is taken for one of each: so nobody can hide what somebody else's word would find.
 */

#include <pthread.h>

#include "fleet/element.h"

/** Most source packages that one binary package is taken for. */
#define ORIGINS_MAX 8u

/** What an account's hosts told. */
struct origins {
	pthread_mutex_t lock;
	element_id *table; /* elements that tell; open addressing, a power of two, at most half full
	                    */
	size_t n, cap;
	/* Of the pass over hosts that what was learnt may concern; one thread at a time. */
	size_t n_begun, n_applied; /* how much was known when the pass began, and the last whole one
	                            */
	uint64_t next;             /* the host with which it goes on */
};

/** Begin with nothing. */
void origins_init(struct origins *origins);

/** Release. */
void origins_fini(struct origins *origins);

/**
 * Learn from the elements of a host.
 *
 * In:      is_own  they are our own upload's, which names the source wherever it is another than
 *                  the package; else only those with a source tell something
 * Threads: any; the table's own lock. Never fails: see sure.h
 */
void origins_learn(struct origins *origins, const struct dictionary *dictionary,
        const element_id *ids, size_t n, bool is_own);

/** How much was learnt: it never becomes less. Threads: any */
size_t origins_count(struct origins *origins);

/** Is this a package of which advisories name the source, not the package? */
bool origins_concern(const struct package *pkg);

/**
 * Name the source packages of an element as a stock agent tells it.
 *
 * A source that a package had with an equal version, but for a binary-only rebuild, is its source
 * in every version; any other only in the version with which it was told, because nothing else says
 * which version the source has.
 *
 * In:      element  its source is passed over
 * Out:     ret      with their source; strings are the dictionary's or the element's
 * Returns: how many; 0 when nothing is known
 * Threads: any; the table's own lock
 */
size_t origins_find(struct origins *origins, const struct dictionary *dictionary,
        const struct element *element, struct element ret[ORIGINS_MAX]);
