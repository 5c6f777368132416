/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "desk.h"
#include "server/keys.h"

/* A public key whose secret half was thrown away. */
static const char public_key[] =
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAk0NmvejZ45Spgsy750f+dpFzp9lu"
        "jpOxbHebwQ1ZklYAcKUmz2wFLFQjsH1TakOa2noAenzeQJYBO67YDoPKYBmfTpowJ152DmcZ"
        "uC5DIYMKns9kdY2/nKMQpscsMU/Ce1fo2kcqo9rw/jhWlKEYy3aiz3BWaAoRfC8QF+dl8i/s"
        "0nKtaXLXzJM28C60tFabrsS6QqO+EF2TM73VGmkz8Yi0nU/S5//SxzYu7/w9GcqlbY6ih/pM"
        "VN9eSzGBySxJdd4c1ZZV+obtopPoNWrmPsP86RZ2rArgaauEwiN9hKcwhBf4vwMxjed0sgu9"
        "MyR7bHeR5HfjHTxSlls3ozfh/wIDAQAB";

static str register_request(struct desk *desk, str id, str code)
{
	str made;
	assert_int_equal(
	        arena_printf(&desk->arena, &made,
	                "{\"ActivationId\":\"" STR_FMT "\",\"ActivationCode\":\"" STR_FMT
	                "\",\"Fingerprint\":\"f-1\",\"PublicKeyType\":\"Rsa\",\"PublicKey\":"
	                "\"%s\"}",
	                STR_ARG(id), STR_ARG(code), public_key),
	        0);
	return made;
}

static void activate(struct desk *desk, str *ret_id, str *ret_code)
{
	assert_true(desk_call(desk, "CreateActivation",
	        "{\"IamRole\":\"service-role/Hosts\",\"DefaultInstanceName\":\"web\",\"Tags\":["
	        "{\"Key\":\"b\",\"Value\":\"2\"},{\"Key\":\"a\",\"Value\":\"1\"}]}"));
	*ret_id = desk_str(desk, "ActivationId");
	*ret_code = desk_str(desk, "ActivationCode");
	assert_int_equal(ret_code->n, 20);
}

/* Let the desk speak for the host that enrolled last. */
static void become(struct desk *desk, str node)
{
	fleet_lock(desk->server->fleet);
	const struct fleet_host *host = fleet_host_find(desk->server->fleet, str_skip(node, 3));
	assert_non_null(host);
	desk->host = host->number;
	memcpy(desk->host_id, host->id, sizeof desk->host_id);
	assert_int_equal(host->n_tags, 2);
	assert_true(str_eq(host->tags[0].key, STR("a")));
	fleet_unlock(desk->server->fleet);
}

static void test_activation__enrols_as_many_hosts_as_it_is_for(void **state)
{
	(void)state;
	struct desk desk;
	str id, code;
	desk_open(&desk);
	activate(&desk, &id, &code);
	desk_fails(&desk, "RegisterManagedInstance",
	        register_request(&desk, id, STR("aaaaaaaaaaaaaaaaaaaa")).p, "InvalidActivation");
	if (!desk_call(&desk, "RegisterManagedInstance", register_request(&desk, id, code).p))
		fail_msg(STR_FMT, STR_ARG(desk.message));
	str node = desk_str(&desk, "InstanceId");
	assert_true(str_has_prefix(node, STR("mi-")));
	become(&desk, node);
	desk_fails(&desk, "RegisterManagedInstance", register_request(&desk, id, code).p,
	        "InvalidActivation");
	assert_true(desk_call(&desk, "DescribeActivations", "{}"));
	assert_int_equal(
	        value_get_i64(desk_value(&desk, "ActivationList.0"), STR("RegistrationsCount"), 0),
	        1);
	assert_true(desk_call(&desk, "DescribeInstanceInformation", "{}"));
	assert_true(str_eq(desk_str(&desk, "InstanceInformationList.0.ActivationId"), id));
	assert_true(str_eq(desk_str(&desk, "InstanceInformationList.0.Name"), STR("web")));
	desk_close(&desk);
}

static void test_activation__is_over_in_time_and_when_deleted(void **state)
{
	(void)state;
	struct desk desk;
	str id, code;
	desk_open(&desk);
	activate(&desk, &id, &code);
	desk.now_at += 86400;
	desk_fails(&desk, "RegisterManagedInstance", register_request(&desk, id, code).p,
	        "InvalidActivation");
	desk.now_at -= 86400;
	str json;
	assert_int_equal(
	        arena_printf(&desk.arena, &json, "{\"ActivationId\":\"" STR_FMT "\"}", STR_ARG(id)),
	        0);
	assert_true(desk_call(&desk, "DeleteActivation", json.p));
	desk_fails(&desk, "DeleteActivation", json.p, "InvalidActivationId");
	desk_fails(&desk, "RegisterManagedInstance", register_request(&desk, id, code).p,
	        "InvalidActivation");
	desk_close(&desk);
}

