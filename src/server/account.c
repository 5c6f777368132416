/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts and organisations: each is one object, "account/self" and "organisation/self". */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "server/accounts.h"
#include "server/inside.h"

#define PATHS_MAX 5
/* An account's or organisation's text. */
#define TEXT_BYTES ((size_t)64 << 10)

/* ---- one text ---- */

/* The boolean members of an account, and where they are. */
static const struct flag {
	const char *key;
	size_t at;
} account_flags[] = {
	{ "legacy", offsetof(struct account, is_legacy) },
	{ "ec2", offsetof(struct account, is_ec2_enabled) },
	{ "ecr", offsetof(struct account, is_ecr_enabled) },
	{ "lambda", offsetof(struct account, is_lambda_enabled) },
	{ "lambdaCode", offsetof(struct account, is_lambda_code_enabled) },
	{ "code", offsetof(struct account, is_code_enabled) },
	{ "hybrid", offsetof(struct account, is_hybrid) },
	{ "deep", offsetof(struct account, is_deep_active) },
	{ "member", offsetof(struct account, is_member) },
	{ "inheritsMode", offsetof(struct account, inherits_mode) },
};

static const struct flag organisation_flags[] = {
	{ "autoEc2", offsetof(struct organisation, auto_ec2) },
	{ "autoEcr", offsetof(struct organisation, auto_ecr) },
	{ "autoLambda", offsetof(struct organisation, auto_lambda) },
	{ "autoLambdaCode", offsetof(struct organisation, auto_lambda_code) },
	{ "autoCode", offsetof(struct organisation, auto_code) },
};

#define N_FLAGS(rows) (sizeof(rows) / sizeof(*(rows)))

static void read_flags(const struct value *v, const struct flag *rows, size_t n, void *base)
{
	for (size_t i = 0; i < n; i++)
		*(bool *)((char *)base + rows[i].at) =
		        value_get_bool(v, str_from_c(rows[i].key), false);
}

/* Only what is set is written: most accounts have few. */
static void write_flags(struct json_writer *w, const struct flag *rows, size_t n, const void *base)
{
	for (size_t i = 0; i < n; i++) {
		if (!*(const bool *)((const char *)base + rows[i].at))
			continue;
		json_write_key(w, rows[i].key);
		json_write_bool(w, true);
	}
}

static size_t read_paths(const struct value *v, str paths[PATHS_MAX])
{
	const struct value *list = value_get(v, STR("paths"));
	size_t n = value_count(list);
	if (n > PATHS_MAX)
		n = PATHS_MAX;
	for (size_t i = 0; i < n; i++)
		paths[i] = value_str(value_at(list, i));
	return n;
}

static void write_paths(struct json_writer *w, const str *paths, size_t n)
{
	if (n == 0)
		return;
	json_write_key(w, "paths");
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		json_write_str(w, paths[i]);
	json_write_array_end(w);
}

static void write_if(struct json_writer *w, const char *key, int64_t number)
{
	if (number != 0)
		write_number(w, key, number);
}

static void read_account(const struct value *v, int64_t number, struct account *ret)
{
	*ret = (struct account){ .number = number,
		.name = value_get_str(v, STR("name")),
		.email = value_get_str(v, STR("email")),
		.organisation = value_get_i64(v, STR("organisation"), 0),
		.created_at = value_get_i64(v, STR("createdAt"), 0),
		.joined_at = value_get_i64(v, STR("joinedAt"), 0),
		.enabled_at = value_get_i64(v, STR("enabledAt"), 0),
		.member_at = value_get_i64(v, STR("memberAt"), 0),
		.deep_error = value_get_str(v, STR("deepError")),
		.ecr_rescan = value_get_str(v, STR("ecrRescan")) };
	read_flags(v, account_flags, N_FLAGS(account_flags), ret);
	ret->n_paths = read_paths(v, ret->paths);
}

int account_get(struct server *server, int64_t number, struct arena *arena, struct account *ret)
{
	const struct value *v;
	int r = object_get(server->objects, number, "account", STR("self"), arena, &v);
	if (r >= 0)
		read_account(v, number, ret);
	return r;
}

static int end_change(int64_t account, const char *type, const struct buf *text,
        struct arena *arena, struct object_change *ret)
{
	str json;
	if (buf_failed(text) || arena_copy(arena, buf_str(text), &json) < 0)
		return -ERR_LIMIT;
	*ret = (struct object_change){
		.account = account, .type = type, .name = STR("self"), .json = json
	};
	return 0;
}

