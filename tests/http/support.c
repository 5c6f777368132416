/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static void change(struct server *server, unsigned *counter)
{
	(void)pthread_mutex_lock(&server->lock);
	(*counter)++;
	(void)pthread_cond_broadcast(&server->is_changed);
	(void)pthread_mutex_unlock(&server->lock);
}

static bool wait_change(struct server *server)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	return pthread_cond_timedwait(&server->is_changed, &server->lock, &until) == 0;
}

static int echo(struct http_request *request, struct http_response *response)
{
	response->status = 200;
	buf_printf(&response->body, STR_FMT " " STR_FMT " [" STR_FMT "] ", STR_ARG(request->method),
	        STR_ARG(request->path), STR_ARG(request->query));
	buf_add(&response->body, request->body);
	(void)http_response_header(response, STR("X-Echo"), STR("yes"));
	return HTTP_DONE;
}

static int big(struct http_response *response)
{
	response->status = 200;
	for (size_t i = 0; i < BIG_BYTES / 4; i++)
		buf_add_u32(&response->body, (uint32_t)i);
	return HTTP_DONE;
}

static int file(const struct server *server, struct http_response *response, uint64_t n)
{
	response->status = 200;
	response->fd = open(server->file, O_RDONLY | O_CLOEXEC);
	response->file_at = 100;
	response->file_bytes = n;
	return HTTP_DONE;
}

static int defer(struct http_request *request, struct http_response *response, int64_t ms)
{
	if (request->attempt == 0) {
		/* It is emptied before the next call. */
		buf_add(&response->body, STR("forgotten"));
		response->defer_ms = ms;
		response->defer_key = 7;
		return HTTP_DEFER;
	}
	response->status = 200;
	buf_printf(&response->body, "%s%s %u", request->is_half_closed ? "half " : "",
	        request->is_deferral_over ? "over" : "woken", request->attempt);
	return HTTP_DONE;
}

static int block(struct server *server, struct http_response *response)
{
	response->status = 200;
	buf_add(&response->body, STR("released"));
	change(server, &server->n_blocked);
	(void)pthread_mutex_lock(&server->lock);
	while (!server->is_released && wait_change(server))
		;
	(void)pthread_mutex_unlock(&server->lock);
	return HTTP_DONE;
}

static int handle(void *ctx, struct http_request *request, struct http_response *response)
{
	struct server *server = ctx;
	str path = request->path;
	change(server, &server->n_handled);
	if (str_eq(path, STR("/big")))
		return big(response);
	if (str_eq(path, STR("/file")))
		return file(server, response, 900);
	if (str_eq(path, STR("/short")))
		return file(server, response, 5000000);
	if (str_eq(path, STR("/wait")))
		return defer(request, response, 60000);
	if (str_eq(path, STR("/soon")))
		return defer(request, response, 1);
	if (str_eq(path, STR("/self"))) {
		http_wake(server->http, 7);
		return defer(request, response, 60000);
	}
	if (str_eq(path, STR("/block")))
		return block(server, response);
	if (str_eq(path, STR("/always"))) {
		response->defer_ms = 1;
		return HTTP_DEFER;
	}
	if (str_eq(path, STR("/nothing")))
		return HTTP_DONE;
	if (!str_eq(path, STR("/none")))
		return echo(request, response);
	response->status = 204;
	return HTTP_DONE;
}

static void on_log(void *ctx, str peer, const char *what)
{
	struct server *server = ctx;
	(void)peer;
	(void)pthread_mutex_lock(&server->lock);
	buf_printf(&server->log, "%s\n", what);
	(void)pthread_cond_broadcast(&server->is_changed);
	(void)pthread_mutex_unlock(&server->lock);
}

static void on_access(void *ctx, const struct http_access *access)
{
	struct server *server = ctx;
	(void)pthread_mutex_lock(&server->lock);
	buf_printf(&server->access, STR_FMT " " STR_FMT " %d %llu %llu %s\n",
	        STR_ARG(access->method), STR_ARG(access->path), access->status,
	        (unsigned long long)access->request_bytes, (unsigned long long)access->reply_bytes,
	        access->is_complete ? "complete" : "cut");
	(void)pthread_mutex_unlock(&server->lock);
	change(server, &server->n_ended);
}

