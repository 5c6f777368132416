/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "aws/query.h"

static struct arena memory = ARENA(8 << 20);

static int teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

static int decode(const char *service, const char *name, const char *form, const struct value **ret,
        struct err *err)
{
	enum protocol protocol;
	const struct operation_shape *op = operation_find(str_from_c(service), str_from_c(name));
	assert_non_null(op);
	assert_true(protocol_of(str_from_c(service), &protocol));
	return query_decode(protocol, op->input, str_from_c(form), &memory, ret, err);
}

static void good(const char *service, const char *name, const char *form, const char *expected)
{
	const struct value *v = NULL;
	struct err err = { 0 };
	autobuf out = BUF(8192);
	if (decode(service, name, form, &v, &err) != 0)
		fail_msg("%s", err.text);
	print_value(v, &out);
	assert_text(buf_str(&out), expected);
}

static void bad(const char *service, const char *name, const char *form, int r, const char *text)
{
	const struct value *v = NULL;
	struct err err = { 0 };
	assert_int_equal(decode(service, name, form, &v, &err), r);
	assert_string_equal(err.text, text);
	assert_null(v);
}

static void test_query__lists_of_ec2_are_flat(void **state)
{
	(void)state;
	good("ec2", "CreateTags",
	        "Action=CreateTags&Version=2016-11-15&ResourceId.1=i-1&ResourceId.2=i-2&Tag.1.Key="
	        "a+b&Tag.1.Value=%C3%A9"
	        "&Tag.2.Key=c&Tag.2.Value=",
	        "{\"ResourceId\":[\"i-1\",\"i-2\"],\"Tag\":[{\"Key\":\"a "
	        "b\",\"Value\":\"\xc3\xa9\"},"
	        "{\"Key\":\"c\",\"Value\":\"\"}]}");
	good("ec2", "DescribeTags",
	        "Filter.10.Name=c&Filter.2.Name=b&Filter.1.Name=a&Filter.1.Value.2=y&Filter.1."
	        "Value.1=x&MaxResults=5&"
	        "DryRun=true",
	        "{\"DryRun\":true,\"Filter\":[{\"Name\":\"a\",\"Value\":[\"x\",\"y\"]},{\"Name\":"
	        "\"b\"},"
	        "{\"Name\":\"c\"}],\"MaxResults\":5}");
	good("ec2", "DescribeInstances", "", "{}");
}

static void test_query__lists_of_sts_have_members(void **state)
{
	(void)state;
	good("sts", "AssumeRole",
	        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws&RoleSessionName=s&"
	        "DurationSeconds=900&"
	        "Tags.member.2.Key=b&Tags.member.1.Key=a&New=ignored&PolicyArns=",
	        "{\"DurationSeconds\":900,\"PolicyArns\":[],\"RoleArn\":\"arn:aws\","
	        "\"RoleSessionName\":\"s\","
	        "\"Tags\":[{\"Key\":\"a\"},{\"Key\":\"b\"}]}");
	bad("sts", "AssumeRole", "Tags.1.Key=a", -ERR_FORMAT,
	        "the parameter Tags.1.Key is not an element of its list");
}

static void test_query__a_text_that_is_no_number_is_left_to_validation(void **state)
{
	(void)state;
	good("ec2", "DescribeTags", "MaxResults=many", "{\"MaxResults\":\"many\"}");
}

static void test_query__what_is_not_understood_is_refused(void **state)
{
	(void)state;
	bad("ec2", "CreateTags", "Resource.1=i", -ERR_FORMAT,
	        "the parameter Resource.1 is unknown");
	bad("ec2", "CreateTags", "ResourceId.0=i", -ERR_FORMAT,
	        "the parameter ResourceId.0 has no valid index");
	bad("ec2", "CreateTags", "ResourceId.01=i", -ERR_FORMAT,
	        "the parameter ResourceId.01 has no valid index");
	bad("ec2", "CreateTags", "ResourceId.x=i", -ERR_FORMAT,
	        "the parameter ResourceId.x has no valid index");
	bad("ec2", "CreateTags", "ResourceId.1001=i", -ERR_FORMAT,
	        "the parameter ResourceId.1001 has no valid index");
	bad("ec2", "CreateTags", "ResourceId.1=i&ResourceId.1=k", -ERR_FORMAT,
	        "the parameter ResourceId.1 stands twice or has parts");
	bad("ec2", "CreateTags", "ResourceId.1.Key=i", -ERR_FORMAT,
	        "the parameter ResourceId.1.Key stands twice or has parts");
	bad("ec2", "CreateTags", "ResourceId=i", -ERR_FORMAT,
	        "the parameter ResourceId has no value of its own");
	bad("ec2", "CreateTags", "Tag.1=i", -ERR_FORMAT,
	        "the parameter Tag.1 has no value of its own");
	bad("ec2", "CreateTags", "Tag..Key=i", -ERR_FORMAT, "the parameter Tag..Key is unknown");
	bad("ec2", "CreateTags", "=i", -ERR_FORMAT, "a parameter has no valid name");
	bad("ec2", "CreateTags", "Tag%0A=i", -ERR_FORMAT, "a parameter has no valid name");
	bad("ec2", "CreateTags", "ResourceId.1=%", -ERR_FORMAT, "a parameter is not well encoded");
	bad("ec2", "CreateTags", "ResourceId.1=%00", -ERR_FORMAT,
	        "a parameter is not well encoded");
	bad("ec2", "CreateTags", "ResourceId.1=%ff", -ERR_FORMAT,
	        "a parameter is not well encoded");
}

static void test_query__the_number_of_parameters_is_limited(void **state)
{
	(void)state;
	autobuf form = BUF(1 << 20);
	for (int i = 0; i <= QUERY_PARAMETERS_MAX; i++)
		buf_add(&form, STR("a=1&"));
	buf_add_byte(&form, '\0');
	bad("ec2", "CreateTags", form.p, -ERR_LIMIT, "the request has too many parameters");
}

static void test_query__the_call_is_read_first(void **state)
{
	(void)state;
	struct query_call call;
	struct err err = { 0 };
	assert_int_equal(query_call(STR("A.1=x&Action=Describe%54ags&Version=2016-11-15"), &memory,
	                         &call, &err),
	        0);
	assert_text(call.action, "DescribeTags");
	assert_text(call.version, "2016-11-15");
	assert_int_equal(query_call(STR(""), &memory, &call, &err), 0);
	assert_int_equal(call.action.n, 0);
	assert_int_equal(query_call(STR("Action=a&Action=a"), &memory, &call, &err), -ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(test_query__lists_of_ec2_are_flat),
		TEST(test_query__lists_of_sts_have_members),
		TEST(test_query__a_text_that_is_no_number_is_left_to_validation),
		TEST(test_query__what_is_not_understood_is_refused),
		TEST(test_query__the_number_of_parameters_is_limited),
		TEST(test_query__the_call_is_read_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
