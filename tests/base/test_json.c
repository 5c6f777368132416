/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

static const str none = { NULL, 0 };
static struct arena memory = ARENA(1 << 20);

static int teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

static int finish_skipped(str text)
{
	struct json j = JSON(text, &memory);
	json_skip(&j);
	return json_finish(&j, NULL);
}

/* Reads everything that the reader can read, as a caller with a loop per level would. */
static void walk(struct json *j)
{
	str s;
	bool b;
	switch (json_peek(j)) {
	case JSON_OBJECT:
		for (json_object_begin(j); json_next_key(j, &s);)
			walk(j);
		return;
	case JSON_ARRAY:
		for (json_array_begin(j); json_next_element(j);)
			walk(j);
		return;
	case JSON_STRING: (void)json_string(j, &s); return;
	case JSON_NUMBER: (void)json_number(j, &s); return;
	case JSON_TRUE:
	case JSON_FALSE: (void)json_bool(j, &b); return;
	case JSON_NULL:
	case JSON_NONE:
	default: json_skip(j); return;
	}
}

static int finish_walked(str text)
{
	struct json j = JSON(text, &memory);
	walk(&j);
	return json_finish(&j, NULL);
}

/* RFC 8259 by sections 2 to 7; skipping a text and reading it agree about it. */
static void test_json__valid_texts_are_taken(void **state)
{
	(void)state;
	static const char *const texts[] = { "null", "true", "false", "0", "-0", "1", "-1.5", "1e5",
		"1E+5", "1.0e-05", "10", "\"\"", "\"a\"", "[]", "{}", "[[]]", "[1,2]", "[1,[2,{}]]",
		"{\"a\":1}", "{\"\":null}", "{\"a\":{\"a\":[]},\"b\":[{}]}", " \t\r\n1 \t\r\n",
		" [ 1 , 2 ] ", " { \"a\" : 1 , \"b\" : 2 } ",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"\\uD834\\uDD1E\"", "\"\x7f\"", "\"/\"",
		"{\"a\":1,\"a\":2}", "123456789012345678901234567890", "\"\xe6\x97\xa5\"",
		"[null,true,false]" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (finish_skipped(str_from_c(texts[i])) != 0 ||
		        finish_walked(str_from_c(texts[i])) != 0)
			fail_msg("refused: %s", texts[i]);
	}
}

static void test_json__invalid_texts_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = { "", " ", "nul", "nulll", "True", "tru e", "+1", "01",
		"-01", "1.", ".5", "-", "1e", "1e+", "0x1", "1 2", "1,", "[", "]", "[1", "[1,",
		"[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1",
		"{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{1:1}", "{\"a\" 1}",
		"{\"a\":1 \"b\":2}", "{\"a\":,}", "{\"a\"}", "[}", "{]", "[{]}", "[1}", "{\"a\":1]",
		"[]]", "{}}", "\"", "\"a", "\"\\", "\"\\\"", "'a'", "\"\n\"", "\"\t\"", "\"\x1f\"",
		"NaN", "Infinity", "-Infinity", "// c\n1", "/**/1", "\xef\xbb\xbf 1", "\"\\q\"",
		"\"\\x41\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\u\"", "\"\\U0041\"", "{\"\\q\":1}",
		"\v1", "\f1", "1\xc2\xa0", "--1", "1.e1", "[1]x" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (finish_skipped(str_from_c(texts[i])) != -ERR_FORMAT)
			fail_msg("skipped as if it were JSON: %s", texts[i]);
		if (finish_walked(str_from_c(texts[i])) != -ERR_FORMAT)
			fail_msg("read as if it were JSON: %s", texts[i]);
	}
	assert_int_equal(finish_skipped(STR("\"a\0b\"")), -ERR_FORMAT);
	assert_int_equal(finish_skipped(STR("1\0")), -ERR_FORMAT);
}

/* Every beginning of a valid text that is not one itself is refused, and read within its bounds. */
static void test_json__truncated_texts_are_refused(void **state)
{
	(void)state;
	const str text = STR("{\"a\":[1.5e3,\"\\u00e9x\",{\"b\":null,\"c\":true}],\"d\":-2}");
	assert_int_equal(finish_walked(text), 0);
	for (size_t n = 0; n < text.n; n++) {
		char *exact = malloc(n ? n : 1);
		assert_non_null(exact);
		memcpy(exact, text.p, n);
		assert_int_equal(finish_skipped((str){ exact, n }), -ERR_FORMAT);
		assert_int_equal(finish_walked((str){ exact, n }), -ERR_FORMAT);
		free(exact);
	}
	assert_int_equal(finish_skipped(none), -ERR_FORMAT);
	assert_int_equal(finish_walked(none), -ERR_FORMAT);
}

