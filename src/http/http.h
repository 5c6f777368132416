/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * http: a small, strict HTTP/1.1 server, with TLS or without.
 *
 * Threads of its own read requests and write replies (io threads, each with an epoll of its own);
 * a complete request waits in a bounded queue for a worker thread, where the handler may block for
 * some milliseconds. A request that two programs could read differently is refused with 400 and the
 * connection is closed: nothing of it is handled. No other room knows how HTTP works.
 *
 * Source: RFC 9110 (semantics), RFC 9112 (HTTP/1.1)
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http;

/** More header fields than this are refused with 431. */
#define HTTP_HEADERS_MAX 64

/** Longest text of an address and port: "[IPv6%scope]:port". */
#define HTTP_PEER_MAX 80

/** One header field: the name as it was sent, the value without white space at its ends. */
struct http_header {
	str name, value;
};

/** One request. Strings live until it is answered, across deferrals. */
struct http_request {
	str method; /* a token, case-sensitive */
	str target; /* origin form, only characters of RFC 3986, percent signs are followed by two
	               hexadecimal digits */
	str path;   /* the target up to '?': starts with '/', still percent-encoded */
	str query;  /* behind '?'; p is NULL when there is none */
	const struct http_header *headers; /* in the order they were sent */
	size_t n_headers;
	str body;
	str peer; /* "127.0.0.1:4711", "[::1]:4711" */
	bool is_tls;
	bool is_deferral_over; /* the time of the deferral ended: another HTTP_DEFER gives 503 */
	bool is_half_closed;   /* the client has ended its side: most likely it is gone */
	unsigned attempt;      /* how often the handler was called for it before */
	uint64_t id;           /* unique in this process */
	struct arena *arena;   /* of this request alone; its cap is limits.arena_bytes */
	void *user;            /* what admit left for handle, or NULL */
};

/** The answer that is to be filled. A descriptor is sent instead of the body and then closed. */
struct http_response {
	int status;       /* 200 to 599 */
	struct buf head;  /* written by http_response_header() only */
	struct buf body;  /* its maximum is limits.reply_bytes */
	int fd;           /* -1, or a regular file */
	uint64_t file_at; /* which bytes of it */
	uint64_t file_bytes;
	int64_t defer_ms;   /* HTTP_DEFER: how long at most, up to an hour */
	uint64_t defer_key; /* HTTP_DEFER: http_wake() of it ends the wait; 0 is no key */
};

/** What handle() returns. */
enum http_outcome {
	HTTP_DONE,  /* the response is filled */
	HTTP_DEFER, /* park the request; no thread waits */
};

/** One finished request, for the access log. Strings are borrowed for the call. */
struct http_access {
	str peer, method, path; /* method and path are empty when the head was refused */
	uint64_t id;
	int status;
	bool is_complete;                    /* the whole reply was handed to the system */
	uint64_t request_bytes, reply_bytes; /* bodies */
	int64_t micros;                      /* from the end of the head to the end of the reply */
};

/** Limits; 0 stands for the default. */
struct http_limits {
	unsigned max_connections; /* 10000; more are closed at once */
	unsigned max_queued;      /* requests that wait for a worker, 1024; more get 503 */
	unsigned head_bytes;      /* 16 KiB, at most 64 KiB - 1; more gets 431 */
	unsigned target_bytes;    /* 8 KiB; more gets 414 */
	unsigned head_ms;       /* 10000: a handshake, a head, the first bytes of a body or reply */
	unsigned idle_ms;       /* 75000: between requests, and for a transfer that stands still */
	unsigned stop_ms;       /* 10000: what may be finished after http_stop() */
	unsigned rate_bytes_s;  /* 1024: a body or reply that is slower on average is cut off */
	unsigned retry_after_s; /* 5: in every 503 of this room */
	size_t body_bytes;      /* one body, unless admit says otherwise: 1 MiB; more gets 413 */
	size_t bodies_bytes;    /* all bodies that are in memory: 256 MiB; beyond it 503 */
	size_t arena_bytes;     /* memory of one request: 16 MiB */
	size_t reply_bytes;     /* one reply in memory: 64 MiB */
};

/** How to serve. Strings are needed until http_open() returns, callbacks until http_close(). */
struct http_config {
	const char *listen;   /* "127.0.0.1:8443", "[::1]:0": numeric; port 0 is any free one */
	const char *tls_cert; /* path of a PEM chain; NULL: plain HTTP */
	const char *tls_key;  /* path of its PEM key */
	unsigned n_io;        /* io threads; 0: one per processor */
	unsigned n_workers;   /* 0: handlers never block and are called by the io threads */
	struct http_limits limits;
	void *ctx; /* of all callbacks */

