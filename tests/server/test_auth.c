/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "front.h"
#include "server/auth.h"

#define WHO "Action=GetCallerIdentity&Version=2011-06-15"

static int set_up(void **state)
{
	struct front *front = test_malloc(sizeof(*front));
	front_open(front);
	*state = front;
	return 0;
}

static int tear_down(void **state)
{
	front_close(*state);
	test_free(*state);
	return 0;
}

static int who(struct front *front, const struct front_key *key, int64_t signed_at)
{
	struct front_request request = {
		.key = key, .service = "sts", .body = WHO, .signed_at = signed_at
	};
	return front_send(front, &request);
}

static void test_auth__a_good_signature_names_its_caller(void **state)
{
	struct front *front = *state;
	assert_int_equal(who(front, &front->admin, 0), 200);
	assert_true(front_says(front, "<Account>123456789012</Account>"));
	assert_true(front_says(front, front->admin.id));
	/* The second time the signing key comes from the cache. */
	assert_int_equal(who(front, &front->admin, 0), 200);
}

static void test_auth__another_secret_is_refused(void **state)
{
	struct front *front = *state;
	struct front_key key = front->admin;
	key.secret[3] ^= 1;
	assert_int_equal(who(front, &key, 0), 403);
	assert_true(front_says(front, "<Code>SignatureDoesNotMatch</Code>"));
}

static void test_auth__an_unknown_key_is_refused(void **state)
{
	struct front *front = *state;
	struct front_key key = front->admin;
	key.id[6] = key.id[6] == 'A' ? 'B' : 'A';
	assert_int_equal(who(front, &key, 0), 403);
	assert_true(front_says(front, "<Code>InvalidClientTokenId</Code>"));
}

static void test_auth__clocks_may_be_off_by_five_minutes(void **state)
{
	struct front *front = *state;
	assert_int_equal(who(front, &front->admin, FRONT_NOW + 300), 200);
	assert_int_equal(who(front, &front->admin, FRONT_NOW - 300), 200);
	assert_int_equal(who(front, &front->admin, FRONT_NOW + 301), 403);
	assert_int_equal(who(front, &front->admin, FRONT_NOW - 301), 403);
}

static void test_auth__a_revoked_key_is_refused_at_once(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	assert_int_equal(who(front, &front->admin, 0), 200);
	assert_int_equal(key_revoke(front->server, str_from_c(front->admin.id), &err), 0);
	assert_int_equal(who(front, &front->admin, 0), 403);
}

static void make_session(struct front *front, const struct session *session, struct front_key *ret)
{
	struct session_keys keys;
	assert_int_equal(session_make(front->server, session, &front->arena, &keys), 0);
	*ret = (struct front_key){ .token = keys.token };
	memcpy(ret->id, keys.id.p, keys.id.n);
	memcpy(ret->secret, keys.secret.p, keys.secret.n);
}

static void test_auth__a_session_ends_at_its_time_and_with_its_parent(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	struct front_key key;
	struct session session = { .role = ROLE_READER,
		.account = FRONT_ACCOUNT,
		.expires_at = FRONT_NOW + 1,
		.parent = str_from_c(front->admin.id),
		.name = STR("role/me") };
	make_session(front, &session, &key);
	assert_int_equal(who(front, &key, 0), 200);
	assert_true(front_says(front, "arn:aws:sts::123456789012:assumed-role/role/me"));
	session.expires_at = FRONT_NOW;
	struct front_key late;
	make_session(front, &session, &late);
	assert_int_equal(who(front, &late, 0), 403);
	assert_true(front_says(front, "<Code>ExpiredToken</Code>"));
	assert_int_equal(key_revoke(front->server, str_from_c(front->admin.id), &err), 0);
	assert_int_equal(who(front, &key, 0), 403);
}

