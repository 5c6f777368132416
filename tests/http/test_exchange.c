/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "http/http.h"

static void test_exchange__header_that_could_split_a_reply_is_refused(void **state)
{
	static const str bad_names[] = { { "", 0 }, { "X Y", 3 }, { "X:", 2 }, { "X\r\nY", 4 },
		{ "X\0", 2 }, { "Content-Length", 14 }, { "connection", 10 }, { "DATE", 4 },
		{ "Transfer-Encoding", 17 }, { "Keep-Alive", 10 } };
	static const str bad_values[] = { { "a\r\nb", 4 }, { "a\n", 2 }, { "\r", 1 }, { "a\0b", 3 },
		{ "\x7f", 1 }, { "\x1b[0m", 4 } };
	struct http_response response = { .head = BUF(1000) };
	(void)state;
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
		assert_int_equal(http_response_header(&response, bad_names[i], STR("v")), -EINVAL);
	for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++)
		assert_int_equal(http_response_header(&response, STR("X"), bad_values[i]), -EINVAL);
	assert_int_equal(response.head.n, 0);
	assert_int_equal(http_response_header(&response, STR("X-A"), STR("a\tb \xc3\xa9")), 0);
	assert_int_equal(http_response_header(&response, STR("X-B"), STR("")), 0);
	assert_true(str_eq(buf_str(&response.head), STR("X-A: a\tb \xc3\xa9\r\nX-B: \r\n")));
	buf_fini(&response.head);
}

static void test_exchange__header_is_written_whole_or_not_at_all(void **state)
{
	struct http_response response = { .head = BUF(10) };
	(void)state;
	assert_int_equal(http_response_header(&response, STR("A"), STR("b")), 0);
	assert_int_equal(http_response_header(&response, STR("A"), STR("b")), -ERR_LIMIT);
	assert_true(buf_failed(&response.head));
	assert_true(str_eq(buf_str(&response.head), STR("A: b\r\n")));
	buf_fini(&response.head);
}

static void test_exchange__header_is_found_in_any_case(void **state)
{
	static const struct http_header headers[] = { { { "Host", 4 }, { "h", 1 } },
		{ { "x-a", 3 }, { "1", 1 } }, { { "X-A", 3 }, { "2", 1 } } };
	struct http_request request = { .headers = headers, .n_headers = 3 };
	str value = STR("untouched");
	(void)state;
	assert_false(http_header_find(&request, STR("x-b"), &value));
	assert_true(str_eq(value, STR("untouched")));
	assert_true(http_header_find(&request, STR("X-a"), &value));
	assert_true(str_eq(value, STR("1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange__header_that_could_split_a_reply_is_refused),
		cmocka_unit_test(test_exchange__header_is_written_whole_or_not_at_all),
		cmocka_unit_test(test_exchange__header_is_found_in_any_case),
	};
	return cmocka_run_group_tests_name("http/exchange", tests, NULL, NULL);
}
