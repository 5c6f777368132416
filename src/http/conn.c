/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is a small machine: each step does one thing and says whether there is more to do,
 * whether it waits for an event, or whether this is the end. Only conn_turn() closes, so no step
 * works on a connection that is gone.
 *
 * Bytes are read into memory of the io thread. What a request does not use of them is copied to
 * the connection; an idle connection holds no buffer. Nothing is read while a request is handled:
 * what a client sends ahead stays in the kernel, but for the rest of one read.
 */
#include "http/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/exchange.h"
#include "http/loop.h"
#include "http/send.h"
#include "http/work.h"

/* Steps in one turn; then it is the others' turn. */
#define STEPS_MAX 32

/* How long the end of a connection is waited for, and what is thrown away meanwhile. */
#define LINGER_MS 1000
#define LINGER_BYTES ((uint64_t)1 << 20)

/* Longest deferral. */
#define DEFER_MAX_MS ((int64_t)3600 * 1000)

enum progress {
	GO,    /* another step */
	WAIT,  /* for an event, a deadline or the exchange */
	CLOSE, /* the connection has ended */
};

static void write_peer(struct conn *conn, const struct sockaddr_storage *peer)
{
	char address[INET6_ADDRSTRLEN] = "?";
	int n = 0;
	if (peer->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)peer;
		(void)inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		n = snprintf(conn->peer, sizeof(conn->peer), "[%s]:%u", address,
		        (unsigned)ntohs(in6->sin6_port));
	} else if (peer->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)peer;
		(void)inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
		n = snprintf(conn->peer, sizeof(conn->peer), "%s:%u", address,
		        (unsigned)ntohs(in->sin_port));
	}
	conn->peer_bytes = (uint8_t)n;
}

struct conn *conn_new(struct io *io, int fd, const struct sockaddr_storage *peer)
{
	struct http *http = io->http;
	struct conn *conn = calloc(1, sizeof(*conn));
	if (!conn) {
		(void)close(fd);
		return NULL;
	}
	*conn = (struct conn){ .io = io, .fd = fd, .can_read = true, .can_write = true };
	conn->state = http->tls ? CONN_HANDSHAKE : CONN_HEAD;
	conn->in = BUF(IO_READ_BYTES + http->head_limits.head_bytes);
	write_peer(conn, peer);
	(void)atomic_fetch_add_explicit(&http->n_conns, 1, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&io->n_conns, 1, memory_order_relaxed);
	return conn;
}

void conn_free(struct conn *conn)
{
	if (!conn)
		return;
	if (conn->is_parked)
		(void)park_take(conn->exchange);
	(void)atomic_fetch_sub_explicit(&conn->io->http->n_conns, 1, memory_order_relaxed);
	(void)atomic_fetch_sub_explicit(&conn->io->n_conns, 1, memory_order_relaxed);
	exchange_free(conn->exchange);
	tls_end(conn->tls);
	(void)close(conn->fd);
	buf_fini(&conn->in);
	free(conn->head);
	free(conn);
}

static void tell(const struct conn *conn, const char *what)
{
	const struct http_config *config = &conn->io->http->config;
	if (config->log)
		config->log(config->ctx, (str){ conn->peer, conn->peer_bytes }, what);
}

static enum progress fail(const struct conn *conn, const char *what)
{
	tell(conn, what);
	return CLOSE;
}

static const struct http_limits *limits_of(const struct conn *conn)
{
	return &conn->io->http->config.limits;
}

/* A transfer may stand still for idle_ms, and must not be slower than the rate on average. */
static void set_transfer_deadline(struct conn *conn)
{
	const struct http_limits *limits = limits_of(conn);
	int64_t still = conn->io->now_ms + limits->idle_ms;
	int64_t slow = conn->begin_ms + limits->head_ms +
	               (int64_t)(conn->moved_bytes * 1000 / limits->rate_bytes_s);
	io_set_deadline(conn, slow < still ? slow : still);
}

static void begin_transfer(struct conn *conn, enum conn_state state)
{
	conn->state = state;
	conn->begin_ms = conn->io->now_ms;
	conn->moved_bytes = 0;
	set_transfer_deadline(conn);
}

/* What was read too early and is not used yet. */
static str buffered(const struct conn *conn)
{
	return str_skip(buf_str(&conn->in), conn->in_at);
}

