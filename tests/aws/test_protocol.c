/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "aws/protocol.h"
#include "aws/shape.h"

static void error(enum protocol protocol, const char *name, const struct value *extra,
        unsigned status, const char *expected)
{
	autobuf body = BUF(4096);
	struct protocol_reply reply;
	struct protocol_error e = { str_from_c(name), STR("It is <not> there."), STR("id-1"),
		extra };
	protocol_write_error(
	        protocol, &e, "https://sts.amazonaws.com/doc/2011-06-15/", &body, &reply);
	assert_int_equal(reply.status, status);
	assert_string_equal(reply.content_type, protocol_content_type(protocol));
	assert_int_equal(reply.error_type.p != NULL, protocol == PROTOCOL_REST_JSON);
	assert_text(buf_str(&body), expected);
}

static void test_protocol__each_has_its_form_of_an_error(void **state)
{
	(void)state;
	error(PROTOCOL_JSON11, "ResourceNotFoundException", NULL, 400,
	        "{\"__type\":\"ResourceNotFoundException\",\"message\":\"It is <not> there.\"}");
	error(PROTOCOL_REST_JSON, "ResourceNotFoundException", NULL, 404,
	        "{\"message\":\"It is <not> there.\"}");
	error(PROTOCOL_EC2, "InvalidInstanceID.NotFound", NULL, 400,
	        "<?xml version=\"1.0\" "
	        "encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidInstanceID.NotFound"
	        "</Code><Message>It is &lt;not&gt; "
	        "there.</Message></Error></Errors><RequestID>id-1</RequestID>"
	        "</Response>");
	error(PROTOCOL_QUERY, "AccessDenied", NULL, 403,
	        "<ErrorResponse "
	        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
	        "<Code>AccessDenied</Code><Message>It is &lt;not&gt; there.</Message></Error>"
	        "<RequestId>id-1</RequestId></ErrorResponse>");
}

static void test_protocol__errors_carry_more_members(void **state)
{
	(void)state;
	struct arena memory = ARENA(1 << 16);
	const struct value *extra = parse(&memory,
	        "{\"TypeName\":\"AWS:File\",\"message\":\"forged\",\"__type\":\"forged\"}");
	error(PROTOCOL_JSON11, "ItemContentMismatchException", extra, 400,
	        "{\"__type\":\"ItemContentMismatchException\",\"message\":\"It is <not> there.\","
	        "\"TypeName\":\"AWS:File\"}");
	arena_fini(&memory);
}

static void test_protocol__the_status_depends_on_the_family(void **state)
{
	(void)state;
	assert_int_equal(protocol_status(PROTOCOL_JSON11, STR("ThrottlingException")), 400);
	assert_int_equal(protocol_status(PROTOCOL_REST_JSON, STR("ThrottlingException")), 429);
	assert_int_equal(
	        protocol_status(PROTOCOL_REST_JSON, STR("ServiceQuotaExceededException")), 402);
	assert_int_equal(protocol_status(PROTOCOL_REST_JSON, STR("ValidationException")), 400);
	assert_int_equal(protocol_status(PROTOCOL_JSON11, STR("InternalServerError")), 500);
	assert_int_equal(protocol_status(PROTOCOL_QUERY, STR("Nothing known")), 400);
}

static void test_protocol__every_service_has_one(void **state)
{
	(void)state;
	size_t n;
	enum protocol protocol;
	const struct operation_shape *all = operation_all(&n);
	for (size_t i = 0; i < n; i++)
		assert_true(protocol_of(str_from_c(all[i].service), &protocol));
	assert_false(protocol_of(STR("s3"), &protocol));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocol__each_has_its_form_of_an_error),
		cmocka_unit_test(test_protocol__errors_carry_more_members),
		cmocka_unit_test(test_protocol__the_status_depends_on_the_family),
		cmocka_unit_test(test_protocol__every_service_has_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
