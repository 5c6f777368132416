/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "plugin/account.h"

static const char *const (*variables)[2];
static char credentials[128], config[128], agent_config[128];

static const char *get(const char *name)
{
	if (strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0)
		return "true";
	if (strcmp(name, "AWS_SHARED_CREDENTIALS_FILE") == 0)
		return credentials;
	if (strcmp(name, "AWS_CONFIG_FILE") == 0)
		return config;
	if (strcmp(name, "SONDE_PLUGIN_AGENT_CONFIG") == 0)
		return agent_config;
	for (size_t i = 0; variables[i][0]; i++) {
		if (strcmp(name, variables[i][0]) == 0)
			return variables[i][1];
	}
	return NULL;
}

static const struct account_environment environment = { get };

static char folder[64];

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/sonde-account-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(credentials, sizeof(credentials), "%s/credentials", folder);
	snprintf(config, sizeof(config), "%s/config", folder);
	snprintf(agent_config, sizeof(agent_config), "%s/agent.json", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, folder);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_account__of_the_environment(void **state)
{
	(void)state;
	static const char *const set[][2] = { { "AWS_SSM_INSTANCE_ID", "mi-1" },
		{ "AWS_SSM_REGION_NAME", "eu-west-1" }, { "AWS_ACCESS_KEY_ID", "AKID" },
		{ "AWS_SECRET_ACCESS_KEY", "s" }, { "AWS_SESSION_TOKEN", "t" }, { NULL, NULL } };
	struct arena arena = ARENA(1 << 16);
	struct account a;
	variables = set;
	assert_int_equal(account_find(&environment, &arena, &a, NULL), 0);
	assert_string_equal(a.instance.p, "mi-1");
	assert_string_equal(a.region.p, "eu-west-1");
	assert_string_equal(a.endpoint.p, "https://ssm.eu-west-1.amazonaws.com");
	assert_string_equal(a.session_token.p, "t");
	assert_int_equal(a.source, ACCOUNT_ENVIRONMENT);
	struct net_sign sign = account_sign(&a);
	assert_true(str_eq(sign.secret, STR("s")) && str_eq(sign.service, STR("ssm")));
	arena_fini(&arena);
}

static void test_account__reports_where_the_agent_reports(void **state)
{
	(void)state;
	static const char *const set[][2] = { { "AWS_SSM_INSTANCE_ID", "mi-1" },
		{ "AWS_REGION", "eu-west-1" }, { "AWS_ACCESS_KEY_ID", "AKID" },
		{ "AWS_SECRET_ACCESS_KEY", "s" }, { NULL, NULL } };
	static const char *const named[][2] = { { "AWS_SSM_INSTANCE_ID", "mi-1" },
		{ "AWS_REGION", "eu-west-1" }, { "AWS_ACCESS_KEY_ID", "AKID" },
		{ "AWS_SECRET_ACCESS_KEY", "s" }, { "AWS_ENDPOINT_URL", "http://e" },
		{ NULL, NULL } };
	static const char *const rows[][2] = {
		{ "{\"Ssm\":{\"Endpoint\":\"http://sonde.example:8443\"}}",
		        "http://sonde.example:8443" },
		{ "{\"Ssm\":{\"Endpoint\":\"sonde.example\"}}", "https://sonde.example" },
		{ "{\"Ssm\":{\"Endpoint\":\"\"}}", "https://ssm.eu-west-1.amazonaws.com" },
		{ "{\"Ssm\":{\"Endpoint\":7}}", "https://ssm.eu-west-1.amazonaws.com" },
		{ "no JSON", "https://ssm.eu-west-1.amazonaws.com" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena = ARENA(1 << 16);
		struct account a;
		put(agent_config, rows[i][0]);
		variables = set;
		assert_int_equal(account_find(&environment, &arena, &a, NULL), 0);
		assert_true(str_eq(a.endpoint, str_from_c(rows[i][1])));
		variables = named;
		assert_int_equal(account_find(&environment, &arena, &a, NULL), 0);
		assert_true(str_eq(a.endpoint, STR("http://e")));
		arena_fini(&arena);
	}
}

static void test_account__of_the_shared_files(void **state)
{
	(void)state;
	static const char *const set[][2] = { { "AWS_SSM_INSTANCE_ID", "mi-1" },
		{ "AWS_PROFILE", "work" }, { "AWS_ACCESS_KEY_ID", "half a pair" }, { NULL, NULL } };
	struct arena arena = ARENA(1 << 16);
	struct account a;
	put(credentials, "[default]\naws_access_key_id=WRONG\n# a comment\n[ work ]\n"
	                 "aws_access_key_id = AKID\nAWS_SECRET_ACCESS_KEY=se=cret\n"
	                 "aws_access_key_id = SECOND\n");
	put(config, "[profile work]\nregion = cn-north-1\n");
	variables = set;
	assert_int_equal(account_find(&environment, &arena, &a, NULL), 0);
	assert_string_equal(a.key_id.p, "AKID");
	assert_string_equal(a.secret.p, "se=cret");
	assert_string_equal(a.endpoint.p, "https://ssm.cn-north-1.amazonaws.com.cn");
	assert_int_equal(a.source, ACCOUNT_FILE);
	arena_fini(&arena);
}

static void test_account__what_is_missing_is_said(void **state)
{
	(void)state;
	static const char *const rows[][5][2] = {
		{ { NULL, NULL } },
		{ { "AWS_SSM_INSTANCE_ID", "mi-1" }, { NULL, NULL } },
		{ { "AWS_SSM_INSTANCE_ID", "mi-1" }, { "AWS_REGION", "r" }, { NULL, NULL } },
		{ { "AWS_SSM_INSTANCE_ID", "mi-1" }, { "AWS_REGION", "r" },
		        { "AWS_ACCESS_KEY_ID", "AKID" }, { NULL, NULL } },
	};
	static const char *const want[] = { "the id of this machine", "no region", "no credentials",
		"no credentials" };
	for (size_t i = 0; i < 4; i++) {
		struct arena arena = ARENA(1 << 16);
		struct account a;
		struct err err = { 0 };
		variables = rows[i];
		assert_int_equal(account_find(&environment, &arena, &a, &err), -ENOENT);
		assert_true(str_has_prefix(str_from_c(err.text), str_from_c(want[i])));
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_account__of_the_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        test_account__reports_where_the_agent_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_account__of_the_shared_files, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        test_account__what_is_missing_is_said, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
