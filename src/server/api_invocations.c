/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How commands went on hosts.
 */
#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/command.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* An invocation with its command. */
struct pair_of {
	struct command command;
	struct invocation invocation;
};

struct pairs {
	struct pair_of *items;
	size_t n, cap;
};

static int add_pair(struct pairs *pairs, struct arena *arena, const struct command *command,
        const struct invocation *invocation)
{
	if (pairs->n == pairs->cap) {
		size_t cap = pairs->cap ? pairs->cap * 2 : 64;
		struct pair_of *grown = arena_alloc(arena, cap, sizeof *grown);
		if (!grown)
			return -ERR_LIMIT;
		if (pairs->n > 0)
			memcpy(grown, pairs->items, pairs->n * sizeof *grown);
		pairs->items = grown;
		pairs->cap = cap;
	}
	pairs->items[pairs->n++] = (struct pair_of){ *command, *invocation };
	return 0;
}

/* The invocations of one command: of one host, or of all. */
static int add_of_command(
        struct request *request, const struct command *command, str host_id, struct pairs *pairs)
{
	const struct object *rows = NULL;
	struct invocation invocation;
	size_t n = 0;
	str prefix;
	int r;

	if (host_id.n > 0) {
		r = invocation_get(request->server, request->caller.account, command->id, host_id,
		        request->arena, &invocation);
		if (r == -ENOENT)
			return 0;
		return r < 0 ? r : add_pair(pairs, request->arena, command, &invocation);
	}
	r = arena_printf(request->arena, &prefix, STR_FMT "/", STR_ARG(command->id));
	if (r == 0)
		r = object_list(request->server->objects, request->caller.account, "invocation",
		        prefix, none, 0, request->arena, &rows, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		invocation_read(rows[i].name, rows[i].value, &invocation);
		r = add_pair(pairs, request->arena, command, &invocation);
	}
	return r;
}

static bool filters_fit(struct request *request, const struct pair_of *pair)
{
	const struct value *filters = value_get(request->in, STR("Filters"));
	enum command_status status =
	        invocation_status(&pair->command, &pair->invocation, request->now_at);
	for (size_t i = 0; i < value_count(filters); i++) {
		str key = value_get_str(value_at(filters, i), STR("key"));
		str v = value_get_str(value_at(filters, i), STR("value"));
		int64_t at = value_get_time(value_at(filters, i), STR("value"));
		bool is_fit = false;
		if (str_eq(key, STR("InvokedAfter")))
			is_fit = pair->command.requested_at > at;
		else if (str_eq(key, STR("InvokedBefore")))
			is_fit = pair->command.requested_at < at;
		else if (str_eq(key, STR("Status")))
			is_fit = str_eq(command_status_text(status), v) ||
			         str_eq(command_status_details(status), v);
		else if (str_eq(key, STR("DocumentName")))
			is_fit = str_eq(value_get_str(pair->command.in, STR("DocumentName")), v);
		if (!is_fit)
			return false;
	}
	return true;
}

/* How a host is shown, and its computer name. */
static struct host_text shown_host(struct request *request, str id, char name[256])
{
	struct host_text text = { "" };
	name[0] = '\0';
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = fleet_host_find(request->server->fleet, id);
	if (host) {
		str computer = str_head(host_fact(host, "ComputerName"), 255);
		text = host_ssm_id(host);
		if (computer.n > 0)
			memcpy(name, computer.p, computer.n);
		name[computer.n] = '\0';
	}
	fleet_unlock(request->server->fleet);
	if (text.text[0] == '\0')
		(void)snprintf(text.text, sizeof text.text, "mi-" STR_FMT, STR_ARG(id));
	return text;
}

static void write_plugin(struct json_writer *w, const struct value *plugin, const struct value *in)
{
	static const char *const passed[] = { "OutputS3Region", "OutputS3BucketName",
		"OutputS3KeyPrefix", NULL };
	str status = value_get_str(plugin, STR("Status"));
	json_write_object(w);
	json_write_member_str(w, "Name", value_get_str(plugin, STR("Name")));
	json_write_member_str(w, "Status", status);
	json_write_member_str(w, "StatusDetails", status);
	write_number(w, "ResponseCode", value_get_i64(plugin, STR("Code"), -1));
	write_time(w, "ResponseStartDateTime", value_get_i64(plugin, STR("Start"), 0));
	write_time(w, "ResponseFinishDateTime", value_get_i64(plugin, STR("Finish"), 0));
	json_write_member_str(w, "Output", value_get_str(plugin, STR("Output")));
	write_members(w, in, passed);
	json_write_object_end(w);
}

static void write_invocation(
        struct request *request, struct json_writer *w, const struct pair_of *pair)
{
	static const char *const passed[] = { "Comment", "DocumentName", "NotificationConfig",
		"CloudWatchOutputConfig", NULL };
	const struct value *plugins = pair->invocation.plugins;
	char name[256];
	struct host_text shown = shown_host(request, pair->invocation.host_id, name);
	enum command_status status =
	        invocation_status(&pair->command, &pair->invocation, request->now_at);

