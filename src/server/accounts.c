/* SPDX-License-Identifier: Apache-2.0 */
#include "server/accounts.h"

#include "server/inside.h"
#include "server/ssm.h"

const struct scan_type scan_types[SCAN_TYPES] = {
	{ "EC2", "ec2", offsetof(struct account, is_ec2_enabled), "EC2" },
	{ "ECR", "ecr", offsetof(struct account, is_ecr_enabled), "ECR" },
	{ "LAMBDA", "lambda", offsetof(struct account, is_lambda_enabled), "LAMBDA" },
	{ "LAMBDA_CODE", "lambdaCode", offsetof(struct account, is_lambda_code_enabled),
	        "LAMBDA_CODE" },
	{ "CODE_REPOSITORY", "codeRepository", offsetof(struct account, is_code_enabled),
	        "CODE_REPOSITORY" },
};

bool scan_is_on(const struct account *account, size_t type)
{
	return *(const bool *)((const char *)account + scan_types[type].at);
}

void scan_set(struct account *account, size_t type, bool is_on)
{
	*(bool *)((char *)account + scan_types[type].at) = is_on;
}

/* The twelve digits in a text: some operations take whole ARNs. */
static bool find_number(str text, int64_t *ret)
{
	for (size_t i = 0; i + 12 <= text.n; i++) {
		if (account_parse(str_head(str_skip(text, i), 12), ret))
			return true;
	}
	return false;
}

int accounts_named(
        const struct request *request, const char *member, const int64_t **ret, size_t *ret_count)
{
	const struct value *list = value_get(request->in, str_from_c(member));
	size_t n = 0, n_list = value_count(list);
	int64_t *numbers = arena_alloc(request->arena, n_list + 1, sizeof(*numbers));
	if (!numbers)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n_list; i++) {
		const struct value *item = value_at(list, i);
		str text =
		        value_str(item).p ? value_str(item) : value_get_str(item, STR("accountId"));
		size_t k = 0;
		if (!find_number(text, &numbers[n]))
			continue;
		while (k < n && numbers[k] != numbers[n])
			k++;
		n += k == n;
	}
	if (n_list == 0)
		numbers[n++] = request->caller.account;
	*ret = numbers;
	*ret_count = n;
	return 0;
}

void accounts_settle(struct request *request, int64_t account)
{
	struct err err = { 0 };
	if (account_reconcile(request->server, account, request->now_at, &err) < 0)
		(void)log_error(&request->server->inside->log,
		        "an account could not be brought about", &err);
}

static int change_locked(struct request *request, int64_t number, const char *what,
        account_edit *edit, void *ctx, struct account *account)
{
	struct object_change change;
	int r = account_get(request->server, number, request->arena, account);
	if (r >= 0)
		r = edit(ctx, account);
	if (r >= 0)
		r = account_change(account, request->arena, &change);
	if (r >= 0)
		r = request_commit(
		        request, &change, 1, what, str_from_c(account_text(number).text));
	return r;
}

int accounts_change(struct request *request, int64_t number, const char *what, account_edit *edit,
        void *ctx, struct account *ret)
{
	struct account account;
	account_lock(request->server, number);
	int r = change_locked(request, number, what, edit, ctx, &account);
	account_unlock(request->server, number);
	if (r < 0)
		return r;
	accounts_settle(request, number);
	*ret = account;
	return 0;
}

int accounts_change_organisation(struct request *request, int64_t management, const char *what,
        organisation_edit *edit, void *ctx, struct organisation *ret)
{
	struct organisation organisation;
	struct object_change change;
	account_lock(request->server, management);
	int r = organisation_get(request->server, management, request->arena, &organisation);
	if (r >= 0)
		r = edit(ctx, &organisation);
	if (r >= 0)
		r = organisation_change(&organisation, request->arena, &change);
	if (r >= 0)
		r = request_commit(request, &change, 1, what, organisation.id);
	account_unlock(request->server, management);
	if (r >= 0)
		*ret = organisation;
	return r;
}

bool account_is_led(struct server *server, const struct account *account, struct arena *arena)
{
	struct organisation organisation;
	return account_has_admin(server, account, arena, &organisation) &&
	       organisation.delegated != account->number;
}

void accounts_write_failed(
        struct json_writer *w, int64_t account, const char *code, const char *message)
{
	json_write_object(w);
	json_write_member_str(w, "accountId", str_from_c(account_text(account).text));
	json_write_member_str(w, "errorCode", str_from_c(code));
	json_write_member_str(w, "errorMessage", str_from_c(message));
	json_write_object_end(w);
}
