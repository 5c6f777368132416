/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <inttypes.h>

#include "fleet/content.h"
#include "server/api.h"

#define ID "mi-00000000000000001"
#define OTHER_ID "mi-00000000000000002"

static const char *put_as(struct bare *bare, const struct caller *caller, const char *input)
{
	return bare_call(bare, caller, "ssm", "PutInventory", api_put_inventory, input);
}

/* One item of a type: a row as JSON, or NULL for a hash alone. */
static const char *put(struct bare *bare, const char *type, const char *time, const char *hash,
        const char *content)
{
	str text;
	assert_int_equal(
	        arena_printf(&bare->arena, &text,
	                "{\"InstanceId\":\"" ID "\",\"Items\":[{\"TypeName\":\"%s\","
	                "\"SchemaVersion\":\"1.0\",\"CaptureTime\":\"%s\"%s%s%s%s%s}]}",
	                type, time, hash ? ",\"ContentHash\":\"" : "", hash ? hash : "",
	                hash ? "\"" : "", content ? ",\"Content\":" : "", content ? content : ""),
	        0);
	return put_as(bare, &bare->host, text.p);
}

static const char *entries(struct bare *bare, const char *id, const char *type, const char *filters)
{
	str text;
	assert_int_equal(
	        arena_printf(&bare->arena, &text, "{\"InstanceId\":\"%s\",\"TypeName\":\"%s\"%s%s}",
	                id, type, filters ? ",\"Filters\":" : "", filters ? filters : ""),
	        0);
	return bare_call(bare, &bare->reader, "ssm", "ListInventoryEntries",
	        api_list_inventory_entries, text.p);
}

#define T1 "2023-11-14T10:00:00Z"
#define T2 "2023-11-14T11:00:00Z"
#define PACKAGES                                                                                   \
	"[{\"Name\":\"numpy\",\"Version\":\"1.21.3\",\"PackageManager\":\"PYTHONPKG\","            \
	"\"Path\":\"/opt/numpy-1.21.3.dist-info/METADATA\"}]"
#define APPLICATIONS                                                                               \
	"[{\"Name\":\"sed\",\"Version\":\"4.9-1\",\"Architecture\":\"x86_64\","                    \
	"\"PackageId\":\"sed_4.9-1_amd64.deb\"},{\"Name\":\"bash\",\"Version\":\"5.2\","           \
	"\"PackageId\":\"bash_5.2_amd64.deb\"}]"

static void test_inventory_put__asks_for_content_that_it_never_had(void **state)
{
	const char *answer = put(*state, CONTENT_THIRD_PARTY, T1, "abc", NULL);
	assert_string_equal(answer,
	        "InvalidItemContentException: Your request contains contentHash with no content of "
	        "inventory type Custom:InspectorThirdPartyPackage. The content of the type may "
	        "never "
	        "be sent, please resend the item with full content. "
	        "{\"TypeName\":\"Custom:InspectorThirdPartyPackage\"}");
}

static void test_inventory_put__takes_a_hash_for_the_content_it_has(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T1, "abc", PACKAGES), "{}");
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T2, "abc", NULL), "{}");
	const char *listed = entries(bare, ID, CONTENT_THIRD_PARTY, NULL);
	assert_contains(listed, "\"CaptureTime\":\"" T2 "\"");
	assert_contains(listed, "numpy");
	/* hashes are of one host and one type */
	assert_contains(put(bare, "Custom:Other", T2, "abc", NULL), "InvalidItemContentException");
	assert_contains(put_as(bare, &bare->other_host,
	                        "{\"InstanceId\":\"" OTHER_ID "\",\"Items\":[{\"TypeName\":"
	                        "\"Custom:InspectorThirdPartyPackage\",\"SchemaVersion\":\"1.0\","
	                        "\"CaptureTime\":\"" T2 "\",\"ContentHash\":\"abc\"}]}"),
	        "InvalidItemContentException");
}

static void test_inventory_put__a_hash_alone_has_no_version(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, "AWS:AWSComponent", T1, "abc", "[]"), "{}");
	assert_string_equal(
	        put_as(bare, &bare->host,
	                "{\"InstanceId\":\"" ID "\",\"Items\":[{\"TypeName\":"
	                "\"AWS:AWSComponent\",\"SchemaVersion\":\"1.1\",\"CaptureTime\":"
	                "\"" T2 "\",\"ContentHash\":\"abc\"}]}"),
	        "{}");
	const char *listed = entries(bare, ID, "AWS:AWSComponent", NULL);
	assert_contains(listed, "\"CaptureTime\":\"" T2 "\"");
	assert_contains(listed, "\"SchemaVersion\":\"1.0\"");
}

