/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through a real sonde-net to a server that is honest, and to one that is not. */
#include "call_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define DOWNLOAD_SHA256 "bc01a03f3f505eaf5572211cc8a8c6dcda5f6bb93ecc6697f880a5d24a3ffac7"

static str header_of(const struct value *seen, str name)
{
	const struct value *headers = value_get(seen, STR("headers"));
	for (size_t i = 0; i < value_count(headers); i++) {
		const struct value *row = value_at(headers, i);
		if (str_eq_nocase(value_str(value_at(row, 0)), name))
			return value_str(value_at(row, 1));
	}
	return (str){ NULL, 0 };
}

static void assert_str(str s, const char *expected)
{
	if (!str_eq(s, str_from_c(expected)))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(s), expected);
}

static void test_call__a_request_arrives_as_it_was_meant(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	const struct net_header headers[] = { { STR("X-One"), STR("1") },
		{ STR("X-Empty"), STR("") } };
	struct net_call call = { .method = STR("POST"),
		.target = STR("/echo/./a%20b?x=1&y=%2F"),
		.headers = headers,
		.n_headers = 2,
		.body = { "a\0b", 3 } };
	const struct value *seen = echo(server, session, &call);
	assert_str(value_get_str(seen, STR("method")), "POST");
	assert_str(value_get_str(seen, STR("path")), "/echo/./a%20b?x=1&y=%2F");
	assert_str(value_get_str(seen, STR("body")), "610062");
	assert_str(header_of(seen, STR("x-one")), "1");
	str empty = header_of(seen, STR("x-empty"));
	assert_true(empty.p && empty.n == 0);
	assert_str(header_of(seen, STR("user-agent")), "sonde/" SONDE_VERSION);
	assert_null(header_of(seen, STR("content-type")).p);
	assert_null(header_of(seen, STR("authorization")).p);

	static const char *const methods[] = { "GET", "PUT", "DELETE", "POST" };
	for (size_t i = 0; i < 4; i++) {
		call = (struct net_call){ .method = str_from_c(methods[i]),
			.target = STR("/echo") };
		assert_str(value_get_str(echo(server, session, &call), STR("method")), methods[i]);
	}
	call.method = STR("HEAD");
	struct net_call_answer answer = must(server, session, &call);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.n_bytes, 0);
	assert_str(net_call_header(&answer, STR("content-type")), "application/json");
	assert_null(net_call_header(&answer, STR("etag")).p);
}

static void test_call__the_connection_is_kept_alive(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/echo");
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		        value_get_i64(echo(server, session, &call), STR("connection"), 0), 1);
	/* At rest it is given up, and the next call makes another. */
	net_session_rest(session);
	net_session_rest(session);
	assert_int_equal(value_get_i64(echo(server, session, &call), STR("connection"), 0), 2);
}

static void test_call__the_endpoint_may_have_a_path(void **state)
{
	struct server *server = *state;
	char endpoint[96];
	(void)snprintf(endpoint, sizeof(endpoint), "%s/echo/below/", server->endpoint);
	struct net_session_config config = { .endpoint = endpoint };
	autosession *session = server_session(server, &config);
	struct net_call call = get("/x");
	assert_str(value_get_str(echo(server, session, &call), STR("path")), "/echo/below/x");
}

/* skip() does not come back, so that the scope of the session does not end: it is closed here. */
static void assert_good(
        struct server *server, struct net_session *session, const struct net_call_answer *answer)
{
	const struct value *said = json_of(server, answer);
	str lacks = value_get_str(said, STR("lacks"));
	if (lacks.p) {
		print_message("skipped: python3 has no " STR_FMT "\n", STR_ARG(lacks));
		net_session_close(session);
		skip();
	}
	if (!value_get_bool(said, STR("good"), false))
		fail_msg("the signature is refused");
}

