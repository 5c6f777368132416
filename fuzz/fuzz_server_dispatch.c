/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as an HTTP request to the dispatcher, from a caller that is known. The first byte chooses
 * the role; then the lines "METHOD PATH?QUERY", "Name: value" as long as there are any, an empty
 * line, and the body. The property: every request is answered with a status and, unless it is good,
 * with an error that has a name; and what was a good JSON answer reads as JSON.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "server/dispatch.h"
#include "server/inside.h"
#include "server/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACCOUNT INT64_C(123456789012)
#define HEADERS 8

static struct server *server;
static char folder[] = "/tmp/sonde-fuzz-XXXXXX";

static void stop(void)
{
	server_close(server);
	(void)fs_remove_tree(AT_FDCWD, folder);
}

static void start(void)
{
	struct err err = { 0 };
	struct arena arena = ARENA((size_t)1 << 20);
	struct object_change change;
	char data[64];
	if (!mkdtemp(folder))
		abort();
	(void)snprintf(data, sizeof(data), "%s/data", folder);
	struct server_config config = {
		.data_dir = data, .public_url = "http://127.0.0.1:1", .log = { .fd = -1 }
	};
	struct account account = {
		.number = ACCOUNT, .is_ec2_enabled = true, .is_deep_active = true
	};
	if (server_init(data, &err) < 0 || server_open(&config, &server, &err) < 0 ||
	        server_load(server, &err) < 0 || account_change(&account, &arena, &change) < 0 ||
	        objects_change(server->objects, &change, 1, NULL, &err) < 0)
		abort();
	atomic_store(&server->inside->fixed_ms, INT64_C(1767225600000));
	arena_fini(&arena);
	(void)atexit(stop);
}

static struct caller caller_of(uint8_t byte)
{
	static const enum role roles[] = { ROLE_ADMIN, ROLE_READER, ROLE_HOST, ROLE_NOBODY };
	return (struct caller){ .role = roles[byte & 3],
		.account = ACCOUNT,
		.key_id = STR("AKIAFUZZFUZZFUZZFUZZ"),
		.arn = STR("arn:aws:iam::123456789012:user/fuzz"),
		.host_id = "0123456789abcdef0" };
}

/* The head as the HTTP room would hand it over: a path that begins with '/', and whole headers. */
static void read_request(str in, struct http_request *http, struct http_header *headers)
{
	str line, target = STR("/");
	if (str_next_line(&in, &line) && str_split_first(line, ' ', &http->method, &target) &&
	        !str_split_first(target, '?', &http->path, &http->query))
		http->path = target;
	if (http->path.n == 0 || http->path.p[0] != '/')
		http->path = STR("/");
	while (str_next_line(&in, &line) && line.n > 0) {
		struct http_header header;
		if (http->n_headers == HEADERS ||
		        !str_split_first(line, ':', &header.name, &header.value))
			continue;
		header.value = str_trim(header.value);
		headers[http->n_headers++] = header;
	}
	http->body = in;
}

static void check(const struct http_response *reply, int outcome)
{
	if (outcome == HTTP_DEFER)
		return;
	if (reply->status < 200 || reply->status > 599 || reply->status == 500)
		abort();
	str body = buf_str(&reply->body);
	if (reply->status >= 400 && body.n == 0)
		abort();
	if (body.n > 0 && body.p[0] == '{') {
		struct arena arena = ARENA((size_t)256 << 20);
		struct err err = { 0 };
		const struct value *v;
		if (value_from_json(body, &arena, &v, &err) < 0)
			abort();
		arena_fini(&arena);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA((size_t)64 << 20);
	struct http_header headers[HEADERS];
	struct http_request http = { .method = STR("POST"),
		.path = STR("/"),
		.headers = headers,
		.peer = STR("127.0.0.1:1"),
		.arena = &arena,
		.is_deferral_over = true };
	struct http_response reply = {
		.head = BUF((size_t)64 << 10), .body = BUF((size_t)64 << 20), .fd = -1
	};
	if (!server)
		start();
	if (size == 0)
		return 0;
	struct caller caller = caller_of(data[0]);
	read_request((str){ (const char *)data + 1, size - 1 }, &http, headers);
	check(&reply, dispatch_as(server, &caller, &http, &reply));
	if (reply.fd >= 0)
		(void)close(reply.fd);
	buf_fini(&reply.head);
	buf_fini(&reply.body);
	arena_fini(&arena);
	return 0;
}