static void test_activation__gives_tokens_to_the_machine_that_enrolled(void **state)
{
	(void)state;
	struct desk desk;
	str id, code;
	desk_open(&desk);
	activate(&desk, &id, &code);
	assert_true(
	        desk_call(&desk, "RegisterManagedInstance", register_request(&desk, id, code).p));
	become(&desk, desk_str(&desk, "InstanceId"));
	assert_false(desk_call_host(
	        &desk, "RequestManagedInstanceRoleToken", "{\"Fingerprint\":\"f-2\"}"));
	assert_true(str_eq(desk.error, STR("MachineFingerprintDoesNotMatch")));
	/* What wanted one from elsewhere is shown to whoever runs the host, and changes nothing. */
	assert_true(desk_call(&desk, "ListComplianceItems",
	        "{\"Filters\":[{\"Key\":\"ComplianceType\",\"Values\":[\"Custom:Identity\"]}]}"));
	assert_true(str_eq(desk_str(&desk, "ComplianceItems.0.Status"), STR("NON_COMPLIANT")));
	assert_true(str_eq(desk_str(&desk, "ComplianceItems.0.Id"), STR("refused")));
	assert_int_equal(value_count(desk_value(&desk, "ComplianceItems")), 1);
	assert_true(desk_call_host(
	        &desk, "RequestManagedInstanceRoleToken", "{\"Fingerprint\":\"f-1\"}"));
	assert_true(str_has_prefix(desk_str(&desk, "AccessKeyId"), STR("ASIA")));
	struct session session;
	assert_int_equal(session_read(desk.server, desk_str(&desk, "AccessKeyId"),
	                         desk_str(&desk, "SessionToken"), &desk.arena, &session),
	        0);
	assert_int_equal(session.role, ROLE_HOST);
	assert_string_equal(session.host_id, desk.host_id);
	desk_close(&desk);
}

static bool heartbeat(struct desk *desk, const char *run)
{
	str json, node;
	assert_int_equal(arena_printf(&desk->arena, &node, "mi-%s", desk->host_id), 0);
	assert_int_equal(arena_printf(&desk->arena, &json,
	                         "{\"InstanceId\":\"" STR_FMT "\",\"AgentVersion\":\"1.0.0\","
	                         "\"SondeRun\":\"%s\"}",
	                         STR_ARG(node), run),
	        0);
	return desk_call_host(desk, "UpdateInstanceInformation", json.p);
}

static size_t flagged(struct desk *desk)
{
	assert_true(desk_call(desk, "ListComplianceItems", "{}"));
	return value_count(desk_value(desk, "ComplianceItems"));
}

static void test_activation__two_agents_of_one_identity_are_told(void **state)
{
	(void)state;
	struct desk desk;
	str id, code;
	desk_open(&desk);
	activate(&desk, &id, &code);
	assert_true(
	        desk_call(&desk, "RegisterManagedInstance", register_request(&desk, id, code).p));
	become(&desk, desk_str(&desk, "InstanceId"));
	/* One agent that is started again and again is one. */
	assert_true(heartbeat(&desk, "aaaaaaaa"));
	assert_true(heartbeat(&desk, "aaaaaaaa"));
	assert_true(heartbeat(&desk, "bbbbbbbb"));
	assert_int_equal(flagged(&desk), 0);
	assert_true(heartbeat(&desk, "aaaaaaaa"));
	assert_int_equal(flagged(&desk), 1);
	assert_true(str_eq(desk_str(&desk, "ComplianceItems.0.Id"), STR("twin")));
	/* Neither takes it back; their operators do. */
	str put, node;
	assert_int_equal(arena_printf(&desk.arena, &node, "mi-%s", desk.host_id), 0);
	assert_int_equal(arena_printf(&desk.arena, &put,
	                         "{\"ResourceId\":\"" STR_FMT
	                         "\",\"ResourceType\":\"ManagedInstance\",\"ComplianceType\":"
	                         "\"Custom:Identity\",\"ExecutionSummary\":{\"ExecutionTime\":1},"
	                         "\"Items\":[]}",
	                         STR_ARG(node)),
	        0);
	assert_false(desk_call_host(&desk, "PutComplianceItems", put.p));
	assert_true(str_eq(desk.error, STR("AccessDeniedException")));
	assert_int_equal(flagged(&desk), 1);
	assert_true(desk_call(&desk, "PutComplianceItems", put.p));
	assert_int_equal(flagged(&desk), 0);
	desk_close(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_activation__enrols_as_many_hosts_as_it_is_for),
		cmocka_unit_test(test_activation__is_over_in_time_and_when_deleted),
		cmocka_unit_test(test_activation__gives_tokens_to_the_machine_that_enrolled),
		cmocka_unit_test(test_activation__two_agents_of_one_identity_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