static void test_auth__a_session_needs_its_own_token(void **state)
{
	struct front *front = *state;
	struct front_key one, two;
	struct session session = { .role = ROLE_READER,
		.account = FRONT_ACCOUNT,
		.expires_at = FRONT_NOW + 9,
		.parent = str_from_c(front->admin.id) };
	make_session(front, &session, &one);
	make_session(front, &session, &two);
	str token = one.token;
	one.token = two.token;
	assert_int_equal(who(front, &one, 0), 403);
	one.token = (str){ NULL, 0 };
	assert_int_equal(who(front, &one, 0), 403);
	one.token = token;
	assert_int_equal(who(front, &one, 0), 200);
	/* A long-lived key with a token is neither. */
	struct front_key both = front->admin;
	both.token = token;
	assert_int_equal(who(front, &both, 0), 403);
}

static void test_auth__a_host_is_of_its_account(void **state)
{
	struct front *front = *state;
	struct front_key host, thief;
	front_account(front, 5, true);
	front_key(front, FRONT_ACCOUNT, ROLE_HOST, "i-0123456789abcdef0", &host);
	front_key(front, 5, ROLE_HOST, "i-0123456789abcdef0", &thief);
	assert_int_equal(who(front, &host, 0), 200);
	assert_true(front_says(front, "assumed-role/SondeHost/i-0123456789abcdef0"));
	assert_int_equal(who(front, &thief, 0), 403);
	/* A host that was deregistered has no say any more. */
	fleet_lock(front->server->fleet);
	const struct fleet_host *it =
	        fleet_host_find(front->server->fleet, STR("0123456789abcdef0"));
	assert_non_null(it);
	assert_int_equal(it->account, FRONT_ACCOUNT);
	uint64_t number = it->number;
	fleet_unlock(front->server->fleet);
	enum host_state state_now = HOST_TERMINATED;
	struct host_change change = { .state = &state_now };
	struct err err = { 0 };
	assert_int_equal(
	        fleet_host_change(front->server->fleet, number, &change, FRONT_NOW, &err), 0);
	assert_int_equal(who(front, &host, 0), 403);
}

static void test_auth__failures_have_the_names_of_each_protocol(void **state)
{
	struct front *front = *state;
	struct front_key key = front->admin;
	key.secret[0] ^= 1;
	static const struct {
		const char *service, *target, *path, *body, *code;
		int status;
	} rows[] = {
		{ "inspector2", NULL, "/findings/list", "{}", "InvalidSignatureException", 403 },
		{ "ssm", "AmazonSSM.ListDocuments", "/", "{}", "InvalidSignatureException", 400 },
		{ "organizations", "AWSOrganizationsV20161128.ListAccounts", "/", "{}",
		        "InvalidSignatureException", 400 },
		{ "ec2", NULL, "/", "Action=DescribeTags&Version=2016-11-15",
		        "SignatureDoesNotMatch", 403 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct front_request request = { .key = &key,
			.service = rows[i].service,
			.target = rows[i].target,
			.path = rows[i].path,
			.body = rows[i].body };
		assert_int_equal(front_send(front, &request), rows[i].status);
		assert_true(front_says(front, rows[i].code));
		request.key = NULL;
		(void)front_send(front, &request);
		assert_true(front_says(front, "MissingAuthenticationToken"));
	}
}

static void test_auth__names_of_services_are_translated(void **state)
{
	(void)state;
	assert_string_equal(
	        auth_error_of("MissingAuthenticationTokenException", STR("ec2")), "AuthFailure");
	assert_string_equal(auth_error_of("ExpiredTokenException", STR("sts")), "ExpiredToken");
	assert_string_equal(
	        auth_error_of("ExpiredTokenException", STR("ssm")), "ExpiredTokenException");
	assert_string_equal(auth_error_of("Other", STR("ec2")), "Other");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_auth__a_good_signature_names_its_caller),
		CASE(test_auth__another_secret_is_refused),
		CASE(test_auth__an_unknown_key_is_refused),
		CASE(test_auth__clocks_may_be_off_by_five_minutes),
		CASE(test_auth__a_revoked_key_is_refused_at_once),
		CASE(test_auth__a_session_ends_at_its_time_and_with_its_parent),
		CASE(test_auth__a_session_needs_its_own_token),
		CASE(test_auth__a_host_is_of_its_account),
		CASE(test_auth__failures_have_the_names_of_each_protocol),
		cmocka_unit_test(test_auth__names_of_services_are_translated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
