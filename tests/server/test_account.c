/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "front.h"
#include "server/accounts.h"
#include "server/association.h"

#define BOSS INT64_C(111111111111)
#define ADMIN INT64_C(222222222222)
#define MEMBER INT64_C(333333333333)
#define OTHER INT64_C(444444444444)

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

static void put(struct front *front, const struct account *account)
{
	struct object_change change;
	struct err err = { 0 };
	assert_int_equal(account_change(account, &front->arena, &change), 0);
	assert_int_equal(objects_change(front->server->objects, &change, 1, NULL, &err), 0);
}

/* BOSS manages, ADMIN is delegated, MEMBER is a member, OTHER only in the organisation. */
static void make_organisation(struct front *front)
{
	struct object_change change;
	struct err err = { 0 };
	struct organisation organisation = { .id = STR("o-abcdefghij"),
		.management = BOSS,
		.delegated = ADMIN,
		.paths = { STR("/org/a"), STR("/org/b") },
		.n_paths = 2 };
	for (size_t i = 0; i < 4; i++) {
		static const int64_t numbers[] = { BOSS, ADMIN, MEMBER, OTHER };
		struct account account = { .number = numbers[i],
			.organisation = BOSS,
			.is_member = numbers[i] == MEMBER,
			.is_ec2_enabled = true };
		put(front, &account);
	}
	assert_int_equal(organisation_change(&organisation, &front->arena, &change), 0);
	assert_int_equal(objects_change(front->server->objects, &change, 1, NULL, &err), 0);
}

static void test_account__is_read_as_it_was_written(void **state)
{
	struct front *front = *state;
	struct account account = { .number = 5,
		.name = STR("n\"ame"),
		.email = STR("a@b.example"),
		.organisation = BOSS,
		.created_at = 1,
		.joined_at = 2,
		.is_legacy = true,
		.is_ecr_enabled = true,
		.is_code_enabled = true,
		.enabled_at = 3,
		.is_hybrid = true,
		.is_deep_active = true,
		.deep_error = STR("why"),
		.paths = { STR("/a"), STR("/b") },
		.n_paths = 2,
		.is_member = true,
		.member_at = 4,
		.ecr_rescan = STR("DAYS_30"),
		.inherits_mode = true };
	struct account got;
	put(front, &account);
	front_reopen(front);
	assert_int_equal(account_get(front->server, 5, &front->arena, &got), 0);
	assert_true(str_eq(got.name, account.name) && str_eq(got.email, account.email));
	assert_true(str_eq(got.deep_error, account.deep_error));
	assert_true(str_eq(got.ecr_rescan, account.ecr_rescan));
	assert_int_equal(got.organisation, BOSS);
	assert_int_equal(got.created_at + got.joined_at + got.enabled_at + got.member_at, 10);
	assert_true(got.is_legacy && got.is_ecr_enabled && got.is_code_enabled && got.is_hybrid);
	assert_true(got.is_deep_active && got.is_member && got.inherits_mode);
	assert_false(got.is_ec2_enabled || got.is_lambda_enabled || got.is_lambda_code_enabled);
	assert_int_equal(got.n_paths, 2);
	assert_true(str_eq(got.paths[1], STR("/b")));
	assert_int_equal(account_get(front->server, 6, &front->arena, &got), -ENOENT);
}

