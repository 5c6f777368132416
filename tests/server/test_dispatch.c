/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "front.h"
#include "server/dispatch.h"
#include "server/inside.h"

static int set_up(void **state)
{
	struct front *front = test_malloc(sizeof(*front));
	front_open(front);
	*state = front;
	return 0;
}

static int tear_down(void **state)
{
	front_close(*state);
	test_free(*state);
	return 0;
}

/* A row of a table: what is sent by the administrator, and what comes back. */
struct row {
	const char *service, *target, *method, *path, *type, *body;
	int status;
	const char *says;
};

static void send_rows(struct front *front, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct front_request request = { .key = &front->admin,
			.service = rows[i].service,
			.target = rows[i].target,
			.method = rows[i].method,
			.path = rows[i].path,
			.type = rows[i].type,
			.body = rows[i].body };
		int status = front_send(front, &request);
		if (status != rows[i].status || !front_says(front, rows[i].says))
			fail_msg("row %zu: %d " STR_FMT, i, status, STR_ARG(front->body));
	}
}

#define SEND(front, rows) send_rows(front, rows, sizeof(rows) / sizeof(*(rows)))

static void test_dispatch__an_unknown_operation_is_told_in_its_protocol(void **state)
{
	static const struct row rows[] = {
		{ "inspector2", NULL, "POST", "/nothing", NULL, "{}", 404,
		        "UnknownOperationException" },
		{ "inspector2", NULL, "PUT", "/enable", NULL, "{}", 404,
		        "UnknownOperationException" },
		{ "ssm", "AmazonSSM.Nothing", "POST", "/", NULL, "{}", 400,
		        "UnknownOperationException" },
		{ "ssm", NULL, "POST", "/", NULL, "{}", 400, "UnknownOperationException" },
		/* A target of another service than the one that was signed for. */
		{ "ssm", "AWSOrganizationsV20161128.ListAccounts", "POST", "/", NULL, "{}", 400,
		        "UnknownOperationException" },
		{ "ec2", NULL, "POST", "/", NULL, "Action=Nothing&Version=2016-11-15", 400,
		        "<Code>InvalidAction</Code>" },
		{ "sts", NULL, "POST", "/", NULL, "Action=Nothing&Version=2011-06-15", 400,
		        "<Code>InvalidAction</Code>" },
		{ "s3", NULL, "POST", "/", "application/json", "", 400,
		        "UnknownOperationException" },
	};
	SEND(*state, rows);
}

static void test_dispatch__an_invalid_input_is_told_in_its_protocol(void **state)
{
	static const struct row rows[] = {
		{ "inspector2", NULL, "POST", "/enable", NULL, "{}", 400,
		        "FIELD_VALIDATION_FAILED" },
		{ "inspector2", NULL, "POST", "/enable", NULL, "{\"resourceTypes\":[\"X\"]}", 400,
		        "resourceTypes" },
		{ "inspector2", NULL, "POST", "/enable", NULL, "{", 400, "CANNOT_PARSE" },
		{ "inspector2", NULL, "POST", "/enable", NULL, "[]", 400, "CANNOT_PARSE" },
		{ "inspector2", NULL, "POST", "/enable", "text/plain", "{}", 400, "CANNOT_PARSE" },
		{ "organizations", "AWSOrganizationsV20161128.ListAccounts", "POST", "/", NULL,
		        "{\"MaxResults\":0}", 400, "InvalidInputException" },
		{ "organizations", "AWSOrganizationsV20161128.ListAccounts", "POST", "/", NULL,
		        "{\"a\":1,\"a\":2}", 400, "SerializationException" },
		{ "ssm", "AmazonSSM.ListDocuments", "POST", "/", "application/json", "{}", 400,
		        "SerializationException" },
		{ "ssm", "AmazonSSM.ListDocuments", "POST", "/", NULL, "{\"MaxResults\":-1}", 400,
		        "ValidationException" },
		{ "ec2", NULL, "POST", "/", NULL, "Action=CreateTags&Version=2016-11-15", 400,
		        "<Code>MissingParameter</Code>" },
		{ "sts", NULL, "POST", "/", NULL,
		        "Action=AssumeRole&Version=2011-06-15&RoleSessionName=x&RoleArn=", 400,
		        "<Code>ValidationError</Code>" },
	};
	SEND(*state, rows);
}