static void test_inventory_put__refuses_another_hash_without_content(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T1, "abc", PACKAGES), "{}");
	const char *answer = put(bare, CONTENT_THIRD_PARTY, T2, "abd", NULL);
	assert_contains(answer, "ItemContentMismatchException: ");
	assert_contains(answer, "{\"TypeName\":\"Custom:InspectorThirdPartyPackage\"}");
}

static void test_inventory_put__survives_a_restart(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, CONTENT_APPLICATION, T1, "abc", APPLICATIONS), "{}");
	bare_reopen(bare);
	assert_string_equal(put(bare, CONTENT_APPLICATION, T2, "abc", NULL), "{}");
	assert_contains(entries(bare, ID, CONTENT_APPLICATION, NULL), "\"bash\"");
}

static void test_inventory_put__ignores_what_is_older(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, CONTENT_APPLICATION, T2, "abc", APPLICATIONS), "{}");
	assert_string_equal(put(bare, CONTENT_APPLICATION, T1, "old", "[]"), "{}");
	assert_contains(entries(bare, ID, CONTENT_APPLICATION, NULL), "\"bash\"");
}

static void test_inventory_put__is_for_the_callers_own_host(void **state)
{
	struct bare *bare = *state;
	static const char items[] = ",\"Items\":[{\"TypeName\":\"AWS:Network\",\"SchemaVersion\":"
	                            "\"1.0\",\"CaptureTime\":\"" T1 "\",\"Content\":[]}]}";
	static const struct {
		const char *id;
		bool as_admin;
		const char *answer;
	} cases[] = {
		{ ID, false, "{}" },
		{ "i-00000000000000001", false, "{}" },
		{ OTHER_ID, false, "InvalidInstanceId" },
		{ "mi-00000000000000009", false, "InvalidInstanceId" },
		{ OTHER_ID, true, "{}" },
		{ "mi-00000000000000009", true, "InvalidInstanceId" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char input[512];
		(void)snprintf(
		        input, sizeof(input), "{\"InstanceId\":\"%s\"%s", cases[i].id, items);
		assert_contains(put_as(bare, cases[i].as_admin ? &bare->admin : &bare->host, input),
		        cases[i].answer);
	}
	struct caller stranger = bare->admin;
	stranger.account = 1;
	char input[512];
	(void)snprintf(input, sizeof(input), "{\"InstanceId\":\"%s\"%s", ID, items);
	assert_contains(put_as(bare, &stranger, input), "InvalidInstanceId");
}

static void test_inventory_put__knows_types_and_versions(void **state)
{
	struct bare *bare = *state;
	assert_contains(put(bare, "AWS:Fridge", T1, NULL, "[]"), "InvalidTypeNameException");
	assert_contains(put(bare, "Custom:", T1, NULL, "[]"), "InvalidTypeNameException");
	assert_contains(
	        put(bare, "Custom:SondeInventory", T1, NULL, "[]"), "InvalidTypeNameException");
	assert_contains(put_as(bare, &bare->host,
	                        "{\"InstanceId\":\"" ID "\",\"Items\":[{\"TypeName\":"
	                        "\"AWS:Application\",\"SchemaVersion\":\"9.9\",\"CaptureTime\":"
	                        "\"" T1 "\",\"Content\":[]}]}"),
	        "UnsupportedInventorySchemaVersionException");
	assert_contains(put(bare, CONTENT_APPLICATION, T1, NULL, NULL), "neither Content");
	assert_contains(
	        put(bare, CONTENT_APPLICATION, "2023-11-17T00:00:00Z", NULL, "[]"), "future");
	assert_contains(
	        put(bare, CONTENT_APPLICATION, "2023-02-30T00:00:00Z", NULL, "[]"), "no time");
	assert_contains(
	        put_as(bare, &bare->host,
	                "{\"InstanceId\":\"" ID "\",\"Items\":[{\"TypeName\":\"Custom:A\","
	                "\"SchemaVersion\":\"1.0\",\"CaptureTime\":\"" T1 "\",\"Content\":[]},"
	                "{\"TypeName\":\"Custom:A\",\"SchemaVersion\":\"1.0\","
	                "\"CaptureTime\":\"" T1 "\",\"Content\":[]}]}"),
	        "stands twice");
	assert_contains(
	        put_as(bare, &bare->host,
	                "{\"InstanceId\":\"" ID "\",\"Items\":[{\"TypeName\":\"Custom:A\","
	                "\"SchemaVersion\":\"1.0\",\"CaptureTime\":\"" T1 "\",\"Content\":[],"
	                "\"Context\":{\"a\":\"b\"}}]}"),
	        "UnsupportedInventoryItemContextException");
}

/* Rows of one attribute, `n` bytes of content or a little less. */
static const char *rows_of(struct bare *bare, size_t n)
{
	struct buf out = BUF((size_t)8 << 20);
	str text;
	buf_add_byte(&out, '[');
	while (out.n + 4100 < n) {
		buf_printf(&out, "%s{\"Name\":\"", out.n > 1 ? "," : "");
		for (int i = 0; i < 4000; i++)
			buf_add_byte(&out, 'x');
		buf_add(&out, STR("\"}"));
	}
	buf_add_byte(&out, ']');
	assert_int_equal(arena_copy(&bare->arena, buf_str(&out), &text), 0);
	buf_fini(&out);
	return text.p;
}

static void test_inventory_put__bounds_items_and_calls(void **state)
{
	struct bare *bare = *state;
	const char *answer = put(bare, "Custom:A", T1, NULL, rows_of(bare, 1100000));
	assert_contains(answer, "ItemSizeLimitExceededException");
	assert_contains(answer, "{\"TypeName\":\"Custom:A\"}");
	str input;
	const char *half = rows_of(bare, 600000);
	assert_int_equal(
	        arena_printf(&bare->arena, &input,
	                "{\"InstanceId\":\"" ID "\",\"Items\":[{\"TypeName\":\"Custom:A\","
	                "\"SchemaVersion\":\"1.0\",\"CaptureTime\":\"" T1 "\",\"Content\":%s},"
	                "{\"TypeName\":\"Custom:B\",\"SchemaVersion\":\"1.0\","
	                "\"CaptureTime\":\"" T1 "\",\"Content\":%s}]}",
	                half, half),
	        0);
	assert_contains(put_as(bare, &bare->host, input.p), "TotalSizeLimitExceededException");
	/* all or none */
	assert_contains(entries(bare, ID, "Custom:A", NULL), "InvalidTypeNameException");
}

static struct coverage coverage_of(struct bare *bare)
{
	fleet_lock(bare->server.fleet);
	const struct fleet_host *host = fleet_host_at(bare->server.fleet, bare->host.host_number);
	struct coverage coverage = host_coverage(host, true, bare->now_at);
	fleet_unlock(bare->server.fleet);
	return coverage;
}

static void make_covered(struct bare *bare)
{
	assert_string_equal(put(bare, CONTENT_INSTANCE, T1, NULL,
	                            "[{\"PlatformName\":\"Debian GNU/Linux\",\"PlatformType\":"
	                            "\"Linux\",\"PlatformVersion\":\"12\"}]"),
	        "{}");
	assert_string_equal(put(bare, CONTENT_APPLICATION, T1, "abc", APPLICATIONS), "{}");
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T1, "abc", PACKAGES), "{}");
	assert_string_equal(coverage_of(bare).reason, "SUCCESSFUL");
}

