/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/conn.h"
#include "http/loop.h"
#include "http/work.h"

#define IO_MAX 256
#define WORKERS_MAX 1024

/* Connections that the kernel keeps until they are accepted. */
#define BACKLOG 4096

/* How long to wait when the process has no descriptor left. */
#define STARVED_MS 100

static void set_default(unsigned *limit, unsigned value)
{
	if (*limit == 0)
		*limit = value;
}

static void set_default_bytes(size_t *limit, size_t value)
{
	if (*limit == 0)
		*limit = value;
}

static void fill_limits(struct http *http)
{
	struct http_limits *limits = &http->config.limits;
	set_default(&limits->max_connections, 10000);
	set_default(&limits->max_queued, 1024);
	set_default(&limits->head_bytes, 16 << 10);
	set_default(&limits->target_bytes, 8 << 10);
	set_default(&limits->head_ms, 10000);
	set_default(&limits->idle_ms, 75000);
	set_default(&limits->stop_ms, 10000);
	set_default(&limits->rate_bytes_s, 1024);
	set_default(&limits->retry_after_s, 5);
	set_default_bytes(&limits->body_bytes, (size_t)1 << 20);
	set_default_bytes(&limits->bodies_bytes, (size_t)256 << 20);
	set_default_bytes(&limits->arena_bytes, (size_t)16 << 20);
	set_default_bytes(&limits->reply_bytes, (size_t)64 << 20);
	if (limits->head_bytes > UINT16_MAX)
		limits->head_bytes = UINT16_MAX;
	http->head_limits = (struct head_limits){ .head_bytes = limits->head_bytes,
		.target_bytes = limits->target_bytes };
	if (http->config.n_io == 0) {
		long n = sysconf(_SC_NPROCESSORS_ONLN);
		http->config.n_io = n < 1 ? 1 : (unsigned)n;
	}
	http->n_io = http->config.n_io < IO_MAX ? http->config.n_io : IO_MAX;
	if (http->config.n_workers > WORKERS_MAX)
		http->config.n_workers = WORKERS_MAX;
}

/* "127.0.0.1:80" or "[::1]:80". Returns: the length of *ret; -EINVAL */
static int parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	char address[INET6_ADDRSTRLEN];
	uint64_t port;
	str host, tail;
	if (!str_split_last(str_from_c(text), ':', &host, &tail) ||
	        !str_to_u64(tail, UINT16_MAX, &port))
		return -EINVAL;
	bool is_v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (is_v6)
		host = str_head(str_skip(host, 1), host.n - 2);
	if (host.n == 0 || host.n >= sizeof(address))
		return -EINVAL;
	memcpy(address, host.p, host.n);
	address[host.n] = '\0';
	in.sin_port = in6.sin6_port = htons((uint16_t)port);
	*ret = (struct sockaddr_storage){ 0 };
	if (is_v6 && inet_pton(AF_INET6, address, &in6.sin6_addr) == 1) {
		memcpy(ret, &in6, sizeof(in6));
		return (int)sizeof(in6);
	}
	if (!is_v6 && inet_pton(AF_INET, address, &in.sin_addr) == 1) {
		memcpy(ret, &in, sizeof(in));
		return (int)sizeof(in);
	}
	return -EINVAL;
}

