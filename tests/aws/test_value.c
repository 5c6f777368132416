/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

static struct arena memory = ARENA(4 << 20);

static int teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

static int refused(const char *text, size_t n)
{
	const struct value *v = NULL;
	struct err err = { 0 };
	int r = value_from_json((str){ text, n }, &memory, &v, &err);
	assert_true(r == 0 || (v == NULL && err.text[0] != '\0'));
	return r;
}

static void test_value__members_are_found_and_missing_ones_are_null(void **state)
{
	(void)state;
	const struct value *v =
	        parse(&memory, " {\"a\": {\"b\": [1, \"x\", true]}, \"n\": null, \"e\": \"\"} ");
	const struct value *b = value_get(value_get(v, STR("a")), STR("b"));
	int64_t n = 0;
	bool yes = false;
	assert_int_equal(value_kind(v), VALUE_OBJECT);
	assert_int_equal(value_count(v), 3);
	assert_text(value_key_at(v, 1), "n");
	assert_int_equal(value_count(b), 3);
	assert_true(value_i64(value_at(b, 0), &n));
	assert_int_equal(n, 1);
	assert_text(value_str(value_at(b, 1)), "x");
	assert_true(value_bool(value_at(b, 2), &yes));
	assert_true(yes);
	assert_null(value_at(b, 3));
	assert_null(value_get(v, STR("n")));
	assert_null(value_get(v, STR("z")));
	assert_null(value_get(NULL, STR("z")));
	assert_null(value_get(b, STR("z")));
	assert_null(value_str(value_get(v, STR("z"))).p);
	assert_non_null(value_get_str(v, STR("e")).p);
	assert_int_equal(value_get_str(v, STR("e")).n, 0);
	assert_int_equal(value_get_i64(v, STR("z"), 7), 7);
	assert_true(value_get_bool(v, STR("z"), true));
}

static void test_value__large_objects_are_searched_by_an_index(void **state)
{
	(void)state;
	autobuf text = BUF(1 << 20);
	for (int i = 0; i < 3000; i++)
		buf_printf(&text, "%s\"key%d\":%d", i ? "," : "{", i * 7919 % 3000, i);
	buf_add(&text, STR("}\0"));
	text.n--;
	buf_add_byte(&text, '\0');
	const struct value *v = parse(&memory, text.p);
	assert_int_equal(value_count(v), 3000);
	for (int i = 0; i < 3000; i++) {
		char key[32];
		(void)snprintf(key, sizeof(key), "key%d", i * 7919 % 3000);
		assert_int_equal(value_get_i64(v, str_from_c(key), -1), i);
	}
	assert_null(value_get(v, STR("key3000")));
}

static void test_value__what_is_not_acceptable_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\":1,}", "nul", "1 2",
		"{\"a\" 1}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
		"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"",
		"\"\\ud800\\ud800\\udc00\"", "\"\\ud800\\n\"", "{\"\\udc00\":1}", "\"a\\u0000b\"",
		"{\"\\u0000\":1}", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "{\"\xff\":1}",
		"01", "1.", "\"\t\"", "\"\\x\"" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (refused(bad[i], strlen(bad[i])) != -ERR_FORMAT)
			fail_msg("%s", bad[i]);
	}
	assert_int_equal(refused("\"a\0b\"", 5), -ERR_FORMAT);
	assert_int_equal(refused("1\0", 2), -ERR_FORMAT);
}

static void test_value__a_key_that_stands_twice_is_found_among_many(void **state)
{
	(void)state;
	autobuf text = BUF(1 << 20);
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%s\"key%d\":0", i ? "," : "{", i);
	buf_add(&text, STR(",\"key500\":1}"));
	assert_int_equal(refused(text.p, text.n), -ERR_FORMAT);
}

static void test_value__escapes_are_decoded(void **state)
{
	(void)state;
	const struct value *v =
	        parse(&memory, "[\"\\ud83d\\ude00\\u00e9\\\\u0000\\/\", \"\\\\\\\\ud800\"]");
	assert_text(value_str(value_at(v, 0)), "\xf0\x9f\x98\x80\xc3\xa9\\u0000/");
	assert_text(value_str(value_at(v, 1)), "\\\\ud800");
}

