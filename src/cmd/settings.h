/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Settings: flags, environment and configuration file, read by the rows of settings.def.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "cmd/program.h"

/** The commands, in the order of commands.def. */
enum command_id {
#define COMMAND(id, word, arguments, sentence, text) COMMAND_##id,
#include COMMANDS_DEF
#undef COMMAND
	COMMAND_COUNT
};

/** Which commands a setting belongs to: bits by enum command_id. */
enum {
#ifdef SONDE_SERVER
	ON_RUN = 1 << COMMAND_run,
	ON_ACCOUNT = 1 << COMMAND_account,
	ON_KEY = 1 << COMMAND_key,
	ON_ACTIVATION = 1 << COMMAND_activation,
	ON_KEYS = ON_KEY | ON_ACTIVATION,
	ON_ADMIN = ON_ACCOUNT | 1 << COMMAND_organisation | ON_KEYS,
	ON_STATE =
	        ON_RUN | ON_ADMIN | 1 << COMMAND_init | 1 << COMMAND_backup | 1 << COMMAND_restore,
#else
	ON_FINDINGS = 1 << COMMAND_scan,
	ON_SCAN = 1 << COMMAND_scan | 1 << COMMAND_inventory,
	ON_DB = 1 << COMMAND_db,
	ON_VERSION = 1 << COMMAND_version,
	ON_AGENT = 1 << COMMAND_agent,
#endif
	ON_HELP = 1 << COMMAND_help,
	ON_ALL = (1 << COMMAND_COUNT) - 1,
};

/** The settings, in the order of settings.def. */
enum setting_id {
#define SETTING(id, key, letter, kind, argument, range, standard, commands, sentence) SET_##id,
#include SETTINGS_DEF
#undef SETTING
	SET_COUNT
};

enum setting_kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_LIST,
	KIND_NUMBER,
	KIND_WORD,
	KIND_SIZE,
	KIND_OPTIONAL,
	KIND_LATER,
};

/** One row. Every field is static. */
struct setting {
	const char *key;
	char letter; /* '\0': none */
	enum setting_kind kind;
	const char *argument, *range, *standard;
	int commands;
	const char *sentence;
};

/** One command. Every field is static. */
struct command {
	const char *word, *arguments, *sentence, *text;
};

/** All rows, by enum setting_id and enum command_id. */
extern const struct setting setting_rows[SET_COUNT];
extern const struct command command_rows[COMMAND_COUNT];

/** Values of one run. Strings live in the arena or the process's own arguments and environment. */
struct settings {
	struct arena arena;
	struct setting_value {
		const char **items; /* a LIST has any number, the rest have one */
		size_t n;
		const char *origin; /* "default", "/etc/sonde/sonde.conf:3", "SONDE_DB", "--db" */
	} values[SET_COUNT];
	const char **rest; /* arguments that are no flags, NULL-ended */
	size_t n_rest;
	bool wants_help, wants_version;
};

/**
 * Read defaults, configuration file, environment and the arguments behind the command's word.
 *
 * In:      command    which settings are its own; others are an error on the command line and left
 * alone elsewhere n, args    the arguments Out:     ret        caller releases with
 * settings_fini(), also after a failure Returns: 0; -EINVAL with a sentence that names the flag, or
 * file and line; -errno for a file that SONDE_CONFIG names
 */
int settings_read(
        enum command_id command, int n, char **args, struct settings *ret, struct err *err);

/** Release. A zeroed value is a no-op. */
void settings_fini(struct settings *settings);

/** The one value of a setting; "" when it has none. */
const char *settings_text(const struct settings *settings, enum setting_id id);

/** Is a FLAG set, or does a setting have a value other than ""? */
bool settings_is_on(const struct settings *settings, enum setting_id id);

/** A NUMBER, checked when it was read. */
uint64_t settings_number(const struct settings *settings, enum setting_id id);

/** A SIZE in bytes, checked when it was read. */
uint64_t settings_size(const struct settings *settings, enum setting_id id);

/** "dir/name". Lives in the settings. */
const char *settings_path(struct settings *settings, const char *dir, const char *name);

/** The data folder: --data, else program.data_dir for root, else program.data_name in
 * $XDG_DATA_HOME or ~/.local/share. Lives in the settings. */
const char *settings_data_dir(struct settings *settings);

/** The database folder: --db, else "db" in the data folder. Lives in the settings. */
const char *settings_db_dir(struct settings *settings);
