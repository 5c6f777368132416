/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * summary: what stands below the table, for a person: counts, what was left out, and the remarks.
 */

#include "report/report.h"

/**
 * Write the summary.
 *
 * In:      arena  for the sums
 * Out:     out    appended
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int summary_write(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out);
