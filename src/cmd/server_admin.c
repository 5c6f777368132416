/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-server account, organisation, key, activation, backup. */
#include "cmd/server_admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "server/control.h"
#include "server/serve.h"

#define ANSWER_BYTES ((size_t)64 << 20)

void admin_begin(struct admin *admin, const char *what)
{
	*admin = (struct admin){ .line = BUF(CONTROL_LINE_BYTES), .arena = ARENA(ANSWER_BYTES) };
	admin->json = JSON_WRITER(&admin->line, false);
	json_write_object(&admin->json);
	json_write_member_str(&admin->json, "do", str_from_c(what));
}

void admin_fini(struct admin *admin)
{
	buf_fini(&admin->line);
	arena_fini(&admin->arena);
}

/* No server runs: do it here, in a store that is this process's own for as long. */
static int do_here(struct admin *admin, const char *data_dir, struct buf *answer, struct err *err)
{
	struct server_config config = {
		.data_dir = data_dir, .log = { .fd = -1 }, .is_skipping_check = true
	};
	struct server *server;
	const struct value *request;
	struct json_writer out = JSON_WRITER(answer, false);
	int r = server_open(&config, &server, err);
	if (r == -EBUSY)
		return err_set(
		        err, r, "%.150s: a server that does not answer has this folder", data_dir);
	if (r < 0)
		return r;
	r = value_from_json(buf_str(&admin->line), &admin->arena, &request, err);
	json_write_object(&out);
	if (r >= 0)
		r = control_do(server, request, &admin->arena, &out, err);
	json_write_object_end(&out);
	server_close(server);
	return r;
}

int admin_ask(struct admin *admin, const char *data_dir, const struct value **ret, struct err *err)
{
	autobuf answer = BUF(CONTROL_LINE_BYTES);
	str copy;
	json_write_object_end(&admin->json);
	if (buf_failed(&admin->line))
		return err_set(err, -ERR_LIMIT, "too much for one request");
	int r = control_ask(data_dir, buf_str(&admin->line), &answer, err);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		buf_clear(&answer);
		r = do_here(admin, data_dir, &answer, err);
	}
	if (r >= 0 &&
	        (buf_failed(&answer) || arena_copy(&admin->arena, buf_str(&answer), &copy) < 0))
		r = err_set(err, -ENOMEM, "the answer is too long");
	if (r >= 0)
		r = value_from_json(copy, &admin->arena, ret, err);
	if (r < 0)
		return r;
	str error = value_get_str(*ret, STR("error"));
	int64_t class = value_get_i64(*ret, STR("class"), -EIO);
	return error.p ? err_set(err, class < 0 && class > INT32_MIN ? (int)class : -EIO, STR_FMT,
	                         STR_ARG(error))
	               : 0;
}

/* ---- printing ---- */

/* Lists as columns, single members as "key: value". */
static void put_members(const struct value *v)
{
	for (size_t i = 0; i < value_count(v); i++) {
		const struct value *member = value_at(v, i);
		str text = value_str(member).p ? value_str(member) : value_number(member);
		put_result(STR_FMT ": " STR_FMT "\n", STR_ARG(value_key_at(v, i)), STR_ARG(text));
	}
}

static str cell_text(const struct value *row, size_t column)
{
	const struct value *cell = value_at(row, column);
	str text = value_str(cell).p ? value_str(cell) : value_number(cell);
	return text.n > 0 ? text : STR("-");
}

/* Columns as wide as their widest text; names come from users, so they are escaped first. */
static void put_rows(const struct value *rows)
{
	size_t n_columns = value_count(value_at(rows, 0));
	size_t widths[16] = { 0 };
	for (size_t i = 0; i < value_count(rows); i++) {
		for (size_t k = 0; k < n_columns && k < 16; k++) {
			autobuf shown = BUF(ANSWER_BYTES);
			text_escape(&shown, cell_text(value_at(rows, i), k));
			size_t width = text_width(buf_str(&shown));
			widths[k] = width > widths[k] ? width : widths[k];
		}
	}
	for (size_t i = 0; i < value_count(rows); i++) {
		for (size_t k = 0; k < n_columns && k < 16; k++) {
			autobuf shown = BUF(ANSWER_BYTES);
			text_escape(&shown, cell_text(value_at(rows, i), k));
			int pad = k + 1 < n_columns
			                  ? (int)(widths[k] - text_width(buf_str(&shown))) + 2
			                  : 0;
			(void)printf(STR_FMT "%*s", STR_ARG(buf_str(&shown)), pad, "");
		}
		(void)printf("\n");
	}
}

static void put_answer(const struct invocation *call, const struct value *answer)
{
	autobuf text = BUF(ANSWER_BYTES);
	struct json_writer w = JSON_WRITER(&text, true);
	if (str_eq(str_from_c(settings_text(call->settings, SET_FORMAT)), STR("json"))) {
		value_write_json(answer, &w);
		put_text(buf_str(&text));
	} else if (value_kind(value_at(answer, 0)) == VALUE_ARRAY) {
		put_rows(value_at(answer, 0));
	} else {
		put_members(answer);
	}
}

