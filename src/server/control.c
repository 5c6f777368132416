/* SPDX-License-Identifier: Apache-2.0 */
#include "server/control.h"

#include <inttypes.h>
#include <roaring/roaring.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "server/inside.h"
#include "server/keys.h"

struct control_call {
	struct server *server;
	const struct value *in;
	struct arena *arena;
	struct json_writer *out;
	int64_t now_at;
	struct err *err;
};

static int no_memory(const struct control_call *call)
{
	return err_set(call->err, -ENOMEM, "no memory");
}

static int read_number(const struct control_call *call, str key, int64_t *ret)
{
	str text = value_get_str(call->in, key);
	if (!account_parse(text, ret))
		return err_set(call->err, -EINVAL,
		        "'" STR_FMT "' is not an account: twelve digits are",
		        STR_ARG(str_head(text, 32)));
	return 0;
}

static int find_account(const struct control_call *call, str key, struct account *ret)
{
	int64_t number;
	int r = read_number(call, key, &number);
	if (r < 0)
		return r;
	r = account_get(call->server, number, call->arena, ret);
	return r == -ENOENT
	               ? err_set(call->err, r, "there is no account %s; 'account add' makes one",
	                         account_text(number).text)
	       : r < 0 ? no_memory(call)
	               : 0;
}

static int commit(const struct control_call *call, const struct object_change *changes, size_t n)
{
	return objects_change(call->server->objects, changes, n, NULL, call->err);
}

/* What follows from a change, where a fleet is loaded; else the next start sees to it. */
static int settle(const struct control_call *call, int64_t account)
{
	return call->server->fleet
	               ? account_reconcile(call->server, account, call->now_at, call->err)
	               : 0;
}

/* ---- accounts ---- */

/* Twelve digits that do not begin with 0: some clients drop those. */
static int choose_number(const struct control_call *call, int64_t *ret)
{
	uint64_t random;
	int r = crypto_random(&random, sizeof(random));
	if (r < 0)
		return err_set(call->err, r, "the system has no random bytes");
	*ret = (int64_t)(UINT64_C(100000000000) + random % UINT64_C(900000000000));
	return 0;
}

static int account_add(const struct control_call *call)
{
	int64_t number;
	struct object_change change;
	int r = value_get(call->in, STR("account")) ? read_number(call, STR("account"), &number)
	                                            : choose_number(call, &number);
	if (r < 0)
		return r;
	if (number == 0)
		return err_set(call->err, -EINVAL, "000000000000 is not an account");
	bool is_legacy = value_get_bool(call->in, STR("legacy"), false);
	struct account account = { .number = number,
		.name = value_get_str(call->in, STR("name")),
		.email = value_get_str(call->in, STR("email")),
		.created_at = call->now_at,
		.is_legacy = is_legacy };
	if (account_change(&account, call->arena, &change) < 0)
		return no_memory(call);
	change.is_new = true;
	r = commit(call, &change, 1);
	if (r == -EEXIST)
		return err_set(
		        call->err, r, "account %s is there already", account_text(number).text);
	if (r >= 0)
		json_write_member_str(call->out, "account", str_from_c(account_text(number).text));
	return r;
}

/* How many packages of an account's hosts are matched by their own names only. */
static uint64_t count_by_name(struct server *server, int64_t account)
{
	uint64_t n = 0;
	if (!server->fleet)
		return 0;
	fleet_lock(server->fleet);
	roaring_uint32_iterator_t at;
	for (roaring_init_iterator(fleet_hosts(server->fleet, account), &at); at.has_value;
	        roaring_advance_uint32_iterator(&at))
		n += fleet_host_by_name(fleet_host_at(server->fleet, at.current_value));
	fleet_unlock(server->fleet);
	return n;
}

static int account_list_all(const struct control_call *call)
{
	const struct account *accounts;
	size_t n;
	if (account_list(call->server, call->arena, &accounts, &n) < 0)
		return no_memory(call);
	json_write_key(call->out, "accounts");
	json_write_array(call->out);
	for (size_t i = 0; i < n; i++) {
		struct json_writer *w = call->out;
		json_write_object(w);
		json_write_member_str(
		        w, "account", str_from_c(account_text(accounts[i].number).text));
		json_write_member_str(w, "name", accounts[i].name);
		json_write_member_str(
		        w, "state", accounts[i].is_ec2_enabled ? STR("enabled") : STR("disabled"));
		json_write_member_str(
		        w, "deep", accounts[i].is_deep_active ? STR("active") : STR("inactive"));
		json_write_member_str(w, "organisation",
		        accounts[i].organisation
		                ? str_from_c(account_text(accounts[i].organisation).text)
		                : STR("-"));
		json_write_key(w, "by_name_only");
		json_write_u64(w, count_by_name(call->server, accounts[i].number));
		json_write_object_end(w);
	}
	json_write_array_end(call->out);
	return 0;
}

/* ---- organisations ---- */

