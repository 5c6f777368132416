/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What the files of this room share: the server, its io threads, connections and exchanges.
 *
 * Who may touch what. A connection belongs to its io thread. An exchange (one request and its
 * response) belongs to whoever holds it: its io thread, the queue, a worker, a mailbox; while it is
 * parked, the lock of its bucket decides who takes it out. Everything else is atomic, constant
 * after http_open(), or has its lock named beside it.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "http/frame.h"
#include "http/head.h"
#include "http/http.h"
#include "http/tls.h"

/** Bytes that one read takes at most. */
#define IO_READ_BYTES ((size_t)64 << 10)

/** Lists of parked requests. */
#define PARK_BUCKETS 1024

/** Never, as a point in time. */
#define NEVER INT64_MAX

struct conn;
struct io;

/** One request on its way. */
struct exchange {
	struct exchange *next;  /* in a mailbox or bucket */
	struct exchange **link; /* what points to it in its bucket */
	struct http *http;
	struct io *io;
	struct conn *conn; /* for the io thread only */
	struct http_request request;
	struct http_response response;
	struct arena arena;
	struct buf body;      /* of the request */
	size_t counted_bytes; /* of http->bodies_bytes */
	uint64_t wakes_seen;  /* before the handler looked */
	int64_t begin_us;
	bool is_parked;               /* lock: its bucket's */
	bool is_head;                 /* HEAD: no body in the reply */
	bool is_close;                /* the connection ends behind the reply */
	int outcome;                  /* what the handler returned */
	struct buf reply;             /* status line, header, and a small body */
	uint64_t body_bytes;          /* of the reply, behind `reply`; from memory or the file */
	uint64_t sent_bytes;          /* of reply and body together */
	struct http_header headers[]; /* and the bytes of the head */
};

enum conn_state {
	CONN_HANDSHAKE,
	CONN_HEAD, /* idle, or a head that is not complete */
	CONN_BODY,
	CONN_BUSY, /* the exchange is queued, handled or parked */
	CONN_WRITE,
	CONN_LINGER, /* the reply is out; wait for the client's end, so that no reset overtakes it
	              */
};

/** One connection. Owner: its io thread. */
struct conn {
	struct io *io;
	int fd;
	SSL *tls; /* NULL: plain */
	enum conn_state state;
	bool can_read, can_write; /* as far as epoll and the last call said */
	bool is_half_closed;      /* the client has ended its side */
	bool is_broken;           /* closed as soon as the exchange is back */
	bool is_parked;           /* the exchange was parked; mail about it is then a wake */
	bool is_back;             /* the handler has returned */
	bool is_ready;            /* in io->ready */
	bool is_hungry;           /* what is buffered was read and does not suffice */
	uint64_t n_requests;
	struct conn *next; /* in io->ready or an arrivals list */
	size_t heap_at;    /* in io->heap */
	int64_t heap_ms;   /* its place there: not after deadline_ms */
	int64_t deadline_ms;
	int64_t begin_ms;     /* of the body or the reply */
	uint64_t moved_bytes; /* of it */
	struct buf in;        /* bytes that were read too early; from in_at on */
	size_t in_at;
	struct head *head; /* of a head that is not complete */
	struct frame frame;
	struct exchange *exchange;
	char peer[HTTP_PEER_MAX];
	uint8_t peer_bytes;
};

/** What other threads hand to an io thread. */
struct mailbox {
	pthread_mutex_t lock;       /* of both lists */
	struct exchange *exchanges; /* newest first */
	struct conn *arrivals;
	int event_fd; /* written when a list was empty */
};

/** An io thread. Owner: itself, but for the mailbox and n_conns. */
struct io {
	struct http *http;
	pthread_t thread;
	int epoll_fd;
	struct mailbox mailbox;
	struct conn **heap; /* all connections, the earliest deadline first */
	size_t n_heap, heap_cap;
	struct conn *ready; /* have work to do without an event */
	int64_t now_ms;
	int64_t stop_at_ms; /* NEVER until a stop was seen */
	time_t date_at;     /* the second that `date` shows */
	char date[40];
	struct head head; /* of the head that is being read */
	atomic_uint n_conns;
	char bytes[IO_READ_BYTES];
};

/** Requests that wait for a worker. */
struct queue {
	pthread_mutex_t lock; /* of all the rest */
	pthread_cond_t is_filled;
	struct exchange **ring;
	size_t first, n, cap;
	unsigned n_waiting; /* workers */
	bool is_closed;
	atomic_size_t n_now; /* n, for those who only count; without the lock */
};

/** Parked requests of some keys. */
struct bucket {
	pthread_mutex_t lock; /* of all the rest, and of is_parked and link of what is in it */
	struct exchange *first;
	uint64_t last_wake; /* number of the newest wake of one of its keys */
};

struct counters {
	atomic_ullong accepted, refused_connections, handshakes, failed_handshakes;
	atomic_ullong resumed_handshakes, requests, bad_requests, timeouts, overloads;
	atomic_ullong status_class[6], body_bytes_in, body_bytes_out, parked;
};

struct http {
	struct http_config config; /* limits filled in */
	struct head_limits head_limits;
	SSL_CTX *tls; /* NULL: plain */
	int listen_fd, stop_fd;
	unsigned port;
	unsigned n_io;
	struct io **ios;
	pthread_t *workers;
	struct queue queue;
	struct bucket *buckets;
	struct counters counters;
	atomic_bool is_stopping;
	atomic_uint n_conns;
	atomic_ullong n_wakes, n_ids;
	atomic_size_t bodies_bytes;
};

/** Add to a counter. */
#define COUNT(http, name, n)                                                                       \
	((void)atomic_fetch_add_explicit(&(http)->counters.name, (n), memory_order_relaxed))

/** Milliseconds and microseconds of the monotonic clock. */
static inline int64_t clock_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
