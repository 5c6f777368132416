/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Inspector: switching accounts on and off, their configuration and usage. What is on is a
 * flag that is durable when the call returns, and what follows from it is there by then but for the
 * states of many hosts, so that ENABLING and DISABLING are never seen.
 */
#include "base/cleanup.h"
#include "server/accounts.h"
#include "server/api.h"
#include "server/inside.h"

#define TRIAL_S (INT64_C(15) * 86400)
#define DENIED "You do not have access to this account."

/* Which accounts went well and which did not: written when all are through, for both lists are open
 * at once otherwise. */
struct outcome {
	int64_t number;
	struct account account;
	const char *code, *message; /* NULL: it went well */
};

/* ---- on and off ---- */

struct switching {
	bool is_on;
	bool types[SCAN_TYPES];
	int64_t now_at;
	struct request *request;
	const char *code, *message;
};

static void read_types(const struct request *request, struct switching *s)
{
	const struct value *list = value_get(request->in, STR("resourceTypes"));
	for (size_t i = 0; i < SCAN_TYPES; i++) {
		s->types[i] = value_count(list) == 0;
		for (size_t k = 0; k < value_count(list); k++)
			s->types[i] |= str_eq(
			        value_str(value_at(list, k)), str_from_c(scan_types[i].word));
	}
}

static int edit_on(struct switching *s, struct account *account)
{
	bool had_ec2 = account->is_ec2_enabled;
	for (size_t i = 0; i < SCAN_TYPES; i++) {
		if (s->types[i])
			scan_set(account, i, true);
	}
	/* Accounts of the old kind wait until somebody asks for it. */
	if (!had_ec2 && account->is_ec2_enabled && !account->is_legacy)
		account->is_deep_active = true;
	if (account->enabled_at == 0)
		account->enabled_at = s->now_at;
	return 0;
}

static int refuse(struct switching *s, const char *code, const char *message)
{
	s->code = code;
	s->message = message;
	return -RESPONSE_FAILED;
}

static bool has_members(struct request *request, int64_t number)
{
	const struct account *all;
	size_t n;
	if (account_list(request->server, request->arena, &all, &n) < 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (all[i].number != number && all[i].is_member &&
		        all[i].organisation == request->caller.organisation)
			return true;
	}
	return false;
}

static int edit_off(struct switching *s, struct account *account)
{
	struct account after = *account;
	bool is_self = account->number == s->request->caller.account;
	for (size_t i = 0; i < SCAN_TYPES; i++) {
		if (s->types[i])
			scan_set(&after, i, false);
	}
	if (is_self && account_is_led(s->request->server, account, s->request->arena))
		return refuse(s, "ACCESS_DENIED",
		        "A member cannot disable itself; its delegated administrator can.");
	if (after.is_lambda_code_enabled && !after.is_lambda_enabled)
		return refuse(s, "RESOURCE_SCAN_NOT_DISABLED",
		        "LAMBDA_CODE must be disabled with LAMBDA or before it.");
	if (is_self && s->request->caller.is_delegated && !account_is_enabled(&after) &&
	        has_members(s->request, account->number))
		return refuse(s, "DISASSOCIATE_ALL_MEMBERS",
		        "Disassociate all members before you disable the delegated administrator.");
	if (!account_is_enabled(&after))
		after.enabled_at = 0;
	*account = after;
	return 0;
}

static int edit_switch(void *ctx, struct account *account)
{
	struct switching *s = ctx;
	return s->is_on ? edit_on(s, account) : edit_off(s, account);
}

/* Disabling the service takes what users made for it along. */
static int delete_filters(struct request *request, int64_t number)
{
	const struct object *filters;
	size_t n;
	struct err err = { 0 };
	account_lock(request->server, number);
	int r = object_list(request->server->objects, number, "filter", (str){ NULL, 0 },
	        (str){ NULL, 0 }, 500, request->arena, &filters, &n);
	struct object_change *changes =
	        r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof(*changes));
	if (!changes)
		r = -ERR_LIMIT;
	for (size_t i = 0; r >= 0 && i < n; i++)
		changes[i] = (struct object_change){
			.account = number, .type = "filter", .name = filters[i].name
		};
	if (r >= 0 && n > 0)
		r = objects_change(request->server->objects, changes, n, NULL, &err);
	account_unlock(request->server, number);
	return r;
}