static void test_inventory_put__keeps_the_quota_of_the_day(void **state)
{
	struct bare *bare = *state;
	make_covered(bare);
	const char *million = rows_of(bare, 1000000), *answer = "";
	int n = 0;
	for (; n < 10 && !strstr(answer, "Exceeded"); n++)
		answer = put(bare, CONTENT_APPLICATION, T2, NULL, million);
	assert_contains(answer, "TotalSizeLimitExceededException");
	assert_int_equal(n, 6);
	assert_string_equal(
	        coverage_of(bare).reason, "DEEP_INSPECTION_DAILY_SSM_INVENTORY_LIMIT_EXCEEDED");
	bare_reopen(bare);
	assert_contains(put(bare, CONTENT_APPLICATION, T2, NULL, million),
	        "TotalSizeLimitExceededException");
	/* other types, hashes and other hosts are not concerned */
	assert_string_equal(put(bare, "Custom:A", T2, NULL, million), "{}");
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T2, "abc", NULL), "{}");
	bare->now_at += 86400;
	assert_string_equal(put(bare, CONTENT_APPLICATION, T2, NULL, APPLICATIONS), "{}");
	assert_string_equal(coverage_of(bare).reason, "SUCCESSFUL");
}

static void test_inventory_put__tells_coverage_of_limits(void **state)
{
	struct bare *bare = *state;
	make_covered(bare);
	assert_string_equal(put(bare, CONTENT_METRICS, T1, NULL,
	                            "[{\"ElapsedMs\":\"900000\",\"TimeLimitReached\":\"true\"}]"),
	        "{}");
	assert_string_equal(
	        coverage_of(bare).reason, "DEEP_INSPECTION_COLLECTION_TIME_LIMIT_EXCEEDED");
	assert_string_equal(put(bare, CONTENT_METRICS, T2, NULL,
	                            "[{\"ElapsedMs\":\"100\",\"TimeLimitReached\":\"false\"}]"),
	        "{}");
	assert_string_equal(coverage_of(bare).reason, "SUCCESSFUL");
	struct buf out = BUF((size_t)4 << 20);
	for (int i = 0; i <= 5000; i++)
		buf_printf(&out,
		        "%c{\"Name\":\"p%d\",\"Version\":\"1\",\"PackageManager\":\"NPM\"}",
		        i ? ',' : '[', i);
	buf_add(&out, STR("]\0"));
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T2, NULL, out.p), "{}");
	buf_fini(&out);
	assert_string_equal(
	        coverage_of(bare).reason, "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED");
}

