/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/frame.h"

/* Everything is a body: eat all pieces and collect. Returns: the last verdict. */
static enum frame_verdict eat(struct frame *frame, str *in, size_t step, struct buf *out)
{
	for (;;) {
		str piece = str_head(*in, step), data;
		size_t before = piece.n;
		enum frame_verdict verdict = frame_next(frame, &piece, &data);
		*in = str_skip(*in, before - piece.n);
		if (verdict == FRAME_DATA)
			buf_add(out, data);
		else if (verdict != FRAME_MORE || in->n == 0)
			return verdict;
	}
}

static void test_frame__body_ends_where_the_length_says(void **state)
{
	(void)state;
	for (size_t step = 1; step < 10; step++) {
		struct frame frame;
		struct buf out = BUF(100);
		str in = STR("helloGET /");
		frame_begin(&frame, false, 5, 5);
		assert_int_equal(eat(&frame, &in, step, &out), FRAME_DONE);
		assert_true(str_eq(buf_str(&out), STR("hello")));
		assert_true(str_eq(in, STR("GET /")));
		buf_fini(&out);
	}
}

static void test_frame__chunks_are_joined_and_the_rest_is_left(void **state)
{
	(void)state;
	for (size_t step = 1; step < 30; step++) {
		struct frame frame;
		struct buf out = BUF(100);
		str in = STR("3\r\nabc\r\n0002\r\nde\r\n000\r\n\r\nGET /");
		frame_begin(&frame, true, 0, 5);
		assert_int_equal(eat(&frame, &in, step, &out), FRAME_DONE);
		assert_true(str_eq(buf_str(&out), STR("abcde")));
		assert_true(str_eq(in, STR("GET /")));
		buf_fini(&out);
	}
}

static void test_frame__no_body_is_done_at_once(void **state)
{
	(void)state;
	struct frame frame;
	str in = STR("GET"), data;
	frame_begin(&frame, false, 0, 0);
	assert_int_equal(frame_next(&frame, &in, &data), FRAME_DONE);
	assert_int_equal(in.n, 3);
}

static void test_frame__announced_length_is_refused_before_a_byte(void **state)
{
	(void)state;
	struct frame frame;
	str in = { NULL, 0 }, data;
	frame_begin(&frame, false, 6, 5);
	assert_int_equal(frame_next(&frame, &in, &data), FRAME_REFUSED);
	assert_int_equal(frame.status, 413);
}

static void test_frame__chunks_are_refused_by_their_sum(void **state)
{
	(void)state;
	struct frame frame;
	struct buf out = BUF(100);
	str in = STR("3\r\nabc\r\n3\r\n");
	frame_begin(&frame, true, 0, 5);
	assert_int_equal(eat(&frame, &in, 4, &out), FRAME_REFUSED);
	assert_int_equal(frame.status, 413);
	assert_int_equal(out.n, 3);
	buf_fini(&out);
}

static void test_frame__size_has_eight_digits(void **state)
{
	(void)state;
	struct frame frame;
	struct buf out = BUF(100);
	str in = STR("00000001\r\na\r\n");
	frame_begin(&frame, true, 0, 5);
	assert_int_equal(eat(&frame, &in, 4, &out), FRAME_MORE);
	in = STR("000000001");
	assert_int_equal(eat(&frame, &in, 4, &out), FRAME_REFUSED);
	assert_int_equal(frame.status, 400);
	assert_int_equal(eat(&frame, &in, 4, &out), FRAME_REFUSED);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame__body_ends_where_the_length_says),
		cmocka_unit_test(test_frame__chunks_are_joined_and_the_rest_is_left),
		cmocka_unit_test(test_frame__no_body_is_done_at_once),
		cmocka_unit_test(test_frame__announced_length_is_refused_before_a_byte),
		cmocka_unit_test(test_frame__chunks_are_refused_by_their_sum),
		cmocka_unit_test(test_frame__size_has_eight_digits),
	};
	return cmocka_run_group_tests_name("http/frame", tests, NULL, NULL);
}
