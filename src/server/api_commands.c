/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "server/api.h"
#include "server/association.h"
#include "server/command.h"
#include "server/document.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* Time-outs without a word: to take the command, and to run it. */
#define DELIVERY_S 3600
#define EXECUTION_S 3600

/* ---- SendCommand ---- */

/* One host that a command is for. */
struct recipient {
	uint64_t number;
	char id[18];
	struct host_text shown;
};

static bool add_recipient(struct recipient *all, size_t *n, const struct fleet_host *host)
{
	if (*n == COMMAND_HOSTS_MAX)
		return false;
	all[*n] = (struct recipient){ .number = host->number, .shown = host_ssm_id(host) };
	memcpy(all[*n].id, host->id, sizeof all[*n].id);
	++*n;
	return true;
}

static int named_recipients(struct request *request, struct response *response,
        const struct value *ids, struct recipient *all, size_t *n)
{
	for (size_t i = 0; i < value_count(ids); i++) {
		struct host_ref ref;
		int r = request_host(request, response, value_str(value_at(ids, i)), &ref);
		if (r < 0)
			return r;
		for (size_t k = 0; k < *n; k++) {
			if (all[k].number == ref.number)
				return response_fail(response, "DuplicateInstanceId",
				        "Managed node %s is named twice.", ref.shown.text);
		}
		all[*n] = (struct recipient){ .number = ref.number, .shown = ref.shown };
		memcpy(all[*n].id, ref.id, sizeof ref.id);
		++*n;
	}
	return 0;
}

static int targeted_recipients(struct request *request, struct response *response,
        const struct value *targets, struct recipient *all, size_t *n)
{
	uint32_t *numbers = NULL;
	struct err err = { 0 };
	size_t n_hosts = 0;
	bool is_room = true;

	if (targets_check(targets, &err) < 0)
		return response_fail(response, "InvalidParameters", "%s", err.text);
	int r = account_hosts(
	        request->server, request->caller.account, request->arena, &numbers, &n_hosts);
	for (size_t from = 0; r == 0 && is_room && from < n_hosts; from += HOSTS_AT_ONCE) {
		fleet_lock(request->server->fleet);
		for (size_t i = from; is_room && i < n_hosts && i < from + HOSTS_AT_ONCE; i++) {
			const struct fleet_host *host =
			        fleet_host_at(request->server->fleet, numbers[i]);
			if (host && targets_have(targets, host))
				is_room = add_recipient(all, n, host);
		}
		fleet_unlock(request->server->fleet);
	}
	if (r == 0 && !is_room)
		return response_fail(response, "InvalidParameters",
		        "The targets are more than %d managed nodes: narrow them.",
		        COMMAND_HOSTS_MAX);
	return r;
}

static int find_recipients(struct request *request, struct response *response,
        struct recipient **ret, size_t *ret_count)
{
	const struct value *ids = value_get(request->in, STR("InstanceIds"));
	const struct value *targets = value_get(request->in, STR("Targets"));

	*ret_count = 0;
	*ret = arena_alloc(request->arena, COMMAND_HOSTS_MAX, sizeof **ret);
	if (!*ret)
		return -ERR_LIMIT;
	if ((value_count(ids) > 0) == (value_count(targets) > 0))
		return response_fail(response, "InvalidInstanceId",
		        "A command has either InstanceIds or Targets.");
	if (value_count(ids) > 0)
		return named_recipients(request, response, ids, *ret, ret_count);
	return targeted_recipients(request, response, targets, *ret, ret_count);
}

static int find_document(struct request *request, struct response *response,
        struct document *document, struct document_info *info)
{
	str name = value_get_str(request->in, STR("DocumentName"));
	str hash = value_get_str(request->in, STR("DocumentHash"));
	str hash_type = value_get_str(request->in, STR("DocumentHashType"));
	struct err err = { 0 };

