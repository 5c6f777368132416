/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>

#include "aws/rest.h"

static struct arena memory = ARENA(4 << 20);

static int teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

static int route(const char *method, const char *path, struct rest_route *ret)
{
	return rest_route(STR("inspector2"), str_from_c(method), str_from_c(path), &memory, ret);
}

static void test_rest__each_operation_is_reached_by_its_own_address(void **state)
{
	(void)state;
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	for (size_t i = 0; i < n; i++) {
		struct rest_route r;
		if (strcmp(all[i].service, "inspector2") != 0)
			continue;
		assert_int_equal(
		        route(all[i].method, all[i].uri, &r), 0); /* "{x}" is a value of itself */
		assert_ptr_equal(r.operation, &all[i]);
	}
}

static void test_rest__labels_are_decoded(void **state)
{
	(void)state;
	struct rest_route r;
	assert_int_equal(route("GET", "/tags/arn%3Aaws%3Ainspector2%3Aeu%3A1%3Aowner%2F1", &r), 0);
	assert_string_equal(r.operation->name, "ListTagsForResource");
	assert_int_equal(r.n, 1);
	assert_text(r.names[0], "resourceArn");
	assert_text(r.labels[0], "arn:aws:inspector2:eu:1:owner/1");
	assert_int_equal(route("DELETE", "/tags/arn:aws:x/filter/y", &r), 0);
	assert_string_equal(r.operation->name, "UntagResource");
	assert_text(r.labels[0], "arn:aws:x/filter/y");
}

static void test_rest__other_addresses_are_refused(void **state)
{
	(void)state;
	struct rest_route r;
	static const char *const none[] = { "", "/", "/enable/", "//enable", "/Enable", "/enable/x",
		"enable", "/tags", "/tags/", "/%65nable", "/x/../enable" };
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(route("POST", none[i], &r), -ENOENT);
	assert_int_equal(route("GET", "/enable", &r), -ENOENT);
	assert_int_equal(rest_route(STR("ssm"), STR("POST"), STR("/enable"), &memory, &r), -ENOENT);
	assert_int_equal(route("GET", "/tags/%zz", &r), -ERR_FORMAT);
	assert_int_equal(route("GET", "/tags/a%00", &r), -ERR_FORMAT);
	assert_int_equal(route("GET", "/tags/%ff", &r), -ERR_FORMAT);
}

static void input(const char *method, const char *path, const char *query, const char *body,
        const char *expected)
{
	struct rest_route r;
	struct err err = { 0 };
	const struct value *v = NULL;
	autobuf out = BUF(4096);
	assert_int_equal(route(method, path, &r), 0);
	assert_int_equal(rest_input(&r, str_from_c(query), body ? parse(&memory, body) : NULL,
	                         &memory, &v, &err),
	        0);
	print_value(v, &out);
	assert_text(buf_str(&out), expected);
}

static void test_rest__input_is_gathered_from_all_places(void **state)
{
	(void)state;
	input("DELETE", "/tags/a%2Fb", "tagKeys=x%20y&other=1&tagKeys=z+", NULL,
	        "{\"resourceArn\":\"a/b\",\"tagKeys\":[\"x y\",\"z+\"]}");
	input("POST", "/tags/a", "",
	        "{\"tags\":{\"k\":\"v\"},\"resourceArn\":\"forged\",\"more\":1}",
	        "{\"resourceArn\":\"a\",\"tags\":{\"k\":\"v\"}}");
	input("POST", "/enable", "", NULL, "{}");
	input("POST", "/enable", "resourceTypes=EC2", "{\"clientToken\":null}", "{}");
}

static void test_rest__bad_input_is_refused(void **state)
{
	(void)state;
	struct rest_route r;
	struct err err = { 0 };
	const struct value *v = NULL;
	autobuf many = BUF(8192);
	assert_int_equal(route("DELETE", "/tags/a", &r), 0);
	assert_int_equal(
	        rest_input(&r, STR(""), parse(&memory, "[]"), &memory, &v, &err), -ERR_FORMAT);
	assert_int_equal(rest_input(&r, STR("tagKeys=%"), NULL, &memory, &v, &err), -ERR_FORMAT);
	assert_int_equal(rest_input(&r, STR("tagKeys=%00"), NULL, &memory, &v, &err), -ERR_FORMAT);
	for (int i = 0; i < 600; i++)
		buf_add(&many, STR("a=1&"));
	assert_int_equal(rest_input(&r, buf_str(&many), NULL, &memory, &v, &err), -ERR_LIMIT);
	assert_null(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(test_rest__each_operation_is_reached_by_its_own_address),
		TEST(test_rest__labels_are_decoded),
		TEST(test_rest__other_addresses_are_refused),
		TEST(test_rest__input_is_gathered_from_all_places),
		TEST(test_rest__bad_input_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
