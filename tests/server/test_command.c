/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "desk.h"
#include "server/command.h"

#define HOST "0123456789abcdef0"
#define NODE "mi-" HOST

static const char poll[] =
        "{\"Destination\":\"" NODE "\",\"MessagesRequestId\":\"0123456789abcdef\"}";
static const char send_one[] = "{\"DocumentName\":\"AWS-RunShellScript\",\"InstanceIds\":[\"" NODE
                               "\"],\"Parameters\":{\"commands\":[\"echo a\",\"false\"]}}";

static void assert_text(const struct desk *desk, const char *path, const char *expected)
{
	str got = desk_str(desk, path);
	if (!str_eq(got, str_from_c(expected)))
		fail_msg("%s is '" STR_FMT "', not '%s'", path, STR_ARG(got), expected);
}

static const char *with(struct desk *desk, const char *before, str text, const char *behind)
{
	str made;
	assert_int_equal(
	        arena_printf(&desk->arena, &made, "%s" STR_FMT "%s", before, STR_ARG(text), behind),
	        0);
	return made.p;
}

static const char *invocation(struct desk *desk, str id)
{
	return with(desk, "{\"InstanceId\":\"" NODE "\",\"CommandId\":\"", id, "\"}");
}

static void test_command__runs_and_tells_its_output(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	assert_true(desk_call(&desk, "SendCommand", send_one));
	assert_text(&desk, "Command.Status", "Pending");
	str id = desk_str(&desk, "Command.CommandId");
	assert_true(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_int_equal(value_count(desk_value(&desk, "Messages")), 1);
	str message = desk_str(&desk, "Messages.0.MessageId");
	assert_text(&desk, "Messages.0.Topic", "aws.ssm.sendCommand.eu-central-1.1");
	/* Given once, hidden for a while, given again when nobody took it. */
	assert_false(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	desk.now_at += 11;
	assert_true(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	const char *take = with(&desk, "{\"MessageId\":\"", message, "\"}");
	assert_true(desk_call_host(&desk, "ec2messages:AcknowledgeMessage", take));
	assert_true(desk_call(&desk, "GetCommandInvocation", invocation(&desk, id)));
	assert_text(&desk, "Status", "InProgress");
	desk.now_at += 60;
	assert_false(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_true(desk_call_host(&desk, "ec2messages:SendReply",
	        with(&desk,
	                "{\"ReplyId\":\"0123456789abcdef\",\"Payload\":\"{\\\"documentStatus\\\":"
	                "\\\"Failed\\\",\\\"runtimeStatus\\\":{\\\"runShellScript\\\":{"
	                "\\\"status\\\":"
	                "\\\"Failed\\\",\\\"code\\\":1,\\\"standardOutput\\\":\\\"a\\\","
	                "\\\"startDateTime\\\":\\\"2026-01-01T00:00:00.000Z\\\","
	                "\\\"endDateTime\\\":"
	                "\\\"2026-01-01T00:00:02.000Z\\\"}}}\",\"MessageId\":\"",
	                message, "\"}")));
	assert_true(desk_call_host(&desk, "ec2messages:DeleteMessage", take));
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "message"), 0);
	assert_true(desk_call(&desk, "GetCommandInvocation", invocation(&desk, id)));
	assert_text(&desk, "Status", "Failed");
	assert_text(&desk, "StandardOutputContent", "a");
	assert_text(&desk, "ExecutionElapsedTime", "PT2S");
	assert_text(&desk, "PluginName", "runShellScript");
	assert_true(desk_call(&desk, "ListCommands", "{}"));
	assert_text(&desk, "Commands.0.Status", "Failed");
	assert_int_equal(value_get_i64(desk_value(&desk, "Commands.0"), STR("ErrorCount"), 0), 1);
	desk_close(&desk);
}

static void test_command__times_out_when_it_is_not_taken(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	assert_true(desk_call(&desk, "SendCommand", send_one));
	str id = desk_str(&desk, "Command.CommandId");
	desk.now_at += 3600;
	assert_true(desk_call(&desk, "GetCommandInvocation", invocation(&desk, id)));
	assert_text(&desk, "Status", "TimedOut");
	assert_text(&desk, "StatusDetails", "DeliveryTimedOut");
	assert_false(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_int_equal(object_count(desk.server->objects, DESK_ACCOUNT, "message"), 0);
	desk_close(&desk);
}

static void test_command__is_taken_back_before_it_runs(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	assert_true(desk_call(&desk, "SendCommand", send_one));
	str id = desk_str(&desk, "Command.CommandId");
	assert_true(desk_call(&desk, "CancelCommand", with(&desk, "{\"CommandId\":\"", id, "\"}")));
	assert_false(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_true(desk_call(&desk, "ListCommandInvocations", "{\"Details\":true}"));
	assert_text(&desk, "CommandInvocations.0.Status", "Cancelled");
	desk_close(&desk);
}

static void test_command__is_ended_while_it_runs(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	assert_true(desk_call(&desk, "SendCommand", send_one));
	str id = desk_str(&desk, "Command.CommandId");
	assert_true(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	str message = desk_str(&desk, "Messages.0.MessageId");
	assert_true(desk_call_host(&desk, "ec2messages:AcknowledgeMessage",
	        with(&desk, "{\"MessageId\":\"", message, "\"}")));
	assert_true(desk_call(&desk, "CancelCommand", with(&desk, "{\"CommandId\":\"", id, "\"}")));
	assert_true(desk_call_host(&desk, "ec2messages:GetMessages", poll));
	assert_text(&desk, "Messages.0.Topic", "aws.ssm.cancelCommand.eu-central-1.1");
	str payload = desk_str(&desk, "Messages.0.Payload");
	assert_non_null(memmem(payload.p, payload.n, message.p, message.n));
	assert_true(desk_call(&desk, "GetCommandInvocation", invocation(&desk, id)));
	assert_text(&desk, "Status", "Cancelling");
	desk_close(&desk);
}

static void test_command__refuses_what_cannot_be(void **state)
{
	(void)state;
	struct desk desk;
	desk_open(&desk);
	desk_add_host(&desk, HOST);
	desk_fails(&desk, "SendCommand",
	        "{\"DocumentName\":\"Nothing\",\"InstanceIds\":[\"" NODE "\"]}", "InvalidDocument");
	desk_fails(&desk, "SendCommand",
	        "{\"DocumentName\":\"AWS-RunShellScript\",\"InstanceIds\":[\"" NODE "\"]}",
	        "InvalidParameters");
	desk_fails(&desk, "SendCommand",
	        "{\"DocumentName\":\"AWS-RefreshAssociation\",\"InstanceIds\":[\"" NODE
	        "\",\"i-" HOST "\"]}",
	        "DuplicateInstanceId");
	desk_fails(&desk, "CancelCommand",
	        "{\"CommandId\":\"00000000-0000-0000-0000-000000000000\"}", "InvalidCommandId");
	desk_close(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command__runs_and_tells_its_output),
		cmocka_unit_test(test_command__times_out_when_it_is_not_taken),
		cmocka_unit_test(test_command__is_taken_back_before_it_runs),
		cmocka_unit_test(test_command__is_ended_while_it_runs),
		cmocka_unit_test(test_command__refuses_what_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
