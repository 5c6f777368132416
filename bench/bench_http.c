/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our HTTP core beside libmicrohttpd, each server in a process of its own.
 *
 *   bench_http SCRATCH [RUNS [REQUESTS]]
 *
 * - 64 connections, a POST of 330 bytes and a reply of 35, over loopback: requests per second and
 *   CPU time of the server per request. Kinds are interleaved, run by run.
 * - 1,000 idle TLS connections: memory of each and CPU time of its handshake; and the latency of 64
 *   busy ones beside them.
 * - How many rows of the smuggling matrix each server refuses.
 *
 * "sonde" hands each request to one of two workers; "sonde-inline" handles it in its io threads, as
 * libmicrohttpd does. Everything has two io threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tests/http/matrix.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "bench_http.h"
#include "http/http.h"

#define PEERS 64
#define IDLE 1000
#define RUNS_MAX 50
#define WARM_UP 2000

/* A server that has not answered a row by then waits for more. */
#define ROW_MS 300

static char cert_path[512], key_path[512];

static int answer(void *ctx, struct http_request *request, struct http_response *response)
{
	(void)ctx;
	(void)request;
	response->status = 200;
	buf_add(&response->body, STR(BENCH_REPLY));
	return HTTP_DONE;
}

static void *run(void *http)
{
	(void)http_run(http, NULL);
	return NULL;
}

static int sonde_start(const struct kind *kind)
{
	struct http_config config = { .listen = "127.0.0.1:0",
		.tls_cert = kind->is_tls ? cert_path : NULL,
		.tls_key = kind->is_tls ? key_path : NULL,
		.n_io = 2,
		.n_workers = kind->n_workers,
		.handle = answer };
	struct http *http = NULL;
	struct err err = { 0 };
	pthread_t thread;
	if (http_open(&config, &http, &err) < 0 || pthread_create(&thread, NULL, run, http) != 0) {
		(void)fprintf(stderr, "bench_http: %s\n", err.text);
		return -1;
	}
	return (int)http_port(http);
}

