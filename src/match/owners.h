/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * owners: a language package that the operating system's own package brought is judged by the
 * distribution, which backports fixes without raising the version that the metadata shows.
 */

#include "base/map.h"
#include "match/question.h"

/** The OS packages by "type name version". Initialise with OWNERS(). */
struct owners {
	struct arena *arena;
	const struct host *host;
	const struct coverage *coverage;
	struct map packages; /* -> const struct package */
};

#define OWNERS(memory, of_host, of_coverage)                                                       \
	((struct owners){ .arena = (memory),                                                       \
	        .host = (of_host),                                                                 \
	        .coverage = (of_coverage),                                                         \
	        .packages = MAP(memory) })

/** Take up a host's OS packages. Returns: 0; -ERR_LIMIT */
int owners_index(struct owners *owners, const struct package *packages, size_t n_packages);

/**
 * Say why a package's findings are not counted.
 *
 * Out:     ret  the owners' arena; empty when they are counted: there is no owner, or one that is
 *               not the distribution's
 * Returns: 0; -ERR_LIMIT
 */
int owners_sentence(struct owners *owners, const struct package *pkg, str *ret);