static void test_dispatch__an_empty_body_is_an_empty_object(void **state)
{
	static const struct row rows[] = {
		{ "inspector2", NULL, "POST", "/status/batch/get", NULL, "", 200, "123456789012" },
		{ "inspector2", NULL, "POST", "/status/batch/get", NULL, "{}", 200,
		        "123456789012" },
		{ "ssm", "AmazonSSM.ListDocuments", "POST", "/", NULL, "", 200,
		        "DocumentIdentifiers" },
	};
	SEND(*state, rows);
}

static void test_dispatch__answers_carry_their_request_id(void **state)
{
	struct front *front = *state;
	struct front_request request = { .key = &front->admin,
		.service = "sts",
		.body = "Action=GetCallerIdentity&Version=2011-06-15" };
	assert_int_equal(front_send(front, &request), 200);
	assert_true(front_says(front, "x-amzn-RequestId: "));
	assert_true(front_says(front, "<GetCallerIdentityResult>"));
	assert_true(front_says(front, "<ResponseMetadata><RequestId>"));
}

/* The address of an operation; a label is any text here. */
static str path_of(const struct operation_shape *shape, char *buffer, size_t size)
{
	size_t n = 0;
	for (const char *p = shape->uri; *p && n < size; p++) {
		buffer[n++] = *p == '{' ? 'x' : *p;
		if (*p == '{')
			p = strchr(p, '}');
	}
	return (str){ buffer, n };
}

static const char *prefix_of(const struct operation_shape *shape)
{
	str service = str_from_c(shape->service);
	return str_eq(service, STR("ssm"))             ? "AmazonSSM"
	       : str_eq(service, STR("organizations")) ? "AWSOrganizationsV20161128"
	                                               : "EC2WindowsMessageDeliveryService";
}

/* Ask for an operation with a body that no protocol reads. Returns: was it refused as not allowed?
 */
static bool is_denied(
        struct front *front, const struct operation_shape *shape, const struct caller *caller)
{
	struct arena arena = ARENA((size_t)8 << 20);
	char path[256];
	str scope, target, form;
	bool is_form = strcmp(shape->service, "ec2") == 0 || strcmp(shape->service, "sts") == 0;
	assert_int_equal(arena_printf(&arena, &scope,
	                         "AWS4-HMAC-SHA256 Credential=AKIA/20260101/r/%s/aws4_request, "
	                         "SignedHeaders=host, Signature=%064d",
	                         shape->service, 0),
	        0);
	assert_int_equal(arena_printf(&arena, &target, "%s.%s", prefix_of(shape), shape->name), 0);
	assert_int_equal(arena_printf(&arena, &form, "Action=%s", shape->name), 0);
	struct http_header headers[] = { { STR("Authorization"), scope },
		{ STR("X-Amz-Target"), target } };
	struct http_request http = { .method = str_from_c(shape->method),
		.path = path_of(shape, path, sizeof(path)),
		.headers = headers,
		.n_headers = 2,
		.body = is_form ? form : STR("not even JSON"),
		.arena = &arena };
	struct http_response reply = { .head = BUF(65536), .body = BUF((size_t)1 << 20), .fd = -1 };
	assert_int_equal(dispatch_as(front->server, caller, &http, &reply), HTTP_DONE);
	buf_add(&reply.body, buf_str(&reply.head));
	buf_add_byte(&reply.body, '\0');
	bool denied = strstr(reply.body.p, "AccessDenied") ||
	              strstr(reply.body.p, "UnauthorizedOperation");
	buf_fini(&reply.head);
	buf_fini(&reply.body);
	arena_fini(&arena);
	return denied;
}

