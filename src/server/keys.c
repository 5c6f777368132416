/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long-lived keys: object "key" of account 0, named by its id, so that one look-up finds it. The
 * secret is sealed with the server's own key for that id: moved to another id, it does not open.
 *
 * Sessions: token = base64(seal(secret_key, "session/1/" + id, fields)), secret =
 * base64(HMAC(secret_key, "session-secret/1/" + token)). Whoever shows a token that opens, with a
 * signature by the secret that follows from it, got both from us; a million hosts an hour leave
 * nothing behind.
 */
#include "server/keys.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "server/inside.h"

#define SEALED_BYTES 512
#define TOKEN_BYTES 1024
#define SESSION_VERSION 1

static const char *const role_words[] = {
	[ROLE_NOBODY] = "",
	[ROLE_READER] = "reader",
	[ROLE_ADMIN] = "admin",
	[ROLE_HOST] = "host",
};

const char *role_word(enum role role)
{
	return role_words[role];
}

bool role_parse(str word, enum role *ret)
{
	for (size_t i = ROLE_READER; i <= ROLE_HOST; i++) {
		if (!str_eq(word, str_from_c(role_words[i])))
			continue;
		*ret = (enum role)i;
		return true;
	}
	return false;
}

/* "AKIA" or "ASIA" and 16 characters of base32 (RFC 4648 section 6): 80 bits that nobody guesses.
 */
static int make_id(const char *head, char ret[KEY_ID_SIZE])
{
	uint8_t bytes[16];
	int r = crypto_random(bytes, sizeof(bytes));
	if (r < 0)
		return r;
	memcpy(ret, head, 4);
	for (size_t i = 0; i < sizeof(bytes); i++)
		ret[4 + i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bytes[i] & 31];
	ret[KEY_ID_SIZE - 1] = '\0';
	return 0;
}

static int key_context(str id, struct buf *out)
{
	buf_add(out, STR("key/"));
	buf_add(out, id);
	return buf_failed(out) ? -ENOMEM : 0;
}

/* ---- long-lived keys ---- */

static int make_secret(
        const struct server *server, str id, char ret_secret[KEY_SECRET_SIZE], struct buf *sealed)
{
	uint8_t bytes[30];
	autobuf text = BUF(KEY_SECRET_SIZE), bound = BUF(256);
	int r = crypto_random(bytes, sizeof(bytes));
	if (r < 0)
		return r;
	base64_add(&text, (str){ (const char *)bytes, sizeof(bytes) });
	crypto_wipe(bytes, sizeof(bytes));
	if (buf_failed(&text) || key_context(id, &bound) < 0)
		return -ENOMEM;
	r = crypto_seal(
	        server->crypto, server->secret_key, buf_str(&bound), buf_str(&text), sealed);
	if (r >= 0) {
		memcpy(ret_secret, text.p, text.n);
		ret_secret[text.n] = '\0';
	}
	crypto_wipe(text.p, text.n);
	return r;
}

static void write_key(const struct access_key *key, struct buf *out)
{
	autobuf sealed = BUF(SEALED_BYTES * 2);
	struct json_writer w = JSON_WRITER(out, false);
	base64_add(&sealed, key->sealed);
	json_write_object(&w);
	json_write_member_str(&w, "account", str_from_c(account_text(key->account).text));
	json_write_member_str(&w, "role", str_from_c(role_word(key->role)));
	json_write_member_str(&w, "secret", buf_str(&sealed));
	write_text(&w, "note", key->note);
	write_text(&w, "host", str_from_c(key->host_id));
	if (key->is_ec2) {
		json_write_key(&w, "ec2");
		json_write_bool(&w, true);
	}
	write_number(&w, "createdAt", key->created_at);
	json_write_object_end(&w);
	out->failed |= sealed.failed;
}

int key_add(struct server *server, const struct access_key *key, int64_t now_at,
        char ret_id[KEY_ID_SIZE], char ret_secret[KEY_SECRET_SIZE], struct err *err)
{
	struct arena arena = ARENA((size_t)256 << 10);
	autobuf sealed = BUF(SEALED_BYTES), json = BUF((size_t)8 << 10);
	struct access_key full = *key;
	struct account account;
	char id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE];
	int r = account_get(server, key->account, &arena, &account);
	arena_fini(&arena);
	if (r < 0)
		return err_set(err, r, "there is no account %s", account_text(key->account).text);
	r = make_id("AKIA", id);
	if (r >= 0)
		r = make_secret(server, str_from_c(id), secret, &sealed);
	if (r < 0)
		return err_set(err, r, "cannot make a secret");
	full.created_at = now_at;
	full.sealed = buf_str(&sealed);
	write_key(&full, &json);
	if (buf_failed(&json))
		return err_set(err, -ENOMEM, "no memory for a key");
	struct object_change change = {
		.type = "key", .name = str_from_c(id), .json = buf_str(&json), .is_new = true
	};
	r = objects_change(server->objects, &change, 1, NULL, err);
	if (r >= 0) {
		memcpy(ret_id, id, sizeof(id));
		memcpy(ret_secret, secret, sizeof(secret));
	}
	crypto_wipe(secret, sizeof(secret));
	return r;
}

