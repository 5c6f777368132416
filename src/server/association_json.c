/* SPDX-License-Identifier: Apache-2.0 */
#include "server/association_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/document.h"
#include "server/ssm.h"

const char *const association_members[] = { "Name", "InstanceId", "DocumentVersion", "Parameters",
	"Targets", "ScheduleExpression", "OutputLocation", "AssociationName", "MaxErrors",
	"MaxConcurrency", "ComplianceSeverity", "SyncCompliance", "ApplyOnlyAtCronInterval",
	"CalendarNames", "ScheduleOffset", "Duration", "Tags", "AlarmConfiguration",
	"AssociationDispatchAssumeRole", NULL };

/* What an AssociationDescription shows of these. */
static const char *const described[] = { "Name", "InstanceId", "Parameters", "Targets",
	"ScheduleExpression", "OutputLocation", "AssociationName", "MaxErrors", "MaxConcurrency",
	"ComplianceSeverity", "SyncCompliance", "ApplyOnlyAtCronInterval", "CalendarNames",
	"ScheduleOffset", "Duration", "AlarmConfiguration", "AssociationDispatchAssumeRole", NULL };

void write_version(struct json_writer *w, const char *key, int64_t version)
{
	char text[24];
	(void)snprintf(text, sizeof text, "%" PRId64, version);
	json_write_member_str(w, key, str_from_c(text));
}

void association_write_members(
        struct json_writer *w, const struct association *association, const char *const *names)
{
	str version = association_str(association, "DocumentVersion");
	write_members(w, &association->spec, names);
	json_write_member_str(w, "DocumentVersion", version.n > 0 ? version : STR("$DEFAULT"));
}

bool association_is_seen(struct request *request, const struct association *association)
{
	if (request->caller.role != ROLE_HOST)
		return true;
	fleet_lock(request->server->fleet);
	const struct fleet_host *host =
	        fleet_host_at(request->server->fleet, request->caller.host_number);
	bool is_seen = host && association_has(association, host);
	fleet_unlock(request->server->fleet);
	return is_seen;
}

/* By document and host: only an association made so, without targets. */
static int find_by_name(struct request *request, str name, str id, struct association *ret)
{
	struct association *all = NULL;
	size_t n = 0;
	int r = association_list(
	        request->server, request->caller.account, request->arena, &all, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		str own = association_str(&all[i], "InstanceId");
		if (own.n > 0 && str_eq(host_digits(own), host_digits(id)) &&
		        str_eq(document_name(association_str(&all[i], "Name")),
		                document_name(name))) {
			*ret = all[i];
			return 0;
		}
	}
	return r < 0 ? r : -ENOENT;
}

int association_asked(struct request *request, struct response *response, struct association *ret)
{
	str id = value_get_str(request->in, STR("AssociationId"));
	str name = value_get_str(request->in, STR("Name"));
	str host = value_get_str(request->in, STR("InstanceId"));
	int r = -ENOENT;

	if (id.n > 0)
		r = association_get(
		        request->server, request->caller.account, id, request->arena, ret);
	else if (name.n > 0 && host_digits(host).n > 0)
		r = find_by_name(request, name, host, ret);
	if (r == -ENOENT || (r == 0 && !association_is_seen(request, ret)))
		return response_fail(response, "AssociationDoesNotExist",
		        "There is no such association in this account; it is named by its "
		        "AssociationId, or by Name and InstanceId.");
	return r;
}

void association_write_overview(struct json_writer *w, const struct association_tally *tally)
{
	str word = association_tally_status(tally);
	json_write_key(w, "Overview");
	json_write_object(w);
	json_write_member_str(w, "Status", word);
	json_write_member_str(w, "DetailedStatus", word);
	association_tally_write(w, "AssociationStatusAggregatedCount", tally);
	json_write_object_end(w);
}

int association_write_description(struct request *request, struct json_writer *w, const char *key,
        const struct association *association)
{
	struct association_tally tally = { 0 };
	int64_t last_at = 0, success_at = 0;
	int r = association_tally_all(request->server, request->caller.account, association, 1,
	        &tally, &last_at, &success_at);
	if (r < 0)
		return r;
	if (key)
		json_write_key(w, key);
	json_write_object(w);
	json_write_member_str(w, "AssociationId", association->id);
	write_version(w, "AssociationVersion", association->version);
	write_time(w, "Date", association->created_at);
	write_time(w, "LastUpdateAssociationDate", association->updated_at);
	association_write_members(w, association, described);
	association_write_overview(w, &tally);
	write_time(w, "LastExecutionDate", last_at);
	write_time(w, "LastSuccessfulExecutionDate", success_at);
	json_write_object_end(w);
	return 0;
}
