/* SPDX-License-Identifier: Apache-2.0 */
/* sonde version: the version engine on its own. */
#include <fcntl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/fs.h"
#include "cmd/cmd.h"
#include "version/check.h"

/* Largest table. */
#define TABLE_BYTES ((size_t)256 << 20)

static const struct scheme *find_scheme(const struct invocation *call, const char *name)
{
	const struct scheme *scheme = scheme_find(str_from_c(name));
	if (scheme)
		return scheme;
	size_t n;
	const struct scheme *const *all = scheme_all(&n);
	(void)say_usage(call, "%s: no such scheme; the schemes are:", name);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(stderr, "  %-8s %s\n", all[i]->name, all[i]->title);
	return NULL;
}

static int compare(const struct invocation *call)
{
	const char **args = call->settings->rest;
	const struct scheme *scheme = find_scheme(call, args[1]);
	if (!scheme)
		return EXIT_USAGE;
	enum order order = version_compare(scheme, str_from_c(args[2]), str_from_c(args[3]));
	(void)printf("%s\n", order_sign(order));
	return order == ORDER_UNORDERED ? EXIT_FINDINGS : EXIT_GOOD;
}

struct tally {
	unsigned long line, passed, failed;
};

static void check_lines(const struct scheme *scheme, enum check_kind kind, str text,
        const char *name, struct tally *tally)
{
	for (str line; str_next_line(&text, &line);) {
		tally->line++;
		struct err why = { 0 };
		enum check_result result = check_line(scheme, kind, line, &why);
		tally->passed += result == CHECK_PASS;
		tally->failed += result == CHECK_FAIL;
		if (result == CHECK_FAIL)
			say_always("%s:%lu: %s", name, tally->line, why.text);
	}
}

static int check(const struct invocation *call)
{
	const char **args = call->settings->rest;
	const struct scheme *scheme = find_scheme(call, args[1]);
	struct err err = { 0 };
	enum check_kind kind;
	if (!scheme ||
	        !check_kind_parse(str_from_c(settings_text(call->settings, SET_KIND)), &kind))
		return EXIT_USAGE;
	if (check_supports(scheme, kind, &err) < 0) {
		(void)say_error(NULL, &err);
		return EXIT_USAGE;
	}
	struct tally tally = { .line = 0 };
	autobuf text = BUF(TABLE_BYTES);
	int r = strcmp(args[2], "-") == 0 ? fs_read_fd(STDIN_FILENO, "standard input", &text, &err)
	                                  : fs_read(AT_FDCWD, args[2], &text, &err);
	if (r >= 0)
		check_lines(scheme, kind, buf_str(&text), args[2], &tally);
	if (r < 0) {
		(void)say_error(NULL, &err);
		return EXIT_BROKEN;
	}
	(void)printf("%lu passed, %lu failed\n", tally.passed, tally.failed);
	return tally.failed > 0 ? EXIT_FINDINGS : EXIT_GOOD;
}

int cmd_version(struct invocation *call)
{
	const struct settings *s = call->settings;
	str word = str_from_c(s->n_rest > 0 ? s->rest[0] : "");
	if (str_eq(word, STR("compare")) && s->n_rest == 4)
		return compare(call);
	if (str_eq(word, STR("check")) && s->n_rest == 3)
		return check(call);
	return say_usage(call, "version takes 'compare SCHEME A B' or 'check SCHEME FILE'");
}