static void test_call__botocore_accepts_the_signature(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	static const struct {
		const char *method, *target, *body, *token;
	} rows[] = {
		{ "POST", "/sign", "{\"a\":1}", NULL },
		{ "POST", "/sign/", "", "FQoGZXIvYXdzEXAMPLE//token==" },
		{ "GET", "/sign/a/b.c", "", NULL },
		{ "GET", "/sign?b=2&a=1&a=0", "", NULL },
		{ "PUT", "/sign/x?empty=&more=%20x", "body", NULL },
		{ "DELETE", "/sign/%7Ename", "", NULL },
	};
	const struct net_header headers[] = { { STR("X-Amz-Target"), STR("AmazonSSM.Do") },
		{ STR("Content-Type"), STR("application/x-amz-json-1.1") },
		{ STR("X-Two"), STR("a  b") } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_call call = { .method = str_from_c(rows[i].method),
			.target = str_from_c(rows[i].target),
			.headers = headers,
			.n_headers = 2,
			.body = str_from_c(rows[i].body),
			.sign = sign_v4(rows[i].token) };
		struct net_call_answer answer = must(server, session, &call);
		assert_good(server, session, &answer);
	}
	/* And it would not accept another. */
	struct net_call call = get("/sign");
	call.sign = sign_v4(NULL);
	call.sign.secret = STR("another");
	struct net_call_answer answer = must(server, session, &call);
	assert_false(value_get_bool(json_of(server, &answer), STR("good"), true));
}

static void test_call__a_node_signs_with_the_key_that_was_made(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	str pem, public;
	struct err err = { 0 };
	if (net_make_key(session, &server->arena, &pem, &public, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(str_has_prefix(pem, STR("-----BEGIN PRIVATE KEY-----\n")));
	const struct net_header headers[] = { { STR("x-test-key"), public } };
	struct net_call call = { .method = STR("POST"),
		.target = STR("/rsa"),
		.headers = headers,
		.n_headers = 1,
		.body = STR("{}"),
		.sign = { .kind = NET_SIGN_RSA,
		        .service = STR("ssm"),
		        .region = STR("eu-central-1"),
		        .key_id = STR("mi-0123456789abcdef0"),
		        .private_key = pem } };
	struct net_call_answer answer = must(server, session, &call);
	assert_good(server, session, &answer);

	call.sign.private_key = STR("no key");
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/rsa: "));
	struct net_call next = get("/echo");
	(void)echo(server, session, &next);
}

static void test_call__every_status_is_an_answer(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	static const struct {
		const char *target;
		unsigned status;
	} rows[] = { { "/status/200", 200 }, { "/status/400", 400 }, { "/status/403", 403 },
		{ "/status/429", 429 }, { "/status/500", 500 }, { "/status/599", 599 },
		{ "/none", 404 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_call call = get(rows[i].target);
		struct net_call_answer answer = must(server, session, &call);
		assert_int_equal(answer.status, rows[i].status);
		assert_true(answer.date_at > 0);
		assert_int_equal(answer.retry_after_s, i < 6 ? 7 : -1);
		if (i < 6)
			assert_str(net_call_header(&answer, STR("x-amzn-requestid")), "abc");
	}
}

static void test_call__no_redirect_is_followed(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/redirect");
	struct net_call_answer answer = must(server, session, &call);
	assert_int_equal(answer.status, 302);
	assert_str(net_call_header(&answer, STR("location")), "/echo");
	call = get("/elsewhere");
	call.sign = sign_v4(NULL);
	answer = must(server, session, &call);
	assert_int_equal(answer.status, 307);
	assert_str(net_call_header(&answer, STR("location")), "http://192.0.2.1/echo");
}

static void test_call__what_a_server_says_twice_or_damaged_is_left_out(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/twice");
	struct net_call_answer answer = must(server, session, &call);
	assert_int_equal(answer.date_at, 9);
	assert_str(net_call_header(&answer, STR("content-type")), "a/b");
	assert_null(net_call_header(&answer, STR("etag")).p);
	assert_int_equal(answer.n_headers, 1);
}

static void test_call__a_header_may_be_empty(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/empty");
	struct net_call_answer answer = must(server, session, &call);
	assert_int_equal(net_call_header(&answer, STR("etag")).n, 0);
	assert_str(net_call_header(&answer, STR("location")), "a");
}

static void test_call__chunked_bodies_arrive_whole(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/chunked/1000000");
	struct net_call_answer answer = must(server, session, &call);
	assert_int_equal(answer.body.n, 1000000);
	assert_int_equal(answer.n_bytes, 1000000);
	call = get("/bytes/0");
	answer = must(server, session, &call);
	assert_int_equal(answer.body.n, 0);
}

static void test_call__large_requests_arrive_whole(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	const size_t n = 3u << 20;
	autofree char *body = malloc(n);
	assert_non_null(body);
	memset(body, 'y', n);
	struct net_call call = { .method = STR("POST"),
		.target = STR("/echo"),
		.body = { body, n },
		.max_answer_bytes = 16u << 20 };
	str hex = value_get_str(echo(server, session, &call), STR("body"));
	assert_int_equal(hex.n, 2 * n);
	assert_true(str_has_suffix(hex, STR("79797979")));
}

static int open_file(struct server *server)
{
	int fd = openat(server->dir_fd, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void test_call__a_download_goes_to_its_file(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .max_answer_bytes = 1000 };
	autosession *session = server_session(server, &config);
	autoclose int fd = open_file(server);
	struct stat st;
	struct net_call call = get("/chunked/20000000");
	call.to_fd = true;
	call.fd = fd;
	call.max_answer_bytes = 20000000;
	struct net_call_answer answer = must(server, session, &call);
	assert_int_equal(answer.n_bytes, 20000000);
	assert_int_equal(answer.body.n, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 20000000);
	char hex[SHA256_HEX_SIZE];
	assert_int_equal(hash_sha256_fd(fd, hex), 0);
	assert_string_equal(hex, answer.sha256);
	/* by sha256sum: head -c 20000000 /dev/zero | tr '\0' x */
	assert_string_equal(answer.sha256, DOWNLOAD_SHA256);
}

static void test_call__a_download_has_its_limits(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	autoclose int fd = open_file(server), folder = open(server->dir, O_RDONLY | O_CLOEXEC);
	struct stat st;
	struct net_call_answer answer;
	struct err err = { 0 };
	static const char *const targets[] = { "/bytes/100001", "/chunked/100001", "/endless" };
	struct net_call call = get("");
	call.to_fd = true;
	call.max_answer_bytes = 100000;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		call.target = str_from_c(targets[i]);
		call.fd = fd;
		assert_int_equal(
		        net_call(session, &call, &server->arena, &answer, &err), -ERR_LIMIT);
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(st.st_size <= 100000);
	}
	/* An exception is no download. */
	assert_int_equal(ftruncate(fd, 0), 0);
	call.target = STR("/status/403");
	answer = must(server, session, &call);
	assert_int_equal(answer.status, 403);
	assert_true(answer.body.n > 0);
	assert_string_equal(answer.sha256, "");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	/* A file that is none, or has something in it. */
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -EINVAL);
	call.fd = folder;
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -EINVAL);
	call.fd = -1;
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -EINVAL);
}

