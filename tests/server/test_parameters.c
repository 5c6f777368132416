/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "desk.h"
#include "server/parameter.h"

#define HOST "0123456789abcdef0"

static void assert_text(const struct desk *desk, const char *path, const char *expected)
{
	str got = desk_str(desk, path);
	if (!str_eq(got, str_from_c(expected)))
		fail_msg("%s is '" STR_FMT "', not '%s'", path, STR_ARG(got), expected);
}

static void put(struct desk *desk, const char *json)
{
	if (!desk_call(desk, "PutParameter", json))
		fail_msg("%s: " STR_FMT, json, STR_ARG(desk->message));
}

static void test_parameters__keeps_versions(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	put(&desk, "{\"Name\":\"/a/b\",\"Value\":\"1\",\"Type\":\"String\"}");
	desk_fails(&desk, "PutParameter", "{\"Name\":\"/a/b\",\"Value\":\"2\",\"Type\":\"String\"}",
	        "ParameterAlreadyExists");
	put(&desk, "{\"Name\":\"/a/b\",\"Value\":\"2\",\"Overwrite\":true}");
	assert_true(desk_call(&desk, "GetParameter", "{\"Name\":\"/a/b\"}"));
	assert_text(&desk, "Parameter.Value", "2");
	assert_text(&desk, "Parameter.ARN", "arn:aws:ssm:eu-central-1:123456789012:parameter/a/b");
	assert_true(desk_call(&desk, "GetParameter", "{\"Name\":\"/a/b:1\"}"));
	assert_text(&desk, "Parameter.Value", "1");
	assert_text(&desk, "Parameter.Selector", ":1");
	assert_true(desk_call(&desk, "GetParameter",
	        "{\"Name\":\"arn:aws:ssm:eu-central-1:123456789012:parameter/a/b\"}"));
	assert_text(&desk, "Parameter.Value", "2");
	desk_fails(&desk, "GetParameter", "{\"Name\":\"/a/b:3\"}", "ParameterVersionNotFound");
	desk_fails(&desk, "GetParameter", "{\"Name\":\"/a\"}", "ParameterNotFound");
	assert_true(desk_call(&desk, "GetParameterHistory", "{\"Name\":\"/a/b\"}"));
	assert_int_equal(value_count(desk_value(&desk, "Parameters")), 2);
	assert_true(desk_call(&desk, "DeleteParameters", "{\"Names\":[\"/a/b\",\"/c\"]}"));
	assert_text(&desk, "DeletedParameters.0", "/a/b");
	assert_text(&desk, "InvalidParameters.0", "/c");
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "parameter-version"), 0);
	desk_close(&desk);
}

static void test_parameters__seals_secrets_and_hides_them_from_hosts(void **state)
{
	(void)state;
	struct desk desk;
	const struct value *stored = NULL;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	put(&desk, "{\"Name\":\"key\",\"Value\":\"hunter2\",\"Type\":\"SecureString\"}");
	assert_int_equal(object_get(desk.server->objects, DESK_ACCOUNT, "parameter", STR("key"),
	                         &desk.arena, &stored),
	        0);
	str sealed = value_get_str(stored, STR("Value"));
	assert_true(sealed.n > 0);
	assert_null(memmem(sealed.p, sealed.n, "hunter2", 7));
	assert_true(desk_call(&desk, "GetParameter", "{\"Name\":\"key\"}"));
	assert_true(str_eq(desk_str(&desk, "Parameter.Value"), sealed));
	assert_true(desk_call(&desk, "GetParameter", "{\"Name\":\"key\",\"WithDecryption\":true}"));
	assert_text(&desk, "Parameter.Value", "hunter2");
	assert_false(desk_call_host(
	        &desk, "GetParameter", "{\"Name\":\"key\",\"WithDecryption\":true}"));
	assert_true(str_eq(desk.error, STR("ParameterNotFound")));
	desk_close(&desk);
}

static void test_parameters__holds_names_and_values_to_the_rules(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_fails(&desk, "PutParameter",
	        "{\"Name\":\""
	        "/inspector-aws/service/inspector-linux-application-paths"
	        "\",\"Value\":\"/\",\"Type\":\"String\"}",
	        "AccessDeniedException");
	desk_fails(&desk, "PutParameter",
	        "{\"Name\":\"aws-x\",\"Value\":\"1\",\"Type\":\"String\"}", "ValidationException");
	desk_fails(&desk, "PutParameter", "{\"Name\":\"a/b\",\"Value\":\"1\",\"Type\":\"String\"}",
	        "ValidationException");
	desk_fails(&desk, "PutParameter",
	        "{\"Name\":\"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16\",\"Value\":\"1\",\"Type\":"
	        "\"String\"}",
	        "HierarchyLevelLimitExceededException");
	desk_fails(&desk, "PutParameter",
	        "{\"Name\":\"n\",\"Value\":\"x\",\"Type\":\"String\",\"AllowedPattern\":\"^[0-9]+$"
	        "\"}",
	        "ParameterPatternMismatchException");
	desk_fails(&desk, "PutParameter",
	        "{\"Name\":\"n\",\"Value\":\"x\",\"Type\":\"String\",\"AllowedPattern\":\"(\"}",
	        "InvalidAllowedPatternException");
	put(&desk, "{\"Name\":\"n\",\"Value\":\"1\",\"Type\":\"String\"}");
	desk_fails(&desk, "PutParameter",
	        "{\"Name\":\"n\",\"Value\":\"1\",\"Type\":\"StringList\",\"Overwrite\":true}",
	        "HierarchyTypeMismatchException");
	desk_close(&desk);
}