static int read_key(str id, const struct value *v, struct arena *arena, struct access_key *ret)
{
	autobuf sealed = BUF(SEALED_BYTES);
	str host = value_get_str(v, STR("host"));
	*ret = (struct access_key){ .id = id,
		.note = value_get_str(v, STR("note")),
		.is_ec2 = value_get_bool(v, STR("ec2"), false),
		.created_at = value_get_i64(v, STR("createdAt"), 0) };
	if (!account_parse(value_get_str(v, STR("account")), &ret->account) ||
	        !role_parse(value_get_str(v, STR("role")), &ret->role) ||
	        host.n >= sizeof(ret->host_id) ||
	        base64_decode(value_get_str(v, STR("secret")), &sealed) < 0)
		return -ENOENT;
	if (host.n > 0)
		memcpy(ret->host_id, host.p, host.n);
	return arena_copy(arena, buf_str(&sealed), &ret->sealed);
}

int key_get(struct server *server, str id, struct arena *arena, struct access_key *ret)
{
	const struct value *v;
	struct access_key key;
	int r = object_get(server->objects, 0, "key", id, arena, &v);
	if (r == 0)
		r = read_key(id, v, arena, &key);
	if (r == 0)
		*ret = key;
	return r;
}

int key_list(struct server *server, struct arena *arena, const struct access_key **ret,
        size_t *ret_count)
{
	const struct object *objects;
	size_t n;
	int r = object_list(server->objects, 0, "key", (str){ NULL, 0 }, (str){ NULL, 0 }, 0, arena,
	        &objects, &n);
	struct access_key *keys = r < 0 ? NULL : arena_alloc(arena, n + 1, sizeof(*keys));
	if (!keys)
		return -ERR_LIMIT;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = read_key(objects[i].name, objects[i].value, arena, &keys[i]);
	if (r < 0)
		return -ERR_LIMIT;
	*ret = keys;
	*ret_count = n;
	return 0;
}

int key_revoke(struct server *server, str id, struct err *err)
{
	struct arena arena = ARENA((size_t)64 << 10);
	struct access_key key;
	int r = key_get(server, id, &arena, &key);
	if (r >= 0) {
		struct object_change change = { .type = "key", .name = id };
		r = objects_change(server->objects, &change, 1, NULL, err);
	} else {
		r = err_set(err, -ENOENT, "there is no key " STR_FMT, STR_ARG(str_head(id, 64)));
	}
	arena_fini(&arena);
	if (r >= 0)
		signing_keys_clear(server->inside->signing_keys, id);
	return r;
}

int key_secret(const struct server *server, const struct access_key *key, struct buf *out)
{
	autobuf bound = BUF(256);
	int r = key_context(key->id, &bound);
	return r < 0 ? r
	             : crypto_open(server->crypto, server->secret_key, buf_str(&bound), key->sealed,
	                       out);
}

/* ---- sessions ---- */

static int session_context(str id, struct buf *out)
{
	buf_add(out, STR("session/1/"));
	buf_add(out, id);
	return buf_failed(out) ? -ENOMEM : 0;
}

int session_secret(const struct server *server, str token, struct buf *out)
{
	uint8_t mac[SHA256_BYTES];
	autobuf text = BUF(TOKEN_BYTES * 2);
	buf_add(&text, STR("session-secret/1/"));
	buf_add(&text, token);
	if (buf_failed(&text) ||
	        crypto_hmac(server->crypto,
	                (str){ (const char *)server->secret_key, sizeof(server->secret_key) },
	                buf_str(&text), mac) < 0)
		return -ENOMEM;
	base64_add(out, (str){ (const char *)mac, 30 });
	crypto_wipe(mac, sizeof(mac));
	return buf_failed(out) ? -ENOMEM : 0;
}

static void write_session(const struct session *session, struct buf *out)
{
	buf_add_byte(out, SESSION_VERSION);
	buf_add_byte(out, (char)session->role);
	buf_add_u64(out, (uint64_t)session->account);
	buf_add_u64(out, (uint64_t)session->expires_at);
	buf_add_str(out, str_from_c(session->host_id));
	buf_add_str(out, session->parent);
	buf_add_str(out, session->name);
}

