/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activations, and how a host enrols with one.
 *
 * An activation is the object "activation" of its account; "activation-account" under account 0
 * says which account that is, since a host that enrols knows its activation only. Of the code a
 * keyed digest is kept.
 */
#include "aws/codec.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/keys.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* Characters of a code: with 64 signs each, 120 bits. */
#define CODE_CHARS 20
#define DAY_S INT64_C(86400)
#define ACTIVATIONS_MAX 5000

struct activation {
	str id;
	str code; /* digest, hexadecimal */
	int64_t limit, count, expires_at, created_at;
	const struct value *in; /* the request that made it */
};

static int get_activation(
        struct server *server, int64_t account, str id, struct arena *arena, struct activation *ret)
{
	const struct value *v = NULL;
	int r = object_get(server->objects, account, "activation", id, arena, &v);
	if (r < 0)
		return r;
	*ret = (struct activation){ .id = id,
		.code = value_get_str(v, STR("Code")),
		.limit = value_get_i64(v, STR("Limit"), 1),
		.count = value_get_i64(v, STR("Count"), 0),
		.expires_at = value_get_i64(v, STR("Expires"), 0),
		.created_at = value_get_i64(v, STR("Created"), 0),
		.in = value_get(v, STR("In")) };
	return 0;
}

static int activation_change(int64_t account, const struct activation *activation,
        struct arena *arena, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Code", activation->code);
	write_number(&draft.json, "Limit", activation->limit);
	write_number(&draft.json, "Count", activation->count);
	write_number(&draft.json, "Expires", activation->expires_at);
	write_number(&draft.json, "Created", activation->created_at);
	write_value(&draft.json, "In", activation->in);
	*ret = (struct object_change){
		.account = account, .type = "activation", .name = activation->id
	};
	return draft_end(&draft, arena, &ret->json);
}

/* HMAC of the code with the server's key, bound to the activation. */
static int digest_code(const struct server *server, str id, str code, struct arena *arena, str *ret)
{
	uint8_t mac[SHA256_BYTES];
	autobuf text = BUF(1024), hex = BUF(128);
	buf_printf(&text, "activation/" STR_FMT "/" STR_FMT, STR_ARG(id), STR_ARG(code));
	int r = crypto_hmac(server->crypto,
	        (str){ (const char *)server->secret_key, sizeof server->secret_key },
	        buf_str(&text), mac);
	hex_add(&hex, (str){ (const char *)mac, sizeof mac });
	if (r == 0 && (buf_failed(&text) || buf_failed(&hex)))
		r = -ERR_LIMIT;
	return r < 0 ? r : arena_copy(arena, buf_str(&hex), ret);
}

static int make_code(char ret[CODE_CHARS + 1])
{
	static const char signs[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char bytes[CODE_CHARS];
	int r = crypto_random(bytes, sizeof bytes);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CODE_CHARS; i++)
		ret[i] = signs[bytes[i] & 63];
	ret[CODE_CHARS] = '\0';
	return 0;
}

/* ---- users ---- */

static int create(struct request *request, struct response *response, str *ret_id, str *ret_code)
{
	struct activation made = { .limit = value_get_i64(request->in, STR("RegistrationLimit"), 1),
		.expires_at = value_get_time(request->in, STR("ExpirationDate")),
		.created_at = request->now_at,
		.in = request->in };
	struct object_change changes[2];
	char id[37], code[CODE_CHARS + 1];

	if (made.expires_at == 0)
		made.expires_at = request->now_at + DAY_S;
	if (made.expires_at <= request->now_at || made.expires_at > request->now_at + 30 * DAY_S)
		return response_fail(response, "InvalidParameters",
		        "An activation expires within the next 30 days.");
	if (object_count(request->server->objects, request->caller.account, "activation") >=
	        ACTIVATIONS_MAX)
		return response_fail(response, "InvalidParameters",
		        "An account has at most %d activations: delete old ones.", ACTIVATIONS_MAX);
	int r = uuid_make(id);
	if (r == 0)
		r = make_code(code);
	if (r == 0)
		r = arena_copy(request->arena, str_from_c(id), &made.id);
	if (r == 0)
		r = arena_copy(request->arena, str_from_c(code), ret_code);
	if (r == 0)
		r = digest_code(request->server, made.id, *ret_code, request->arena, &made.code);
	if (r == 0)
		r = activation_change(request->caller.account, &made, request->arena, &changes[0]);
	if (r < 0)
		return r;
	changes[1] = (struct object_change){ .type = "activation-account", .name = made.id };
	r = arena_printf(request->arena, &changes[1].json, "{\"Account\":%lld}",
	        (long long)request->caller.account);
	if (r == 0)
		r = request_commit(request, changes, 2, "CreateActivation", made.id);
	*ret_id = made.id;
	return r;
}

int api_activation_create(struct request *request, struct response *response)
{
	str id = none, code = none;
	account_lock(request->server, request->caller.account);
	int r = create(request, response, &id, &code);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	json_write_member_str(&response->json, "ActivationId", id);
	json_write_member_str(&response->json, "ActivationCode", code);
	return 0;
}

