/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec2messages: how agents take commands. A host's queue holds what Run Command put there; that it
 * should look at its associations at once is no message of its own, but follows from rounds that
 * were asked for and that it has not begun: such a message has the round's id, and is gone when the
 * host says that it took it.
 */
#include <stdio.h>

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association.h"
#include "ssm/builtin_documents.h"
#include "server/command.h"
#include "server/document.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* How long a poll is held of which nothing else is known, and most messages of one answer. The
 * stock agent gives up after 20 seconds. */
#define POLL_MS 17000
#define MESSAGES_AT_ONCE 10
#define HIDDEN_S 10

struct outbox {
	struct request *request;
	struct json_writer *w;
	struct host_ref host;
	size_t n;
};

/* ---- giving ---- */

static int write_message(struct outbox *outbox, str id, const char *topic, str payload)
{
	struct request *request = outbox->request;
	char digest[SHA256_HEX_SIZE];
	autobuf at = BUF(64);
	str message_id, full_topic;

	int r = arena_printf(request->arena, &message_id, "aws.ssm." STR_FMT ".%s", STR_ARG(id),
	        outbox->host.shown.text);
	if (r == 0)
		r = arena_printf(request->arena, &full_topic, "%s." STR_FMT ".1", topic,
		        STR_ARG(request->region));
	if (r != 0)
		return r;
	/* The agent wants 24 characters, which are those with milliseconds. */
	timestamp_add_iso(&at, request->now_ms / 1000 * 1000 + 1);
	hash_sha256_hex(payload, digest);
	json_write_object(outbox->w);
	json_write_member_str(outbox->w, "CreatedDate", buf_str(&at));
	json_write_member_str(outbox->w, "Destination", str_from_c(outbox->host.shown.text));
	json_write_member_str(outbox->w, "MessageId", message_id);
	json_write_member_str(outbox->w, "Topic", full_topic);
	json_write_member_str(outbox->w, "Payload", payload);
	json_write_member_str(outbox->w, "PayloadDigest", str_from_c(digest));
	json_write_object_end(outbox->w);
	outbox->n++;
	return 0;
}

static int write_send(struct outbox *outbox, const struct command *command)
{
	struct request *request = outbox->request;
	struct document document = { 0 };
	struct document_info info = { 0 };
	str name = value_get_str(command->in, STR("DocumentName")), payload;

	int r = document_find(request->server, outbox->host.account, name, command->version, none,
	        request->arena, &document);
	if (r == 0)
		r = document_info(&document, request->arena, &info, NULL);
	if (r == 0)
		r = command_payload(&info, document.name, command->id,
		        value_get(command->in, STR("Parameters")), command->in, request->arena,
		        &payload);
	return r != 0 ? r : write_message(outbox, command->id, "aws.ssm.sendCommand", payload);
}

static int write_cancel(struct outbox *outbox, str id, const struct command *command)
{
	autodraft draft = { 0 };
	str payload, target;
	int r = arena_printf(outbox->request->arena, &target, "aws.ssm." STR_FMT ".%s",
	        STR_ARG(command->id), outbox->host.shown.text);
	if (r < 0)
		return r;
	draft_begin(&draft);
	json_write_member_str(&draft.json, "CancelMessageId", target);
	r = draft_end(&draft, outbox->request->arena, &payload);
	return r != 0 ? r : write_message(outbox, id, "aws.ssm.cancelCommand", payload);
}

/* One message of the queue: given and hidden for a while, or dropped when its time is over. */
static int give(struct outbox *outbox, str id, const struct value *v, struct object_change *ret)
{
	struct request *request = outbox->request;
	struct command command = { 0 };
	str kind = value_get_str(v, STR("Kind"));
	bool is_cancel = str_eq(kind, STR("cancel"));

	int r = command_get(request->server, outbox->host.account, value_get_str(v, STR("Command")),
	        request->arena, &command);
	bool is_late =
	        r == 0 && request->now_at >= (is_cancel ? command.expires_at : command.deliver_by);
	if (r == 0 && !is_late)
		r = is_cancel ? write_cancel(outbox, id, &command) : write_send(outbox, &command);
	if (is_late || r == -ENOENT || r == -ESRCH || r == -ERR_FORMAT) {
		*ret = (struct object_change){ .account = outbox->host.account, .type = "message" };
		return message_name(str_from_c(outbox->host.id), id, request->arena, &ret->name);
	}
	if (r < 0)
		return r;
	int64_t hidden_s = value_get_i64(request->in, STR("VisibilityTimeoutInSeconds"), HIDDEN_S);
	if (hidden_s < 1 || hidden_s > 43200)
		hidden_s = HIDDEN_S;
	return message_change(outbox->host.account, str_from_c(outbox->host.id), id,
	        is_cancel ? "cancel" : "send", command.id, request->now_at + hidden_s, false,
	        request->arena, ret);
}

