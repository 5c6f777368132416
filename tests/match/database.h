/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A vulnerability database in a temporary folder, compiled from records that a test writes, or from
 * the reference feeds.
 */

#include "match/match.h"

struct database {
	char dir[64];
	struct vulndb *db;
};

/** Make an empty folder for the inputs. */
void database_init(struct database *database);

/** Write one input: "osv/npm/GHSA-1.json", or a table: "tables/epss_scores-2024-01-01.csv". */
void database_write(struct database *database, const char *name, const char *text);

/** Import what was written, compile it and open the result; fails the test when anything does. */
void database_open(struct database *database);

/** Import these folders instead, compile and open. */
void database_open_from(struct database *database, const char *const *paths, size_t n_paths);

/** Close and remove everything. */
void database_fini(struct database *database);