static int switch_one(struct request *request, struct switching *s, struct outcome *out)
{
	s->code = s->message = NULL;
	out->code = NULL;
	if (!caller_sees(request->server, &request->caller, out->number)) {
		out->code = "ACCESS_DENIED";
		out->message = DENIED;
		return 0;
	}
	int r = accounts_change(request, out->number, s->is_on ? "enable" : "disable", edit_switch,
	        s, &out->account);
	if (r == -RESPONSE_FAILED) {
		out->code = s->code;
		out->message = s->message;
		return 0;
	}
	if (r >= 0 && !account_is_enabled(&out->account))
		r = delete_filters(request, out->number);
	return r;
}

static const char *status_word(bool is_on)
{
	return is_on ? "ENABLED" : "DISABLED";
}

static void write_switched(struct json_writer *w, const struct account *account)
{
	json_write_object(w);
	json_write_member_str(w, "accountId", str_from_c(account_text(account->number).text));
	json_write_member_str(w, "status", str_from_c(status_word(account_is_enabled(account))));
	json_write_key(w, "resourceStatus");
	json_write_object(w);
	for (size_t i = 0; i < SCAN_TYPES; i++)
		json_write_member_str(
		        w, scan_types[i].member, str_from_c(status_word(scan_is_on(account, i))));
	json_write_object_end(w);
	json_write_object_end(w);
}

static void write_outcomes(struct json_writer *w, const struct outcome *all, size_t n,
        void (*write_good)(struct json_writer *w, const struct account *account))
{
	json_write_key(w, "accounts");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		if (!all[i].code)
			write_good(w, &all[i].account);
	}
	json_write_array_end(w);
	json_write_key(w, "failedAccounts");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		if (all[i].code)
			accounts_write_failed(w, all[i].number, all[i].code, all[i].message);
	}
	json_write_array_end(w);
}

static int switch_all(struct request *request, struct response *response, bool is_on)
{
	struct switching s = { .is_on = is_on, .now_at = request->now_at, .request = request };
	const int64_t *numbers;
	size_t n;
	int r = accounts_named(request, "accountIds", &numbers, &n);
	struct outcome *all = r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof(*all));
	if (!all)
		return -ERR_LIMIT;
	read_types(request, &s);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		all[i].number = numbers[i];
		r = switch_one(request, &s, &all[i]);
	}
	if (r >= 0)
		write_outcomes(&response->json, all, n, write_switched);
	return r;
}

int api_enable(struct request *request, struct response *response)
{
	return switch_all(request, response, true);
}

int api_disable(struct request *request, struct response *response)
{
	return switch_all(request, response, false);
}

/* ---- states ---- */

static void write_state(struct json_writer *w, const char *key, bool is_on)
{
	json_write_key(w, key);
	json_write_object(w);
	json_write_member_str(w, "status", str_from_c(status_word(is_on)));
	json_write_object_end(w);
}

static void write_states(struct json_writer *w, const struct account *account)
{
	json_write_object(w);
	json_write_member_str(w, "accountId", str_from_c(account_text(account->number).text));
	write_state(w, "state", account_is_enabled(account));
	json_write_key(w, "resourceState");
	json_write_object(w);
	for (size_t i = 0; i < SCAN_TYPES; i++)
		write_state(w, scan_types[i].member, scan_is_on(account, i));
	json_write_object_end(w);
	json_write_object_end(w);
}

/* The accounts named, read; those that the caller does not see look alike whether they exist or
 * not. */
static int read_named(
        struct request *request, const char *member, struct outcome **ret, size_t *ret_n)
{
	const int64_t *numbers;
	size_t n;
	int r = accounts_named(request, member, &numbers, &n);
	struct outcome *all = r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof(*all));
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		all[i].number = numbers[i];
		if (caller_sees(request->server, &request->caller, numbers[i]))
			r = account_get(
			        request->server, numbers[i], request->arena, &all[i].account);
		else
			r = -ENOENT;
		if (r == -ENOENT) {
			all[i].code = "ACCESS_DENIED";
			all[i].message = DENIED;
			r = 0;
		}
	}
	*ret = all;
	*ret_n = n;
	return r;
}

int api_batch_get_account_status(struct request *request, struct response *response)
{
	struct outcome *all;
	size_t n;
	int r = read_named(request, "accountIds", &all, &n);
	if (r >= 0)
		write_outcomes(&response->json, all, n, write_states);
	return r;
}

/* ---- configuration ---- */