	json_write_object(w);
	json_write_member_str(w, "CommandId", pair->command.id);
	json_write_member_str(w, "InstanceId", str_from_c(shown.text));
	write_text(w, "InstanceName", str_from_c(name));
	write_members(w, pair->command.in, passed);
	json_write_member_str(w, "DocumentVersion", pair->command.version);
	write_time(w, "RequestedDateTime", pair->command.requested_at);
	json_write_member_str(w, "Status", command_status_text(status));
	json_write_member_str(w, "StatusDetails", command_status_details(status));
	write_text(w, "TraceOutput", pair->invocation.trace);
	write_text(w, "ServiceRole", value_get_str(pair->command.in, STR("ServiceRoleArn")));
	json_write_key(w, "CommandPlugins");
	json_write_array(w);
	if (value_get_bool(request->in, STR("Details"), false)) {
		for (size_t i = 0; i < value_count(plugins); i++)
			write_plugin(w, value_at(plugins, i), pair->command.in);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

static int collect(struct request *request, struct response *response, struct pairs *pairs)
{
	str command_id = value_get_str(request->in, STR("CommandId"));
	str id = value_get_str(request->in, STR("InstanceId"));
	struct host_ref host = { 0 };
	struct command *all = NULL, one;
	size_t n = 1;
	int r = id.n > 0 ? request_host(request, response, id, &host) : 0;

	if (r == 0 && command_id.n > 0) {
		r = command_get(
		        request->server, request->caller.account, command_id, request->arena, &one);
		if (r == -ENOENT)
			return response_fail(response, "InvalidCommandId",
			        "There is no such command in this account.");
		all = &one;
	} else if (r == 0) {
		r = command_list(
		        request->server, request->caller.account, request->arena, &all, &n);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_of_command(request, &all[i], str_from_c(host.id), pairs);
	return r;
}

int api_command_invocations(struct request *request, struct response *response)
{
	struct pairs pairs = { 0 };
	size_t kept = 0;
	struct list_page page;

	int r = collect(request, response, &pairs);
	if (r != 0)
		return r;
	for (size_t i = 0; i < pairs.n; i++) {
		if (filters_fit(request, &pairs.items[i]))
			pairs.items[kept++] = pairs.items[i];
	}
	r = page_begin(request, response, "CommandInvocations", kept, 50, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to && i < kept; i++)
		write_invocation(request, &response->json, &pairs.items[i]);
	return page_end(response, &page, 0);
}

/* ---- GetCommandInvocation ---- */

static void write_iso(struct json_writer *w, const char *key, int64_t at)
{
	autobuf text = BUF(64);
	if (at > 0)
		timestamp_add_iso(&text, at * 1000);
	json_write_member_str(w, key, at > 0 ? buf_str(&text) : STR(""));
}

/* The step that the request names; without a name, the only one or the first. */
static int find_plugin(struct request *request, struct response *response,
        const struct invocation *invocation, const struct value **ret)
{
	str name = value_get_str(request->in, STR("PluginName"));
	*ret = name.n == 0 ? value_at(invocation->plugins, 0) : NULL;
	for (size_t i = 0; name.n > 0 && i < value_count(invocation->plugins); i++) {
		const struct value *plugin = value_at(invocation->plugins, i);
		if (str_eq(value_get_str(plugin, STR("Name")), name))
			*ret = plugin;
	}
	if (name.n > 0 && !*ret)
		return response_fail(response, "InvalidPluginName",
		        "The invocation has no step " STR_FMT ", or not yet.",
		        STR_ARG(str_head(name, 64)));
	return 0;
}

static void write_outcome(struct json_writer *w, const struct value *plugin)
{
	int64_t start = value_get_i64(plugin, STR("Start"), 0);
	int64_t finish = value_get_i64(plugin, STR("Finish"), 0);
	autobuf elapsed = BUF(64);

	write_text(w, "PluginName", value_get_str(plugin, STR("Name")));
	write_number(w, "ResponseCode", value_get_i64(plugin, STR("Code"), -1));
	write_iso(w, "ExecutionStartDateTime", start);
	write_iso(w, "ExecutionEndDateTime", finish);
	if (start > 0 && finish >= start)
		buf_printf(&elapsed, "PT%lldS", (long long)(finish - start));
	json_write_member_str(
	        w, "ExecutionElapsedTime", elapsed.n > 0 ? buf_str(&elapsed) : STR(""));
	str out = value_get_str(plugin, STR("Stdout")), bad = value_get_str(plugin, STR("Stderr"));
	json_write_member_str(w, "StandardOutputContent", out.p ? out : STR(""));
	json_write_member_str(w, "StandardErrorContent", bad.p ? bad : STR(""));
	json_write_member_str(w, "StandardOutputUrl", STR(""));
	json_write_member_str(w, "StandardErrorUrl", STR(""));
}

int api_command_invocation(struct request *request, struct response *response)
{
	static const char *const passed[] = { "Comment", "DocumentName", "CloudWatchOutputConfig",
		NULL };
	struct json_writer *w = &response->json;
	const struct value *plugin = NULL;
	struct invocation invocation;
	struct command command;
	struct host_ref host;
	str id = value_get_str(request->in, STR("CommandId"));

	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), &host);
	if (r < 0)
		return r;
	r = command_get(request->server, request->caller.account, id, request->arena, &command);
	if (r == 0)
		r = invocation_get(request->server, request->caller.account, id,
		        str_from_c(host.id), request->arena, &invocation);
	if (r == -ENOENT)
		return response_fail(response, "InvocationDoesNotExist",
		        "The command was not sent to this managed node.");
	if (r == 0)
		r = find_plugin(request, response, &invocation, &plugin);
	if (r < 0)
		return r;
	enum command_status status = invocation_status(&command, &invocation, request->now_at);
	json_write_member_str(w, "CommandId", id);
	json_write_member_str(w, "InstanceId", str_from_c(host.shown.text));
	write_members(w, command.in, passed);
	json_write_member_str(w, "DocumentVersion", command.version);
	json_write_member_str(w, "Status", command_status_text(status));
	json_write_member_str(w, "StatusDetails", command_status_details(status));
	write_outcome(w, plugin);
	return 0;
}
