/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Match: packages x advisories -> findings, each with its reasons. Reads no file of the host.
 */

#include "base/arena.h"
#include "base/err.h"
#include "model/finding.h"
#include "model/host.h"
#include "model/ledger.h"
#include "model/package.h"
#include "vulndb/vulndb.h"

/** What a match gives. Initialise with zero; release with match_result_fini(). */
struct match_result {
	struct arena arena;       /* holds everything below */
	struct finding *findings; /* sorted: severity and score falling, then id, package, path */
	size_t n_findings;
	struct finding *suppressed; /* the same, each with its `suppressed` sentence */
	size_t n_suppressed;
	uint64_t n_compared; /* packages that an ecosystem of the data could judge */
};

/**
 * Match the packages of one host.
 *
 * In:      packages  borrowed by the findings: must outlive them
 *          ledger    takes what could not be judged: a version its scheme does not know, a
 *                    release that no source covers, a package type without an ecosystem
 * Out:     ret       caller releases, also after a failure
 * Returns: 0; -ERR_FORMAT when the database is damaged; -ERR_LIMIT
 */
int match_host(struct vulndb *db, const struct host *host, const struct package *packages,
        size_t n_packages, struct ledger *ledger, struct match_result *ret, struct err *err);

/** Release. A zeroed result is a no-op. */
void match_result_fini(struct match_result *result);

/** Is a version affected? */
enum verdict {
	VERDICT_NO,
	VERDICT_YES,
	VERDICT_UNKNOWN, /* the version, or every event that decides, is not one in this scheme */
};

/** What decided. Strings live in the arena given. */
struct verdict_detail {
	str range;      /* ">= 0, < 1.22", or "= 1.21.0" for a listed version */
	str comparison; /* "1.21.3 < 1.22 (pep440)" */
	str fixed_in;   /* first fix after the version in its line; empty for none */
};

/**
 * Judge one version against one affected package of a record.
 *
 * In:      scheme_name  row of version/schemes.def for ECOSYSTEM ranges
 *          arena        takes the detail
 * Out:     ret_detail   written for VERDICT_YES only; all empty when the arena is full
 * Source:  OSV schema 1.7, "Evaluation": events are sorted first, "introduced: 0" is before every
 *          version, ranges and `versions` are a union
 */
enum verdict match_judge(const char *scheme_name, const struct advisory_affected *affected,
        str version, struct arena *arena, struct verdict_detail *ret_detail);
