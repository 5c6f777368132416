/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * records: the records behind the hits, each read once, and what they call the vulnerabilities they
 * are about.
 */

#include "base/map.h"
#include "match/match.h"

/** A record without its long texts. Strings live in the arena of struct records. */
struct record {
	struct advisory advisory; /* `details` is cut to its first line */
	const str *cves;          /* that it names itself; sorted */
	size_t n_cves;
	const str *names; /* of the vulnerabilities it is about: CVEs where any record knows one,
	                     else one id */
	size_t n_names;   /* 0 until record_name() */
};

/** A vulnerability, as all sources know it. */
struct vulnerability {
	str id;
	const struct record **records; /* that name it; those that name no other CVE first */
	size_t n_records;
	double epss; /* < 0 for none */
	bool is_kev;
};

/** The records read so far. Initialise with RECORDS(); released with the arena. */
struct records {
	struct vulndb *db;
	struct arena *arena;
	struct map by_id;           /* source, a zero byte, id -> struct record */
	struct map vulnerabilities; /* id -> struct vulnerability */
};

#define RECORDS(database, memory)                                                                  \
	((struct records){ .db = (database),                                                       \
	        .arena = (memory),                                                                 \
	        .by_id = MAP(memory),                                                              \
	        .vulnerabilities = MAP(memory) })

/** Is this the id of a CVE? */
bool is_cve(str id);

/**
 * Get one record.
 *
 * Returns: 0; -ERR_FORMAT when the database names a record it does not hold; -ERR_LIMIT
 */
int records_get(struct records *records, str source, str id, struct record **ret, struct err *err);

/**
 * Find the names of what a record is about: its own CVEs; else those of records that share an id
 * with it; else its GHSA id; else its own id.
 *
 * Returns: 0, and record->names is set; -ERR_FORMAT; -ERR_LIMIT
 */
int records_name(struct records *records, struct record *record, struct err *err);

/** Get what all sources say about a vulnerability. Returns: 0; -ERR_FORMAT; -ERR_LIMIT */
int records_vulnerability(
        struct records *records, str id, const struct vulnerability **ret, struct err *err);
