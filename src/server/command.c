/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command.h"

#include "base/cleanup.h"
#include "server/association.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

static const struct {
	const char *text, *details;
} words[COMMAND_N_STATUSES] = {
	[COMMAND_PENDING] = { "Pending", "Pending" },
	[COMMAND_IN_PROGRESS] = { "InProgress", "InProgress" },
	[COMMAND_CANCELLING] = { "Cancelling", "Cancelling" },
	[COMMAND_SUCCESS] = { "Success", "Success" },
	[COMMAND_CANCELLED] = { "Cancelled", "Cancelled" },
	[COMMAND_FAILED] = { "Failed", "Failed" },
	[COMMAND_TIMED_OUT] = { "TimedOut", "ExecutionTimedOut" },
	[COMMAND_UNDELIVERED] = { "TimedOut", "DeliveryTimedOut" },
};

str command_status_text(enum command_status status)
{
	return str_from_c(words[status].text);
}

str command_status_details(enum command_status status)
{
	return str_from_c(words[status].details);
}

bool command_status_is_final(enum command_status status)
{
	return status >= COMMAND_SUCCESS;
}

static enum command_status status_of(str details)
{
	for (int i = 0; i < COMMAND_N_STATUSES; i++) {
		if (str_eq(details, str_from_c(words[i].details)))
			return (enum command_status)i;
	}
	return COMMAND_FAILED;
}

/* ---- commands ---- */

static void read_command(const struct value *v, struct command *ret)
{
	const struct value *counts = value_get(v, STR("Counts"));
	*ret = (struct command){
		.id = value_get_str(v, STR("Id")),
		.requested_at = value_get_i64(v, STR("Requested"), 0),
		.deliver_by = value_get_i64(v, STR("DeliverBy"), 0),
		.expires_at = value_get_i64(v, STR("Expires"), 0),
		.is_cancelled = value_get_bool(v, STR("Cancelled"), false),
		.in = value_get(v, STR("In")),
		.version = value_get_str(v, STR("Version")),
	};
	for (int i = 0; i < COMMAND_N_STATUSES; i++)
		ret->counts[i] = value_get_i64(counts, str_from_c(words[i].details), 0);
}

int command_get(
        struct server *server, int64_t account, str id, struct arena *arena, struct command *ret)
{
	const struct value *v = NULL;
	int r = object_get(server->objects, account, "command", id, arena, &v);
	if (r == 0)
		read_command(v, ret);
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct command *x = a, *y = b;
	if (x->requested_at != y->requested_at)
		return x->requested_at > y->requested_at ? -1 : 1;
	return str_cmp(x->id, y->id);
}