/* The account that a configuration is asked of. */
static int configured(struct request *request, struct response *response, struct account *ret)
{
	str named = value_get_str(request->in, STR("accountId"));
	int64_t number = request->caller.account;
	if (named.n > 0 && (!account_parse(named, &number) ||
	                           !caller_sees(request->server, &request->caller, number)))
		return response_fail(response, "AccessDeniedException", DENIED);
	int r = account_get(request->server, number, request->arena, ret);
	return r == -ENOENT ? response_fail(response, "AccessDeniedException", DENIED) : r;
}

/* A member that has no mode of its own has that of its delegated administrator. */
static bool is_hybrid(struct request *request, const struct account *account)
{
	struct organisation organisation;
	struct account admin;
	if (account->inherits_mode &&
	        account_has_admin(request->server, account, request->arena, &organisation) &&
	        account_get(request->server, organisation.delegated, request->arena, &admin) >= 0)
		return admin.is_hybrid;
	return account->is_hybrid;
}

int api_get_configuration(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct account account;
	int r = configured(request, response, &account);
	if (r < 0)
		return r;
	json_write_key(w, "ecrConfiguration");
	json_write_object(w);
	json_write_key(w, "rescanDurationState");
	json_write_object(w);
	json_write_member_str(w, "rescanDuration",
	        account.ecr_rescan.n > 0 ? account.ecr_rescan : STR("LIFETIME"));
	json_write_member_str(w, "status", STR("SUCCESS"));
	json_write_object_end(w);
	json_write_object_end(w);
	json_write_key(w, "ec2Configuration");
	json_write_object(w);
	json_write_key(w, "scanModeState");
	json_write_object(w);
	json_write_member_str(w, "scanMode",
	        is_hybrid(request, &account) ? STR("EC2_HYBRID") : STR("EC2_SSM_AGENT_BASED"));
	json_write_member_str(w, "scanModeStatus", STR("SUCCESS"));
	json_write_object_end(w);
	json_write_object_end(w);
	return 0;
}

static int edit_configuration(void *ctx, struct account *account)
{
	const struct request *request = ctx;
	const struct value *ec2 = value_get(request->in, STR("ec2Configuration"));
	const struct value *ecr = value_get(request->in, STR("ecrConfiguration"));
	const struct value *inherit = value_get(request->in, STR("updateConfigurationInheritance"));
	if (ec2) {
		account->is_hybrid = str_eq(value_get_str(ec2, STR("scanMode")), STR("EC2_HYBRID"));
		account->inherits_mode = false;
	}
	if (ecr)
		account->ecr_rescan = value_get_str(ecr, STR("rescanDuration"));
	if (value_get(inherit, STR("ec2Configuration")))
		account->inherits_mode = true;
	return 0;
}

int api_update_configuration(struct request *request, struct response *response)
{
	struct account account;
	const struct value *ec2 = value_get(request->in, STR("ec2Configuration"));
	int r = configured(request, response, &account);
	if (r < 0)
		return r;
	if (account.number == request->caller.account &&
	        account_is_led(request->server, &account, request->arena))
		return response_fail(response, "AccessDeniedException",
		        "The configuration of a member is its delegated administrator's.");
	if (value_get_bool(ec2, STR("activateVMScanner"), false))
		return response_invalid(response, "ec2Configuration.activateVMScanner",
		        "This server has no VM scanner: hosts are scanned by their agents.");
	return accounts_change(request, account.number, "update configuration", edit_configuration,
	        request, &account);
}

/* ---- usage ---- */

int api_batch_get_free_trial_info(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct outcome *all;
	size_t n;
	int r = read_named(request, "accountIds", &all, &n);
	if (r < 0)
		return r;
	json_write_key(w, "accounts");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		if (all[i].code)
			continue;
		const struct account *account = &all[i].account;
		int64_t end = account->enabled_at + TRIAL_S;
		json_write_object(w);
		json_write_member_str(
		        w, "accountId", str_from_c(account_text(account->number).text));
		json_write_key(w, "freeTrialInfo");
		json_write_array(w);
		for (size_t k = 0; account->enabled_at > 0 && k < SCAN_TYPES; k++) {
			if (!scan_is_on(account, k))
				continue;
			json_write_object(w);
			json_write_member_str(w, "type", str_from_c(scan_types[k].trial));
			write_time(w, "start", account->enabled_at);
			write_time(w, "end", end);
			json_write_member_str(w, "status",
			        request->now_at < end ? STR("ACTIVE") : STR("INACTIVE"));
			json_write_object_end(w);
		}
		json_write_array_end(w);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_key(w, "failedAccounts");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		if (!all[i].code)
			continue;
		json_write_object(w);
		json_write_member_str(w, "accountId", str_from_c(account_text(all[i].number).text));
		json_write_member_str(w, "code", STR("ACCESS_DENIED"));
		json_write_member_str(w, "message", STR(DENIED));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	return 0;
}

