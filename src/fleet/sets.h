/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sets: content-addressed package sets, which hosts point at, and the postings that lead from an
 * element to the sets, and from a set to the hosts, that have it. Fleets are nearly duplicate, so
 * there are far fewer sets than hosts. CRoaring enters the program here and in query.h.
 *
 * Threads: changed under the fleet's lock for writing, read under it for reading
 */

#include "fleet/element.h"

/* A set of numbers of hosts. The library's own header is long (it brings the processor's vector
 * instructions along): only who works on one includes <roaring/roaring.h>. */
typedef struct roaring_bitmap_s roaring_bitmap_t;

/** A set. Number 0 is the empty one. */
struct package_set {
	uint32_t number;
	int64_t account;
	unsigned char sha256[32];   /* of "v1:" and the sorted SHA-256 of its canonical forms */
	const element_id *elements; /* sorted */
	size_t n_elements;
	const roaring_bitmap_t *hosts; /* numbers of the hosts that point at it */
};

struct sets;

/** A set by its number; NULL when there is none. */
const struct package_set *sets_at(const struct sets *sets, uint32_t number);

/** Add to `out` the numbers of the hosts that have an element. Returns: 0; -ENOMEM */
int sets_hosts_of(const struct sets *sets, element_id element, roaring_bitmap_t *out);