struct http_config server_config(bool is_tls)
{
	/* The path is filled in by server_start(). */
	return (struct http_config){ .listen = "127.0.0.1:0",
		.tls_cert = is_tls ? "" : NULL,
		.n_io = 2,
		.n_workers = 2,
		.handle = handle,
		.log = on_log,
		.access = on_access,
		.limits = { .idle_ms = PATIENCE_S * 1000, .head_ms = PATIENCE_S * 1000 } };
}

static void *run(void *arg)
{
	struct server *server = arg;
	server->run_result = http_run(server->http, NULL);
	return NULL;
}

void server_start(struct server *server, struct http_config config)
{
	struct err err = { 0 };
	char bytes[1000];
	*server = (struct server){ .dir = "/tmp/sonde-http-XXXXXX",
		.log = BUF((size_t)1 << 20),
		.access = BUF((size_t)1 << 20) };
	(void)signal(SIGPIPE, SIG_IGN); /* of the clients; the server does without */
	(void)pthread_mutex_init(&server->lock, NULL);
	(void)pthread_cond_init(&server->is_changed, NULL);
	assert_non_null(mkdtemp(server->dir));
	(void)snprintf(server->file, sizeof(server->file), "%s/file", server->dir);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 26);
	autoclose int dir = fs_open_dir(server->dir, false, &err);
	assert_int_equal(fs_replace(dir, "file", (str){ bytes, sizeof(bytes) }, 0600, &err), 0);
	config.ctx = server;
	if (config.tls_cert) {
		make_certificate(server->dir, server->cert, server->key, sizeof(server->cert));
		config.tls_cert = server->cert;
		config.tls_key = server->key;
	}
	if (http_open(&config, &server->http, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
}

void server_end(struct server *server)
{
	http_stop(server->http);
	server_release(server);
	(void)pthread_join(server->thread, NULL);
	assert_int_equal(server->run_result, 0);
	struct http_stats stats;
	http_stats(server->http, &stats);
	assert_int_equal(stats.parked, 0);
	http_close(server->http);
	(void)fs_remove_tree(AT_FDCWD, server->dir);
	buf_fini(&server->log);
	buf_fini(&server->access);
	(void)pthread_cond_destroy(&server->is_changed);
	(void)pthread_mutex_destroy(&server->lock);
}

void server_release(struct server *server)
{
	(void)pthread_mutex_lock(&server->lock);
	server->is_released = true;
	(void)pthread_cond_broadcast(&server->is_changed);
	(void)pthread_mutex_unlock(&server->lock);
}

void server_await(struct server *server, const unsigned *counter, unsigned n)
{
	(void)pthread_mutex_lock(&server->lock);
	while (*counter < n && wait_change(server))
		;
	bool is_there = *counter >= n;
	(void)pthread_mutex_unlock(&server->lock);
	assert_true(is_there);
}

unsigned server_count(struct server *server, const unsigned *counter)
{
	(void)pthread_mutex_lock(&server->lock);
	unsigned n = *counter;
	(void)pthread_mutex_unlock(&server->lock);
	return n;
}

static bool log_has(const struct server *server, str text)
{
	return server->log.n > 0 && memmem(server->log.p, server->log.n, text.p, text.n) != NULL;
}

void server_await_log(struct server *server, const char *text)
{
	(void)pthread_mutex_lock(&server->lock);
	while (!log_has(server, str_from_c(text)) && wait_change(server))
		;
	bool is_there = log_has(server, str_from_c(text));
	(void)pthread_mutex_unlock(&server->lock);
	if (!is_there)
		fail_msg("the log has no \"%s\"", text);
}

void server_await_parked(struct server *server, uint64_t n)
{
	struct http_stats stats;
	for (int i = 0; i < PATIENCE_S * 1000; i++) {
		http_stats(server->http, &stats);
		if (stats.parked == n)
			return;
		(void)usleep(1000);
	}
	fail_msg("%llu are parked", (unsigned long long)stats.parked);
}

void make_certificate(const char *dir, char *ret_cert, char *ret_key, size_t size)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	assert_true(key && cert);
	(void)X509_set_version(cert, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	(void)X509_set_pubkey(cert, key);
	X509_NAME *name = X509_get_subject_name(cert);
	(void)X509_NAME_add_entry_by_txt(
	        name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	(void)X509_set_issuer_name(cert, name);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	(void)snprintf(ret_cert, size, "%s/cert.pem", dir);
	(void)snprintf(ret_key, size, "%s/key.pem", dir);
	FILE *f = fopen(ret_cert, "we");
	assert_true(f && PEM_write_X509(f, cert) == 1);
	(void)fclose(f);
	f = fopen(ret_key, "we");
	assert_true(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	(void)fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void client_open_plain(struct client *client, const struct server *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_port(server->http)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	*client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.in = BUF((size_t)16 << 20) };
	assert_true(client->fd >= 0);
	(void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

void client_open(struct client *client, const struct server *server)
{
	client_open_plain(client, server);
	if (server->cert[0] == '\0')
		return;
	client->ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(client->ctx);
	client->ssl = SSL_new(client->ctx);
	assert_true(client->ssl && SSL_set_fd(client->ssl, client->fd) == 1);
	assert_int_equal(SSL_connect(client->ssl), 1);
}

void client_close(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->ctx);
	(void)close(client->fd);
	buf_fini(&client->in);
}

void client_send(struct client *client, str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = client->ssl ? SSL_write(client->ssl, bytes.p, (int)bytes.n)
		                        : write(client->fd, bytes.p, bytes.n);
		if (n <= 0)
			return; /* the server has refused already, which the reply tells */
		bytes = str_skip(bytes, (size_t)n);
	}
}

/* Read more. Returns: false at the end, also a broken one. */
static bool read_more(struct client *client)
{
	char bytes[16384];
	ssize_t n = client->ssl ? SSL_read(client->ssl, bytes, sizeof(bytes))
	                        : read(client->fd, bytes, sizeof(bytes));
	if (n > 0)
		buf_add(&client->in, (str){ bytes, (size_t)n });
	else if (n < 0 && !client->ssl && errno == EAGAIN)
		fail_msg("no reply in %d s", PATIENCE_S);
	return n > 0;
}

static void use(struct client *client, size_t n, struct buf *out)
{
	buf_add(out, str_head(buf_str(&client->in), n));
	memmove(client->in.p, client->in.p + n, client->in.n - n);
	client->in.n -= n;
}

static uint64_t number_behind(const struct buf *head, const char *name)
{
	const char *at = head->n ? memmem(head->p, head->n, name, strlen(name)) : NULL;
	if (!at)
		return 0;
	at += strlen(name);
	str digits = { at, (size_t)(head->p + head->n - at) };
	uint64_t n = 0;
	digits = str_take_while(&digits, is_digit);
	assert_true(str_to_u64(digits, UINT32_MAX, &n));
	return n;
}

bool client_reply(struct client *client, struct reply *reply, bool is_head)
{
	const char *end;
	*reply = (struct reply){ .head = BUF(65536), .body = BUF((size_t)16 << 20) };
	while (client->in.n == 0 || !(end = memmem(client->in.p, client->in.n, "\r\n\r\n", 4))) {
		if (!read_more(client))
			return false;
	}
	use(client, (size_t)(end - client->in.p) + 4, &reply->head);
	assert_true(str_has_prefix(buf_str(&reply->head), STR("HTTP/1.1 ")));
	reply->status = (int)number_behind(&reply->head, "HTTP/1.1 ");
	uint64_t n = is_head ? 0 : number_behind(&reply->head, "\r\nContent-Length: ");
	while (client->in.n < n) {
		if (!read_more(client))
			return false;
	}
	use(client, n, &reply->body);
	return true;
}

bool client_is_ended(struct client *client)
{
	return client->in.n == 0 && !read_more(client);
}

bool reply_has(const struct reply *reply, const char *text)
{
	return memmem(reply->head.p, reply->head.n, text, strlen(text)) != NULL;
}

void reply_fini(struct reply *reply)
{
	buf_fini(&reply->head);
	buf_fini(&reply->body);
}

void client_expect(struct client *client, const char *request, int status, const char *body)
{
	struct reply reply;
	client_send(client, str_from_c(request));
	assert_true(client_reply(client, &reply, false));
	assert_int_equal(reply.status, status);
	if (body && !str_eq(buf_str(&reply.body), str_from_c(body)))
		fail_msg("not \"%s\" but \"" STR_FMT "\"", body, STR_ARG(buf_str(&reply.body)));
	reply_fini(&reply);
}
