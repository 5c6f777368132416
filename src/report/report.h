/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Report: an inventory and its findings in one of the formats of reports.def.
 */

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/finding.h"
#include "model/host.h"
#include "model/ledger.h"
#include "model/package.h"

/** The data that a report was made with; all empty for an inventory. */
struct report_database {
	str digest, built_at;
	struct report_source {
		str name, newest, licence;
		uint64_t n_records;
	} * sources;
	size_t n_sources;
};

/** Everything that a report can show. Borrows all of it. */
struct report {
	const char *tool_version;
	const char *detection;   /* "strict" or "evidence", as asked for */
	const char *remarks[16]; /* sentences that must not be missed: data that do not cover the
	                            release, ... ; NULL ends them */
	const struct host *host;
	const struct report_database *database; /* NULL for an inventory */
	const struct package *packages;
	size_t n_packages;
	const struct finding *findings, *suppressed; /* NULL and 0 for an inventory */
	size_t n_findings, n_suppressed;
	const struct ledger *ledger;
	uint64_t n_directories, n_files, elapsed_ms;
};

/** How to show it. */
struct report_style {
	unsigned width; /* columns of the terminal; 0: not a terminal, lines are never cut */
	bool colour;
	bool verbose; /* the table lists the ledger and the suppressed too */
	bool only_fixed;
};

/** One format. Every field is required. */
struct report_format {
	const char *name;  /* --format's word: "json" */
	const char *title; /* for people */

	/**
	 * Write the report.
	 *
	 * Out:     out  appended
	 * Returns: 0; -ENOMEM, -ERR_LIMIT
	 */
	int (*write)(const struct report *report, const struct report_style *style, struct buf *out,
	        struct err *err);
};

/** The format of that name, or NULL. */
const struct report_format *report_format_find(str name);

/** Every format, in the order of reports.def. */
const struct report_format *const *report_format_all(size_t *ret_count);