static long turns_of(int pid)
{
	char path[64], line[128];
	uint64_t n = 0;
	bool is_there = false;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *status = fopen(path, "r");
	while (status && !is_there && fgets(line, sizeof(line), status)) {
		str rest = str_from_c(line), name;
		is_there = str_split_first(rest, ':', &name, &rest) &&
		           str_eq(name, STR("voluntary_ctxt_switches")) &&
		           str_to_u64(str_trim(rest), INT32_MAX, &n);
	}
	if (status)
		(void)fclose(status);
	return is_there ? (long)n : -1;
}

/* A call that is held for minutes is most of what an idle host has: it wakes for nothing. */
static void test_call__who_waits_for_an_answer_sleeps(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/echo"), mute = get("/mute");
	struct net_call_answer answer;
	struct err err = { 0 };
	(void)must(server, session, &call);
	int pid = net_session_pid(session);
	assert_true(pid > 0);
	long before = turns_of(pid);
	if (before < 0) {
		print_message("skipped: /proc/<pid>/status\n");
		skip();
	}
	mute.timeout_ms = 8000;
	assert_int_equal(net_call(session, &mute, &server->arena, &answer, &err), -ETIMEDOUT);
	assert_int_equal(net_session_pid(session), pid);
	/* Its request, the answer that does not come, and the end: not once a second. */
	long turns = turns_of(pid) - before;
	print_message("%ld turns\n", turns);
	assert_true(turns < 8);
}

static void test_call__nobody_there_is_told(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .endpoint = "http://127.0.0.1:1" };
	autosession *session = server_session(server, &config);
	struct net_call call = get("/echo");
	struct net_call_answer answer;
	struct err err = { 0 };
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "http://127.0.0.1:1/echo: "));
}

