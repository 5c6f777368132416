/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"

static void test_err__class_and_sentence_are_kept(void **state)
{
	(void)state;
	struct err err = { 0 };
	assert_int_equal(err_set(&err, -ERR_FORMAT, "line %u: %s", 7u, "bad"), -ERR_FORMAT);
	assert_int_equal(err.code, -ERR_FORMAT);
	assert_string_equal(err.text, "line 7: bad");
}

static void test_err__nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, -ERR_LIMIT, "%s", "x"), -ERR_LIMIT);
}

static void test_err__a_long_sentence_is_cut_between_characters(void **state)
{
	(void)state;
	static const char *const letters[] = { "a", "\xc3\xa9", "\xe6\x97\xa5",
		"\xf0\x9f\x98\x83" };
	for (size_t k = 0; k < 4; k++) {
		for (size_t shift = 0; shift < 5; shift++) {
			autobuf text = BUF(4096);
			for (size_t i = 0; i < shift; i++)
				buf_add_byte(&text, 'x');
			for (size_t i = 0; i < 300; i++)
				buf_add(&text, str_from_c(letters[k]));
			struct err err = { 0 };
			(void)err_set(&err, -ERR_FORMAT, STR_FMT, STR_ARG(buf_str(&text)));
			str kept = str_from_c(err.text);
			assert_true(str_is_utf8(kept));
			assert_true(kept.n > sizeof(err.text) - 6);
			assert_true(str_has_prefix(buf_str(&text), kept));
		}
	}
}

static void test_err__bytes_that_are_not_utf8_do_not_hide_the_rest(void **state)
{
	(void)state;
	struct err err = { 0 };
	(void)err_set(&err, -ERR_FORMAT, "%s: bad", "\xff\xfe");
	assert_string_equal(err.text, "\xff\xfe: bad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err__class_and_sentence_are_kept),
		cmocka_unit_test(test_err__nobody_need_listen),
		cmocka_unit_test(test_err__a_long_sentence_is_cut_between_characters),
		cmocka_unit_test(test_err__bytes_that_are_not_utf8_do_not_hide_the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