static void test_inventory_put__lets_an_account_have_20_custom_types(void **state)
{
	struct bare *bare = *state;
	for (int i = 0; i < 20; i++) {
		char type[32];
		(void)snprintf(type, sizeof(type), "Custom:T%d", i);
		assert_string_equal(put(bare, type, T1, NULL, "[{\"A\":\"1\"}]"), "{}");
	}
	assert_contains(put(bare, "Custom:T20", T1, NULL, "[{\"A\":\"1\"}]"),
	        "CustomSchemaCountLimitExceededException");
	assert_string_equal(put(bare, "Custom:T3", T2, NULL, "[{\"B\":\"1\"}]"), "{}");
	assert_string_equal(put(bare, CONTENT_THIRD_PARTY, T1, NULL, PACKAGES), "{}");
}

static void test_inventory_put__lets_a_type_have_50_attributes(void **state)
{
	struct bare *bare = *state;
	struct buf out = BUF(65536);
	for (int i = 0; i < 51; i++)
		buf_printf(&out, "%c{\"A%d\":\"1\"}", i ? ',' : '[', i);
	buf_add(&out, STR("]\0"));
	assert_contains(put(bare, "Custom:A", T1, NULL, out.p), "more than 50 attributes");
	buf_fini(&out);
}

/* ---- reading ---- */

static void test_inventory_list__filters_and_pages_rows(void **state)
{
	struct bare *bare = *state;
	struct buf out = BUF((size_t)1 << 20);
	for (int i = 0; i < 70; i++)
		buf_printf(
		        &out, "%c{\"Name\":\"p%d\",\"Version\":\"%d\"}", i ? ',' : '[', i, i % 2);
	buf_add(&out, STR("]\0"));
	assert_string_equal(put(bare, CONTENT_APPLICATION, T1, "h", out.p), "{}");
	buf_fini(&out);
	const struct value *page = bare_parse(bare, entries(bare, ID, CONTENT_APPLICATION, NULL));
	assert_int_equal(value_count(value_get(page, STR("Entries"))), 50);
	str input, token = value_get_str(page, STR("NextToken"));
	assert_true(token.n > 0);
	assert_int_equal(arena_printf(&bare->arena, &input,
	                         "{\"InstanceId\":\"" ID "\",\"TypeName\":\"AWS:Application\","
	                         "\"NextToken\":\"" STR_FMT "\"}",
	                         STR_ARG(token)),
	        0);
	page = bare_parse(bare, bare_call(bare, &bare->reader, "ssm", "ListInventoryEntries",
	                                api_list_inventory_entries, input.p));
	assert_int_equal(value_count(value_get(page, STR("Entries"))), 20);
	assert_null(value_get(page, STR("NextToken")));
	page = bare_parse(bare, entries(bare, ID, CONTENT_APPLICATION,
	                                "[{\"Key\":\"Version\",\"Values\":[\"1\"]},{\"Key\":"
	                                "\"AWS:Application.Name\",\"Type\":\"BeginWith\","
	                                "\"Values\":[\"p1\",\"p2\"]}]"));
	assert_int_equal(value_count(value_get(page, STR("Entries"))), 11);
	assert_contains(entries(bare, ID, CONTENT_APPLICATION,
	                        "[{\"Key\":\"AWS:Network.Name\",\"Values\":[\"1\"]}]"),
	        "InvalidFilter");
	assert_contains(entries(bare, ID, "Custom:None", NULL), "InvalidTypeNameException");
	assert_contains(entries(bare, ID, "AWS:Network", NULL), "\"Entries\":[]");
	assert_contains(
	        entries(bare, "mi-00000000000000009", "AWS:Network", NULL), "InvalidInstanceId");
}