static void test_parameters__lists_by_path_and_filter(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	put(&desk, "{\"Name\":\"/a/x\",\"Value\":\"1\",\"Type\":\"String\"}");
	put(&desk, "{\"Name\":\"/a/y/z\",\"Value\":\"2\",\"Type\":\"StringList\"}");
	put(&desk, "{\"Name\":\"/ab\",\"Value\":\"3\",\"Type\":\"String\"}");
	assert_true(desk_call(&desk, "GetParametersByPath", "{\"Path\":\"/a\"}"));
	assert_int_equal(value_count(desk_value(&desk, "Parameters")), 1);
	assert_true(
	        desk_call(&desk, "GetParametersByPath", "{\"Path\":\"/a/\",\"Recursive\":true}"));
	assert_int_equal(value_count(desk_value(&desk, "Parameters")), 2);
	assert_true(desk_call(&desk, "DescribeParameters",
	        "{\"ParameterFilters\":[{\"Key\":\"Type\",\"Values\":[\"StringList\"]}]}"));
	assert_text(&desk, "Parameters.0.Name", "/a/y/z");
	assert_true(desk_call(&desk, "GetParametersByPath",
	        "{\"Path\":\"/\",\"Recursive\":true,\"MaxResults\":2}"));
	assert_int_equal(value_count(desk_value(&desk, "Parameters")), 2);
	assert_true(desk_str(&desk, "NextToken").n > 0);
	desk_close(&desk);
}

static void test_parameters__and_nodes_have_tags(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	assert_true(desk_call(&desk, "AddTagsToResource",
	        "{\"ResourceType\":\"ManagedInstance\",\"ResourceId\":\"mi-" HOST
	        "\",\"Tags\":[{\"Key\":\"InspectorEc2Exclusion\",\"Value\":\"\"}]}"));
	fleet_lock(desk.server->fleet);
	assert_int_equal(fleet_host_at(desk.server->fleet, desk.host)->state, HOST_EXCLUDED);
	fleet_unlock(desk.server->fleet);
	assert_true(desk_call(&desk, "RemoveTagsFromResource",
	        "{\"ResourceType\":\"ManagedInstance\",\"ResourceId\":\"i-" HOST
	        "\",\"TagKeys\":[\"InspectorEc2Exclusion\"]}"));
	fleet_lock(desk.server->fleet);
	assert_int_equal(fleet_host_at(desk.server->fleet, desk.host)->state, HOST_ACTIVE);
	fleet_unlock(desk.server->fleet);
	put(&desk, "{\"Name\":\"n\",\"Value\":\"1\",\"Type\":\"String\"}");
	assert_true(desk_call(&desk, "AddTagsToResource",
	        "{\"ResourceType\":\"Parameter\",\"ResourceId\":\"n\",\"Tags\":[{\"Key\":\"k\","
	        "\"Value\":\"v\"}]}"));
	assert_true(desk_call(&desk, "ListTagsForResource",
	        "{\"ResourceType\":\"Parameter\",\"ResourceId\":\"n\"}"));
	assert_text(&desk, "TagList.0.Value", "v");
	desk_fails(&desk, "ListTagsForResource",
	        "{\"ResourceType\":\"Document\",\"ResourceId\":\"Nothing\"}", "InvalidResourceId");
	desk_close(&desk);
}

