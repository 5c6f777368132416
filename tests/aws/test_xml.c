/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "aws/xml.h"

static void test_xml__elements_nest_and_carry_one_namespace(void **state)
{
	(void)state;
	autobuf out = BUF(1000);
	struct xml w = XML(&out);
	xml_begin(&w, "R", "http://x/?a&b");
	xml_begin(&w, "item", NULL);
	xml_i64(&w, "n", -7);
	xml_bool(&w, "b", true);
	xml_end(&w);
	xml_text(&w, "e", (str){ NULL, 0 });
	xml_end(&w);
	assert_text(buf_str(&out),
	        "<R xmlns=\"http://x/?a&amp;b\"><item><n>-7</n><b>true</b></item><e></e></R>");
	assert_int_equal(w.depth, 0);
}

static void test_xml__text_is_escaped(void **state)
{
	(void)state;
	autobuf out = BUF(1000);
	struct xml w = XML(&out);
	xml_text(&w, "t", STR("<a href=\"'\">&\r\n\t]]>\xc3\xa9"));
	assert_text(buf_str(&out),
	        "<t>&lt;a href=&quot;&apos;&quot;&gt;&amp;&#13;\n\t]]&gt;\xc3\xa9</t>");
}

static void test_xml__what_xml_does_not_allow_is_replaced(void **state)
{
	(void)state;
	autobuf out = BUF(1000);
	struct xml w = XML(&out);
	xml_text(
	        &w, "t", STR("\x01|\x0b|\xff|\xef\xbf\xbe|\xef\xbf\xbf|\xed\xa0\x80|\xef\xbf\xbd"));
#define BAD "\xef\xbf\xbd"
	assert_text(buf_str(&out),
	        "<t>" BAD "|" BAD "|" BAD "|" BAD "|" BAD "|" BAD BAD BAD "|" BAD "</t>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml__elements_nest_and_carry_one_namespace),
		cmocka_unit_test(test_xml__text_is_escaped),
		cmocka_unit_test(test_xml__what_xml_does_not_allow_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
