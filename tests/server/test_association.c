/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "desk.h"
#include "server/association.h"

#define HOST "0123456789abcdef0"
#define NODE "mi-" HOST
#define ALL "[{\"Key\":\"InstanceIds\",\"Values\":[\"*\"]}]"
#define SHELL "\"Name\":\"AWS-RunShellScript\",\"Parameters\":{\"commands\":[\"true\"]}"

static void assert_text(const struct desk *desk, const char *path, const char *expected)
{
	str got = desk_str(desk, path);
	if (!str_eq(got, str_from_c(expected)))
		fail_msg("%s is '" STR_FMT "', not '%s'", path, STR_ARG(got), expected);
}

/* Format a request with one text in it. */
static const char *with(struct desk *desk, const char *before, str text, const char *behind)
{
	str made;
	assert_int_equal(
	        arena_printf(&desk->arena, &made, "%s" STR_FMT "%s", before, STR_ARG(text), behind),
	        0);
	return made.p;
}

static str create(struct desk *desk, const char *more)
{
	const char *json = with(desk, "{" SHELL ",\"Targets\":" ALL, str_from_c(more), "}");
	if (!desk_call(desk, "CreateAssociation", json))
		fail_msg(STR_FMT, STR_ARG(desk->message));
	return desk_str(desk, "AssociationDescription.AssociationId");
}

static void report(struct desk *desk, str id, const char *status)
{
	str json;
	assert_int_equal(
	        arena_printf(&desk->arena, &json,
	                "{\"AssociationId\":\"" STR_FMT "\",\"InstanceId\":\"" NODE
	                "\",\"ExecutionResult\":{\"ExecutionDate\":%lld,\"ExecutionSummary\":\"s\","
	                "\"Status\":\"%s\"}}",
	                STR_ARG(id), (long long)desk->now_at, status),
	        0);
	if (!desk_call_host(desk, "UpdateInstanceAssociationStatus", json.p))
		fail_msg(STR_FMT, STR_ARG(desk->message));
}

