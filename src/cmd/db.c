/* SPDX-License-Identifier: Apache-2.0 */
/* sonde db: picks the sub-command; import, build, verify, licenses. */
#include "cmd/db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"

const char *feeds_dir(struct settings *settings)
{
	return settings_path(settings, settings_data_dir(settings), "feeds");
}

/* ---- what an import tells ---- */

static void on_source(void *ctx, const struct import_result *result)
{
	struct import_talk *talk = ctx;
	end_progress(talk->call);
	if (result->problem[0]) {
		talk->n_problems++;
		(void)fprintf(
		        stderr, "sonde: %s: not imported: %s\n", result->source, result->problem);
		return;
	}
	talk->n_sources++;
	talk->n_records += result->n_records;
	talk->n_used += result->by_reason[REASON_USED];
	if (settings_is_on(talk->call->settings, SET_QUIET))
		return;
	autobuf text = BUF(4096);
	buf_printf(&text, "%s: %" PRIu64 " records, %" PRIu64 " used", result->source,
	        result->n_records, result->by_reason[REASON_USED]);
	for (int i = REASON_USED + 1; i < REASON_COUNT; i++) {
		if (result->by_reason[i] > 0)
			buf_printf(&text, ", %" PRIu64 " %s", result->by_reason[i],
			        reason_name((enum reason)i));
	}
	if (result->n_replaced > 0)
		buf_printf(&text, "; in place of %" PRIu64 " records", result->n_replaced);
	buf_add_byte(&text, '\n');
	put_text(buf_str(&text));
}

static void on_record(void *ctx, const char *source, const char *record, const char *what)
{
	const struct import_talk *talk = ctx;
	if (settings_is_on(talk->call->settings, SET_VERBOSE))
		say(talk->call, "%s: %s: %s", source, record, what);
}

static void on_ignored(void *ctx, const char *path, const char *why)
{
	struct import_talk *talk = ctx;
	talk->n_ignored++;
	if (settings_is_on(talk->call->settings, SET_VERBOSE))
		say(talk->call, "%s: ignored: %s", path, why);
	else if (talk->n_ignored == 1)
		(void)snprintf(
		        talk->first_ignored, sizeof(talk->first_ignored), "%s: %s", path, why);
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
	const struct import_talk *talk = ctx;
	say_progress(talk->call, "%" PRIu64 " of %" PRIu64 " MB", done_bytes / 1000000,
	        all_bytes / 1000000);
}

void end_import(const struct import_talk *talk)
{
	say(talk->call, "%" PRIu64 " sources, %" PRIu64 " records, %" PRIu64 " used",
	        talk->n_sources, talk->n_records, talk->n_used);
	if (talk->n_ignored > 0 && !settings_is_on(talk->call->settings, SET_VERBOSE))
		say_always("sonde: %" PRIu64 " files were not taken, the first %s (-v lists them)",
		        talk->n_ignored, talk->first_ignored);
}

struct import_listener import_talker(struct import_talk *talk)
{
	return (struct import_listener){ .source = on_source,
		.record = on_record,
		.ignored = on_ignored,
		.progress = on_progress,
		.now_at = time(NULL),
		.ctx = talk };
}

/* ---- the sub-commands ---- */

int db_build(const struct invocation *call)
{
	struct err err = { 0 };
	struct settings *s = call->settings;
	struct import_talk talk = { .call = call };
	struct import_listener listener = import_talker(&talk);
	listener.source = NULL; /* told when it was imported */
	const char *dir = settings_db_dir(s);
	int r = vulndb_build(
	        feeds_dir(s), dir, (unsigned)settings_number(s, SET_THREADS), &listener, &err);
	end_progress(call);
	if (r == -ENOENT)
		(void)err_set(&err, r,
		        "%s: no feeds: run 'sonde db update' or 'sonde db import PATH'",
		        feeds_dir(s));
	if (r < 0) {
		(void)say_error("db build", &err);
		return EXIT_BROKEN;
	}
	say(call, "built %s", dir);
	return EXIT_GOOD;
}

static int db_import(const struct invocation *call)
{
	struct settings *s = call->settings;
	struct err err = { 0 };
	if (s->n_rest < 2)
		return say_usage(call, "import needs a file or folder of feeds");
	struct import_talk talk = { .call = call };
	struct import_listener listener = import_talker(&talk);
	int r = feed_import(s->rest + 1, s->n_rest - 1, feeds_dir(s),
	        (unsigned)settings_number(s, SET_THREADS), &listener, &err);
	end_progress(call);
	if (r < 0) {
		(void)say_error("db import", &err);
		return EXIT_BROKEN;
	}
	end_import(&talk);
	int code = EXIT_GOOD;
	if (settings_is_on(s, SET_DB))
		code = db_build(call);
	else
		say(call, "'sonde db build' makes the database of it");
	return code == EXIT_GOOD && talk.n_problems > 0 ? EXIT_BROKEN : code;
}

static void on_verified(void *ctx, const char *file, const char *problem)
{
	if (problem)
		say_always("sonde: %s: %s", file, problem);
	else if (!settings_is_on(((const struct invocation *)ctx)->settings, SET_QUIET))
		put_result("%s: good\n", file);
}

static int db_verify(const struct invocation *call)
{
	struct err err = { 0 };
	/* The listener takes a void pointer; it only reads the call. */
	struct invocation copy = *call;
	if (vulndb_verify(settings_db_dir(call->settings), on_verified, &copy, &err) >= 0)
		return EXIT_GOOD;
	(void)say_error("db verify", &err);
	return EXIT_BROKEN;
}

static int db_licenses(const struct invocation *call)
{
	size_t n;
	const struct feed_info *feeds = feed_all(&n);
	(void)call;
	for (size_t i = 0; i < n; i++)
		(void)printf("%s: %s\n  from %s\n  %s\n", feeds[i].name, feeds[i].title,
		        feeds[i].url, feeds[i].licence);
	return EXIT_GOOD;
}

static const struct sub_command {
	const char *word;
	int (*run)(const struct invocation *call);
	size_t least, most; /* arguments, the word included */
} sub_commands[] = {
	{ "import", db_import, 1, SIZE_MAX },
	{ "build", db_build, 1, 1 },
	{ "update", db_update, 1, 1 },
	{ "status", db_status, 1, 1 },
	{ "show", db_show, 2, 2 },
	{ "verify", db_verify, 1, 1 },
	{ "licenses", db_licenses, 1, 1 },
};

int cmd_db(struct invocation *call)
{
	const struct settings *s = call->settings;
	for (size_t i = 0; s->n_rest > 0 && i < sizeof(sub_commands) / sizeof(*sub_commands); i++) {
		const struct sub_command *sub = &sub_commands[i];
		if (strcmp(sub->word, s->rest[0]) == 0 && s->n_rest >= sub->least &&
		        s->n_rest <= sub->most)
			return sub->run(call);
	}
	return say_usage(call,
	        s->n_rest > 0 ? "db %s: not a db command with these arguments"
	                      : "db needs a command",
	        s->n_rest > 0 ? s->rest[0] : "");
}
