/* SPDX-License-Identifier: Apache-2.0 */
#include "http/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Header fields of one response, in bytes. */
#define REPLY_HEAD_MAX ((size_t)64 << 10)

/* A body up to this size is copied behind the header: one record of TLS, one call. */
#define SMALL_BODY ((size_t)8 << 10)

static const struct phrase {
	int status;
	const char *text;
} phrases[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 424, "Failed Dependency" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *phrase_of(int status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].text;
	}
	return "";
}

static void fill_request(struct exchange *exchange, const struct head *head, str bytes)
{
	struct http_request *request = &exchange->request;
	for (size_t i = 0; i < head->n_fields; i++) {
		exchange->headers[i].name = head_text(bytes, head->fields[i].name);
		exchange->headers[i].value = head_text(bytes, head->fields[i].value);
	}
	request->headers = exchange->headers;
	request->n_headers = head->n_fields;
	request->method = head_text(bytes, head->method);
	request->target = request->path = head_text(bytes, head->target);
	(void)str_split_first(request->target, '?', &request->path, &request->query);
	exchange->is_head = str_eq(request->method, STR("HEAD"));
	exchange->is_close = head->wants_close || head->minor == 0;
}

struct exchange *exchange_new(struct conn *conn, const struct head *head, str bytes)
{
	struct http *http = conn->io->http;
	size_t n = head ? head->n_fields : 0;
	size_t size = sizeof(struct exchange) + n * sizeof(struct http_header);
	struct exchange *exchange = malloc(size + bytes.n);
	if (!exchange)
		return NULL;
	memset(exchange, 0, sizeof(*exchange));
	exchange->http = http;
	exchange->io = conn->io;
	exchange->conn = conn;
	exchange->arena = ARENA(http->config.limits.arena_bytes);
	exchange->body = BUF(0);
	exchange->reply = BUF(REPLY_HEAD_MAX * 2);
	exchange->begin_us = clock_us();
	exchange->request.arena = &exchange->arena;
	exchange->request.id = atomic_fetch_add_explicit(&http->n_ids, 1, memory_order_relaxed) + 1;
	exchange->request.peer = (str){ conn->peer, conn->peer_bytes };
	exchange->request.is_tls = conn->tls != NULL;
	exchange->response.fd = -1;
	exchange_reset_response(exchange);
	if (head) {
		char *copy = (char *)exchange + size;
		memcpy(copy, bytes.p, bytes.n);
		fill_request(exchange, head, (str){ copy, bytes.n });
	}
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	if (exchange->response.fd >= 0)
		(void)close(exchange->response.fd);
	(void)atomic_fetch_sub_explicit(
	        &exchange->http->bodies_bytes, exchange->counted_bytes, memory_order_relaxed);
	buf_fini(&exchange->response.head);
	buf_fini(&exchange->response.body);
	buf_fini(&exchange->reply);
	buf_fini(&exchange->body);
	arena_fini(&exchange->arena);
	free(exchange);
}

int exchange_add_body(struct exchange *exchange, str bytes)
{
	buf_add(&exchange->body, bytes);
	if (buf_failed(&exchange->body))
		return -ENOMEM;
	size_t more = exchange->body.cap - exchange->counted_bytes;
	if (more == 0)
		return 0;
	size_t before = atomic_fetch_add_explicit(
	        &exchange->http->bodies_bytes, more, memory_order_relaxed);
	exchange->counted_bytes += more;
	size_t most = exchange->http->config.limits.bodies_bytes;
	return before > most || more > most - before ? -ERR_LIMIT : 0;
}

void exchange_reset_response(struct exchange *exchange)
{
	struct http_response *response = &exchange->response;
	if (response->fd >= 0)
		(void)close(response->fd);
	buf_fini(&response->head);
	buf_fini(&response->body);
	*response = (struct http_response){ .fd = -1,
		.head = BUF(REPLY_HEAD_MAX),
		.body = BUF(exchange->http->config.limits.reply_bytes) };
}

void exchange_handle(struct exchange *exchange)
{
	struct http *http = exchange->http;
	if (exchange->request.attempt > 0)
		exchange_reset_response(exchange);
	exchange->wakes_seen = atomic_load(&http->n_wakes);
	exchange->outcome =
	        http->config.handle(http->config.ctx, &exchange->request, &exchange->response);
	exchange->request.attempt++;
}

void exchange_refuse(struct exchange *exchange, int status, const char *reason)
{
	struct http_response *response = &exchange->response;
	exchange_reset_response(exchange);
	response->status = status;
	buf_printf(&response->body, "%d %s: %s\n", status, phrase_of(status), reason);
	(void)http_response_header(response, STR("Content-Type"), STR("text/plain; charset=utf-8"));
	char seconds[16];
	int n = snprintf(
	        seconds, sizeof(seconds), "%u", exchange->http->config.limits.retry_after_s);
	if (status == 503)
		(void)http_response_header(
		        response, STR("Retry-After"), (str){ seconds, (size_t)n });
}

/* What a handler must not leave behind is answered with 500. */
static void check_response(struct exchange *exchange)
{
	const struct http_response *response = &exchange->response;
	if (exchange->outcome != HTTP_DONE)
		exchange_refuse(exchange, 503, "the wait is over without an answer");
	else if (buf_failed(&response->head) || buf_failed(&response->body))
		exchange_refuse(exchange, 500, "the answer is too large");
	else if (response->status < 200 || response->status > 599)
		exchange_refuse(exchange, 500, "there is no answer");
}

int exchange_compose(struct exchange *exchange, str date)
{
	check_response(exchange);
	const struct http_response *response = &exchange->response;
	struct buf *out = &exchange->reply;
	uint64_t n = response->fd >= 0 ? response->file_bytes : response->body.n;
	bool has_body = response->status != 204 && response->status != 304;
	buf_printf(out, "HTTP/1.1 %d %s\r\nDate: " STR_FMT "\r\n", response->status,
	        phrase_of(response->status), STR_ARG(date));
	if (has_body)
		buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)n);
	if (exchange->is_close)
		buf_add(out, STR("Connection: close\r\n"));
	buf_add(out, buf_str(&response->head));
	buf_add(out, STR("\r\n"));
	exchange->body_bytes = has_body && !exchange->is_head ? n : 0;
	if (exchange->body_bytes > 0 && response->fd < 0 && n <= SMALL_BODY) {
		buf_add(out, buf_str(&response->body));
		exchange->body_bytes = 0;
	}
	return buf_failed(out) ? -ENOMEM : 0;
}

bool http_header_find(const struct http_request *request, str name, str *ret)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (!str_eq_nocase(request->headers[i].name, name))
			continue;
		*ret = request->headers[i].value;
		return true;
	}
	return false;
}

int http_response_header(struct http_response *response, str name, str value)
{
	static const str ours[] = { { "Date", 4 }, { "Content-Length", 14 }, { "Connection", 10 },
		{ "Keep-Alive", 10 }, { "Transfer-Encoding", 17 } };
	if (!head_is_token(name) || !head_is_value(value))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (str_eq_nocase(name, ours[i]))
			return -EINVAL;
	}
	/* All or nothing: half a field would swallow the one behind it. */
	char *at = buf_reserve(&response->head, name.n + value.n + 4);
	if (!at)
		return -ERR_LIMIT;
	buf_add(&response->head, name);
	buf_add(&response->head, STR(": "));
	buf_add(&response->head, value);
	buf_add(&response->head, STR("\r\n"));
	return 0;
}