static bool fits(const struct value *filters, const struct activation *activation)
{
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *f = value_at(filters, i);
		const struct value *values = value_get(f, STR("FilterValues"));
		str key = value_get_str(f, STR("FilterKey"));
		str text = str_eq(key, STR("ActivationIds")) ? activation->id
		                                             : value_get_str(activation->in, key);
		if (value_count(values) > 0 && !value_has_str(values, text))
			return false;
	}
	return true;
}

static void write_activation(
        struct json_writer *w, const struct activation *activation, int64_t now_at)
{
	static const char *const passed[] = { "Description", "DefaultInstanceName", "IamRole",
		"Tags", NULL };
	json_write_object(w);
	json_write_member_str(w, "ActivationId", activation->id);
	write_members(w, activation->in, passed);
	write_number(w, "RegistrationLimit", activation->limit);
	write_number(w, "RegistrationsCount", activation->count);
	write_time(w, "ExpirationDate", activation->expires_at);
	write_flag(w, "Expired", activation->expires_at <= now_at);
	write_time(w, "CreatedDate", activation->created_at);
	json_write_object_end(w);
}

int api_activation_describe(struct request *request, struct response *response)
{
	const struct value *filters = value_get(request->in, STR("Filters"));
	const struct object *objects = NULL;
	size_t n = 0, kept = 0;
	struct list_page page;

	int r = object_list(request->server->objects, request->caller.account, "activation", none,
	        none, 0, request->arena, &objects, &n);
	if (r < 0)
		return r;
	struct activation *all = arena_alloc(request->arena, n + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		r = get_activation(request->server, request->caller.account, objects[i].name,
		        request->arena, &all[kept]);
		if (r < 0 && r != -ENOENT)
			return r;
		kept += r == 0 && fits(filters, &all[kept]);
	}
	r = page_begin(request, response, "ActivationList", kept, 50, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_activation(&response->json, &all[i], request->now_at);
	return page_end(response, &page, 0);
}

int api_activation_delete(struct request *request, struct response *response)
{
	struct activation activation;
	str id = value_get_str(request->in, STR("ActivationId"));
	struct object_change changes[2] = {
		{ .account = request->caller.account, .type = "activation", .name = id },
		{ .type = "activation-account", .name = id },
	};
	account_lock(request->server, request->caller.account);
	int r = get_activation(
	        request->server, request->caller.account, id, request->arena, &activation);
	if (r == 0)
		r = request_commit(request, changes, 2, "DeleteActivation", id);
	account_unlock(request->server, request->caller.account);
	if (r == -ENOENT)
		return response_fail(response, "InvalidActivationId",
		        "There is no such activation in this account.");
	return r;
}

/* ---- hosts ---- */

static int make_host_id(char ret[18])
{
	unsigned char bytes[9];
	autobuf hex = BUF(32);
	int r = crypto_random(bytes, sizeof bytes);
	if (r < 0)
		return r;
	hex_add(&hex, (str){ (const char *)bytes, sizeof bytes });
	if (buf_failed(&hex))
		return -ENOMEM;
	memcpy(ret, hex.p, 17);
	ret[17] = '\0';
	return 0;
}

static int compare_pairs(const void *a, const void *b)
{
	return str_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* The tags of an activation are those of its hosts. A key that stands twice counts once. */
static int read_tags(const struct activation *activation, struct arena *arena,
        const struct pair **ret, size_t *ret_count)
{
	const struct value *tags = value_get(activation->in, STR("Tags"));
	size_t n = value_count(tags), kept = 0;
	struct pair *made = arena_alloc(arena, n + 1, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		made[i] = (struct pair){ value_get_str(value_at(tags, i), STR("Key")),
			value_get_str(value_at(tags, i), STR("Value")) };
	qsort(made, n, sizeof *made, compare_pairs);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !str_eq(made[kept - 1].key, made[i].key))
			made[kept++] = made[i];
	}
	*ret = made;
	*ret_count = kept;
	return 0;
}

/* Put the host into the fleet; its identity is there already. */
static int add_host(
        struct request *request, int64_t account, const struct activation *activation, char id[18])
{
	str name = value_get_str(activation->in, STR("DefaultInstanceName"));
	struct pair fact = { STR("DefaultInstanceName"), name };
	struct account settings;
	struct err err = { 0 };
	bool is_ec2 = false, is_excluded = false;
	uint64_t number = 0;
	struct host_change change = {
		.is_ec2 = &is_ec2, .has_tags = true, .facts = &fact, .n_facts = name.n > 0
	};

	int r = account_get(request->server, account, request->arena, &settings);
	if (r == 0)
		r = read_tags(activation, request->arena, &change.tags, &change.n_tags);
	if (r < 0)
		return r;
	for (size_t i = 0; i < change.n_tags; i++)
		is_excluded = is_excluded || str_eq(change.tags[i].key, STR(EXCLUSION_TAG));
	enum host_state state = host_state_of(NULL, settings.is_ec2_enabled);
	if (state == HOST_ACTIVE && is_excluded)
		state = HOST_EXCLUDED;
	change.state = &state;
	return fleet_host_add(
	        request->server->fleet, account, id, &change, request->now_at, NULL, &number, &err);
}

static int fail_activation(struct response *response)
{
	return response_fail(response, "InvalidActivation",
	        "The activation is unknown, its code is wrong, or it is expired or used up.");
}

/* Under account_lock(), so that the last use of an activation is one. The use is counted, with the
 * host's identity, before the host is there: what fails in between costs a use, and no more. */
static int enrol(struct request *request, struct response *response, int64_t account, char id[18])
{
	str activation_id = value_get_str(request->in, STR("ActivationId")), digest;
	struct activation activation;
	struct object_change changes[2];
	struct host_identity identity = { .account = account,
		.public_key = value_get_str(request->in, STR("PublicKey")),
		.fingerprint = value_get_str(request->in, STR("Fingerprint")),
		.activation = activation_id,
		.registered_at = request->now_at };

	int r = get_activation(
	        request->server, account, activation_id, request->arena, &activation);
	if (r == -ENOENT)
		return fail_activation(response);
	if (r == 0)
		r = digest_code(request->server, activation_id,
		        value_get_str(request->in, STR("ActivationCode")), request->arena, &digest);
	if (r < 0)
		return r;
	if (!crypto_is_equal(digest, activation.code) || activation.expires_at <= request->now_at ||
	        activation.count >= activation.limit)
		return fail_activation(response);
	r = make_host_id(id);
	memcpy(identity.id, id, sizeof identity.id);
	identity.role = value_get_str(activation.in, STR("IamRole"));
	activation.count++;
	if (r == 0)
		r = host_identity_change(&identity, request->arena, &changes[0]);
	if (r == 0)
		r = activation_change(account, &activation, request->arena, &changes[1]);
	if (r == 0)
		r = request_commit(
		        request, changes, 2, "RegisterManagedInstance", str_from_c(identity.id));
	return r < 0 ? r : add_host(request, account, &activation, id);
}

/* A host on EC2 that signs with its own key: it is there since its first request, and keeps the key
 * that it shows, unless it has one. */
static int register_signed(struct request *request, struct response *response)
{
	struct host_identity identity = { .account = request->caller.account,
		.public_key = value_get_str(request->in, STR("PublicKey")),
		.fingerprint = value_get_str(request->in, STR("Fingerprint")),
		.registered_at = request->now_at };
	struct host_identity before;
	struct object_change change;
	struct host_text shown = host_ec2_id(request->caller.host_id);
	str id = str_from_c(request->caller.host_id);

	account_lock(request->server, request->caller.account);
	int r = host_identity_get(
	        request->server, request->caller.account, id, request->arena, &before);
	bool is_there = r == 0;
	memcpy(identity.id, request->caller.host_id, sizeof identity.id);
	if (r == -ENOENT)
		r = host_identity_change(&identity, request->arena, &change);
	if (r == 0 && !is_there)
		r = request_commit(request, &change, 1, "RegisterManagedInstance", id);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	if (is_there)
		return response_fail(response, "InstanceAlreadyRegistered",
		        "Managed node %s is registered already.", shown.text);
	json_write_member_str(&response->json, "InstanceId", str_from_c(shown.text));
	return 0;
}

int api_agent_register(struct request *request, struct response *response)
{
	str activation_id = value_get_str(request->in, STR("ActivationId"));
	str key_type = value_get_str(request->in, STR("PublicKeyType"));
	const struct value *v = NULL;
	char id[18] = "", shown[24];
	int64_t account = 0;

	if (key_type.n > 0 && !str_eq_nocase(key_type, STR("Rsa")))
		return response_fail(response, "ValidationException", "The PublicKeyType is Rsa.");
	int r = crypto_rsa_check(
	        request->server->crypto, value_get_str(request->in, STR("PublicKey")));
	if (r == -ERR_FORMAT)
		return response_fail(response, "ValidationException",
		        "The PublicKey is not the base64 of an RSA key of 2048 to 8192 bits.");
	if (r < 0)
		return r;
	if (activation_id.n == 0 && request->caller.role == ROLE_HOST)
		return register_signed(request, response);
	if (activation_id.n == 0)
		return fail_activation(response);
	r = object_get(request->server->objects, 0, "activation-account", activation_id,
	        request->arena, &v);
	if (r == -ENOENT)
		return fail_activation(response);
	if (r < 0)
		return r;
	account = value_get_i64(v, STR("Account"), 0);
	account_lock(request->server, account);
	r = enrol(request, response, account, id);
	account_unlock(request->server, account);
	if (r < 0)
		return r;
	(void)snprintf(shown, sizeof shown, "mi-%s", id);
	json_write_member_str(&response->json, "InstanceId", str_from_c(shown));
	return 0;
}
