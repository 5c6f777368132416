/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, changing, starting and deleting associations.
 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association_json.h"
#include "server/document.h"
#include "ssm/schedule.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* ---- checking ---- */

static int check_document(
        struct request *request, struct response *response, const struct value *spec)
{
	str name = value_get_str(spec, STR("Name"));
	struct document document = { 0 };
	struct document_info info = { 0 };
	struct err err = { 0 };

	int r = document_find(request->server, request->caller.account, name,
	        value_get_str(spec, STR("DocumentVersion")), none, request->arena, &document);
	if (r == -ENOENT || (r == 0 && str_eq(document.type, STR("Package"))))
		return response_fail(response, "InvalidDocument",
		        "There is no document " STR_FMT " that an association can run.",
		        STR_ARG(str_head(name, 200)));
	if (r == -ESRCH)
		return response_fail(response, "InvalidDocumentVersion",
		        "Document " STR_FMT " has no such version.", STR_ARG(str_head(name, 200)));
	if (r == 0)
		r = document_info(&document, request->arena, &info, &err);
	if (r == 0)
		r = document_check_values(
		        &info, value_get(spec, STR("Parameters")), request->arena, &err);
	return r == -ERR_FORMAT ? response_fail(response, "InvalidParameters", "%s", err.text) : r;
}

static int check_targets(
        struct request *request, struct response *response, const struct value *spec)
{
	const struct value *targets = value_get(spec, STR("Targets"));
	str id = value_get_str(spec, STR("InstanceId"));
	struct err err = { 0 };
	struct host_ref host;

	if (value_count(value_get(request->in, STR("TargetLocations"))) > 0)
		return response_fail(response, "InvalidTarget",
		        "This server knows no TargetLocations: associations are of one account.");
	if (value_count(value_get(request->in, STR("TargetMaps"))) > 0)
		return response_fail(response, "InvalidTargetMaps",
		        "This server runs no automations, which TargetMaps are for.");
	if ((id.n > 0) == (value_count(targets) > 0))
		return response_fail(response, "InvalidTarget",
		        "An association has either Targets or an InstanceId.");
	if (id.n > 0)
		return request_host(request, response, id, &host);
	if (targets_check(targets, &err) < 0)
		return response_fail(response, "InvalidTarget", "%s", err.text);
	return 0;
}

static int check_schedule(struct response *response, const struct value *spec)
{
	str text = value_get_str(spec, STR("ScheduleExpression"));
	bool is_only = value_get_bool(spec, STR("ApplyOnlyAtCronInterval"), false);
	struct schedule schedule = { .kind = SCHEDULE_RATE };
	struct err err = { 0 };

	if (text.n > 0 && schedule_read(text, &schedule, &err) < 0)
		return response_fail(response, "InvalidSchedule", "%s", err.text);
	if (is_only && schedule.kind != SCHEDULE_CRON)
		return response_fail(response, "InvalidSchedule",
		        "ApplyOnlyAtCronInterval needs a cron expression.");
	if (value_get(spec, STR("ScheduleOffset")) && !is_only)
		return response_fail(response, "InvalidSchedule",
		        "ScheduleOffset needs a cron expression and ApplyOnlyAtCronInterval.");
	return 0;
}

static int check_spec(struct request *request, struct response *response, const struct value *spec)
{
	int r = check_document(request, response, spec);
	if (r == 0)
		r = check_targets(request, response, spec);
	return r < 0 ? r : check_schedule(response, spec);
}

/* ---- making ---- */

/* The members of `in` that say what to do; where one is not there, those of `before`, as far as
 * `keeps` lists them. */
static int make_spec(struct request *request, const struct value *in, const struct value *before,
        const char *const *keeps, struct value *ret)
{
	struct value_member members[32];
	size_t n = 0;
	for (size_t i = 0; association_members[i]; i++) {
		str name = str_from_c(association_members[i]);
		const struct value *v = value_get(in, name);
		for (size_t k = 0; !v && keeps && keeps[k]; k++) {
			if (str_eq(name, str_from_c(keeps[k])))
				v = value_get(before, name);
		}
		if (v)
			members[n++] = (struct value_member){ name, *v };
	}
	return value_of_members(request->arena, members, n, ret);
}

static bool runs_at_once(const struct association *association)
{
	return !value_get_bool(&association->spec, STR("ApplyOnlyAtCronInterval"), false);
}

static int check_new(
        struct request *request, struct response *response, const struct association *association)
{
	struct association *all = NULL;
	size_t n = 0;
	str id = association_str(association, "InstanceId");
	str name = association_str(association, "Name");
	int r = association_list(
	        request->server, request->caller.account, request->arena, &all, &n);
	if (r < 0)
		return r;
	if (n >= ASSOCIATIONS_MAX)
		return response_fail(response, "AssociationLimitExceeded",
		        "An account has at most %d associations.", ASSOCIATIONS_MAX);
	for (size_t i = 0; id.n > 0 && i < n; i++) {
		if (str_eq(host_digits(association_str(&all[i], "InstanceId")), host_digits(id)) &&
		        str_eq(association_str(&all[i], "Name"), name))
			return response_fail(response, "AssociationAlreadyExists",
			        "The document is associated with this managed node already.");
	}
	return 0;
}