struct permission {
	const char *service, *operation;
};

int api_list_account_permissions(struct request *request, struct response *response)
{
	static const struct permission rows[] = {
		{ "EC2", "ENABLE_SCANNING" },
		{ "EC2", "DISABLE_SCANNING" },
		{ "ECR", "ENABLE_SCANNING" },
		{ "ECR", "DISABLE_SCANNING" },
		{ "ECR", "ENABLE_REPOSITORY" },
		{ "ECR", "DISABLE_REPOSITORY" },
		{ "LAMBDA", "ENABLE_SCANNING" },
		{ "LAMBDA", "DISABLE_SCANNING" },
	};
	const struct permission *may[sizeof(rows) / sizeof(*rows)];
	struct json_writer *w = &response->json;
	struct account account;
	str service = value_get_str(request->in, STR("service")), token;
	size_t n = 0, from, to;
	int r = account_get(request->server, request->caller.account, request->arena, &account);
	if (r < 0)
		return r;
	bool is_led = account_is_led(request->server, &account, request->arena);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool is_off = str_has_prefix(str_from_c(rows[i].operation), STR("DISABLE"));
		if (request->caller.role == ROLE_ADMIN && !(is_led && is_off) &&
		        (service.n == 0 || str_eq(service, str_from_c(rows[i].service))))
			may[n++] = &rows[i];
	}
	size_t most = (size_t)value_get_i64(request->in, STR("maxResults"), 1024);
	if (token_slice(request, STR("nextToken"), n, most, &from, &to, &token) < 0)
		return response_invalid(response, "nextToken", "The token is not of this request.");
	json_write_key(w, "permissions");
	json_write_array(w);
	for (size_t i = from; i < to; i++) {
		json_write_object(w);
		json_write_member_str(w, "service", str_from_c(may[i]->service));
		json_write_member_str(w, "operation", str_from_c(may[i]->operation));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	write_text(w, "nextToken", token);
	return 0;
}

/* The accounts whose usage is asked for: those named that the caller sees, or all it sees. */
static int used_accounts(struct request *request, const int64_t **ret, size_t *ret_n)
{
	const int64_t *numbers;
	size_t n, kept = 0;
	if (!value_get(request->in, STR("accountIds")))
		return caller_accounts(
		        request->server, &request->caller, request->arena, ret, ret_n);
	int r = accounts_named(request, "accountIds", &numbers, &n);
	int64_t *seen = r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof(*seen));
	if (!seen)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (caller_sees(request->server, &request->caller, numbers[i]))
			seen[kept++] = numbers[i];
	}
	*ret = seen;
	*ret_n = kept;
	return 0;
}

int api_list_usage_totals(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	const int64_t *numbers;
	size_t n, from, to;
	str token;
	int r = used_accounts(request, &numbers, &n);
	if (r < 0)
		return r;
	size_t most = (size_t)value_get_i64(request->in, STR("maxResults"), 50);
	if (token_slice(request, STR("nextToken"), n, most, &from, &to, &token) < 0)
		return response_invalid(response, "nextToken", "The token is not of this request.");
	json_write_key(w, "totals");
	json_write_array(w);
	for (size_t i = from; i < to; i++) {
		fleet_lock(request->server->fleet);
		double hours =
		        fleet_usage_hours(request->server->fleet, numbers[i], request->now_at);
		fleet_unlock(request->server->fleet);
		json_write_object(w);
		json_write_member_str(w, "accountId", str_from_c(account_text(numbers[i]).text));
		json_write_key(w, "usage");
		json_write_array(w);
		json_write_object(w);
		json_write_member_str(w, "type", STR("EC2_INSTANCE_HOURS"));
		json_write_key(w, "total");
		json_write_double(w, hours, 4);
		/* Nobody is charged for it here. */
		json_write_key(w, "estimatedMonthlyCost");
		json_write_double(w, 0, 0);
		json_write_member_str(w, "currency", STR("USD"));
		json_write_object_end(w);
		json_write_array_end(w);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	write_text(w, "nextToken", token);
	return 0;
}