static void test_value__depth_is_limited(void **state)
{
	(void)state;
	char text[2 * VALUE_DEPTH_MAX + 2];
	memset(text, '[', VALUE_DEPTH_MAX + 1);
	memset(text + VALUE_DEPTH_MAX + 1, ']', VALUE_DEPTH_MAX + 1);
	assert_int_equal(refused(text + 1, 2 * VALUE_DEPTH_MAX), 0);
	assert_int_equal(refused(text, sizeof(text)), -ERR_LIMIT);
}

static void test_value__the_arena_limits_the_number_of_values(void **state)
{
	(void)state;
	struct arena small = ARENA(4096);
	autobuf text = BUF(1 << 20);
	const struct value *v = NULL;
	for (int i = 0; i < 1000; i++)
		buf_add(&text, i ? STR(",1") : STR("[1"));
	buf_add_byte(&text, ']');
	assert_int_equal(value_from_json(buf_str(&text), &small, &v, NULL), -ERR_LIMIT);
	arena_fini(&small);
	assert_int_equal(refused(text.p, text.n), 0);
}

static void test_value__numbers_are_read_exactly_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_whole;
		int64_t n;
	} rows[] = { { "0", true, 0 }, { "-0", true, 0 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN }, { "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 }, { "1.0", false, 0 }, { "1e3", false, 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t n = 0;
		assert_int_equal(value_i64(parse(&memory, rows[i].text), &n), rows[i].is_whole);
		assert_int_equal(n, rows[i].n);
	}
	static const char *const doubles[] = { "0", "1", "-1.5", "3.141592653589793", "1e22",
		"1e-7", "123456789012345678901234567890", "0.000001", "1.7976931348623157e308",
		"2.5E+3", "4.9e-324", "1751328000.123", "0.1" };
	for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		double d = 0, want = strtod(doubles[i], NULL);
		assert_true(value_f64(parse(&memory, doubles[i]), &d));
		assert_true(d == want || (d - want) / want < 3e-16);
	}
	double d;
	assert_false(value_f64(parse(&memory, "1e400"), &d));
	assert_false(value_f64(parse(&memory, "\"1\""), &d));
	assert_true(value_f64(parse(&memory, "1e-400"), &d));
}

static void test_value__writing_gives_what_was_read(void **state)
{
	(void)state;
	const char *text =
	        "{\"a\":[1.50,-0,1e400,\"\\\"\\\\\",null,true,false,{},[]],\"\xc3\xa9\":\"\"}";
	autobuf out = BUF(1000), none = BUF(100);
	print_value(parse(&memory, text), &out);
	assert_text(buf_str(&out), text);
	print_value(NULL, &none);
	assert_text(buf_str(&none), "null");
}

static void test_value__built_values_are_as_parsed_ones(void **state)
{
	(void)state;
	struct value items[2] = { value_of_number(STR("7")), value_of_bool(true) }, list, object;
	autobuf out = BUF(1000);
	assert_int_equal(value_of_items(&memory, items, 2, &list), 0);
	struct value_member members[2] = { { STR("list"), list },
		{ STR("text"), value_of_str((str){ NULL, 0 }) } };
	assert_int_equal(value_of_members(&memory, members, 2, &object), 0);
	print_value(&object, &out);
	assert_text(buf_str(&out), "{\"list\":[7,true],\"text\":\"\"}");
	members[1].key = STR("list");
	assert_int_equal(value_of_members(&memory, members, 2, &object), -ERR_FORMAT);
	assert_true(value_is_number(STR("-1.5e3")));
	assert_false(value_is_number(STR("1x")));
	assert_false(value_is_number(STR(" 1")));
	assert_false(value_is_number(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(test_value__members_are_found_and_missing_ones_are_null),
		TEST(test_value__large_objects_are_searched_by_an_index),
		TEST(test_value__what_is_not_acceptable_is_refused),
		TEST(test_value__a_key_that_stands_twice_is_found_among_many),
		TEST(test_value__escapes_are_decoded),
		TEST(test_value__depth_is_limited),
		TEST(test_value__the_arena_limits_the_number_of_values),
		TEST(test_value__numbers_are_read_exactly_or_not_at_all),
		TEST(test_value__writing_gives_what_was_read),
		TEST(test_value__built_values_are_as_parsed_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
