/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent of a host calls about itself: its credentials, its signs of life, what it is to
 * run and how that went. The operations are not in Amazon's public model.
 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association.h"
#include "server/association_json.h"
#include "server/clone.h"
#include "server/document.h"
#include "server/keys.h"
#include "server/package.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* ---- credentials ---- */

/* The identity of the calling host; its fingerprint has to be the one that it enrolled with, so
 * that a copied disk is not another machine's twin. */
static int own_identity(
        struct request *request, struct response *response, struct host_identity *ret)
{
	int r = host_identity_get(request->server, request->caller.account,
	        str_from_c(request->caller.host_id), request->arena, ret);
	if (r == -ENOENT)
		return response_fail(response, "AccessDeniedException",
		        "The managed node has not registered a key.");
	return r;
}

int api_agent_token(struct request *request, struct response *response)
{
	str fingerprint = value_get_str(request->in, STR("Fingerprint"));
	struct session session = { .role = ROLE_HOST,
		.account = request->caller.account,
		.expires_at = request->now_at + HOST_SESSION_S };
	struct host_identity identity;
	struct session_keys keys;
	struct host_ref host;

	int r = own_identity(request, response, &identity);
	if (r < 0)
		return r;
	if (!crypto_is_equal(fingerprint, identity.fingerprint)) {
		clone_note(request, identity.id, CLONE_REFUSED);
		return response_fail(response, "MachineFingerprintDoesNotMatch",
		        "The fingerprint is another than at registration: register this machine "
		        "anew.");
	}
	str id = str_from_c(request->caller.host_id), name;
	r = arena_printf(request->arena, &name, "mi-" STR_FMT, STR_ARG(id));
	if (r == 0)
		r = request_self(request, response, name, "AccessDeniedException", &host);
	if (r < 0)
		return r;
	memcpy(session.host_id, request->caller.host_id, sizeof session.host_id);
	r = session_make(request->server, &session, request->arena, &keys);
	if (r < 0)
		return r;
	json_write_member_str(&response->json, "AccessKeyId", keys.id);
	json_write_member_str(&response->json, "SecretAccessKey", keys.secret);
	json_write_member_str(&response->json, "SessionToken", keys.token);
	write_time(&response->json, "TokenExpirationDate", keys.expires_at);
	write_flag(&response->json, "UpdateKeyPair", identity.must_rotate);
	return 0;
}

int api_agent_update_key(struct request *request, struct response *response)
{
	str key = value_get_str(request->in, STR("NewPublicKey"));
	str type = value_get_str(request->in, STR("NewPublicKeyType"));
	struct host_identity identity;
	struct object_change change;

	if (!str_eq_nocase(type, STR("Rsa")))
		return response_fail(
		        response, "ValidationException", "The NewPublicKeyType is Rsa.");
	int r = crypto_rsa_check(request->server->crypto, key);
	if (r == -ERR_FORMAT)
		return response_fail(response, "ValidationException",
		        "The NewPublicKey is not the base64 of an RSA key of 2048 to 8192 bits.");
	if (r < 0)
		return r;
	account_lock(request->server, request->caller.account);
	r = own_identity(request, response, &identity);
	identity.public_key = key;
	identity.must_rotate = false;
	if (r == 0)
		r = host_identity_change(&identity, request->arena, &change);
	if (r == 0)
		r = request_commit(request, &change, 1, "UpdateManagedInstancePublicKey",
		        str_from_c(identity.id));
	account_unlock(request->server, request->caller.account);
	return r;
}

/* ---- signs of life ---- */

