/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * program: what differs between `sonde` and `sonde-server`, which share the reading of settings,
 * the talk and the help. Each is compiled with its own two tables, and links one struct program.
 */

#include <stddef.h>

/* Which tables: SONDE_SERVER is defined for everything that `sonde-server` is made of. */
#ifdef SONDE_SERVER
#define COMMANDS_DEF "cmd/server_commands.def"
#define SETTINGS_DEF "cmd/server_settings.def"
#else
#define COMMANDS_DEF "cmd/commands.def"
#define SETTINGS_DEF "cmd/settings.def"
#endif

/** One program. Every field is static. */
struct program {
	const char *name;              /* "sonde-server" */
	const char *symbol;            /* the same as a name in a shell: "sonde_server" */
	const char *upper;             /* as in the head of a manual page */
	int section;                   /* of its manual pages */
	const char *sentence;          /* what it is: after "sonde 1.0: " */
	const char *short_text;        /* for manual pages */
	const char *description;       /* a paragraph for the manual page */
	const char *first_steps;       /* a line for --help */
	const char *environment;       /* what its variables begin with: "SONDE_" */
	const char *examples;          /* variables, for the manual page */
	const char *config;            /* its configuration file */
	const char *data_name;         /* of its data folder below the XDG data folder */
	const char *data_dir;          /* of its data folder when root runs it */
	const char *const *exit_codes; /* "0  done", NULL-ended */
	const struct sub_words {
		const char *command, *words;
	} * sub_words; /* for completion; ended by a NULL command */
	/* What it is when it is called by another name; ended by a NULL name. */
	const struct other_name {
		const char *name;
		int (*run)(int argc, char **argv); /* returns an exit status */
	} * other_names;
};

/** The program that this is. */
extern const struct program program;
