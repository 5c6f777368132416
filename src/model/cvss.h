/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * CVSS: base (and temporal, environmental, supplemental where given) scores of vectors v2.0 to
 * v4.0.
 */

#include "base/err.h"
#include "base/str.h"

enum cvss_version {
	CVSS_2_0,
	CVSS_3_0,
	CVSS_3_1,
	CVSS_4_0,
};

/**
 * Check a vector and compute its score.
 *
 * In:      vector   "CVSS:3.1/AV:N/...", "CVSS:4.0/...", or a v2 vector with or without parentheses
 * Out:     ret_version, ret_score  0.0 to 10.0 with one decimal; written on success only
 * Returns: 0; -ERR_FORMAT with what is wrong: unknown, repeated, missing or misplaced metric
 * Source:  FIRST, CVSS v2.0 guide 3.2; v3.0 and v3.1 specification 7; v4.0 specification 8
 */
int cvss_score(str vector, enum cvss_version *ret_version, double *ret_score, struct err *err);

/** "2.0", "3.0", "3.1" or "4.0"; static. */
const char *cvss_version_name(enum cvss_version version);