/* Under account_lock(). */
static int give_waiting(struct outbox *outbox)
{
	struct request *request = outbox->request;
	struct object_change changes[MESSAGES_AT_ONCE];
	const struct object *messages = NULL;
	struct err err = { 0 };
	size_t n = 0, n_changes = 0;
	str prefix;

	int r = arena_printf(request->arena, &prefix, "%s/", outbox->host.id);
	if (r == 0)
		r = object_list(request->server->objects, outbox->host.account, "message", prefix,
		        none, 0, request->arena, &messages, &n);
	for (size_t i = 0; r == 0 && i < n && n_changes < MESSAGES_AT_ONCE; i++) {
		const struct value *v = messages[i].value;
		if (value_get_bool(v, STR("Taken"), false) ||
		        value_get_i64(v, STR("HiddenUntil"), 0) > request->now_at)
			continue;
		r = give(outbox, str_skip(messages[i].name, prefix.n), v, &changes[n_changes++]);
	}
	if (r == 0 && n_changes > 0)
		r = objects_change(request->server->objects, changes, n_changes, NULL, &err);
	return r;
}

/* Most polls find an empty queue, and hold nobody up. */
static int give_queue(struct outbox *outbox)
{
	struct request *request = outbox->request;
	const struct object *first = NULL;
	size_t n = 0;
	str prefix;

	int r = arena_printf(request->arena, &prefix, "%s/", outbox->host.id);
	if (r == 0)
		r = object_list(request->server->objects, outbox->host.account, "message", prefix,
		        none, 1, request->arena, &first, &n);
	if (r < 0 || n == 0)
		return r;
	account_lock(request->server, outbox->host.account);
	r = give_waiting(outbox);
	account_unlock(request->server, outbox->host.account);
	return r;
}

static int write_refresh(struct outbox *outbox, const struct association *association)
{
	struct request *request = outbox->request;
	struct document document = { 0 };
	struct document_info info = { 0 };
	const struct value *values = NULL;
	autodraft draft = { 0 };
	str payload, text;

	draft_begin(&draft);
	json_write_key(&draft.json, "associationIds");
	json_write_array(&draft.json);
	json_write_str(&draft.json, association->id);
	json_write_array_end(&draft.json);
	int r = draft_end(&draft, request->arena, &text);
	if (r == 0)
		r = value_from_json(text, request->arena, &values, NULL);
	if (r == 0)
		r = document_find(request->server, outbox->host.account,
		        STR("AWS-RefreshAssociation"), none, none, request->arena, &document);
	if (r == 0)
		r = document_info(&document, request->arena, &info, NULL);
	if (r == 0)
		r = command_payload(&info, document.name, association->execution, values, NULL,
		        request->arena, &payload);
	return r != 0 ? r
	              : write_message(
	                        outbox, association->execution, "aws.ssm.sendCommand", payload);
}

static int give_rounds(struct outbox *outbox)
{
	struct request *request = outbox->request;
	struct association_state state = { 0 };
	struct association *all = NULL;
	size_t n = 0;

	int r = association_list(request->server, outbox->host.account, request->arena, &all, &n);
	association_order(all, n);
	if (r == 0)
		r = association_state_get(request->server, outbox->host.account,
		        str_from_c(outbox->host.id), request->arena, &state);
	for (size_t i = 0; r == 0 && i < n && outbox->n < MESSAGES_AT_ONCE; i++) {
		const struct association_run *run = association_run_of(&state, all[i].id);
		if (!association_is_due(&all[i], run) ||
		        (run && str_eq(run->told, all[i].execution)))
			continue;
		fleet_lock(request->server->fleet);
		const struct fleet_host *host =
		        fleet_host_at(request->server->fleet, outbox->host.number);
		bool is_target = host && association_has(&all[i], host);
		fleet_unlock(request->server->fleet);
		if (is_target)
			r = write_refresh(outbox, &all[i]);
	}
	return r;
}