/* Under account_lock(). */
static int create(struct request *request, struct response *response, const struct value *in,
        struct association *ret)
{
	struct association made = {
		.version = 1, .created_at = request->now_at, .updated_at = request->now_at
	};
	struct object_change changes[3];
	char id[37];
	size_t n = 2;

	int r = make_spec(request, in, NULL, NULL, &made.spec);
	if (r == 0)
		r = check_spec(request, response, &made.spec);
	if (r == 0)
		r = check_new(request, response, &made);
	if (r == 0)
		r = uuid_make(id);
	if (r == 0)
		r = arena_copy(request->arena, str_from_c(id), &made.id);
	if (r == 0 && runs_at_once(&made))
		r = association_ask(request->caller.account, &made, request->now_at, request->arena,
		        &changes[n++]);
	if (r == 0)
		r = association_changes(
		        request->caller.account, &made, true, request->arena, changes);
	if (r == 0)
		r = request_commit(request, changes, n, "CreateAssociation", made.id);
	if (r == 0)
		*ret = made;
	return r;
}

/* The association is durable: that its hosts look again at once is a courtesy. */
static void wake(struct request *request, const struct association *association)
{
	if (runs_at_once(association))
		(void)association_wake(
		        request->server, request->caller.account, association, request->arena);
}

int api_association_create(struct request *request, struct response *response)
{
	struct association made;
	account_lock(request->server, request->caller.account);
	int r = create(request, response, request->in, &made);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	wake(request, &made);
	return association_write_description(
	        request, &response->json, "AssociationDescription", &made);
}

static void write_failure(struct json_writer *w, const struct value *entry, str message)
{
	json_write_object(w);
	write_value(w, "Entry", entry);
	json_write_member_str(w, "Message", message);
	json_write_member_str(w, "Fault", STR("Client"));
	json_write_object_end(w);
}

int api_association_create_batch(struct request *request, struct response *response)
{
	const struct value *entries = value_get(request->in, STR("Entries"));
	size_t n = value_count(entries);
	struct association made;
	autobuf failed = BUF(DRAFT_MAX_BYTES);
	struct json_writer failures = JSON_WRITER(&failed, false);
	int r = 0;

	json_write_array(&failures);
	json_write_key(&response->json, "Successful");
	json_write_array(&response->json);
	for (size_t i = 0; i < n; i++) {
		account_lock(request->server, request->caller.account);
		r = create(request, response, value_at(entries, i), &made);
		account_unlock(request->server, request->caller.account);
		if (r == -RESPONSE_FAILED) {
			write_failure(&failures, value_at(entries, i), response->message);
			response->is_failed = false;
			continue;
		}
		if (r == 0) {
			wake(request, &made);
			r = association_write_description(request, &response->json, NULL, &made);
		}
		if (r < 0)
			return r;
	}
	json_write_array_end(&response->json);
	json_write_array_end(&failures);
	const struct value *all = NULL;
	r = buf_failed(&failed) ? -ERR_LIMIT
	                        : value_from_json(buf_str(&failed), request->arena, &all, NULL);
	if (r == 0)
		write_value(&response->json, "Failed", all);
	return r;
}

/* ---- changing ---- */

/* What stays when a request does not name it. As with Amazon, everything else that is left out is
 * taken away; of the associations that the server itself made, nothing is. */
static const char *const kept[] = { "Name", "InstanceId", "Targets", "DocumentVersion", "Tags",
	NULL };

static int check_version(struct response *response, const struct association *before, str asked)
{
	uint64_t version = 0;
	if (asked.n == 0 || str_eq(asked, STR("$LATEST")))
		return 0;
	if (!str_to_u64(asked, INT64_MAX, &version) || (int64_t)version > before->version)
		return response_fail(response, "InvalidAssociationVersion",
		        "The association has no such version.");
	if ((int64_t)version != before->version)
		return response_fail(response, "InvalidUpdate",
		        "Only the latest version of an association can be updated.");
	return 0;
}

static int update(struct request *request, struct response *response, struct association *ret)
{
	struct association made = { 0 };
	struct object_change changes[3];
	size_t n = 2;

	int r = association_asked(request, response, &made);
	if (r == 0)
		r = check_version(
		        response, &made, value_get_str(request->in, STR("AssociationVersion")));
	if (r == 0 && made.version >= ASSOCIATION_VERSIONS_MAX)
		return response_fail(response, "AssociationVersionLimitExceeded",
		        "An association has at most %d versions.", ASSOCIATION_VERSIONS_MAX);
	struct value before = made.spec;
	if (r == 0)
		r = make_spec(request, request->in, &before,
		        made.is_builtin ? association_members : kept, &made.spec);
	if (r == 0)
		r = check_spec(request, response, &made.spec);
	if (r < 0)
		return r;
	made.version++;
	made.updated_at = request->now_at;
	if (runs_at_once(&made))
		r = association_ask(request->caller.account, &made, request->now_at, request->arena,
		        &changes[n++]);
	if (r == 0)
		r = association_changes(
		        request->caller.account, &made, false, request->arena, changes);
	if (r == 0)
		r = request_commit(request, changes, n, "UpdateAssociation", made.id);
	if (r == 0)
		*ret = made;
	return r;
}

