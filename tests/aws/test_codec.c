/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "aws/codec.h"

static void test_codec__hexadecimal_text_is_lower_case_and_reads_either(void **state)
{
	(void)state;
	autobuf out = BUF(100);
	uint8_t bytes[3];
	hex_add(&out, STR("\x00\xAB\xff"));
	assert_text(buf_str(&out), "00abff");
	assert_true(hex_decode(STR("00aBFf"), bytes, 3));
	assert_memory_equal(bytes, "\x00\xAB\xff", 3);
	assert_false(hex_decode(STR("00abf"), bytes, 3));
	assert_false(hex_decode(STR("00abffff"), bytes, 3));
	assert_false(hex_decode(STR("00abfg"), bytes, 3));
	assert_false(hex_decode(STR(" 0abff"), bytes, 3));
}

static void test_codec__base64_agrees_with_the_rfc(void **state)
{
	(void)state;
	/* RFC 4648 section 10. */
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autobuf text = BUF(100), bytes = BUF(100);
		base64_add(&text, str_from_c(rows[i][0]));
		assert_text(buf_str(&text), rows[i][1]);
		assert_int_equal(base64_decode(buf_str(&text), &bytes), 0);
		assert_text(buf_str(&bytes), rows[i][0]);
	}
}

static void test_codec__base64_has_one_spelling_only(void **state)
{
	(void)state;
	static const char *const bad[] = { "Zg",
		"Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9v", "Zm-_",
		"=Zm9", "Zm=v" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autobuf out = BUF(100);
		buf_add(&out, STR("before"));
		assert_int_equal(base64_decode(str_from_c(bad[i]), &out), -ERR_FORMAT);
		assert_text(buf_str(&out), "before");
	}
}

static void test_codec__base64_stops_at_a_full_buffer(void **state)
{
	(void)state;
	autobuf out = BUF(5);
	assert_int_equal(base64_decode(STR("Zm9vYmFy"), &out), -ERR_LIMIT);
	assert_int_equal(out.n, 0);
}

static void test_codec__percent_encoding_goes_both_ways(void **state)
{
	(void)state;
	autobuf all = BUF(300), coded = BUF(1000), back = BUF(1000), path = BUF(100);
	for (int c = 0; c < 256; c++)
		buf_add_byte(&all, (char)c);
	percent_add(&coded, buf_str(&all), false);
	assert_int_equal(percent_decode(buf_str(&coded), true, &back), 0);
	assert_true(str_eq(buf_str(&all), buf_str(&back)));
	percent_add(&path, STR("/a b/~%"), true);
	assert_text(buf_str(&path), "/a%20b/~%25");
}

static void test_codec__bad_percent_encoding_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "%", "%1", "a%", "%zz", "%1g", "%%41" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autobuf out = BUF(100);
		assert_int_equal(percent_decode(str_from_c(bad[i]), false, &out), -ERR_FORMAT);
	}
}

static void test_codec__plus_is_a_blank_in_forms_only(void **state)
{
	(void)state;
	autobuf form = BUF(100), address = BUF(100);
	assert_int_equal(percent_decode(STR("a+b%2B"), true, &form), 0);
	assert_int_equal(percent_decode(STR("a+b%2B"), false, &address), 0);
	assert_text(buf_str(&form), "a b+");
	assert_text(buf_str(&address), "a+b+");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codec__hexadecimal_text_is_lower_case_and_reads_either),
		cmocka_unit_test(test_codec__base64_agrees_with_the_rfc),
		cmocka_unit_test(test_codec__base64_has_one_spelling_only),
		cmocka_unit_test(test_codec__base64_stops_at_a_full_buffer),
		cmocka_unit_test(test_codec__percent_encoding_goes_both_ways),
		cmocka_unit_test(test_codec__bad_percent_encoding_is_refused),
		cmocka_unit_test(test_codec__plus_is_a_blank_in_forms_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
