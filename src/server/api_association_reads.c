/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at associations, their versions and how they went.
 */
#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association_json.h"
#include "server/document.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

static int version_name(struct request *request, str id, int64_t version, str *ret)
{
	return arena_printf(
	        request->arena, ret, STR_FMT "/%010lld", STR_ARG(id), (long long)version);
}

/* Take the specification of an older version. */
static int take_version(struct request *request, struct response *response, str asked,
        struct association *association)
{
	const struct value *v = NULL;
	uint64_t version = 0;
	str name;
	int r = -ENOENT;

	if (asked.n == 0 || str_eq(asked, STR("$LATEST")))
		return 0;
	if (str_to_u64(asked, INT32_MAX, &version))
		r = version_name(request, association->id, (int64_t)version, &name);
	if (r == 0)
		r = object_get(request->server->objects, request->caller.account,
		        "association-version", name, request->arena, &v);
	if (r == -ENOENT)
		return response_fail(response, "InvalidAssociationVersion",
		        "The association has no version " STR_FMT ".",
		        STR_ARG(str_head(asked, 20)));
	if (r < 0)
		return r;
	association->version = (int64_t)version;
	association->updated_at = value_get_i64(v, STR("Created"), 0);
	association->spec = *value_get(v, STR("Spec"));
	return 0;
}

int api_association_describe(struct request *request, struct response *response)
{
	struct association association;
	int r = association_asked(request, response, &association);
	if (r == 0)
		r = take_version(request, response,
		        value_get_str(request->in, STR("AssociationVersion")), &association);
	return r < 0 ? r
	             : association_write_description(
	                       request, &response->json, "AssociationDescription", &association);
}

/* ---- ListAssociations ---- */

struct listed {
	struct association association;
	struct association_tally tally;
	int64_t last_at;
};

static bool has_host(struct request *request, const struct association *association, str id)
{
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = host_of_caller(request->server, &request->caller, id);
	bool has = host && association_has(association, host);
	fleet_unlock(request->server->fleet);
	return has;
}

static bool fits(struct request *request, const struct listed *item)
{
	const struct value *filters = value_get(request->in, STR("AssociationFilterList"));
	const struct association *a = &item->association;
	for (size_t i = 0; i < value_count(filters); i++) {
		str key = value_get_str(value_at(filters, i), STR("key"));
		str v = value_get_str(value_at(filters, i), STR("value"));
		struct value text = value_of_str(v);
		int64_t ms = 0;
		bool is_fit = false;
		if (str_eq(key, STR("InstanceId")))
			is_fit = has_host(request, a, v);
		else if (str_eq(key, STR("Name")))
			is_fit =
			        str_eq(document_name(association_str(a, "Name")), document_name(v));
		else if (str_eq(key, STR("AssociationId")))
			is_fit = str_eq(a->id, v);
		else if (str_eq(key, STR("AssociationName")))
			is_fit = str_eq(association_str(a, "AssociationName"), v);
		else if (str_eq(key, STR("AssociationStatusName")))
			is_fit = str_eq(association_tally_status(&item->tally), v);
		else if (str_eq(key, STR("LastExecutedBefore")))
			is_fit = timestamp_from_value(&text, &ms) && item->last_at > 0 &&
			         item->last_at < ms / 1000;
		else if (str_eq(key, STR("LastExecutedAfter")))
			is_fit = timestamp_from_value(&text, &ms) && item->last_at > ms / 1000;
		if (!is_fit)
			return false;
	}
	return true;
}

static int make_list(struct request *request, struct listed **ret, size_t *ret_count)
{
	struct association *all = NULL;
	size_t n = 0, kept = 0;
	int r = association_list(
	        request->server, request->caller.account, request->arena, &all, &n);
	if (r < 0)
		return r;
	struct listed *list = arena_alloc(request->arena, n + 1, sizeof *list);
	struct association_tally *tallies = arena_alloc(request->arena, n + 1, sizeof *tallies);
	int64_t *last_at = arena_alloc(request->arena, n + 1, sizeof *last_at);
	if (!list || !tallies || !last_at)
		return -ERR_LIMIT;
	r = association_tally_all(
	        request->server, request->caller.account, all, n, tallies, last_at, NULL);
	for (size_t i = 0; r == 0 && i < n; i++) {
		list[kept] = (struct listed){ all[i], tallies[i], last_at[i] };
		if (association_is_seen(request, &all[i]) && fits(request, &list[kept]))
			kept++;
	}
	*ret = list;
	*ret_count = kept;
	return r;
}

