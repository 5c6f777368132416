/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sees. Every case runs without TLS, with TLS ("tls"), and without workers
 * ("inline"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "matrix.h"
#include "support.h"

#define GET_ECHO "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"

/* How main() wants the servers. */
struct mode {
	bool is_tls, is_inline;
};

static struct http_config config_of(void **state)
{
	const struct mode *mode = *state;
	struct http_config config = server_config(mode->is_tls);
	if (mode->is_inline)
		config.n_workers = 0;
	return config;
}

static void start(void **state, struct server *server, struct client *client)
{
	server_start(server, config_of(state));
	client_open(client, server);
}

static void end(struct server *server, struct client *client)
{
	client_close(client);
	server_end(server);
}

static void test_conn__reply_has_date_and_length(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR("GET /echo?a=b HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_true(client_reply(&client, &reply, false));
	assert_int_equal(reply.status, 200);
	assert_true(reply_has(&reply, "\r\nDate: ") && reply_has(&reply, " GMT\r\n"));
	assert_true(reply_has(&reply, "\r\nX-Echo: yes\r\n"));
	assert_true(reply_has(&reply, "\r\nContent-Length: 16\r\n"));
	assert_false(reply_has(&reply, "Connection:"));
	assert_true(str_eq(buf_str(&reply.body), STR("GET /echo [a=b] ")));
	reply_fini(&reply);
	end(&server, &client);
}

static void test_conn__connection_serves_one_request_after_the_other(void **state)
{
	struct server server;
	struct client client;
	start(state, &server, &client);
	for (int i = 0; i < 10; i++) {
		client_expect(&client, GET_ECHO, 200, "GET /echo [] ");
		client_expect(&client,
		        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200,
		        "POST /echo [] abc");
	}
	end(&server, &client);
}

static void test_conn__pipelined_requests_are_answered_in_order(void **state)
{
	struct server server;
	struct client client;
	struct buf all = BUF((size_t)1 << 20);
	start(state, &server, &client);
	for (int i = 0; i < 500; i++)
		buf_printf(&all, "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", i);
	client_send(&client, buf_str(&all));
	for (int i = 0; i < 500; i++) {
		char body[64];
		struct reply reply;
		(void)snprintf(body, sizeof(body), "POST /%d [] x", i);
		assert_true(client_reply(&client, &reply, false));
		assert_true(str_eq(buf_str(&reply.body), str_from_c(body)));
		reply_fini(&reply);
	}
	buf_fini(&all);
	end(&server, &client);
}

static void test_conn__bytes_may_come_one_by_one(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	str request = STR("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	                  "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
	start(state, &server, &client);
	for (int i = 0; i < 2; i++) {
		for (size_t at = 0; at < request.n; at++)
			client_send(&client, str_head(str_skip(request, at), 1));
		assert_true(client_reply(&client, &reply, false));
		assert_true(str_eq(buf_str(&reply.body), STR("POST /echo [] abc")));
		reply_fini(&reply);
	}
	end(&server, &client);
}

static void test_conn__head_gets_the_length_and_no_body(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_true(client_reply(&client, &reply, true));
	assert_true(reply_has(&reply, "\r\nContent-Length: 14\r\n"));
	reply_fini(&reply);
	client_expect(&client, GET_ECHO, 200, "GET /echo [] ");
	end(&server, &client);
}

static void test_conn__reply_204_has_no_length(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR("GET /none HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_true(client_reply(&client, &reply, false));
	assert_int_equal(reply.status, 204);
	assert_false(reply_has(&reply, "Content-Length"));
	reply_fini(&reply);
	client_expect(&client, GET_ECHO, 200, "GET /echo [] ");
	end(&server, &client);
}

static void test_conn__old_client_and_close_end_the_connection(void **state)
{
	static const char *const requests[] = { "GET /echo HTTP/1.0\r\n\r\n",
		"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" };
	struct server server;
	server_start(&server, config_of(state));
	for (size_t i = 0; i < 3; i++) {
		struct client client;
		struct reply reply;
		client_open(&client, &server);
		client_send(&client, str_from_c(requests[i]));
		assert_true(client_reply(&client, &reply, false));
		assert_int_equal(reply.status, 200);
		assert_true(reply_has(&reply, "\r\nConnection: close\r\n"));
		assert_true(client_is_ended(&client));
		reply_fini(&reply);
		client_close(&client);
	}
	server_end(&server);
}

static void test_conn__matrix_is_refused_and_nothing_of_it_handled(void **state)
{
	struct server server;
	unsigned n_sound = 0;
	server_start(&server, config_of(state));
	for (size_t i = 0; i < MATRIX_ROWS; i++) {
		struct client client;
		struct reply reply;
		client_open(&client, &server);
		/* Behind it a request that must not be handled when the first one is refused. */
		client_send(&client, matrix[i].bytes);
		client_send(&client, STR(GET_ECHO));
		assert_true(client_reply(&client, &reply, false));
		if (reply.status != matrix[i].status)
			fail_msg("%s: %d", matrix[i].name, reply.status);
		bool is_sound = matrix[i].status == 200;
		bool is_old = memmem(matrix[i].bytes.p, matrix[i].bytes.n, "HTTP/1.0", 8) != NULL;
		n_sound += is_sound ? is_old ? 1 : 2 : 0;
		reply_fini(&reply);
		if (is_sound && !is_old) {
			assert_true(client_reply(&client, &reply, false));
			reply_fini(&reply);
		} else {
			assert_true(client_is_ended(&client));
		}
		client_close(&client);
	}
	assert_int_equal(server_count(&server, &server.n_handled), n_sound);
	server_end(&server);
}

static void test_conn__body_limit_is_told_before_the_body(void **state)
{
	struct server server;
	struct client client;
	struct http_config config = config_of(state);
	config.limits.body_bytes = 5;
	server_start(&server, config);
	client_open(&client, &server);
	client_expect(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
	        200, "POST /echo [] hello");
	client_expect(&client,
	        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
	        "6\r\n\r\n",
	        413, NULL);
	assert_true(client_is_ended(&client));
	end(&server, &client);
}

static void test_conn__large_body_arrives_whole(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	struct buf body = BUF((size_t)1 << 20);
	start(state, &server, &client);
	for (uint32_t i = 0; i < 200000; i++)
		buf_add_u32(&body, i);
	char head[128];
	(void)snprintf(head, sizeof(head),
	        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body.n);
	client_send(&client, str_from_c(head));
	client_send(&client, buf_str(&body));
	assert_true(client_reply(&client, &reply, false));
	assert_true(str_eq(str_skip(buf_str(&reply.body), 14), buf_str(&body)));
	reply_fini(&reply);
	buf_fini(&body);
	end(&server, &client);
}

static void test_conn__continue_is_sent_once_the_head_is_admitted(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	                         "Content-Length: 3\r\n\r\n"));
	assert_true(client_reply(&client, &reply, false));
	assert_int_equal(reply.status, 100);
	reply_fini(&reply);
	client_expect(&client, "abc", 200, "POST /echo [] abc");
	/* A body that is there already needs no encouragement. */
	client_expect(&client,
	        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
	        "3\r\n\r\nabc",
	        200, "POST /echo [] abc");
	end(&server, &client);
}

static int admit(void *ctx, struct http_request *head, uint64_t body_bytes,
        struct http_response *refusal, size_t *ret_max_body)
{
	(void)ctx;
	*ret_max_body = 4;
	if (str_eq(head->path, STR("/secret"))) {
		(void)http_response_header(refusal, STR("WWW-Authenticate"), STR("x"));
		buf_add(&refusal->body, STR("who are you?"));
		return 401;
	}
	return body_bytes == UINT64_MAX ? 411 : 0;
}

static void test_conn__admission_refuses_before_the_body(void **state)
{
	struct server server;
	struct client client;
	struct http_config config = config_of(state);
	config.admit = admit;
	server_start(&server, config);
	client_open(&client, &server);
	/* Without a body the connection stays. */
	client_expect(&client, "GET /secret HTTP/1.1\r\nHost: h\r\n\r\n", 401, "who are you?");
	client_expect(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
	        200, "POST /echo [] abcd");
	client_expect(&client,
	        "POST /secret HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	        "Content-Length: 4\r\n\r\n",
	        401, "who are you?");
	assert_true(client_is_ended(&client));
	client_close(&client);
	client_open(&client, &server);
	client_expect(&client,
	        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "");
	assert_true(client_is_ended(&client));
	client_close(&client);
	client_open(&client, &server);
	client_expect(
	        &client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 413, NULL);
	assert_int_equal(server_count(&server, &server.n_handled), 1);
	end(&server, &client);
}

static void test_conn__large_reply_arrives_whole(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_true(client_reply(&client, &reply, false));
	assert_int_equal(reply.body.n, BIG_BYTES);
	for (size_t i = 0; i < BIG_BYTES / 4; i++) {
		uint32_t v;
		memcpy(&v, reply.body.p + 4 * i, 4);
		assert_true(v == i);
	}
	reply_fini(&reply);
	end(&server, &client);
}

static void test_conn__file_is_sent_from_where_it_was_asked(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	for (int i = 0; i < 2; i++) {
		client_send(&client, STR("GET /file HTTP/1.1\r\nHost: h\r\n\r\n"));
		assert_true(client_reply(&client, &reply, false));
		assert_int_equal(reply.body.n, 900);
		for (size_t at = 0; at < 900; at++)
			assert_int_equal(reply.body.p[at], 'a' + (at + 100) % 26);
		reply_fini(&reply);
	}
	end(&server, &client);
}

static void test_conn__file_that_is_too_short_breaks_the_connection(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR("GET /short HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_false(client_reply(&client, &reply, false));
	reply_fini(&reply);
	server_await_log(&server, "a file is shorter than was said");
	end(&server, &client);
}

static void test_conn__handler_without_an_answer_gives_500(void **state)
{
	struct server server;
	struct client client;
	start(state, &server, &client);
	client_expect(&client, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 500, NULL);
	client_expect(&client, GET_ECHO, 200, NULL);
	end(&server, &client);
}

static void test_conn__half_closed_client_gets_its_answer(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	start(state, &server, &client);
	client_send(&client, STR(GET_ECHO GET_ECHO));
	(void)shutdown(client.fd, SHUT_WR);
	for (int i = 0; i < 2; i++) {
		assert_true(client_reply(&client, &reply, false));
		assert_int_equal(reply.status, 200);
		reply_fini(&reply);
	}
	assert_true(client_is_ended(&client));
	end(&server, &client);
}

static void test_conn__client_that_disappears_costs_itself(void **state)
{
	static const char *const beginnings[] = { "GET /ec",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc" };
	struct server server;
	struct client client;
	start(state, &server, &client);
	for (size_t i = 0; i < 2; i++) {
		struct client other;
		client_open(&other, &server);
		client_send(&other, str_from_c(beginnings[i]));
		client_close(&other);
		server_await_log(&server, "the client is gone in the middle of a request");
		(void)pthread_mutex_lock(&server.lock);
		buf_clear(&server.log);
		(void)pthread_mutex_unlock(&server.lock);
	}
	client_expect(&client, GET_ECHO, 200, NULL);
	assert_int_equal(server_count(&server, &server.n_handled), 1);
	end(&server, &client);
}

static void test_conn__client_that_resets_during_a_large_reply_costs_itself(void **state)
{
	struct server server;
	struct client client;
	start(state, &server, &client);
	struct linger none = { .l_onoff = 1, .l_linger = 0 };
	client_send(&client, STR("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
	server_await(&server, &server.n_handled, 1);
	(void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	client_close(&client);
	server_await_log(&server, "the client is gone before");
	client_open(&client, &server);
	client_expect(&client, GET_ECHO, 200, NULL);
	end(&server, &client);
}

static void test_conn__access_is_told_with_sizes(void **state)
{
	struct server server;
	struct client client;
	start(state, &server, &client);
	client_expect(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
	        200, NULL);
	client_expect(&client, "GET  / HTTP/1.1\r\n\r\n", 400, NULL);
	server_await(&server, &server.n_ended, 2);
	/* The refusal of a head that was not understood names neither method nor path. */
	str all = buf_str(&server.access), line = { NULL, 0 };
	assert_true(str_next_line(&all, &line));
	assert_true(str_eq(line, STR("POST /echo 200 3 17 complete")));
	assert_true(str_next_line(&all, &line));
	assert_true(str_has_prefix(line, STR("  400 0 ")));
	end(&server, &client);
}

int main(int argc, char **argv)
{
	struct mode mode = { .is_tls = argc > 1 && str_eq(str_from_c(argv[1]), STR("tls")),
		.is_inline = argc > 1 && str_eq(str_from_c(argv[1]), STR("inline")) };
#define CASE(name) cmocka_unit_test_prestate(test_conn__##name, &mode)
	const struct CMUnitTest tests[] = {
		CASE(reply_has_date_and_length),
		CASE(connection_serves_one_request_after_the_other),
		CASE(pipelined_requests_are_answered_in_order),
		CASE(bytes_may_come_one_by_one),
		CASE(head_gets_the_length_and_no_body),
		CASE(reply_204_has_no_length),
		CASE(old_client_and_close_end_the_connection),
		CASE(matrix_is_refused_and_nothing_of_it_handled),
		CASE(body_limit_is_told_before_the_body),
		CASE(large_body_arrives_whole),
		CASE(continue_is_sent_once_the_head_is_admitted),
		CASE(admission_refuses_before_the_body),
		CASE(large_reply_arrives_whole),
		CASE(file_is_sent_from_where_it_was_asked),
		CASE(file_that_is_too_short_breaks_the_connection),
		CASE(handler_without_an_answer_gives_500),
		CASE(half_closed_client_gets_its_answer),
		CASE(client_that_disappears_costs_itself),
		CASE(client_that_resets_during_a_large_reply_costs_itself),
		CASE(access_is_told_with_sizes),
	};
	return cmocka_run_group_tests_name("http/conn", tests, NULL, NULL);
}
