/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The plugin's log: a file per hour of UTC, of which seven are kept, and its last lines in memory.
 *
 * A line is "<date> UTC <program> <pid>-0@<host>:0 [<LEVEL>] <place>: <message>". In the published
 * layout the program and the places are those of the original.
 */

#include "base/buf.h"
#include "base/err.h"

/** Kinds of lines, by the rows of events.def. */
enum plugin_event {
#define EVENT(id, level, part, place, function) EVENT_##id,
#include "plugin/events.def"
#undef EVENT
	PLUGIN_EVENT_COUNT
};

/** How many files are kept. */
#define PLUGIN_LOG_FILES_MAX 7

/** Longest tail of the log that is given out, in bytes. */
#define PLUGIN_LOG_TAIL_BYTES 4096

/** A log. Initialise with plugin_log_open(). */
struct plugin_log {
	int dir; /* -1: the folder cannot be used, and lines stay in memory only */
	int fd;
	bool is_compat;
	int64_t (*now)(void); /* seconds since 1970 */
	char host[256];
	char name[48];   /* of the file that is open */
	struct buf tail; /* lines */
};

/**
 * Open a log.
 *
 * In:      dir     made if it is not there, for root only
 *          now     the clock
 *          host    name of this machine; NULL: ask the system
 * Out:     log     usable, and to be closed, also after a failure
 * Returns: 0; -errno: it stays in memory
 */
int plugin_log_open(struct plugin_log *log, const char *dir, bool is_compat, const char *host,
        int64_t (*now)(void), struct err *err);

/** Write a line. Bytes that are no text become '?'. */
void plugin_log_write(struct plugin_log *log, enum plugin_event event, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/** The last whole lines, at most PLUGIN_LOG_TAIL_BYTES. Borrows. */
str plugin_log_tail(const struct plugin_log *log);

/** Remove the oldest files beyond PLUGIN_LOG_FILES_MAX, and say so. */
void plugin_log_clean(struct plugin_log *log);

/** Close. */
void plugin_log_close(struct plugin_log *log);