static int finish(struct invocation *call, struct admin *admin)
{
	struct err err = { 0 };
	const struct value *answer = NULL;
	int r = admin_ask(admin, settings_data_dir(call->settings), &answer, &err);
	int code = EXIT_GOOD;
	if (r >= 0) {
		put_answer(call, answer);
	} else {
		code = say_error(NULL, &err);
		if (r == -ENOENT || r == -EEXIST)
			code = EXIT_USAGE;
	}
	admin_fini(admin);
	return code;
}

/* ---- commands ---- */

static void add_setting(
        struct admin *admin, const struct invocation *call, const char *key, enum setting_id id)
{
	const char *text = settings_text(call->settings, id);
	if (*text)
		json_write_member_str(&admin->json, key, str_from_c(text));
}

/* Is it "<word>" and so many arguments behind it? */
static bool is_word(const struct invocation *call, const char *word, size_t n_more)
{
	const struct settings *s = call->settings;
	return s->n_rest == n_more + 1 && strcmp(s->rest[0], word) == 0;
}

static int no_such(const struct invocation *call)
{
	return say_usage(
	        call, "%s takes %s", command_rows[call->id].word, command_rows[call->id].arguments);
}

int cmd_account(struct invocation *call)
{
	struct admin admin;
	if (is_word(call, "list", 0)) {
		admin_begin(&admin, "account list");
		return finish(call, &admin);
	}
	if (!is_word(call, "add", 0) && !is_word(call, "add", 1))
		return no_such(call);
	admin_begin(&admin, "account add");
	if (call->settings->n_rest == 2)
		json_write_member_str(&admin.json, "account", str_from_c(call->settings->rest[1]));
	add_setting(&admin, call, "name", SET_NAME);
	add_setting(&admin, call, "email", SET_EMAIL);
	json_write_key(&admin.json, "legacy");
	json_write_bool(&admin.json, settings_is_on(call->settings, SET_LEGACY));
	return finish(call, &admin);
}

int cmd_organisation(struct invocation *call)
{
	const char **rest = call->settings->rest;
	struct admin admin;
	bool is_add = is_word(call, "add", 2);
	if (is_add)
		admin_begin(&admin, "organisation add");
	else if (is_word(call, "create", 1))
		admin_begin(&admin, "organisation create");
	else if (is_word(call, "delegate", 1))
		admin_begin(&admin, "organisation delegate");
	else
		return no_such(call);
	if (is_add)
		json_write_member_str(&admin.json, "management", str_from_c(rest[1]));
	json_write_member_str(&admin.json, "account", str_from_c(rest[is_add ? 2 : 1]));
	return finish(call, &admin);
}

int cmd_key(struct invocation *call)
{
	struct admin admin;
	if (is_word(call, "list", 0)) {
		admin_begin(&admin, "key list");
	} else if (is_word(call, "revoke", 1)) {
		admin_begin(&admin, "key revoke");
		json_write_member_str(&admin.json, "id", str_from_c(call->settings->rest[1]));
	} else if (is_word(call, "add", 0)) {
		admin_begin(&admin, "key add");
		add_setting(&admin, call, "account", SET_ACCOUNT);
		add_setting(&admin, call, "role", SET_ROLE);
		add_setting(&admin, call, "instance", SET_INSTANCE);
		add_setting(&admin, call, "note", SET_NOTE);
	} else {
		return no_such(call);
	}
	return finish(call, &admin);
}

static void add_number(
        struct admin *admin, const struct invocation *call, const char *key, enum setting_id id)
{
	json_write_key(&admin->json, key);
	json_write_u64(&admin->json, settings_number(call->settings, id));
}

int cmd_activation(struct invocation *call)
{
	struct admin admin;
	if (!is_word(call, "add", 0))
		return no_such(call);
	admin_begin(&admin, "activation add");
	add_setting(&admin, call, "account", SET_ACCOUNT);
	add_number(&admin, call, "limit", SET_LIMIT);
	add_number(&admin, call, "hours", SET_HOURS);
	return finish(call, &admin);
}

/* The server may run in another folder: it is told the whole path. */
static int absolute(const char *path, struct buf *out)
{
	autofree char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	if (path[0] != '/' && !here)
		return -errno;
	if (here)
		buf_printf(out, "%s/", here);
	buf_printf(out, "%s", path);
	return buf_failed(out) ? -ENAMETOOLONG : 0;
}

int cmd_backup(struct invocation *call)
{
	struct admin admin;
	autobuf path = BUF(4096);
	struct err err = { 0 };
	const struct value *answer;
	if (call->settings->n_rest != 1)
		return say_usage(call, "backup takes one file");
	int r = absolute(call->settings->rest[0], &path);
	if (r < 0) {
		(void)err_set(&err, r, "%.150s: %s", call->settings->rest[0], strerror(-r));
		return say_error(NULL, &err);
	}
	admin_begin(&admin, "backup");
	json_write_member_str(&admin.json, "path", buf_str(&path));
	r = admin_ask(&admin, settings_data_dir(call->settings), &answer, &err);
	admin_fini(&admin);
	if (r < 0)
		return say_error("backup", &err);
	say(call, "the state is in %s; it holds secrets: keep it safe", call->settings->rest[0]);
	return EXIT_GOOD;
}
