/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inspectorssmplugin`: this program under another name. Takes the place of the plugin that the
 * documents of Systems Manager call: the same flags, files and reports. Exit status 0 is success,
 * 1 a failed run, 2 wrong use.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "plugin/run.h"

#define EXIT_FAILED 1

static const char *variable(const char *name)
{
	return getenv(name);
}

/* Tests and packagers move the folder of the log and the root without touching the document that
 * calls this. */
static const char *setting(const char *flag, const char *name, const char *standard)
{
	const char *value = getenv(name);
	return flag ? flag : value && *value ? value : standard;
}

int cmd_plugin(int argc, char **argv)
{
	struct plugin_options options;
	struct err err = { 0 };
	if (plugin_flags_read(argc - 1, argv + 1, &options, &err) < 0) {
		say_always("inspectorssmplugin: %s\n%s", err.text, plugin_flags_usage());
		return EXIT_USAGE;
	}
	if (options.wants_help || options.wants_version) {
		(void)printf("%s", options.wants_help ? plugin_flags_usage() : SONDE_VERSION "\n");
		return EXIT_GOOD;
	}
	options.log_dir = setting(options.log_dir, "SONDE_PLUGIN_LOG_DIR", PLUGIN_LOG_DIR);
	options.root = setting(options.root, "SONDE_PLUGIN_ROOT", "/");
	const char *compat = getenv("SONDE_PLUGIN_LOG_COMPAT");
	options.is_compat |= compat && *compat && *compat != '0';
	struct account_environment environment = { .get = variable };
	if (plugin_run(&options, &environment, &err) < 0) {
		say_always("inspectorssmplugin: %s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_GOOD;
}