/* Every row with every kind of caller: who may not is refused before input or handler matter. */
static void test_dispatch__nobody_calls_what_the_row_does_not_allow(void **state)
{
	struct front *front = *state;
	static const struct caller callers[] = {
		{ .role = ROLE_NOBODY },
		{ .role = ROLE_READER, .account = FRONT_ACCOUNT },
		{ .role = ROLE_ADMIN, .account = FRONT_ACCOUNT },
		{ .role = ROLE_HOST, .account = 5, .host_id = "0123456789abcdef0" },
	};
	size_t n, refused = 0;
	const struct operation_shape *all = operation_all(&n);
	for (size_t i = 0; i < n; i++) {
		const struct operation *row = operation_row(front->server, &all[i]);
		for (size_t k = 0; row && k < sizeof(callers) / sizeof(*callers); k++) {
			if (may_call(row->may, &callers[k]))
				continue;
			if (!is_denied(front, &all[i], &callers[k]))
				fail_msg("%s %s", all[i].service, all[i].name);
			refused++;
		}
	}
	assert_true(refused > 50);
}

static void test_dispatch__a_poll_is_held_as_long_as_its_agent_allows(void **state)
{
	struct front *front = *state;
	static const struct {
		const char *wait;
		int64_t ms;
	} rows[] = {
		{ NULL, 17000 }, /* the stock agent says nothing, and gives up after 20 s */
		{ "", 17000 },
		{ "0", 17000 },
		{ "-1", 17000 },
		{ "1e9", 17000 },
		{ "120", 120000 },
		{ "240", 240000 },
		{ "4000000000", 240000 }, /* no longer than a signature is good for */
		{ "99999999999999999999", 17000 },
	};
	struct front_key host;
	front_key(front, FRONT_ACCOUNT, ROLE_HOST, "i-0123456789abcdef0", &host);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct front_request poll = { .key = &host,
			.service = "ec2messages",
			.target = "EC2WindowsMessageDeliveryService.GetMessages",
			.body = "{\"Destination\":\"i-0123456789abcdef0\",\"MessagesRequestId\":"
			        "\"00000000-0000-4000-8000-000000000000\","
			        "\"VisibilityTimeoutInSeconds\":10}",
			.wait = rows[i].wait };
		(void)front_send(front, &poll);
		if (front->outcome != HTTP_DEFER || front->defer_ms != rows[i].ms)
			fail_msg("%s: %d, %lld ms: " STR_FMT, rows[i].wait, front->outcome,
			        (long long)front->defer_ms, STR_ARG(front->body));
	}
}

static void test_dispatch__bodies_are_as_large_as_the_caller_is_known(void **state)
{
	struct front *front = *state;
	char authorization[256];
	size_t most;
	struct http_response refusal = { .fd = -1 };
	struct http_header headers[] = { { STR("Authorization"), { NULL, 0 } },
		{ STR("X-Amz-Target"), STR("AmazonSSM.PutInventory") } };
	struct http_request head = { .method = STR("POST"), .path = STR("/"), .headers = headers };
	most = 1;
	assert_int_equal(dispatch_admit(front->server, &head, 1, &refusal, &most), 0);
	assert_int_equal(most, 65536);
	for (int known = 0; known < 2; known++) {
		(void)snprintf(authorization, sizeof(authorization),
		        "AWS4-HMAC-SHA256 Credential=%s/20260101/r/ssm/aws4_request, "
		        "SignedHeaders=host, Signature=%064d",
		        known ? front->admin.id : "AKIAAAAAAAAAAAAAAAAA", 0);
		headers[0].value = str_from_c(authorization);
		head.n_headers = 1;
		assert_int_equal(dispatch_admit(front->server, &head, 1, &refusal, &most), 0);
		assert_int_equal(most, known ? 1 << 20 : 65536);
		head.n_headers = 2;
		assert_int_equal(dispatch_admit(front->server, &head, 1, &refusal, &most), 0);
		assert_int_equal(most, known ? 32 << 20 : 65536);
	}
}