int api_association_list(struct request *request, struct response *response)
{
	static const char *const shown[] = { "Name", "InstanceId", "Targets", "ScheduleExpression",
		"AssociationName", "ScheduleOffset", "Duration", NULL };
	struct json_writer *w = &response->json;
	struct listed *list = NULL;
	size_t n = 0;
	struct list_page page;

	int r = make_list(request, &list, &n);
	if (r == 0)
		r = page_begin(request, response, "Associations", n, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++) {
		json_write_object(w);
		json_write_member_str(w, "AssociationId", list[i].association.id);
		write_version(w, "AssociationVersion", list[i].association.version);
		association_write_members(w, &list[i].association, shown);
		association_write_overview(w, &list[i].tally);
		write_time(w, "LastExecutionDate", list[i].last_at);
		json_write_object_end(w);
	}
	return page_end(response, &page, 0);
}

int api_association_versions(struct request *request, struct response *response)
{
	static const char *const shown[] = { "Name", "Parameters", "Targets", "ScheduleExpression",
		"OutputLocation", "AssociationName", "MaxErrors", "MaxConcurrency",
		"ComplianceSeverity", "SyncCompliance", "ApplyOnlyAtCronInterval", "CalendarNames",
		"ScheduleOffset", "Duration", "AssociationDispatchAssumeRole", NULL };
	struct json_writer *w = &response->json;
	const struct object *objects = NULL;
	struct association association;
	size_t n = 0;
	str prefix;
	struct list_page page;

	int r = association_asked(request, response, &association);
	if (r == 0)
		r = arena_printf(request->arena, &prefix, STR_FMT "/", STR_ARG(association.id));
	if (r == 0)
		r = object_list(request->server->objects, request->caller.account,
		        "association-version", prefix, none, 0, request->arena, &objects, &n);
	if (r == 0)
		r = page_begin(request, response, "AssociationVersions", n, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++) {
		const struct value *v = objects[i].value, *spec = value_get(v, STR("Spec"));
		if (value_kind(spec) != VALUE_OBJECT)
			return -ERR_FORMAT;
		association.spec = *spec;
		json_write_object(w);
		json_write_member_str(w, "AssociationId", association.id);
		write_version(w, "AssociationVersion", value_get_i64(v, STR("Version"), 1));
		write_time(w, "CreatedDate", value_get_i64(v, STR("Created"), 0));
		association_write_members(w, &association, shown);
		json_write_object_end(w);
	}
	return page_end(response, &page, 0);
}

/* ---- rounds ---- */

/* EQUAL, LESS_THAN, GREATER_THAN of two numbers. */
static bool compares(str type, int64_t a, int64_t b)
{
	if (str_eq(type, STR("LESS_THAN")))
		return a < b;
	return str_eq(type, STR("GREATER_THAN")) ? a > b : a == b;
}

static bool round_fits(const struct value *filters, const struct execution *round)
{
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *f = value_at(filters, i);
		str key = value_get_str(f, STR("Key")), v = value_get_str(f, STR("Value"));
		struct value text = value_of_str(v);
		int64_t ms = 0;
		bool is_fit = false;
		if (str_eq(key, STR("ExecutionId")))
			is_fit = str_eq(round->id, v);
		else if (str_eq(key, STR("Status")))
			is_fit = str_eq(association_tally_status(&round->tally), v);
		else if (str_eq(key, STR("CreatedTime")))
			is_fit = timestamp_from_value(&text, &ms) &&
			         compares(value_get_str(f, STR("Type")), round->created_at,
			                 ms / 1000);
		if (!is_fit)
			return false;
	}
	return true;
}