/* Under account_lock() of the account. */
static int create_organisation(const struct control_call *call)
{
	struct account account;
	struct object_change changes[2];
	uint8_t bytes[10];
	char id[13] = "o-";
	int r = find_account(call, STR("account"), &account);
	if (r < 0)
		return r;
	if (account.organisation != 0)
		return err_set(call->err, -EEXIST, "account %s is in an organisation already",
		        account_text(account.number).text);
	r = crypto_random(bytes, sizeof(bytes));
	if (r < 0)
		return err_set(call->err, r, "the system has no random bytes");
	for (size_t i = 0; i < sizeof(bytes); i++)
		id[2 + i] = "abcdefghijklmnopqrstuvwxyz012345"[bytes[i] & 31];
	struct organisation organisation = { .id = { id, 12 }, .management = account.number };
	account.organisation = account.number;
	account.joined_at = call->now_at;
	if (organisation_change(&organisation, call->arena, &changes[0]) < 0 ||
	        account_change(&account, call->arena, &changes[1]) < 0)
		return no_memory(call);
	changes[0].is_new = true;
	r = commit(call, changes, 2);
	if (r >= 0)
		json_write_member_str(call->out, "organisation", organisation.id);
	return r;
}

/* What a function does under the lock of the account that a member names. */
static int with_lock(
        const struct control_call *call, str key, int (*go)(const struct control_call *call))
{
	int64_t number;
	int r = read_number(call, key, &number);
	if (r < 0)
		return r;
	account_lock(call->server, number);
	r = go(call);
	account_unlock(call->server, number);
	return r;
}

static int organisation_create(const struct control_call *call)
{
	return with_lock(call, STR("account"), create_organisation);
}

/* Under account_lock() of the account. */
static int add_to_organisation(const struct control_call *call)
{
	struct account account, management;
	struct organisation organisation;
	struct object_change change;
	int r = find_account(call, STR("account"), &account);
	if (r >= 0)
		r = find_account(call, STR("management"), &management);
	if (r < 0)
		return r;
	if (organisation_get(call->server, management.number, call->arena, &organisation) < 0)
		return err_set(call->err, -ENOENT, "account %s manages no organisation",
		        account_text(management.number).text);
	if (account.organisation != 0)
		return err_set(call->err, -EEXIST, "account %s is in an organisation already",
		        account_text(account.number).text);
	account.organisation = management.number;
	account.joined_at = call->now_at;
	r = organisation_take_in(&organisation, &account, call->now_at, call->arena, &change);
	if (r < 0)
		return no_memory(call);
	return commit(call, &change, 1);
}

static int organisation_add(const struct control_call *call)
{
	int64_t number;
	int r = with_lock(call, STR("account"), add_to_organisation);
	if (r >= 0)
		r = read_number(call, STR("account"), &number);
	return r < 0 ? r : settle(call, number);
}

/* Under account_lock() of the management account. */
static int delegate(const struct control_call *call)
{
	struct account account;
	struct organisation organisation;
	struct object_change change;
	int r = find_account(call, STR("account"), &account);
	if (r < 0)
		return r;
	if (account.organisation == 0 || organisation_get(call->server, account.organisation,
	                                         call->arena, &organisation) < 0)
		return err_set(call->err, -ENOENT, "account %s is in no organisation",
		        account_text(account.number).text);
	organisation.delegated = account.number;
	if (organisation_change(&organisation, call->arena, &change) < 0)
		return no_memory(call);
	return commit(call, &change, 1);
}

static int organisation_delegate(const struct control_call *call)
{
	struct account account;
	int r = find_account(call, STR("account"), &account);
	if (r < 0)
		return r;
	account_lock(call->server, account.organisation);
	r = delegate(call);
	account_unlock(call->server, account.organisation);
	return r;
}

/* ---- keys ---- */

static int read_host(const struct control_call *call, struct access_key *key)
{
	str host = value_get_str(call->in, STR("instance")), digits;
	if (key->role != ROLE_HOST)
		return host.n == 0 ? 0
		                   : err_set(call->err, -EINVAL,
		                             "only a key of the role host is of an instance");
	if (!host_id_parse(host, &digits))
		return err_set(call->err, -EINVAL,
		        "a key of the role host needs an instance: i- or mi- and 17 hexadecimal "
		        "digits");
	memcpy(key->host_id, digits.p, digits.n);
	key->is_ec2 = host.p[0] == 'i';
	return 0;
}

static int add_key(const struct control_call *call)
{
	char id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE];
	struct account account;
	struct access_key key = { .note = value_get_str(call->in, STR("note")) };
	str role = value_get_str(call->in, STR("role"));
	int r = find_account(call, STR("account"), &account);
	if (r < 0)
		return r;
	key.account = account.number;
	if (!role_parse(role, &key.role))
		return err_set(call->err, -EINVAL,
		        "'" STR_FMT "' is not a role: admin, reader and host are",
		        STR_ARG(str_head(role, 32)));
	r = read_host(call, &key);
	if (r >= 0)
		r = key_add(call->server, &key, call->now_at, id, secret, call->err);
	if (r < 0)
		return r;
	json_write_member_str(call->out, "access_key_id", str_from_c(id));
	json_write_member_str(call->out, "secret_access_key", str_from_c(secret));
	crypto_wipe(secret, sizeof(secret));
	return 0;
}