int account_change(const struct account *account, struct arena *arena, struct object_change *ret)
{
	autobuf text = BUF(TEXT_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	json_write_object(&w);
	write_text(&w, "name", account->name);
	write_text(&w, "email", account->email);
	write_if(&w, "organisation", account->organisation);
	write_if(&w, "createdAt", account->created_at);
	write_if(&w, "joinedAt", account->joined_at);
	write_if(&w, "enabledAt", account->enabled_at);
	write_if(&w, "memberAt", account->member_at);
	write_text(&w, "deepError", account->deep_error);
	write_text(&w, "ecrRescan", account->ecr_rescan);
	write_flags(&w, account_flags, N_FLAGS(account_flags), account);
	write_paths(&w, account->paths, account->n_paths);
	json_write_object_end(&w);
	return end_change(account->number, "account", &text, arena, ret);
}

int organisation_get(
        struct server *server, int64_t management, struct arena *arena, struct organisation *ret)
{
	const struct value *v;
	int r = object_get(server->objects, management, "organisation", STR("self"), arena, &v);
	if (r < 0)
		return r;
	*ret = (struct organisation){ .id = value_get_str(v, STR("id")),
		.management = management,
		.delegated = value_get_i64(v, STR("delegated"), 0) };
	read_flags(v, organisation_flags, N_FLAGS(organisation_flags), ret);
	ret->n_paths = read_paths(v, ret->paths);
	return 0;
}

int organisation_change(
        const struct organisation *organisation, struct arena *arena, struct object_change *ret)
{
	autobuf text = BUF(TEXT_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	json_write_object(&w);
	write_text(&w, "id", organisation->id);
	write_if(&w, "delegated", organisation->delegated);
	write_flags(&w, organisation_flags, N_FLAGS(organisation_flags), organisation);
	write_paths(&w, organisation->paths, organisation->n_paths);
	json_write_object_end(&w);
	return end_change(organisation->management, "organisation", &text, arena, ret);
}

/* ---- all ---- */

int account_list(
        struct server *server, struct arena *arena, const struct account **ret, size_t *ret_count)
{
	const struct object *objects;
	size_t n;
	int r = object_list(server->objects, STORE_ANY_ACCOUNT, "account", (str){ NULL, 0 },
	        (str){ NULL, 0 }, 0, arena, &objects, &n);
	struct account *accounts = r < 0 ? NULL : arena_alloc(arena, n + 1, sizeof(*accounts));
	if (!accounts)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		read_account(objects[i].value, objects[i].account, &accounts[i]);
	*ret = accounts;
	*ret_count = n;
	return 0;
}

/* ---- who sees what ---- */

bool account_is_enabled(const struct account *account)
{
	return account->is_ec2_enabled || account->is_ecr_enabled || account->is_lambda_enabled ||
	       account->is_lambda_code_enabled || account->is_code_enabled;
}

/* The caller's own account, and for the delegated administrator also its members; sorted. */
static int list_seen(struct server *server, const struct caller *caller, bool is_enabled_only,
        struct arena *arena, const int64_t **ret, size_t *ret_count)
{
	const struct account *all;
	struct account own;
	size_t n_all = 1, n = 0;
	int r = account_get(server, caller->account, arena, &own);
	all = &own;
	if (r == -ENOENT) {
		n_all = 0;
		r = 0;
	} else if (r >= 0 && caller->is_delegated && caller->role != ROLE_HOST) {
		r = account_list(server, arena, &all, &n_all);
	}
	int64_t *numbers = r < 0 ? NULL : arena_alloc(arena, n_all + 1, sizeof(*numbers));
	if (!numbers)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n_all; i++) {
		bool is_seen = all[i].number == caller->account ||
		               (all[i].is_member && all[i].organisation == caller->organisation);
		if (is_seen && (!is_enabled_only || account_is_enabled(&all[i])))
			numbers[n++] = all[i].number;
	}
	*ret = numbers;
	*ret_count = n;
	return 0;
}

int caller_accounts(struct server *server, const struct caller *caller, struct arena *arena,
        const int64_t **ret, size_t *ret_count)
{
	return list_seen(server, caller, true, arena, ret, ret_count);
}

int caller_members(struct server *server, const struct caller *caller, struct arena *arena,
        const int64_t **ret, size_t *ret_count)
{
	return list_seen(server, caller, false, arena, ret, ret_count);
}

bool caller_sees(struct server *server, const struct caller *caller, int64_t account)
{
	struct account it;
	if (caller->role == ROLE_NOBODY)
		return false;
	if (account == caller->account)
		return true;
	if (!caller->is_delegated || caller->role == ROLE_HOST)
		return false;
	struct arena arena = ARENA(TEXT_BYTES * 4);
	int r = account_get(server, account, &arena, &it);
	bool sees = r >= 0 && it.is_member && it.organisation == caller->organisation;
	arena_fini(&arena);
	return sees;
}

int account_effective_paths(
        struct server *server, const struct account *account, struct arena *arena, const str **ret)
{
	struct organisation organisation;
	str *paths = arena_alloc(arena, 2 * PATHS_MAX, sizeof(*paths));
	int n = 0;
	if (!paths)
		return -ERR_LIMIT;
	if (account->organisation != 0 &&
	        account_has_admin(server, account, arena, &organisation)) {
		for (size_t i = 0; i < organisation.n_paths; i++)
			paths[n++] = organisation.paths[i];
	}
	for (size_t i = 0; i < account->n_paths; i++)
		paths[n++] = account->paths[i];
	*ret = paths;
	return n;
}

bool account_has_admin(struct server *server, const struct account *account, struct arena *arena,
        struct organisation *ret)
{
	struct organisation organisation;
	if (account->organisation == 0 ||
	        organisation_get(server, account->organisation, arena, &organisation) < 0 ||
	        organisation.delegated == 0)
		return false;
	*ret = organisation;
	return account->is_member || organisation.delegated == account->number;
}

int organisation_take_in(const struct organisation *organisation, struct account *account,
        int64_t now_at, struct arena *arena, struct object_change *ret)
{
	if (organisation->delegated != 0 && organisation->delegated != account->number) {
		account->is_member = true;
		account->member_at = now_at;
		account->is_ec2_enabled |= organisation->auto_ec2;
		account->is_ecr_enabled |= organisation->auto_ecr;
		account->is_lambda_enabled |= organisation->auto_lambda;
		account->is_lambda_code_enabled |= organisation->auto_lambda_code;
		account->is_code_enabled |= organisation->auto_code;
		account->is_deep_active |= organisation->auto_ec2 && !account->is_legacy;
		if (account_is_enabled(account) && account->enabled_at == 0)
			account->enabled_at = now_at;
	}
	return account_change(account, arena, ret);
}
