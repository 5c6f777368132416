/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * standing: how a host stands: which of its findings are open, and since when. The one place where
 * findings are derived.
 */

#include "fleet/inside.h"

/** What decides about the findings of one host. */
struct standing {
	const struct fleet_host *host;
	const struct package_set *sets[HOST_N_SETS]; /* NULL: empty */
	const struct generation *generation;
	const struct prepared *prepared; /* of elements that the generation may not know yet; sorted
	                                    by element */
	size_t n_prepared;
	const struct first *firsts;
	size_t n_firsts;
};

/** How a host stands now. With `world`, or its stripe and `world` for a moment. */
struct standing standing_of(const struct fleet *fleet, const struct fleet_host *host);

/** The matches of an element, the prepared ones too; as generation_matches(). */
const struct match *standing_matches(
        const struct standing *standing, element_id element, size_t *ret_count);

/** The match of an element and a vulnerability; NULL when there is none. */
const struct match *standing_match(
        const struct standing *standing, element_id element, vuln_id vuln);

/**
 * Since when findings are open.
 *
 * In:      vulns  sorted
 * Out:     ret    one time per vulnerability; 0: it is not open
 */
void standing_times(const struct standing *standing, const vuln_id *vulns, size_t n, int64_t *ret);

/** Since when one is open; 0: it is not. As fleet_first_observed(). */
int64_t standing_time(const struct standing *standing, vuln_id vuln);

/** A growing list of vulnerabilities. */
struct vulns {
	vuln_id *items;
	size_t n, cap;
};

/** Release it. */
void vulns_fini(struct vulns *vulns);

/** Add the vulnerabilities that an element has matches of. */
void vulns_add(struct vulns *vulns, const struct standing *standing, element_id element);

/** Sort, and keep each once. */
void vulns_sort(struct vulns *vulns);
