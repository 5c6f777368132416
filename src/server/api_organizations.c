/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Organizations: the organisation that `sonde-server organisation` made, as its clients see it.
 */
#include "base/cleanup.h"
#include "server/accounts.h"
#include "server/api.h"

/* The services that may be trusted with the organisation. */
#define PRINCIPAL "inspector2.amazonaws.com"

/* The caller's organisation. */
static int find(struct request *request, struct response *response, struct organisation *ret)
{
	int r = request->caller.organisation == 0
	                ? -ENOENT
	                : organisation_get(request->server, request->caller.organisation,
	                          request->arena, ret);
	return r == -ENOENT ? response_fail(response, "AWSOrganizationsNotInUseException",
	                              "Your account is not a member of an organization.")
	                    : r;
}

/* Lists are for the management account and the delegated administrator. */
static int find_for_lists(
        struct request *request, struct response *response, struct organisation *ret)
{
	int r = find(request, response, ret);
	if (r == 0 && !request->caller.is_management && !request->caller.is_delegated)
		return response_fail(response, "AccessDeniedException",
		        "You don't have permissions to access this resource.");
	return r;
}

static int check_principal(struct request *request, struct response *response, bool is_required)
{
	str principal = value_get_str(request->in, STR("ServicePrincipal"));
	if ((principal.n == 0 && !is_required) || str_eq(principal, STR(PRINCIPAL)))
		return 0;
	return response_fail(response, "InvalidInputException",
	        "This server knows the service principal " PRINCIPAL " only.");
}

static int write_arn(struct request *request, struct json_writer *w, const char *key,
        const struct organisation *organisation, int64_t account)
{
	str arn;
	int r = arena_printf(request->arena, &arn,
	        "arn:aws:organizations::%s:account/" STR_FMT "/%s",
	        account_text(organisation->management).text, STR_ARG(organisation->id),
	        account_text(account).text);
	if (r == 0)
		json_write_member_str(w, key, arn);
	return r;
}

int api_describe_organization(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct organisation organisation;
	struct account management;
	str arn;
	int r = find(request, response, &organisation);
	if (r == 0)
		r = account_get(
		        request->server, organisation.management, request->arena, &management);
	if (r == 0)
		r = arena_printf(request->arena, &arn,
		        "arn:aws:organizations::%s:organization/" STR_FMT,
		        account_text(management.number).text, STR_ARG(organisation.id));
	if (r != 0)
		return r;
	json_write_key(w, "Organization");
	json_write_object(w);
	json_write_member_str(w, "Id", organisation.id);
	json_write_member_str(w, "Arn", arn);
	json_write_member_str(w, "FeatureSet", STR("ALL"));
	json_write_member_str(
	        w, "MasterAccountId", str_from_c(account_text(management.number).text));
	r = write_arn(request, w, "MasterAccountArn", &organisation, management.number);
	write_text(w, "MasterAccountEmail", management.email);
	json_write_object_end(w);
	return r;
}

static int write_account(struct request *request, struct json_writer *w,
        const struct organisation *organisation, const struct account *account)
{
	json_write_object(w);
	json_write_member_str(w, "Id", str_from_c(account_text(account->number).text));
	int r = write_arn(request, w, "Arn", organisation, account->number);
	write_text(w, "Email", account->email);
	write_text(w, "Name", account->name);
	json_write_member_str(w, "Status", STR("ACTIVE"));
	json_write_member_str(w, "State", STR("ACTIVE"));
	json_write_member_str(w, "JoinedMethod",
	        account->number == organisation->management ? STR("INVITED") : STR("CREATED"));
	write_time(w, "JoinedTimestamp", account->joined_at);
	json_write_object_end(w);
	return r;
}

int api_list_accounts(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct organisation organisation;
	const struct account *all;
	size_t n, kept = 0, from, to;
	str token;
	int r = find_for_lists(request, response, &organisation);
	if (r == 0)
		r = account_list(request->server, request->arena, &all, &n);
	if (r != 0)
		return r;
	const struct account **own = arena_alloc(request->arena, n + 1, sizeof(*own));
	if (!own)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (all[i].organisation == organisation.management)
			own[kept++] = &all[i];
	}
	size_t most = (size_t)value_get_i64(request->in, STR("MaxResults"), 20);
	if (token_slice(request, STR("NextToken"), kept, most, &from, &to, &token) < 0)
		return response_fail(
		        response, "InvalidInputException", "The token is not of this request.");
	json_write_key(w, "Accounts");
	json_write_array(w);
	for (size_t i = from; r == 0 && i < to; i++)
		r = write_account(request, w, &organisation, own[i]);
	json_write_array_end(w);
	write_text(w, "NextToken", token);
	return r;
}

int api_list_delegated_administrators(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct organisation organisation;
	struct account account;
	int r = find_for_lists(request, response, &organisation);
	if (r == 0)
		r = check_principal(request, response, false);
	if (r != 0)
		return r;
	json_write_key(w, "DelegatedAdministrators");
	json_write_array(w);
	if (organisation.delegated != 0)
		r = account_get(request->server, organisation.delegated, request->arena, &account);
	if (organisation.delegated != 0 && r == 0)
		r = write_account(request, w, &organisation, &account);
	json_write_array_end(w);
	return r;
}

/* Inspector is trusted from the beginning. */
int api_enable_service_access(struct request *request, struct response *response)
{
	struct organisation organisation;
	int r = find(request, response, &organisation);
	return r < 0 ? r : check_principal(request, response, true);
}

int api_register_delegated_administrator(struct request *request, struct response *response)
{
	struct organisation organisation;
	int64_t number;
	int r = find(request, response, &organisation);
	if (r == 0)
		r = check_principal(request, response, true);
	if (r != 0)
		return r;
	if (!account_parse(value_get_str(request->in, STR("AccountId")), &number))
		return response_fail(
		        response, "InvalidInputException", "An account is twelve digits.");
	if (organisation.delegated == number)
		return response_fail(response, "AccountAlreadyRegisteredException",
		        "This account is the delegated administrator already.");
	r = delegate_set(request, response, number, true);
	/* The same failures under the names of this service. */
	if (response->is_failed && str_eq(response->error, STR("ConflictException")))
		response->error = STR("ConstraintViolationException");
	if (response->is_failed && str_eq(response->error, STR("ResourceNotFoundException")))
		response->error = STR("AccountNotFoundException");
	return r;
}
