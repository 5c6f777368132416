/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Inspector: deep inspection of an account, of members, and the paths of the organisation.
 *
 *   an account alone      switches on and off, has its own paths
 *   a member              switches on, never off; has its own paths; sees the organisation's
 *   delegated             as an account alone; switches its members; has the organisation's paths
 *   administrator
 *
 * Source: Amazon Inspector User Guide, "Amazon Inspector deep inspection for Linux-based Amazon EC2
 *         instances"
 */
#include "base/cleanup.h"
#include "server/accounts.h"
#include "server/api.h"
#include "server/inside.h"

#define PATHS_MAX 5

/* ---- one account ---- */

static const char *status(struct server *server, const struct account *account, struct arena *arena)
{
	const struct value *parameter;
	if (!account->is_ec2_enabled || !account->is_deep_active)
		return "DEACTIVATED";
	if (account->deep_error.n > 0)
		return "FAILED";
	/* What hosts need to know is written after the account was changed. */
	return object_get(server->objects, account->number, "parameter", STR(PATHS_PARAMETER),
	               arena, &parameter) < 0
	               ? "PENDING"
	               : "ACTIVATED";
}

static void write_paths(struct json_writer *w, const char *key, const str *paths, size_t n)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		json_write_str(w, paths[i]);
	json_write_array_end(w);
}

static void write_configuration(
        struct request *request, struct json_writer *w, const struct account *account)
{
	struct organisation organisation = { .n_paths = 0 };
	(void)account_has_admin(request->server, account, request->arena, &organisation);
	write_paths(w, "packagePaths", account->paths, account->n_paths);
	write_paths(w, "orgPackagePaths", organisation.paths, organisation.n_paths);
	json_write_member_str(
	        w, "status", str_from_c(status(request->server, account, request->arena)));
	write_text(w, "errorMessage", account->deep_error);
}

int api_get_deep_configuration(struct request *request, struct response *response)
{
	struct account account;
	int r = account_get(request->server, request->caller.account, request->arena, &account);
	if (r == -ENOENT)
		return response_fail(
		        response, "ResourceNotFoundException", "There is no such account.");
	if (r >= 0)
		write_configuration(request, &response->json, &account);
	return r;
}

struct deep_edit {
	struct request *request;
	struct response *response;
};

static size_t read_paths(const struct value *list, str paths[PATHS_MAX])
{
	size_t n = value_count(list);
	if (n > PATHS_MAX)
		n = PATHS_MAX;
	for (size_t i = 0; i < n; i++)
		paths[i] = value_str(value_at(list, i));
	return n;
}

static int edit_deep(void *ctx, struct account *account)
{
	struct deep_edit *edit = ctx;
	struct request *request = edit->request;
	const struct value *activate = value_get(request->in, STR("activateDeepInspection"));
	const struct value *paths = value_get(request->in, STR("packagePaths"));
	bool is_on = false;
	if (value_bool(activate, &is_on)) {
		if (!is_on && account_is_led(request->server, account, request->arena))
			return response_fail(edit->response, "AccessDeniedException",
			        "A member cannot deactivate deep inspection; its delegated "
			        "administrator can.");
		if (is_on && !account->is_ec2_enabled)
			return response_invalid(edit->response, "activateDeepInspection",
			        "EC2 scanning must be enabled before deep inspection.");
		account->is_deep_active = is_on;
		account->deep_error = (str){ NULL, 0 };
	}
	if (paths)
		account->n_paths = read_paths(paths, account->paths);
	return 0;
}

int api_update_deep_configuration(struct request *request, struct response *response)
{
	struct deep_edit edit = { request, response };
	struct account account;
	int r = accounts_change(request, request->caller.account, "update deep inspection",
	        edit_deep, &edit, &account);
	if (r >= 0)
		write_configuration(request, &response->json, &account);
	return r;
}

/* ---- the organisation ---- */

static int edit_organisation(void *ctx, struct organisation *organisation)
{
	const struct request *request = ctx;
	organisation->n_paths =
	        read_paths(value_get(request->in, STR("orgPackagePaths")), organisation->paths);
	return 0;
}