static void test_call__a_session_for_nowhere_is_not_opened(void **state)
{
	struct server *server = *state;
	static const struct net_session_config rows[] = {
		{ .endpoint = NULL },
		{ .endpoint = "" },
		{ .endpoint = "ftp://127.0.0.1" },
		{ .endpoint = "file:///etc/passwd" },
		{ .endpoint = "https://" },
		{ .endpoint = "https://user:password@example.com" },
		{ .endpoint = "https://example.com/?q" },
		{ .endpoint = "https://example.com/#f" },
		{ .endpoint = "https://example.com/a b" },
		{ .endpoint = "http://example.com" },
		{ .endpoint = "http://127.0.0.1.example.com" },
		{ .endpoint = "http://localhost.example.com" },
		{ .endpoint = "http://127.0.0.1@example.com", .allow_plain = true },
		{ .endpoint = "https://example.com", .proxy = "socks5://127.0.0.1" },
		{ .endpoint = "https://example.com", .proxy = "" },
		{ .endpoint = "https://example.com", .timeout_ms = 3600001 },
		{ .endpoint = "https://example.com", .connect_timeout_ms = 3600001 },
		{ .endpoint = "https://example.com", .max_answer_bytes = (64u << 20) + 1 },
		{ .endpoint = "https://example.com", .ca_file = "/dev/null" },
	};
	struct net_session *session = NULL;
	struct err err = { 0 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = net_session_open(&rows[i], &session, &err);
		if (r >= 0 || session)
			fail_msg("row %zu", i);
		assert_non_null(err.text);
	}
	struct net_session_config config = { .endpoint = "https://example.com" };
	config.ca_file = server_path(server, "none");
	assert_int_equal(net_session_open(&config, &session, &err), -ENOENT);
	static const char *const good[] = { "http://localhost:1/x", "http://127.9.9.9",
		"http://[::1]:2", "https://example.com/a/b" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		config = (struct net_session_config){ .endpoint = good[i] };
		assert_int_equal(net_session_open(&config, &session, &err), 0);
		net_session_close(session);
		session = NULL;
	}
	net_session_close(NULL);
}

static void test_call__what_could_be_misread_is_not_asked(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .program = "/nonexistent" };
	autosession *session = server_session(server, &config);
	const struct net_header bad[] = { { STR("Host"), STR("x") },
		{ STR("X-Amz-Date"), STR("x") }, { STR("Content-Length"), STR("1") },
		{ STR("Transfer-Encoding"), STR("chunked") }, { STR("a b"), STR("x") },
		{ STR(""), STR("x") }, { STR("X"), STR("a\r\nY: b") }, { STR("X"), { "a\0b", 3 } },
		{ STR("X:"), STR("b") }, { STR("X"), STR("\xc3\xa4") } };
	const size_t n_bad = sizeof(bad) / sizeof(bad[0]);
	struct net_call rows[24];
	size_t n = 0;
	for (size_t i = 0; i < n_bad; i++, n++) {
		rows[n] = get("/echo");
		rows[n].headers = &bad[i];
		rows[n].n_headers = 1;
	}
	for (size_t i = 0; i < 14; i++)
		rows[n + i] = get("/echo");
	rows[n++].target = STR("echo");
	rows[n++].target = STR("");
	rows[n++].target = STR("/a b");
	rows[n++].target = STR("/a#b");
	rows[n++].target = STR("/a\n");
	rows[n++].method = STR("TRACE");
	rows[n++].method = STR("get");
	rows[n++].body = STR("a body");
	rows[n++].timeout_ms = 3600001;
	rows[n++].now = -5;
	rows[n++].sign.kind = NET_SIGN_V4;
	rows[n].sign = sign_v4(NULL);
	rows[n++].sign.region = STR("eu/central");
	rows[n].sign = sign_v4("a\nb");
	n++;
	rows[n].sign = sign_v4(NULL);
	rows[n++].sign.kind = NET_SIGN_RSA;
	for (size_t i = 0; i < n; i++) {
		struct net_call_answer answer;
		struct err err = { 0 };
		int r = net_call(session, &rows[i], &server->arena, &answer, &err);
		if (r != -EINVAL)
			fail_msg("row %zu: %d %s", i, r, err.text);
	}
	/* With nothing wrong, it is sonde-net that is missing. */
	struct net_call call = get("/echo");
	struct net_call_answer answer;
	struct err err = { 0 };
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -ENOENT);
}

