/* SPDX-License-Identifier: Apache-2.0 */
/* Amazon Inspector: members and the delegated administrator of an organisation. */
#include "base/cleanup.h"
#include "server/accounts.h"
#include "server/api.h"
#include "server/inside.h"

/* Members of one organisation. */
#define MEMBERS_MAX 10000

/* ---- members ---- */

static int count_members(struct request *request, size_t *ret)
{
	const int64_t *numbers;
	size_t n;
	int r = caller_members(request->server, &request->caller, request->arena, &numbers, &n);
	if (r >= 0)
		*ret = n - 1;
	return r;
}

struct member_edit {
	struct request *request;
	bool is_member;
};

static int edit_member(void *ctx, struct account *account)
{
	const struct member_edit *edit = ctx;
	if (account->is_member == edit->is_member)
		return 0;
	account->is_member = edit->is_member;
	account->inherits_mode = edit->is_member;
	account->member_at = edit->request->now_at;
	return 0;
}

/* An account of the caller's organisation, not its own. */
static int other_account(struct request *request, struct response *response, struct account *ret)
{
	int64_t number;
	if (!account_parse(value_get_str(request->in, STR("accountId")), &number))
		return response_invalid(response, "accountId", "An account is twelve digits.");
	int r = account_get(request->server, number, request->arena, ret);
	if (r == -ENOENT || (r >= 0 && (ret->organisation != request->caller.organisation ||
	                                       number == request->caller.account)))
		return response_fail(response, "ResourceNotFoundException",
		        "This account is no other one of the organisation.");
	return r;
}

static int set_member(struct request *request, struct response *response, bool is_member)
{
	struct member_edit edit = { request, is_member };
	struct account account;
	int r = other_account(request, response, &account);
	if (r == 0)
		r = accounts_change(request, account.number,
		        is_member ? "associate member" : "disassociate member", edit_member, &edit,
		        &account);
	if (r >= 0)
		json_write_member_str(&response->json, "accountId",
		        str_from_c(account_text(account.number).text));
	return r;
}

int api_associate_member(struct request *request, struct response *response)
{
	size_t n;
	int r = count_members(request, &n);
	if (r < 0)
		return r;
	if (n >= MEMBERS_MAX)
		return response_fail(response, "ServiceQuotaExceededException",
		        "An organisation has at most %d members.", MEMBERS_MAX);
	return set_member(request, response, true);
}

int api_disassociate_member(struct request *request, struct response *response)
{
	return set_member(request, response, false);
}

static int refuse_others(struct response *response)
{
	return response_fail(response, "AccessDeniedException",
	        "Only the delegated administrator sees the members.");
}

static void write_member(
        const struct request *request, struct json_writer *w, const struct account *account)
{
	json_write_object(w);
	json_write_member_str(w, "accountId", str_from_c(account_text(account->number).text));
	/* CREATED: known from the organisation, and not associated yet. */
	json_write_member_str(w, "relationshipStatus",
	        account->is_member       ? STR("ENABLED")
	        : account->member_at > 0 ? STR("REMOVED")
	                                 : STR("CREATED"));
	json_write_member_str(w, "delegatedAdminAccountId",
	        str_from_c(account_text(request->caller.account).text));
	write_time(w, "updatedAt", account->member_at ? account->member_at : account->joined_at);
	json_write_object_end(w);
}

int api_get_member(struct request *request, struct response *response)
{
	struct account account;
	if (!request->caller.is_delegated)
		return refuse_others(response);
	int r = other_account(request, response, &account);
	if (r < 0)
		return r;
	json_write_key(&response->json, "member");
	write_member(request, &response->json, &account);
	return 0;
}

int api_list_members(struct request *request, struct response *response)
{
	bool is_only = value_get_bool(request->in, STR("onlyAssociated"), true);
	const struct account *all;
	size_t n, kept = 0, from, to;
	str token;
	if (!request->caller.is_delegated)
		return refuse_others(response);
	int r = account_list(request->server, request->arena, &all, &n);
	const struct account **members =
	        r < 0 ? NULL : arena_alloc(request->arena, n + 1, sizeof(*members));
	if (!members)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (all[i].organisation == request->caller.organisation &&
		        all[i].number != request->caller.account && (all[i].is_member || !is_only))
			members[kept++] = &all[i];
	}
	size_t most = (size_t)value_get_i64(request->in, STR("maxResults"), 50);
	if (token_slice(request, STR("nextToken"), kept, most, &from, &to, &token) < 0)
		return response_invalid(response, "nextToken", "The token is not of this request.");
	json_write_key(&response->json, "members");
	json_write_array(&response->json);
	for (size_t i = from; i < to; i++)
		write_member(request, &response->json, members[i]);
	json_write_array_end(&response->json);
	write_text(&response->json, "nextToken", token);
	return 0;
}

/* ---- the delegated administrator ---- */

struct delegation {
	struct response *response;
	int64_t number;
	bool is_on;
};

static int edit_delegated(void *ctx, struct organisation *organisation)
{
	struct delegation *d = ctx;
	bool is_other = organisation->delegated != d->number;
	if (d->is_on && organisation->delegated != 0 && is_other)
		return response_fail(d->response, "ConflictException",
		        "Account %s is the delegated administrator; disable it first.",
		        account_text(organisation->delegated).text);
	if (!d->is_on && is_other)
		return response_fail(d->response, "ResourceNotFoundException",
		        "This account is not the delegated administrator.");
	organisation->delegated = d->is_on ? d->number : 0;
	return 0;
}