int api_agent_information(struct request *request, struct response *response)
{
	static const char *const names[] = { "AgentName", "AgentStatus", "AgentVersion",
		"AvailabilityZone", "AvailabilityZoneId", "ComputerName", "IPAddress",
		"PlatformName", "PlatformType", "PlatformVersion", "SSMConnectionChannel" };
	enum { N_NAMES = sizeof names / sizeof names[0] };
	struct pair facts[N_NAMES + 1];
	struct host_ref host;
	struct err err = { 0 };
	autobuf runs = BUF(CLONE_RUNS_MAX * (CLONE_RUN_MAX_BYTES + 1));
	size_t n = 0;

	int r = request_self(request, response, value_get_str(request->in, STR("InstanceId")),
	        "InvalidInstanceId", &host);
	if (r < 0)
		return r;
	/* Only what is new is written: a heartbeat is no change. */
	fleet_lock(request->server->fleet);
	const struct fleet_host *at = fleet_host_at(request->server->fleet, host.number);
	for (size_t i = 0; at && i < N_NAMES; i++) {
		str value = value_get_str(request->in, str_from_c(names[i]));
		if (value.n > 0 && value.n <= 1024 && !str_eq(host_fact(at, names[i]), value))
			facts[n++] = (struct pair){ str_from_c(names[i]), value };
	}
	bool is_twin = at && clone_runs_note(host_fact(at, CLONE_RUNS_FACT),
	                             value_get_str(request->in, STR("SondeRun")), &runs);
	fleet_unlock(request->server->fleet);
	if (is_twin)
		clone_note(request, host.id, CLONE_TWIN);
	if (runs.n > 0 && !buf_failed(&runs))
		facts[n++] = (struct pair){ STR(CLONE_RUNS_FACT), buf_str(&runs) };
	if (n == 0)
		return 0;
	struct host_change change = { .facts = facts, .n_facts = n };
	return fleet_host_change(
	        request->server->fleet, host.number, &change, request->now_at, &err);
}

/* ---- associations ---- */

/* What the agent compares to know whether it has to ask for the document again. */
static int checksum(struct request *request, const struct association *association,
        const struct document *document, char ret[SHA256_HEX_SIZE])
{
	str text;
	int r = arena_printf(request->arena, &text, STR_FMT "/%lld/%lld/%s",
	        STR_ARG(association->id), (long long)association->version,
	        (long long)document->version, document->hash);
	if (r == 0)
		hash_sha256_hex(text, ret);
	return r;
}

static int write_summary(struct request *request, struct json_writer *w,
        const struct association *association, const struct association_run *run,
        const struct host_ref *host, const struct document *document)
{
	static const char *const passed[] = { "Name", "Parameters", "ScheduleExpression", "Targets",
		"ApplyOnlyAtCronInterval", "ScheduleOffset", NULL };
	const struct value *s3 =
	        value_get(value_get(&association->spec, STR("OutputLocation")), STR("S3Location"));
	bool is_only = value_get_bool(&association->spec, STR("ApplyOnlyAtCronInterval"), false);
	str status = run_status_text(association_status(association, run));
	char sum[SHA256_HEX_SIZE];
	int64_t last_at = run && run->execution.n > 0 ? run->at : 0;

	int r = checksum(request, association, document, sum);
	if (r < 0)
		return r;
	/* Agents run at once what never ran: what has to wait for its time ran, to them, when it
	   was made. */
	if (last_at == 0 && is_only)
		last_at = association->updated_at;
	json_write_object(w);
	json_write_member_str(w, "AssociationId", association->id);
	write_version(w, "AssociationVersion", association->version);
	json_write_member_str(w, "Checksum", str_from_c(sum));
	json_write_member_str(w, "DetailedStatus", status);
	json_write_member_str(w, "Status", status);
	write_version(w, "DocumentVersion", document->version);
	json_write_member_str(w, "InstanceId", str_from_c(host->shown.text));
	write_time(w, "LastExecutionDate", last_at);
	write_members(w, &association->spec, passed);
	if (s3) {
		json_write_key(w, "OutputLocation");
		json_write_object(w);
		write_value(w, "S3Location", s3);
		json_write_object_end(w);
	}
	json_write_object_end(w);
	return 0;
}

/* Those that target the host and whose document is there. */
struct listed {
	struct association association;
	struct document document;
};

static int list_own(struct request *request, const struct host_ref *host, struct listed **ret,
        size_t *ret_count)
{
	struct association *all = NULL;
	size_t n = 0, kept = 0;
	int r = association_list_of(
	        request->server, host->account, host->number, request->arena, &all, &n);
	struct listed *list = r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof *list);
	if (!list)
		return r < 0 ? r : -ERR_LIMIT;
	association_order(all, n);
	for (size_t i = 0; i < n; i++) {
		r = document_find(request->server, host->account, association_str(&all[i], "Name"),
		        association_str(&all[i], "DocumentVersion"), none, request->arena,
		        &list[kept].document);
		if (r == -ERR_LIMIT)
			return r;
		list[kept].association = all[i];
		kept += r == 0;
	}
	*ret = list;
	*ret_count = kept;
	return 0;
}

