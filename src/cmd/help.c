/* SPDX-License-Identifier: Apache-2.0 */
/* Help, manual pages and completions, all from commands.def and settings.def. */
#include <stdio.h>

#include "cmd/cmd.h"

static bool has(enum command_id id, size_t setting)
{
	return id == COMMAND_COUNT || (setting_rows[setting].commands & 1 << id) != 0;
}

/* Words of a sentence, wrapped at 78 columns behind an indent. */
static void put_wrapped(str text, int indent)
{
	int at = 0;
	while (text.n > 0) {
		str word;
		(void)str_take_while(&text, is_space);
		word = str_take_until(&text, is_space);
		if (at > 0 && indent + at + 1 + (int)word.n > 78) {
			(void)printf("\n");
			at = 0;
		}
		at += at == 0 ? printf("%*s" STR_FMT, indent, "", STR_ARG(word)) - indent
		              : printf(" " STR_FMT, STR_ARG(word));
	}
	(void)printf("\n");
}

static void put_flags(enum command_id id)
{
	for (size_t i = 0; i < SET_COUNT; i++) {
		const struct setting *row = &setting_rows[i];
		if (!has(id, i))
			continue;
		(void)printf("  %c%c%c --%s", row->letter ? '-' : ' ',
		        row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->key);
		if (row->kind == KIND_OPTIONAL)
			(void)printf("[=%s]", row->argument);
		else if (row->kind != KIND_FLAG)
			(void)printf(" %s", row->argument);
		if (row->kind != KIND_FLAG && row->standard[0])
			(void)printf("  [%s]", row->standard);
		(void)printf("\n");
		put_wrapped(str_from_c(row->sentence), 10);
		if (row->kind == KIND_WORD)
			(void)printf("          %s\n", row->range);
	}
	(void)printf("   -h, --help\n          explain the command\n"
	             "       --version\n          print the version\n");
}

void help_text(enum command_id id)
{
	if (id == COMMAND_COUNT) {
		(void)printf("%s %s: %s\n\nusage: %s COMMAND [FLAGS] [ARGUMENTS]\n\n", program.name,
		        SONDE_VERSION, program.sentence, program.name);
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			(void)printf(
			        "  %-12s %s\n", command_rows[i].word, command_rows[i].sentence);
		(void)printf("\n'%s COMMAND --help' explains one. %s\n\nExit codes:\n",
		        program.name, program.first_steps);
	} else {
		(void)printf("usage: %s %s [FLAGS] %s\n\n", program.name, command_rows[id].word,
		        command_rows[id].arguments);
		str text = str_from_c(command_rows[id].text), line;
		while (str_next_line(&text, &line))
			put_wrapped(line, 0);
		(void)printf("\nFlags; each also as 'KEY = VALUE' in the configuration file, or\n"
		             "as %sKEY in the environment:\n",
		        program.environment);
		put_flags(id);
		(void)printf("\nExit codes:\n");
	}
	for (size_t i = 0; program.exit_codes[i]; i++)
		(void)printf("  %s\n", program.exit_codes[i]);
}

/* ---- manual pages ---- */

/* Text for roff: a backslash, a leading dot or quote and a hyphen mean themselves. */
static void put_roff(str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (i == 0 && (c == '.' || c == '\''))
			(void)printf("\\&%c", c);
		else if (c == '\\')
			(void)printf("\\e");
		else if (c == '-')
			(void)printf("\\-");
		else
			(void)putchar(c);
	}
}

static void put_man_flags(enum command_id id)
{
	(void)printf(".SH OPTIONS\n");
	for (size_t i = 0; i < SET_COUNT; i++) {
		const struct setting *row = &setting_rows[i];
		if (!has(id, i))
			continue;
		(void)printf(".TP\n");
		if (row->letter)
			(void)printf("\\fB\\-%c\\fR, ", row->letter);
		(void)printf("\\fB\\-\\-");
		put_roff(str_from_c(row->key));
		(void)printf("\\fR");
		if (row->kind == KIND_OPTIONAL)
			(void)printf("[=\\fI%s\\fR]", row->argument);
		else if (row->kind != KIND_FLAG)
			(void)printf(" \\fI%s\\fR", row->argument);
		(void)printf("\n");
		put_roff(str_from_c(row->sentence));
		if (row->kind == KIND_WORD) {
			(void)printf(": ");
			put_roff(str_from_c(row->range));
		}
		if (row->kind != KIND_FLAG && row->standard[0]) {
			(void)printf(" (default: ");
			put_roff(str_from_c(row->standard));
			(void)printf(")");
		}
		(void)printf(".\n");
	}
}

