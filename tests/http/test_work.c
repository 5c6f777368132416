/* SPDX-License-Identifier: Apache-2.0 */
/* Deferrals and the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "support.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static void expect_reply(struct client *client, int status, const char *body)
{
	client_expect(client, "", status, body);
}

static void test_work__wake_ends_every_wait_of_its_key(void **state)
{
	struct server server;
	struct client clients[8];
	(void)state;
	server_start(&server, server_config(false));
	for (size_t i = 0; i < 8; i++) {
		client_open(&clients[i], &server);
		client_send(&clients[i], STR(GET("/wait")));
	}
	server_await_parked(&server, 8);
	http_wake(server.http, 8);
	http_wake(server.http, 0);
	server_await_parked(&server, 8);
	http_wake(server.http, 7);
	for (size_t i = 0; i < 8; i++) {
		expect_reply(&clients[i], 200, "woken 1");
		client_expect(&clients[i], GET("/echo"), 200, "GET /echo [] ");
		client_close(&clients[i]);
	}
	server_end(&server);
}

static void test_work__wait_ends_with_its_time(void **state)
{
	struct server server;
	struct client client;
	(void)state;
	server_start(&server, server_config(false));
	client_open(&client, &server);
	client_expect(&client, GET("/soon"), 200, "over 1");
	client_expect(&client, GET("/echo"), 200, NULL);
	client_close(&client);
	server_end(&server);
}

static void test_work__wake_before_the_parking_is_not_lost(void **state)
{
	struct server server;
	struct client client;
	(void)state;
	for (unsigned n_workers = 0; n_workers < 3; n_workers++) {
		struct http_config config = server_config(n_workers == 2);
		config.n_workers = n_workers;
		server_start(&server, config);
		client_open(&client, &server);
		for (int i = 0; i < 20; i++)
			client_expect(&client, GET("/self"), 200, "woken 1");
		client_close(&client);
		server_end(&server);
	}
}

static void test_work__endless_deferral_gives_503(void **state)
{
	struct server server;
	struct client client;
	(void)state;
	server_start(&server, server_config(false));
	client_open(&client, &server);
	client_expect(&client, GET("/always"), 503, NULL);
	assert_int_equal(server_count(&server, &server.n_handled), 2);
	client_expect(&client, GET("/echo"), 200, NULL);
	client_close(&client);
	server_end(&server);
}

static void test_work__half_closed_client_does_not_wait(void **state)
{
	struct server server;
	struct client client;
	(void)state;
	server_start(&server, server_config(false));
	client_open(&client, &server);
	client_send(&client, STR(GET("/wait")));
	server_await_parked(&server, 1);
	(void)shutdown(client.fd, SHUT_WR);
	expect_reply(&client, 200, "half over 1");
	client_close(&client);
	server_end(&server);
}

static void test_work__parked_request_of_a_broken_connection_is_dropped(void **state)
{
	struct server server;
	struct client client;
	struct linger none = { .l_onoff = 1, .l_linger = 0 };
	(void)state;
	server_start(&server, server_config(false));
	client_open(&client, &server);
	client_send(&client, STR(GET("/wait")));
	server_await_parked(&server, 1);
	(void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	client_close(&client);
	server_await_parked(&server, 0);
	server_await_log(&server, "the client is gone before the reply");
	assert_int_equal(server_count(&server, &server.n_handled), 1);
	http_wake(server.http, 7);
	server_end(&server);
}

static void test_work__client_that_breaks_while_it_is_handled_costs_itself(void **state)
{
	struct server server;
	struct client client;
	struct linger none = { .l_onoff = 1, .l_linger = 0 };
	(void)state;
	server_start(&server, server_config(false));
	client_open(&client, &server);
	client_send(&client, STR(GET("/block")));
	server_await(&server, &server.n_blocked, 1);
	(void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	client_close(&client);
	server_await_log(&server, "the client is gone before the reply");
	server_release(&server);
	client_open(&client, &server);
	client_expect(&client, GET("/echo"), 200, NULL);
	client_close(&client);
	server_end(&server);
}

static void test_work__full_queue_gives_503_and_keeps_the_connection(void **state)
{
	struct server server;
	struct client busy, waiting, refused;
	struct http_config config = server_config(false);
	struct http_stats stats = { .queued = 0 };
	struct reply reply;
	(void)state;
	config.n_workers = 1;
	config.limits.max_queued = 1;
	config.limits.retry_after_s = 17;
	server_start(&server, config);
	client_open(&busy, &server);
	client_open(&waiting, &server);
	client_open(&refused, &server);
	client_send(&busy, STR(GET("/block")));
	server_await(&server, &server.n_blocked, 1);
	client_send(&waiting, STR(GET("/echo")));
	while (stats.queued == 0)
		http_stats(server.http, &stats);
	client_send(&refused, STR(GET("/echo")));
	assert_true(client_reply(&refused, &reply, false));
	assert_int_equal(reply.status, 503);
	assert_true(reply_has(&reply, "\r\nRetry-After: 17\r\n"));
	reply_fini(&reply);
	server_release(&server);
	expect_reply(&busy, 200, "released");
	expect_reply(&waiting, 200, "GET /echo [] ");
	client_expect(&refused, GET("/echo"), 200, NULL);
	http_stats(server.http, &stats);
	assert_int_equal(stats.overloads, 1);
	client_close(&busy);
	client_close(&waiting);
	client_close(&refused);
	server_end(&server);
}

static void test_work__bodies_in_memory_are_limited_together(void **state)
{
	struct server server;
	struct client blocked, refused;
	struct http_config config = server_config(false);
	struct http_stats stats;
	struct reply reply;
	(void)state;
	config.limits.bodies_bytes = 10000;
	server_start(&server, config);
	client_open(&blocked, &server);
	client_open(&refused, &server);
	char request[8192 + 128], body[8192 + 1] = { 0 };
	memset(body, 'x', 8192);
	(void)snprintf(request, sizeof(request),
	        "POST /block HTTP/1.1\r\nHost: h\r\nContent-Length: 8192\r\n\r\n%s", body);
	client_send(&blocked, str_from_c(request));
	server_await(&server, &server.n_blocked, 1);
	http_stats(server.http, &stats);
	assert_int_equal(stats.bodies_bytes, 8192);
	client_send(
	        &refused, STR("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n"));
	assert_true(client_reply(&refused, &reply, false));
	assert_int_equal(reply.status, 503);
	assert_true(reply_has(&reply, "\r\nRetry-After: 5\r\n"));
	assert_true(client_is_ended(&refused));
	reply_fini(&reply);
	server_release(&server);
	expect_reply(&blocked, 200, "released");
	client_close(&refused);
	client_open(&refused, &server);
	(void)snprintf(request, sizeof(request),
	        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n%.5000s", body);
	client_expect(&refused, request, 200, NULL);
	client_close(&blocked);
	client_close(&refused);
	server_end(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work__wake_ends_every_wait_of_its_key),
		cmocka_unit_test(test_work__wait_ends_with_its_time),
		cmocka_unit_test(test_work__wake_before_the_parking_is_not_lost),
		cmocka_unit_test(test_work__endless_deferral_gives_503),
		cmocka_unit_test(test_work__half_closed_client_does_not_wait),
		cmocka_unit_test(test_work__parked_request_of_a_broken_connection_is_dropped),
		cmocka_unit_test(test_work__client_that_breaks_while_it_is_handled_costs_itself),
		cmocka_unit_test(test_work__full_queue_gives_503_and_keeps_the_connection),
		cmocka_unit_test(test_work__bodies_in_memory_are_limited_together),
	};
	return cmocka_run_group_tests_name("http/work", tests, NULL, NULL);
}