int command_list(struct server *server, int64_t account, struct arena *arena, struct command **ret,
        size_t *ret_count)
{
	const struct object *objects = NULL;
	size_t n = 0;
	int r = object_list(
	        server->objects, account, "command", none, none, 0, arena, &objects, &n);
	if (r < 0)
		return r;
	struct command *all = arena_alloc(arena, n + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		read_command(objects[i].value, &all[i]);
	qsort(all, n, sizeof *all, newest_first);
	*ret = all;
	*ret_count = n;
	return 0;
}

int command_change(int64_t account, const struct command *command, struct arena *arena,
        struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Id", command->id);
	write_number(&draft.json, "Requested", command->requested_at);
	write_number(&draft.json, "DeliverBy", command->deliver_by);
	write_number(&draft.json, "Expires", command->expires_at);
	if (command->is_cancelled)
		write_flag(&draft.json, "Cancelled", true);
	write_text(&draft.json, "Version", command->version);
	json_write_key(&draft.json, "Counts");
	json_write_object(&draft.json);
	for (int i = 0; i < COMMAND_N_STATUSES; i++) {
		if (command->counts[i] > 0)
			write_number(&draft.json, words[i].details, command->counts[i]);
	}
	json_write_object_end(&draft.json);
	write_value(&draft.json, "In", command->in);
	*ret = (struct object_change){ .account = account, .type = "command", .name = command->id };
	return draft_end(&draft, arena, &ret->json);
}

static enum command_status late(
        const struct command *command, enum command_status status, int64_t now_at)
{
	if (status == COMMAND_PENDING && now_at >= command->deliver_by)
		return COMMAND_UNDELIVERED;
	if (!command_status_is_final(status) && now_at >= command->expires_at)
		return COMMAND_TIMED_OUT;
	return status;
}

void command_counts(const struct command *command, int64_t now_at, int64_t ret[COMMAND_N_STATUSES])
{
	memset(ret, 0, COMMAND_N_STATUSES * sizeof *ret);
	for (int i = 0; i < COMMAND_N_STATUSES; i++)
		ret[late(command, (enum command_status)i, now_at)] += command->counts[i];
}

enum command_status command_status(const struct command *command, int64_t now_at)
{
	int64_t n[COMMAND_N_STATUSES], open, total = 0;
	command_counts(command, now_at, n);
	for (int i = 0; i < COMMAND_N_STATUSES; i++)
		total += n[i];
	open = n[COMMAND_PENDING] + n[COMMAND_IN_PROGRESS] + n[COMMAND_CANCELLING];
	if (open > 0 && command->is_cancelled)
		return COMMAND_CANCELLING;
	if (open > 0)
		return n[COMMAND_PENDING] == total ? COMMAND_PENDING : COMMAND_IN_PROGRESS;
	if (n[COMMAND_FAILED] > 0)
		return COMMAND_FAILED;
	if (n[COMMAND_TIMED_OUT] > 0)
		return COMMAND_TIMED_OUT;
	if (n[COMMAND_UNDELIVERED] > 0)
		return COMMAND_UNDELIVERED;
	return n[COMMAND_CANCELLED] > 0 ? COMMAND_CANCELLED : COMMAND_SUCCESS;
}

/* ---- invocations ---- */

static int invocation_name(str command, str host_id, struct arena *arena, str *ret)
{
	return arena_printf(arena, ret, STR_FMT "/" STR_FMT, STR_ARG(command), STR_ARG(host_id));
}

void invocation_read(str name, const struct value *v, struct invocation *ret)
{
	*ret = (struct invocation){
		.status = status_of(value_get_str(v, STR("Status"))),
		.at = value_get_i64(v, STR("At"), 0),
		.trace = value_get_str(v, STR("Trace")),
		.plugins = value_get(v, STR("Plugins")),
	};
	(void)str_split_first(name, '/', &ret->command, &ret->host_id);
}

int invocation_get(struct server *server, int64_t account, str command, str host_id,
        struct arena *arena, struct invocation *ret)
{
	const struct value *v = NULL;
	str name;
	int r = invocation_name(command, host_id, arena, &name);
	if (r == 0)
		r = object_get(server->objects, account, "invocation", name, arena, &v);
	if (r == 0)
		invocation_read(name, v, ret);
	return r;
}

int invocation_change(int64_t account, const struct invocation *invocation, struct arena *arena,
        struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Status", command_status_details(invocation->status));
	write_number(&draft.json, "At", invocation->at);
	write_text(&draft.json, "Trace", invocation->trace);
	write_value(&draft.json, "Plugins", invocation->plugins);
	*ret = (struct object_change){ .account = account, .type = "invocation" };
	int r = invocation_name(invocation->command, invocation->host_id, arena, &ret->name);
	return r < 0 ? r : draft_end(&draft, arena, &ret->json);
}

enum command_status invocation_status(
        const struct command *command, const struct invocation *invocation, int64_t now_at)
{
	return late(command, invocation->status, now_at);
}

int command_move(int64_t account, struct command *command, const struct invocation *invocation,
        enum command_status before, struct arena *arena, struct object_change ret[2])
{
	if (command->counts[before] > 0)
		command->counts[before]--;
	command->counts[invocation->status]++;
	int r = command_change(account, command, arena, &ret[0]);
	return r < 0 ? r : invocation_change(account, invocation, arena, &ret[1]);
}

/* ---- messages ---- */

int message_name(str host_id, str message_id, struct arena *arena, str *ret)
{
	return arena_printf(arena, ret, STR_FMT "/" STR_FMT, STR_ARG(host_id), STR_ARG(message_id));
}

int message_change(int64_t account, str host_id, str message_id, const char *kind, str command,
        int64_t hidden_until, bool is_taken, struct arena *arena, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Kind", str_from_c(kind));
	json_write_member_str(&draft.json, "Command", command);
	write_number(&draft.json, "HiddenUntil", hidden_until);
	if (is_taken)
		write_flag(&draft.json, "Taken", true);
	*ret = (struct object_change){ .account = account, .type = "message" };
	int r = message_name(host_id, message_id, arena, &ret->name);
	return r < 0 ? r : draft_end(&draft, arena, &ret->json);
}

/* A value by the type of its parameter: agents take commands' values so. */
static void write_typed(struct json_writer *w, const struct document_info *info, str name,
        const struct value *list, struct arena *arena)
{
	const struct value *parsed = NULL;
	str type = STR("StringList"), first = value_str(value_at(list, 0));
	for (size_t i = 0; i < info->n_parameters; i++) {
		if (str_eq(info->parameters[i].name, name))
			type = info->parameters[i].type;
	}
	json_write_key_str(w, name);
	if (str_eq(type, STR("StringList")) || str_eq(type, STR("MapList")))
		value_write_json(list, w);
	else if (str_eq(type, STR("StringMap")) &&
	         value_from_json(first, arena, &parsed, NULL) == 0)
		value_write_json(parsed, w);
	else
		json_write_str(w, first);
}

int command_payload(const struct document_info *info, str document_name, str command_id,
        const struct value *values, const struct value *in, struct arena *arena, str *ret)
{
	static const char *const passed[] = { "OutputS3BucketName", "OutputS3KeyPrefix", NULL };
	const struct value *logs = value_get(in, STR("CloudWatchOutputConfig"));
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_key(&draft.json, "Parameters");
	json_write_object(&draft.json);
	for (size_t i = 0; i < value_count(values); i++)
		write_typed(&draft.json, info, value_key_at(values, i), value_at(values, i), arena);
	json_write_object_end(&draft.json);
	write_value(&draft.json, "DocumentContent", info->content);
	json_write_member_str(&draft.json, "CommandId", command_id);
	json_write_member_str(&draft.json, "DocumentName", document_name);
	write_members(&draft.json, in, passed);
	write_text(&draft.json, "CloudWatchLogGroupName",
	        value_get_str(logs, STR("CloudWatchLogGroupName")));
	json_write_member_str(&draft.json, "CloudWatchOutputEnabled",
	        value_get_bool(logs, STR("CloudWatchOutputEnabled"), false) ? STR("true")
	                                                                    : STR("false"));
	return draft_end(&draft, arena, ret);
}

/* ---- retention ---- */

int command_tidy(struct server *server, int64_t account, int64_t now_at, struct err *err)
{
	struct arena arena = ARENA((size_t)64 << 20);
	struct command *all = NULL;
	size_t n = 0;
	int r = command_list(server, account, &arena, &all, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct object_change change = {
			.account = account, .type = "command", .name = all[i].id
		};
		str prefix;
		if (i < COMMANDS_MAX && all[i].requested_at >= now_at - COMMAND_KEEP_S)
			continue;
		r = arena_printf(&arena, &prefix, STR_FMT "/", STR_ARG(all[i].id));
		if (r == 0)
			r = objects_delete(server, account, "invocation", prefix, SIZE_MAX, err);
		if (r == 0)
			r = objects_change(server->objects, &change, 1, NULL, err);
	}
	arena_fini(&arena);
	return r;
}
