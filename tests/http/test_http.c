/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, limits of connections, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "support.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static void test_http__address_that_is_none_is_refused(void **state)
{
	static const char *const addresses[] = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:-1", "localhost:80", "::1:80", "[::1]", "[127.0.0.1]:80", "[::1:80",
		":80", "[]:80" };
	struct http_config config = server_config(false);
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct http *http = NULL;
		struct err err = { 0 };
		config.listen = addresses[i];
		assert_int_equal(http_open(&config, &http, &err), -EINVAL);
		assert_null(http);
		assert_true(str_has_prefix(str_from_c(err.text), STR("cannot listen on ")));
	}
	config.handle = NULL;
	assert_int_equal(http_open(&config, &(struct http *){ NULL }, NULL), -EINVAL);
	http_close(NULL);
}

static void test_http__port_that_is_taken_is_an_error(void **state)
{
	struct http_config config = server_config(false);
	struct http *first = NULL, *second = NULL;
	struct err err = { 0 };
	char address[32];
	(void)state;
	assert_int_equal(http_open(&config, &first, &err), 0);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", http_port(first));
	config.listen = address;
	assert_int_equal(http_open(&config, &second, &err), -EADDRINUSE);
	http_close(first);
	assert_int_equal(http_open(&config, &second, &err), 0);
	http_close(second);
}

static void test_http__certificate_that_does_not_fit_is_an_error(void **state)
{
	struct http_config config = server_config(false);
	struct http *http = NULL;
	struct err err = { 0 };
	char dir[] = "/tmp/sonde-http-XXXXXX", other[] = "/tmp/sonde-http-XXXXXX";
	char cert[96], key[96], other_cert[96], other_key[96];
	(void)state;
	assert_true(mkdtemp(dir) && mkdtemp(other));
	make_certificate(dir, cert, key, sizeof(cert));
	make_certificate(other, other_cert, other_key, sizeof(cert));
	config.tls_cert = cert;
	assert_int_equal(http_open(&config, &http, &err), -EINVAL);
	config.tls_key = other_key;
	assert_int_equal(http_open(&config, &http, &err), -ERR_FORMAT);
	config.tls_cert = key;
	assert_int_equal(http_open(&config, &http, &err), -ERR_FORMAT);
	config.tls_cert = "/nonexistent";
	assert_int_equal(http_open(&config, &http, &err), -ERR_FORMAT);
	assert_true(memmem(err.text, sizeof(err.text), "/nonexistent", 12) != NULL);
	assert_true(unlink(cert) == 0 && unlink(key) == 0 && rmdir(dir) == 0);
	assert_true(unlink(other_cert) == 0 && unlink(other_key) == 0 && rmdir(other) == 0);
}

static void test_http__stop_before_the_start_ends_at_once(void **state)
{
	struct http_config config = server_config(false);
	struct http *http = NULL;
	(void)state;
	assert_int_equal(http_open(&config, &http, NULL), 0);
	http_stop(http);
	assert_int_equal(http_run(http, NULL), 0);
	http_close(http);
}

static void test_http__connection_beyond_the_limit_is_closed(void **state)
{
	struct server server;
	struct client clients[3];
	struct http_config config = server_config(false);
	struct http_stats stats;
	(void)state;
	config.limits.max_connections = 2;
	server_start(&server, config);
	for (size_t i = 0; i < 3; i++)
		client_open(&clients[i], &server);
	assert_true(client_is_ended(&clients[2]));
	client_expect(&clients[0], GET("/echo"), 200, NULL);
	client_expect(&clients[1], GET("/echo"), 200, NULL);
	http_stats(server.http, &stats);
	assert_int_equal(stats.refused_connections, 1);
	for (size_t i = 0; i < 3; i++)
		client_close(&clients[i]);
	server_end(&server);
}

static void test_http__stop_finishes_what_is_running(void **state)
{
	struct server server;
	struct client busy, idle, parked;
	struct reply reply;
	(void)state;
	server_start(&server, server_config(false));
	client_open(&busy, &server);
	client_open(&idle, &server);
	client_open(&parked, &server);
	client_expect(&idle, GET("/echo"), 200, NULL);
	client_send(&parked, STR(GET("/wait")));
	server_await_parked(&server, 1);
	client_send(&busy, STR(GET("/block")));
	server_await(&server, &server.n_blocked, 1);
	http_stop(server.http);
	assert_true(client_is_ended(&idle));
	client_expect(&parked, "", 200, "over 1");
	assert_true(client_is_ended(&parked));
	server_release(&server);
	assert_true(client_reply(&busy, &reply, false));
	assert_true(str_eq(buf_str(&reply.body), STR("released")));
	assert_true(reply_has(&reply, "\r\nConnection: close\r\n"));
	assert_true(client_is_ended(&busy));
	reply_fini(&reply);
	client_close(&busy);
	client_close(&idle);
	client_close(&parked);
	server_end(&server);
}

static void test_http__stop_does_not_wait_for_ever(void **state)
{
	struct server server;
	struct client slow, half;
	struct http_config config = server_config(false);
	(void)state;
	config.limits.stop_ms = 30;
	server_start(&server, config);
	client_open(&slow, &server);
	client_open(&half, &server);
	for (int i = 0; i < 8; i++)
		client_send(&slow, STR(GET("/big")));
	client_send(&half, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"));
	server_await(&server, &server.n_handled, 1);
	server_end(&server);
	client_close(&slow);
	client_close(&half);
}

static void test_http__stop_with_a_full_queue_drops_it(void **state)
{
	struct server server;
	struct client clients[6];
	struct http_config config = server_config(false);
	struct http_stats stats = { .queued = 0 };
	(void)state;
	config.n_workers = 1;
	config.limits.stop_ms = 30;
	server_start(&server, config);
	for (size_t i = 0; i < 6; i++) {
		client_open(&clients[i], &server);
		client_send(&clients[i], STR(GET("/block")));
	}
	while (stats.queued < 5)
		http_stats(server.http, &stats);
	http_stop(server.http);
	/* The io threads end by their deadline and close nothing that a worker still holds. */
	server_end(&server);
	for (size_t i = 0; i < 6; i++)
		client_close(&clients[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http__address_that_is_none_is_refused),
		cmocka_unit_test(test_http__port_that_is_taken_is_an_error),
		cmocka_unit_test(test_http__certificate_that_does_not_fit_is_an_error),
		cmocka_unit_test(test_http__stop_before_the_start_ends_at_once),
		cmocka_unit_test(test_http__connection_beyond_the_limit_is_closed),
		cmocka_unit_test(test_http__stop_finishes_what_is_running),
		cmocka_unit_test(test_http__stop_does_not_wait_for_ever),
		cmocka_unit_test(test_http__stop_with_a_full_queue_drops_it),
	};
	return cmocka_run_group_tests_name("http/http", tests, NULL, NULL);
}
