/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of fleet_sim: each sends its next request when it has the answer to the last. */
#include "fleet_sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A server that is silent for so long is dead. */
#define PATIENCE_MS 60000
#define IN_BYTES ((size_t)16 << 20)
#define OUT_BYTES ((size_t)8 << 20)

/* One phase at work. */
struct phase {
	struct sim *sim;
	sim_next *next;
	size_t from, to;
	uint64_t n_jobs, n_started, n_busy;
	double begin_us, end_us; /* no new request after end_us; 0: none such */
	int epoll_fd;
	bool is_over; /* no more jobs */
};

double sim_now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- connections ---- */

static void hang_up(struct sim_conn *conn)
{
	SSL_free(conn->ssl);
	conn->ssl = NULL;
	if (conn->fd >= 0)
		(void)close(conn->fd);
	conn->fd = -1;
	buf_fini(&conn->in);
	buf_fini(&conn->out);
}

void sim_hang_up(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_conns + sim->n_idle; i++)
		hang_up(&sim->conns[i]);
}

static bool dial(struct sim *sim, struct sim_conn *conn)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)sim->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	hang_up(conn);
	conn->in = BUF(IN_BYTES);
	conn->out = BUF(OUT_BYTES);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0 ||
	        connect(conn->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return false;
	(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (sim->tls) {
		conn->ssl = SSL_new(sim->tls);
		if (!conn->ssl || SSL_set_fd(conn->ssl, conn->fd) != 1 ||
		        SSL_connect(conn->ssl) != 1)
			return false;
		(void)SSL_set_mode(conn->ssl,
		        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
	return fcntl(conn->fd, F_SETFL, O_NONBLOCK) == 0;
}

static int watch(struct phase *phase, struct sim_conn *conn, int how, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };
	return epoll_ctl(phase->epoll_fd, how, conn->fd, &event) < 0 ? -errno : 0;
}

/* Send what is left. Returns: 0; -EAGAIN when some is left still; -EPIPE */
static int push(struct sim_conn *conn)
{
	while (conn->n_out < conn->out.n) {
		size_t n = conn->out.n - conn->n_out;
		const char *p = conn->out.p + conn->n_out;
		ssize_t sent = conn->ssl ? SSL_write(conn->ssl, p, (int)n)
		                         : send(conn->fd, p, n, MSG_NOSIGNAL);
		if (sent > 0) {
			conn->n_out += (size_t)sent;
			continue;
		}
		if (conn->ssl)
			return SSL_get_error(conn->ssl, (int)sent) == SSL_ERROR_WANT_WRITE ? -EAGAIN
			                                                                   : -EPIPE;
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	}
	return 0;
}

/* Read what is there. Returns: 0; -EPIPE at the end of the connection */
static int pull(struct sim_conn *conn)
{
	for (;;) {
		char *room = buf_reserve(&conn->in, (size_t)16 << 10);
		if (!room)
			return -EPIPE;
		ssize_t n = conn->ssl ? SSL_read(conn->ssl, room, 16 << 10)
		                      : recv(conn->fd, room, (size_t)16 << 10, 0);
		if (n > 0) {
			conn->in.n += (size_t)n;
			if (!conn->ssl && n < 16 << 10)
				return 0;
			continue;
		}
		if (conn->ssl)
			return SSL_get_error(conn->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -EPIPE;
		return n < 0 && errno == EAGAIN ? 0 : -EPIPE;
	}
}

/* ---- answers ---- */

static bool head_value(str head, str name, str *ret)
{
	str line, key, value;
	while (str_next_line(&head, &line)) {
		if (str_split_first(line, ':', &key, &value) && str_eq_nocase(key, name)) {
			*ret = str_trim(value);
			return true;
		}
	}
	return false;
}

/* Is a whole answer there? Out: ret_close  the server ends the connection behind it */
static bool take_answer(struct sim_conn *conn, unsigned *ret_status, str *ret_body, bool *ret_close)
{
	str all = buf_str(&conn->in), value;
	uint64_t status, length = 0;
	const char *end = all.n > 12 ? memmem(all.p, all.n, "\r\n\r\n", 4) : NULL;
	if (!end || !str_to_u64((str){ all.p + 9, 3 }, 999, &status))
		return false;
	str head = { all.p, (size_t)(end - all.p) + 2 };
	if (head_value(head, STR("content-length"), &value) &&
	        !str_to_u64(value, IN_BYTES, &length))
		return false;
	if (all.n < head.n + 2 + length)
		return false;
	*ret_status = (unsigned)status;
	*ret_body = (str){ end + 4, length };
	*ret_close =
	        head_value(head, STR("connection"), &value) && str_eq_nocase(value, STR("close"));
	return true;
}

static void count_error(struct sim_result *result, str code)
{
	char name[sizeof(result->errors[0].code)];
	size_t i = 0;
	code = str_head(code, sizeof(name) - 1);
	memcpy(name, code.p, code.n);
	name[code.n] = '\0';
	while (i < result->n_errors && strcmp(result->errors[i].code, name) != 0)
		i++;
	if (i == result->n_errors && i + 1 < SIM_ERRORS_MAX)
		memcpy(result->errors[result->n_errors++].code, name, sizeof(name));
	if (i < result->n_errors)
		result->errors[i].n++;
}

/* "__type":"com.amazon#InvalidInstanceId" is InvalidInstanceId. */
static void take_error(struct sim_result *result, unsigned status, str body)
{
	static const char key[] = "\"__type\":\"";
	char number[16];
	const char *at = body.n > 0 ? memmem(body.p, body.n, key, sizeof(key) - 1) : NULL;
	str code = { NULL, 0 }, rest, space;
	if (at)
		code = str_skip(body, (size_t)(at - body.p) + sizeof(key) - 1);
	if (str_split_first(code, '"', &code, &rest)) {
		(void)str_split_last(code, '#', &space, &code);
	} else {
		int n = snprintf(number, sizeof(number), "%u", status);
		code = (str){ number, (size_t)n };
	}
	count_error(result, code);
}

static int add_latency(struct sim_result *result, double us)
{
	if (result->n == result->latencies_cap) {
		size_t cap = result->latencies_cap ? result->latencies_cap * 2 : 4096;
		uint32_t *grown = reallocarray(result->latencies, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		result->latencies = grown;
		result->latencies_cap = cap;
	}
	result->latencies[result->n++] = us < 4e9 ? (uint32_t)us : UINT32_MAX;
	return 0;
}

/* ---- a phase ---- */

static int send_job(struct phase *phase, struct sim_conn *conn)
{
	buf_clear(&conn->in);
	buf_clear(&conn->out);
	conn->n_out = 0;
	int r = sim_request(phase->sim, conn);
	if (r < 0)
		return r;
	conn->begin_us = sim_now_us();
	r = push(conn);
	if (r == -EAGAIN)
		r = watch(phase, conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	return r;
}

/* May another request begin now, and which? */
static bool find_job(struct phase *phase, struct sim_job *ret)
{
	const struct sim *sim = phase->sim;
	double now_us = sim_now_us();
	if (phase->is_over)
		return false;
	if (phase->n_started >= phase->n_jobs || (phase->end_us > 0 && now_us >= phase->end_us)) {
		phase->is_over = true;
		return false;
	}
	if (sim->rate > 0 &&
	        (double)phase->n_started > sim->rate * (now_us - phase->begin_us) / 1e6)
		return false;
	if (!phase->next(phase->sim, phase->n_started, ret))
		return false;
	phase->n_started++;
	return true;
}

/* Begin a job on a connection that has none. */
static int begin(struct phase *phase, struct sim_conn *conn)
{
	if (!find_job(phase, &conn->job))
		return 0;
	conn->is_busy = true;
	phase->n_busy++;
	return send_job(phase, conn);
}

/* The answer has come: what follows on this connection? */
static int finish(
        struct phase *phase, struct sim_conn *conn, unsigned status, str body, bool is_closing)
{
	struct sim_result *result = &phase->sim->result;
	int r = add_latency(result, sim_now_us() - conn->begin_us);
	if (status != 200)
		take_error(result, status, body);
	bool goes_on = sim_answer(phase->sim, conn, status, body);
	if (r >= 0 && is_closing) {
		if (!dial(phase->sim, conn))
			return -EPIPE;
		r = watch(phase, conn, EPOLL_CTL_ADD, EPOLLIN);
	}
	if (r >= 0 && goes_on)
		return send_job(phase, conn);
	conn->is_busy = false;
	phase->n_busy--;
	return r < 0 ? r : begin(phase, conn);
}

static int serve(struct phase *phase, struct sim_conn *conn, uint32_t events)
{
	unsigned status;
	str body;
	bool is_closing;
	int r = 0;
	if (events & EPOLLOUT && conn->n_out < conn->out.n) {
		r = push(conn);
		if (r == 0)
			r = watch(phase, conn, EPOLL_CTL_MOD, EPOLLIN);
		if (r == -EAGAIN)
			r = 0;
	}
	if (r == 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		r = pull(conn);
	/* What came before the end still counts. */
	if (conn->is_busy && take_answer(conn, &status, &body, &is_closing))
		return finish(phase, conn, status, body, is_closing || r < 0);
	return r;
}

static int lose(struct phase *phase, struct sim_conn *conn)
{
	phase->sim->result.n_lost++;
	if (conn->is_busy)
		phase->n_busy--;
	conn->is_busy = false;
	hang_up(conn);
	phase->is_over = true;
	return phase->sim->until_broken ? 0 : -EPIPE;
}

static int start_all(struct phase *phase)
{
	struct sim *sim = phase->sim;
	for (size_t i = phase->from; i < phase->to; i++) {
		struct sim_conn *conn = &sim->conns[i];
		bool is_up = conn->fd >= 0 || dial(sim, conn);
		int r = is_up ? watch(phase, conn, EPOLL_CTL_ADD, EPOLLIN) : -EPIPE;
		if (r == 0)
			r = begin(phase, conn);
		if (r == -EPIPE)
			r = lose(phase, conn);
		if (r < 0)
			return r;
	}
	return 0;
}

/* With a rate, connections wait for their turn. */
static int start_waiting(struct phase *phase)
{
	struct sim *sim = phase->sim;
	for (size_t i = phase->from; i < phase->to && !phase->is_over; i++) {
		struct sim_conn *conn = &sim->conns[i];
		int r = conn->is_busy || conn->fd < 0 ? 0 : begin(phase, conn);
		if (r == -EPIPE)
			r = lose(phase, conn);
		if (r < 0)
			return r;
	}
	return 0;
}

static int turn(struct phase *phase)
{
	struct epoll_event events[256];
	bool is_waiting = !phase->is_over && phase->n_busy < phase->to - phase->from;
	int n = epoll_wait(phase->epoll_fd, events, 256, is_waiting ? 1 : PATIENCE_MS);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0 && !is_waiting)
		return -ETIMEDOUT;
	for (int i = 0; i < n; i++) {
		struct sim_conn *conn = events[i].data.ptr;
		int r = serve(phase, conn, events[i].events);
		if (r == -EPIPE)
			r = lose(phase, conn);
		if (r < 0)
			return r;
	}
	return is_waiting ? start_waiting(phase) : 0;
}

int sim_run(struct sim *sim, size_t from, size_t to, uint64_t n, double seconds, sim_next *next,
        struct err *err)
{
	autoclose int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct phase phase = { .sim = sim,
		.next = next,
		.from = from,
		.to = to,
		.n_jobs = n,
		.epoll_fd = epoll_fd,
		.begin_us = sim_now_us() };
	struct sim_result *result = &sim->result;
	uint32_t *latencies = result->latencies;
	size_t cap = result->latencies_cap;
	*result = (struct sim_result){ .latencies = latencies, .latencies_cap = cap };
	phase.end_us = seconds > 0 ? phase.begin_us + seconds * 1e6 : 0;
	int r = epoll_fd < 0 ? -errno : start_all(&phase);
	while (r >= 0 && (phase.n_busy > 0 || !phase.is_over))
		r = turn(&phase);
	result->seconds = (sim_now_us() - phase.begin_us) / 1e6;
	if (r == -EPIPE)
		return err_set(err, r, "the server broke %llu connections",
		        (unsigned long long)result->n_lost);
	if (r == -ETIMEDOUT)
		return err_set(err, r, "the server is silent for a minute");
	return r < 0 ? err_set(err, r, "%s", strerror(-r)) : 0;
}