static int open_listener(struct http *http, struct err *err)
{
	const char *text = http->config.listen;
	struct sockaddr_storage address;
	int n = text ? parse_address(text, &address) : -EINVAL;
	if (n < 0)
		return err_set(err, n, "cannot listen on %s: not ADDRESS:PORT", text ? text : "?");
	int on = 1;
	socklen_t size = (socklen_t)n;
	http->listen_fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (http->listen_fd < 0 ||
	        setsockopt(http->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	        bind(http->listen_fd, (const struct sockaddr *)&address, size) < 0 ||
	        listen(http->listen_fd, BACKLOG) < 0 ||
	        getsockname(http->listen_fd, (struct sockaddr *)&address, &size) < 0) {
		int code = -errno;
		return err_set(err, code, "cannot listen on %s: %s", text, strerror(-code));
	}
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	memcpy(&in6, &address, sizeof(in6));
	memcpy(&in, &address, sizeof(in));
	http->port = ntohs(address.ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
	return 0;
}

static int open_parts(struct http *http, struct err *err)
{
	const struct http_config *config = &http->config;
	int r = 0;
	if (config->tls_cert || config->tls_key) {
		if (!config->tls_cert || !config->tls_key)
			return err_set(err, -EINVAL, "a certificate and its key belong together");
		r = tls_open(config->tls_cert, config->tls_key, &http->tls, err);
	}
	if (r == 0)
		r = open_listener(http, err);
	if (r < 0)
		return r;
	http->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	http->ios = calloc(http->n_io, sizeof(*http->ios));
	http->workers = calloc(config->n_workers + 1, sizeof(*http->workers));
	r = http->stop_fd < 0 ? -errno : !http->ios || !http->workers ? -ENOMEM : 0;
	if (r == 0)
		r = park_open(&http->buckets);
	if (r == 0)
		r = queue_open(&http->queue, config->limits.max_queued);
	for (unsigned i = 0; r == 0 && i < http->n_io; i++)
		r = io_open(http, &http->ios[i]);
	return r < 0 ? err_set(err, r, "the server cannot be set up: %s", strerror(-r)) : 0;
}

int http_open(const struct http_config *config, struct http **ret, struct err *err)
{
	if (!config->handle)
		return err_set(err, -EINVAL, "nobody handles requests");
	struct http *http = calloc(1, sizeof(*http));
	if (!http)
		return err_set(err, -ENOMEM, "memory is out");
	http->config = *config;
	http->listen_fd = http->stop_fd = -1;
	fill_limits(http);
	int r = open_parts(http, err);
	/* What was needed until here is the caller's again. */
	http->config.listen = http->config.tls_cert = http->config.tls_key = NULL;
	if (r < 0)
		http_close(http);
	else
		*ret = http;
	return r;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	for (unsigned i = 0; http->ios && i < http->n_io; i++)
		io_close(http->ios[i]);
	queue_close(&http->queue);
	park_close(http->buckets);
	tls_close(http->tls);
	if (http->listen_fd >= 0)
		(void)close(http->listen_fd);
	if (http->stop_fd >= 0)
		(void)close(http->stop_fd);
	free(http->workers);
	free(http->ios);
	free(http);
}

unsigned http_port(const struct http *http)
{
	return http->port;
}

void http_stop(struct http *http)
{
	uint64_t one = 1;
	int saved = errno;
	atomic_store(&http->is_stopping, true);
	ssize_t n = write(http->stop_fd, &one, sizeof(one));
	(void)n;
	errno = saved;
}

static struct io *least_loaded(const struct http *http)
{
	struct io *best = http->ios[0];
	for (unsigned i = 1; i < http->n_io; i++) {
		if (atomic_load_explicit(&http->ios[i]->n_conns, memory_order_relaxed) <
		        atomic_load_explicit(&best->n_conns, memory_order_relaxed))
			best = http->ios[i];
	}
	return best;
}

static void tell(const struct http *http, const char *what)
{
	if (http->config.log)
		http->config.log(http->config.ctx, STR("?"), what);
}

static void take_in(struct http *http, int fd, const struct sockaddr_storage *peer)
{
	int on = 1;
	if (atomic_load(&http->n_conns) >= http->config.limits.max_connections) {
		COUNT(http, refused_connections, 1);
		tell(http, "too many connections");
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct io *io = least_loaded(http);
	struct conn *conn = conn_new(io, fd, peer);
	COUNT(http, accepted, 1);
	if (conn)
		mailbox_put_arrival(&io->mailbox, conn);
	else
		tell(http, "memory is out");
}

/* Accept until the stop. This thread does nothing else, so that a busy server still notices both.
 */
static void accept_all(struct http *http)
{
	struct pollfd polled[] = { { .fd = http->stop_fd, .events = POLLIN },
		{ .fd = http->listen_fd, .events = POLLIN } };
	bool is_starved = false;
	while (!atomic_load(&http->is_stopping)) {
		(void)poll(polled, is_starved ? 1 : 2, is_starved ? STARVED_MS : -1);
		struct sockaddr_storage peer = { 0 };
		socklen_t size = sizeof(peer);
		int fd = accept4(http->listen_fd, (struct sockaddr *)&peer, &size,
		        SOCK_NONBLOCK | SOCK_CLOEXEC);
		is_starved = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		                               errno == ENOMEM);
		if (fd >= 0)
			take_in(http, fd, &peer);
		else if (is_starved)
			tell(http, "no descriptor is left for a connection");
	}
}

/* Threads of ours take no signals: they belong to the program, and a broken pipe is an error code.
 */
static int start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(thread, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int http_run(struct http *http, struct err *err)
{
	unsigned n_io = 0, n_workers = 0;
	int r = 0;
	while (r == 0 && n_io < http->n_io) {
		r = start(&http->ios[n_io]->thread, io_run, http->ios[n_io]);
		n_io += r == 0;
	}
	while (r == 0 && n_workers < http->config.n_workers) {
		r = start(&http->workers[n_workers], work_run, http);
		n_workers += r == 0;
	}
	if (r == 0)
		accept_all(http);
	else
		(void)err_set(err, r, "threads cannot be started: %s", strerror(-r));
	/* Refuse what comes from here on, rather than leave it waiting. */
	(void)close(http->listen_fd);
	http->listen_fd = -1;
	atomic_store(&http->is_stopping, true);
	for (unsigned i = 0; i < n_io; i++)
		mailbox_ring(&http->ios[i]->mailbox);
	for (unsigned i = 0; i < n_io; i++)
		(void)pthread_join(http->ios[i]->thread, NULL);
	queue_stop(&http->queue);
	for (unsigned i = 0; i < n_workers; i++)
		(void)pthread_join(http->workers[i], NULL);
	return r;
}

static uint64_t get(const atomic_ullong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void http_stats(const struct http *http, struct http_stats *ret)
{
	const struct counters *counters = &http->counters;
	*ret = (struct http_stats){
		.accepted = get(&counters->accepted),
		.refused_connections = get(&counters->refused_connections),
		.handshakes = get(&counters->handshakes),
		.failed_handshakes = get(&counters->failed_handshakes),
		.resumed_handshakes = get(&counters->resumed_handshakes),
		.requests = get(&counters->requests),
		.bad_requests = get(&counters->bad_requests),
		.timeouts = get(&counters->timeouts),
		.overloads = get(&counters->overloads),
		.body_bytes_in = get(&counters->body_bytes_in),
		.body_bytes_out = get(&counters->body_bytes_out),
		.parked = get(&counters->parked),
		.connections = atomic_load_explicit(&http->n_conns, memory_order_relaxed),
		.queued = atomic_load_explicit(&http->queue.n_now, memory_order_relaxed),
		.bodies_bytes = atomic_load_explicit(&http->bodies_bytes, memory_order_relaxed),
	};
	for (size_t i = 0; i < 6; i++)
		ret->status_class[i] = get(&counters->status_class[i]);
}