static void put_command(const struct command *row)
{
	(void)printf(".TP\n\\fB%s\\fR\n%s; see \\fB", row->word, row->sentence);
	put_roff(str_from_c(program.name));
	(void)printf("\\-%s\\fR(%d).\n", row->word, program.section);
}

static void put_man_description(enum command_id id)
{
	if (id == COMMAND_COUNT) {
		(void)printf("%s\n.SH COMMANDS\n", program.description);
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			put_command(&command_rows[i]);
		return;
	}
	str text = str_from_c(command_rows[id].text), line;
	for (bool first = true; str_next_line(&text, &line); first = false) {
		if (!first)
			(void)printf(".PP\n");
		put_roff(line);
		(void)printf("\n");
	}
}

static void put_man_end(void)
{
	(void)printf(".SH EXIT STATUS\n");
	for (size_t i = 0; program.exit_codes[i]; i++) {
		(void)printf(".TP\n%c\n", program.exit_codes[i][0]);
		put_roff(str_from_c(program.exit_codes[i] + 3));
		(void)printf("\n");
	}
	(void)printf(".SH ENVIRONMENT\n.TP\n\\fB%s\\fR\\fIKEY\\fR\nthe setting of that key: %s; "
	             "lists are "
	             "separated by colons.\n.TP\n\\fB%sCONFIG\\fR\nthe configuration file to read "
	             "instead of \\fI%s\\fR.\n.TP\n\\fBNO_COLOR\\fR\nno colours.\n"
	             ".SH FILES\n\\fI%s\\fR, \\fI%s\\fR\n",
	        program.environment, program.examples, program.environment, program.config,
	        program.config, program.data_dir);
}

static void help_man(enum command_id id)
{
	const char *word = id == COMMAND_COUNT ? "" : command_rows[id].word;
	bool is_all = id == COMMAND_COUNT;
	(void)printf(".TH %s%s%s %d \"\" \"sonde %s\" \"Sonde\"\n.SH NAME\n", program.upper,
	        is_all ? "" : "-", word, program.section, SONDE_VERSION);
	put_roff(str_from_c(program.name));
	(void)printf("%s%s \\- ", is_all ? "" : "\\-", word);
	put_roff(str_from_c(is_all ? program.short_text : command_rows[id].sentence));
	(void)printf("\n.SH SYNOPSIS\n\\fB");
	put_roff(str_from_c(program.name));
	(void)printf(is_all ? " \\fICOMMAND\\fR [FLAGS] [ARGUMENTS]\n" : " %s\\fR [FLAGS] ", word);
	put_roff(str_from_c(id == COMMAND_COUNT ? "" : command_rows[id].arguments));
	(void)printf("\n.SH DESCRIPTION\n");
	put_man_description(id);
	if (id != COMMAND_COUNT)
		put_man_flags(id);
	put_man_end();
}

/* ---- completions ---- */

static void help_bash(void)
{
	(void)printf("# completion of %s for bash; made by '%s help --as bash'\n_%s() {\n",
	        program.name, program.name, program.symbol);
	(void)printf(
	        "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	        "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W \"");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)printf("%s%s", i ? " " : "", command_rows[i].word);
	(void)printf("\" -- \"$cur\")\n\t\treturn\n\tfi\n\tcase $prev in\n");
	for (size_t i = 0; i < SET_COUNT; i++) {
		if (setting_rows[i].kind != KIND_WORD)
			continue;
		(void)printf("\t--%s) mapfile -t COMPREPLY < <(compgen -W \"", setting_rows[i].key);
		for (const char *p = setting_rows[i].range; *p; p++)
			(void)putchar(*p == '|' ? ' ' : *p);
		(void)printf("\" -- \"$cur\"); return ;;\n");
	}
	(void)printf("\tesac\n\tcase ${COMP_WORDS[1]}/$cur in\n");
	for (size_t c = 0; c < COMMAND_COUNT; c++) {
		(void)printf("\t%s/-*) mapfile -t COMPREPLY < <(compgen -W \"--help",
		        command_rows[c].word);
		for (size_t i = 0; i < SET_COUNT; i++) {
			if (has((enum command_id)c, i))
				(void)printf(" --%s", setting_rows[i].key);
		}
		(void)printf("\" -- \"$cur\") ;;\n");
	}
	for (const struct sub_words *sub = program.sub_words; sub->command; sub++)
		(void)printf(
		        "\t%s/*) mapfile -t COMPREPLY < <(compgen -W \"%s\" -f -- \"$cur\") ;;\n",
		        sub->command, sub->words);
	(void)printf("\t*) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n\tesac\n}\n"
	             "complete -o filenames -F _%s %s\n",
	        program.symbol, program.name);
}

