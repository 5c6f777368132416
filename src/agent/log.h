/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * log: what the agent says of itself, a line per event on standard error, which systemd keeps.
 */

#include "base/err.h"
#include "base/str.h"

/** How much it matters. */
enum log_level {
	LOG_ERROR,   /* someone must act */
	LOG_WARNING, /* degraded, going on */
	LOG_INFO,    /* one line per run, report or registration */
};

/**
 * Say one event: a sentence and then key=value. Bytes from outside are escaped; one write, so that
 * lines of several processes do not mix.
 */
void agent_log(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