static const struct kind kinds[] = {
	{ "sonde", sonde_start, false, 2, 0 },
	{ "sonde", sonde_start, true, 2, 0 },
	{ "sonde-inline", sonde_start, false, 0, 0 },
	{ "sonde-inline", sonde_start, true, 0, 0 },
	{ "libmicrohttpd", mhd_start, false, 0, 0 },
	{ "libmicrohttpd", mhd_start, true, 0, 0 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool is_there(const struct kind *kind)
{
	return kind->start != mhd_start || mhd_is_there();
}

static bool child_start(struct child *child, const struct kind *kind)
{
	int pipe_fds[2], port = -1;
	if (pipe(pipe_fds) < 0)
		return false;
	child->pid = fork();
	if (child->pid == 0) {
		port = kind->start(kind);
		if (write(pipe_fds[1], &port, sizeof(port)) != sizeof(port) || port < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(pipe_fds[1]);
	bool is_up = child->pid > 0 && read(pipe_fds[0], &port, sizeof(port)) == sizeof(port);
	(void)close(pipe_fds[0]);
	child->port = (unsigned)port;
	return is_up && port > 0;
}

static void child_end(const struct child *child)
{
	if (child->pid <= 0)
		return;
	(void)kill(child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* A share of sorted values: 0.5 is the median. */
static double at_share(const double *values, size_t n, double share)
{
	return values[(size_t)(share * (double)(n - 1) + 0.5)];
}

/* Connect all. Returns: how many could be */
static size_t connect_all(struct peer *peers, size_t n, const struct child *child, SSL_CTX *tls)
{
	size_t i = 0;
	while (i < n && load_connect(&peers[i], child, tls))
		i++;
	return i;
}

static void close_all(struct peer *peers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		load_close(&peers[i]);
}

static bool measure_post(const struct kind *kind, SSL_CTX *tls, struct load *load, size_t n)
{
	static struct peer peers[PEERS];
	struct child child;
	bool is_sound = child_start(&child, kind);
	size_t n_peers = 0;
	if (is_sound)
		n_peers = connect_all(peers, PEERS, &child, kind->is_tls ? tls : NULL);
	is_sound = n_peers == PEERS && load_run(peers, PEERS, WARM_UP, child.pid, load) &&
	           load_run(peers, PEERS, n, child.pid, load);
	close_all(peers, n_peers);
	child_end(&child);
	return is_sound;
}

static int measure_posts(SSL_CTX *tls, struct load *load, size_t runs, size_t n)
{
	static double rates[KINDS][RUNS_MAX], costs[KINDS][RUNS_MAX], p99s[KINDS][RUNS_MAX];
	for (size_t i = 0; i < runs; i++) {
		for (size_t k = 0; k < KINDS; k++) {
			if (!is_there(&kinds[k]))
				continue;
			if (!measure_post(&kinds[k], tls, load, n)) {
				(void)fprintf(stderr, "bench_http: %s breaks a connection\n",
				        kinds[k].name);
				return 1;
			}
			qsort(load->latencies_us, load->n, sizeof(double), by_value);
			rates[k][i] = (double)load->n / load->seconds;
			costs[k][i] = load->server_cpu_s * 1e6 / (double)load->n;
			p99s[k][i] = at_share(load->latencies_us, load->n, 0.99);
		}
	}
	for (size_t k = 0; k < KINDS; k++) {
		if (!is_there(&kinds[k]))
			continue;
		qsort(rates[k], runs, sizeof(double), by_value);
		qsort(costs[k], runs, sizeof(double), by_value);
		qsort(p99s[k], runs, sizeof(double), by_value);
		(void)printf(
		        "{\"name\":\"http_post\",\"server\":\"%s\",\"tls\":%s,\"unit\":\"us of "
		        "server CPU per request\",\"runs\":%zu,\"median\":%.2f,\"p10\":%.2f,"
		        "\"p90\":%.2f,\"requests_per_s\":%.0f,\"p99_us\":%.0f,\"requests\":%zu,"
		        "\"connections\":%d,\"request_bytes\":330,\"reply_bytes\":%zu}\n",
		        kinds[k].name, kinds[k].is_tls ? "true" : "false", runs,
		        at_share(costs[k], runs, 0.5), at_share(costs[k], runs, 0.1),
		        at_share(costs[k], runs, 0.9), at_share(rates[k], runs, 0.5),
		        at_share(p99s[k], runs, 0.5), n, PEERS, sizeof(BENCH_REPLY) - 1);
		(void)fflush(stdout);
	}
	return 0;
}

static double resident_kib(pid_t pid)
{
	struct buf text = BUF(4096);
	char path[64];
	uint64_t pages = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	str rest, first;
	if (fs_read(AT_FDCWD, path, &text, NULL) == 0 &&
	        str_split_first(buf_str(&text), ' ', &first, &rest) &&
	        str_split_first(rest, ' ', &first, &rest))
		(void)str_to_u64(first, UINT32_MAX, &pages);
	buf_fini(&text);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

/* Memory and handshake of an idle connection, then 64 busy ones beside 1,000. */
static int measure_idle(const struct kind *kind, SSL_CTX *tls, struct load *load, size_t n)
{
	static struct peer busy[PEERS], idle[IDLE];
	struct child child;
	size_t n_idle = 0, n_busy = 0;
	double memory = 0, cpu_s = 0, seconds = 0;
	bool is_sound = child_start(&child, kind);
	if (is_sound)
		n_busy = connect_all(busy, PEERS, &child, tls);
	is_sound = n_busy == PEERS && load_run(busy, PEERS, WARM_UP, child.pid, load);
	if (is_sound) {
		memory = resident_kib(child.pid);
		cpu_s = load_cpu_s(child.pid);
		seconds = load_now_us() / 1e6;
		n_idle = connect_all(idle, IDLE, &child, tls);
		seconds = load_now_us() / 1e6 - seconds;
		cpu_s = load_cpu_s(child.pid) - cpu_s;
		/* One request on each: an idle connection is one that has been used. */
		is_sound = n_idle == IDLE && load_run(idle, IDLE, IDLE, child.pid, load);
		memory = resident_kib(child.pid) - memory;
	}
	is_sound = is_sound && load_run(busy, PEERS, n, child.pid, load);
	close_all(busy, n_busy);
	close_all(idle, n_idle);
	child_end(&child);
	if (!is_sound) {
		(void)printf(
		        "{\"name\":\"http_idle_tls\",\"server\":\"%s\",\"idle\":%zu,\"failed\":"
		        "true}\n",
		        kind->name, n_idle);
		return 0;
	}
	qsort(load->latencies_us, load->n, sizeof(double), by_value);
	(void)printf("{\"name\":\"http_idle_tls\",\"server\":\"%s\",\"idle\":%d,\"unit\":\"KiB per "
	             "idle connection\",\"runs\":1,\"median\":%.1f,\"handshake_cpu_us\":%.0f,"
	             "\"handshakes_per_s\":%.0f,\"busy\":%d,\"busy_p50_us\":%.0f,\"busy_p99_us\":"
	             "%.0f,\"busy_cpu_us\":%.2f,\"requests\":%zu}\n",
	        kind->name, IDLE, memory / IDLE, cpu_s * 1e6 / IDLE, IDLE / seconds, PEERS,
	        at_share(load->latencies_us, load->n, 0.5),
	        at_share(load->latencies_us, load->n, 0.99),
	        load->server_cpu_s * 1e6 / (double)load->n, n);
	(void)fflush(stdout);
	return 0;
}

enum verdict { REFUSED, ACCEPTED, WAITS };

/* What a server makes of a row: a status of 400 or more, or an end without a word, is a refusal. */
static enum verdict ask(const struct child *child, str bytes)
{
	struct peer peer;
	struct timeval patience = { .tv_usec = ROW_MS * 1000 };
	char reply[4096] = "";
	if (!load_connect(&peer, child, NULL) || fcntl(peer.fd, F_SETFL, 0) < 0)
		return WAITS;
	(void)setsockopt(peer.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)send(peer.fd, bytes.p, bytes.n, MSG_NOSIGNAL);
	ssize_t n = recv(peer.fd, reply, sizeof(reply) - 1, 0);
	bool is_silent = n < 0 && errno == EAGAIN;
	load_close(&peer);
	if (is_silent)
		return WAITS;
	return n < 12 || reply[9] >= '4' ? REFUSED : ACCEPTED;
}

static int measure_matrix(const struct kind *kind, const char *name)
{
	struct child child;
	unsigned n_refused = 0, n_waits = 0, n_bad = 0, n_sound = 0, n_wrong = 0;
	struct buf names = BUF(65536);
	if (!child_start(&child, kind)) {
		child_end(&child);
		return 1;
	}
	for (size_t i = 0; i < MATRIX_ROWS; i++) {
		enum verdict verdict = ask(&child, matrix[i].bytes);
		bool is_bad = matrix[i].status != 200;
		n_bad += is_bad;
		n_sound += !is_bad;
		n_wrong += !is_bad && verdict != ACCEPTED;
		n_refused += is_bad && verdict == REFUSED;
		n_waits += is_bad && verdict == WAITS;
		if (is_bad && verdict == ACCEPTED)
			buf_printf(&names, "%s\"%s\"", names.n ? "," : "", matrix[i].name);
	}
	child_end(&child);
	(void)printf(
	        "{\"name\":\"http_matrix\",\"server\":\"%s\",\"unit\":\"rows refused\",\"runs\":"
	        "1,\"median\":%u,\"of\":%u,\"waits\":%u,\"sound_rows\":%u,"
	        "\"sound_rows_refused\":%u,\"accepted\":[" STR_FMT "]}\n",
	        name, n_refused, n_bad, n_waits, n_sound, n_wrong, STR_ARG(buf_str(&names)));
	(void)fflush(stdout);
	buf_fini(&names);
	return 0;
}

static int measure(SSL_CTX *tls, struct load *load, size_t runs, size_t n)
{
	static const struct kind strict = { "libmicrohttpd", mhd_start, false, 0, 1 };
	int r = measure_posts(tls, load, runs, n);
	for (size_t k = 0; r == 0 && k < KINDS; k++) {
		if (kinds[k].is_tls && is_there(&kinds[k]))
			r = measure_idle(&kinds[k], tls, load, n);
	}
	if (r == 0)
		r = measure_matrix(&kinds[0], "sonde");
	if (r == 0 && mhd_is_there())
		r = measure_matrix(&kinds[4], "libmicrohttpd");
	if (r == 0 && mhd_is_there())
		r = measure_matrix(&strict, "libmicrohttpd, strict");
	if (!mhd_is_there())
		(void)printf("skipped: libmicrohttpd (this build is without its library)\n");
	return r;
}

static bool write_certificate(const char *dir)
{
	(void)snprintf(cert_path, sizeof(cert_path), "%.400s/http-cert.pem", dir);
	(void)snprintf(key_path, sizeof(key_path), "%.400s/http-key.pem", dir);
	load_make_certificate();
	struct err err = { 0 };
	autoclose int fd = fs_open_dir(dir, true, &err);
	return fd >= 0 &&
	       fs_replace(fd, "http-cert.pem", str_from_c(bench_cert), 0600, &err) == 0 &&
	       fs_replace(fd, "http-key.pem", str_from_c(bench_key), 0600, &err) == 0;
}

int main(int argc, char **argv)
{
	uint64_t runs = 5, n = 60000;
	if (argc < 2 || (argc > 2 && !str_to_u64(str_from_c(argv[2]), RUNS_MAX, &runs)) ||
	        (argc > 3 && !str_to_u64(str_from_c(argv[3]), 10000000, &n)) || runs == 0 ||
	        n < WARM_UP) {
		(void)fprintf(stderr, "usage: bench_http SCRATCH [RUNS [REQUESTS]]\n");
		return 2;
	}
	struct rlimit files;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 2 * IDLE) {
		(void)printf("skipped: %d open files (ulimit -n)\n", 2 * IDLE);
		return 77;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (!write_certificate(argv[1])) {
		(void)fprintf(stderr, "bench_http: cannot write below %s\n", argv[1]);
		return 1;
	}
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	struct load load = { .latencies_us = calloc(n, sizeof(double)) };
	int r = tls && load.latencies_us ? measure(tls, &load, runs, n) : 1;
	free(load.latencies_us);
	SSL_CTX_free(tls);
	return r;
}
