/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/call_answers.h"

static const struct net_call call = { .max_answer_bytes = 10 };

/* One frame, written and taken. */
static int take(
        struct call_answers *answers, enum call_frame_type type, uint16_t number, str payload)
{
	struct err err = { 0 };
	struct call_frame frame = { .type = type, .number = number, .payload = payload };
	int r = call_answers_take(answers, &frame, &err);
	assert_int_equal(err.code, r < 0 ? r : 0);
	return r;
}

static int take_head(struct call_answers *answers, unsigned status)
{
	autobuf out = BUF(1000);
	struct net_call_answer answer = { .status = status, .date_at = -1, .retry_after_s = -1 };
	call_head_add(&out, 1, &answer);
	return take(answers, CALL_FRAME_HEAD, 1, str_skip(buf_str(&out), CALL_FRAME_HEAD_BYTES));
}

static int take_end(struct call_answers *answers, char n)
{
	const char bytes[8] = { n };
	return take(answers, CALL_FRAME_END, 1, (str){ bytes, 8 });
}

static void test_call_answers__head_data_end_is_the_order(void **state)
{
	(void)state;
	struct arena arena = ARENA(10000);
	struct call_answers answers = { .call = &call, .arena = &arena, .number = 1 };
	assert_int_equal(take_head(&answers, 200), CALL_EVENT_HEAD);
	assert_int_equal(take(&answers, CALL_FRAME_DATA, 1, STR("12345")), CALL_EVENT_DATA);
	assert_int_equal(take(&answers, CALL_FRAME_DATA, 1, STR("67890")), CALL_EVENT_DATA);
	assert_int_equal(take_end(&answers, 10), CALL_EVENT_END);
	assert_int_equal(answers.answer.n_bytes, 10);
	assert_int_equal(take_end(&answers, 10), -EPROTO);
	arena_fini(&arena);
}

static void test_call_answers__anything_else_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct arena arena = ARENA(10000);
		struct call_answers answers = { .call = &call, .arena = &arena, .number = 1 };
		int r = 0;
		if (i == 0)
			r = take(&answers, CALL_FRAME_DATA, 1, STR("x"));
		else if (i == 1)
			r = take_end(&answers, 0);
		else
			assert_int_equal(take_head(&answers, 200), CALL_EVENT_HEAD);
		switch (i) {
		case 2: r = take_head(&answers, 200); break;
		case 3: r = take(&answers, CALL_FRAME_DATA, 1, STR("")); break;
		case 4: r = take(&answers, CALL_FRAME_DATA, 2, STR("x")); break;
		case 5: r = take_end(&answers, 1); break;
		case 6: r = take(&answers, CALL_FRAME_KEY, 1, STR("x")); break;
		case 7: r = take(&answers, CALL_FRAME_READY, 1, STR("")); break;
		default: break;
		}
		assert_int_equal(r, -EPROTO);
		assert_false(answers.has_ended);
		arena_fini(&arena);
	}
}

static void test_call_answers__no_more_is_taken_than_allowed(void **state)
{
	(void)state;
	struct arena arena = ARENA(10000);
	struct call_answers answers = { .call = &call, .arena = &arena, .number = 1 };
	assert_int_equal(take_head(&answers, 200), CALL_EVENT_HEAD);
	assert_int_equal(take(&answers, CALL_FRAME_DATA, 1, STR("12345")), CALL_EVENT_DATA);
	assert_int_equal(take(&answers, CALL_FRAME_DATA, 1, STR("678901")), -ERR_LIMIT);
	arena_fini(&arena);
}

static void test_call_answers__only_a_200_goes_to_the_descriptor(void **state)
{
	(void)state;
	struct arena arena = ARENA(10000);
	const struct net_call download = { .max_answer_bytes = 1000, .to_fd = true };
	static const unsigned statuses[] = { 200, 206, 302, 404, 500 };
	for (size_t i = 0; i < 5; i++) {
		struct call_answers answers = { .call = &download, .arena = &arena, .number = 1 };
		assert_int_equal(take_head(&answers, statuses[i]), CALL_EVENT_HEAD);
		assert_int_equal(call_answers_to_fd(&answers), i == 0);
	}
	arena_fini(&arena);
}

static void test_call_answers__a_reported_failure_is_an_orderly_end(void **state)
{
	(void)state;
	struct arena arena = ARENA(10000);
	struct call_answers answers = { .call = &call, .arena = &arena, .number = 1 };
	struct err why = { .code = -ETIMEDOUT, .text = "too slow" };
	autobuf out = BUF(1000);
	call_fail_add(&out, 1, &why);
	str payload = str_skip(buf_str(&out), CALL_FRAME_HEAD_BYTES);
	assert_int_equal(take_head(&answers, 200), CALL_EVENT_HEAD);
	assert_int_equal(take(&answers, CALL_FRAME_FAIL, 1, payload), -ETIMEDOUT);
	assert_true(answers.has_ended);
	arena_fini(&arena);
}

static void test_call_answers__a_full_arena_is_told(void **state)
{
	(void)state;
	struct arena arena = ARENA(1);
	struct call_answers answers = { .call = &call, .arena = &arena, .number = 1 };
	assert_int_equal(take_head(&answers, 200), -ERR_LIMIT);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_answers__head_data_end_is_the_order),
		cmocka_unit_test(test_call_answers__anything_else_is_refused),
		cmocka_unit_test(test_call_answers__no_more_is_taken_than_allowed),
		cmocka_unit_test(test_call_answers__only_a_200_goes_to_the_descriptor),
		cmocka_unit_test(test_call_answers__a_reported_failure_is_an_orderly_end),
		cmocka_unit_test(test_call_answers__a_full_arena_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
