/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fleet/content.h"
#include "server/server.h"

#define NOW INT64_C(1767225600)
#define DAY INT64_C(86400)
/* The value of the fact of a limit: for one of them it says when. */
#define TODAY "1767225600"

/* What a host is, and what is said of it. Items by their initials: A application, I instance
 * information, P the plugin's packages, O our own upload. */
struct row {
	enum host_state state;
	const char *items;
	const char *os;
	int64_t registered_at, seen_at;
	unsigned n_packages;
	const char *limit; /* a fact, or empty */
	bool is_deep;
	const char *reason;
	bool is_active;
};

static const struct row rows[] = {
	{ HOST_ACTIVE, "", "", NOW, 0, 0, "", true, "PENDING_INITIAL_SCAN", true },
	{ HOST_ACTIVE, "", "", NOW - 8 * DAY, 0, 0, "", true, "NO_INVENTORY", false },
	{ HOST_ACTIVE, "I", "debian", NOW, NOW, 0, "", true, "NO_INVENTORY", false },
	{ HOST_ACTIVE, "A", "debian", NOW, NOW, 0, "", false, "SUCCESSFUL", true },
	{ HOST_ACTIVE, "A", "debian", NOW, NOW, 0, "", true, "DEEP_INSPECTION_NO_INVENTORY", true },
	{ HOST_ACTIVE, "AP", "debian", NOW, NOW, 5000, "", true, "SUCCESSFUL", true },
	{ HOST_ACTIVE, "AP", "debian", NOW, NOW, 5001, "", true,
	        "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED", true },
	{ HOST_ACTIVE, "O", "debian", NOW, NOW, 0, "", true, "SUCCESSFUL", true },
	{ HOST_ACTIVE, "O", "debian", NOW, NOW, 0, FACT_TIME_LIMIT, true,
	        "DEEP_INSPECTION_COLLECTION_TIME_LIMIT_EXCEEDED", true },
	{ HOST_ACTIVE, "O", "debian", NOW, NOW, 0, FACT_PACKAGE_LIMIT, true,
	        "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED", true },
	{ HOST_ACTIVE, "O", "debian", NOW, NOW, 0, FACT_DAILY_LIMIT_AT, true,
	        "DEEP_INSPECTION_DAILY_SSM_INVENTORY_LIMIT_EXCEEDED", true },
	{ HOST_ACTIVE, "O", "debian", NOW, NOW, 0, FACT_TIME_LIMIT, false, "SUCCESSFUL", true },
	{ HOST_ACTIVE, "AP", "", NOW, NOW, 1, "", true, "UNSUPPORTED_OS", false },
	{ HOST_ACTIVE, "AP", "debian", NOW, NOW - 7 * DAY, 1, "", true, "SUCCESSFUL", true },
	{ HOST_ACTIVE, "AP", "debian", NOW, NOW - 7 * DAY - 1, 1, "", true, "STALE_INVENTORY",
	        false },
	{ HOST_EXCLUDED, "AP", "debian", NOW, NOW, 1, "", true, "EXCLUDED_BY_TAG", false },
	{ HOST_DISABLED, "AP", "debian", NOW, NOW, 1, "", true, "PENDING_DISABLE", false },
	{ HOST_TERMINATED, "AP", "debian", NOW, NOW, 1, "", true, "RESOURCE_TERMINATED", false },
};

static size_t add_items(const struct row *row, struct host_item items[4])
{
	size_t n = 0;
	/* Sorted by type, as hosts have them. */
	if (strchr(row->items, 'A'))
		items[n++] = (struct host_item){ .type = STR("AWS:Application"), .n_rows = 10 };
	if (strchr(row->items, 'I'))
		items[n++] = (struct host_item){ .type = STR("AWS:InstanceInformation") };
	if (strchr(row->items, 'P'))
		items[n++] = (struct host_item){ .type = STR("Custom:InspectorThirdPartyPackage"),
			.n_rows = row->n_packages };
	if (strchr(row->items, 'O'))
		items[n++] = (struct host_item){ .type = STR("Custom:SondeInventory") };
	return n;
}

static void test_coverage__has_the_reason_that_matters_most(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct host_item items[4];
		struct pair facts[] = { { STR("Os.Id"), str_from_c(rows[i].os) },
			{ str_from_c(rows[i].limit), STR(TODAY) } };
		struct fleet_host host = { .state = rows[i].state,
			.registered_at = rows[i].registered_at,
			.items = items,
			.n_items = add_items(&rows[i], items),
			.facts = facts,
			.n_facts = rows[i].limit[0] ? 2 : 1 };
		atomic_store(&host.seen_at, rows[i].seen_at);
		struct coverage got = host_coverage(&host, rows[i].is_deep, NOW);
		if (strcmp(got.reason, rows[i].reason) != 0 || got.is_active != rows[i].is_active)
			fail_msg("row %zu: %s", i, got.reason);
		assert_int_equal(got.last_scanned_at, host.n_items > 0 ? rows[i].seen_at : 0);
	}
}

static void test_coverage__ids_are_read_in_both_forms(void **state)
{
	str digits;
	(void)state;
	assert_true(host_id_parse(STR("i-0123456789abcdef0"), &digits));
	assert_true(str_eq(digits, STR("0123456789abcdef0")));
	assert_true(host_id_parse(STR("mi-0123456789abcdef0"), &digits));
	static const char *const bad[] = { "", "i-", "0123456789abcdef0", "x-0123456789abcdef0",
		"i-0123456789abcdef", "i-0123456789abcdef00", "i-0123456789ABCDEF0",
		"i-0123456789abcdefg" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(host_id_parse(str_from_c(bad[i]), &digits));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage__has_the_reason_that_matters_most),
		cmocka_unit_test(test_coverage__ids_are_read_in_both_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