int api_update_organisation_deep_configuration(struct request *request, struct response *response)
{
	struct organisation organisation;
	const int64_t *numbers;
	size_t n = 0;
	(void)response;
	int r = accounts_change_organisation(request, request->caller.organisation,
	        "update deep inspection of the organisation", edit_organisation, request,
	        &organisation);
	if (r >= 0)
		r = caller_members(request->server, &request->caller, request->arena, &numbers, &n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		accounts_settle(request, numbers[i]);
	return r;
}

/* ---- members ---- */

struct member {
	int64_t number;
	bool is_good;
	const char *message;
	struct account account;
};

static void write_members(
        struct request *request, struct json_writer *w, const struct member *members, size_t n)
{
	json_write_key(w, "accountIds");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		const struct member *it = &members[i];
		if (!it->is_good)
			continue;
		json_write_object(w);
		json_write_member_str(w, "accountId", str_from_c(account_text(it->number).text));
		json_write_member_str(w, "status",
		        str_from_c(status(request->server, &it->account, request->arena)));
		write_text(w, "errorMessage", it->account.deep_error);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_key(w, "failedAccountIds");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		const struct member *it = &members[i];
		if (it->is_good)
			continue;
		json_write_object(w);
		json_write_member_str(w, "accountId", str_from_c(account_text(it->number).text));
		json_write_member_str(w, "errorMessage", str_from_c(it->message));
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* Those named; without names, all members. */
static int find_members(struct request *request, struct member **ret, size_t *ret_n)
{
	const int64_t *numbers;
	size_t n;
	bool is_named = value_count(value_get(request->in, STR("accountIds"))) > 0;
	int r = is_named ? accounts_named(request, "accountIds", &numbers, &n)
	                 : caller_members(
	                           request->server, &request->caller, request->arena, &numbers, &n);
	struct member *members =
	        r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof(*members));
	if (!members)
		return -ERR_LIMIT;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct member *it = &members[i];
		it->number = numbers[i];
		it->message = "This account is not a member.";
		it->is_good = caller_sees(request->server, &request->caller, numbers[i]);
		if (it->is_good)
			r = account_get(request->server, numbers[i], request->arena, &it->account);
	}
	*ret = members;
	*ret_n = n > 100 && !is_named ? 100 : n;
	return r;
}

int api_batch_get_member_deep_status(struct request *request, struct response *response)
{
	struct member *members;
	size_t n;
	if (!request->caller.is_delegated)
		return response_fail(response, "AccessDeniedException",
		        "Only a delegated administrator sees the states of members.");
	int r = find_members(request, &members, &n);
	if (r >= 0)
		write_members(request, &response->json, members, n);
	return r;
}

struct member_edit {
	bool is_on;
	const char *message;
};

static int edit_member(void *ctx, struct account *account)
{
	struct member_edit *edit = ctx;
	if (edit->is_on && !account->is_ec2_enabled) {
		edit->message = "EC2 scanning must be enabled before deep inspection.";
		return -RESPONSE_FAILED;
	}
	account->is_deep_active = edit->is_on;
	account->deep_error = (str){ NULL, 0 };
	return 0;
}

static bool wanted(const struct request *request, int64_t number)
{
	const struct value *list = value_get(request->in, STR("accountIds"));
	bool is_on = false;
	for (size_t i = 0; i < value_count(list); i++) {
		int64_t named;
		const struct value *item = value_at(list, i);
		if (account_parse(value_get_str(item, STR("accountId")), &named) && named == number)
			is_on = value_get_bool(item, STR("activateDeepInspection"), false);
	}
	return is_on;
}

int api_batch_update_member_deep_status(struct request *request, struct response *response)
{
	struct member *members = NULL;
	size_t n = 0;
	int r = 0;
	if (value_count(value_get(request->in, STR("accountIds"))) > 0)
		r = find_members(request, &members, &n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct member *it = &members[i];
		struct member_edit edit = { .is_on = wanted(request, it->number) };
		if (!it->is_good)
			continue;
		r = accounts_change(request, it->number, "update deep inspection of a member",
		        edit_member, &edit, &it->account);
		if (r == -RESPONSE_FAILED) {
			it->is_good = false;
			it->message = edit.message;
			r = 0;
		}
	}
	if (r >= 0)
		write_members(request, &response->json, members, n);
	return r;
}
