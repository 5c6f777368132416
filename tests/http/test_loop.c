/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines: the limits are small, and what is asserted is that the end comes, not when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define SHORT_MS 30

static void expect_timeout(const char *beginning, int status, bool is_tls)
{
	struct server server;
	struct client client;
	struct http_config config = server_config(is_tls);
	config.limits.head_ms = SHORT_MS;
	config.limits.rate_bytes_s = 1000000000;
	server_start(&server, config);
	client_open(&client, &server);
	if (status == 0) {
		client_send(&client, str_from_c(beginning));
		assert_true(client_is_ended(&client));
	} else {
		client_expect(&client, beginning, status, NULL);
		assert_true(client_is_ended(&client));
	}
	client_close(&client);
	server_end(&server);
}

static void test_loop__slow_head_is_cut_off(void **state)
{
	(void)state;
	expect_timeout("GET / HT", 408, false);
	expect_timeout("G", 408, true);
}

static void test_loop__slow_body_is_cut_off(void **state)
{
	(void)state;
	expect_timeout("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc", 408, false);
	expect_timeout("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
	        408, true);
}

static void test_loop__silent_client_is_cut_off(void **state)
{
	(void)state;
	expect_timeout("", 0, false);
	expect_timeout("", 0, true);
}

static void test_loop__slow_second_head_is_cut_off(void **state)
{
	struct server server;
	struct client client;
	struct http_config config = server_config(false);
	(void)state;
	config.limits.head_ms = 500;
	server_start(&server, config);
	client_open(&client, &server);
	client_expect(&client, GET("/echo"), 200, NULL);
	client_expect(&client, "GET / HTTP/1.1\r\nHo", 408, NULL);
	assert_true(client_is_ended(&client));
	client_close(&client);
	server_end(&server);
}

static void test_loop__idle_connection_ends(void **state)
{
	struct server server;
	struct client client;
	struct http_config config = server_config(false);
	(void)state;
	config.limits.idle_ms = SHORT_MS;
	server_start(&server, config);
	client_open(&client, &server);
	client_expect(&client, GET("/echo"), 200, NULL);
	assert_true(client_is_ended(&client));
	client_close(&client);
	server_end(&server);
}

static void test_loop__reply_that_nobody_reads_is_cut_off(void **state)
{
	struct server server;
	struct client client;
	struct http_config config = server_config(false);
	(void)state;
	config.limits.idle_ms = SHORT_MS;
	server_start(&server, config);
	client_open(&client, &server);
	/* More than the kernel buffers for both sides. */
	for (int i = 0; i < 8; i++)
		client_send(&client, STR(GET("/big")));
	server_await_log(&server, "the client takes the reply too slowly");
	client_close(&client);
	server_end(&server);
}

static void test_loop__many_connections_are_served_together(void **state)
{
	static struct client clients[300];
	struct server server;
	(void)state;
	for (int is_tls = 0; is_tls < 2; is_tls++) {
		size_t n = is_tls ? 60 : 300;
		server_start(&server, server_config(is_tls));
		for (size_t i = 0; i < n; i++)
			client_open(&clients[i], &server);
		for (int round = 0; round < 3; round++) {
			for (size_t i = 0; i < n; i++)
				client_send(&clients[i], STR(GET("/echo")));
			for (size_t i = 0; i < n; i++)
				client_expect(&clients[i], "", 200, "GET /echo [] ");
		}
		struct http_stats stats;
		http_stats(server.http, &stats);
		assert_int_equal(stats.accepted, n);
		assert_int_equal(stats.connections, n);
		assert_int_equal(stats.requests, 3 * n);
		assert_int_equal(stats.status_class[2], 3 * n);
		assert_int_equal(stats.handshakes, is_tls ? n : 0);
		for (size_t i = 0; i < n; i++)
			client_close(&clients[i]);
		server_end(&server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop__slow_head_is_cut_off),
		cmocka_unit_test(test_loop__slow_body_is_cut_off),
		cmocka_unit_test(test_loop__silent_client_is_cut_off),
		cmocka_unit_test(test_loop__slow_second_head_is_cut_off),
		cmocka_unit_test(test_loop__idle_connection_ends),
		cmocka_unit_test(test_loop__reply_that_nobody_reads_is_cut_off),
		cmocka_unit_test(test_loop__many_connections_are_served_together),
	};
	return cmocka_run_group_tests_name("http/loop", tests, NULL, NULL);
}
