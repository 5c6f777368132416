/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The plugin's command line, as the invoking document writes it: "-name value", "-name=value", one
 * dash or two.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** Where the original has its files. */
#define PLUGIN_LOG_DIR "/var/log/amazon/inspector"

/** What a run is to do. Strings borrow from the arguments. */
struct plugin_options {
	bool read_parameter;    /* custom paths from the parameter store */
	bool report_inventory;  /* packages, by PutInventory */
	bool report_metrics;    /* what the run was like, likewise */
	const char *save_as;    /* also write the packages' paths here; NULL: no */
	uint64_t timeout_s;     /* of the whole run; 0: none */
	unsigned cpu_limit_pct; /* of one processor; 0: none */
	uint64_t max_memory_bytes;
	bool is_compat;      /* the log in the published layout */
	const char *log_dir; /* PLUGIN_LOG_DIR */
	const char *root;    /* "/": the folder that is scanned as the host */
	bool wants_help, wants_version;
};

/**
 * Read the arguments.
 *
 * In:      n, args  without the program's name
 * Returns: 0; -EINVAL with a sentence
 */
int plugin_flags_read(int n, char **args, struct plugin_options *ret, struct err *err);

/** The flags and what they mean, for people. Static. */
const char *plugin_flags_usage(void);