int api_association_update(struct request *request, struct response *response)
{
	struct association made;
	account_lock(request->server, request->caller.account);
	int r = update(request, response, &made);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	wake(request, &made);
	return association_write_description(
	        request, &response->json, "AssociationDescription", &made);
}

/* The old interface of agents: one document, one host. */
static int update_status(
        struct request *request, struct response *response, struct association *ret)
{
	const struct value *status = value_get(request->in, STR("AssociationStatus"));
	struct association_report report = { .now_at = request->now_at };
	struct association_state state = { 0 };
	struct host_ref host;
	struct err err = { 0 };

	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), &host);
	if (r == 0)
		r = association_asked(request, response, ret);
	if (r < 0)
		return r;
	report.association = ret;
	report.host_id = str_from_c(host.id);
	report.summary = value_get_str(status, STR("Message"));
	report.at = value_get_time(status, STR("Date"));
	if (!run_status_parse(value_get_str(status, STR("Name")), &report.status))
		return response_fail(response, "ValidationException", "The status is unknown.");
	r = association_state_get(
	        request->server, host.account, report.host_id, request->arena, &state);
	if (r < 0)
		return r;
	const struct association_run *run = association_run_of(&state, ret->id);
	if (run && run->at == report.at && run->status == report.status)
		return response_fail(
		        response, "StatusUnchanged", "The association has this status already.");
	return association_reported(request->server, host.account, &report, request->arena, &err);
}

int api_association_update_status(struct request *request, struct response *response)
{
	struct association association;
	account_lock(request->server, request->caller.account);
	int r = update_status(request, response, &association);
	account_unlock(request->server, request->caller.account);
	return r < 0 ? r
	             : association_write_description(
	                       request, &response->json, "AssociationDescription", &association);
}

/* ---- deleting and starting ---- */

int api_association_delete(struct request *request, struct response *response)
{
	struct association association;
	struct err err = { 0 };
	account_lock(request->server, request->caller.account);
	int r = association_asked(request, response, &association);
	/* The audit entry comes with an empty change: the deletion is several. */
	if (r == 0)
		r = request_commit(request, NULL, 0, "DeleteAssociation", association.id);
	if (r == 0)
		r = association_delete(
		        request->server, request->caller.account, association.id, &err);
	account_unlock(request->server, request->caller.account);
	return r;
}

enum { START_MAX = 10 };

/* Under account_lock(): all of them, or none. */
static int start(
        struct request *request, struct response *response, struct association *all, size_t n)
{
	const struct value *ids = value_get(request->in, STR("AssociationIds"));
	struct object_change changes[2 * START_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		str id = value_str(value_at(ids, i));
		for (size_t k = 0; k < i; k++) {
			if (str_eq(all[k].id, id))
				return response_fail(response, "InvalidAssociation",
				        "An association is named twice.");
		}
		r = association_get(
		        request->server, request->caller.account, id, request->arena, &all[i]);
		if (r == -ENOENT)
			return response_fail(response, "AssociationDoesNotExist",
			        "There is no association " STR_FMT " in this account.",
			        STR_ARG(str_head(id, 64)));
		if (r == 0)
			r = association_ask(request->caller.account, &all[i], request->now_at,
			        request->arena, &changes[2 * i]);
		if (r == 0)
			r = association_write(request->caller.account, &all[i], request->arena,
			        &changes[2 * i + 1]);
	}
	return r < 0 ? r
	             : request_commit(request, changes, 2 * n, "StartAssociationsOnce",
	                       n > 0 ? all[0].id : none);
}

int api_association_start(struct request *request, struct response *response)
{
	struct association all[START_MAX];
	struct err err = { 0 };
	size_t n = value_count(value_get(request->in, STR("AssociationIds")));
	if (n > START_MAX)
		return response_fail(response, "InvalidAssociation",
		        "At most %d associations are started at once.", START_MAX);
	account_lock(request->server, request->caller.account);
	int r = start(request, response, all, n);
	for (size_t i = 0; r == 0 && i < n; i++)
		(void)execution_tidy(
		        request->server, request->caller.account, all[i].id, request->now_at, &err);
	account_unlock(request->server, request->caller.account);
	for (size_t i = 0; r == 0 && i < n; i++)
		(void)association_wake(
		        request->server, request->caller.account, &all[i], request->arena);
	return r;
}