static void test_account__numbers_are_twelve_digits(void **state)
{
	int64_t number;
	(void)state;
	assert_true(account_parse(STR("000000000042"), &number));
	assert_int_equal(number, 42);
	assert_string_equal(account_text(42).text, "000000000042");
	static const char *const bad[] = { "", "42", "0000000000422", "00000000004x",
		"-00000000042" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(account_parse(str_from_c(bad[i]), &number));
}

static void test_account__others_are_seen_by_the_delegated_administrator_only(void **state)
{
	struct front *front = *state;
	make_organisation(front);
	const struct caller admin = {
		.role = ROLE_READER, .account = ADMIN, .is_delegated = true, .organisation = BOSS
	};
	const struct caller boss = {
		.role = ROLE_ADMIN, .account = BOSS, .is_management = true, .organisation = BOSS
	};
	struct caller host = admin;
	host.role = ROLE_HOST;
	assert_true(caller_sees(front->server, &admin, ADMIN));
	assert_true(caller_sees(front->server, &admin, MEMBER));
	assert_false(caller_sees(front->server, &admin, OTHER));
	assert_false(caller_sees(front->server, &admin, FRONT_ACCOUNT));
	assert_false(caller_sees(front->server, &admin, 7));
	assert_false(caller_sees(front->server, &boss, MEMBER));
	assert_false(caller_sees(front->server, &host, MEMBER));
	assert_false(caller_sees(front->server, &(struct caller){ .account = 7 }, 7));

	const int64_t *numbers;
	size_t n;
	assert_int_equal(caller_accounts(front->server, &admin, &front->arena, &numbers, &n), 0);
	assert_int_equal(n, 2);
	assert_true(numbers[0] == ADMIN && numbers[1] == MEMBER);
	/* Of what is disabled nothing is shown; it is a member still. */
	put(front, &(struct account){ .number = MEMBER, .organisation = BOSS, .is_member = true });
	assert_int_equal(caller_accounts(front->server, &admin, &front->arena, &numbers, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(caller_members(front->server, &admin, &front->arena, &numbers, &n), 0);
	assert_int_equal(n, 2);
}

static void test_account__paths_are_the_organisations_then_its_own(void **state)
{
	struct front *front = *state;
	const str *paths;
	make_organisation(front);
	struct account account = { .number = MEMBER,
		.organisation = BOSS,
		.is_member = true,
		.paths = { STR("/own") },
		.n_paths = 1 };
	int n = account_effective_paths(front->server, &account, &front->arena, &paths);
	assert_int_equal(n, 3);
	assert_true(str_eq(paths[0], STR("/org/a")) && str_eq(paths[2], STR("/own")));
	account.is_member = false;
	n = account_effective_paths(front->server, &account, &front->arena, &paths);
	assert_int_equal(n, 1);
	account.number = ADMIN; /* itself too */
	n = account_effective_paths(front->server, &account, &front->arena, &paths);
	assert_int_equal(n, 3);
}

/* The parameter that hosts read, or NULL. */
static const struct value *parameter(struct front *front, int64_t account)
{
	const struct value *v;
	return object_get(front->server->objects, account, "parameter", STR(PATHS_PARAMETER),
	               &front->arena, &v) < 0
	               ? NULL
	               : v;
}

static void test_account__what_is_on_has_its_parameter_and_associations(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	struct account account;
	assert_int_equal(account_get(front->server, FRONT_ACCOUNT, &front->arena, &account), 0);
	assert_int_equal(account_reconcile(front->server, FRONT_ACCOUNT, FRONT_NOW, &err), 0);
	assert_true(str_eq(value_get_str(parameter(front, FRONT_ACCOUNT), STR("Value")),
	        STR("NO_PATHS_DEFINED")));
	size_t n = object_count(front->server->objects, FRONT_ACCOUNT, "association");
	assert_int_equal(n, 3);
	/* Nothing is done twice. */
	struct store_stats before, after;
	store_stats(front->server->store, &before);
	assert_int_equal(account_reconcile(front->server, FRONT_ACCOUNT, FRONT_NOW, &err), 0);
	store_stats(front->server->store, &after);
	assert_int_equal(after.commits, before.commits);

	account.paths[0] = STR("/opt/x");
	account.n_paths = 1;
	put(front, &account);
	assert_int_equal(account_reconcile(front->server, FRONT_ACCOUNT, FRONT_NOW, &err), 0);
	const struct value *v = parameter(front, FRONT_ACCOUNT);
	assert_true(str_eq(value_get_str(v, STR("Value")), STR("/opt/x")));
	assert_int_equal(value_get_i64(v, STR("Version"), 0), 2);

	account.is_ec2_enabled = false;
	put(front, &account);
	assert_int_equal(account_reconcile(front->server, FRONT_ACCOUNT, FRONT_NOW, &err), 0);
	assert_null(parameter(front, FRONT_ACCOUNT));
	assert_int_equal(object_count(front->server->objects, FRONT_ACCOUNT, "association"), 0);
}

static enum host_state state_of(struct front *front, uint64_t number)
{
	fleet_lock(front->server->fleet);
	enum host_state state = fleet_host_at(front->server->fleet, number)->state;
	fleet_unlock(front->server->fleet);
	return state;
}

static void test_account__its_hosts_follow_its_settings_and_their_tags(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	bool is_ec2 = true;
	enum host_state active = HOST_ACTIVE, gone = HOST_TERMINATED;
	struct pair tag = { STR(EXCLUSION_TAG), STR("") };
	struct host_change plain = { .is_ec2 = &is_ec2, .state = &active };
	struct host_change tagged = plain, terminated = plain;
	uint64_t a, b, c;
	tagged.tags = &tag;
	tagged.n_tags = 1;
	tagged.has_tags = true;
	terminated.state = &gone;
	assert_int_equal(fleet_host_add(front->server->fleet, FRONT_ACCOUNT, "0123456789abcdef0",
	                         &plain, FRONT_NOW, NULL, &a, &err),
	        0);
	assert_int_equal(fleet_host_add(front->server->fleet, FRONT_ACCOUNT, "0123456789abcdef1",
	                         &tagged, FRONT_NOW, NULL, &b, &err),
	        0);
	assert_int_equal(fleet_host_add(front->server->fleet, FRONT_ACCOUNT, "0123456789abcdef2",
	                         &plain, FRONT_NOW, NULL, &c, &err),
	        0);
	assert_int_equal(
	        fleet_host_change(front->server->fleet, c, &terminated, FRONT_NOW, &err), 0);
	assert_int_equal(account_reconcile(front->server, FRONT_ACCOUNT, FRONT_NOW, &err), 0);
	assert_int_equal(state_of(front, a), HOST_ACTIVE);
	assert_int_equal(state_of(front, b), HOST_EXCLUDED);
	assert_int_equal(state_of(front, c), HOST_TERMINATED);
	front_account(front, FRONT_ACCOUNT, false);
	assert_int_equal(account_reconcile(front->server, FRONT_ACCOUNT, FRONT_NOW, &err), 0);
	assert_int_equal(state_of(front, a), HOST_DISABLED);
	assert_int_equal(state_of(front, b), HOST_DISABLED);
	assert_int_equal(state_of(front, c), HOST_TERMINATED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_account__is_read_as_it_was_written),
		cmocka_unit_test(test_account__numbers_are_twelve_digits),
		CASE(test_account__others_are_seen_by_the_delegated_administrator_only),
		CASE(test_account__paths_are_the_organisations_then_its_own),
		CASE(test_account__what_is_on_has_its_parameter_and_associations),
		CASE(test_account__its_hosts_follow_its_settings_and_their_tags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
