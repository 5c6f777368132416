/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message is acknowledged as soon as it is taken, so that the service does not give it again, and
 * deleted when its last word was said. A cancellation names the message that it is about.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/inside.h"
#include "net/reader.h"

#define SERVICE "EC2WindowsMessageDeliveryService."
#define REPLY_BYTES ((size_t)900 << 10)

static void tell_message(
        struct agent *agent, const char *operation, str message_id, const char *more)
{
	autobuf body = BUF(4096);
	autobuf target = BUF(128);
	autobuf key = BUF(512);
	struct json_writer w = JSON_WRITER(&body, false);
	json_write_object(&w);
	json_write_member_str(&w, "MessageId", message_id);
	if (more)
		json_write_member_str(&w, "FailureType", str_from_c(more));
	json_write_object_end(&w);
	buf_printf(&target, SERVICE "%s", operation);
	buf_add_byte(&target, '\0');
	buf_printf(&key, "%s/" STR_FMT, operation, STR_ARG(str_head(message_id, 200)));
	if (!buf_failed(&body))
		agent_tell(agent, buf_str(&key), target.p, buf_str(&body));
}

static void reply(struct agent *agent, const struct told *told, const struct value *job,
        const char *status, str fault, bool is_final)
{
	autobuf body = BUF(REPLY_BYTES);
	char id[37];
	if (!poller_uuid(id))
		return;
	words_reply(told->message_id, str_from_c(id), job, str_from_c(status), fault,
	        &agent->platform, agent_wall_ms(), &body);
	if (buf_failed(&body)) {
		agent_log(LOG_ERROR, "a reply is too large command=" STR_FMT,
		        STR_ARG(told->command_id));
		return;
	}
	agent_tell(agent, is_final ? told->command_id : (str){ NULL, 0 }, SERVICE "SendReply",
	        buf_str(&body));
	if (is_final)
		tell_message(agent, "DeleteMessage", told->message_id, NULL);
}

static void told_free(struct told *told)
{
	if (!told)
		return;
	struct arena arena = told->arena;
	free(told);
	arena_fini(&arena);
}

/* ---- taking ---- */

static bool was_seen(struct agent *agent, str id)
{
	for (size_t i = 0; i < AGENT_SEEN_MAX; i++) {
		if (str_eq(str_from_c(agent->seen[i]), id))
			return true;
	}
	(void)snprintf(agent->seen[agent->n_seen % AGENT_SEEN_MAX], sizeof(agent->seen[0]), STR_FMT,
	        STR_ARG(id));
	agent->n_seen++;
	return false;
}

static int copy_json(const struct value *v, struct arena *arena, str *ret)
{
	autobuf text = BUF((size_t)1 << 20);
	struct json_writer w = JSON_WRITER(&text, false);
	if (!v) {
		*ret = (str){ NULL, 0 };
		return 0;
	}
	value_write_json(v, &w);
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(arena, buf_str(&text), ret);
}

static int read_command(str message_id, const struct value *payload, struct told **ret)
{
	struct told *told = calloc(1, sizeof(*told));
	if (!told)
		return -ENOMEM;
	told->arena = ARENA((size_t)4 << 20);
	told->took_ms = agent_now_ms();
	str id = value_get_str(payload, STR("CommandId"));
	int r = id.n > 0 && id.n < 48 ? 0 : -ERR_FORMAT;
	if (r == 0)
		r = arena_copy(&told->arena, message_id, &told->message_id);
	if (r == 0)
		r = arena_copy(&told->arena, id, &told->command_id);
	if (r == 0)
		r = copy_json(
		        value_get(payload, STR("DocumentContent")), &told->arena, &told->document);
	if (r == 0)
		r = copy_json(value_get(payload, STR("Parameters")), &told->arena, &told->values);
	if (r < 0) {
		told_free(told);
		return r;
	}
	*ret = told;
	return 0;
}

static void take_command(struct agent *agent, str message_id, const struct value *payload)
{
	struct told *told = NULL;
	if (agent->n_told == AGENT_COMMANDS_MAX) {
		tell_message(agent, "FailMessage", message_id, "InternalHandlerException");
		return;
	}
	if (read_command(message_id, payload, &told) < 0) {
		agent_log(LOG_WARNING, "a command cannot be read");
		tell_message(agent, "FailMessage", message_id, "InternalHandlerException");
		return;
	}
	if (was_seen(agent, told->command_id)) {
		told_free(told);
		return;
	}
	reply(agent, told, NULL, "InProgress", (str){ NULL, 0 }, false);
	tell_message(agent, "AcknowledgeMessage", message_id, NULL);
	agent->told[agent->n_told++] = told;
}