/* Keep the end of the input for later. The input was conn->in, unless that is empty. */
static void keep(struct conn *conn, str rest)
{
	if (rest.n == 0) {
		buf_fini(&conn->in);
		conn->in_at = 0;
	} else if (conn->in.n > 0) {
		conn->in_at = conn->in.n - rest.n;
	} else {
		conn->in_at = 0;
		buf_add(&conn->in, rest);
	}
}

static enum progress end_of_input(const struct conn *conn, ssize_t r)
{
	/* Whoever ends between two requests may do so as he likes. */
	if (conn->state == CONN_HEAD && !conn->head && r != -EPROTO)
		return CLOSE;
	return fail(conn, r == -EPROTO ? "not TLS where TLS was expected"
	                               : "the client is gone in the middle of a request");
}

/* Read once. Out: ret_input  what is buffered and what was read, in one piece */
static enum progress fill(struct conn *conn, str *ret_input)
{
	struct io *io = conn->io;
	if (!conn->can_read)
		return WAIT;
	ssize_t n = conn_read(conn, io->bytes, sizeof(io->bytes));
	if (n == -EAGAIN) {
		conn->can_read = false;
		return WAIT;
	}
	if (n <= 0)
		return end_of_input(conn, n);
	/* Less than was asked for: the socket is empty, and new bytes are a new edge. Not so behind
	 * TLS, which gives one record at a time, nor when the end is there without an edge to come.
	 */
	if (!conn->tls && (size_t)n < sizeof(io->bytes) && !conn->is_half_closed)
		conn->can_read = false;
	str fresh = { io->bytes, (size_t)n };
	size_t n_kept = conn->in.n - conn->in_at;
	if (n_kept == 0) {
		*ret_input = fresh;
		return GO;
	}
	memmove(conn->in.p, conn->in.p + conn->in_at, n_kept);
	conn->in.n = n_kept;
	conn->in_at = 0;
	buf_add(&conn->in, fresh);
	*ret_input = buf_str(&conn->in);
	return buf_failed(&conn->in) ? fail(conn, "memory is out") : GO;
}

static enum progress begin_reply(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;
	if (atomic_load_explicit(&conn->io->http->is_stopping, memory_order_relaxed))
		exchange->is_close = true;
	if (exchange_compose(exchange, io_date(conn->io)) < 0)
		return fail(conn, "memory is out");
	begin_transfer(conn, CONN_WRITE);
	return GO;
}

/* Answer with a refusal of ours and close: what follows on the connection is not understood. */
static enum progress refuse(struct conn *conn, int status, const char *reason)
{
	struct http *http = conn->io->http;
	if (status == 503)
		COUNT(http, overloads, 1);
	else if (status == 408)
		COUNT(http, timeouts, 1);
	else
		COUNT(http, bad_requests, 1);
	tell(conn, reason);
	free(conn->head);
	conn->head = NULL;
	keep(conn, (str){ NULL, 0 });
	if (!conn->exchange)
		conn->exchange = exchange_new(conn, NULL, (str){ NULL, 0 });
	if (!conn->exchange)
		return CLOSE;
	conn->exchange->is_close = true;
	conn->exchange->outcome = HTTP_DONE;
	exchange_refuse(conn->exchange, status, reason);
	return begin_reply(conn);
}

/* Give the request to a handler. */
static enum progress dispatch(struct conn *conn)
{
	struct http *http = conn->io->http;
	struct exchange *exchange = conn->exchange;
	conn->state = CONN_BUSY;
	conn->is_back = conn->is_parked = false;
	exchange->request.is_half_closed = conn->is_half_closed;
	io_set_deadline(conn, NEVER);
	if (http->config.n_workers == 0) {
		exchange_handle(exchange);
		conn->is_back = true;
		return GO;
	}
	if (queue_push(&http->queue, exchange) == 0)
		return WAIT;
	/* The request was read whole: the connection may go on. */
	COUNT(http, overloads, 1);
	tell(conn, "too many requests are waiting");
	exchange->outcome = HTTP_DONE;
	exchange_refuse(exchange, 503, "too many requests are waiting");
	return begin_reply(conn);
}

static enum progress dispatch_last(struct conn *conn)
{
	conn->exchange->request.is_deferral_over = true;
	return dispatch(conn);
}

