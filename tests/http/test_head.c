/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/head.h"
#include "matrix.h"
#include "message.h"

static const struct head_limits small = { .head_bytes = 256, .target_bytes = 32 };

static enum head_verdict read_head(struct head *head, str bytes)
{
	head_begin(head, &small);
	return head_feed(head, bytes);
}

static void test_head__matrix_rows_get_their_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < MATRIX_ROWS; i++) {
		struct message message;
		message_read(&message, matrix[i].bytes, SIZE_MAX, 1);
		if (message.status != matrix[i].status)
			fail_msg(
			        "%s: %d, not %d", matrix[i].name, message.status, matrix[i].status);
		if (message.status == 200)
			assert_int_equal(message.n_used, matrix[i].bytes.n);
		message_fini(&message);
	}
}

static void test_head__every_split_gives_the_same_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < MATRIX_ROWS; i++) {
		str bytes = matrix[i].bytes;
		for (size_t first = 1; first <= bytes.n; first++) {
			for (size_t step = 1; step <= bytes.n; step += bytes.n - 1) {
				struct message message;
				message_read(&message, bytes, first, step);
				if (message.status != matrix[i].status)
					fail_msg("%s, split at %zu: %d", matrix[i].name, first,
					        message.status);
				message_fini(&message);
			}
		}
	}
}

static void test_head__every_cut_of_a_sound_request_waits_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < MATRIX_ROWS && matrix[i].status == 200; i++) {
		for (size_t n = 0; n < matrix[i].bytes.n; n++) {
			struct message message;
			message_read(&message, str_head(matrix[i].bytes, n), SIZE_MAX, 1);
			assert_int_equal(message.status, 0);
			message_fini(&message);
		}
	}
}

static void test_head__parts_are_where_they_stand(void **state)
{
	(void)state;
	struct head head;
	str bytes =
	        STR("PUT /a?b HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\nContent-Length: 7\r\n\r\nrest");
	assert_int_equal(read_head(&head, bytes), HEAD_DONE);
	assert_int_equal(head.at, bytes.n - 4);
	assert_true(str_eq(head_text(bytes, head.method), STR("PUT")));
	assert_true(str_eq(head_text(bytes, head.target), STR("/a?b")));
	assert_int_equal(head.n_fields, 3);
	assert_true(str_eq(head_text(bytes, head.fields[1].name), STR("X-Y")));
	assert_true(str_eq(head_text(bytes, head.fields[1].value), STR("z")));
	assert_true(head.has_length && !head.is_chunked && head.minor == 1);
	assert_int_equal(head.length, 7);
}

static void test_head__connection_close_is_found_in_a_list(void **state)
{
	(void)state;
	struct head head;
	assert_int_equal(read_head(&head, STR("GET / HTTP/1.1\r\nHost: h\r\n"
	                                      "Connection: TE ,\tClose\r\n\r\n")),
	        HEAD_DONE);
	assert_true(head.wants_close);
	assert_int_equal(read_head(&head, STR("GET / HTTP/1.1\r\nHost: h\r\n"
	                                      "Connection: keep-alive, closed\r\n\r\n")),
	        HEAD_DONE);
	assert_false(head.wants_close);
}

static void test_head__expectation_of_an_old_client_is_ignored(void **state)
{
	(void)state;
	struct head head;
	assert_int_equal(
	        read_head(&head, STR("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")), HEAD_DONE);
	assert_false(head.wants_continue);
	assert_int_equal(read_head(&head, STR("PUT / HTTP/1.1\r\nHost: h\r\n"
	                                      "expect: 100-Continue\r\n\r\n")),
	        HEAD_DONE);
	assert_true(head.wants_continue);
}

/* A head whose target is as long as wanted, and which is `n` bytes long. */
static size_t write_head(char *bytes, size_t n_target, size_t n)
{
	static const char middle[] = " HTTP/1.1\r\nHost: h\r\nX: ";
	memcpy(bytes, "GET /", 5);
	memset(bytes + 5, 'a', n_target - 1);
	size_t at = 4 + n_target;
	memcpy(bytes + at, middle, sizeof(middle) - 1);
	at += sizeof(middle) - 1;
	memset(bytes + at, 'b', n - at);
	memcpy(bytes + n - 4, "\r\n\r\n", 4);
	return n;
}

static void test_head__limits_are_exact(void **state)
{
	(void)state;
	char bytes[512];
	struct head head;
	str s = { bytes, write_head(bytes, 32, 256) };
	assert_int_equal(read_head(&head, s), HEAD_DONE);
	s.n = write_head(bytes, 32, 257);
	assert_int_equal(read_head(&head, s), HEAD_REFUSED);
	assert_int_equal(head.status, 431);
	s.n = write_head(bytes, 33, 256);
	assert_int_equal(read_head(&head, s), HEAD_REFUSED);
	assert_int_equal(head.status, 414);
}

static void test_head__fields_are_counted(void **state)
{
	(void)state;
	for (size_t n = HTTP_HEADERS_MAX; n <= HTTP_HEADERS_MAX + 1; n++) {
		struct head_limits limits = { .head_bytes = 16384, .target_bytes = 100 };
		struct head head;
		struct buf buf = BUF(16384);
		buf_add(&buf, STR("GET / HTTP/1.1\r\nHost: h\r\n"));
		for (size_t i = 1; i < n; i++)
			buf_add(&buf, STR("A: b\r\n"));
		buf_add(&buf, STR("\r\n"));
		head_begin(&head, &limits);
		assert_int_equal(head_feed(&head, buf_str(&buf)),
		        n == HTTP_HEADERS_MAX ? HEAD_DONE : HEAD_REFUSED);
		assert_int_equal(head.status, n == HTTP_HEADERS_MAX ? 0 : 431);
		buf_fini(&buf);
	}
}

static void test_head__refusal_stays(void **state)
{
	(void)state;
	struct head head;
	assert_int_equal(read_head(&head, STR("GET  ")), HEAD_REFUSED);
	assert_int_equal(head_feed(&head, STR("GET  / HTTP/1.1\r\n\r\n")), HEAD_REFUSED);
	assert_int_equal(head.status, 400);
	assert_non_null(head.reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head__matrix_rows_get_their_verdict),
		cmocka_unit_test(test_head__every_split_gives_the_same_verdict),
		cmocka_unit_test(test_head__every_cut_of_a_sound_request_waits_for_more),
		cmocka_unit_test(test_head__parts_are_where_they_stand),
		cmocka_unit_test(test_head__connection_close_is_found_in_a_list),
		cmocka_unit_test(test_head__expectation_of_an_old_client_is_ignored),
		cmocka_unit_test(test_head__limits_are_exact),
		cmocka_unit_test(test_head__fields_are_counted),
		cmocka_unit_test(test_head__refusal_stays),
	};
	return cmocka_run_group_tests_name("http/head", tests, NULL, NULL);
}
