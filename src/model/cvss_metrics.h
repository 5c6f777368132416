/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * cvss_metrics: what the calculators of all CVSS versions share: reading "AV:N/AC:L/..." by a
 * table.
 */

#include "base/err.h"
#include "base/str.h"

/** One metric of a version. */
struct cvss_metric {
	const char *name; /* "AV" */
	const char
	        *values; /* separated by one blank: "N A L P"; a metric's value is its index here */
	bool required;
};

/** The index of a metric that the vector does not have. */
#define CVSS_ABSENT 0xFFu

/**
 * Read "name:value" pairs separated by '/'.
 *
 * In:      vector      without its version prefix
 *          is_ordered  metrics must stand in the table's order, as v2 and v4 demand
 * Out:     ret_values  one index per row of the table; undefined after a failure
 * Returns: 0; -ERR_FORMAT with the number of the pair and what is wrong with it
 */
int cvss_metrics_read(str vector, const struct cvss_metric *table, size_t n, bool is_ordered,
        uint8_t *ret_values, struct err *err);

/** Score a vector of one version, its prefix removed. Returns: 0; -ERR_FORMAT */
int cvss_v2_score(str vector, double *ret_score, struct err *err);

/** As cvss_v2_score(); v3.0 and v3.1 differ in rounding and in the modified impact. */
int cvss_v3_score(str vector, bool is_3_1, double *ret_score, struct err *err);

/** As cvss_v2_score(). */
int cvss_v4_score(str vector, double *ret_score, struct err *err);
