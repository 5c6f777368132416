/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three kinds of proof: the secret of a long-lived key, that of a session (x-amz-security-token),
 * and an RSA key that a host registered. Each ends in a caller; nothing in a body adds to it.
 */
#include "server/auth.h"

#include "base/cleanup.h"
#include "server/inside.h"
#include "server/keys.h"

/* What failures are called by services that speak XML. */
static const struct {
	const char *json, *ec2, *sts;
} names[] = {
	{ "MissingAuthenticationTokenException", "AuthFailure", "MissingAuthenticationToken" },
	{ "IncompleteSignatureException", "AuthFailure", "IncompleteSignature" },
	{ "UnrecognizedClientException", "AuthFailure", "InvalidClientTokenId" },
	{ "InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch" },
	{ "ExpiredTokenException", "RequestExpired", "ExpiredToken" },
};

/* A host asks for its role, and rotates its key, by an RSA signature. */
static const char *const rsa_operations[] = { "RequestManagedInstanceRoleToken",
	"UpdateManagedInstancePublicKey" };

const char *auth_error_of(const char *error, str service)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i].json, error) != 0)
			continue;
		return str_eq(service, STR("ec2"))   ? names[i].ec2
		       : str_eq(service, STR("sts")) ? names[i].sts
		                                     : error;
	}
	return error;
}

static int refuse(struct auth_failure *ret, const char *error, const char *message)
{
	*ret = (struct auth_failure){ error, message };
	return -EACCES;
}

static int refuse_verdict(struct auth_failure *ret, enum sigv4_verdict verdict)
{
	if (verdict == SIGV4_FAILED)
		return -ENOMEM;
	return refuse(ret, sigv4_verdict_error(verdict), sigv4_verdict_message(verdict));
}

static int refuse_unknown(struct auth_failure *ret)
{
	return refuse(ret, "UnrecognizedClientException",
	        "The security token included in the request is invalid.");
}

/* ---- the caller ---- */

static bool is_region(str s)
{
	if (s.n == 0 || s.n > 32)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	}
	return true;
}

/* What the account is in its organisation. */
static void add_organisation(struct server *server, struct arena *arena, struct caller *caller)
{
	struct account account;
	struct organisation organisation;
	if (account_get(server, caller->account, arena, &account) < 0)
		return;
	caller->organisation = account.organisation;
	if (account.organisation == 0)
		return;
	caller->is_management = account.organisation == account.number;
	if (organisation_get(server, account.organisation, arena, &organisation) >= 0)
		caller->is_delegated = organisation.delegated == account.number;
}

/* A host's number, if the fleet has it. -EACCES when it may not speak: another account's, or
 * deregistered. */
static int add_host(struct server *server, struct caller *caller)
{
	int r = 0;
	if (!server->fleet)
		return 0;
	fleet_lock(server->fleet);
	const struct fleet_host *host = fleet_host_find(server->fleet, str_from_c(caller->host_id));
	if (host && (host->account != caller->account || host->state == HOST_TERMINATED))
		r = -EACCES;
	else if (host)
		caller->host_number = host->number;
	fleet_unlock(server->fleet);
	return r;
}

static int finish(struct server *server, struct arena *arena, str name, struct caller *caller)
{
	struct account_text digits = account_text(caller->account);
	str arn;
	int r;
	if (caller->role == ROLE_HOST)
		r = arena_printf(arena, &arn, "arn:aws:sts::%s:assumed-role/SondeHost/%s",
		        digits.text, host_ec2_id(caller->host_id).text);
	else if (name.n > 0)
		r = arena_printf(arena, &arn, "arn:aws:sts::%s:assumed-role/" STR_FMT, digits.text,
		        STR_ARG(name));
	else
		r = arena_printf(arena, &arn, "arn:aws:iam::%s:user/" STR_FMT, digits.text,
		        STR_ARG(caller->key_id));
	if (r < 0)
		return -ENOMEM;
	caller->arn = arn;
	if (caller->role == ROLE_HOST)
		return add_host(server, caller);
	add_organisation(server, arena, caller);
	return 0;
}

/* ---- keys and sessions ---- */

/* Whose key it is, and how to get its secret when it is not cached. */
struct proof {
	struct caller caller;
	str name;              /* of a session */
	str token;             /* of a session; empty: */
	struct access_key key; /* a long-lived key */
};

