/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * question: what to ask the database about each package. A distribution's advisories name source or
 * binary packages, each with its own version; a language's name the package.
 */

#include "base/map.h"
#include "match/match.h"
#include "model/ecosystem.h"

/** One lookup for one package. */
struct question {
	str ecosystem; /* with the release: "Debian:12" */
	str name;      /* normal */
	str version;
	const char *scheme;
	size_t package;   /* index */
	bool has_modules; /* the ecosystem builds some packages in module streams (rpm modularity)
	                   */
};

/** Questions, and what could not be asked. */
struct questions {
	struct arena *arena;
	struct question *items;
	size_t n, cap;
	uint64_t n_packages; /* with at least one question */
	struct map unasked;  /* a reason -> uint64_t, how many packages */
	str type; /* of the language package before, and what stands against judging it */
	const char *obstacle;
};

/** Does any source speak about the host's distribution and release? */
struct coverage {
	str names[ECOSYSTEM_HOST_MAX]; /* the ecosystems that a source covers */
	size_t n;
	str os; /* for people: "debian 12"; arena */
};

/** Find out which of the host's ecosystems the database covers. Returns: 0; -ERR_LIMIT */
int coverage_find(
        struct vulndb *db, const struct host *host, struct arena *arena, struct coverage *ret);

/**
 * Make the questions, sorted by ecosystem and name, so that equal lookups are neighbours.
 *
 * Out:     ret  its arena is set already; strings borrow from the packages or are its arena's
 * Returns: 0; -ERR_LIMIT
 */
int questions_make(struct vulndb *db, const struct coverage *coverage,
        const struct package *packages, size_t n_packages, struct questions *ret);