int delegate_set(struct request *request, struct response *response, int64_t number, bool is_on)
{
	struct delegation d = { response, number, is_on };
	struct organisation organisation;
	struct account account;
	int r = account_get(request->server, number, request->arena, &account);
	if (r == -ENOENT || (r >= 0 && account.organisation != request->caller.organisation))
		return response_fail(response, "ResourceNotFoundException",
		        "This account is none of the organisation.");
	if (r >= 0)
		r = accounts_change_organisation(request, request->caller.organisation,
		        is_on ? "enable delegated administrator"
		              : "disable delegated administrator",
		        edit_delegated, &d, &organisation);
	return r;
}

static int named_delegate(struct request *request, struct response *response, int64_t *ret)
{
	return account_parse(value_get_str(request->in, STR("delegatedAdminAccountId")), ret)
	               ? 0
	               : response_invalid(response, "delegatedAdminAccountId",
	                         "An account is twelve digits.");
}

int api_enable_delegated_admin(struct request *request, struct response *response)
{
	int64_t number;
	int r = named_delegate(request, response, &number);
	if (r >= 0)
		r = delegate_set(request, response, number, true);
	if (r >= 0)
		json_write_member_str(&response->json, "delegatedAdminAccountId",
		        str_from_c(account_text(number).text));
	return r;
}

/* Its members are members no more: what they have enabled stays, as their own. */
static int release_members(struct request *request)
{
	struct member_edit edit = { request, false };
	const struct account *all;
	struct account account;
	size_t n;
	int r = account_list(request->server, request->arena, &all, &n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (all[i].is_member && all[i].organisation == request->caller.organisation)
			r = accounts_change(request, all[i].number, "disassociate member",
			        edit_member, &edit, &account);
	}
	return r;
}

int api_disable_delegated_admin(struct request *request, struct response *response)
{
	struct organisation organisation;
	int64_t number;
	int r = named_delegate(request, response, &number);
	if (r >= 0)
		r = organisation_get(request->server, request->caller.organisation, request->arena,
		        &organisation);
	if (r >= 0 && organisation.delegated == number)
		r = release_members(request);
	if (r >= 0)
		r = delegate_set(request, response, number, false);
	if (r >= 0)
		json_write_member_str(&response->json, "delegatedAdminAccountId",
		        str_from_c(account_text(number).text));
	return r;
}

static int find_delegated(struct request *request, struct organisation *ret)
{
	if (request->caller.organisation == 0)
		return -ENOENT;
	int r = organisation_get(
	        request->server, request->caller.organisation, request->arena, ret);
	return r >= 0 && ret->delegated == 0 ? -ENOENT : r;
}

int api_get_delegated_admin(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct organisation organisation;
	int r = find_delegated(request, &organisation);
	if (r == -ENOENT)
		return response_fail(response, "ResourceNotFoundException",
		        "There is no delegated administrator.");
	if (r < 0)
		return r;
	json_write_key(w, "delegatedAdmin");
	json_write_object(w);
	json_write_member_str(
	        w, "accountId", str_from_c(account_text(organisation.delegated).text));
	json_write_member_str(w, "relationshipStatus", STR("ENABLED"));
	json_write_object_end(w);
	return 0;
}

int api_list_delegated_admins(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct organisation organisation;
	if (!request->caller.is_management && !request->caller.is_delegated)
		return response_fail(response, "AccessDeniedException",
		        "Only the management account lists delegated administrators.");
	int r = find_delegated(request, &organisation);
	if (r < 0 && r != -ENOENT)
		return r;
	json_write_key(w, "delegatedAdminAccounts");
	json_write_array(w);
	if (r >= 0) {
		json_write_object(w);
		json_write_member_str(
		        w, "accountId", str_from_c(account_text(organisation.delegated).text));
		json_write_member_str(w, "status", STR("ENABLED"));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	return 0;
}

/* ---- what new members get ---- */

static const struct {
	const char *member;
	size_t at;
} flags[] = {
	{ "ec2", offsetof(struct organisation, auto_ec2) },
	{ "ecr", offsetof(struct organisation, auto_ecr) },
	{ "lambda", offsetof(struct organisation, auto_lambda) },
	{ "lambdaCode", offsetof(struct organisation, auto_lambda_code) },
	{ "codeRepository", offsetof(struct organisation, auto_code) },
};

static void write_auto(struct json_writer *w, const struct organisation *organisation)
{
	json_write_key(w, "autoEnable");
	json_write_object(w);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		json_write_key(w, flags[i].member);
		json_write_bool(w, *(const bool *)((const char *)organisation + flags[i].at));
	}
	json_write_object_end(w);
}

int api_describe_organisation_configuration(struct request *request, struct response *response)
{
	struct organisation organisation;
	size_t n;
	if (!request->caller.is_delegated)
		return refuse_others(response);
	int r = organisation_get(
	        request->server, request->caller.organisation, request->arena, &organisation);
	if (r >= 0)
		r = count_members(request, &n);
	if (r < 0)
		return r;
	write_auto(&response->json, &organisation);
	json_write_key(&response->json, "maxAccountLimitReached");
	json_write_bool(&response->json, n >= MEMBERS_MAX);
	return 0;
}

static int edit_auto(void *ctx, struct organisation *organisation)
{
	const struct request *request = ctx;
	const struct value *in = value_get(request->in, STR("autoEnable"));
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		*(bool *)((char *)organisation + flags[i].at) =
		        value_get_bool(in, str_from_c(flags[i].member), false);
	return 0;
}

int api_update_organisation_configuration(struct request *request, struct response *response)
{
	struct organisation organisation;
	int r = accounts_change_organisation(request, request->caller.organisation,
	        "update what new members get", edit_auto, request, &organisation);
	if (r >= 0)
		write_auto(&response->json, &organisation);
	return r;
}