/* A sentence inside single quotes of zsh or fish. */
static void put_quoted(const char *text, const char *also_escaped)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			(void)printf("'\\''");
		else if (strchr(also_escaped, *p))
			(void)printf("\\%c", *p);
		else
			(void)putchar(*p);
	}
}

static void help_zsh(void)
{
	(void)printf("#compdef %s\n# completion of %s for zsh; made by '%s help --as zsh'\n",
	        program.name, program.name, program.name);
	(void)printf("if (( CURRENT == 2 )); then\n\t_values command");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		(void)printf(" '%s[", command_rows[i].word);
		put_quoted(command_rows[i].sentence, "[]");
		(void)printf("]'");
	}
	(void)printf("\n\treturn\nfi\ncase $words[2] in\n");
	for (size_t c = 0; c < COMMAND_COUNT; c++) {
		(void)printf(
		        "%s)\n\t_arguments '--help[explain the command]'", command_rows[c].word);
		for (size_t i = 0; i < SET_COUNT; i++) {
			const struct setting *row = &setting_rows[i];
			if (!has((enum command_id)c, i))
				continue;
			(void)printf(" \\\n\t\t'%s--%s%s[", row->kind == KIND_LIST ? "*" : "",
			        row->key, row->kind == KIND_FLAG ? "" : "=");
			put_quoted(row->sentence, "[]:");
			(void)printf(row->kind == KIND_FLAG ? "]'" : "]:%s:", row->argument);
			if (row->kind == KIND_WORD) {
				(void)putchar('(');
				for (const char *p = row->range; *p; p++)
					(void)putchar(*p == '|' ? ' ' : *p);
				(void)printf(")'");
			} else if (row->kind != KIND_FLAG) {
				(void)printf("_files'");
			}
		}
		(void)printf(" \\\n\t\t'*:argument:_files'\n\t;;\n");
	}
	(void)printf("esac\n");
}

static void help_fish(void)
{
	(void)printf("# completion of %s for fish; made by '%s help --as fish'\n", program.name,
	        program.name);
	for (size_t c = 0; c < COMMAND_COUNT; c++) {
		(void)printf("complete -c %s -n __fish_use_subcommand -a %s -d '", program.name,
		        command_rows[c].word);
		put_quoted(command_rows[c].sentence, "");
		(void)printf("'\n");
	}
	for (size_t c = 0; c < COMMAND_COUNT; c++) {
		for (size_t i = 0; i < SET_COUNT; i++) {
			const struct setting *row = &setting_rows[i];
			if (!has((enum command_id)c, i))
				continue;
			(void)printf("complete -c %s -n '__fish_seen_subcommand_from %s' -l "
			             "%s%s -d '",
			        program.name, command_rows[c].word, row->key,
			        row->kind == KIND_FLAG ? "" : " -r");
			put_quoted(row->sentence, "");
			(void)printf("'\n");
		}
	}
}

int cmd_help(struct invocation *call)
{
	struct settings *s = call->settings;
	str as = str_from_c(settings_text(s, SET_AS));
	size_t id = COMMAND_COUNT;
	if (s->n_rest > 1)
		return say_usage(call, "help takes one command");
	if (s->n_rest == 1) {
		for (id = 0; id < COMMAND_COUNT && strcmp(command_rows[id].word, s->rest[0]) != 0;)
			id++;
		if (id == COMMAND_COUNT)
			return say_usage(call, "%s: no such command", s->rest[0]);
	}
	if (str_eq(as, STR("man")))
		help_man((enum command_id)id);
	else if (str_eq(as, STR("bash")))
		help_bash();
	else if (str_eq(as, STR("zsh")))
		help_zsh();
	else if (str_eq(as, STR("fish")))
		help_fish();
	else if (!program_help(as))
		help_text((enum command_id)id);
	return EXIT_GOOD;
}