static void test_association__is_pending_until_its_hosts_ran(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	str id = create(&desk, ",\"ScheduleExpression\":\"rate(1 hour)\"");
	assert_text(&desk, "AssociationDescription.Overview.Status", "Pending");
	assert_true(
	        desk_call_host(&desk, "ListInstanceAssociations", "{\"InstanceId\":\"" NODE "\"}"));
	assert_text(&desk, "Associations.0.DetailedStatus", "Pending");
	assert_text(&desk, "Associations.0.DocumentVersion", "1");
	assert_int_equal(desk_str(&desk, "Associations.0.Checksum").n, 64);
	assert_null(desk_value(&desk, "Associations.0.LastExecutionDate"));

	report(&desk, id, "Pending");
	report(&desk, id, "InProgress");
	desk.now_at += 5;
	report(&desk, id, "Success");
	assert_true(
	        desk_call_host(&desk, "ListInstanceAssociations", "{\"InstanceId\":\"" NODE "\"}"));
	assert_text(&desk, "Associations.0.DetailedStatus", "Success");
	assert_int_equal(
	        value_get_i64(desk_value(&desk, "Associations.0"), STR("LastExecutionDate"), 0),
	        desk.now_at);
	assert_true(desk_call(&desk, "ListAssociations", "{}"));
	assert_text(&desk, "Associations.0.Overview.Status", "Success");
	assert_true(desk_call(&desk, "DescribeAssociationExecutions",
	        with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_int_equal(value_count(desk_value(&desk, "AssociationExecutions")), 1);
	assert_text(&desk, "AssociationExecutions.0.Status", "Success");
	assert_text(&desk, "AssociationExecutions.0.ResourceCountByStatus", "{Success=1}");
	desk_close(&desk);
}

static void test_association__begins_a_round_when_a_host_runs_again(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	str id = create(&desk, "");
	for (int i = 0; i < 3; i++) {
		desk.now_at += 3600;
		report(&desk, id, "Pending");
		report(&desk, id, i == 2 ? "Failed" : "Success");
	}
	assert_true(desk_call(&desk, "DescribeAssociationExecutions",
	        with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_int_equal(value_count(desk_value(&desk, "AssociationExecutions")), 3);
	assert_text(&desk, "AssociationExecutions.0.Status", "Failed");
	assert_text(&desk, "AssociationExecutions.1.Status", "Success");
	str round = desk_str(&desk, "AssociationExecutions.0.ExecutionId");
	const char *json = with(&desk,
	        with(&desk, "{\"AssociationId\":\"", id, "\",\"ExecutionId\":\""), round, "\"}");
	assert_true(desk_call(&desk, "DescribeAssociationExecutionTargets", json));
	assert_int_equal(value_count(desk_value(&desk, "AssociationExecutionTargets")), 1);
	assert_text(&desk, "AssociationExecutionTargets.0.ResourceId", NODE);
	assert_text(&desk, "AssociationExecutionTargets.0.Status", "Failed");
	desk_close(&desk);
}

static const char poll[] =
        "{\"Destination\":\"" NODE "\",\"MessagesRequestId\":\"0123456789abcdef\"}";

static void test_association__is_started_by_a_message(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	str id = create(&desk, "");
	report(&desk, id, "Pending");
	report(&desk, id, "Success");
	assert_false(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_true(desk.is_deferred);
	desk.now_at += 60;
	assert_true(desk_call(&desk, "StartAssociationsOnce",
	        with(&desk, "{\"AssociationIds\":[\"", id, "\"]}")));
	assert_true(desk_call(&desk, "DescribeAssociationExecutions",
	        with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_text(&desk, "AssociationExecutions.0.ResourceCountByStatus", "{Pending=1}");
	str round = desk_str(&desk, "AssociationExecutions.0.ExecutionId");
	const char *json = with(&desk,
	        with(&desk, "{\"AssociationId\":\"", id, "\",\"ExecutionId\":\""), round, "\"}");
	assert_true(desk_call(&desk, "DescribeAssociationExecutionTargets", json));
	assert_text(&desk, "AssociationExecutionTargets.0.Status", "Pending");

	assert_true(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_int_equal(value_count(desk_value(&desk, "Messages")), 1);
	str payload = desk_str(&desk, "Messages.0.Payload");
	assert_non_null(memmem(payload.p, payload.n, id.p, id.n));
	assert_non_null(memmem(payload.p, payload.n, "aws:refreshAssociation", 22));
	str message = desk_str(&desk, "Messages.0.MessageId");
	assert_true(desk_call_host(&desk, "ec2messages:AcknowledgeMessage",
	        with(&desk, "{\"MessageId\":\"", message, "\"}")));
	assert_false(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_true(
	        desk_call_host(&desk, "ListInstanceAssociations", "{\"InstanceId\":\"" NODE "\"}"));
	assert_text(&desk, "Associations.0.DetailedStatus", "Pending");
	report(&desk, id, "InProgress");
	report(&desk, id, "Success");
	assert_true(desk_call(&desk, "DescribeAssociationExecutions",
	        with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_text(&desk, "AssociationExecutions.0.ResourceCountByStatus", "{Success=1}");
	desk_close(&desk);
}

static void test_association__refuses_what_cannot_be(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	desk_fails(&desk, "CreateAssociation", "{\"Name\":\"Nothing\",\"Targets\":" ALL "}",
	        "InvalidDocument");
	desk_fails(&desk, "CreateAssociation", "{" SHELL "}", "InvalidTarget");
	desk_fails(&desk, "CreateAssociation",
	        "{\"Name\":\"AWS-RunShellScript\",\"Targets\":" ALL "}", "InvalidParameters");
	desk_fails(&desk, "CreateAssociation",
	        "{" SHELL ",\"Targets\":" ALL ",\"ScheduleExpression\":\"rate(1 minute)\"}",
	        "InvalidSchedule");
	desk_fails(&desk, "CreateAssociation",
	        "{" SHELL ",\"DocumentVersion\":\"7\",\"Targets\":" ALL "}",
	        "InvalidDocumentVersion");
	desk_fails(&desk, "CreateAssociation",
	        "{" SHELL ",\"InstanceId\":\"mi-00000000000000000\"}", "InvalidInstanceId");
	desk_fails(&desk, "DescribeAssociation", "{}", "AssociationDoesNotExist");
	desk_close(&desk);
}

static void test_association__keeps_versions_and_is_deleted_whole(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	str id = create(&desk, ",\"AssociationName\":\"mine\"");
	assert_true(desk_call(&desk, "UpdateAssociation",
	        with(&desk, "{" SHELL ",\"AssociationId\":\"", id,
	                "\",\"ScheduleExpression\":\"cron(0 2 ? * SUN *)\"}")));
	assert_text(&desk, "AssociationDescription.AssociationVersion", "2");
	assert_true(desk_call(
	        &desk, "ListAssociationVersions", with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_int_equal(value_count(desk_value(&desk, "AssociationVersions")), 2);
	assert_true(desk_call(&desk, "DescribeAssociation",
	        with(&desk, "{\"AssociationVersion\":\"1\",\"AssociationId\":\"", id, "\"}")));
	assert_text(&desk, "AssociationDescription.AssociationName", "mine");
	assert_true(desk_call(
	        &desk, "DeleteAssociation", with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "association"), 0);
	assert_int_equal(
	        object_count(desk.server->objects, DESK_ACCOUNT, "association-version"), 0);
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "execution"), 0);
	desk_close(&desk);
}

static void test_association__brings_back_the_built_in_ones(void **state)
{
	(void)state;
	struct desk desk;
	struct err err = { 0 };
	desk_open(&desk);
	assert_int_equal(
	        association_ensure_builtin(desk.server, DESK_ACCOUNT, desk.now_at, &err), 0);
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "association"), 2);
	assert_true(desk_call(&desk, "ListAssociations",
	        "{\"AssociationFilterList\":[{\"key\":\"AssociationName\",\"value\":"
	        "\"InspectorLinuxDistributor-do-not-delete\"}]}"));
	str id = desk_str(&desk, "Associations.0.AssociationId");
	assert_true(desk_call(&desk, "UpdateAssociation",
	        with(&desk, "{\"ScheduleExpression\":\"rate(2 hours)\",\"AssociationId\":\"", id,
	                "\"}")));
	assert_text(&desk, "AssociationDescription.AssociationName",
	        "InspectorLinuxDistributor-do-not-delete");
	assert_int_equal(
	        association_ensure_builtin(desk.server, DESK_ACCOUNT, desk.now_at, &err), 0);
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "association"), 2);
	assert_true(desk_call(
	        &desk, "DeleteAssociation", with(&desk, "{\"AssociationId\":\"", id, "\"}")));
	assert_int_equal(
	        association_ensure_builtin(desk.server, DESK_ACCOUNT, desk.now_at, &err), 0);
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "association"), 2);
	assert_int_equal(association_remove_builtin(desk.server, DESK_ACCOUNT, &err), 0);
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "association"), 0);
	desk_close(&desk);
}

static void test_association__what_installs_comes_before_what_runs(void **state)
{
	(void)state;
	static const struct {
		const char *id, *spec;
		int64_t created_at;
	} rows[] = { { "3", "{\"Name\":\"A-of-later\"}", 20 }, { "1", "{\"Name\":\"Invoke\"}", 10 },
		{ "2", "{\"Name\":\"Configure\"}", 10 }, { "0", "{\"Name\":\"Invoke\"}", 10 } };
	struct arena arena = ARENA(65536);
	struct association all[4] = { 0 };
	for (size_t i = 0; i < 4; i++) {
		const struct value *spec = NULL;
		assert_int_equal(value_from_json(str_from_c(rows[i].spec), &arena, &spec, NULL), 0);
		all[i] = (struct association){ .id = str_from_c(rows[i].id),
			.created_at = rows[i].created_at,
			.spec = *spec };
	}
	association_order(all, 4);
	static const char *const want[] = { "2", "0", "1", "3" };
	for (size_t i = 0; i < 4; i++)
		assert_true(str_eq(all[i].id, str_from_c(want[i])));
	association_order(NULL, 0);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_association__is_pending_until_its_hosts_ran),
		cmocka_unit_test(test_association__begins_a_round_when_a_host_runs_again),
		cmocka_unit_test(test_association__is_started_by_a_message),
		cmocka_unit_test(test_association__refuses_what_cannot_be),
		cmocka_unit_test(test_association__keeps_versions_and_is_deleted_whole),
		cmocka_unit_test(test_association__brings_back_the_built_in_ones),
		cmocka_unit_test(test_association__what_installs_comes_before_what_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