	int r = document_find(request->server, request->caller.account, name,
	        value_get_str(request->in, STR("DocumentVersion")), none, request->arena, document);
	if (r == -ENOENT || (r == 0 && !str_eq(document->type, STR("Command"))))
		return response_fail(response, "InvalidDocument",
		        "There is no document " STR_FMT
		        " of type Command that this account can use.",
		        STR_ARG(str_head(name, 200)));
	if (r == -ESRCH)
		return response_fail(response, "InvalidDocumentVersion",
		        "Document " STR_FMT " has no such version.", STR_ARG(str_head(name, 200)));
	if (r < 0)
		return r;
	if (hash.n > 0 && str_eq(hash_type, STR("Sha1")))
		return response_fail(
		        response, "InvalidDocument", "DocumentHash is compared as Sha256 only.");
	if (hash.n > 0 && !str_eq_nocase(hash, str_from_c(document->hash)))
		return response_fail(response, "InvalidDocument",
		        "The document is another than the one with this DocumentHash.");
	r = document_info(document, request->arena, info, &err);
	if (r == 0)
		r = document_check_values(
		        info, value_get(request->in, STR("Parameters")), request->arena, &err);
	return r == -ERR_FORMAT ? response_fail(response, "InvalidParameters", "%s", err.text) : r;
}

/* The execution time-out that the parameters give, if the document has one. */
static int64_t execution_s(const struct value *in)
{
	const struct value *list =
	        value_get(value_get(in, STR("Parameters")), STR("executionTimeout"));
	uint64_t s = EXECUTION_S;
	return str_to_u64(value_str(value_at(list, 0)), 172800, &s) ? (int64_t)s : EXECUTION_S;
}

/* Invocations and messages in pieces, the command last: until it is there, the others mean nothing,
 * and are found by nobody. */
static int store_command(struct request *request, const struct command *command,
        const struct recipient *all, size_t n)
{
	enum { PIECE = 200 };
	struct object_change changes[2 * PIECE + 1];
	int64_t account = request->caller.account;
	size_t i = 0, count;
	int r = 0;

	do {
		for (count = 0; r == 0 && i < n && count < 2 * PIECE; i++, count += 2) {
			struct invocation invocation = { .command = command->id,
				.host_id = str_from_c(all[i].id),
				.status = COMMAND_PENDING,
				.at = request->now_at };
			r = invocation_change(
			        account, &invocation, request->arena, &changes[count]);
			if (r == 0)
				r = message_change(account, invocation.host_id, command->id, "send",
				        command->id, 0, false, request->arena, &changes[count + 1]);
		}
		if (r == 0 && i == n)
			r = command_change(account, command, request->arena, &changes[count++]);
		if (r == 0)
			r = request_commit(request, changes, count, "SendCommand", command->id);
	} while (r == 0 && i < n);
	return r;
}

static void write_texts(
        struct json_writer *w, const char *key, const struct recipient *all, size_t n)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		json_write_str(w, str_from_c(all[i].shown.text));
	json_write_array_end(w);
}

static void write_command_members(
        struct json_writer *w, const struct command *command, int64_t now_at)
{
	static const char *const passed[] = { "DocumentName", "Comment", "Parameters", "Targets",
		"OutputS3Region", "OutputS3BucketName", "OutputS3KeyPrefix", "MaxConcurrency",
		"MaxErrors", "NotificationConfig", "CloudWatchOutputConfig", "AlarmConfiguration",
		NULL };
	enum command_status status = command_status(command, now_at);
	int64_t n[COMMAND_N_STATUSES], total = 0, done = 0;

	command_counts(command, now_at, n);
	for (int i = 0; i < COMMAND_N_STATUSES; i++) {
		total += n[i];
		done += command_status_is_final((enum command_status)i) ? n[i] : 0;
	}
	json_write_member_str(w, "CommandId", command->id);
	json_write_member_str(w, "DocumentVersion", command->version);
	write_members(w, command->in, passed);
	write_time(w, "ExpiresAfter", command->expires_at);
	write_time(w, "RequestedDateTime", command->requested_at);
	json_write_member_str(w, "Status", command_status_text(status));
	json_write_member_str(w, "StatusDetails", command_status_details(status));
	write_number(w, "TargetCount", total);
	write_number(w, "CompletedCount", done);
	write_number(w, "ErrorCount", n[COMMAND_FAILED] + n[COMMAND_TIMED_OUT]);
	write_number(w, "DeliveryTimedOutCount", n[COMMAND_UNDELIVERED]);
	write_text(w, "ServiceRole", value_get_str(command->in, STR("ServiceRoleArn")));
	write_number(
	        w, "TimeoutSeconds", value_get_i64(command->in, STR("TimeoutSeconds"), DELIVERY_S));
}

