/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "aws/shape.h"

static struct arena memory = ARENA(4 << 20);

static int teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

/* The problems of a request, one "path: text" a line. */
static void check(const char *service, const char *name, const char *body, const char *expected)
{
	const struct operation_shape *op = operation_find(str_from_c(service), str_from_c(name));
	struct shape_problems problems = SHAPE_PROBLEMS(&memory);
	autobuf out = BUF(1 << 16);
	assert_non_null(op);
	int r = shape_validate(op->input, body ? parse(&memory, body) : NULL, &problems);
	assert_int_equal(r, problems.n_all ? -ERR_FORMAT : 0);
	for (size_t i = 0; i < problems.n; i++) {
		buf_add(&out, problems.items[i].path);
		buf_add(&out, STR(": "));
		buf_add(&out, problems.items[i].text);
		buf_add_byte(&out, '\n');
	}
	assert_text(buf_str(&out), expected);
}

static void test_shape__every_operation_is_found_by_its_name(void **state)
{
	(void)state;
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	assert_true(n > 100);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(
		        operation_find(str_from_c(all[i].service), str_from_c(all[i].name)),
		        &all[i]);
		assert_int_equal(all[i].input->kind, SHAPE_STRUCTURE);
		assert_int_equal(all[i].output->kind, SHAPE_STRUCTURE);
		assert_true(all[i].uri[0] == '/');
		assert_non_null(all[i].errors);
	}
	assert_null(operation_find(STR("ssm"), STR("Enable")));
	assert_null(operation_find(STR(""), STR("")));
	const struct operation_shape *enable = operation_find(STR("inspector2"), STR("Enable"));
	assert_string_equal(enable->uri, "/enable");
	assert_string_equal(enable->errors[0], "ValidationException");
}

static void test_shape__good_requests_have_no_problem(void **state)
{
	(void)state;
	check("inspector2", "ListFindings", NULL, "");
	check("inspector2", "ListFindings", "{}", "");
	check("inspector2", "ListFindings",
	        "{\"maxResults\":100,\"unknown\":[1],\"nextToken\":null,\"filterCriteria\":{"
	        "\"severity\":"
	        "[{\"comparison\":\"EQUALS\",\"value\":\"HIGH\"}],\"firstObservedAt\":[{"
	        "\"startInclusive\":"
	        "1751328000.5}]},\"sortCriteria\":{\"field\":\"SEVERITY\",\"sortOrder\":\"DESC\"}}",
	        "");
	check("ssm", "GetParameter", "{\"Name\":\"/inspector/path\",\"WithDecryption\":true}", "");
	check("ssm", "PutInventory",
	        "{\"InstanceId\":\"i-0123456789abcdef0\",\"Items\":[{\"TypeName\":\"AWS:"
	        "Application\","
	        "\"SchemaVersion\":\"1.1\",\"CaptureTime\":\"2026-01-31T00:00:00Z\",\"Content\":[{"
	        "\"Name\":"
	        "\"bash\"}]}]}",
	        "");
	check("organizations", "DescribeOrganization", "{}", "");
	check("ec2messages", "FailMessage",
	        "{\"MessageId\":\"m\",\"FailureType\":\"NoHandlerExists\"}", "");
}

static void test_shape__each_fault_has_its_sentence(void **state)
{
	(void)state;
	check("inspector2", "Enable", "{}", "resourceTypes: Member must not be null\n");
	check("inspector2", "Enable", "{\"resourceTypes\":[]}",
	        "resourceTypes: Member must have length greater than or equal to 1\n");
	check("inspector2", "Enable", "{\"resourceTypes\":\"EC2\"}",
	        "resourceTypes: Member must be a list\n");
	check("inspector2", "Enable",
	        "{\"resourceTypes\":[\"EC2\",null],\"accountIds\":[\"12345678901\"]}",
	        "accountIds[0]: Member must have length greater than or equal to 12\n"
	        "resourceTypes[1]: Member must not be null\n");
	check("inspector2", "Enable",
	        "{\"resourceTypes\":[\"EC2\"],\"accountIds\":[\"12345678901x\",5]}",
	        "accountIds[0]: Member must satisfy regular expression pattern: \\d{12}\n"
	        "accountIds[1]: Member must be a string\n");
	check("inspector2", "ListFindings", "{\"maxResults\":101}",
	        "maxResults: Member must have value less than or equal to 100\n");
	check("inspector2", "ListFindings", "{\"maxResults\":0}",
	        "maxResults: Member must have value greater than or equal to 1\n");
	check("inspector2", "ListFindings", "{\"maxResults\":5000000000}",
	        "maxResults: Member must be an integer of 32 bits\n");
	check("inspector2", "ListFindings", "{\"maxResults\":1.5}",
	        "maxResults: Member must be an integer of 32 bits\n");
	check("inspector2", "ListFindings",
	        "{\"filterCriteria\":{\"severity\":[{\"comparison\":\"LIKE\",\"value\":\"HIGH\"}]}"
	        "}",
	        "filterCriteria.severity[0].comparison: Member must satisfy enum value set: "
	        "[EQUALS, PREFIX, "
	        "NOT_EQUALS]\n");
	check("inspector2", "ListFindings", "{\"filterCriteria\":[]}",
	        "filterCriteria: Member must be an object\n");
	check("inspector2", "ListFindings",
	        "{\"filterCriteria\":{\"updatedAt\":[{\"endInclusive\":\"yesterday\"}]}}",
	        "filterCriteria.updatedAt[0].endInclusive: Member must be a timestamp\n");
	check("inspector2", "UpdateEc2DeepInspectionConfiguration",
	        "{\"activateDeepInspection\":\"true\"}",
	        "activateDeepInspection: Member must be a boolean\n");
	check("inspector2", "ListFindingAggregations",
	        "{\"aggregationType\":\"ACCOUNT\",\"aggregationRequest\":{}}",
	        "aggregationRequest: Member must have exactly one of its members set\n");
	check("inspector2", "TagResource", "{\"resourceArn\":\"a\",\"tags\":{\"\":\"x\"}}",
	        "tags.: Member must have length greater than or equal to 1\n");
}