static const char *get(struct bare *bare, const char *input)
{
	return bare_call(bare, &bare->reader, "ssm", "GetInventory", api_get_inventory, input);
}

static void test_inventory_get__shows_instance_information_of_every_host(void **state)
{
	struct bare *bare = *state;
	make_covered(bare);
	const char *all = get(bare, "{}");
	assert_contains(all, "\"Id\":\"" ID "\"");
	assert_contains(all, "\"Id\":\"" OTHER_ID "\"");
	assert_contains(all, "\"PlatformName\":\"Debian GNU/Linux\"");
	assert_contains(all,
	        "\"AWS:InstanceInformation\":{\"TypeName\":\"AWS:InstanceInformation\","
	        "\"SchemaVersion\":\"1.0\"");
}

static void test_inventory_get__finds_hosts_by_their_rows(void **state)
{
	struct bare *bare = *state;
	make_covered(bare);
	static const struct {
		const char *filters;
		bool is_met;
	} cases[] = {
		{ "[{\"Key\":\"AWS:Application.Name\",\"Values\":[\"sed\"]}]", true },
		{ "[{\"Key\":\"AWS:Application.Name\",\"Values\":[\"sed\"]},{\"Key\":"
		  "\"AWS:Application.Version\",\"Values\":[\"4.9-1\"]}]",
		        true },
		/* not in one row */
		{ "[{\"Key\":\"AWS:Application.Name\",\"Values\":[\"sed\"]},{\"Key\":"
		  "\"AWS:Application.Version\",\"Values\":[\"5.2\"]}]",
		        false },
		{ "[{\"Key\":\"AWS:InstanceInformation.PlatformName\",\"Type\":\"BeginWith\","
		  "\"Values\":[\"Debian\"]},{\"Key\":\"AWS:Application.Name\",\"Values\":["
		  "\"bash\"]}]",
		        true },
		{ "[{\"Key\":\"AWS:InstanceInformation.InstanceId\",\"Values\":[\"" ID "\"]}]",
		        true },
		{ "[{\"Key\":\"AWS:InstanceInformation.InstanceId\",\"Values\":[\"" OTHER_ID
		  "\"]}]",
		        false },
		{ "[{\"Key\":\"AWS:Network.Name\",\"Type\":\"Exists\",\"Values\":[\"false\"]},"
		  "{\"Key\":\"AWS:Application.Name\",\"Type\":\"Exists\",\"Values\":[\"true\"]}]",
		        true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str input;
		assert_int_equal(arena_printf(&bare->arena, &input,
		                         "{\"Filters\":%s,\"ResultAttributes\":[{\"TypeName\":"
		                         "\"AWS:Application\"}]}",
		                         cases[i].filters),
		        0);
		const char *found = get(bare, input.p);
		if ((strstr(found, "\"Id\":\"" ID "\"") != NULL) != cases[i].is_met)
			fail_msg("%s gave %s", cases[i].filters, found);
		if (cases[i].is_met)
			assert_contains(
			        found, "\"ContentHash\":\"abc\",\"Content\":[{\"Name\":\"sed\"");
	}
	assert_contains(get(bare, "{\"Filters\":[{\"Key\":\"Name\",\"Values\":[\"x\"]}]}"),
	        "InvalidFilter");
	assert_contains(get(bare, "{\"ResultAttributes\":[{\"TypeName\":\"Custom:None\"}]}"),
	        "InvalidTypeNameException");
}

static void test_inventory_get__pages_over_hosts(void **state)
{
	struct bare *bare = *state;
	const struct value *page = bare_parse(bare, get(bare, "{\"MaxResults\":1}"));
	str input, token = value_get_str(page, STR("NextToken"));
	assert_int_equal(value_count(value_get(page, STR("Entities"))), 1);
	assert_int_equal(
	        arena_printf(&bare->arena, &input,
	                "{\"MaxResults\":1,\"NextToken\":\"" STR_FMT "\"}", STR_ARG(token)),
	        0);
	const char *second = get(bare, input.p);
	assert_contains(second, OTHER_ID);
	assert_null(strstr(second, "NextToken"));
	assert_contains(get(bare, "{\"NextToken\":\"forged\"}"), "InvalidNextToken");
}

static void test_inventory_get__counts(void **state)
{
	struct bare *bare = *state;
	make_covered(bare);
	const char *counts =
	        get(bare, "{\"Aggregators\":[{\"Expression\":"
	                  "\"AWS:InstanceInformation.PlatformName\",\"Aggregators\":[{"
	                  "\"Expression\":\"AWS:InstanceInformation.PlatformVersion\"}]"
	                  "}]}");
	assert_contains(counts, "{\"Count\":\"1\",\"PlatformName\":\"Debian "
	                        "GNU/Linux\",\"PlatformVersion\":\"12\"}");
	assert_contains(counts, "{\"Count\":\"1\",\"PlatformName\":\"\",\"PlatformVersion\":\"\"}");
	assert_contains(
	        get(bare, "{\"Aggregators\":[{\"Groups\":[{\"Name\":\"debians\",\"Filters\":[{"
	                  "\"Key\":\"AWS:InstanceInformation.PlatformName\",\"Type\":"
	                  "\"BeginWith\",\"Values\":[\"Debian\"]}]}]}]}"),
	        "\"debians\":{\"Content\":[{\"matchingCount\":\"1\"},{\"nonMatchingCount\":\"1\"}]"
	        "}");
	assert_contains(get(bare, "{\"Aggregators\":[{\"Expression\":\"Name\"}]}"),
	        "InvalidAggregatorException");
	assert_contains(get(bare, "{\"Aggregators\":[{\"Expression\":\"AWS:Application.Name\","
	                          "\"Aggregators\":[{\"Expression\":\"AWS:Network.Name\"}]}]}"),
	        "InvalidAggregatorException");
}

/* ---- types ---- */

static const char *schema(struct bare *bare, const char *input)
{
	return bare_call(
	        bare, &bare->reader, "ssm", "GetInventorySchema", api_get_inventory_schema, input);
}

static void test_inventory_schema__tells_types_of_aws_and_of_the_account(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(
	        put(bare, "Custom:Rack", T1, NULL, "[{\"Row\":\"3\"},{\"Height\":\"42\"}]"), "{}");
	const char *all = schema(bare, "{}");
	assert_contains(all,
	        "{\"TypeName\":\"AWS:Application\",\"Version\":\"1.1\",\"Attributes\":[{"
	        "\"Name\":\"Name\",\"DataType\":\"string\"}");
	assert_contains(all, "{\"TypeName\":\"Custom:Rack\",\"Version\":\"1.0\",\"Attributes\":[{"
	                     "\"Name\":\"Row\",\"DataType\":\"string\"},{\"Name\":\"Height\"");
	assert_contains(schema(bare, "{\"TypeName\":\"Custom:Rack\"}"), "\"Row\"");
	assert_contains(
	        schema(bare, "{\"TypeName\":\"Custom:Nothing\"}"), "InvalidTypeNameException");
}

static const char *forget(struct bare *bare, const char *input)
{
	return bare_call(bare, &bare->admin, "ssm", "DeleteInventory", api_delete_inventory, input);
}

static const char *deletions(struct bare *bare, const char *input)
{
	return bare_call(bare, &bare->reader, "ssm", "DescribeInventoryDeletions",
	        api_describe_inventory_deletions, input);
}

static void test_inventory_delete__forgets_a_custom_type(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, "Custom:Rack", T1, "h", "[{\"Row\":\"3\"}]"), "{}");
	const char *dry = forget(bare, "{\"TypeName\":\"Custom:Rack\",\"DryRun\":true}");
	assert_contains(dry, "\"TotalCount\":1,\"RemainingCount\":1,\"SummaryItems\":[{\"Version\":"
	                     "\"1.0\",\"Count\":1,\"RemainingCount\":1}]");
	assert_null(strstr(dry, "DeletionId"));
	assert_contains(entries(bare, ID, "Custom:Rack", NULL), "\"Row\"");
	const char *done = forget(bare, "{\"TypeName\":\"Custom:Rack\",\"SchemaDeleteOption\":"
	                                "\"DeleteSchema\",\"ClientToken\":"
	                                "\"11111111-2222-4333-8444-555555555555\"}");
	str id = value_get_str(bare_parse(bare, done), STR("DeletionId"));
	assert_int_equal(id.n, 36);
	assert_contains(entries(bare, ID, "Custom:Rack", NULL), "InvalidTypeNameException");
	assert_contains(put(bare, "Custom:Rack", T2, "h", NULL), "InvalidItemContentException");
	const char *listed = deletions(bare, "{}");
	assert_contains(listed, "\"LastStatus\":\"Complete\"");
	assert_contains(listed, "\"TotalCount\":1,\"RemainingCount\":0");
	assert_contains(
	        deletions(bare, "{\"DeletionId\":\"11111111-2222-4333-8444-555555555556\"}"),
	        "InvalidDeletionIdException");
	assert_contains(forget(bare, "{\"TypeName\":\"AWS:Application\"}"), "InvalidTypeName");
	assert_contains(forget(bare, "{\"TypeName\":\"Custom:Never\"}"), "InvalidTypeName");
}