/* May the owner of a key still look at an account? Members leave while sessions last. */
static bool still_sees(
        struct server *server, const struct access_key *key, int64_t account, struct arena *arena)
{
	struct caller owner = { .role = key->role, .account = key->account };
	if (key->account == account)
		return true;
	add_organisation(server, arena, &owner);
	return caller_sees(server, &owner, account);
}

static int find_session(struct server *server, str id, str token, struct arena *arena,
        int64_t now_at, struct proof *ret, struct auth_failure *ret_failure)
{
	struct session session;
	struct access_key parent;
	int r = session_read(server, id, token, arena, &session);
	if (r < 0)
		return r == -ERR_LIMIT ? -ENOMEM : refuse_unknown(ret_failure);
	if (session.parent.n > 0) {
		/* A session ends with the key that it was made with, and has no other account's
		 * rights than were given when it was made. */
		r = key_get(server, session.parent, arena, &parent);
		if (r < 0)
			return r == -ERR_LIMIT ? -ENOMEM : refuse_unknown(ret_failure);
		if (!still_sees(server, &parent, session.account, arena))
			return refuse_unknown(ret_failure);
	}
	if (session.role == ROLE_HOST && session.parent.n == 0) {
		struct host_identity identity;
		r = host_identity_get(
		        server, session.account, str_from_c(session.host_id), arena, &identity);
		if (r < 0)
			return r == -ERR_LIMIT ? -ENOMEM : refuse_unknown(ret_failure);
	}
	if (now_at >= session.expires_at)
		return refuse(ret_failure, "ExpiredTokenException",
		        "The security token included in the request is expired.");
	*ret = (struct proof){ .name = session.name, .token = token };
	ret->caller =
	        (struct caller){ .role = session.role, .account = session.account, .key_id = id };
	memcpy(ret->caller.host_id, session.host_id, sizeof(session.host_id));
	return 0;
}

static int find_key(struct server *server, str id, struct arena *arena, struct proof *ret,
        struct auth_failure *ret_failure)
{
	struct access_key key;
	int r = key_get(server, id, arena, &key);
	if (r < 0)
		return r == -ERR_LIMIT ? -ENOMEM : refuse_unknown(ret_failure);
	*ret = (struct proof){ .key = key };
	ret->caller = (struct caller){ .role = key.role, .account = key.account, .key_id = key.id };
	memcpy(ret->caller.host_id, key.host_id, sizeof(key.host_id));
	ret->caller.is_ec2 = key.is_ec2;
	return 0;
}

static int signing_key(struct server *server, const struct proof *proof,
        const struct sigv4_credential *credential, uint8_t ret[SIGV4_KEY_BYTES])
{
	struct signing_keys *cache = server->inside->signing_keys;
	uint64_t ticket;
	if (signing_keys_find(cache, credential, ret, &ticket))
		return 0;
	autobuf secret = BUF(256);
	int r = proof->token.n > 0 ? session_secret(server, proof->token, &secret)
	                           : key_secret(server, &proof->key, &secret);
	if (r >= 0)
		r = sigv4_signing_key(server->crypto, buf_str(&secret), credential, ret);
	if (r >= 0)
		signing_keys_put(cache, credential, ret, ticket);
	if (secret.p)
		crypto_wipe(secret.p, secret.n);
	return r;
}

static int verify_hmac(struct server *server, const struct sigv4_request *request,
        const struct sigv4 *sig, struct arena *arena, int64_t now_at, struct caller *ret,
        struct auth_failure *ret_failure)
{
	struct proof proof;
	uint8_t key[SIGV4_KEY_BYTES];
	str token = { NULL, 0 };
	str id = sig->credential.access_key_id;
	bool has_token = sigv4_header(request, STR("x-amz-security-token"), &token) && token.n > 0;
	int r = has_token ? find_session(server, id, token, arena, now_at, &proof, ret_failure)
	                  : find_key(server, id, arena, &proof, ret_failure);
	if (r >= 0)
		r = signing_key(server, &proof, &sig->credential, key);
	if (r < 0)
		return r;
	enum sigv4_verdict verdict = sigv4_verify(server->crypto, sig, request, key, now_at);
	crypto_wipe(key, sizeof(key));
	if (verdict != SIGV4_OK)
		return refuse_verdict(ret_failure, verdict);
	r = finish(server, arena, proof.name, &proof.caller);
	if (r == -EACCES)
		return refuse_unknown(ret_failure);
	if (r >= 0)
		*ret = proof.caller;
	return r;
}

