/* SPDX-License-Identifier: Apache-2.0 */
/* Help, manual pages and completions, all from commands.def and settings.def. */
#include <stdio.h>

#include "cmd/cmd.h"

static const char *const exit_codes[] = {
	"0  done; nothing at or above --fail-on",
	"1  findings at or above --fail-on; 'version': a comparison that does not hold",
	"2  unusable flags, arguments or configuration",
	"3  it failed, or paths could not be read beyond --allow-incomplete",
	"4  no package was recognised",
};

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
		(void)printf("sonde %s: find every known vulnerability in every package of a Linux "
		             "host\n\n"
		             "usage: sonde COMMAND [FLAGS] [ARGUMENTS]\n\n",
		        SONDE_VERSION);
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			(void)printf(
			        "  %-10s %s\n", command_rows[i].word, command_rows[i].sentence);
		(void)printf("\n'sonde COMMAND --help' explains one. First steps: 'sonde db "
		             "update', then "
		             "'sonde scan /'.\n\nExit codes:\n");
	} else {
		(void)printf("usage: sonde %s [FLAGS] %s\n\n", command_rows[id].word,
		        command_rows[id].arguments);
		str text = str_from_c(command_rows[id].text), line;
		while (str_next_line(&text, &line))
			put_wrapped(line, 0);
		(void)printf("\nFlags; each also as 'KEY = VALUE' in the configuration file and as "
		             "SONDE_KEY:\n");
		put_flags(id);
		(void)printf("\nExit codes:\n");
	}
	for (size_t i = 0; i < sizeof(exit_codes) / sizeof(*exit_codes); i++)
		(void)printf("  %s\n", exit_codes[i]);
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

static void put_man_description(enum command_id id)
{
	if (id == COMMAND_COUNT) {
		(void)printf("Finds operating-system packages and language packages on a Linux "
		             "host and the "
		             "vulnerabilities known in them, each with the file it lies in.\n.SH "
		             "COMMANDS\n");
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			(void)printf(".TP\n\\fB%s\\fR\n%s; see \\fBsonde\\-%s\\fR(1).\n",
			        command_rows[i].word, command_rows[i].sentence,
			        command_rows[i].word);
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
	for (size_t i = 0; i < sizeof(exit_codes) / sizeof(*exit_codes); i++) {
		(void)printf(".TP\n%c\n", exit_codes[i][0]);
		put_roff(str_from_c(exit_codes[i] + 3));
		(void)printf("\n");
	}
	(void)printf(
	        ".SH ENVIRONMENT\n.TP\n\\fBSONDE_\\fR\\fIKEY\\fR\nthe setting of that key: "
	        "\\fBSONDE_DB\\fR, \\fBSONDE_DATA\\fR, \\fBSONDE_FORMAT\\fR; lists are separated "
	        "by "
	        "colons.\n.TP\n\\fBSONDE_CONFIG\\fR\nthe configuration file to read instead of "
	        "\\fI/etc/sonde/sonde.conf\\fR.\n.TP\n\\fBNO_COLOR\\fR\nno colours.\n"
	        ".SH FILES\n\\fI/etc/sonde/sonde.conf\\fR, \\fI/var/lib/sonde\\fR\n");
}

static void help_man(enum command_id id)
{
	const char *word = id == COMMAND_COUNT ? "" : command_rows[id].word;
	const char *dash = id == COMMAND_COUNT ? "" : "\\-";
	(void)printf(".TH SONDE%s%s 1 \"\" \"sonde %s\" \"Sonde\"\n.SH NAME\nsonde%s%s \\- ",
	        id == COMMAND_COUNT ? "" : "-", word, SONDE_VERSION, dash, word);
	put_roff(str_from_c(id == COMMAND_COUNT ? "find every known vulnerability on a Linux host"
	                                        : command_rows[id].sentence));
	(void)printf("\n.SH SYNOPSIS\n\\fBsonde");
	(void)printf(
	        id == COMMAND_COUNT ? " \\fICOMMAND\\fR [FLAGS] [ARGUMENTS]\n" : " %s\\fR [FLAGS] ",
	        word);
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
	(void)printf(
	        "# completion of sonde for bash; made by 'sonde help --as bash'\n_sonde() {\n"
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
	(void)printf("\tdb/*) mapfile -t COMPREPLY < <(compgen -W \"import build update status "
	             "show verify "
	             "licenses\" -f -- \"$cur\") ;;\n"
	             "\tversion/*) mapfile -t COMPREPLY < <(compgen -W \"compare check\" -f -- "
	             "\"$cur\") ;;\n"
	             "\t*) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n\tesac\n}\n"
	             "complete -o filenames -F _sonde sonde\n");
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
	(void)printf(
	        "#compdef sonde\n# completion of sonde for zsh; made by 'sonde help --as zsh'\n"
	        "if (( CURRENT == 2 )); then\n\t_values command");
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
	(void)printf("# completion of sonde for fish; made by 'sonde help --as fish'\n");
	for (size_t c = 0; c < COMMAND_COUNT; c++) {
		(void)printf("complete -c sonde -n __fish_use_subcommand -a %s -d '",
		        command_rows[c].word);
		put_quoted(command_rows[c].sentence, "");
		(void)printf("'\n");
	}
	for (size_t c = 0; c < COMMAND_COUNT; c++) {
		for (size_t i = 0; i < SET_COUNT; i++) {
			const struct setting *row = &setting_rows[i];
			if (!has((enum command_id)c, i))
				continue;
			(void)printf("complete -c sonde -n '__fish_seen_subcommand_from %s' -l "
			             "%s%s -d '",
			        command_rows[c].word, row->key,
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
	else
		help_text((enum command_id)id);
	return EXIT_GOOD;
}
