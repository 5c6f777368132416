/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/call_frame.h"

static str payload_of(const struct buf *out)
{
	return str_skip(buf_str(out), CALL_FRAME_HEAD_BYTES);
}

static struct net_call good_call(void)
{
	return (struct net_call){ .method = STR("POST"),
		.target = STR("/a?b=c"),
		.body = STR("{}"),
		.now = 1440938160,
		.timeout_ms = 1000,
		.max_answer_bytes = 1000 };
}

static void test_call_frame__every_part_of_a_frame_is_waited_for(void **state)
{
	(void)state;
	autobuf out = BUF(1000);
	struct call_frame frame;
	size_t at = call_frame_begin(&out, CALL_FRAME_DATA, 0xabcd);
	buf_add(&out, STR("payload"));
	call_frame_end(&out, at);
	for (size_t n = 0; n < out.n; n++) {
		str part = str_head(buf_str(&out), n);
		assert_int_equal(call_frame_take(&part, 7, &frame), 0);
		assert_int_equal(part.n, n);
	}
	buf_add(&out, STR("rest"));
	str all = buf_str(&out);
	assert_int_equal(call_frame_take(&all, 7, &frame), 1);
	assert_int_equal(frame.type, CALL_FRAME_DATA);
	assert_int_equal(frame.number, 0xabcd);
	assert_true(str_eq(frame.payload, STR("payload")));
	assert_true(str_eq(all, STR("rest")));
	all = buf_str(&out);
	assert_int_equal(call_frame_take(&all, 6, &frame), -EPROTO);
}

static void test_call_frame__what_cannot_become_a_frame_is_not_waited_for(void **state)
{
	(void)state;
	static const struct {
		str bytes;
		int r;
	} rows[] = {
		{ { "\xff\xff\xff\xff", 4 }, -EPROTO },
		{ { "\0\0\0\0\x00", 5 }, -EPROTO },
		{ { "\0\0\0\0\x04", 5 }, -EPROTO },
		{ { "\0\0\0\0\x10", 5 }, -EPROTO },
		{ { "\0\0\0\0\x17", 5 }, -EPROTO },
		{ { "\0\0\0\0\x01\x02", 6 }, -EPROTO },
		{ { "\0\0\0\0\x01\x01", 6 }, 0 },
		{ { "\0\0\0\0\x01\x01\x00\x00", 8 }, 1 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct call_frame frame;
		str bytes = rows[i].bytes;
		assert_int_equal(call_frame_take(&bytes, 100, &frame), rows[i].r);
	}
}

static void test_call_frame__a_request_is_read_as_it_was_written(void **state)
{
	(void)state;
	autobuf out = BUF(10000);
	const struct net_header headers[] = { { STR("A"), STR("1") }, { STR("B"), STR("") } };
	struct net_header room[NET_CALL_HEADERS_MAX];
	struct net_call call = good_call(), read;
	call.headers = headers;
	call.n_headers = 2;
	call.sign = (struct net_sign){ .kind = NET_SIGN_V4,
		.service = STR("ssm"),
		.region = STR("r"),
		.key_id = STR("AK"),
		.secret = STR("any\nbytes"),
		.session_token = STR("t=="),
		.private_key = STR("not sent") };
	call_ask_add(&out, 1, &call);
	assert_true(call_ask_read(payload_of(&out), room, &read));
	assert_true(str_eq(read.target, call.target));
	assert_true(str_eq(read.body, call.body));
	assert_int_equal(read.n_headers, 2);
	assert_true(str_eq(read.headers[0].name, STR("A")));
	assert_int_equal(read.headers[1].value.n, 0);
	assert_int_equal(read.sign.kind, NET_SIGN_V4);
	assert_true(str_eq(read.sign.secret, STR("any\nbytes")));
	assert_int_equal(read.sign.private_key.n, 0);
	assert_int_equal(read.now, call.now);
	/* Nothing of it can be missing, and nothing more be there. */
	for (size_t n = 0; n < payload_of(&out).n; n++)
		assert_false(call_ask_read(str_head(payload_of(&out), n), room, &read));
	buf_add_byte(&out, 'x');
	assert_false(call_ask_read(payload_of(&out), room, &read));
}

static void test_call_frame__a_setup_is_read_as_it_was_written(void **state)
{
	(void)state;
	autobuf out = BUF(10000);
	struct call_setup setup = { .endpoint = STR("https://a/b"),
		.proxy = STR("http://p:1"),
		.authorities = STR("PEM"),
		.connect_timeout_ms = 1 },
	                  read;
	call_setup_add(&out, &setup);
	assert_true(call_setup_read(payload_of(&out), &read));
	assert_true(str_eq(read.endpoint, setup.endpoint));
	assert_true(str_eq(read.proxy, setup.proxy));
	assert_true(str_eq(read.authorities, setup.authorities));
	const str bad[] = { STR(""), STR("https://"), STR("https://a?b"), STR("file:///x") };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct call_setup other = setup;
		other.endpoint = bad[i];
		buf_clear(&out);
		call_setup_add(&out, &other);
		assert_false(call_setup_read(payload_of(&out), &read));
	}
	setup.connect_timeout_ms = 0;
	buf_clear(&out);
	call_setup_add(&out, &setup);
	assert_false(call_setup_read(payload_of(&out), &read));
}