static void test_parameters__nodes_are_shown_filtered_and_let_go(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	assert_true(desk_call_host(&desk, "UpdateInstanceInformation",
	        "{\"InstanceId\":\"mi-" HOST "\",\"AgentVersion\":\"3.3.1.0\",\"AgentStatus\":"
	        "\"Active\"}"));
	assert_true(desk_call(&desk, "DescribeInstanceInformation",
	        "{\"Filters\":[{\"Key\":\"PingStatus\",\"Values\":[\"Online\"]}]}"));
	assert_text(&desk, "InstanceInformationList.0.InstanceId", "mi-" HOST);
	assert_text(&desk, "InstanceInformationList.0.AgentVersion", "3.3.1.0");
	assert_text(&desk, "InstanceInformationList.0.ComputerName", "web-1");
	desk_fails(&desk, "DescribeInstanceInformation",
	        "{\"Filters\":[{\"Key\":\"Colour\",\"Values\":[\"red\"]}]}", "InvalidFilterKey");
	desk.now_at += 3600;
	assert_true(desk_call(&desk, "DescribeInstanceProperties", "{}"));
	assert_text(&desk, "InstanceProperties.0.PingStatus", "ConnectionLost");
	assert_true(desk_call_host(&desk, "PutComplianceItems",
	        "{\"ResourceId\":\"mi-" HOST
	        "\",\"ResourceType\":\"ManagedInstance\",\"ComplianceType\":\"Association\","
	        "\"ExecutionSummary\":{\"ExecutionTime\":1767225600},\"Items\":[{\"Id\":\"a\","
	        "\"Severity\":\"HIGH\",\"Status\":\"NON_COMPLIANT\"}]}"));
	assert_true(desk_call(&desk, "ListComplianceItems", "{}"));
	assert_text(&desk, "ComplianceItems.0.ResourceId", "mi-" HOST);
	assert_true(desk_call(&desk, "ListComplianceSummaries", "{}"));
	assert_int_equal(
	        value_get_i64(desk_value(&desk, "ComplianceSummaryItems.0.NonCompliantSummary"),
	                STR("NonCompliantCount"), 0),
	        1);
	assert_true(
	        desk_call(&desk, "DeregisterManagedInstance", "{\"InstanceId\":\"mi-" HOST "\"}"));
	assert_true(desk_call(&desk, "DescribeInstanceInformation", "{}"));
	assert_int_equal(value_count(desk_value(&desk, "InstanceInformationList")), 0);
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "compliance"), 0);
	desk_close(&desk);
}

static void test_parameters__documents_are_kept_and_shared(void **state)
{
	(void)state;
	static const char content[] =
	        "\\\"mainSteps\\\":[{\\\"action\\\":\\\"aws:runShellScript\\\","
	        "\\\"name\\\":\\\"s\\\",\\\"inputs\\\":{\\\"runCommand\\\":[\\\"";
	struct desk desk;
	str json;
	desk_open(&desk);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(arena_printf(&desk.arena, &json,
		                         "{\"Name\":\"Mine\",\"Content\":\"{\\\"schemaVersion\\\":"
		                         "\\\"2.2\\\",%s%d"
		                         "\\\"]}}]}\"}",
		                         content, i),
		        0);
		if (!desk_call(&desk, i == 1 ? "CreateDocument" : "UpdateDocument", json.p))
			fail_msg(STR_FMT, STR_ARG(desk.message));
	}
	desk_fails(&desk, "UpdateDocument", json.p, "DuplicateDocumentContent");
	assert_true(desk_call(&desk, "DescribeDocument", "{\"Name\":\"Mine\"}"));
	assert_text(&desk, "Document.DocumentVersion", "1");
	assert_text(&desk, "Document.LatestVersion", "2");
	assert_true(desk_call(&desk, "UpdateDocumentDefaultVersion",
	        "{\"Name\":\"Mine\",\"DocumentVersion\":\"2\"}"));
	assert_true(desk_call(&desk, "GetDocument", "{\"Name\":\"Mine\"}"));
	assert_text(&desk, "DocumentVersion", "2");
	assert_true(desk_call(&desk, "ListDocuments",
	        "{\"Filters\":[{\"Key\":\"Owner\",\"Values\":[\"Self\"]}]}"));
	assert_int_equal(value_count(desk_value(&desk, "DocumentIdentifiers")), 1);
	assert_true(desk_call(&desk, "ModifyDocumentPermission",
	        "{\"Name\":\"Mine\",\"PermissionType\":\"Share\",\"AccountIdsToAdd\":["
	        "\"210987654321\"]}"));
	assert_true(desk_call(&desk, "DescribeDocumentPermission",
	        "{\"Name\":\"Mine\",\"PermissionType\":\"Share\"}"));
	assert_text(&desk, "AccountIds.0", "210987654321");
	desk_fails(&desk, "DeleteDocument", "{\"Name\":\"Mine\"}", "InvalidDocumentOperation");
	desk_fails(&desk, "DeleteDocument", "{\"Name\":\"AWS-RunShellScript\"}",
	        "InvalidDocumentOperation");
	assert_true(desk_call(&desk, "ModifyDocumentPermission",
	        "{\"Name\":\"Mine\",\"PermissionType\":\"Share\",\"AccountIdsToRemove\":["
	        "\"210987654321\"]}"));
	assert_true(desk_call(&desk, "DeleteDocument", "{\"Name\":\"Mine\"}"));
	desk_fails(&desk, "GetDocument", "{\"Name\":\"Mine\"}", "InvalidDocument");
	desk_close(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters__keeps_versions),
		cmocka_unit_test(test_parameters__seals_secrets_and_hides_them_from_hosts),
		cmocka_unit_test(test_parameters__holds_names_and_values_to_the_rules),
		cmocka_unit_test(test_parameters__lists_by_path_and_filter),
		cmocka_unit_test(test_parameters__and_nodes_have_tags),
		cmocka_unit_test(test_parameters__nodes_are_shown_filtered_and_let_go),
		cmocka_unit_test(test_parameters__documents_are_kept_and_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