static int send(struct request *request, struct response *response, struct command *command,
        struct recipient **ret, size_t *ret_count)
{
	struct document document = { 0 };
	struct document_info info = { 0 };
	struct err err = { 0 };
	char id[37];

	int r = find_document(request, response, &document, &info);
	if (r == 0)
		r = find_recipients(request, response, ret, ret_count);
	if (r == 0)
		r = uuid_make(id);
	if (r == 0)
		r = arena_copy(request->arena, str_from_c(id), &command->id);
	if (r == 0)
		r = arena_printf(
		        request->arena, &command->version, "%lld", (long long)document.version);
	if (r < 0)
		return r;
	command->in = request->in;
	command->requested_at = request->now_at;
	command->deliver_by =
	        request->now_at + value_get_i64(request->in, STR("TimeoutSeconds"), DELIVERY_S);
	command->expires_at = command->deliver_by + execution_s(request->in);
	command->counts[COMMAND_PENDING] = (int64_t)*ret_count;
	r = store_command(request, command, *ret, *ret_count);
	return r < 0 ? r
	             : command_tidy(
	                       request->server, request->caller.account, request->now_at, &err);
}

int api_command_send(struct request *request, struct response *response)
{
	struct command command = { 0 };
	struct recipient *all = NULL;
	size_t n = 0;

	account_lock(request->server, request->caller.account);
	int r = send(request, response, &command, &all, &n);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		server_wake(request->server, server_host_key(all[i].number));
	json_write_key(&response->json, "Command");
	json_write_object(&response->json);
	write_command_members(&response->json, &command, request->now_at);
	write_texts(&response->json, "InstanceIds", all,
	        value_get(request->in, STR("InstanceIds")) ? n : 0);
	json_write_object_end(&response->json);
	return 0;
}

/* ---- CancelCommand ---- */

static int find_command(struct request *request, struct response *response, struct command *ret)
{
	int r = command_get(request->server, request->caller.account,
	        value_get_str(request->in, STR("CommandId")), request->arena, ret);
	return r == -ENOENT ? response_fail(response, "InvalidCommandId",
	                              "There is no such command in this account.")
	                    : r;
}

/* The host's poll may be waiting: it is to end what it runs. */
static void wake_host(struct request *request, str id)
{
	uint64_t number = 0;
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = fleet_host_find(request->server->fleet, id);
	if (host)
		number = host->number;
	fleet_unlock(request->server->fleet);
	if (number != 0)
		server_wake(request->server, server_host_key(number));
}

/* One host: what it has not taken is taken back, what it runs it is told to end. */
static int cancel_one(
        struct request *request, struct command *command, struct invocation *invocation)
{
	struct object_change changes[3];
	enum command_status before = invocation->status;
	int64_t account = request->caller.account;
	char id[37];
	int r;

	if (command_status_is_final(invocation_status(command, invocation, request->now_at)) ||
	        before == COMMAND_CANCELLING)
		return 0;
	invocation->status = before == COMMAND_PENDING ? COMMAND_CANCELLED : COMMAND_CANCELLING;
	invocation->at = request->now_at;
	r = command_move(account, command, invocation, before, request->arena, changes);
	if (r == 0 && before == COMMAND_PENDING) {
		changes[2] = (struct object_change){ .account = account, .type = "message" };
		r = message_name(
		        invocation->host_id, command->id, request->arena, &changes[2].name);
	} else if (r == 0) {
		r = uuid_make(id);
		if (r == 0)
			r = message_change(account, invocation->host_id, str_from_c(id), "cancel",
			        command->id, 0, false, request->arena, &changes[2]);
	}
	if (r == 0)
		r = request_commit(request, changes, 3, "CancelCommand", command->id);
	if (r == 0 && before != COMMAND_PENDING)
		wake_host(request, invocation->host_id);
	return r;
}