/* A disk that takes no more: said as such, nothing is changed, and it goes on afterwards. */
static void test_dispatch__a_full_disk_is_503(void **state)
{
	struct front *front = *state;
	struct front_request request = { .key = &front->admin,
		.service = "inspector2",
		.path = "/ec2deepinspectionconfiguration/update",
		.body = "{\"packagePaths\":[\"/opt/x\"]}" };
	struct rlimit old, none;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 512;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	int status = front_send(front, &request);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(status, 503);
	assert_true(front_says(front, "Retry-After: "));
	assert_true(front_says(front, "InternalServerException"));
	struct front_request read = { .key = &front->admin,
		.service = "inspector2",
		.path = "/ec2deepinspectionconfiguration/get",
		.body = "{}" };
	assert_int_equal(front_send(front, &read), 200);
	assert_false(front_says(front, "/opt/x"));
	struct front_request health = { .service = "sts", .method = "GET", .path = "/healthz" };
	assert_int_equal(front_send(front, &health), 503);
	assert_int_equal(front_send(front, &request), 200);
	assert_int_equal(front_send(front, &read), 200);
	assert_true(front_says(front, "/opt/x"));
}

static void test_dispatch__pages_need_no_signature(void **state)
{
	struct front *front = *state;
	struct front_request request = { .service = "sts", .method = "GET", .path = "/healthz" };
	assert_int_equal(front_send(front, &request), 200);
	assert_true(front_says(front, "no vulnerability data"));
	request.path = "/metrics";
	assert_int_equal(front_send(front, &request), 200);
	assert_true(front_says(front, "# TYPE sonde_operations_total counter"));
	assert_false(front_says(front, "123456789012"));
	request.method = "POST";
	assert_int_equal(front_send(front, &request), 405);
	request.method = "GET";
	request.path = "/packages/../store/sonde.sqlite";
	assert_int_equal(front_send(front, &request), 404);
}

static void test_dispatch__calls_are_counted(void **state)
{
	struct front *front = *state;
	struct front_request call = { .key = &front->admin,
		.service = "sts",
		.body = "Action=GetCallerIdentity&Version=2011-06-15" };
	struct front_request metrics = { .service = "sts", .method = "GET", .path = "/metrics" };
	assert_int_equal(front_send(front, &call), 200);
	assert_int_equal(front_send(front, &call), 200);
	assert_int_equal(front_send(front, &metrics), 200);
	assert_true(front_says(front,
	        "sonde_operations_total{service=\"sts\",operation=\"GetCallerIdentity\","
	        "outcome=\"good\"} 2\n"));
}

static void test_dispatch__changes_are_written_down(void **state)
{
	struct front *front = *state;
	struct front_request call = { .key = &front->admin,
		.service = "inspector2",
		.path = "/ec2deepinspectionconfiguration/update",
		.body = "{\"packagePaths\":[\"/opt/x\"]}" };
	struct store_stats before, after;
	store_stats(front->server->store, &before);
	assert_int_equal(front_send(front, &call), 200);
	store_stats(front->server->store, &after);
	/* The account and its entry of the audit log; what follows from it. */
	assert_true(after.records >= before.records + 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_dispatch__an_unknown_operation_is_told_in_its_protocol),
		CASE(test_dispatch__an_invalid_input_is_told_in_its_protocol),
		CASE(test_dispatch__an_empty_body_is_an_empty_object),
		CASE(test_dispatch__answers_carry_their_request_id),
		CASE(test_dispatch__nobody_calls_what_the_row_does_not_allow),
		CASE(test_dispatch__a_poll_is_held_as_long_as_its_agent_allows),
		CASE(test_dispatch__bodies_are_as_large_as_the_caller_is_known),
		CASE(test_dispatch__a_full_disk_is_503),
		CASE(test_dispatch__pages_need_no_signature),
		CASE(test_dispatch__calls_are_counted),
		CASE(test_dispatch__changes_are_written_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
