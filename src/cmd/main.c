/* SPDX-License-Identifier: Apache-2.0 */
/* Either program: picks the command by its word and hands it its settings. */
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

static int (*const functions[COMMAND_COUNT])(struct invocation *) = {
#define COMMAND(id, word, arguments, sentence, text) [COMMAND_##id] = cmd_##id,
#include COMMANDS_DEF
#undef COMMAND
};

static enum command_id find_command(str word)
{
	size_t i = 0;
	while (i < COMMAND_COUNT && !str_eq(str_from_c(command_rows[i].word), word))
		i++;
	return (enum command_id)i;
}

static int run(enum command_id id, int n, char **args)
{
	struct settings settings;
	struct err err = { 0 };
	int code;
	int r = settings_read(id, n, args, &settings, &err);
	if (r < 0) {
		code = say_error(NULL, &err);
	} else if (settings.wants_help) {
		help_text(id);
		code = EXIT_GOOD;
	} else if (settings.wants_version) {
		(void)printf("%s %s\n", program.name, SONDE_VERSION);
		code = EXIT_GOOD;
	} else {
		struct invocation call = { .id = id, .settings = &settings };
		code = functions[id](&call);
	}
	settings_fini(&settings);
	return code;
}

/* Standard descriptors that were closed would be given to the next file opened, and talk would end
 * up in it. They are filled for reading only: a result that cannot be written is an error. */
static bool has_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return false;
	}
	return true;
}

static const struct other_name *find_other_name(const char *path)
{
	const struct other_name *other = program.other_names;
	str name = str_basename(str_from_c(path));
	while (other && other->name && !str_eq(str_from_c(other->name), name))
		other++;
	return other && other->name ? other : NULL;
}

static int choose(int argc, char **argv)
{
	const struct other_name *other = find_other_name(argc > 0 ? argv[0] : NULL);
	if (other)
		return other->run(argc, argv);
	str word = str_from_c(argc > 1 ? argv[1] : "");
	if (word.n == 0 || str_eq(word, STR("--help")) || str_eq(word, STR("-h"))) {
		help_text(COMMAND_COUNT);
		return word.n == 0 ? EXIT_USAGE : EXIT_GOOD;
	}
	if (str_eq(word, STR("--version"))) {
		(void)printf("%s %s\n", program.name, SONDE_VERSION);
		return EXIT_GOOD;
	}
	enum command_id id = find_command(word);
	if (id == COMMAND_COUNT) {
		say_always("%s: %s: no such command; '%s --help' lists them", program.name, argv[1],
		        program.name);
		return EXIT_USAGE;
	}
	return run(id, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	if (!has_standard_descriptors())
		return EXIT_BROKEN;
	(void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like a full disk */
	int code = choose(argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	struct err err = { .code = -EIO };
	(void)err_set(&err, -EIO, "cannot write to standard output");
	return say_error(NULL, &err);
}
