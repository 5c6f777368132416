/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * keys: what callers prove themselves with. Long-lived access keys are objects whose secret is
 * sealed; temporary ones are not kept at all: everything about them stands, sealed, in their
 * session token, and their secret is derived from it. Hosts that enrolled have a public key.
 */

#include "server/server.h"

/** A long-lived access key. */
struct access_key {
	str id; /* "AKIA..." */
	int64_t account;
	enum role role;
	str note;         /* what it is for; may be empty */
	char host_id[18]; /* ROLE_HOST: 17 digits */
	bool is_ec2;      /* ROLE_HOST: shown as i-<id> */
	int64_t created_at;
	str sealed; /* its secret */
};

/** Room for an access key id and for a secret access key. */
#define KEY_ID_SIZE 21
#define KEY_SECRET_SIZE 45

/** "admin", "reader" or "host"; "" for ROLE_NOBODY. Static. */
const char *role_word(enum role role);

/** The role of such a word; false when it is none. */
bool role_parse(str word, enum role *ret);

/**
 * Make an access key.
 *
 * In:      key  account, role, note, and for a host its id; the rest is ignored
 * Out:     ret_id, ret_secret  shown once: the secret is kept sealed
 * Returns: 0, durable; -ENOENT when there is no such account; -EIO; what the store says
 */
int key_add(struct server *server, const struct access_key *key, int64_t now_at,
        char ret_id[KEY_ID_SIZE], char ret_secret[KEY_SECRET_SIZE], struct err *err);

/** Find an access key by its id. Returns: 0; -ENOENT; -ERR_LIMIT when the arena is full */
int key_get(struct server *server, str id, struct arena *arena, struct access_key *ret);

/** All keys, sorted by id. Returns: 0; -ERR_LIMIT */
int key_list(struct server *server, struct arena *arena, const struct access_key **ret,
        size_t *ret_count);

/**
 * Revoke an access key: from now on neither it nor a session that was made with it is accepted.
 *
 * Returns: 0, durable; -ENOENT; what the store says
 */
int key_revoke(struct server *server, str id, struct err *err);

/** Unseal a key's secret. Out: appended. Returns: 0; -EBADMSG when it was tampered with; -ENOMEM */
int key_secret(const struct server *server, const struct access_key *key, struct buf *out);

/** What a temporary key stands for. */
struct session {
	enum role role;
	int64_t account;
	int64_t expires_at;
	char host_id[18]; /* ROLE_HOST */
	str parent;       /* the access key it was made with; empty for hosts that enrolled */
	str name;         /* of the role and the session: "role/session"; may be empty */
};

/** A temporary key, for an answer. Strings live in the arena. */
struct session_keys {
	str id, secret, token;
	int64_t expires_at;
};

/**
 * Make a temporary key. Nothing is stored.
 *
 * Returns: 0; -EIO; -ERR_LIMIT when the arena is full
 */
int session_make(const struct server *server, const struct session *session, struct arena *arena,
        struct session_keys *ret);

/**
 * Read a session token.
 *
 * In:      id     the access key id of the request: must be the one that the token belongs to
 * Out:     ret    strings live in the arena. Whether it has expired, and whether its parent is
 * still there, is for the caller to see Returns: 0; -ERR_FORMAT when we did not make it, or not for
 * this id; -ERR_LIMIT
 */
int session_read(
        const struct server *server, str id, str token, struct arena *arena, struct session *ret);

/** Derive the secret access key of a session token. Returns: 0; -ENOMEM */
int session_secret(const struct server *server, str token, struct buf *out);

/** What an enrolled host proves itself with: the object "host" of its account, by its 17 digits. */
struct host_identity {
	char id[18];
	int64_t account;
	str public_key;  /* base64 of DER; empty: none */
	str fingerprint; /* of its machine */
	str role;        /* name of the IAM role of its activation */
	str activation;  /* id; may be empty */
	int64_t registered_at;
	bool must_rotate; /* UpdateKeyPair: it is asked to make itself a new key */
};

/** Read a host's identity. Returns: 0; -ENOENT; -ERR_LIMIT */
int host_identity_get(struct server *server, int64_t account, str id, struct arena *arena,
        struct host_identity *ret);

/** The change that writes a host's identity, for objects_change(). Returns: 0; -ERR_LIMIT */
int host_identity_change(
        const struct host_identity *identity, struct arena *arena, struct object_change *ret);

/** How long the temporary keys of hosts are good for, in seconds. */
#define HOST_SESSION_S 3600