static void test_call_frame__headers_have_limits(void **state)
{
	(void)state;
	static char many[NET_CALL_HEADER_BYTES_MAX];
	struct net_header headers[NET_CALL_HEADERS_MAX + 1];
	struct net_call call = good_call();
	memset(many, 'x', sizeof(many));
	for (size_t i = 0; i <= NET_CALL_HEADERS_MAX; i++)
		headers[i] = (struct net_header){ STR("X"), STR("y") };
	call.headers = headers;
	call.n_headers = NET_CALL_HEADERS_MAX;
	assert_int_equal(call_check(&call, NULL), 0);
	call.n_headers++;
	assert_int_equal(call_check(&call, NULL), -ERR_LIMIT);
	call.n_headers = 3;
	headers[0].value = headers[1].value = (str){ many, 8192 };
	assert_int_equal(call_check(&call, NULL), -ERR_LIMIT);
	headers[0].value.n = headers[1].value.n = 8000;
	assert_int_equal(call_check(&call, NULL), 0);
	headers[0].value.n = 8193;
	assert_int_equal(call_check(&call, NULL), -EINVAL);
	call = good_call();
	call.body = (str){ many, NET_CALL_BODY_MAX + 1 };
	assert_int_equal(call_check(&call, NULL), -ERR_LIMIT);
}

static void test_call_frame__failures_keep_their_class(void **state)
{
	(void)state;
	static const int classes[] = { -ETIMEDOUT, -ECONNREFUSED, -EKEYREJECTED, -ERR_LIMIT,
		-EINVAL, -EPROTO, -EIO };
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		autobuf out = BUF(1000);
		struct err why = { 0 }, err = { 0 };
		(void)err_set(&why, classes[i], "because \033[2J");
		call_fail_add(&out, 1, &why);
		assert_int_equal(call_fail_read(payload_of(&out), &err), classes[i]);
		assert_string_equal(err.text, "because ?[2J");
	}
	autobuf out = BUF(1000);
	struct err why = { .code = -ENOENT, .text = "x" };
	call_fail_add(&out, 1, &why);
	assert_int_equal(call_fail_read(payload_of(&out), NULL), -EIO);
	assert_int_equal(call_fail_read(STR("\x63"), NULL), -EPROTO);
}

static void test_call_frame__a_head_has_only_headers_of_interest(void **state)
{
	(void)state;
	static const struct {
		const char *names[2];
		const char *value;
		bool good;
	} rows[] = { { { "etag", "location" }, "x", true }, { { "ETag", "location" }, "", true },
		{ { "etag", "etag" }, "x", false }, { { "set-cookie", "etag" }, "x", false },
		{ { "etag", "location" }, "a\nb", false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autobuf out = BUF(1000);
		struct net_header headers[2], room[CALL_KEPT_MAX];
		for (size_t j = 0; j < 2; j++)
			headers[j] = (struct net_header){ str_from_c(rows[i].names[j]),
				str_from_c(rows[i].value) };
		struct net_call_answer answer = { .status = 200,
			.date_at = -1,
			.retry_after_s = -1,
			.headers = headers,
			.n_headers = 2 };
		struct net_call_answer read;
		call_head_add(&out, 1, &answer);
		assert_int_equal(call_head_read(payload_of(&out), room, &read), rows[i].good);
		if (rows[i].good)
			assert_true(str_eq(read.headers[0].name, STR("etag")));
	}
}

static void test_call_frame__a_head_has_numbers_that_there_are(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		int64_t date_at, retry_after_s;
		bool good;
	} rows[] = { { 200, -1, -1, true }, { 599, INT64_C(253402300799), INT32_MAX, true },
		{ 199, 0, 0, false }, { 600, 0, 0, false }, { 200, -2, 0, false },
		{ 200, 0, -2, false }, { 200, INT64_MAX, 0, false }, { 200, 0, INT64_MAX, false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autobuf out = BUF(1000);
		struct net_header room[CALL_KEPT_MAX];
		struct net_call_answer answer = { .status = rows[i].status,
			.date_at = rows[i].date_at,
			.retry_after_s = rows[i].retry_after_s };
		struct net_call_answer read;
		call_head_add(&out, 1, &answer);
		assert_int_equal(call_head_read(payload_of(&out), room, &read), rows[i].good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_frame__every_part_of_a_frame_is_waited_for),
		cmocka_unit_test(test_call_frame__what_cannot_become_a_frame_is_not_waited_for),
		cmocka_unit_test(test_call_frame__a_request_is_read_as_it_was_written),
		cmocka_unit_test(test_call_frame__a_setup_is_read_as_it_was_written),
		cmocka_unit_test(test_call_frame__headers_have_limits),
		cmocka_unit_test(test_call_frame__failures_keep_their_class),
		cmocka_unit_test(test_call_frame__a_head_has_only_headers_of_interest),
		cmocka_unit_test(test_call_frame__a_head_has_numbers_that_there_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
