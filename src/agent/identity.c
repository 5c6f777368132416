/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of writing is what makes a crash harmless: the key lies in the folder before the server
 * learns of it, and registration.json, which says that there is an identity, comes last. While a
 * key pair is changed both keys are there; which one the server believes shows when it is asked.
 */
#include "agent/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"

#define REGISTRATION "registration.json"
#define KEY "key.pem"
#define NEXT_KEY "next.pem"
#define FINGERPRINT_FILE "fingerprint"
#define KEY_MAX_BYTES 16384u

static bool is_set(const char *text)
{
	return text && *text;
}

/* ---- the fingerprint ---- */

/* RFC 9562, version 8: the bits are ours. */
static void as_uuid(const unsigned char digest[SHA256_BYTES], char ret[FINGERPRINT_SIZE])
{
	(void)snprintf(ret, FINGERPRINT_SIZE,
	        "%02x%02x%02x%02x-%02x%02x-8%x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", digest[0],
	        digest[1], digest[2], digest[3], digest[4], digest[5], digest[6] & 15u, digest[7],
	        (digest[8] & 0x3fu) | 0x80u, digest[9], digest[10], digest[11], digest[12],
	        digest[13], digest[14], digest[15]);
}

static int random_fingerprint(
        const struct state *state, char ret[FINGERPRINT_SIZE], struct err *err)
{
	autobuf old = BUF(FINGERPRINT_SIZE - 1);
	unsigned char bytes[SHA256_BYTES];
	int r = state_read(state, FINGERPRINT_FILE, &old, NULL);
	if (r == 0 && old.n == FINGERPRINT_SIZE - 1) {
		memcpy(ret, old.p, old.n);
		ret[old.n] = '\0';
		return 0;
	}
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(err, -EIO, "the system gives no random numbers");
	as_uuid(bytes, ret);
	return state_write(state, FINGERPRINT_FILE, str_from_c(ret), err);
}

int identity_fingerprint(
        const char *root, const struct state *state, char ret[FINGERPRINT_SIZE], struct err *err)
{
	autobuf text = BUF(1024);
	autobuf firmware = BUF(256);
	unsigned char digest[SHA256_BYTES];
	bool is_here = strcmp(root, "/") == 0;
	autoclose int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, -errno, "%s: %m", root);
	int r = fs_read(dir, "etc/machine-id", &text, NULL);
	if (is_here)
		(void)fs_read(AT_FDCWD, "/sys/class/dmi/id/product_uuid", &firmware, NULL);
	if ((r < 0 || str_trim(buf_str(&text)).n == 0) && firmware.n == 0)
		return random_fingerprint(state, ret, err);
	buf_add(&text, STR("\nsonde agent\n"));
	buf_add(&text, buf_str(&firmware));
	hash_sha256(buf_str(&text), digest);
	as_uuid(digest, ret);
	return 0;
}

/* ---- registration ---- */

static int keep(const char *instance, const char *fingerprint, const struct agent_config *config,
        const struct state *state, struct err *err)
{
	autobuf text = BUF(STATE_FILE_MAX);
	struct json_writer w = JSON_WRITER(&text, true);
	json_write_object(&w);
	json_write_member_str(&w, "InstanceId", str_from_c(instance));
	json_write_member_str(&w, "Fingerprint", str_from_c(fingerprint));
	json_write_member_str(&w, "Server", str_from_c(config->server));
	json_write_object_end(&w);
	if (buf_failed(&text))
		return err_set(err, -ENOMEM, "out of memory");
	return state_write(state, REGISTRATION, buf_str(&text), err);
}

static bool is_instance(str s)
{
	if (!str_has_prefix(s, STR("mi-")) && !str_has_prefix(s, STR("i-")))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	}
	return s.n >= 10 && s.n < 40;
}

static int ask_registration(const struct agent_config *config, struct service *service,
        const char *fingerprint, str public_key, struct arena *arena, str *ret_instance,
        struct err *err)
{
	const struct net_sign none = { .kind = NET_SIGN_NONE };
	autobuf body = BUF(STATE_FILE_MAX);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply = { 0 };
	json_write_object(&w);
	json_write_member_str(&w, "ActivationId", str_from_c(config->activation_id));
	json_write_member_str(&w, "ActivationCode", str_from_c(config->activation_code));
	json_write_member_str(&w, "Fingerprint", str_from_c(fingerprint));
	json_write_member_str(&w, "PublicKey", public_key);
	json_write_member_str(&w, "PublicKeyType", STR("Rsa"));
	json_write_object_end(&w);
	int r = ssm_call(service->session, &none, STR("AmazonSSM.RegisterManagedInstance"),
	        buf_str(&body), 0, arena, &reply, err);
	if (r < 0)
		return r;
	if (reply.error.n > 0)
		return err_set(err, service_may_retry(-EREMOTEIO, &reply) ? -EAGAIN : -EKEYREJECTED,
		        "the server does not register this host: " STR_FMT ": " STR_FMT,
		        STR_ARG(str_head(reply.error, 60)), STR_ARG(str_head(reply.message, 120)));
	*ret_instance = value_get_str(reply.value, STR("InstanceId"));
	if (!is_instance(*ret_instance))
		return err_set(err, -EPROTO, "the server gave no id of a managed node");
	return 0;
}