static void check_string(str text, str expected)
{
	struct json j = JSON(text, &memory);
	str got = STR("untouched");
	assert_true(json_string(&j, &got));
	assert_true(str_eq(got, expected));
	assert_int_equal(json_finish(&j, NULL), 0);
}

static void test_json__escapes_are_decoded(void **state)
{
	(void)state;
	check_string(STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR("\"\\/\b\f\n\r\t"));
	check_string(STR("\"\\u0041\\u00e9\\u00E9\\u65e5\\u0000x\""),
	        STR("A\xc3\xa9\xc3\xa9\xe6\x97\xa5\0x"));
	check_string(STR("\"\\uD834\\uDd1e\""), STR("\xf0\x9d\x84\x9e"));
	check_string(STR("\"\\udbff\\udfff\""), STR("\xf4\x8f\xbf\xbf"));
}

static void test_json__lone_surrogates_become_the_replacement_character(void **state)
{
	(void)state;
	check_string(STR("\"\\ud800\""), STR("\xef\xbf\xbd"));
	check_string(STR("\"\\udc00\""), STR("\xef\xbf\xbd"));
	check_string(STR("\"\\ud800x\""), STR("\xef\xbf\xbdx"));
	check_string(STR("\"\\ud800\\u0041\""), STR("\xef\xbf\xbd"
	                                            "A"));
	check_string(STR("\"\\ud800\\n\""), STR("\xef\xbf\xbd\n"));
	check_string(STR("\"\\ud800\\ud800\\udc00\""), STR("\xef\xbf\xbd\xf0\x90\x80\x80"));
	check_string(STR("\"\\udc00\\ud800\""), STR("\xef\xbf\xbd\xef\xbf\xbd"));
}

static void test_json__plain_strings_borrow_and_others_need_the_arena(void **state)
{
	(void)state;
	static const char text[] = "[\"plain\",\"esc\\naped\"]";
	struct json j = JSON(str_from_c(text), NULL);
	str s;
	assert_true(json_array_begin(&j));
	assert_true(json_next_element(&j));
	assert_true(json_string(&j, &s));
	assert_ptr_equal(s.p, text + 2);
	assert_true(json_next_element(&j));
	assert_false(json_string(&j, &s));
	assert_true(json_failed(&j));
	assert_int_equal(json_finish(&j, NULL), -ERR_LIMIT);
}

static void test_json__values_of_another_type_are_skipped(void **state)
{
	(void)state;
	static const char *const values[] = { "{\"x\":[1]}", "[{}]", "\"s\"", "1", "true", "null" };
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (int kind = 0; kind < 5; kind++) {
			char text[64];
			(void)snprintf(text, sizeof(text), "[%s,42]", values[i]);
			struct json j = JSON(str_from_c(text), &memory);
			str s, number = none;
			bool b, fits;
			assert_true(json_array_begin(&j) && json_next_element(&j));
			if (kind == (int)i)
				continue;
			switch (kind) {
			case 0: fits = json_object_begin(&j); break;
			case 1: fits = json_array_begin(&j); break;
			case 2: fits = json_string(&j, &s); break;
			case 3: fits = json_number(&j, &s); break;
			default: fits = json_bool(&j, &b); break;
			}
			assert_false(fits);
			assert_true(json_next_element(&j));
			assert_true(json_number(&j, &number));
			assert_true(str_eq(number, STR("42")));
			assert_false(json_next_element(&j));
			assert_int_equal(json_finish(&j, NULL), 0);
		}
	}
}

static void test_json__numbers_are_given_as_text(void **state)
{
	(void)state;
	struct json j = JSON(STR(" -12.50E+3 "), &memory);
	str s;
	assert_int_equal(json_peek(&j), JSON_NUMBER);
	assert_true(json_number(&j, &s));
	assert_true(str_eq(s, STR("-12.50E+3")));
	assert_int_equal(json_finish(&j, NULL), 0);
}