static void write_round(
        struct json_writer *w, const struct association *association, const struct execution *e)
{
	str word = association_tally_status(&e->tally);
	autobuf counts = BUF(1024);
	for (int i = 0; i < RUN_N_STATUSES; i++) {
		str status = run_status_text((enum run_status)i);
		if (e->tally.counts[i] > 0)
			buf_printf(&counts, "%s" STR_FMT "=%lld", counts.n > 0 ? ", " : "",
			        STR_ARG(status), (long long)e->tally.counts[i]);
	}
	json_write_object(w);
	json_write_member_str(w, "AssociationId", association->id);
	write_version(w, "AssociationVersion", e->version);
	json_write_member_str(w, "ExecutionId", e->id);
	json_write_member_str(w, "Status", word);
	json_write_member_str(w, "DetailedStatus", word);
	write_time(w, "CreatedTime", e->created_at);
	write_time(w, "LastExecutionDate", e->last_at);
	json_write_key(w, "ResourceCountByStatus");
	autobuf text = BUF(1100);
	buf_printf(&text, "{" STR_FMT "}", STR_ARG(buf_str(&counts)));
	json_write_str(w, buf_str(&text));
	json_write_object_end(w);
}

int api_association_executions(struct request *request, struct response *response)
{
	const struct value *filters = value_get(request->in, STR("Filters"));
	struct association association;
	struct execution *rounds = NULL;
	uint64_t *due = NULL;
	size_t n = 0, n_due = 0, kept = 0;
	struct list_page page;

	int r = association_asked(request, response, &association);
	if (r == 0)
		r = execution_list(request->server, request->caller.account, association.id,
		        request->arena, &rounds, &n);
	if (r == 0)
		r = association_due_hosts(request->server, request->caller.account, &association,
		        request->arena, &due, &n_due);
	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (str_eq(rounds[i].id, association.execution))
			rounds[i].tally.counts[RUN_PENDING] += (int64_t)n_due;
		if (round_fits(filters, &rounds[i]))
			rounds[kept++] = rounds[i];
	}
	r = page_begin(request, response, "AssociationExecutions", kept, 50, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_round(&response->json, &association, &rounds[i]);
	return page_end(response, &page, 0);
}

/* ---- the hosts of a round ---- */

/* A page of a round's hosts: first those with a row, in the order of their ids, then those that are
 * still to come. The mark of a page is where it ended: "r<id>" or "d<number>". */
struct hosts_page {
	struct request *request;
	struct json_writer *w;
	const struct association *association;
	const struct execution *round;
	size_t n, most;
	bool is_due_part;
	str after;             /* of the rows */
	uint64_t after_number; /* of those to come */
};

static bool row_fits(struct hosts_page *page, str shown, str status)
{
	const struct value *filters = value_get(page->request->in, STR("Filters"));
	for (size_t i = 0; i < value_count(filters); i++) {
		str key = value_get_str(value_at(filters, i), STR("Key"));
		str v = value_get_str(value_at(filters, i), STR("Value"));
		if (str_eq(key, STR("Status")) ? !str_eq(status, v)
		        : str_eq(key, STR("ResourceId"))
		                ? !str_eq(host_digits(shown), host_digits(v))
		                : !str_eq(v, STR("ManagedInstance")))
			return false;
	}
	return true;
}

static void add_row(struct hosts_page *page, str shown, str status, int64_t at)
{
	struct json_writer *w = page->w;
	if (!row_fits(page, shown, status))
		return;
	json_write_object(w);
	json_write_member_str(w, "AssociationId", page->association->id);
	write_version(w, "AssociationVersion", page->round->version);
	json_write_member_str(w, "ExecutionId", page->round->id);
	json_write_member_str(w, "ResourceId", shown);
	json_write_member_str(w, "ResourceType", STR("ManagedInstance"));
	json_write_member_str(w, "Status", status);
	json_write_member_str(w, "DetailedStatus", status);
	write_time(w, "LastExecutionDate", at);
	json_write_object_end(w);
	page->n++;
}

