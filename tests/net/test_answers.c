/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "net/answers.h"

static const struct net_request request = {
	.url = "http://a/", .etag = "\"old\"", .max_bytes = 1000
};

static int take_all(
        const struct net_request *to, struct answers *answers, const char *lines, struct err *err)
{
	str rest = str_from_c(lines), line;
	int r = 0;
	*answers = (struct answers){ .request = to };
	while (r >= 0 && str_next_line(&rest, &line))
		r = answers_take(answers, line, err);
	return r;
}

static void test_answers__take_a_whole_fetch(void **state)
{
	(void)state;
	struct answers answers;
	struct err err = { 0 };
	int r = take_all(&request, &answers,
	        "progress 0 0\netag \"new\"\nlast_modified Tue, 14 Nov 2023 22:13:20 GMT\nstart 10 "
	        "900\nprogress 500 900\ndone 900\n",
	        &err);
	assert_int_equal(r, ANSWERS_END);
	assert_false(answers.answer.unchanged);
	assert_int_equal(answers.answer.n_bytes, 900);
	assert_string_equal(answers.answer.etag, "\"new\"");
	assert_string_equal(answers.answer.last_modified, "Tue, 14 Nov 2023 22:13:20 GMT");
}

static void test_answers__forget_the_validators_of_a_body_before(void **state)
{
	(void)state;
	struct answers answers;
	struct err err = { 0 };
	assert_int_equal(
	        take_all(&request, &answers, "etag \"a\"\nstart 0 9\nstart 0 7\ndone 7\n", &err),
	        ANSWERS_END);
	assert_string_equal(answers.answer.etag, "");
	assert_int_equal(answers.answer.n_bytes, 7);
}

static void test_answers__take_unchanged_only_when_it_was_asked(void **state)
{
	(void)state;
	struct answers answers;
	struct err err = { 0 };
	struct net_request plain = request, resumed = request;
	plain.etag = NULL;
	resumed.resume_at_bytes = 5;
	assert_int_equal(take_all(&request, &answers, "unchanged\n", &err), ANSWERS_END);
	assert_true(answers.answer.unchanged);
	assert_int_equal(take_all(&plain, &answers, "unchanged\n", &err), -EPROTO);
	assert_int_equal(take_all(&resumed, &answers, "unchanged\n", &err), -EPROTO);
	assert_int_equal(take_all(&request, &answers, "start 0 1\nunchanged\n", &err), -EPROTO);
}

static void test_answers__pass_on_a_failure(void **state)
{
	(void)state;
	struct answers answers;
	struct err err = { 0 };
	assert_int_equal(take_all(&request, &answers, "error missing HTTP 404\n", &err), -ENOENT);
	assert_string_equal(err.text, "HTTP 404");
	assert_int_equal(take_all(&request, &answers, "error limit a\x1b[2J\n", &err), -ERR_LIMIT);
	assert_string_equal(err.text, "a?[2J");
	assert_true(answers.ended);
}

static void test_answers__refuse_everything_else(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"\n",
		"hello\n",
		"done 5\n",                       /* of a body that never began */
		"start 0 10\ndone 9\n",           /* shorter than announced */
		"start 0 10\ndone 10\ndone 10\n", /* after the end */
		"start 0 1001\n",                 /* past the limit */
		"start 5 4\n",
		"start 0 0\ndone 1001\n",
		"start 0 0\ndone 99999999999999999999999\n",
		"start 0 0\ndone -1\n",
		"start 0\n",
		"start\n",
		"progress 1\n",
		"progress 1 2 3\n",
		"progress 1001 0\n",
		"progress x y\n",
		"etag abc\n",
		"etag\n",
		"last_modified \xff\n",
		"error\n",
		"error missing\n",
		"error missing \n",
		"error success all is well\n",
		"error 0 all is well\n",
		"sonde-net: error while loading shared libraries: libcurl.so.4: not found\n",
	};
	struct answers answers;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		if (take_all(&request, &answers, rows[i], &err) != -EPROTO || err.text[0] == '\0')
			fail_msg("%s", rows[i]);
	}
}

static void test_answers__have_an_end(void **state)
{
	(void)state;
	struct answers answers = { .request = &request };
	struct err err = { 0 };
	int r = 0;
	uint64_t n = 0;
	for (; r >= 0 && n < UINT32_MAX; n++)
		r = answers_take(&answers, STR("progress 1 2"), &err);
	assert_int_equal(r, -EPROTO);
	assert_int_equal(n, NET_ANSWERS_MAX / sizeof("progress 1 2") + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers__take_a_whole_fetch),
		cmocka_unit_test(test_answers__forget_the_validators_of_a_body_before),
		cmocka_unit_test(test_answers__take_unchanged_only_when_it_was_asked),
		cmocka_unit_test(test_answers__pass_on_a_failure),
		cmocka_unit_test(test_answers__refuse_everything_else),
		cmocka_unit_test(test_answers__have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