static void test_json__the_text_of_a_value_is_kept_raw(void **state)
{
	(void)state;
	struct json j = JSON(STR("{\"a\": [1, {\"b\":\"\\n\"} ] ,\"c\":2}"), &memory);
	str key;
	assert_true(json_object_begin(&j));
	assert_true(json_next_key(&j, &key));
	assert_true(str_eq(json_raw(&j), STR("[1, {\"b\":\"\\n\"} ]")));
	assert_true(json_next_key(&j, &key));
	assert_true(str_eq(key, STR("c")));
	assert_true(str_eq(json_raw(&j), STR("2")));
	assert_false(json_next_key(&j, &key));
	assert_int_equal(json_finish(&j, NULL), 0);
	j = JSON(STR("[1"), &memory);
	assert_int_equal(json_raw(&j).n, 0);
	assert_true(json_failed(&j));
	assert_int_equal(json_raw(&j).n, 0);
}

static str nested(struct buf *buf, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_add(buf, i % 2 ? STR("{\"k\":") : STR("["));
	buf_add(buf, depth % 2 ? STR("1") : STR("2"));
	for (unsigned i = depth; i-- > 0;)
		buf_add_byte(buf, i % 2 ? '}' : ']');
	return buf_str(buf);
}

static void test_json__depth_is_limited(void **state)
{
	(void)state;
	autobuf deepest = BUF(1 << 20), deeper = BUF(1 << 20), far = BUF(8 << 20);
	assert_int_equal(finish_skipped(nested(&deepest, JSON_DEPTH_MAX)), 0);
	assert_int_equal(finish_walked(buf_str(&deepest)), 0);
	assert_int_equal(finish_skipped(nested(&deeper, JSON_DEPTH_MAX + 1)), -ERR_LIMIT);
	assert_int_equal(finish_walked(buf_str(&deeper)), -ERR_LIMIT);
	assert_int_equal(finish_skipped(nested(&far, 1000000)), -ERR_LIMIT);
}

static void test_json__a_failure_is_sticky_and_says_where(void **state)
{
	(void)state;
	struct json j = JSON(STR("{\"a\":1,\"b\" 2,\"c\":3}"), &memory);
	struct err err = { 0 };
	str key, s = STR("untouched");
	bool b = true;
	assert_true(json_object_begin(&j));
	assert_true(json_next_key(&j, &key));
	json_skip(&j);
	assert_false(json_next_key(&j, &key));
	assert_true(json_failed(&j));
	assert_int_equal(json_peek(&j), JSON_NONE);
	assert_false(json_next_key(&j, &key));
	assert_false(json_next_element(&j));
	assert_false(json_object_begin(&j));
	assert_false(json_array_begin(&j));
	assert_false(json_string(&j, &s));
	assert_false(json_number(&j, &s));
	assert_false(json_bool(&j, &b));
	json_skip(&j);
	assert_true(str_eq(s, STR("untouched")));
	assert_int_equal(json_finish(&j, &err), -ERR_FORMAT);
	assert_string_equal(err.text, "byte 11: expected ':'");
}

static void test_json__a_value_left_open_is_a_failure(void **state)
{
	(void)state;
	struct json j = JSON(STR("[1]"), &memory);
	struct err err = { 0 };
	assert_true(json_array_begin(&j));
	assert_true(json_next_element(&j));
	json_skip(&j);
	assert_int_equal(json_finish(&j, &err), -ERR_FORMAT);
	j = JSON(STR("1"), &memory);
	assert_int_equal(json_finish(&j, &err), -ERR_FORMAT);
	assert_string_equal(err.text, "byte 0: more text behind the value");
}

static void test_json__any_byte_flipped_is_harmless(void **state)
{
	(void)state;
	static const char text[] = "{\"a\":[1.5e3,\"\\u00e9x\",{\"b\":null}],\"d\":-2}";
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		for (int c = 0; c < 256; c++) {
			char changed[sizeof(text)];
			memcpy(changed, text, sizeof(text));
			changed[i] = (char)c;
			str s = { changed, sizeof(text) - 1 };
			assert_int_equal(finish_skipped(s), finish_walked(s));
			arena_fini(&memory);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(test_json__valid_texts_are_taken),
		TEST(test_json__invalid_texts_are_refused),
		TEST(test_json__truncated_texts_are_refused),
		TEST(test_json__escapes_are_decoded),
		TEST(test_json__lone_surrogates_become_the_replacement_character),
		TEST(test_json__plain_strings_borrow_and_others_need_the_arena),
		TEST(test_json__values_of_another_type_are_skipped),
		TEST(test_json__numbers_are_given_as_text),
		TEST(test_json__the_text_of_a_value_is_kept_raw),
		TEST(test_json__depth_is_limited),
		TEST(test_json__a_failure_is_sticky_and_says_where),
		TEST(test_json__a_value_left_open_is_a_failure),
		TEST(test_json__any_byte_flipped_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