/* "aws.ssm.<command>.<instance>" is the message of the command. */
static void take_cancel(struct agent *agent, str message_id, const struct value *payload)
{
	str target = value_get_str(payload, STR("CancelMessageId"));
	tell_message(agent, "AcknowledgeMessage", message_id, NULL);
	if (agent->running_command && str_eq(agent->running_command->message_id, target)) {
		agent->running_command->is_cancelled = true;
		job_cancel(&agent->jobs[SLOT_COMMAND]);
	}
	for (size_t i = 0; i < agent->n_told; i++) {
		if (str_eq(agent->told[i]->message_id, target))
			agent->told[i]->is_cancelled = true;
	}
	tell_message(agent, "DeleteMessage", message_id, NULL);
}

static void take(struct agent *agent, const struct value *message)
{
	struct arena arena = ARENA((size_t)16 << 20);
	str id = value_get_str(message, STR("MessageId"));
	str topic = value_get_str(message, STR("Topic"));
	const struct value *payload = NULL;
	int r = reader_json(value_get_str(message, STR("Payload")), &arena, &payload, NULL);
	if (id.n == 0 || id.n > 256)
		agent_log(LOG_WARNING, "a message has no id and is left alone");
	else if (r < 0)
		tell_message(agent, "FailMessage", id, "InternalHandlerException");
	else if (str_has_prefix(topic, STR("aws.ssm.sendCommand")))
		take_command(agent, id, payload);
	else if (str_has_prefix(topic, STR("aws.ssm.cancelCommand")))
		take_cancel(agent, id, payload);
	else
		tell_message(agent, "FailMessage", id, "NoHandlerExists");
	arena_fini(&arena);
}

void commands_take(struct agent *agent, str messages)
{
	struct arena arena = ARENA((size_t)32 << 20);
	const struct value *all = NULL;
	if (reader_json(messages, &arena, &all, NULL) < 0)
		agent_log(LOG_WARNING, "a delivery of messages cannot be read");
	for (size_t i = 0; i < value_count(all); i++)
		take(agent, value_at(all, i));
	arena_fini(&arena);
}

/* ---- running ---- */

static void begin(struct agent *agent, struct told *told)
{
	struct err err = { 0 };
	const struct job_request request = { .config = agent->config,
		.state = &agent->state,
		.service = &agent->service,
		.host = &agent->platform.host,
		.id = told->command_id,
		.document = told->document,
		.values = told->values };
	if (told->is_cancelled) {
		reply(agent, told, NULL, "Cancelled", STR("Cancelled before it began."), true);
		told_free(told);
		return;
	}
	if (job_start(&request, &agent->jobs[SLOT_COMMAND], &err) < 0) {
		agent_log(LOG_ERROR, "%s command=" STR_FMT, err.text, STR_ARG(told->command_id));
		reply(agent, told, NULL, "Failed", str_from_c(err.text), true);
		told_free(told);
		return;
	}
	agent->running_command = told;
	agent_log(LOG_INFO, "a command runs command=" STR_FMT, STR_ARG(told->command_id));
}

void commands_start(struct agent *agent)
{
	while (agent->n_told > 0 && agent->jobs[SLOT_COMMAND].pid == 0) {
		struct told *told = agent->told[0];
		agent->n_told--;
		memmove(agent->told, agent->told + 1, agent->n_told * sizeof(agent->told[0]));
		begin(agent, told);
	}
}

void commands_ended(struct agent *agent)
{
	struct arena arena = ARENA((size_t)32 << 20);
	struct job *job = &agent->jobs[SLOT_COMMAND];
	struct told *told = agent->running_command;
	const struct value *said = NULL;
	autobuf status = BUF(32);
	(void)reader_json(buf_str(&job->said), &arena, &said, NULL);
	str word = value_get_str(said, STR("Status"));
	buf_add(&status, word.n > 0 ? str_head(word, 24) : STR("Failed"));
	buf_add_byte(&status, '\0');
	str fault = said ? value_get_str(said, STR("Fault")) : STR("The job ended without a word.");
	reply(agent, told, said, status.p, fault, true);
	agent_log(LOG_INFO, "a command ended status=%s command=" STR_FMT, status.p,
	        STR_ARG(told->command_id));
	agent->running_command = NULL;
	if (value_get_bool(said, STR("IsRefresh"), false))
		rounds_ask(agent, value_get(said, STR("Refresh")), told->took_ms);
	job_end(job, &agent->state, told->command_id);
	told_free(told);
	arena_fini(&arena);
}

void commands_fini(struct agent *agent)
{
	for (size_t i = 0; i < agent->n_told; i++)
		told_free(agent->told[i]);
	told_free(agent->running_command);
	agent->n_told = 0;
	agent->running_command = NULL;
}
