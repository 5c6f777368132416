/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * model: a fleet in memory for tests and benchmarks of queries, made of a seed: what fleet.h and
 * sets.h promise to those who look, without a store behind it. Generations are the real ones.
 */

#include "fleet/generation_make.h"
#include "fleet/query.h"

/** How large. */
struct model_size {
	uint64_t seed;
	size_t n_accounts, n_hosts, n_elements, n_vulns, n_matches_per_element, n_sets,
	        n_elements_per_set, n_closed;
};

/** What stands behind struct fleet here. */
struct fleet {
	struct arena arena;
	uint64_t random;
	struct model_size size;
	struct generation *generation; /* the present one */
	struct element *elements;      /* by number, from 1 */
	str *vulns;                    /* by number, from 1 */
	struct package_set *sets;      /* by number, from 1 */
	roaring_bitmap_t **set_hosts;
	uint32_t **sets_of;        /* by element: how many, and which sets have it */
	struct fleet_host **hosts; /* by number, from 1 */
	int64_t *accounts;         /* sorted */
	roaring_bitmap_t **hosts_of;
	const struct closed_finding ***closed; /* by account */
	size_t *n_closed;
};

/** Make one. Aborts when memory is out. */
struct fleet *model_new(const struct model_size *size);

/** Release. */
void model_free(struct fleet *fleet);

/** Another generation, of the same elements and vulnerabilities; not the present one yet. */
struct generation *model_generation(struct fleet *fleet, uint64_t number, int64_t made_at);

/** Let a host point at other sets. */
void model_move(struct fleet *fleet, uint64_t number, uint32_t os, uint32_t language);

/** Add a closed finding: of a host, with that first_observed. */
void model_close(struct fleet *fleet, const struct fleet_host *host, vuln_id vuln,
        int64_t first_observed, int64_t closed_at);

/** A number below `below`. */
uint64_t model_random(struct fleet *fleet, uint64_t below);

/** The place of an account. */
size_t model_account(const struct fleet *fleet, int64_t account);