static int cancel(struct request *request, struct response *response)
{
	const struct value *ids = value_get(request->in, STR("InstanceIds"));
	const struct object *rows = NULL;
	struct command command;
	size_t n = 0, n_found = 0;
	str prefix;

	int r = find_command(request, response, &command);
	if (r < 0)
		return r;
	command.is_cancelled = value_count(ids) == 0;
	r = arena_printf(request->arena, &prefix, STR_FMT "/", STR_ARG(command.id));
	if (r == 0)
		r = object_list(request->server->objects, request->caller.account, "invocation",
		        prefix, none, 0, request->arena, &rows, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct invocation invocation;
		bool is_named = value_count(ids) == 0;
		invocation_read(rows[i].name, rows[i].value, &invocation);
		for (size_t k = 0; !is_named && k < value_count(ids); k++)
			is_named = str_eq(
			        host_digits(value_str(value_at(ids, k))), invocation.host_id);
		if (!is_named)
			continue;
		n_found++;
		r = cancel_one(request, &command, &invocation);
	}
	if (r == 0 && n_found < value_count(ids))
		return response_fail(response, "InvalidInstanceId",
		        "The command was not sent to each of these managed nodes.");
	return r;
}

int api_command_cancel(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = cancel(request, response);
	account_unlock(request->server, request->caller.account);
	return r;
}

/* ---- lists ---- */

static bool is_complete(enum command_status status)
{
	return command_status_is_final(status);
}

/* Returns: 1 it fits; 0 not. */
static int filters_fit(
        struct request *request, const struct command *command, enum command_status status)
{
	const struct value *filters = value_get(request->in, STR("Filters"));
	for (size_t i = 0; i < value_count(filters); i++) {
		str key = value_get_str(value_at(filters, i), STR("key"));
		const struct value *value = value_get(value_at(filters, i), STR("value"));
		str v = value_str(value);
		int64_t at = value_get_time(value_at(filters, i), STR("value"));
		bool is_fit = false;
		if (str_eq(key, STR("InvokedAfter")))
			is_fit = command->requested_at > at;
		else if (str_eq(key, STR("InvokedBefore")))
			is_fit = command->requested_at < at;
		else if (str_eq(key, STR("Status")))
			is_fit = str_eq(command_status_text(status), v) ||
			         str_eq(command_status_details(status), v);
		else if (str_eq(key, STR("ExecutionStage")))
			is_fit = is_complete(status) == str_eq(v, STR("Complete"));
		else if (str_eq(key, STR("DocumentName")))
			is_fit = str_eq(value_get_str(command->in, STR("DocumentName")), v);
		if (!is_fit)
			return 0;
	}
	return 1;
}

/* The commands that the request names or filters, newest first. */
static int asked_commands(
        struct request *request, struct response *response, struct command **ret, size_t *ret_count)
{
	if (value_get_str(request->in, STR("CommandId")).n == 0)
		return command_list(
		        request->server, request->caller.account, request->arena, ret, ret_count);
	struct command *one = arena_alloc(request->arena, 1, sizeof *one);
	if (!one)
		return -ERR_LIMIT;
	int r = find_command(request, response, one);
	*ret = one;
	*ret_count = 1;
	return r;
}

/* The host by which the request narrows, if it does. */
static int asked_host(struct request *request, struct response *response, struct host_ref *ret,
        bool *ret_is_asked)
{
	str id = value_get_str(request->in, STR("InstanceId"));
	*ret_is_asked = id.n > 0;
	return id.n > 0 ? request_host(request, response, id, ret) : 0;
}

int api_command_list(struct request *request, struct response *response)
{
	struct command *all = NULL;
	struct host_ref host;
	bool has_host = false;
	size_t n = 0, kept = 0;
	struct list_page page;

	int r = asked_host(request, response, &host, &has_host);
	if (r == 0)
		r = asked_commands(request, response, &all, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct invocation invocation;
		int found = has_host ? invocation_get(request->server, request->caller.account,
		                               all[i].id, str_from_c(host.id), request->arena,
		                               &invocation)
		                     : 0;
		if (found < 0 && found != -ENOENT)
			return found;
		if (found == 0 &&
		        filters_fit(request, &all[i], command_status(&all[i], request->now_at)))
			all[kept++] = all[i];
	}
	if (r == 0)
		r = page_begin(request, response, "Commands", kept, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++) {
		json_write_object(&response->json);
		write_command_members(&response->json, &all[i], request->now_at);
		json_write_key(&response->json, "InstanceIds");
		json_write_array(&response->json);
		const struct value *ids = value_get(all[i].in, STR("InstanceIds"));
		for (size_t k = 0; k < value_count(ids); k++)
			json_write_str(&response->json, value_str(value_at(ids, k)));
		json_write_array_end(&response->json);
		json_write_object_end(&response->json);
	}
	return page_end(response, &page, 0);
}