static enum progress step_busy(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;
	if (!conn->is_back)
		return WAIT;
	if (exchange->outcome != HTTP_DEFER || exchange->request.is_deferral_over)
		return begin_reply(conn);
	int64_t ms = exchange->response.defer_ms;
	if (ms <= 0 || conn->is_half_closed || atomic_load(&conn->io->http->is_stopping))
		return dispatch_last(conn);
	conn->is_back = false;
	conn->is_parked = true;
	io_set_deadline(conn, conn->io->now_ms + (ms < DEFER_MAX_MS ? ms : DEFER_MAX_MS));
	return park_put(exchange) ? WAIT : dispatch(conn);
}

/* End a deferral now. If a wake was faster, it is in the mailbox already. */
static enum progress end_deferral(struct conn *conn)
{
	return conn->is_parked && park_take(conn->exchange) ? dispatch_last(conn) : WAIT;
}

static enum progress eat_body(struct conn *conn, str in)
{
	struct exchange *exchange = conn->exchange;
	for (str data; true;) {
		switch (frame_next(&conn->frame, &in, &data)) {
		case FRAME_DATA: {
			conn->moved_bytes += data.n;
			COUNT(conn->io->http, body_bytes_in, data.n);
			int r = exchange_add_body(exchange, data);
			if (r < 0)
				return refuse(conn, 503, "too many bodies are in memory");
			break;
		}
		case FRAME_REFUSED: return refuse(conn, conn->frame.status, conn->frame.reason);
		case FRAME_DONE:
			keep(conn, in);
			exchange->request.body = buf_str(&exchange->body);
			return dispatch(conn);
		case FRAME_MORE:
		default:
			keep(conn, (str){ NULL, 0 });
			set_transfer_deadline(conn);
			return GO;
		}
	}
}

static enum progress step_body(struct conn *conn)
{
	str input = buffered(conn);
	enum progress progress = input.n > 0 ? GO : fill(conn, &input);
	return progress == GO ? eat_body(conn, input) : progress;
}

/* Ask the caller whether it wants this request at all. Returns: 0 or a status */
static int admit(struct conn *conn, uint64_t declared, size_t *ret_max_body)
{
	const struct http_config *config = &conn->io->http->config;
	struct exchange *exchange = conn->exchange;
	*ret_max_body = config->limits.body_bytes;
	return config->admit ? config->admit(config->ctx, &exchange->request, declared,
	                               &exchange->response, ret_max_body)
	                     : 0;
}

/* The caller's refusal. A body that was announced and is not read ends the connection. */
static enum progress deny(struct conn *conn, int status, uint64_t declared, str rest)
{
	struct exchange *exchange = conn->exchange;
	exchange->response.status = status;
	exchange->outcome = HTTP_DONE;
	if (declared > 0)
		exchange->is_close = true;
	keep(conn, exchange->is_close ? (str){ NULL, 0 } : rest);
	return begin_reply(conn);
}

static enum progress begin_request(struct conn *conn, const struct head *head, str input)
{
	struct http *http = conn->io->http;
	str rest = str_skip(input, head->at);
	uint64_t declared = head->is_chunked ? UINT64_MAX : head->length, length = head->length;
	bool is_chunked = head->is_chunked, wants_continue = head->wants_continue && declared > 0;
	conn->exchange = exchange_new(conn, head, str_head(input, head->at));
	free(conn->head);
	conn->head = NULL;
	if (!conn->exchange)
		return fail(conn, "memory is out");
	conn->n_requests++;
	COUNT(http, requests, 1);
	size_t max_body;
	int status = admit(conn, declared, &max_body);
	if (status != 0)
		return deny(conn, status, declared, rest);
	size_t held = atomic_load_explicit(&http->bodies_bytes, memory_order_relaxed);
	if (!is_chunked && length <= max_body && length > 0 &&
	        length + held > http->config.limits.bodies_bytes)
		return refuse(conn, 503, "too many bodies are in memory");
	frame_begin(&conn->frame, is_chunked, length, max_body);
	conn->exchange->body = BUF(max_body);
	begin_transfer(conn, CONN_BODY);
	bool has_rest = rest.n > 0;
	enum progress progress = eat_body(conn, rest);
	if (wants_continue && !has_rest && conn->state == CONN_BODY && conn_send_continue(conn) < 0)
		return fail(conn, "the client does not take 100 Continue");
	return progress;
}