/* ---- hosts by their own key ---- */

static bool takes_rsa(const struct operation_shape *operation)
{
	for (size_t i = 0; operation && i < sizeof(rsa_operations) / sizeof(*rsa_operations); i++) {
		if (strcmp(operation->service, "ssm") == 0 &&
		        strcmp(operation->name, rsa_operations[i]) == 0)
			return true;
	}
	return false;
}

/* The account of a host that is there and was not deregistered. */
static bool find_host(struct server *server, str digits, struct caller *caller)
{
	bool found = false;
	if (!server->fleet)
		return false;
	fleet_lock(server->fleet);
	const struct fleet_host *host = fleet_host_find(server->fleet, digits);
	if (host && host->state != HOST_TERMINATED) {
		caller->account = host->account;
		caller->is_ec2 = host->is_ec2;
		found = true;
	}
	fleet_unlock(server->fleet);
	return found;
}

static int verify_rsa(struct server *server, const struct sigv4_request *request,
        const struct sigv4 *sig, const struct operation_shape *operation, struct arena *arena,
        int64_t now_at, struct caller *ret, struct auth_failure *ret_failure)
{
	struct caller caller = { .role = ROLE_HOST, .key_id = sig->credential.access_key_id };
	struct host_identity identity;
	str digits;
	if (!takes_rsa(operation))
		return refuse(ret_failure, "InvalidSignatureException",
		        "A signature of this kind is not accepted for this operation.");
	if (!host_id_parse(sig->credential.access_key_id, &digits) ||
	        !find_host(server, digits, &caller))
		return refuse_unknown(ret_failure);
	int r = host_identity_get(server, caller.account, digits, arena, &identity);
	if (r == -ERR_LIMIT)
		return -ENOMEM;
	if (r < 0 || identity.public_key.n == 0)
		return refuse_unknown(ret_failure);
	enum sigv4_verdict verdict =
	        sigv4_verify_rsa(server->crypto, sig, request, identity.public_key, now_at);
	if (verdict != SIGV4_OK)
		return refuse_verdict(ret_failure, verdict);
	memcpy(caller.host_id, digits.p, digits.n);
	r = finish(server, arena, (str){ NULL, 0 }, &caller);
	if (r == -EACCES)
		return refuse_unknown(ret_failure);
	if (r >= 0)
		*ret = caller;
	return r;
}

int auth_verify(struct server *server, const struct sigv4_request *request,
        const struct operation_shape *operation, struct arena *arena, int64_t now_at,
        struct auth *ret, struct auth_failure *ret_failure)
{
	struct sigv4 sig;
	struct auth auth = { .service = { NULL, 0 } };
	str authorization = { NULL, 0 };
	(void)sigv4_header(request, STR("authorization"), &authorization);
	enum sigv4_verdict verdict = sigv4_parse(authorization, &sig);
	if (verdict != SIGV4_OK)
		return refuse_verdict(ret_failure, verdict);
	if (!is_region(sig.credential.region))
		return refuse(ret_failure, "IncompleteSignatureException",
		        "The region of the credential scope is not one.");
	auth.service = sig.credential.service;
	auth.region = sig.credential.region;
	int r = sig.scheme == SIGV4_RSA ? verify_rsa(server, request, &sig, operation, arena,
	                                          now_at, &auth.caller, ret_failure)
	                                : verify_hmac(server, request, &sig, arena, now_at,
	                                          &auth.caller, ret_failure);
	if (r >= 0)
		*ret = auth;
	return r;
}

bool auth_knows(struct server *server, str access_key_id, str token)
{
	struct arena arena = ARENA((size_t)16 << 10);
	struct access_key key;
	struct session session;
	bool knows = token.n > 0 ? session_read(server, access_key_id, token, &arena, &session) >= 0
	                         : key_get(server, access_key_id, &arena, &key) >= 0;
	arena_fini(&arena);
	return knows;
}
