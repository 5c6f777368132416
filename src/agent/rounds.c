/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "agent/inside.h"
#include "aws/timestamp.h"
#include "net/reader.h"

#define LIST_PAGES_MAX 20
#define BROKEN_FIRST_MS 30000
#define BROKEN_MOST_MS 3600000

/* ---- listing ---- */

static struct kept *find(struct agent *agent, str id)
{
	for (size_t i = 0; i < agent->n_kept; i++) {
		if (str_eq(agent->kept[i].is.id, id))
			return &agent->kept[i];
	}
	return NULL;
}

static int copy_json(const struct value *v, struct arena *arena, str *ret)
{
	autobuf text = BUF((size_t)1 << 20);
	struct json_writer w = JSON_WRITER(&text, false);
	*ret = (str){ NULL, 0 };
	if (!v)
		return 0;
	value_write_json(v, &w);
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(arena, buf_str(&text), ret);
}

/* Read one into an arena of its own. */
static int read_one(const struct value *v, struct arena *arena, struct association *ret)
{
	int64_t ms = 0;
	*ret = (struct association){ 0 };
	if (timestamp_from_value(value_get(v, STR("LastExecutionDate")), &ms))
		ret->last_at = ms / 1000;
	int64_t offset = value_get_i64(v, STR("ScheduleOffset"), 0);
	ret->offset_days = offset > 0 && offset <= 6 ? (int)offset : 0;
	const struct {
		const char *key;
		str *to;
	} texts[] = { { "AssociationId", &ret->id }, { "AssociationVersion", &ret->version },
		{ "Name", &ret->name }, { "DocumentVersion", &ret->document_version },
		{ "Checksum", &ret->checksum }, { "DetailedStatus", &ret->detailed_status },
		{ "ScheduleExpression", &ret->expression } };
	int r = copy_json(value_get(v, STR("Parameters")), arena, &ret->parameters);
	for (size_t i = 0; r == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		r = arena_copy(arena, value_get_str(v, str_from_c(texts[i].key)), texts[i].to);
	return r;
}

/* The log of the host tells by which schedule an association runs from now on. */
static void tell_schedule(const struct association *is)
{
	agent_log(LOG_INFO,
	        "an association is known document=" STR_FMT " version=" STR_FMT " schedule=" STR_FMT
	        " association=" STR_FMT,
	        STR_ARG(is->name), STR_ARG(is->version),
	        STR_ARG(is->expression.n > 0 ? is->expression : STR("none")), STR_ARG(is->id));
}

static void keep(struct agent *agent, const struct value *v)
{
	struct arena arena = ARENA(2u << 20);
	struct association made;
	if (read_one(v, &arena, &made) < 0 || made.id.n == 0 || made.id.n > 64 ||
	        made.name.n == 0) {
		arena_fini(&arena);
		agent_log(LOG_WARNING, "an association cannot be read and is left out");
		return;
	}
	struct kept *kept = find(agent, made.id);
	if (!kept && agent->n_kept < AGENT_ASSOCIATIONS_MAX) {
		kept = &agent->kept[agent->n_kept++];
		*kept = (struct kept){ .document = ARENA(4u << 20) };
	}
	if (!kept || kept == agent->running) {
		/* One that runs is reported under the name it began with, and read anew when it has
		 * ended. */
		if (kept) {
			kept->is_listed = true;
			kept->is_changed |= !str_eq(kept->is.checksum, made.checksum);
		}
		arena_fini(&arena);
		return;
	}
	bool is_new = !str_eq(kept->checksum, made.checksum);
	bool is_other = !str_eq(kept->is.checksum, made.checksum);
	arena_fini(&kept->text);
	kept->text = arena;
	kept->is = made;
	kept->is_listed = true;
	kept->is_changed = false;
	if (is_other)
		tell_schedule(&kept->is);
	if (is_new) {
		kept->content = (str){ NULL, 0 };
		kept->n_broken = 0;
		kept->not_before_ms = 0;
	}
}

static void forget(struct kept *kept)
{
	arena_fini(&kept->text);
	arena_fini(&kept->document);
	*kept = (struct kept){ 0 };
}

static void drop_unlisted(struct agent *agent)
{
	size_t n = 0;
	for (size_t i = 0; i < agent->n_kept; i++) {
		struct kept *kept = &agent->kept[i];
		if (!kept->is_listed && kept != agent->running) {
			forget(kept);
			continue;
		}
		if (kept == agent->running)
			agent->running = &agent->kept[n];
		if (n != i) {
			agent->kept[n] = *kept;
			*kept = (struct kept){ 0 };
		}
		n++;
	}
	agent->n_kept = n;
}

static int list_page(
        struct agent *agent, str token, struct arena *arena, str *ret_token, struct err *err)
{
	autobuf body = BUF(8192);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply;
	json_write_object(&w);
	json_write_member_str(&w, "InstanceId", str_from_c(agent->service.instance));
	json_write_key(&w, "MaxResults");
	json_write_u64(&w, 20);
	if (token.n > 0)
		json_write_member_str(&w, "NextToken", token);
	json_write_object_end(&w);
	int r = service_call(&agent->service, "AmazonSSM.ListInstanceAssociations", buf_str(&body),
	        arena, &reply, err);
	agent_note(agent, r, &reply);
	if (r < 0)
		return r;
	const struct value *all = value_get(reply.value, STR("Associations"));
	for (size_t i = 0; i < value_count(all) && i < AGENT_ASSOCIATIONS_MAX; i++)
		keep(agent, value_at(all, i));
	*ret_token = value_get_str(reply.value, STR("NextToken"));
	return 0;
}

int rounds_list(struct agent *agent, struct err *err)
{
	struct arena arena = ARENA((size_t)32 << 20);
	str token = { NULL, 0 };
	int r = 0;
	for (size_t i = 0; i < agent->n_kept; i++)
		agent->kept[i].is_listed = false;
	for (int page = 0; r == 0 && page < LIST_PAGES_MAX; page++) {
		r = list_page(agent, token, &arena, &token, err);
		if (r == 0 && token.n == 0)
			break;
	}
	if (r == 0)
		drop_unlisted(agent);
	arena_fini(&arena);
	return r;
}

/* ---- running ---- */

static void report(struct agent *agent, const struct kept *kept, str status, str summary, str code,
        bool is_final)
{
	autobuf body = BUF(65536);
	words_association(&kept->is, str_from_c(agent->service.instance), status, summary, code,
	        agent_wall_ms(), &body);
	if (!buf_failed(&body))
		agent_tell(agent, is_final ? kept->is.id : (str){ NULL, 0 },
		        "AmazonSSM.UpdateInstanceAssociationStatus", buf_str(&body));
}

static int ask_document(struct agent *agent, struct kept *kept, struct err *err)
{
	struct arena arena = ARENA((size_t)4 << 20);
	autobuf body = BUF(8192);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply;
	if (kept->content.n > 0)
		return 0;
	json_write_object(&w);
	json_write_member_str(&w, "Name", kept->is.name);
	json_write_member_str(&w, "DocumentVersion",
	        kept->is.document_version.n > 0 ? kept->is.document_version : STR("$DEFAULT"));
	json_write_object_end(&w);
	int r = service_call(
	        &agent->service, "AmazonSSM.GetDocument", buf_str(&body), &arena, &reply, err);
	agent_note(agent, r, &reply);
	arena_fini(&kept->document);
	kept->document = ARENA(4u << 20);
	kept->checksum = (str){ NULL, 0 };
	if (r == 0)
		r = arena_copy(&kept->document, value_get_str(reply.value, STR("Content")),
		        &kept->content);
	if (r == 0)
		r = arena_copy(&kept->document, kept->is.checksum, &kept->checksum);
	if (r == 0 && kept->content.n == 0)
		r = err_set(err, -EPROTO, "the server gave no document");
	if (r < 0)
		kept->content = (str){ NULL, 0 };
	arena_fini(&arena);
	return r;
}

static int64_t due_ms(struct kept *kept, int64_t wall_ms)
{
	int64_t now = wall_ms / 1000;
	const struct due due = { .detailed_status = kept->is.detailed_status,
		.last_at = due_last(&kept->last_ahead, kept->is.last_at, now),
		.ran_at = due_last(&kept->ran_ahead, kept->ran_at, now),
		.expression = kept->is.expression,
		.offset_days = kept->is.offset_days };
	int64_t at = DUE_NEVER;
	if (kept->is_asked)
		return 0;
	if (due_at(&due, now, &at, NULL) < 0 || at == DUE_NEVER)
		return INT64_MAX;
	return at * 1000 <= wall_ms ? 0 : at * 1000 - wall_ms;
}

int64_t rounds_next_ms(const struct agent *agent)
{
	int64_t next = INT64_MAX, now = agent_now_ms(), wall = agent_wall_ms();
	if (agent->jobs[SLOT_ASSOCIATION].pid > 0)
		return INT64_MAX;
	for (size_t i = 0; i < agent->n_kept; i++) {
		int64_t wait = due_ms(&agent->kept[i], wall);
		if (wait == INT64_MAX)
			continue;
		int64_t at = now + wait;
		if (at < agent->kept[i].not_before_ms)
			at = agent->kept[i].not_before_ms;
		/* As may_begin() has it. */
		if (agent->kept[i].content.n == 0 && at < agent->away_until_ms)
			at = agent->away_until_ms;
		if (at < next)
			next = at;
	}
	return next;
}

/* It cannot be begun: said once, tried again later and later. */
static void put_off(struct agent *agent, struct kept *kept, int r, const struct err *err)
{
	int64_t wait = BROKEN_FIRST_MS;
	for (unsigned i = 0; i < kept->n_broken && wait < BROKEN_MOST_MS; i++)
		wait *= 2;
	kept->n_broken++;
	kept->not_before_ms = agent_now_ms() + (wait < BROKEN_MOST_MS ? wait : BROKEN_MOST_MS);
	agent_log(LOG_WARNING, "an association cannot be run: %s association=" STR_FMT, err->text,
	        STR_ARG(kept->is.id));
	if (r == -EREMOTEIO || r == -ERR_LIMIT || r == -EPROTO || r == -EINVAL)
		report(agent, kept, STR("Failed"), str_from_c(err->text), STR("InvalidAssoc"),
		        true);
}

static void begin(struct agent *agent, struct kept *kept)
{
	struct err err = { 0 };
	str none = { NULL, 0 };
	report(agent, kept, STR("Pending"), STR("Association is pending"), none, false);
	report(agent, kept, STR("InProgress"), STR("Executing association"), none, false);
	const struct job_request request = { .config = agent->config,
		.state = &agent->state,
		.service = &agent->service,
		.host = &agent->platform.host,
		.id = kept->is.id,
		.document = kept->content,
		.values = kept->is.parameters };
	int r = job_start(&request, &agent->jobs[SLOT_ASSOCIATION], &err);
	if (r < 0) {
		put_off(agent, kept, r, &err);
		return;
	}
	kept->is_asked = false;
	kept->n_broken = 0;
	kept->ran_at = agent_wall_ms() / 1000;
	kept->began_ms = agent_now_ms();
	agent->running = kept;
	agent_log(LOG_INFO, "an association runs document=" STR_FMT " association=" STR_FMT,
	        STR_ARG(kept->is.name), STR_ARG(kept->is.id));
}

/* Does its document install something? A guess over its text, for the order alone: what waits for
 * an installation must not keep it from being begun. */
static bool installs(const struct kept *kept)
{
	static const char action[] = "aws:configurePackage";
	return kept->content.n > 0 &&
	       memmem(kept->content.p, kept->content.n, action, sizeof(action) - 1) != NULL;
}

static bool may_begin(const struct agent *agent, struct kept *kept, int64_t now, int64_t wall)
{
	/* A document that is not at hand has to wait for the server. */
	return kept->not_before_ms <= now && due_ms(kept, wall) == 0 &&
	       (kept->content.n > 0 || !agent_is_away(agent));
}

/* The next one to begin: what installs comes first, then the order of the list. */
static struct kept *choose(struct agent *agent)
{
	int64_t now = agent_now_ms(), wall = agent_wall_ms();
	struct kept *first = NULL;
	for (size_t i = 0; i < agent->n_kept; i++) {
		struct kept *kept = &agent->kept[i];
		struct err err = { 0 };
		if (!may_begin(agent, kept, now, wall))
			continue;
		int r = ask_document(agent, kept, &err);
		if (r < 0)
			put_off(agent, kept, r, &err);
		else if (installs(kept))
			return kept;
		else if (!first)
			first = kept;
	}
	return first;
}

void rounds_start(struct agent *agent)
{
	while (agent->jobs[SLOT_ASSOCIATION].pid == 0) {
		struct kept *kept = choose(agent);
		if (!kept)
			return;
		begin(agent, kept);
	}
}

static void tell_compliance(struct agent *agent, const struct kept *kept, str status)
{
	autobuf body = BUF(65536);
	autobuf key = BUF(256);
	words_compliance(
	        &kept->is, str_from_c(agent->service.instance), status, agent_wall_ms(), &body);
	buf_printf(&key, "compliance/" STR_FMT, STR_ARG(kept->is.id));
	if (!buf_failed(&body))
		agent_tell(agent, buf_str(&key), "AmazonSSM.PutComplianceItems", buf_str(&body));
}

void rounds_ended(struct agent *agent)
{
	struct arena arena = ARENA((size_t)32 << 20);
	struct job *job = &agent->jobs[SLOT_ASSOCIATION];
	struct kept *kept = agent->running;
	autobuf summary = BUF(65536);
	const struct value *said = NULL;
	(void)reader_json(buf_str(&job->said), &arena, &said, NULL);
	str status = value_get_str(said, STR("Status"));
	if (status.n == 0)
		status = STR("Failed");
	bool is_good = str_eq(status, STR("Success")) || str_eq(status, STR("Skipped"));
	words_summary(said, &summary);
	/* What the service is told is not to be run again because of what it said before. */
	kept->is.detailed_status = STR("Done");
	kept->is.last_at = kept->ran_at;
	report(agent, kept, status, buf_str(&summary),
	        is_good ? (str){ "", 0 } : STR("ExecutionError"), true);
	tell_compliance(agent, kept, status);
	agent->n_failed += !is_good;
	agent_log(is_good ? LOG_INFO : LOG_WARNING,
	        "an association ended status=" STR_FMT " association=" STR_FMT " summary=" STR_FMT,
	        STR_ARG(status), STR_ARG(kept->is.id), STR_ARG(str_head(buf_str(&summary), 400)));
	str id = { NULL, 0 };
	if (arena_copy(&arena, kept->is.id, &id) < 0)
		id = (str){ NULL, 0 }; /* its folder goes with the next start */
	agent->running = NULL;
	bool is_refresh = value_get_bool(said, STR("IsRefresh"), false);
	if (is_refresh || kept->is_changed)
		rounds_ask(
		        agent, is_refresh ? value_get(said, STR("Refresh")) : NULL, kept->began_ms);
	job_end(job, &agent->state, id);
	arena_fini(&arena);
}

void rounds_ask(struct agent *agent, const struct value *ids, int64_t asked_ms)
{
	struct err err = { 0 };
	if (rounds_list(agent, &err) < 0) {
		agent_log(LOG_WARNING, "%s", err.text);
		agent->list_at_ms = 0;
		return;
	}
	for (size_t i = 0; i < agent->n_kept; i++) {
		struct kept *kept = &agent->kept[i];
		for (size_t k = 0; k < value_count(ids); k++) {
			if (kept->began_ms <= asked_ms &&
			        str_eq(kept->is.id, value_str(value_at(ids, k)))) {
				kept->is_asked = true;
				kept->not_before_ms = 0;
			}
		}
	}
}

void rounds_fini(struct agent *agent)
{
	for (size_t i = 0; i < agent->n_kept; i++)
		forget(&agent->kept[i]);
	agent->n_kept = 0;
}