/* How a host is shown; "mi-<id>" when it is gone. */
static struct host_text shown_host(struct server *server, str id)
{
	struct host_text text = { "" };
	fleet_lock(server->fleet);
	const struct fleet_host *host = fleet_host_find(server->fleet, id);
	if (host)
		text = host_ssm_id(host);
	fleet_unlock(server->fleet);
	if (text.text[0] == '\0')
		(void)snprintf(text.text, sizeof text.text, "mi-" STR_FMT, STR_ARG(id));
	return text;
}

/* Rows until the page is full; then is_due_part stays false. */
static int add_rows(struct hosts_page *page)
{
	enum { PIECE = 200 };
	struct request *request = page->request;
	str prefix;
	int r = arena_printf(request->arena, &prefix, STR_FMT "/", STR_ARG(page->round->id));
	while (r == 0 && page->n < page->most) {
		struct arena arena = ARENA((size_t)16 << 20);
		const struct object *rows = NULL;
		size_t n = 0, i;
		r = object_list(request->server->objects, request->caller.account,
		        "execution-target", prefix, page->after, PIECE, &arena, &rows, &n);
		for (i = 0; r == 0 && i < n && page->n < page->most; i++) {
			str id = str_skip(rows[i].name, prefix.n);
			struct host_text shown = shown_host(request->server, id);
			add_row(page, str_from_c(shown.text),
			        value_get_str(rows[i].value, STR("Status")),
			        value_get_i64(rows[i].value, STR("At"), 0));
			r = arena_copy(request->arena, rows[i].name, &page->after);
		}
		arena_fini(&arena);
		if (r == 0 && i == n && n < PIECE) {
			page->is_due_part = true;
			break;
		}
	}
	return r;
}

static int add_due(struct hosts_page *page, bool *ret_is_end)
{
	struct request *request = page->request;
	uint64_t *due = NULL;
	size_t n = 0, i = 0;

	*ret_is_end = true;
	if (!str_eq(page->round->id, page->association->execution))
		return 0;
	int r = association_due_hosts(request->server, request->caller.account, page->association,
	        request->arena, &due, &n);
	for (; r == 0 && i < n && page->n < page->most; i++) {
		struct host_text shown = { "" };
		if (due[i] <= page->after_number)
			continue;
		fleet_lock(request->server->fleet);
		const struct fleet_host *host = fleet_host_at(request->server->fleet, due[i]);
		if (host)
			shown = host_ssm_id(host);
		fleet_unlock(request->server->fleet);
		page->after_number = due[i];
		if (host)
			add_row(page, str_from_c(shown.text), STR("Pending"), 0);
	}
	*ret_is_end = i == n;
	return r;
}

static int read_mark(struct hosts_page *page, struct response *response)
{
	str mark = none;
	int r = token_read(page->request, STR("NextToken"), &mark);
	bool is_good = r == 0;
	if (is_good && str_has_prefix(mark, STR("d"))) {
		page->is_due_part = true;
		is_good = str_to_u64(str_skip(mark, 1), UINT32_MAX, &page->after_number);
	} else if (is_good) {
		page->after = str_skip(mark, 1);
	}
	return is_good ? 0
	               : response_fail(response, "InvalidNextToken",
	                         "The NextToken is not one that this operation gave.");
}

static int write_page(struct hosts_page *page, struct response *response)
{
	bool is_end = false;
	str mark, token;

	int r = read_mark(page, response);
	if (r < 0)
		return r;
	json_write_key(page->w, "AssociationExecutionTargets");
	json_write_array(page->w);
	if (!page->is_due_part)
		r = add_rows(page);
	if (r == 0 && page->is_due_part)
		r = add_due(page, &is_end);
	json_write_array_end(page->w);
	if (r < 0 || is_end)
		return r;
	if (page->is_due_part)
		r = arena_printf(page->request->arena, &mark, "d%llu",
		        (unsigned long long)page->after_number);
	else
		r = arena_printf(page->request->arena, &mark, "r" STR_FMT, STR_ARG(page->after));
	if (r == 0)
		r = token_make(page->request, mark, &token);
	if (r == 0)
		write_text(page->w, "NextToken", token);
	return r;
}