/* The head is not complete: from here on its time runs. */
static enum progress await_head(struct conn *conn, const struct head *head, str input)
{
	if (!conn->head) {
		conn->head = malloc(sizeof(*conn->head));
		if (!conn->head)
			return fail(conn, "memory is out");
		*conn->head = *head;
		if (conn->n_requests > 0)
			io_set_deadline(conn, conn->io->now_ms + limits_of(conn)->head_ms);
	}
	keep(conn, input);
	conn->is_hungry = true;
	return buf_failed(&conn->in) ? fail(conn, "memory is out") : GO;
}

static enum progress step_head(struct conn *conn)
{
	str input = buffered(conn);
	if (input.n == 0 || conn->is_hungry) {
		enum progress progress = fill(conn, &input);
		if (progress != GO)
			return progress;
		conn->is_hungry = false;
	}
	struct head *head = conn->head;
	if (!head) {
		head = &conn->io->head;
		head_begin(head, &conn->io->http->head_limits);
	}
	switch (head_feed(head, input)) {
	case HEAD_MORE: return await_head(conn, head, input);
	case HEAD_DONE: return begin_request(conn, head, input);
	case HEAD_REFUSED:
	default: return refuse(conn, head->status, head->reason);
	}
}

static enum progress step_handshake(struct conn *conn)
{
	struct http *http = conn->io->http;
	int r = tls_handshake(conn->tls);
	if (r == -EAGAIN)
		return WAIT;
	if (r < 0) {
		COUNT(http, failed_handshakes, 1);
		return fail(conn, r == -EPROTO ? "the TLS handshake failed"
		                               : "the client is gone in the TLS handshake");
	}
	COUNT(http, handshakes, 1);
	if (tls_is_resumed(conn->tls))
		COUNT(http, resumed_handshakes, 1);
	conn->state = CONN_HEAD;
	conn->can_read = true;
	io_set_deadline(conn, conn->io->now_ms + limits_of(conn)->head_ms);
	return GO;
}

/* The reply is out, or never will be. */
static void end_exchange(struct conn *conn, bool is_complete)
{
	struct http *http = conn->io->http;
	struct exchange *exchange = conn->exchange;
	const struct http_request *request = &exchange->request;
	uint64_t n_body = is_complete ? exchange->response.fd >= 0 ? exchange->body_bytes
	                                : exchange->is_head        ? 0
	                                                           : exchange->response.body.n
	                              : 0;
	COUNT(http, status_class[exchange->response.status / 100], 1);
	COUNT(http, body_bytes_out, n_body);
	if (http->config.access)
		http->config.access(
		        http->config.ctx, &(struct http_access){ .peer = request->peer,
		                                  .method = request->method,
		                                  .path = request->path,
		                                  .id = request->id,
		                                  .status = exchange->response.status,
		                                  .is_complete = is_complete,
		                                  .request_bytes = request->body.n,
		                                  .reply_bytes = n_body,
		                                  .micros = clock_us() - exchange->begin_us });
	exchange_free(exchange);
	conn->exchange = NULL;
}

static enum progress begin_linger(struct conn *conn)
{
	if (conn->tls)
		tls_finish(conn->tls);
	(void)shutdown(conn->fd, SHUT_WR);
	keep(conn, (str){ NULL, 0 });
	conn->state = CONN_LINGER;
	conn->moved_bytes = 0;
	conn->can_read = true;
	io_set_deadline(conn, conn->io->now_ms + LINGER_MS);
	return GO;
}

static enum progress step_write(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;
	if (!conn->can_write)
		return WAIT;
	ssize_t n = conn_send_piece(conn);
	if (n == -EAGAIN) {
		conn->can_write = false;
		set_transfer_deadline(conn);
		return WAIT;
	}
	if (n <= 0) {
		end_exchange(conn, false);
		return fail(conn, n == -EIO ? "a file is shorter than was said"
		                            : "the client is gone before the end of the reply");
	}
	exchange->sent_bytes += (uint64_t)n;
	conn->moved_bytes += (uint64_t)n;
	if (exchange->sent_bytes < exchange->reply.n + exchange->body_bytes)
		return GO;
	bool is_close = exchange->is_close;
	end_exchange(conn, true);
	if (is_close || atomic_load_explicit(&conn->io->http->is_stopping, memory_order_relaxed))
		return begin_linger(conn);
	conn->state = CONN_HEAD;
	io_set_deadline(conn, conn->io->now_ms + limits_of(conn)->idle_ms);
	return GO;
}

