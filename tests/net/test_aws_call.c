/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/aws_call.h"

static const struct net_sign signer = { .kind = NET_SIGN_V4,
	.service = STR("ssm"),
	.region = STR("eu-central-1"),
	.key_id = STR("AKIDEXAMPLE"),
	.secret = STR("secret") };

static void session_closep(struct net_session **session)
{
	net_session_close(*session);
}

#define autosession __attribute__((cleanup(session_closep))) struct net_session

/* A session below a path of the server, which then is what the service does. */
static struct net_session *session_at(struct server *server, const char *path)
{
	char endpoint[512];
	(void)snprintf(endpoint, sizeof(endpoint), "%s%s", server->endpoint, path);
	struct net_session_config config = { .endpoint = endpoint };
	return server_session(server, &config);
}

/* A session with a service that answers with that status, header line and body. */
static struct net_session *session_saying(
        struct server *server, unsigned status, const char *line, const char *body)
{
	char text[512], path[1200] = "/raw/";
	int n = snprintf(text, sizeof(text),
	        "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n%s", status,
	        strlen(body), line, body);
	size_t at = strlen(path);
	for (int i = 0; i < n; i++, at += 2)
		(void)snprintf(path + at, sizeof(path) - at, "%02x", (unsigned char)text[i]);
	char endpoint[1300];
	(void)snprintf(endpoint, sizeof(endpoint), "%s%s", server->endpoint, path);
	struct net_session_config config = { .endpoint = endpoint };
	return server_session(server, &config);
}

static struct ssm_reply must(struct server *server, struct net_session *session, int64_t now)
{
	struct ssm_reply reply;
	struct err err = { 0 };
	if (ssm_call(session, &signer, STR("AmazonSSM.Do"), STR("{\"a\":1}"), now, &server->arena,
	            &reply, &err) < 0)
		fail_msg("%s", err.text);
	return reply;
}

static void test_aws_call__an_operation_is_called_as_the_protocol_says(void **state)
{
	struct server *server = *state;
	autosession *session = session_at(server, "/echo");
	struct ssm_reply reply = must(server, session, 0);
	assert_int_equal(reply.error.n, 0);
	assert_int_equal(reply.status, 200);
	const struct value *headers = value_get(reply.value, STR("headers"));
	unsigned n_found = 0;
	for (size_t i = 0; i < value_count(headers); i++) {
		str name = value_str(value_at(value_at(headers, i), 0));
		str value = value_str(value_at(value_at(headers, i), 1));
		n_found += str_eq_nocase(name, STR("x-amz-target")) &&
		           str_eq(value, STR("AmazonSSM.Do"));
		n_found += str_eq_nocase(name, STR("content-type")) &&
		           str_eq(value, STR("application/x-amz-json-1.1"));
		n_found += str_eq_nocase(name, STR("authorization")) &&
		           str_has_prefix(value, STR("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
	}
	assert_int_equal(n_found, 3);
	assert_true(str_eq(value_get_str(reply.value, STR("body")), STR("7b2261223a317d")));
}

static void test_aws_call__exceptions_are_named_wherever_they_stand(void **state)
{
	struct server *server = *state;
	static const struct {
		unsigned status;
		const char *line, *body, *error, *message;
	} rows[] = {
		{ 400, "", "{\"__type\":\"InvalidInstanceId\",\"message\":\"no\"}",
		        "InvalidInstanceId", "no" },
		{ 400, "",
		        "{\"__type\":\"com.amazonaws.ssm#InvalidInstanceId\",\"Message\":\"no\"}",
		        "InvalidInstanceId", "no" },
		{ 400, "x-amzn-ErrorType: ThrottlingException:http://x/\r\n", "{\"message\":\"m\"}",
		        "ThrottlingException", "m" },
		{ 400, "", "{\"code\":\"A#B:c\"}", "B", "" },
		{ 502, "", "<html>Bad Gateway</html>", "Http502", "" },
		{ 503, "", "", "Http503", "" },
		{ 302, "", "{}", "Http302", "" },
		{ 500, "", "{\"__type\":\"\\u001b[2J\"}", "Http500", "" },
		{ 500, "", "{\"__type\":7,\"message\":[]}", "Http500", "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autosession *session =
		        session_saying(server, rows[i].status, rows[i].line, rows[i].body);
		struct ssm_reply reply = must(server, session, 0);
		assert_null(reply.value);
		assert_int_equal(reply.status, rows[i].status);
		if (!str_eq(reply.error, str_from_c(rows[i].error)) ||
		        !str_eq(reply.message, str_from_c(rows[i].message)))
			fail_msg("%s: " STR_FMT ", " STR_FMT, rows[i].body, STR_ARG(reply.error),
			        STR_ARG(reply.message));
	}
	autosession *session = session_saying(
	        server, 400, "Retry-After: 9\r\n", "{\"__type\":\"ThrottlingException\"}");
	assert_int_equal(must(server, session, 0).retry_after_s, 9);
}

static void test_aws_call__a_result_that_is_no_object_is_none(void **state)
{
	struct server *server = *state;
	static const char *const bodies[] = { "[]", "1", "{", "<html>", "{\"a\":1,\"a\":2}" };
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		autosession *session = session_saying(server, 200, "", bodies[i]);
		struct ssm_reply reply;
		struct err err = { 0 };
		int r = ssm_call(session, &signer, STR("AmazonSSM.Do"), STR("{}"), 0,
		        &server->arena, &reply, &err);
		assert_int_equal(r, -EPROTO);
	}
	autosession *session = session_saying(server, 200, "", "");
	assert_int_equal(value_kind(must(server, session, 0).value), VALUE_OBJECT);
}

static void test_aws_call__a_clock_that_is_off_costs_one_more_call(void **state)
{
	struct server *server = *state;
	static const char *const paths[] = { "/skew/86400", "/skew/-86400", "/skew/100000000" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		autosession *session = session_at(server, paths[i]);
		struct ssm_reply reply = must(server, session, 0);
		assert_int_equal(reply.error.n, 0);
		assert_true(value_get_bool(reply.value, STR("ok"), false));
	}
	/* The host's clock is set right while the session lasts. */
	autosession *session = session_at(server, "/skew/0");
	int64_t now = (int64_t)time(NULL);
	assert_int_equal(must(server, session, now - 864000).error.n, 0);
	assert_int_equal(must(server, session, now).error.n, 0);
	assert_int_equal(must(server, session, now + 864000).error.n, 0);
}

static void test_aws_call__a_wrong_key_is_not_tried_twice(void **state)
{
	struct server *server = *state;
	autosession *session =
	        session_saying(server, 400, "", "{\"__type\":\"InvalidSignatureException\"}");
	struct ssm_reply reply = must(server, session, 0);
	assert_true(str_eq(reply.error, STR("InvalidSignatureException")));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(test_aws_call__##name, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_operation_is_called_as_the_protocol_says),
		TEST(exceptions_are_named_wherever_they_stand),
		TEST(a_result_that_is_no_object_is_none),
		TEST(a_clock_that_is_off_costs_one_more_call),
		TEST(a_wrong_key_is_not_tried_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
