/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * details: the long texts of the vulnerability data (descriptions, references), read when somebody
 * looks. Matching keeps none of them in memory.
 *
 * Threads: any; one at a time reads, behind a lock of its own
 */

#include "base/arena.h"
#include "base/err.h"
#include "model/advisory.h"

struct details;

/** What is known of one vulnerability, whoever is affected. Strings live in the arena asked with.
 */
struct vulnerability_details {
	const struct advisory *records; /* that name it; those of its own id first */
	size_t n_records;
	double epss; /* < 0 for none */
	bool is_kev;
	uint32_t kev_day; /* when it was added to KEV, as YYYYMMDD; 0: it was not, or nobody says */
};

/**
 * Begin. The database need not exist yet; it is opened when it is asked, and again when it was
 * exchanged.
 *
 * In:      db_dir  borrowed until details_close()
 * Returns: 0; -ENOMEM
 */
int details_open(const char *db_dir, struct details **ret);

/** End. NULL is a no-op. */
void details_close(struct details *details);

/**
 * Read one record, whole.
 *
 * Out:     ret  arena
 * Returns: 0; -ENOENT when the present data have it no more; as vulndb_record()
 */
int details_record(struct details *details, str source, str id, struct arena *arena,
        struct advisory *ret, struct err *err);

/**
 * Read what all sources say of a vulnerability.
 *
 * Out:     ret  arena; n_records 0 when nobody names it
 * Returns: 0; -ENOENT when there is no database; as vulndb_naming()
 */
int details_of(struct details *details, str id, struct arena *arena,
        struct vulnerability_details *ret, struct err *err);
