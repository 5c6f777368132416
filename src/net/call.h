/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Calls to one server through one long-lived `sonde-net`, which keeps the connection alive, checks
 * the server's certificate and signs: no key is used and no TLS spoken in the program that calls.
 *
 * The process is started by the first call and again when it died or had to be killed; secrets
 * reach it over the socket alone. What it says is believed no more than a stranger's: every answer
 * is bounded and checked here, and a download is written and its digest computed here.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

/** Largest body of a request, and largest body of an answer that is kept in memory, in bytes. */
#define NET_CALL_BODY_MAX (16u << 20)
#define NET_CALL_ANSWER_MAX (64u << 20)
/** Most headers of a request, and most bytes of their names and values together. */
#define NET_CALL_HEADERS_MAX 32
#define NET_CALL_HEADER_BYTES_MAX 16384
/** Longest time-out, in milliseconds. */
#define NET_CALL_TIMEOUT_MAX_MS 3600000u

/** One header of a request or an answer. Borrows. */
struct net_header {
	str name, value;
};

/** How a call is signed. */
enum net_sign_kind {
	NET_SIGN_NONE, /* not */
	NET_SIGN_V4,   /* Signature Version 4 with a secret access key */
	NET_SIGN_RSA,  /* the same string to sign, by RSASSA-PSS: a managed node asking for its role
	                */
};

/** Who signs. Strings borrow; those of another kind are ignored. */
struct net_sign {
	enum net_sign_kind kind;
	str service, region; /* of the scope: "ssm", "eu-central-1" */
	str key_id;          /* access key id, or id of the managed node */
	str secret;          /* NET_SIGN_V4: secret access key, 1 to 256 bytes */
	str session_token;   /* NET_SIGN_V4: sent as X-Amz-Security-Token; empty: not sent */
	str private_key;     /* NET_SIGN_RSA: PEM, as net_make_key() makes it */
};

/** What a session is for. Strings are copied. */
struct net_session_config {
	const char *program;  /* path of sonde-net; NULL: beside this executable, else from $PATH */
	const char *endpoint; /* "https://host[:port][/prefix]", without query; required */
	const char *ca_file;  /* PEM file of the only authorities believed; NULL: the system's */
	const char *proxy;    /* "http://host:port"; NULL: none, whatever the environment says */
	bool allow_plain;     /* http:// also to other hosts than 127.0.0.0/8, ::1 and localhost */
	unsigned connect_timeout_ms; /* 0: 10 s */
	unsigned timeout_ms;         /* of a whole call; 0: 60 s; at most NET_CALL_TIMEOUT_MAX_MS */
	uint64_t max_answer_bytes;   /* of a body; 0: 8 MiB; at most NET_CALL_ANSWER_MAX */
};

/** One request. Zero-initialise. Borrows everything. */
struct net_call {
	str method; /* "GET", "POST", "PUT", "HEAD" or "DELETE" */
	str target; /* path and query below the endpoint, percent-encoded, beginning with '/' */
	const struct net_header
	        *headers; /* without Host, Content-Length, X-Amz-Date and the like */
	size_t n_headers;
	str body;
	struct net_sign sign;
	int64_t now;               /* the host's clock, seconds since 1970; 0: it is asked */
	unsigned timeout_ms;       /* 0: the session's */
	uint64_t max_answer_bytes; /* 0: the session's; a download may be larger */
	bool to_fd;                /* a download: the body of a 200 goes to `fd`, not to memory */
	int fd; /* an empty regular file, open for reading and writing; borrowed */
};

/** What the server answered. In the arena of the call. */
struct net_call_answer {
	unsigned status; /* 200 to 599. A redirect is an answer like any other: not followed */
	int64_t date_at; /* the server's clock; -1 when it did not say */
	int64_t retry_after_s; /* how long it asks to wait; -1 when it did not */
	const struct net_header
	        *headers; /* those of interest only, names in lower case: content-type,
	                     etag, location, x-amzn-errortype, x-amzn-requestid */
	size_t n_headers;
	str body;                     /* empty when it went to the descriptor */
	uint64_t n_bytes;             /* of the body, wherever it went */
	char sha256[SHA256_HEX_SIZE]; /* of what is in the descriptor; else empty */
};

/** A session. Opaque; one thread at a time. */
struct net_session;

/**
 * Make a session. Nothing is started and nobody is asked yet.
 *
 * Out:     ret_session  owned, released with net_session_close()
 * Returns: 0; -EINVAL for a configuration that cannot work; -ERR_LIMIT and -errno for a file of
 *          authorities that cannot be read
 */
int net_session_open(
        const struct net_session_config *config, struct net_session **ret_session, struct err *err);

/** End the process and release; NULL is a no-op. */
void net_session_close(struct net_session *session);

/**
 * End the process, and with it its connections, until the next call: for a caller that is about to
 * do nothing for long. What was learnt of the server's clock stays.
 */
void net_session_rest(struct net_session *session);

/** The process that makes the calls; 0 when none runs: for whoever counts what it uses. */
int net_session_pid(const struct net_session *session);

/**
 * How far the server's clock is before the host's, in seconds, by the last answer with a date; 0
 * before there was one. Signatures are dated by the host's clock and this.
 */
int64_t net_session_clock_offset(const struct net_session *session);

/**
 * Ask the server, once.
 *
 * Out:     ret_answer  arena; written on success only
 * Returns: 0 whatever the status is; -ETIMEDOUT; -ECONNREFUSED when the server cannot be reached or
 *          its name not resolved; -EKEYREJECTED when its certificate is not believed; -ERR_LIMIT
 *          when the answer is larger than allowed or the arena is full; -EINVAL for a call that
 *          cannot be made; -ENOENT without a sonde-net; -EPROTO and -EIO when the connection or
 *          sonde-net broke. After each of them the next call may work. The sentence names the
 *          server; what is in the descriptor of a download then is of no use
 * Cost:    blocks at most the time-out and 5 s more
 * Threads: the process lives no longer than the thread that made the first call
 */
int net_call(struct net_session *session, const struct net_call *call, struct arena *arena,
        struct net_call_answer *ret_answer, struct err *err);

/** A header of interest by its lower-case name; empty when it was not sent. Borrows. */
str net_call_header(const struct net_call_answer *answer, str name);

/**
 * Make an RSA key of 2048 bits.
 *
 * Out:     ret_private_pem  arena; PKCS #8, secret
 *          ret_public       arena; base64 of the DER of SubjectPublicKeyInfo
 * Returns: 0; as net_call()
 */
int net_make_key(struct net_session *session, struct arena *arena, str *ret_private_pem,
        str *ret_public, struct err *err);
