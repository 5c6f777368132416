/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * reports: findings reports and SBOM exports. A request leaves an object of type "report" behind;
 * the background work makes the files, below <data>/exports/<account>/<bucket>/<prefix>, and writes
 * down how it ended. A report that was being made when the server died is made again.
 */

#include "server/request.h"
#include "server/server.h"

/** What a report is of. */
enum report_kind { REPORT_FINDINGS, REPORT_SBOM };

/** One report. Strings live where the call that yields them says. */
struct report {
	str id; /* a UUID */
	int64_t account;
	enum report_kind kind;
	str format; /* "CSV", "JSON", "CYCLONEDX_1_4", "SPDX_2_3" */
	str status; /* "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELLED" */
	str error_code, error_message;
	str bucket, prefix, kms_key, region;
	const struct value *criteria; /* NULL: everything */
	int64_t created_at, ended_at;
};

/** A report from its object. */
struct report report_from_value(int64_t account, str id, const struct value *value);

/** The change that writes a report. Returns: 0; -ERR_LIMIT */
int report_change(const struct report *report, struct arena *arena, struct object_change *ret);

/** Days that a report is remembered; its files stay. */
#define REPORT_DAYS 30

/**
 * Make what waits to be made, and forget what is old.
 *
 * Returns: 0; what the store says. A report that cannot be made ends as FAILED
 * Threads: one
 */
int reports_work(struct server *server, int64_t now_at, struct err *err);

/** What a report is made with. */
struct report_job {
	struct server *server;
	const struct report *report;
	struct request request; /* as if the account's administrator had asked */
	int folder;             /* descriptor of where files go */
	struct arena *arena;    /* of the whole job */
	uint64_t n_written;
};

/** Has the report been cancelled meanwhile? */
bool report_is_cancelled(const struct report_job *job);

/** Write the findings of a report. Returns: 0; -ECANCELED; -errno; as query_page() */
int report_findings(struct report_job *job, struct err *err);

/** Write one SBOM for each host of a report. Returns: as report_findings() */
int report_sboms(struct report_job *job, struct err *err);