int api_message_get(struct request *request, struct response *response)
{
	str destination = value_get_str(request->in, STR("Destination"));
	autobuf messages = BUF(DRAFT_MAX_BYTES);
	struct json_writer w = JSON_WRITER(&messages, false);
	struct outbox outbox = { .request = request, .w = &w };
	const struct value *all = NULL;

	int r = request_self(
	        request, response, destination, "InvalidDestinationException", &outbox.host);
	if (r < 0)
		return r;
	json_write_array(&w);
	r = give_queue(&outbox);
	if (r == 0)
		r = give_rounds(&outbox);
	json_write_array_end(&w);
	if (r < 0)
		return r;
	/* A poll that was woken for nothing is answered: put off again, it would last longer than
	   agents wait. */
	if (outbox.n == 0 && !request->is_wait_over && request->attempt == 0)
		return response_defer(response, server_host_key(outbox.host.number),
		        request->wait_s > 0 ? (int64_t)request->wait_s * 1000 : POLL_MS);
	if (buf_failed(&messages))
		return -ERR_LIMIT;
	r = value_from_json(buf_str(&messages), request->arena, &all, NULL);
	if (r < 0)
		return r;
	json_write_member_str(&response->json, "Destination", destination);
	json_write_member_str(&response->json, "MessagesRequestId",
	        value_get_str(request->in, STR("MessagesRequestId")));
	write_value(&response->json, "Messages", all);
	return 0;
}

/* ---- taking ---- */

/* "aws.ssm.<id>.<host>": the id, and the caller's host. */
static int find_message(
        struct request *request, struct response *response, str *ret_id, struct host_ref *ret_host)
{
	str text = value_get_str(request->in, STR("MessageId")), id, host;
	if (!str_has_prefix(text, STR("aws.ssm.")) ||
	        !str_split_last(str_skip(text, 8), '.', &id, &host) || id.n != 36)
		return response_fail(response, "InvalidMessageIdException",
		        "The MessageId is not one that this service gave.");
	*ret_id = id;
	return request_self(request, response, host, "InvalidMessageIdException", ret_host);
}

/* The association whose round this is. */
static int find_round(
        struct request *request, const struct host_ref *host, str id, struct association *ret)
{
	struct association *all = NULL;
	size_t n = 0;
	int r = association_list(request->server, host->account, request->arena, &all, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (str_eq(all[i].execution, id)) {
			*ret = all[i];
			return 0;
		}
	}
	return r < 0 ? r : -ENOENT;
}

/* The host took the message of a round: it is not told again. */
static int note_told(struct request *request, const struct host_ref *host, str id)
{
	struct association_state state = { 0 };
	struct association association;
	struct object_change change;
	struct err err = { 0 };

	int r = find_round(request, host, id, &association);
	if (r == -ENOENT)
		return 0; /* an older round: nothing to remember */
	if (r == 0)
		r = association_state_get(request->server, host->account, str_from_c(host->id),
		        request->arena, &state);
	if (r != 0)
		return r;
	struct association_run *run = association_run_of(&state, association.id);
	if (!run) {
		run = &state.runs[state.n++];
		*run = (struct association_run){ .association = association.id,
			.status = RUN_ASSOCIATED };
	}
	if (str_eq(run->told, id))
		return 0;
	run->told = id;
	r = association_state_change(
	        host->account, str_from_c(host->id), &state, request->arena, &change);
	return r < 0 ? r : objects_change(request->server->objects, &change, 1, NULL, &err);
}

/* A message of the queue; -ENOENT when it is not there. */
static int queued(
        struct request *request, const struct host_ref *host, str id, const struct value **ret)
{
	str name;
	int r = message_name(str_from_c(host->id), id, request->arena, &name);
	return r < 0 ? r
	             : object_get(request->server->objects, host->account, "message", name,
	                       request->arena, ret);
}