static void test_shape__lengths_count_characters(void **state)
{
	(void)state;
	autobuf body = BUF(8192);
	buf_add(&body, STR("{\"action\":\"NONE\",\"filterCriteria\":{},\"name\":\""));
	for (int i = 0; i < 128; i++)
		buf_add(&body, STR("\xc3\xa9"));
	buf_add(&body, STR("\"}"));
	buf_add_byte(&body, '\0');
	check("inspector2", "CreateFilter", body.p, "");
}

static void test_shape__the_sentence_lists_the_problems(void **state)
{
	(void)state;
	const struct operation_shape *op = operation_find(STR("ssm"), STR("AddTagsToResource"));
	struct shape_problems problems = SHAPE_PROBLEMS(&memory);
	autobuf out = BUF(4096);
	assert_int_equal(shape_validate(op->input,
	                         parse(&memory, "{\"ResourceType\":\"Document\"}"), &problems),
	        -ERR_FORMAT);
	shape_problems_add_sentence(&problems, &out);
	assert_text(buf_str(&out), "2 validation errors detected: Value at 'ResourceId' failed to "
	                           "satisfy constraint: Member must "
	                           "not be null; Value at 'Tags' failed to satisfy constraint: "
	                           "Member must not be null");
}

static void test_shape__the_number_of_problems_is_limited(void **state)
{
	(void)state;
	const struct operation_shape *op = operation_find(STR("inspector2"), STR("Enable"));
	struct shape_problems problems = SHAPE_PROBLEMS(&memory);
	autobuf body = BUF(8192);
	buf_add(&body, STR("{\"resourceTypes\":[\"EC2\"],\"accountIds\":["));
	for (int i = 0; i < 100; i++)
		buf_add(&body, i ? STR(",1") : STR("1"));
	buf_add(&body, STR("]}\0"));
	assert_int_equal(shape_validate(op->input, parse(&memory, body.p), &problems), -ERR_FORMAT);
	assert_int_equal(problems.n, SHAPE_PROBLEMS_MAX);
	assert_int_equal(problems.n_all, 100);
	struct arena none = ARENA(0);
	problems = SHAPE_PROBLEMS(&none);
	assert_int_equal(shape_validate(op->input, NULL, &problems), -ERR_LIMIT);
}

static void test_shape__text_becomes_what_its_shape_asks_for(void **state)
{
	(void)state;
	const struct operation_shape *op = operation_find(STR("ec2"), STR("DescribeInstances"));
	const struct shape *number = shape_member(op->input, STR("MaxResults"))->shape;
	const struct shape *boolean = shape_member(op->input, STR("DryRun"))->shape;
	struct value v = shape_value_of_text(number, STR("12"));
	assert_int_equal(v.kind, VALUE_NUMBER);
	v = shape_value_of_text(number, STR("twelve"));
	assert_int_equal(v.kind, VALUE_STRING);
	v = shape_value_of_text(boolean, STR("true"));
	assert_int_equal(v.kind, VALUE_BOOL);
	v = shape_value_of_text(boolean, STR("1"));
	assert_int_equal(v.kind, VALUE_STRING);
	assert_null(shape_member(op->input, STR("maxResults")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(test_shape__every_operation_is_found_by_its_name),
		TEST(test_shape__good_requests_have_no_problem),
		TEST(test_shape__each_fault_has_its_sentence),
		TEST(test_shape__lengths_count_characters),
		TEST(test_shape__the_sentence_lists_the_problems),
		TEST(test_shape__the_number_of_problems_is_limited),
		TEST(test_shape__text_becomes_what_its_shape_asks_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
