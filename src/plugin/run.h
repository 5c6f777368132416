/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * One run of the plugin: where to look, the scan, the local copy, the reports.
 */

#include "plugin/account.h"
#include "plugin/flags.h"

/**
 * Run.
 *
 * In:      options      log_dir and root set
 *          environment  asked for the settings of AWS only when something is to be reported or read
 * Returns: 0; -errno and -ERR_ classes when the run failed, or a report was refused: the log tells
 * it too
 * Cost:    the whole scan; blocks
 */
int plugin_run(const struct plugin_options *options, const struct account_environment *environment,
        struct err *err);
