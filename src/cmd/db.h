/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sonde db: the parts that its files share.
 */

#include "cmd/cmd.h"
#include "vulndb/vulndb.h"

/** What a listener of an import needs, and what it counts. */
struct import_talk {
	const struct invocation *call;
	uint64_t n_sources, n_problems, n_records, n_used, n_ignored;
	char first_ignored[512];
};

/** A listener that prints a line per source and shows progress; --verbose tells each record that
 * was left out. */
struct import_listener import_talker(struct import_talk *talk);

/** Say what an import gave in all, and how many files it did not take. */
void end_import(const struct import_talk *talk);

/** The feed store below the data folder. Lives in the settings. */
const char *feeds_dir(struct settings *settings);

/** Compile the feed store to the database, saying so. Returns: an enum exit_code */
int db_build(const struct invocation *call);

/** sonde db update. Returns: an enum exit_code */
int db_update(const struct invocation *call);

/** sonde db show. Returns: an enum exit_code */
int db_show(const struct invocation *call);

/** sonde db status. Returns: an enum exit_code */
int db_status(const struct invocation *call);
