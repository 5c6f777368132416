/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/words.h"

static const char job[] = "{\"Steps\":[{\"Name\":\"a\",\"Action\":\"aws:runShellScript\","
                          "\"Status\":\"Success\",\"Code\":0,"
                          "\"Out\":\"fine\",\"Err\":\"\",\"Start\":\"2026-01-01T00:00:00Z\","
                          "\"End\":\"2026-01-01T00:00:01Z\"},"
                          "{\"Name\":\"b\",\"Action\":\"aws:runShellScript\",\"Status\":\"Failed\","
                          "\"Code\":2,\"Out\":\"\","
                          "\"Err\":\"no such \\\"thing\\\"\"}],\"Status\":\"Failed\"}";

static void test_words__a_summary_counts_and_says_why(void **state)
{
	(void)state;
	struct arena arena = ARENA(1u << 20);
	const struct value *v = NULL;
	autobuf text = BUF(4096);
	assert_int_equal(value_from_json(STR(job), &arena, &v, NULL), 0);
	words_summary(v, &text);
	assert_true(str_eq(buf_str(&text),
	        STR("2 out of 2 plugins processed, 1 success, 1 failed, 0 timedout, 0 skipped. The "
	            "operation b failed because no such \"thing\"")));
	buf_clear(&text);
	words_summary(NULL, &text);
	assert_true(text.n > 0);
	arena_fini(&arena);
}

static void test_words__a_status_is_cut_to_what_the_service_takes(void **state)
{
	(void)state;
	struct arena arena = ARENA(1u << 20);
	const struct association association = { .id = STR("id"), .version = STR("1") };
	autobuf summary = BUF(4096);
	autobuf body = BUF(8192);
	const struct value *v = NULL;
	for (int i = 0; i < 300; i++)
		buf_add(&summary, STR("\xc3\xa4\xe2\x82\xac"));
	words_association(&association, STR("mi-1"), STR("Failed"), buf_str(&summary),
	        STR("ExecutionError"), 1800000000123, &body);
	assert_int_equal(value_from_json(buf_str(&body), &arena, &v, NULL), 0);
	const struct value *result = value_get(v, STR("ExecutionResult"));
	assert_true(value_get_str(result, STR("ExecutionSummary")).n <= 510);
	assert_true(value_get_str(result, STR("ExecutionSummary")).n > 500);
	arena_fini(&arena);
}

static void test_words__a_reply_holds_each_step(void **state)
{
	(void)state;
	struct arena arena = ARENA(1u << 20);
	const struct platform platform = { .name = STR("Debian"), .version = STR("12") };
	const struct value *v = NULL, *body = NULL, *payload = NULL;
	autobuf text = BUF(1u << 20);
	assert_int_equal(value_from_json(STR(job), &arena, &v, NULL), 0);
	words_reply(STR("m"), STR("r"), v, STR("Failed"), (str){ NULL, 0 }, &platform, 0, &text);
	assert_int_equal(value_from_json(buf_str(&text), &arena, &body, NULL), 0);
	assert_int_equal(
	        value_from_json(value_get_str(body, STR("Payload")), &arena, &payload, NULL), 0);
	const struct value *steps = value_get(payload, STR("runtimeStatus"));
	assert_int_equal(value_count(steps), 2);
	assert_int_equal(value_get_i64(value_get(steps, STR("b")), STR("code"), -1), 2);
	assert_true(str_eq(value_get_str(payload, STR("documentStatus")), STR("Failed")));
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words__a_summary_counts_and_says_why),
		cmocka_unit_test(test_words__a_status_is_cut_to_what_the_service_takes),
		cmocka_unit_test(test_words__a_reply_holds_each_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