static enum progress step_linger(struct conn *conn)
{
	if (!conn->can_read)
		return WAIT;
	ssize_t n = recv(conn->fd, conn->io->bytes, sizeof(conn->io->bytes), 0);
	if (n < 0 && errno == EAGAIN) {
		conn->can_read = false;
		return WAIT;
	}
	conn->moved_bytes += n > 0 ? (uint64_t)n : 0;
	return n <= 0 || conn->moved_bytes > LINGER_BYTES ? CLOSE : GO;
}

static enum progress (*const steps[])(struct conn *conn) = {
	[CONN_HANDSHAKE] = step_handshake,
	[CONN_HEAD] = step_head,
	[CONN_BODY] = step_body,
	[CONN_BUSY] = step_busy,
	[CONN_WRITE] = step_write,
	[CONN_LINGER] = step_linger,
};

/* End the connection; at once, or when a worker has returned the exchange. */
static void end(struct conn *conn)
{
	bool is_out = conn->state == CONN_BUSY && !conn->is_back;
	if (is_out && !(conn->is_parked && park_take(conn->exchange))) {
		conn->is_broken = true;
		io_set_deadline(conn, NEVER);
		return;
	}
	conn->is_parked = false;
	io_remove(conn);
	conn_free(conn);
}

static void go_on(struct conn *conn, enum progress progress)
{
	for (int i = 0; i < STEPS_MAX && progress == GO; i++)
		progress = steps[conn->state](conn);
	if (progress == GO)
		io_make_ready(conn);
	else if (progress == CLOSE)
		end(conn);
}

void conn_turn(struct conn *conn)
{
	go_on(conn, GO);
}

void conn_begin(struct conn *conn)
{
	struct io *io = conn->io;
	if (io->http->tls)
		conn->tls = tls_begin(io->http->tls, conn->fd);
	if ((io->http->tls && !conn->tls) ||
	        io_add(io, conn, io->now_ms + limits_of(conn)->head_ms) < 0) {
		tell(conn, "memory is out");
		conn_free(conn);
		return;
	}
	conn_turn(conn);
}

void conn_event(struct conn *conn, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->is_half_closed = true;
	/* TLS may want to write when it reads, and the other way round. */
	if (conn->tls || events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->can_read = true;
	if (conn->tls || events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn->can_write = true;
	if (conn->state == CONN_BUSY && events & (EPOLLHUP | EPOLLERR)) {
		tell(conn, "the client is gone before the reply");
		end(conn);
	} else if (conn->state == CONN_BUSY && conn->is_half_closed) {
		go_on(conn, end_deferral(conn));
	} else {
		conn_turn(conn);
	}
}

void conn_return(struct conn *conn)
{
	bool is_wake = conn->is_parked;
	conn->is_parked = false;
	conn->is_back = !is_wake;
	if (!conn->is_broken) {
		go_on(conn, is_wake ? dispatch(conn) : GO);
		return;
	}
	conn->is_back = true;
	end(conn);
}

void conn_expire(struct conn *conn)
{
	struct http *http = conn->io->http;
	enum progress progress = CLOSE;
	switch (conn->state) {
	case CONN_HANDSHAKE:
		COUNT(http, failed_handshakes, 1);
		COUNT(http, timeouts, 1);
		tell(conn, "the TLS handshake takes too long");
		break;
	case CONN_HEAD:
		if (conn->head)
			progress = refuse(conn, 408, "the head takes too long");
		break;
	case CONN_BODY: progress = refuse(conn, 408, "the body takes too long"); break;
	case CONN_BUSY: progress = end_deferral(conn); break;
	case CONN_WRITE:
		COUNT(http, timeouts, 1);
		tell(conn, "the client takes the reply too slowly");
		end_exchange(conn, false);
		break;
	case CONN_LINGER:
	default: break;
	}
	go_on(conn, progress);
}

void conn_stop(struct conn *conn)
{
	bool is_idle = conn->state == CONN_HEAD && !conn->head && buffered(conn).n == 0;
	if (is_idle || (conn->state == CONN_BUSY && conn->is_parked))
		io_set_deadline(conn, conn->io->now_ms);
}
