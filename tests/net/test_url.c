/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "net/protocol.h"

static void test_url__takes_http_and_https_with_a_host_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "http://a/", true },
		{ "HTTPS://a", true },
		{ "https://user:pass@a:1/x?y#z", true },
		{ "https:///x", false },
		{ "http://", false },
		{ "http://user@/x", false },
		{ "ftp://a/", false },
		{ "file:///etc/passwd", false },
		{ "a/b", false },
		{ "", false },
		{ "http://a/b c", false },
		{ "http://a/\r\nX: y", false },
		{ "http://a/\xc3\xa4", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (net_is_url(str_from_c(rows[i].text)) != rows[i].good)
			fail_msg("%s", rows[i].text);
	}
	char text[NET_URL_MAX + 1];
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://", 7);
	assert_true(net_is_url((str){ text, NET_URL_MAX }));
	assert_false(net_is_url((str){ text, NET_URL_MAX + 1 }));
}

static void test_url__shows_no_secret(void **state)
{
	(void)state;
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{ "https://a.example/b/all.zip", "https://a.example/b/all.zip" },
		{ "https://user:pass@a.example:8/b", "https://***@a.example:8/b" },
		{ "http://u:p@ss@a/b@c", "http://***@a/b@c" },
		{ "http://a/b?token=1#x", "http://a/b..." },
		{ "http://a/\x1b[31m", "http://a/?[31m" },
		{ "file:///etc/passwd", "file:..." },
		{ "gopher", "gopher" },
		{ "", "" },
		{ "http://", "http://" },
	};
	char shown[NET_SHOWN_SIZE];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		net_url_show(str_from_c(rows[i].url), shown);
		assert_string_equal(shown, rows[i].shown);
	}
}

static void test_url__cuts_what_is_too_long_to_show(void **state)
{
	(void)state;
	char url[1024], shown[NET_SHOWN_SIZE];
	for (size_t host = 1; host < 200; host += 9) {
		memset(url, 'h', sizeof(url));
		memcpy(url, "http://", 7);
		url[7 + host] = '/';
		net_url_show((str){ url, sizeof(url) }, shown);
		assert_true(strlen(shown) < NET_SHOWN_SIZE);
		assert_true(host > 90 || str_has_suffix(str_from_c(shown), STR("...")));
	}
}

static void test_url__takes_entity_tags_that_can_be_sent_back(void **state)
{
	(void)state;
	assert_true(net_is_etag(STR("\"abc\"")));
	assert_true(net_is_etag(STR("W/\"abc\"")));
	assert_true(net_is_etag(STR("\"\"")));
	assert_false(net_is_etag(STR("abc")));
	assert_false(net_is_etag(STR("\"")));
	assert_false(net_is_etag(STR("")));
	assert_false(net_is_etag(STR("\"a\"b\"")));
	assert_false(net_is_etag(STR("\"a\r\nX: y\"")));
	char text[NET_ETAG_SIZE];
	memset(text, '"', sizeof(text));
	memset(text + 1, 'x', sizeof(text) - 2);
	assert_false(net_is_etag((str){ text, sizeof(text) }));
}

static void test_url__takes_dates_that_can_be_sent_back(void **state)
{
	(void)state;
	assert_true(net_is_date(STR("Tue, 14 Nov 2023 22:13:20 GMT")));
	assert_false(net_is_date(STR("")));
	assert_false(net_is_date(STR("Tue\r\nX: y")));
	char text[NET_DATE_SIZE];
	memset(text, '1', sizeof(text));
	assert_false(net_is_date((str){ text, sizeof(text) }));
}

static void test_url__names_each_class_both_ways(void **state)
{
	(void)state;
	static const int codes[] = { -ENOENT, -ERR_LIMIT, -ENOSPC, -EIO };
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(net_class_of(str_from_c(net_class_name(codes[i]))), codes[i]);
	assert_string_equal(net_class_name(-EPERM), "failed");
	assert_int_equal(net_class_of(STR("")), 0);
	assert_int_equal(net_class_of(STR("success")), 0);
}

static void test_url__escapes_a_segment(void **state)
{
	(void)state;
	autobuf out = BUF(64);
	net_url_escape(&out, STR("GitHub Actions"));
	assert_true(str_eq(buf_str(&out), STR("GitHub%20Actions")));
	buf_clear(&out);
	net_url_escape(&out, STR("crates.io/..%\xff~_-"));
	assert_true(str_eq(buf_str(&out), STR("crates.io%2F..%25%FF~_-")));
}

static void test_url__finds_itself_on_a_mirror(void **state)
{
	(void)state;
	static const struct {
		const char *url, *mirror, *there;
	} rows[] = {
		{ "https://a.example/b/c.zip", "http://127.0.0.1:80",
		        "http://127.0.0.1:80/a.example/b/c.zip" },
		{ "https://a.example/b", "https://m/x/y//", "https://m/x/y/a.example/b" },
		{ "https://u:p@a.example", "https://w:q@m", "https://w:q@m/a.example" },
	};
	struct err err = { 0 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autobuf out = BUF(128);
		assert_int_equal(net_url_on_mirror(str_from_c(rows[i].url),
		                         str_from_c(rows[i].mirror), &out, &err),
		        0);
		assert_true(str_eq(buf_str(&out), str_from_c(rows[i].there)));
	}
	autobuf out = BUF(16);
	assert_int_equal(
	        net_url_on_mirror(STR("https://a/b"), STR("/srv/mirror"), &out, &err), -ERR_FORMAT);
	assert_int_equal(
	        net_url_on_mirror(STR("file://a/b"), STR("https://m"), &out, &err), -ERR_FORMAT);
	assert_int_equal(net_url_on_mirror(STR("https://a/b"), STR("https://mirror/"), &out, &err),
	        -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url__takes_http_and_https_with_a_host_only),
		cmocka_unit_test(test_url__shows_no_secret),
		cmocka_unit_test(test_url__cuts_what_is_too_long_to_show),
		cmocka_unit_test(test_url__takes_entity_tags_that_can_be_sent_back),
		cmocka_unit_test(test_url__takes_dates_that_can_be_sent_back),
		cmocka_unit_test(test_url__names_each_class_both_ways),
		cmocka_unit_test(test_url__escapes_a_segment),
		cmocka_unit_test(test_url__finds_itself_on_a_mirror),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
