/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * cve: tables of one number per CVE (EPSS, KEV), kept as sorted pages. Layout in vulndb/format.h.
 */

#include "base/buf.h"
#include "vulndb/feed.h"

/** One row: CVE-<year>-<number> and its value. */
struct cve_row {
	uint32_t year, number, value;
	uint32_t order; /* of the rows as they came */
};

/** Rows that grow; release with cve_table_fini(). */
struct cve_table {
	struct cve_row *rows;
	size_t n, cap;
};

/**
 * Read "CVE-2021-34141".
 *
 * Returns: false when it is anything else; a year has four digits, a number four to nine
 * Source:  CVE Program, "CVE ID syntax"
 */
bool cve_parse(str id, uint32_t *ret_year, uint32_t *ret_number);

/** Release the rows. A zeroed table is a no-op. */
void cve_table_fini(struct cve_table *table);

/** Add one row. Returns: 0; -ENOMEM; -ERR_LIMIT past RECORDS_MAX */
int cve_table_add(struct cve_table *table, uint32_t year, uint32_t number, uint32_t value);

/**
 * Sort the rows and write them as pages, with the job's counts, as the job's file.
 *
 * Out:     job  repeated CVEs are counted as duplicates, of which the first row stays
 * Returns: as job_commit()
 */
int cve_table_store(struct cve_table *table, struct job *job, str licence, struct err *err);

/**
 * Look a CVE up in one PAGE.
 *
 * Out:     ret_value  written on success only
 * Returns: 1; 0 when the page does not have it; -ERR_FORMAT when it is no page
 */
int cve_page_find(str page, uint32_t year, uint32_t number, uint32_t *ret_value);

/** The key of a page in the database: year << 32 | first number. Returns: 0; -ERR_FORMAT */
int cve_page_key(str page, int64_t *ret_key);