static int enrol(const struct agent_config *config, const struct state *state,
        struct service *service, const char *fingerprint, struct err *err)
{
	struct arena arena = ARENA(1u << 20);
	str private_key, public_key, instance;
	int r = net_make_key(service->session, &arena, &private_key, &public_key, err);
	/* The old identity is over before the new key takes the place of its key. */
	if (r == 0)
		r = state_remove(state, REGISTRATION, err);
	if (r == 0)
		r = state_write(state, KEY, private_key, err);
	if (r == 0)
		r = ask_registration(
		        config, service, fingerprint, public_key, &arena, &instance, err);
	if (r == 0) {
		(void)snprintf(
		        service->instance, sizeof(service->instance), STR_FMT, STR_ARG(instance));
		r = keep(service->instance, fingerprint, config, state, err);
	}
	if (r < 0)
		service->instance[0] = '\0';
	arena_fini(&arena);
	return r;
}

/* What the state folder says. Returns: 1 it is this machine; 0 it says nothing; -EKEYREJECTED it is
 * another, named in ret_other */
static int read_registration(const struct state *state, const char *fingerprint,
        struct service *service, char ret_other[64], struct err *err)
{
	autobuf text = BUF(STATE_FILE_MAX);
	struct arena arena = ARENA(1u << 20);
	const struct value *v = NULL;
	int r = state_read(state, REGISTRATION, &text, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = value_from_json(buf_str(&text), &arena, &v, err);
	str instance = value_get_str(v, STR("InstanceId"));
	if (r == 0 && !is_instance(instance))
		r = err_set(
		        err, -ERR_FORMAT, "%s/%s names no managed node", state->path, REGISTRATION);
	if (r == 0 && !str_eq(value_get_str(v, STR("Fingerprint")), str_from_c(fingerprint))) {
		(void)snprintf(ret_other, sizeof(service->instance), STR_FMT, STR_ARG(instance));
		r = err_set(err, -EKEYREJECTED,
		        "the state folder was copied from another machine, which is " STR_FMT
		        ": this one has to be registered by an activation of its own",
		        STR_ARG(instance));
	}
	if (r == 0) {
		(void)snprintf(
		        service->instance, sizeof(service->instance), STR_FMT, STR_ARG(instance));
		r = 1;
	}
	arena_fini(&arena);
	return r;
}

static int use_given(const struct agent_config *config, struct service *service, struct err *err)
{
	struct credentials *keys = &service->keys;
	if (!is_set(config->secret) || !is_instance(str_from_c(config->instance)))
		return err_set(err, -EINVAL,
		        "given keys need a secret, and --instance with the id of their node");
	if (strlen(config->key_id) >= sizeof(keys->key_id) ||
	        strlen(config->secret) >= sizeof(keys->secret) ||
	        (config->token && strlen(config->token) >= sizeof(keys->token)))
		return err_set(err, -EINVAL, "the given keys are too long");
	(void)snprintf(keys->key_id, sizeof(keys->key_id), "%s", config->key_id);
	(void)snprintf(keys->secret, sizeof(keys->secret), "%s", config->secret);
	(void)snprintf(keys->token, sizeof(keys->token), "%s", config->token ? config->token : "");
	(void)snprintf(service->instance, sizeof(service->instance), "%s", config->instance);
	return 0;
}

/* ---- credentials ---- */

bool identity_is_due(const struct agent_config *config, const struct service *service, int64_t now)
{
	const struct credentials *keys = &service->keys;
	if (is_set(config->key_id))
		return false;
	if (!keys->key_id[0] || keys->expires_at <= keys->got_at || now < keys->got_at)
		return true;
	return now >= keys->got_at + (keys->expires_at - keys->got_at) / 2;
}

static bool copy(char *to, size_t size, str from)
{
	if (from.n == 0 || from.n >= size)
		return false;
	memcpy(to, from.p, from.n);
	to[from.n] = '\0';
	return true;
}

static int take_token(struct service *service, const struct value *v, int64_t now, struct err *err)
{
	struct credentials keys = { .got_at = now };
	int64_t ms = 0;
	if (!copy(keys.key_id, sizeof(keys.key_id), value_get_str(v, STR("AccessKeyId"))) ||
	        !copy(keys.secret, sizeof(keys.secret), value_get_str(v, STR("SecretAccessKey"))) ||
	        !copy(keys.token, sizeof(keys.token), value_get_str(v, STR("SessionToken"))) ||
	        !timestamp_from_value(value_get(v, STR("TokenExpirationDate")), &ms))
		return err_set(err, -EPROTO, "the server's credentials are incomplete or too long");
	/* The life of the token by the server's clock, counted by ours. A day at most. */
	int64_t life = ms / 1000 - (now + net_session_clock_offset(service->session));
	if (life < 60 || life > 86400)
		life = life < 60 ? 60 : 86400;
	keys.expires_at = now + life;
	keys.must_rotate = value_get_bool(v, STR("UpdateKeyPair"), false);
	service->keys = keys;
	explicit_bzero(&keys, sizeof(keys));
	return 0;
}

static int ask_token(const struct agent_config *config, const struct state *state,
        struct service *service, const char *key_file, int64_t now, struct err *err)
{
	char fingerprint[FINGERPRINT_SIZE];
	struct arena arena = ARENA(1u << 20);
	autobuf key = BUF(KEY_MAX_BYTES);
	autobuf body = BUF(1024);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply = { .retry_after_s = -1 };
	int r = state_read(state, key_file, &key, err);
	if (r == 0)
		r = identity_fingerprint(config->root, state, fingerprint, err);
	if (r < 0)
		return r;
	json_write_object(&w);
	json_write_member_str(&w, "Fingerprint", str_from_c(fingerprint));
	json_write_object_end(&w);
	const struct net_sign sign = { .kind = NET_SIGN_RSA,
		.service = STR("ssm"),
		.region = str_from_c(service->region),
		.key_id = str_from_c(service->instance),
		.private_key = buf_str(&key) };
	r = ssm_call(service->session, &sign, STR("AmazonSSM.RequestManagedInstanceRoleToken"),
	        buf_str(&body), 0, &arena, &reply, err);
	explicit_bzero(key.p, key.n);
	if (r == 0 && reply.error.n > 0)
		r = err_set(err, service_may_retry(-EREMOTEIO, &reply) ? -EAGAIN : -EKEYREJECTED,
		        "the server gives %s no credentials: " STR_FMT ": " STR_FMT,
		        service->instance, STR_ARG(str_head(reply.error, 60)),
		        STR_ARG(str_head(reply.message, 100)));
	if (r == 0)
		r = take_token(service, reply.value, now, err);
	arena_fini(&arena);
	return r;
}

/* ---- who this is ---- */

/*
 * This machine has a copy of another one's identity. It does not use it, but the server learns of
 * it, so that its operators do: what is asked for with another fingerprint is refused and noted
 * there.
 */
static void tell_of_copy(const struct agent_config *config, const struct state *state,
        struct service *service, const char *instance, int64_t now)
{
	struct err none = { 0 };
	if (!service->session || !*instance)
		return;
	(void)snprintf(service->instance, sizeof(service->instance), "%s", instance);
	(void)ask_token(config, state, service, KEY, now, &none);
	service_forget(service);
	service->instance[0] = '\0';
}

int identity_open(const struct agent_config *config, const struct state *state,
        struct service *service, int64_t now, struct err *err)
{
	char fingerprint[FINGERPRINT_SIZE];
	if (is_set(config->key_id))
		return use_given(config, service, err);
	int r = identity_fingerprint(config->root, state, fingerprint, err);
	if (r < 0)
		return r;
	bool has_activation = is_set(config->activation_id) && is_set(config->activation_code);
	char other[sizeof(service->instance)] = "";
	r = read_registration(state, fingerprint, service, other, err);
	if (r == -EKEYREJECTED)
		tell_of_copy(config, state, service, other, now);
	if (r == 1 || (r < 0 && (r != -EKEYREJECTED || !has_activation)))
		return r < 0 ? r : 0;
	if (!has_activation)
		return err_set(err, -EINVAL,
		        "this host is not registered: --activation-id and --activation-code are "
		        "needed once");
	return enrol(config, state, service, fingerprint, err);
}

/* ---- renewal ---- */

static int rotate(const struct state *state, struct service *service, struct err *err)
{
	struct arena arena = ARENA(1u << 20);
	autobuf body = BUF(4096);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply;
	str private_key, public_key;
	int r = net_make_key(service->session, &arena, &private_key, &public_key, err);
	if (r == 0)
		r = state_write(state, NEXT_KEY, private_key, err);
	if (r == 0) {
		json_write_object(&w);
		json_write_member_str(&w, "NewPublicKey", public_key);
		json_write_member_str(&w, "NewPublicKeyType", STR("Rsa"));
		json_write_object_end(&w);
		r = service_call(service, "AmazonSSM.UpdateManagedInstancePublicKey",
		        buf_str(&body), &arena, &reply, err);
	}
	if (r == 0)
		r = state_rename(state, NEXT_KEY, KEY, err);
	arena_fini(&arena);
	return r;
}

int identity_renew(const struct agent_config *config, const struct state *state,
        struct service *service, int64_t now, struct err *err)
{
	struct err other = { 0 };
	int r = ask_token(config, state, service, KEY, now, err);
	/* A change of keys was cut off: the server may know the new one already. */
	if (r == -EKEYREJECTED && state_has(state, NEXT_KEY) &&
	        ask_token(config, state, service, NEXT_KEY, now, &other) == 0)
		r = state_rename(state, NEXT_KEY, KEY, err);
	if (r == 0 && service->keys.must_rotate)
		r = rotate(state, service, err);
	return r;
}