int api_agent_associations(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct association_state state;
	struct listed *list = NULL;
	struct host_ref host;
	size_t n = 0;
	struct list_page page;

	int r = request_self(request, response, value_get_str(request->in, STR("InstanceId")),
	        "InvalidInstanceId", &host);
	if (r == 0)
		r = list_own(request, &host, &list, &n);
	if (r == 0)
		r = association_state_get(
		        request->server, host.account, str_from_c(host.id), request->arena, &state);
	if (r == 0)
		r = page_begin(request, response, "Associations", n, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; r == 0 && i < page.to; i++)
		r = write_summary(request, w, &list[i].association,
		        association_run_of(&state, list[i].association.id), &host,
		        &list[i].document);
	return page_end(response, &page, r);
}

static int report(struct request *request, struct response *response, const struct host_ref *host)
{
	const struct value *result = value_get(request->in, STR("ExecutionResult"));
	const struct value *url =
	        value_get(value_get(result, STR("OutputUrl")), STR("S3OutputUrl"));
	struct association_report report = { .host_id = str_from_c(host->id),
		.summary = str_head(value_get_str(result, STR("ExecutionSummary")), 512),
		.code = str_head(value_get_str(result, STR("ErrorCode")), 64),
		.output = str_head(value_get_str(url, STR("OutputUrl")), 1024),
		.at = value_get_time(result, STR("ExecutionDate")),
		.now_at = request->now_at };
	struct association association;
	struct err err = { 0 };

	if (!run_status_parse(value_get_str(result, STR("Status")), &report.status))
		return response_fail(
		        response, "ValidationException", "The status of the run is unknown.");
	/* A clock that runs ahead must not keep the next run from being due. */
	if (report.at <= 0 || report.at > request->now_at)
		report.at = request->now_at;
	int r = association_get(request->server, host->account,
	        value_get_str(request->in, STR("AssociationId")), request->arena, &association);
	if (r == -ENOENT || (r == 0 && !association_is_seen(request, &association)))
		return response_fail(response, "AssociationDoesNotExist",
		        "There is no such association for this managed node.");
	if (r < 0)
		return r;
	report.association = &association;
	return association_reported(request->server, host->account, &report, request->arena, &err);
}

int api_agent_association_status(struct request *request, struct response *response)
{
	struct host_ref host;
	int r = request_self(request, response, value_get_str(request->in, STR("InstanceId")),
	        "InvalidInstanceId", &host);
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = report(request, response, &host);
	account_unlock(request->server, host.account);
	return r;
}

/* ---- packages ---- */

int api_agent_manifest(struct request *request, struct response *response)
{
	/* Agents take this answer to mean that the package is a document, and ask for that. */
	return response_fail(response, "ResourceNotFoundException",
	        "Package " STR_FMT " has no manifest of its own: it is a document.",
	        STR_ARG(str_head(value_get_str(request->in, STR("PackageName")), 200)));
}

int api_agent_package_result(struct request *request, struct response *response)
{
	str name = document_name(value_get_str(request->in, STR("PackageName"))), key, text;
	struct document document = { 0 };
	struct host_change change = { .n_facts = 1 };
	struct err err = { 0 };
	struct pair fact;

	int r = document_find(request->server, request->caller.account, name, none, none,
	        request->arena, &document);
	if (r == -ENOENT || r == -ESRCH)
		return response_fail(response, "ResourceNotFoundException",
		        "There is no package " STR_FMT ".", STR_ARG(str_head(name, 200)));
	if (r == 0)
		r = arena_printf(request->arena, &key, "Package." STR_FMT, STR_ARG(document.name));
	if (r == 0)
		r = arena_printf(request->arena, &text, STR_FMT " " STR_FMT " %lld",
		        STR_ARG(str_head(value_get_str(request->in, STR("Operation")), 64)),
		        STR_ARG(str_head(value_get_str(request->in, STR("PackageVersion")), 128)),
		        (long long)value_get_i64(request->in, STR("Result"), -1));
	if (r < 0)
		return r;
	fact = (struct pair){ key, text };
	change.facts = &fact;
	return fleet_host_change(request->server->fleet, request->caller.host_number, &change,
	        request->now_at, &err);
}