static void test_call__the_clock_of_the_server_dates_the_signature(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	const int64_t day = 86400;
	struct net_call call = get("/date/0");
	/* A host that believes it is 2015. */
	call.now = 1440938160;
	(void)must(server, session, &call);
	int64_t offset = net_session_clock_offset(session), real = (int64_t)time(NULL);
	assert_true(offset > real - call.now - 60 && offset < real - call.now + 60);
	/* It stays when the process goes. */
	net_session_rest(session);
	call.target = STR("/echo");
	call.sign = sign_v4(NULL);
	str date = header_of(echo(server, session, &call), STR("x-amz-date"));
	assert_int_equal(date.n, 16);
	assert_false(str_has_prefix(date, STR("2015")));
	/* A day ahead, and a day behind. */
	static const char *const targets[] = { "/date/86400", "/date/-86400" };
	for (size_t i = 0; i < 2; i++) {
		call = get(targets[i]);
		(void)must(server, session, &call);
		offset = net_session_clock_offset(session);
		int64_t expected = i == 0 ? day : -day;
		assert_true(offset > expected - 60 && offset < expected + 60);
	}
}

static void test_call__proxies_of_the_environment_are_not_used(void **state)
{
	struct server *server = *state;
	autosession *session = server_session(server, &defaults);
	struct net_call call = get("/echo");
	static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
	const struct value *seen = echo(server, session, &call);
	for (size_t i = 0; i < 3; i++)
		(void)unsetenv(names[i]);
	assert_str(value_get_str(seen, STR("path")), "/echo");
}

static void test_call__a_configured_proxy_is_used(void **state)
{
	struct server *server = *state;
	struct net_session_config config = {
		.endpoint = "http://example.invalid", .proxy = server->endpoint, .allow_plain = true
	};
	autosession *session = server_session(server, &config);
	struct net_call call = get("/echo");
	assert_int_equal(setenv("no_proxy", "*", 1), 0);
	const struct value *seen = echo(server, session, &call);
	(void)unsetenv("no_proxy");
	assert_str(value_get_str(seen, STR("path")), "http://example.invalid/echo");
}

static void *call_often(void *ctx)
{
	struct server *server = ctx;
	struct arena arena = ARENA(16u << 20);
	struct net_session_config config = { .program = SONDE_NET, .endpoint = server->endpoint };
	struct net_session *session = NULL;
	intptr_t n_good = 0;
	if (net_session_open(&config, &session, NULL) < 0)
		return NULL;
	for (int i = 0; i < 50; i++) {
		struct net_call call = get("/echo");
		struct net_call_answer answer;
		call.sign = sign_v4(NULL);
		n_good += net_call(session, &call, &arena, &answer, NULL) == 0 &&
		          answer.status == 200;
	}
	net_session_close(session);
	arena_fini(&arena);
	return (void *)n_good;
}

static void test_call__two_sessions_do_not_meet(void **state)
{
	struct server *server = *state;
	pthread_t threads[2];
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, server), 0);
	for (size_t i = 0; i < 2; i++) {
		void *n_good = NULL;
		assert_int_equal(pthread_join(threads[i], &n_good), 0);
		assert_int_equal((intptr_t)n_good, 50);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_call__##name, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_arrives_as_it_was_meant),
		TEST(the_connection_is_kept_alive),
		TEST(the_endpoint_may_have_a_path),
		TEST(botocore_accepts_the_signature),
		TEST(a_node_signs_with_the_key_that_was_made),
		TEST(every_status_is_an_answer),
		TEST(no_redirect_is_followed),
		TEST(what_a_server_says_twice_or_damaged_is_left_out),
		TEST(a_header_may_be_empty),
		TEST(chunked_bodies_arrive_whole),
		TEST(large_requests_arrive_whole),
		TEST(a_download_goes_to_its_file),
		TEST(a_download_has_its_limits),
		TEST(who_waits_for_an_answer_sleeps),
		TEST(nobody_there_is_told),
		TEST(a_session_for_nowhere_is_not_opened),
		TEST(what_could_be_misread_is_not_asked),
		TEST(the_clock_of_the_server_dates_the_signature),
		TEST(proxies_of_the_environment_are_not_used),
		TEST(a_configured_proxy_is_used),
		TEST(two_sessions_do_not_meet),
	};
	(void)signal(SIGPIPE, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