int api_association_execution_targets(struct request *request, struct response *response)
{
	str id = value_get_str(request->in, STR("ExecutionId"));
	struct association association;
	struct execution *rounds = NULL;
	size_t n = 0;

	int r = association_asked(request, response, &association);
	if (r == 0)
		r = execution_list(request->server, request->caller.account, association.id,
		        request->arena, &rounds, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!str_eq(rounds[i].id, id))
			continue;
		struct hosts_page page = { .request = request,
			.w = &response->json,
			.association = &association,
			.round = &rounds[i],
			.most = (size_t)value_get_i64(request->in, STR("MaxResults"), 50) };
		return write_page(&page, response);
	}
	return r < 0 ? r
	             : response_fail(response, "AssociationExecutionDoesNotExist",
	                       "The association has no such execution, or it is no longer kept.");
}

/* ---- the associations of a host ---- */

/* Those that target a host, with its last runs. */
static int of_host(struct request *request, struct response *response, struct host_ref *host,
        struct association **ret, size_t *ret_count, struct association_state *state)
{
	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), host);
	if (r == 0)
		r = association_list_of(request->server, host->account, host->number,
		        request->arena, ret, ret_count);
	if (r == 0)
		r = association_state_get(request->server, host->account, str_from_c(host->id),
		        request->arena, state);
	return r;
}

int api_association_effective(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct association_state state;
	struct association *all = NULL;
	struct host_ref host;
	size_t n = 0;
	struct list_page page;

	int r = of_host(request, response, &host, &all, &n, &state);
	if (r == 0)
		r = page_begin(request, response, "Associations", n, 5, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++) {
		struct document document = { 0 };
		r = document_find(request->server, host.account, association_str(&all[i], "Name"),
		        association_str(&all[i], "DocumentVersion"), none, request->arena,
		        &document);
		json_write_object(w);
		json_write_member_str(w, "AssociationId", all[i].id);
		json_write_member_str(w, "InstanceId", str_from_c(host.shown.text));
		if (r == 0)
			json_write_member_str(w, "Content", document.content);
		write_version(w, "AssociationVersion", all[i].version);
		json_write_object_end(w);
	}
	return page_end(response, &page, 0);
}

static void write_status(struct json_writer *w, const struct association *a,
        const struct association_run *run, str shown)
{
	str status = run_status_text(association_status(a, run));
	str version = association_str(a, "DocumentVersion");
	json_write_object(w);
	json_write_member_str(w, "AssociationId", a->id);
	json_write_member_str(w, "Name", association_str(a, "Name"));
	json_write_member_str(w, "DocumentVersion", version.n > 0 ? version : STR("$DEFAULT"));
	write_version(w, "AssociationVersion", a->version);
	json_write_member_str(w, "InstanceId", shown);
	json_write_member_str(w, "Status", status);
	json_write_member_str(w, "DetailedStatus", status);
	write_text(w, "AssociationName", association_str(a, "AssociationName"));
	if (run) {
		write_time(w, "ExecutionDate", run->at);
		write_text(w, "ExecutionSummary", run->summary);
		write_text(w, "ErrorCode", run->code);
	}
	if (run && run->output.n > 0) {
		json_write_key(w, "OutputUrl");
		json_write_object(w);
		json_write_key(w, "S3OutputUrl");
		json_write_object(w);
		json_write_member_str(w, "OutputUrl", run->output);
		json_write_object_end(w);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

int api_association_host_status(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct association_state state;
	struct association *all = NULL;
	struct host_ref host;
	size_t n = 0;
	struct list_page page;

	int r = of_host(request, response, &host, &all, &n, &state);
	if (r == 0)
		r = page_begin(request, response, "InstanceAssociationStatusInfos", n, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_status(w, &all[i], association_run_of(&state, all[i].id),
		        str_from_c(host.shown.text));
	return page_end(response, &page, 0);
}
