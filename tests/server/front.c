/* SPDX-License-Identifier: Apache-2.0 */
#include "front.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "server/dispatch.h"
#include "server/inside.h"
#include "server/serve.h"

#define SIGNED "content-type;host;x-amz-date"

static void open_server(struct front *front)
{
	struct err err = { 0 };
	struct server_config config = {
		.data_dir = front->data, .public_url = "http://127.0.0.1:1", .log = { .fd = -1 }
	};
	if (server_open(&config, &front->server, &err) < 0 || server_load(front->server, &err) < 0)
		fail_msg("%s", err.text);
	atomic_store(&front->server->inside->fixed_ms, FRONT_NOW * 1000);
}

void front_open(struct front *front)
{
	struct err err = { 0 };
	*front = (struct front){ .arena = ARENA((size_t)512 << 20) };
	(void)snprintf(front->folder, sizeof(front->folder), "/tmp/sonde-front-XXXXXX");
	assert_non_null(mkdtemp(front->folder));
	(void)snprintf(front->data, sizeof(front->data), "%s/data", front->folder);
	if (server_init(front->data, &err) < 0)
		fail_msg("%s", err.text);
	open_server(front);
	front_account(front, FRONT_ACCOUNT, true);
	front_key(front, FRONT_ACCOUNT, ROLE_ADMIN, NULL, &front->admin);
}

void front_reopen(struct front *front)
{
	server_close(front->server);
	open_server(front);
}

void front_close(struct front *front)
{
	server_close(front->server);
	arena_fini(&front->arena);
	assert_int_equal(fs_remove_tree(AT_FDCWD, front->folder), 0);
}

void front_account(struct front *front, int64_t number, bool is_enabled)
{
	struct err err = { 0 };
	struct object_change change;
	struct account account = { .number = number,
		.created_at = FRONT_NOW,
		.is_ec2_enabled = is_enabled,
		.is_deep_active = is_enabled };
	assert_int_equal(account_change(&account, &front->arena, &change), 0);
	assert_int_equal(objects_change(front->server->objects, &change, 1, NULL, &err), 0);
}

void front_key(struct front *front, int64_t account, enum role role, const char *instance,
        struct front_key *ret)
{
	struct err err = { 0 };
	struct access_key key = { .account = account, .role = role };
	str digits;
	if (instance) {
		assert_true(host_id_parse(str_from_c(instance), &digits));
		memcpy(key.host_id, digits.p, digits.n);
		key.is_ec2 = instance[0] == 'i';
	}
	*ret = (struct front_key){ .token = { NULL, 0 } };
	if (key_add(front->server, &key, FRONT_NOW, ret->id, ret->secret, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- sending ---- */

static const char *type_of(const struct front_request *request)
{
	str service = str_from_c(request->service);
	if (request->type)
		return request->type;
	if (str_eq(service, STR("ec2")) || str_eq(service, STR("sts")))
		return "application/x-www-form-urlencoded; charset=utf-8";
	return str_eq(service, STR("inspector2")) ? "application/json"
	                                          : "application/x-amz-json-1.1";
}

static str sign(struct front *front, const struct front_request *request,
        const struct http_request *http, const char *signed_headers)
{
	struct sigv4_header headers[8];
	struct sigv4_request what = {
		.method = http->method, .path = http->path, .query = http->query, .headers = headers
	};
	uint8_t key[SIGV4_KEY_BYTES];
	char date[SIGV4_DATE_SIZE];
	autobuf out = BUF(4096);
	str ret;
	sigv4_date(request->signed_at ? request->signed_at : FRONT_NOW, date);
	struct sigv4_credential scope = { .access_key_id = str_from_c(request->key->id),
		.date = { date, 8 },
		.region = STR("eu-central-1"),
		.service = str_from_c(request->service) };
	for (size_t i = 0; i < http->n_headers; i++)
		headers[i] = (struct sigv4_header){ http->headers[i].name, http->headers[i].value };
	what.n_headers = http->n_headers;
	assert_int_equal(crypto_sha256(front->server->crypto, http->body, what.body_sha256), 0);
	assert_int_equal(sigv4_signing_key(front->server->crypto, str_from_c(request->key->secret),
	                         &scope, key),
	        0);
	assert_int_equal(sigv4_sign(front->server->crypto, &scope, key, &what,
	                         str_from_c(signed_headers), &out),
	        0);
	assert_int_equal(arena_copy(&front->arena, buf_str(&out), &ret), 0);
	return ret;
}

static size_t add_headers(struct front *front, const struct front_request *request,
        struct http_header headers[8], char date[SIGV4_DATE_SIZE], const char **ret_signed)
{
	size_t n = 0;
	(void)front;
	sigv4_date(request->signed_at ? request->signed_at : FRONT_NOW, date);
	headers[n++] = (struct http_header){ STR("Host"), STR("127.0.0.1:1") };
	headers[n++] = (struct http_header){ STR("Content-Type"), str_from_c(type_of(request)) };
	headers[n++] = (struct http_header){ STR("X-Amz-Date"), str_from_c(date) };
	bool has_token = request->key && request->key->token.n > 0;
	if (has_token)
		headers[n++] =
		        (struct http_header){ STR("X-Amz-Security-Token"), request->key->token };
	if (request->target)
		headers[n++] =
		        (struct http_header){ STR("X-Amz-Target"), str_from_c(request->target) };
	*ret_signed = has_token ? request->target ? SIGNED ";x-amz-security-token;x-amz-target"
	                                          : SIGNED ";x-amz-security-token"
	              : request->target ? SIGNED ";x-amz-target"
	                                : SIGNED;
	return n;
}

int front_send(struct front *front, const struct front_request *request)
{
	struct arena arena = ARENA((size_t)128 << 20);
	struct http_header headers[8];
	char date[SIGV4_DATE_SIZE];
	const char *signed_headers;
	struct http_request http = { .method =
		                             str_from_c(request->method ? request->method : "POST"),
		.path = str_from_c(request->path ? request->path : "/"),
		.query = str_from_c(request->query),
		.headers = headers,
		.body = str_from_c(request->body ? request->body : ""),
		.peer = STR("127.0.0.1:4711"),
		.arena = &arena };
	struct http_response reply = {
		.head = BUF((size_t)64 << 10), .body = BUF((size_t)64 << 20), .fd = -1
	};
	http.n_headers = add_headers(front, request, headers, date, &signed_headers);
	if (request->wait) /* behind what is signed, as the others that are sent without need */
		headers[http.n_headers++] =
		        (struct http_header){ STR("X-Sonde-Wait"), str_from_c(request->wait) };
	if (request->key) {
		str authorization = sign(front, request, &http, signed_headers);
		headers[http.n_headers++] =
		        (struct http_header){ STR("Authorization"), authorization };
	}
	front->outcome = dispatch_handle(front->server, &http, &reply);
	front->status = reply.status;
	front->defer_ms = reply.defer_ms;
	assert_int_equal(arena_copy(&front->arena, buf_str(&reply.head), &front->head), 0);
	assert_int_equal(arena_copy(&front->arena, buf_str(&reply.body), &front->body), 0);
	buf_fini(&reply.head);
	buf_fini(&reply.body);
	arena_fini(&arena);
	return front->status;
}

bool front_says(const struct front *front, const char *text)
{
	return (front->body.n > 0 && strstr(front->body.p, text)) ||
	       (front->head.n > 0 && strstr(front->head.p, text));
}