static void test_inventory_delete__does_once_what_one_token_asks_for(void **state)
{
	struct bare *bare = *state;
	static const char input[] = "{\"TypeName\":\"Custom:Rack\",\"ClientToken\":"
	                            "\"11111111-2222-4333-8444-555555555555\"}";
	assert_string_equal(put(bare, "Custom:Rack", T1, "h", "[{\"Row\":\"3\"}]"), "{}");
	str first = value_get_str(bare_parse(bare, forget(bare, input)), STR("DeletionId"));
	assert_string_equal(put(bare, "Custom:Rack", T2, "h", "[{\"Row\":\"3\"}]"), "{}");
	str second = value_get_str(bare_parse(bare, forget(bare, input)), STR("DeletionId"));
	assert_true(str_eq(first, second));
	assert_contains(entries(bare, ID, "Custom:Rack", NULL), "\"Row\"");
}

static void test_inventory_delete__lets_a_disabled_type_be_ignored(void **state)
{
	struct bare *bare = *state;
	assert_string_equal(put(bare, "Custom:Rack", T1, "h", "[{\"Row\":\"3\"}]"), "{}");
	assert_contains(forget(bare, "{\"TypeName\":\"Custom:Rack\",\"SchemaDeleteOption\":"
	                             "\"DisableSchema\"}"),
	        "DeletionId");
	assert_string_equal(put(bare, "Custom:Rack", T2, "h", "[{\"Row\":\"4\"}]"), "{}");
	assert_contains(entries(bare, ID, "Custom:Rack", NULL), "\"Entries\":[]");
	assert_null(strstr(schema(bare, "{}"), "Custom:Rack"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bare_setup, bare_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_inventory_put__asks_for_content_that_it_never_had),
		TEST(test_inventory_put__takes_a_hash_for_the_content_it_has),
		TEST(test_inventory_put__a_hash_alone_has_no_version),
		TEST(test_inventory_put__refuses_another_hash_without_content),
		TEST(test_inventory_put__survives_a_restart),
		TEST(test_inventory_put__ignores_what_is_older),
		TEST(test_inventory_put__is_for_the_callers_own_host),
		TEST(test_inventory_put__knows_types_and_versions),
		TEST(test_inventory_put__bounds_items_and_calls),
		TEST(test_inventory_put__keeps_the_quota_of_the_day),
		TEST(test_inventory_put__tells_coverage_of_limits),
		TEST(test_inventory_put__lets_an_account_have_20_custom_types),
		TEST(test_inventory_put__lets_a_type_have_50_attributes),
		TEST(test_inventory_list__filters_and_pages_rows),
		TEST(test_inventory_get__shows_instance_information_of_every_host),
		TEST(test_inventory_get__finds_hosts_by_their_rows),
		TEST(test_inventory_get__pages_over_hosts),
		TEST(test_inventory_get__counts),
		TEST(test_inventory_schema__tells_types_of_aws_and_of_the_account),
		TEST(test_inventory_delete__forgets_a_custom_type),
		TEST(test_inventory_delete__does_once_what_one_token_asks_for),
		TEST(test_inventory_delete__lets_a_disabled_type_be_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