/* The invocation of a command moves to a status, unless it has ended. */
static int move(struct request *request, const struct host_ref *host, str command_id,
        enum command_status status, const char *trace, struct object_change *changes, size_t *n)
{
	struct invocation invocation;
	struct command command;
	int r = command_get(request->server, host->account, command_id, request->arena, &command);
	if (r == 0)
		r = invocation_get(request->server, host->account, command_id, str_from_c(host->id),
		        request->arena, &invocation);
	if (r != 0)
		return r == -ENOENT ? 0 : r;
	enum command_status before = invocation.status;
	if (command_status_is_final(before) || before == status ||
	        (before == COMMAND_CANCELLING && !command_status_is_final(status)))
		return 0;
	invocation.status = status;
	invocation.at = request->now_at;
	if (trace)
		invocation.trace = str_from_c(trace);
	r = command_move(
	        host->account, &command, &invocation, before, request->arena, &changes[*n]);
	*n += r == 0 ? 2 : 0;
	return r;
}

static int acknowledge(struct request *request, const struct host_ref *host, str id)
{
	struct object_change changes[3];
	const struct value *v = NULL;
	struct err err = { 0 };
	size_t n = 1;

	int r = queued(request, host, id, &v);
	if (r == -ENOENT)
		return note_told(request, host, id);
	if (r < 0)
		return r;
	str kind = value_get_str(v, STR("Kind")), command = value_get_str(v, STR("Command"));
	bool is_send = str_eq(kind, STR("send"));
	r = message_change(host->account, str_from_c(host->id), id, is_send ? "send" : "cancel",
	        command, 0, true, request->arena, &changes[0]);
	if (r == 0 && is_send)
		r = move(request, host, command, COMMAND_IN_PROGRESS, NULL, changes, &n);
	return r < 0 ? r : objects_change(request->server->objects, changes, n, NULL, &err);
}

int api_message_acknowledge(struct request *request, struct response *response)
{
	struct host_ref host;
	str id;
	int r = find_message(request, response, &id, &host);
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = acknowledge(request, &host, id);
	account_unlock(request->server, host.account);
	return r;
}

/* Take a message out of the queue; with a word why, its command has failed on this host. */
static int drop(struct request *request, const struct host_ref *host, str id, const char *trace)
{
	struct object_change changes[3];
	const struct value *v = NULL;
	struct err err = { 0 };
	size_t n = 1;

	int r = queued(request, host, id, &v);
	if (r == -ENOENT)
		return note_told(request, host, id);
	if (r < 0)
		return r;
	changes[0] = (struct object_change){ .account = host->account, .type = "message" };
	r = message_name(str_from_c(host->id), id, request->arena, &changes[0].name);
	if (r == 0 && trace && str_eq(value_get_str(v, STR("Kind")), STR("send")))
		r = move(request, host, value_get_str(v, STR("Command")), COMMAND_FAILED, trace,
		        changes, &n);
	return r < 0 ? r : objects_change(request->server->objects, changes, n, NULL, &err);
}

int api_message_delete(struct request *request, struct response *response)
{
	struct host_ref host;
	str id;
	int r = find_message(request, response, &id, &host);
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = drop(request, &host, id, NULL);
	account_unlock(request->server, host.account);
	return r;
}

int api_message_fail(struct request *request, struct response *response)
{
	struct host_ref host;
	str id, type = value_get_str(request->in, STR("FailureType"));
	int r = find_message(request, response, &id, &host);
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = drop(request, &host, id,
	        str_eq(type, STR("NoHandlerExists")) ? "The agent has no handler for the message."
	                                             : "The agent could not handle the message.");
	account_unlock(request->server, host.account);
	return r;
}

/* ---- replies ---- */

/* A time of a reply: text in ISO 8601. */
static int64_t reply_time(const struct value *v, str key)
{
	int64_t ms = 0;
	return timestamp_from_iso(value_get_str(v, key), &ms) ? ms / 1000 : 0;
}

/* At most `most` bytes, and no half character. */
static str cut(str s, size_t most)
{
	if (s.n <= most)
		return s;
	while (most > 0 && ((unsigned char)s.p[most] & 0xc0) == 0x80)
		most--;
	return str_head(s, most);
}