static int list_keys(const struct control_call *call)
{
	const struct access_key *keys;
	size_t n;
	if (key_list(call->server, call->arena, &keys, &n) < 0)
		return no_memory(call);
	json_write_key(call->out, "keys");
	json_write_array(call->out);
	for (size_t i = 0; i < n; i++) {
		json_write_object(call->out);
		json_write_member_str(call->out, "access_key_id", keys[i].id);
		json_write_member_str(
		        call->out, "account", str_from_c(account_text(keys[i].account).text));
		json_write_member_str(call->out, "role", str_from_c(role_word(keys[i].role)));
		json_write_member_str(call->out, "instance",
		        keys[i].host_id[0] ? str_from_c(keys[i].host_id) : STR("-"));
		json_write_member_str(call->out, "note", keys[i].note);
		write_number(call->out, "createdAt", keys[i].created_at);
		json_write_object_end(call->out);
	}
	json_write_array_end(call->out);
	return 0;
}

static int revoke_key(const struct control_call *call)
{
	return key_revoke(call->server, value_get_str(call->in, STR("id")), call->err);
}

/* ---- activations ---- */

/* What CreateActivation does, as if the account's administrator had asked. */
static int add_activation(const struct control_call *call)
{
	const struct operation *row =
	        operation_row(call->server, operation_find(STR("ssm"), STR("CreateActivation")));
	struct account account;
	struct value in;
	str limit, expires;
	int r = find_account(call, STR("account"), &account);
	if (r < 0)
		return r;
	if (!row)
		return err_set(call->err, -ERR_UNSUPPORTED, "this server takes no activations");
	int64_t hours = value_get_i64(call->in, STR("hours"), 24);
	if (arena_printf(call->arena, &limit, "%" PRId64,
	            value_get_i64(call->in, STR("limit"), 1)) < 0 ||
	        arena_printf(call->arena, &expires, "%" PRId64, call->now_at + hours * 3600) < 0)
		return no_memory(call);
	struct value_member members[] = {
		{ STR("IamRole"), value_of_str(STR("SondeHost")) },
		{ STR("RegistrationLimit"), value_of_number(limit) },
		{ STR("ExpirationDate"), value_of_number(expires) },
	};
	if (value_of_members(call->arena, members, 3, &in) < 0)
		return no_memory(call);
	struct request request = { .server = call->server,
		.operation = row,
		.caller = { .role = ROLE_ADMIN,
		        .account = account.number,
		        .key_id = STR("sonde-server"),
		        .arn = STR("sonde-server") },
		.in = &in,
		.arena = call->arena,
		.region = STR("us-east-1"),
		.now_at = call->now_at,
		.now_ms = call->now_at * 1000,
		.peer = STR("-") };
	struct response response = { .arena = call->arena, .json = *call->out };
	r = uuid_make(request.id) < 0 ? -EIO : row->handle(&request, &response);
	*call->out = response.json;
	return response.is_failed ? err_set(call->err, -EINVAL, STR_FMT, STR_ARG(response.message))
	       : r < 0            ? err_set(call->err, r, "the activation could not be made")
	                          : 0;
}

/* ---- backup ---- */

static int backup(const struct control_call *call)
{
	str path;
	if (arena_copy(call->arena, value_get_str(call->in, STR("path")), &path) < 0)
		return no_memory(call);
	if (path.n == 0 || path.p[0] != '/')
		return err_set(call->err, -EINVAL, "the path of a backup must be absolute");
	return store_backup(call->server->store, path.p, NULL, NULL, call->err);
}

static const struct {
	const char *what;
	int (*go)(const struct control_call *call);
} things[] = {
	{ "account add", account_add },
	{ "account list", account_list_all },
	{ "activation add", add_activation },
	{ "backup", backup },
	{ "key add", add_key },
	{ "key list", list_keys },
	{ "key revoke", revoke_key },
	{ "organisation add", organisation_add },
	{ "organisation create", organisation_create },
	{ "organisation delegate", organisation_delegate },
};

int control_do(struct server *server, const struct value *request, struct arena *arena,
        struct json_writer *out, struct err *err)
{
	str what = value_get_str(request, STR("do"));
	struct control_call call = { .server = server,
		.in = request,
		.arena = arena,
		.out = out,
		.now_at = server_now_ms(server) / 1000,
		.err = err };
	for (size_t i = 0; i < sizeof(things) / sizeof(*things); i++) {
		if (str_eq(what, str_from_c(things[i].what)))
			return things[i].go(&call);
	}
	return err_set(err, -EINVAL, "'" STR_FMT "' is not known to this server",
	        STR_ARG(str_head(what, 32)));
}
