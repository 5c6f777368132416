/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "support.h"

#define GET_ECHO "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"

/* Connect with a context that the case has prepared. Returns: what SSL_connect() said */
static int connect_with(struct client *client, const struct server *server, SSL_CTX *ctx,
        SSL_SESSION *session, const char *protocols)
{
	client_open_plain(client, server);
	client->ctx = ctx;
	client->ssl = SSL_new(ctx);
	assert_true(client->ssl && SSL_set_fd(client->ssl, client->fd) == 1);
	if (session)
		assert_int_equal(SSL_set_session(client->ssl, session), 1);
	if (protocols)
		(void)SSL_set_alpn_protos(
		        client->ssl, (const unsigned char *)protocols, (unsigned)strlen(protocols));
	return SSL_connect(client->ssl);
}

static void test_tls__version_1_3_is_spoken_and_1_2_is_allowed(void **state)
{
	struct server server;
	struct client client;
	(void)state;
	server_start(&server, server_config(true));
	client_open(&client, &server);
	assert_string_equal(SSL_get_version(client.ssl), "TLSv1.3");
	client_expect(&client, GET_ECHO, 200, "GET /echo [] ");
	client_close(&client);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	(void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	assert_int_equal(connect_with(&client, &server, ctx, NULL, NULL), 1);
	assert_string_equal(SSL_get_version(client.ssl), "TLSv1.2");
	client_expect(&client, GET_ECHO, 200, "GET /echo [] ");
	client_close(&client);
	server_end(&server);
}

static void test_tls__old_versions_and_ciphers_are_refused(void **state)
{
	struct server server;
	struct client client;
	(void)state;
	server_start(&server, server_config(true));
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(ctx, 0);
	(void)SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	assert_true(connect_with(&client, &server, ctx, NULL, NULL) <= 0);
	client_close(&client);
	ctx = SSL_CTX_new(TLS_client_method());
	(void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES256-SHA"), 1);
	assert_true(connect_with(&client, &server, ctx, NULL, NULL) <= 0);
	client_close(&client);
	server_await_log(&server, "the TLS handshake failed");
	server_end(&server);
}

static void test_tls__protocol_is_http_1_1(void **state)
{
	struct server server;
	struct client client;
	const unsigned char *chosen;
	unsigned n;
	(void)state;
	server_start(&server, server_config(true));
	assert_int_equal(connect_with(&client, &server, SSL_CTX_new(TLS_client_method()), NULL,
	                         "\x02h2\x08http/1.1"),
	        1);
	SSL_get0_alpn_selected(client.ssl, &chosen, &n);
	assert_true(str_eq((str){ (const char *)chosen, n }, STR("http/1.1")));
	client_close(&client);
	assert_true(connect_with(&client, &server, SSL_CTX_new(TLS_client_method()), NULL,
	                    "\x02h2") <= 0);
	client_close(&client);
	server_end(&server);
}

static void test_tls__session_is_resumed_by_ticket(void **state)
{
	struct server server;
	struct client client;
	struct http_stats stats;
	(void)state;
	server_start(&server, server_config(true));
	client_open(&client, &server);
	client_expect(&client, GET_ECHO, 200, NULL); /* the ticket came before the reply */
	SSL_SESSION *session = SSL_get1_session(client.ssl);
	assert_true(SSL_SESSION_is_resumable(session));
	/* A connection that ends without a word from us spoils the session for resumption. */
	(void)SSL_shutdown(client.ssl);
	client_close(&client);
	assert_int_equal(
	        connect_with(&client, &server, SSL_CTX_new(TLS_client_method()), session, NULL), 1);
	assert_int_equal(SSL_session_reused(client.ssl), 1);
	client_expect(&client, GET_ECHO, 200, NULL);
	http_stats(server.http, &stats);
	assert_int_equal(stats.resumed_handshakes, 1);
	SSL_SESSION_free(session);
	client_close(&client);
	server_end(&server);
}

static void test_tls__garbage_costs_its_connection(void **state)
{
	struct server server;
	struct client client, other;
	(void)state;
	server_start(&server, server_config(true));
	client_open(&other, &server);
	client_open_plain(&client, &server);
	client_send(&client, STR(GET_ECHO));
	server_await_log(&server, "the TLS handshake failed");
	client_close(&client);
	/* Garbage behind a sound handshake. */
	client_open(&client, &server);
	client_expect(&client, GET_ECHO, 200, NULL);
	assert_int_equal(write(client.fd, "garbage garbage garbage", 23), 23);
	server_await_log(&server, "not TLS where TLS was expected");
	client_close(&client);
	client_expect(&other, GET_ECHO, 200, NULL);
	client_close(&other);
	server_end(&server);
}

static void test_tls__slow_handshake_is_cut_off(void **state)
{
	struct server server;
	struct client client;
	struct http_config config = server_config(true);
	struct http_stats stats;
	(void)state;
	config.limits.head_ms = 30;
	server_start(&server, config);
	client_open_plain(&client, &server);
	client_send(&client, STR("\x16\x03\x01"));
	assert_true(client_is_ended(&client));
	server_await_log(&server, "the TLS handshake takes too long");
	http_stats(server.http, &stats);
	assert_int_equal(stats.failed_handshakes, 1);
	client_close(&client);
	server_end(&server);
}

static void test_tls__end_of_a_connection_is_told(void **state)
{
	struct server server;
	struct client client;
	struct reply reply;
	char byte;
	(void)state;
	server_start(&server, server_config(true));
	client_open(&client, &server);
	client_send(&client, STR("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
	assert_true(client_reply(&client, &reply, false));
	int r = SSL_read(client.ssl, &byte, 1);
	assert_int_equal(SSL_get_error(client.ssl, r), SSL_ERROR_ZERO_RETURN);
	reply_fini(&reply);
	client_close(&client);
	server_end(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls__version_1_3_is_spoken_and_1_2_is_allowed),
		cmocka_unit_test(test_tls__old_versions_and_ciphers_are_refused),
		cmocka_unit_test(test_tls__protocol_is_http_1_1),
		cmocka_unit_test(test_tls__session_is_resumed_by_ticket),
		cmocka_unit_test(test_tls__garbage_costs_its_connection),
		cmocka_unit_test(test_tls__slow_handshake_is_cut_off),
		cmocka_unit_test(test_tls__end_of_a_connection_is_told),
	};
	return cmocka_run_group_tests_name("http/tls", tests, NULL, NULL);
}