	/**
	 * Answer a request. Required.
	 *
	 * In:      request   complete
	 * Out:     response  filled; emptied before another call after a deferral
	 * Returns: HTTP_DONE, or HTTP_DEFER: it is called again after http_wake() or defer_ms. A
	 *          wake that comes between the begin of the call and the parking is not lost. A
	 *          parked request whose connection breaks is dropped without another call, so
	 *          keep what belongs to it in its arena
	 * Threads: any worker; of one request never two at a time
	 */
	int (*handle)(void *ctx, struct http_request *request, struct http_response *response);

	/**
	 * Look at a head before any byte of the body is read and before "100 Continue". Optional:
	 * without it, everything is admitted with limits.body_bytes.
	 *
	 * In:      head         without its body; `user` may be set
	 *          body_bytes   as declared; UINT64_MAX when it is chunked
	 * Out:     refusal      headers and body of a refusal
	 *          ret_max_body what the body may have; preset to limits.body_bytes
	 * Returns: 0, or the status to refuse with (400 to 599). The connection is then closed
	 *          unless there is no body
	 * Cost:    must not block: an io thread waits for it
	 */
	int (*admit)(void *ctx, struct http_request *head, uint64_t body_bytes,
	        struct http_response *refusal, size_t *ret_max_body);

	/** Told of each connection that was refused or failed: a constant sentence, nothing that
	 * was sent. Optional; any thread. */
	void (*log)(void *ctx, str peer, const char *what);

	/** Told of each finished request. Optional; io threads. */
	void (*access)(void *ctx, const struct http_access *access);
};

/** Counters since http_open(), and how many there are now. */
struct http_stats {
	uint64_t accepted, refused_connections; /* refused: there were max_connections */
	uint64_t handshakes, failed_handshakes, resumed_handshakes;
	uint64_t requests;        /* heads that were read whole and well formed */
	uint64_t bad_requests;    /* refused by this room: malformed or beyond a limit */
	uint64_t timeouts;        /* connections that were too slow */
	uint64_t overloads;       /* 503 because of the queue or the memory of bodies */
	uint64_t status_class[6]; /* replies by status / 100 */
	uint64_t body_bytes_in, body_bytes_out;
	uint64_t connections, queued, parked, bodies_bytes; /* now */
};

/**
 * Listen, read certificate and key, and prepare; no thread is started.
 *
 * Out:     ret  the caller closes
 * Returns: 0; -errno; -EINVAL for a setting that makes no sense; -ERR_FORMAT for a certificate or
 *          key that cannot be used
 */
int http_open(const struct http_config *config, struct http **ret, struct err *err);

/** The port that is listened to: what port 0 became. */
unsigned http_port(const struct http *http);

/**
 * Serve until http_stop(). Called once.
 *
 * Returns: 0 after a stop; -errno when threads could not be started
 * Cost:    blocks; it also waits for handlers that are running
 */
int http_run(struct http *http, struct err *err);

/**
 * Let http_run() come to its end: no new connections, running requests are finished within
 * limits.stop_ms, deferrals are over at once.
 *
 * Threads: any, also from a signal handler, also before http_run()
 */
void http_stop(struct http *http);

/** Stop listening and release everything. After http_run() has returned. NULL is a no-op. */
void http_close(struct http *http);

/**
 * End the wait of every request that was deferred with this key.
 *
 * Threads: any, until http_close()
 */
void http_wake(struct http *http, uint64_t key);

/** Read the counters. Threads: any */
void http_stats(const struct http *http, struct http_stats *ret);

/**
 * Find a header field.
 *
 * In:      name  ASCII case is ignored
 * Out:     ret   the value of the first such field; written on success only
 * Returns: false when there is none
 */
bool http_header_find(const struct http_request *request, str name, str *ret);

/**
 * Add a header field to a response.
 *
 * In:      name   a token; not Date, Content-Length, Connection, Keep-Alive, Transfer-Encoding,
 *                 which are written by this room
 *          value  any bytes but control characters; a tab is allowed
 * Returns: 0; -EINVAL, and nothing is written, for another name or value; -ERR_LIMIT
 */
int http_response_header(struct http_response *response, str name, str value);
