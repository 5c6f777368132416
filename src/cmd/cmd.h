/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Commands: what the programs do when they are called. The only room that exits, talks and knows
 * its environment.
 */

#include "base/err.h"
#include "cmd/settings.h"

/** Exit codes that scripts may use. */
enum exit_code {
	EXIT_GOOD = 0,
	EXIT_FINDINGS = 1, /* findings at or above --fail-on; a table row or comparison that does
	                      not hold */
	EXIT_USAGE = 2,    /* flags, arguments or configuration */
	EXIT_BROKEN = 3,   /* it failed, or the scan is incomplete beyond --allow-incomplete */
	EXIT_NOTHING = 4,  /* no package was recognised */
};

/** One call of one command. */
struct invocation {
	enum command_id id;
	struct settings *settings;
};

/** One function per row of commands.def. Returns: an enum exit_code */
#define COMMAND(id, word, arguments, sentence, text) int cmd_##id(struct invocation *call);
#include COMMANDS_DEF
#undef COMMAND

/**
 * Be the plugin that documents of Systems Manager call: `sonde` under the name inspectorssmplugin.
 *
 * Returns: 0; 1 when the run failed; EXIT_USAGE
 */
int cmd_plugin(int argc, char **argv);

/**
 * Say what failed on standard error: "<program>: <what>: <sentence>".
 *
 * In:      what  what was being done, or NULL
 * Returns: EXIT_USAGE for -EINVAL, else EXIT_BROKEN
 */
int say_error(const char *what, const struct err *err);

/** Say a usage error, with a pointer to the help of the command. Returns: EXIT_USAGE */
int say_usage(const struct invocation *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Say something on standard error that must not be missed: also with --quiet. */
void say_always(const char *fmt, ...) PRINTF_LIKE(1, 2);

/** Put text that may hold bytes from outside on standard output, so that a terminal obeys none of
 * it. */
void put_text(str text);

/** The same, formatted; at most 1 MiB. */
void put_result(const char *fmt, ...) PRINTF_LIKE(1, 2);

/** Say something on standard error, unless --quiet. */
void say(const struct invocation *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Show a line that the next one replaces, on standard error, if that is a terminal and not
 * --quiet. NULL or the end: take it away. */
void say_progress(const struct invocation *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Take the progress line away. */
void end_progress(const struct invocation *call);

/** Columns of standard output's terminal; 0 when it is none. */
unsigned terminal_width(void);

/** Are colours wanted on standard output: --color, NO_COLOR, TERM, terminal. */
bool wants_colour(const struct settings *settings);

/**
 * Write a report where --output says: standard output, or a file replaced in one step.
 *
 * Returns: 0; -errno
 */
int write_output(const struct settings *settings, str text, struct err *err);

/** Print help in a form that only this program has. Returns: false, and nothing printed, for any
 * other form */
bool program_help(str as);

/** Print the help of a command, or of all (COMMAND_COUNT), as text to standard output. */
void help_text(enum command_id id);