int session_make(const struct server *server, const struct session *session, struct arena *arena,
        struct session_keys *ret)
{
	char id[KEY_ID_SIZE];
	struct session_keys keys = { .expires_at = session->expires_at };
	autobuf plain = BUF(TOKEN_BYTES), bound = BUF(256), sealed = BUF(TOKEN_BYTES),
	        token = BUF(TOKEN_BYTES * 2), secret = BUF(KEY_SECRET_SIZE);
	int r = make_id("ASIA", id);
	if (r >= 0)
		r = session_context(str_from_c(id), &bound);
	write_session(session, &plain);
	if (r >= 0)
		r = buf_failed(&plain) ? -ERR_LIMIT
		                       : crypto_seal(server->crypto, server->secret_key,
		                                 buf_str(&bound), buf_str(&plain), &sealed);
	base64_add(&token, buf_str(&sealed));
	if (r >= 0 && buf_failed(&token))
		r = -ERR_LIMIT;
	if (r >= 0)
		r = session_secret(server, buf_str(&token), &secret);
	if (r >= 0 && (arena_copy(arena, str_from_c(id), &keys.id) < 0 ||
	                      arena_copy(arena, buf_str(&token), &keys.token) < 0 ||
	                      arena_copy(arena, buf_str(&secret), &keys.secret) < 0))
		r = -ERR_LIMIT;
	if (r >= 0)
		*ret = keys;
	return r;
}

/* We sealed it; still it is read as if somebody else had. */
static int parse_session(str plain, struct session *ret)
{
	struct cursor c = CURSOR(plain);
	struct session session = { .role = ROLE_NOBODY };
	uint8_t version = cursor_u8(&c), role = cursor_u8(&c);
	session.account = (int64_t)cursor_u64(&c);
	session.expires_at = (int64_t)cursor_u64(&c);
	str host = cursor_str(&c);
	session.parent = cursor_str(&c);
	session.name = cursor_str(&c);
	if (cursor_failed(&c) || version != SESSION_VERSION || role == ROLE_NOBODY ||
	        role > ROLE_HOST || host.n >= sizeof(session.host_id))
		return -ERR_FORMAT;
	session.role = (enum role)role;
	if (host.n > 0)
		memcpy(session.host_id, host.p, host.n);
	*ret = session;
	return 0;
}

int session_read(
        const struct server *server, str id, str token, struct arena *arena, struct session *ret)
{
	autobuf bound = BUF(256), sealed = BUF(TOKEN_BYTES), plain = BUF(TOKEN_BYTES);
	str copy;
	if (id.n != KEY_ID_SIZE - 1 || token.n > TOKEN_BYTES * 2 ||
	        session_context(id, &bound) < 0 || base64_decode(token, &sealed) < 0 ||
	        crypto_open(server->crypto, server->secret_key, buf_str(&bound), buf_str(&sealed),
	                &plain) < 0)
		return -ERR_FORMAT;
	if (arena_copy(arena, buf_str(&plain), &copy) < 0)
		return -ERR_LIMIT;
	return parse_session(copy, ret);
}

/* ---- hosts ---- */

int host_identity_get(struct server *server, int64_t account, str id, struct arena *arena,
        struct host_identity *ret)
{
	const struct value *v;
	if (id.n >= sizeof(ret->id))
		return -ENOENT;
	int r = object_get(server->objects, account, "host", id, arena, &v);
	if (r < 0)
		return r;
	*ret = (struct host_identity){ .account = account,
		.public_key = value_get_str(v, STR("publicKey")),
		.fingerprint = value_get_str(v, STR("fingerprint")),
		.role = value_get_str(v, STR("role")),
		.activation = value_get_str(v, STR("activation")),
		.registered_at = value_get_i64(v, STR("registeredAt"), 0),
		.must_rotate = value_get_bool(v, STR("mustRotate"), false) };
	memcpy(ret->id, id.p, id.n);
	return 0;
}

int host_identity_change(
        const struct host_identity *identity, struct arena *arena, struct object_change *ret)
{
	autobuf text = BUF((size_t)16 << 10);
	struct json_writer w = JSON_WRITER(&text, false);
	str json, name;
	json_write_object(&w);
	write_text(&w, "publicKey", identity->public_key);
	write_text(&w, "fingerprint", identity->fingerprint);
	write_text(&w, "role", identity->role);
	write_text(&w, "activation", identity->activation);
	write_number(&w, "registeredAt", identity->registered_at);
	if (identity->must_rotate) {
		json_write_key(&w, "mustRotate");
		json_write_bool(&w, true);
	}
	json_write_object_end(&w);
	if (buf_failed(&text) || arena_copy(arena, buf_str(&text), &json) < 0 ||
	        arena_copy(arena, str_from_c(identity->id), &name) < 0)
		return -ERR_LIMIT;
	*ret = (struct object_change){
		.account = identity->account, .type = "host", .name = name, .json = json
	};
	return 0;
}