static enum command_status status_of_agent(str word)
{
	static const struct {
		const char *word;
		enum command_status status;
	} words[] = { { "Success", COMMAND_SUCCESS }, { "Skipped", COMMAND_SUCCESS },
		{ "Failed", COMMAND_FAILED }, { "TimedOut", COMMAND_TIMED_OUT },
		{ "Cancelled", COMMAND_CANCELLED } };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (str_eq(word, str_from_c(words[i].word)))
			return words[i].status;
	}
	return COMMAND_IN_PROGRESS;
}

static void write_plugin(struct json_writer *w, str name, const struct value *v)
{
	str status = value_get_str(v, STR("status"));
	str step = value_get_str(v, STR("stepName"));
	json_write_object(w);
	json_write_member_str(w, "Name", step.n > 0 ? step : name);
	json_write_member_str(w, "Status", command_status_text(status_of_agent(status)));
	write_number(w, "Code", value_get_i64(v, STR("code"), -1));
	write_number(w, "Start", reply_time(v, STR("startDateTime")));
	write_number(w, "Finish", reply_time(v, STR("endDateTime")));
	json_write_member_str(
	        w, "Output", cut(value_get_str(v, STR("output")), COMMAND_OUTPUT_MAX));
	json_write_member_str(
	        w, "Stdout", cut(value_get_str(v, STR("standardOutput")), COMMAND_STDOUT_MAX));
	json_write_member_str(
	        w, "Stderr", cut(value_get_str(v, STR("standardError")), COMMAND_STDERR_MAX));
	json_write_object_end(w);
}

static int read_plugins(const struct value *reply, struct arena *arena, const struct value **ret)
{
	enum { PLUGINS_MAX = 50 };
	const struct value *all = value_get(reply, STR("runtimeStatus")), *made = NULL;
	autodraft draft = { 0 };
	str text;

	draft_begin(&draft);
	json_write_key(&draft.json, "Items");
	json_write_array(&draft.json);
	for (size_t i = 0; i < value_count(all) && i < PLUGINS_MAX; i++)
		write_plugin(&draft.json, value_key_at(all, i), value_at(all, i));
	json_write_array_end(&draft.json);
	int r = draft_end(&draft, arena, &text);
	if (r == 0)
		r = value_from_json(text, arena, &made, NULL);
	if (r == 0)
		*ret = value_get(made, STR("Items"));
	return r;
}

static int reply(
        struct request *request, const struct host_ref *host, str id, const struct value *payload)
{
	struct object_change changes[2];
	struct invocation invocation;
	struct command command;
	struct err err = { 0 };

	int r = command_get(request->server, host->account, id, request->arena, &command);
	if (r == 0)
		r = invocation_get(request->server, host->account, id, str_from_c(host->id),
		        request->arena, &invocation);
	if (r == -ENOENT)
		return note_told(request, host, id);
	if (r != 0)
		return r;
	enum command_status before = invocation.status;
	enum command_status status = status_of_agent(value_get_str(payload, STR("documentStatus")));
	if (command_status_is_final(before))
		return 0; /* said twice, or too late */
	if (before == COMMAND_CANCELLING && !command_status_is_final(status))
		status = before;
	invocation.status = status;
	invocation.at = request->now_at;
	invocation.trace =
	        cut(value_get_str(payload, STR("documentTraceOutput")), COMMAND_OUTPUT_MAX);
	r = read_plugins(payload, request->arena, &invocation.plugins);
	if (r == 0)
		r = command_move(
		        host->account, &command, &invocation, before, request->arena, changes);
	return r < 0 ? r : objects_change(request->server->objects, changes, 2, NULL, &err);
}

int api_message_reply(struct request *request, struct response *response)
{
	const struct value *payload = NULL;
	struct host_ref host;
	struct err err = { 0 };
	str id;

	int r = find_message(request, response, &id, &host);
	if (r < 0)
		return r;
	r = value_from_json(
	        value_get_str(request->in, STR("Payload")), request->arena, &payload, &err);
	if (r == -ERR_FORMAT || (r == 0 && value_kind(payload) != VALUE_OBJECT))
		return response_fail(response, "UnsupportedMessageOperationException",
		        "The payload is not a JSON object.");
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = reply(request, &host, id, payload);
	account_unlock(request->server, host.account);
	return r;
}
