/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "server/inside.h"
#include "server/serve.h"

void desk_open(struct desk *desk)
{
	struct err err = { 0 };
	struct object_change change;
	*desk = (struct desk){ .arena = ARENA((size_t)256 << 20), .now_at = DESK_NOW };
	(void)snprintf(desk->folder, sizeof desk->folder, "/tmp/sonde-desk-XXXXXX");
	assert_non_null(mkdtemp(desk->folder));
	char data[80];
	(void)snprintf(data, sizeof data, "%s/data", desk->folder);
	struct server_config config = { .data_dir = data, .public_url = "http://127.0.0.1:8443" };
	if (server_init(data, &err) < 0 || server_open(&config, &desk->server, &err) < 0 ||
	        server_load(desk->server, &err) < 0)
		fail_msg("%s", err.text);
	struct account account = { .number = DESK_ACCOUNT,
		.name = STR("test"),
		.email = STR("test@example.com"),
		.created_at = DESK_NOW,
		.is_ec2_enabled = true };
	assert_int_equal(account_change(&account, &desk->arena, &change), 0);
	assert_int_equal(objects_change(desk->server->objects, &change, 1, NULL, &err), 0);
}

void desk_close(struct desk *desk)
{
	server_close(desk->server);
	arena_fini(&desk->arena);
	assert_int_equal(fs_remove_tree(AT_FDCWD, desk->folder), 0);
}

void desk_add_host(struct desk *desk, const char *id)
{
	const bool is_ec2 = false;
	const enum host_state state = HOST_ACTIVE;
	struct pair facts[] = { { STR("ComputerName"), STR("web-1") },
		{ STR("PlatformType"), STR("Linux") } };
	struct host_change change = {
		.is_ec2 = &is_ec2, .state = &state, .facts = facts, .n_facts = 2
	};
	struct err err = { 0 };
	if (fleet_host_add(desk->server->fleet, DESK_ACCOUNT, id, &change, desk->now_at, NULL,
	            &desk->host, &err) < 0)
		fail_msg("%s", err.text);
	(void)snprintf(desk->host_id, sizeof desk->host_id, "%s", id);
}

static struct request make_request(
        struct desk *desk, const struct operation *row, const struct value *in, bool is_host)
{
	struct request request = { .server = desk->server,
		.operation = row,
		.in = in,
		.arena = &desk->arena,
		.region = STR("eu-central-1"),
		.now_at = desk->now_at,
		.now_ms = desk->now_at * 1000 };
	request.caller = (struct caller){ .role = is_host ? ROLE_HOST : ROLE_ADMIN,
		.account = DESK_ACCOUNT,
		.arn = STR("arn:aws:iam::123456789012:user/test"),
		.host_number = is_host ? desk->host : 0 };
	if (is_host)
		memcpy(request.caller.host_id, desk->host_id, sizeof desk->host_id);
	return request;
}

/* As the dispatcher does: check the shape, call the handler, take the answer. */
static bool call(struct desk *desk, const char *operation, const char *json, bool is_host)
{
	str service = STR("ssm"), name = str_from_c(operation), head, tail;
	if (str_split_first(name, ':', &head, &tail)) {
		service = head;
		name = tail;
	}
	const struct operation_shape *shape = operation_find(service, name);
	if (!shape)
		fail_msg("no operation %s", operation);
	const struct operation *row = operation_row(desk->server, shape);
	if (!row)
		fail_msg("no row for %s", operation);
	const struct value *in = NULL;
	struct err err = { 0 };
	if (value_from_json(str_from_c(json), &desk->arena, &in, &err) < 0)
		fail_msg("%s: %s", json, err.text);
	struct shape_problems problems = SHAPE_PROBLEMS(&desk->arena);
	desk->error = desk->message = (str){ NULL, 0 };
	desk->out = NULL;
	if (shape_validate(shape->input, in, &problems) < 0) {
		desk->error = STR("ValidationException");
		desk->message = problems.items[0].path;
		return false;
	}
	struct request request = make_request(desk, row, in, is_host);
	if (!may_call(row->may, &request.caller))
		fail_msg("may not call %s", operation);
	struct response response = { .body = BUF((size_t)8 << 20), .arena = &desk->arena };
	response.json = JSON_WRITER(&response.body, false);
	json_write_object(&response.json);
	int r = row->handle(&request, &response);
	json_write_object_end(&response.json);
	desk->is_deferred = response.defer_ms > 0;
	desk->error = response.error;
	desk->message = response.message;
	if (r == 0) {
		str body;
		assert_int_equal(arena_copy(&desk->arena, buf_str(&response.body), &body), 0);
		if (value_from_json(body, &desk->arena, &desk->out, &err) < 0)
			fail_msg("%s answers no JSON: %s", operation, err.text);
		problems.n = problems.n_all = 0;
		if (shape_validate(shape->output, desk->out, &problems) < 0)
			fail_msg("%s: answer is wrong at " STR_FMT, operation,
			        STR_ARG(problems.items[0].path));
	} else if (!response.is_failed && !desk->is_deferred) {
		fail_msg("%s: internal error %d", operation, r);
	}
	buf_fini(&response.body);
	return r == 0;
}

bool desk_call(struct desk *desk, const char *operation, const char *json)
{
	return call(desk, operation, json, false);
}

bool desk_call_host(struct desk *desk, const char *operation, const char *json)
{
	return call(desk, operation, json, true);
}

void desk_fails(struct desk *desk, const char *operation, const char *json, const char *error)
{
	if (call(desk, operation, json, false))
		fail_msg("%s was answered well", operation);
	if (!str_eq(desk->error, str_from_c(error)))
		fail_msg("%s: " STR_FMT " (" STR_FMT "), not %s", operation, STR_ARG(desk->error),
		        STR_ARG(desk->message), error);
}

const struct value *desk_value(const struct desk *desk, const char *path)
{
	const struct value *v = desk->out;
	str rest = str_from_c(path), step;
	while (rest.n > 0) {
		uint64_t i = 0;
		if (!str_split_first(rest, '.', &step, &rest)) {
			step = rest;
			rest = (str){ NULL, 0 };
		}
		v = value_kind(v) == VALUE_ARRAY && str_to_u64(step, 1000, &i)
		            ? value_at(v, (size_t)i)
		            : value_get(v, step);
	}
	return v;
}

str desk_str(const struct desk *desk, const char *path)
{
	return value_str(desk_value(desk, path));
}
