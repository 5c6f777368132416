/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleet/criteria.h"
#include "fleet/host_make.h"

static const struct element openssl = { .id = 1,
	.package = { .type = STR("rpm"),
	        .name = STR("openssl"),
	        .version = STR("1:3.0.7-5.el9"),
	        .arch = STR("x86_64") } };
static const struct element requests = { .id = 2,
	.package = { .type = STR("pypi"), .name = STR("requests"), .version = STR("2.32.0") } };

static const str openssl_paths[] = { STR("/var/lib/rpm") };
static const str requests_paths[] = { STR("/opt/a/METADATA"), STR("/opt/b/METADATA") };
static const struct finding_package packages[] = {
	{ .element = &openssl,
	        .fixed_in = STR("1:3.0.7-6.el9"),
	        .fix_state = FIX_AVAILABLE,
	        .paths = openssl_paths,
	        .n_paths = 1 },
	{ .element = &requests, .fix_state = FIX_NONE, .paths = requests_paths, .n_paths = 2 },
};
static const str aliases[] = { STR("GHSA-aaaa-bbbb-cccc"), STR("DSA-1-1") };
static const struct issue issue = { .vuln = 1,
	.name = STR("CVE-2024-1"),
	.severity = SEVERITY_HIGH,
	.score = 7.5,
	.epss = 0.25,
	.is_kev = true,
	.source = STR("NVD"),
	.vendor_severity = STR("important"),
	.aliases = aliases,
	.n_aliases = 2 };

static struct fleet_host *host;

static int setup(void **state)
{
	static const struct pair tags[] = { { STR("empty"), STR("") },
		{ STR("team"), STR("red") } };
	static const struct pair facts[] = { { STR("ImageId"), STR("ami-1") },
		{ STR("SubnetId"), STR("subnet-1") }, { STR("VpcId"), STR("vpc-1") } };
	struct fleet_host draft = { .number = 5, .account = 42, .id = "0123456789abcdef0" };
	(void)state;
	draft.tags = tags;
	draft.n_tags = 2;
	draft.facts = facts;
	draft.n_facts = 3;
	host = host_make(&draft);
	return host ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	host_free(host);
	return 0;
}

static struct finding_row sample(void)
{
	return (struct finding_row){ .host = host,
		.host_number = 5,
		.host_id = host->id,
		.account = 42,
		.vuln = 1,
		.name = issue.name,
		.issue = &issue,
		.status = STATUS_ACTIVE,
		.severity = issue.severity,
		.score = issue.score,
		.epss = issue.epss,
		.is_kev = true,
		.first_observed = 100,
		.last_observed = 200,
		.updated_at = 150,
		.packages = packages,
		.n_packages = 2 };
}

static bool holds(const struct criterion *items, size_t n)
{
	struct criteria criteria = { items, n };
	struct finding_row row = sample();
	return criteria_hold(&criteria, &row, STR("arn:aws:x"));
}

struct text_case {
	enum finding_field field;
	enum text_comparison comparison;
	str value;
	bool is_met;
};

static void test_criteria__texts_are_compared_as_asked(void **state)
{
	static const struct text_case cases[] = {
		{ FIELD_ACCOUNT, TEXT_EQUALS, STR("000000000042"), true },
		{ FIELD_ACCOUNT, TEXT_EQUALS, STR("42"), false },
		{ FIELD_ACCOUNT, TEXT_PREFIX, STR("0000"), true },
		{ FIELD_ACCOUNT, TEXT_NOT_EQUALS, STR("000000000042"), false },
		{ FIELD_TYPE, TEXT_EQUALS, STR("PACKAGE_VULNERABILITY"), true },
		{ FIELD_TYPE, TEXT_EQUALS, STR("NETWORK_REACHABILITY"), false },
		{ FIELD_STATUS, TEXT_EQUALS, STR("ACTIVE"), true },
		{ FIELD_STATUS, TEXT_NOT_EQUALS, STR("CLOSED"), true },
		{ FIELD_SEVERITY, TEXT_EQUALS, STR("HIGH"), true },
		{ FIELD_SEVERITY, TEXT_EQUALS, STR("high"), false },
		{ FIELD_TITLE, TEXT_EQUALS, STR("CVE-2024-1 - openssl, requests"), true },
		{ FIELD_TITLE, TEXT_PREFIX, STR("CVE-2024-1 - o"), true },
		{ FIELD_TITLE, TEXT_NOT_EQUALS, STR("CVE-2024-1"), true },
		{ FIELD_VULNERABILITY, TEXT_PREFIX, STR("CVE-2024"), true },
		{ FIELD_VULNERABILITY, TEXT_EQUALS, STR("CVE-2024"), false },
		{ FIELD_SOURCE, TEXT_EQUALS, STR("NVD"), true },
		{ FIELD_VENDOR_SEVERITY, TEXT_EQUALS, STR("important"), true },
		{ FIELD_RELATED, TEXT_EQUALS, STR("DSA-1-1"), true },
		{ FIELD_RELATED, TEXT_PREFIX, STR("GHSA-"), true },
		{ FIELD_RELATED, TEXT_NOT_EQUALS, STR("DSA-1-1"), false },
		{ FIELD_RELATED, TEXT_NOT_EQUALS, STR("DSA-2-1"), true },
		{ FIELD_FIX, TEXT_EQUALS, STR("PARTIAL"), true },
		{ FIELD_EXPLOIT, TEXT_EQUALS, STR("YES"), true },
		{ FIELD_RESOURCE_TYPE, TEXT_EQUALS, STR("AWS_EC2_INSTANCE"), true },
		{ FIELD_RESOURCE_ID, TEXT_EQUALS, STR("i-0123456789abcdef0"), true },
		{ FIELD_RESOURCE_ID, TEXT_EQUALS, STR("mi-0123456789abcdef0"), true },
		{ FIELD_RESOURCE_ID, TEXT_NOT_EQUALS, STR("mi-0123456789abcdef0"), false },
		{ FIELD_RESOURCE_ID, TEXT_PREFIX, STR("i-0123"), true },
		{ FIELD_RESOURCE_ID, TEXT_EQUALS, STR("0123456789abcdef0"), false },
		{ FIELD_IMAGE_ID, TEXT_EQUALS, STR("ami-1"), true },
		{ FIELD_VPC_ID, TEXT_EQUALS, STR("vpc-1"), true },
		{ FIELD_SUBNET_ID, TEXT_NOT_EQUALS, STR("subnet-1"), false },
		{ FIELD_ARN, TEXT_EQUALS, STR("arn:aws:x"), true },
		{ FIELD_ARN, TEXT_PREFIX, STR("arn:gov"), false },
		{ FIELD_NEVER, TEXT_EQUALS, STR("x"), false },
		{ FIELD_NEVER, TEXT_NOT_EQUALS, STR("x"), false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct criterion item = { .field = cases[i].field,
			.text = { cases[i].comparison, cases[i].value } };
		if (holds(&item, 1) != cases[i].is_met)
			fail_msg("case %zu: " STR_FMT, i, STR_ARG(cases[i].value));
	}
}

static void test_criteria__entries_of_a_field_are_alternatives(void **state)
{
	struct criterion items[] = {
		{ .field = FIELD_SEVERITY, .text = { TEXT_EQUALS, STR("LOW") } },
		{ .field = FIELD_SEVERITY, .text = { TEXT_EQUALS, STR("HIGH") } },
		{ .field = FIELD_SOURCE, .text = { TEXT_EQUALS, STR("NVD") } },
	};
	(void)state;
	assert_true(holds(items, 3));
	items[2].text.value = STR("GHSA");
	assert_false(holds(items, 3)); /* fields must all be met */
	assert_false(holds(items, 1));
	assert_true(holds(items, 0));
}

static void test_criteria__each_exclusion_must_hold(void **state)
{
	struct criterion items[] = {
		{ .field = FIELD_SEVERITY, .text = { TEXT_NOT_EQUALS, STR("LOW") } },
		{ .field = FIELD_SEVERITY, .text = { TEXT_NOT_EQUALS, STR("MEDIUM") } },
		{ .field = FIELD_SEVERITY, .text = { TEXT_EQUALS, STR("HIGH") } },
	};
	(void)state;
	assert_true(holds(items, 3));
	assert_true(holds(items, 2));
	items[1].text.value = STR("HIGH");
	assert_false(holds(items, 3));
	assert_false(holds(items, 2));
}

static void test_criteria__numbers_and_times_are_inclusive(void **state)
{
	static const struct {
		enum finding_field field;
		double from, to;
		bool is_met;
	} cases[] = {
		{ FIELD_SCORE, 7.5, 7.5, true },
		{ FIELD_SCORE, 7.6, 10, false },
		{ FIELD_EPSS, 0, 0.25, true },
		{ FIELD_EPSS, 0.3, 1, false },
		{ FIELD_FIRST_OBSERVED, 100, 100, true },
		{ FIELD_FIRST_OBSERVED, 101, 1e18, false },
		{ FIELD_LAST_OBSERVED, -1e18, 200, true },
		{ FIELD_LAST_OBSERVED, -1e18, 199, false },
		{ FIELD_UPDATED, 150, 151, true },
		{ FIELD_UPDATED, 151, 150, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct criterion item = {
			.field = cases[i].field, .from = cases[i].from, .to = cases[i].to
		};
		if (holds(&item, 1) != cases[i].is_met)
			fail_msg("case %zu", i);
	}
}

static void test_criteria__no_score_is_in_no_range(void **state)
{
	struct criterion items[] = { { .field = FIELD_SCORE, .from = -10, .to = 10 } };
	struct criteria criteria = { items, 1 };
	struct finding_row row = sample();
	(void)state;
	row.score = -1;
	assert_false(criteria_hold(&criteria, &row, STR("")));
	items[0].field = FIELD_EPSS;
	row.epss = -1;
	assert_false(criteria_hold(&criteria, &row, STR("")));
}

static void test_criteria__tags_are_key_and_perhaps_value(void **state)
{
	struct criterion item = { .field = FIELD_TAG, .tag_key = STR("team") };
	(void)state;
	assert_true(holds(&item, 1));
	item.text.value = STR("red");
	assert_true(holds(&item, 1));
	item.text.value = STR("blue");
	assert_false(holds(&item, 1));
	item.tag_key = STR("empty");
	item.text.value = STR("");
	assert_true(holds(&item, 1));
	item.tag_key = STR("none");
	item.text.value = (str){ NULL, 0 };
	assert_false(holds(&item, 1));
}

static bool package_holds(struct package_criterion package)
{
	struct criterion item = { .field = FIELD_PACKAGE, .package = package };
	return holds(&item, 1);
}

static void test_criteria__members_hold_for_one_and_the_same_package(void **state)
{
	struct package_criterion p = { .name = { TEXT_EQUALS, STR("openssl") },
		.version = { TEXT_EQUALS, STR("3.0.7") },
		.release = { TEXT_PREFIX, STR("5.") },
		.arch = { TEXT_EQUALS, STR("X86_64") },
		.has_epoch = true,
		.epoch_from = 1,
		.epoch_to = 1 };
	(void)state;
	assert_true(package_holds(p));
	p.epoch_to = p.epoch_from = 0;
	assert_false(package_holds(p));
	p.has_epoch = false;
	p.path = (struct text_criterion){ TEXT_PREFIX, STR("/opt/") }; /* that of the other one */
	assert_false(package_holds(p));
	p.path.value = STR("/var/");
	assert_true(package_holds(p));
	p.is_never = true;
	assert_false(package_holds(p));
	p = (struct package_criterion){ .version = { TEXT_EQUALS, STR("2.32.0") },
		.path = { TEXT_EQUALS, STR("/opt/b/METADATA") } };
	assert_true(package_holds(p));
	p.has_epoch = true; /* a language package has none */
	p.epoch_to = 9;
	assert_false(package_holds(p));
	p = (struct package_criterion){ .name = { TEXT_NOT_EQUALS, STR("openssl") } };
	assert_true(package_holds(p)); /* the other package */
}

static void test_criteria__grains_are_what_must_be_known(void **state)
{
	struct criterion items[] = {
		{ .field = FIELD_SEVERITY, .text = { TEXT_EQUALS, STR("HIGH") } },
		{ .field = FIELD_STATUS, .text = { TEXT_EQUALS, STR("CLOSED") } },
		{ .field = FIELD_PACKAGE, .package = { .name = { TEXT_EQUALS, STR("x") } } },
		{ .field = FIELD_PACKAGE, .package = { .path = { TEXT_EQUALS, STR("/x") } } },
	};
	struct criteria criteria = { items, 4 };
	struct finding_row row = sample();
	(void)state;
	assert_int_equal(criteria_grains(&criteria), GRAIN_ISSUE | GRAIN_STATUS | GRAIN_PATHS);
	assert_true(criteria_hold_at(&criteria, GRAIN_ISSUE | GRAIN_HOST, &row, STR("")));
	assert_false(criteria_hold_at(&criteria, GRAIN_STATUS, &row, STR("")));
	assert_false(criteria_admit_status(&criteria, STATUS_ACTIVE));
	assert_true(criteria_admit_status(&criteria, STATUS_CLOSED));
	assert_true(criteria_admit_element(&criteria, &openssl)); /* by its path, perhaps */
	criteria.n = 3;
	assert_false(criteria_admit_element(&criteria, &openssl));
	criteria.n = 0;
	assert_int_equal(criteria_grains(&criteria), 0);
	assert_true(criteria_admit_element(&criteria, &openssl));
}

static void test_criteria__a_title_is_admitted_by_its_beginning(void **state)
{
	static const struct {
		enum text_comparison comparison;
		str value;
		bool is_admitted;
	} cases[] = {
		{ TEXT_EQUALS, STR("CVE-2024-1 - openssl"), true },
		{ TEXT_EQUALS, STR("CVE-2024-11 - openssl"), false },
		{ TEXT_PREFIX, STR("CVE-2024-1"), true },
		{ TEXT_PREFIX, STR("CVE-2024-1 "), true },
		{ TEXT_PREFIX, STR("CVE"), true },
		{ TEXT_PREFIX, STR("GHSA"), false },
		{ TEXT_NOT_EQUALS, STR("GHSA"), true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct criterion item = { .field = FIELD_TITLE,
			.text = { cases[i].comparison, cases[i].value } };
		struct criteria criteria = { &item, 1 };
		if (criteria_admit_title(&criteria, STR("CVE-2024-1")) != cases[i].is_admitted)
			fail_msg("case %zu", i);
	}
}

static void test_criteria__hosts_named_one_by_one_are_found(void **state)
{
	struct criterion items[] = {
		{ .field = FIELD_SEVERITY, .text = { TEXT_EQUALS, STR("HIGH") } },
		{ .field = FIELD_RESOURCE_ID, .text = { TEXT_EQUALS, STR("i-1") } },
		{ .field = FIELD_RESOURCE_ID, .text = { TEXT_NOT_EQUALS, STR("i-2") } },
	};
	struct criteria criteria = { items, 3 };
	const struct criterion *first;
	size_t n;
	(void)state;
	assert_true(criteria_name_hosts(&criteria, &first, &n));
	assert_ptr_equal(first, &items[1]);
	assert_int_equal(n, 2);
	items[2].text.comparison = TEXT_PREFIX;
	assert_false(criteria_name_hosts(&criteria, &first, &n));
	criteria.n = 1;
	assert_false(criteria_name_hosts(&criteria, &first, &n));
	assert_true(str_eq(resource_digits(STR("mi-12")), STR("12")));
	assert_true(str_eq(resource_digits(STR("i-12")), STR("12")));
	assert_true(str_eq(resource_digits(STR("12")), STR("12")));
}

static void test_criteria__a_host_that_is_forgotten_meets_no_tag(void **state)
{
	struct criterion items[] = {
		{ .field = FIELD_TAG, .tag_key = STR("team") },
		{ .field = FIELD_IMAGE_ID, .text = { TEXT_EQUALS, STR("ami-1") } },
		{ .field = FIELD_VPC_ID, .text = { TEXT_NOT_EQUALS, STR("vpc-1") } },
	};
	struct finding_row row = sample();
	(void)state;
	row.host = NULL;
	assert_false(criteria_hold(&(struct criteria){ items, 1 }, &row, STR("")));
	assert_false(criteria_hold(&(struct criteria){ items + 1, 1 }, &row, STR("")));
	assert_true(criteria_hold(&(struct criteria){ items + 2, 1 }, &row, STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_criteria__texts_are_compared_as_asked),
		cmocka_unit_test(test_criteria__entries_of_a_field_are_alternatives),
		cmocka_unit_test(test_criteria__each_exclusion_must_hold),
		cmocka_unit_test(test_criteria__numbers_and_times_are_inclusive),
		cmocka_unit_test(test_criteria__no_score_is_in_no_range),
		cmocka_unit_test(test_criteria__tags_are_key_and_perhaps_value),
		cmocka_unit_test(test_criteria__members_hold_for_one_and_the_same_package),
		cmocka_unit_test(test_criteria__grains_are_what_must_be_known),
		cmocka_unit_test(test_criteria__a_title_is_admitted_by_its_beginning),
		cmocka_unit_test(test_criteria__hosts_named_one_by_one_are_found),
		cmocka_unit_test(test_criteria__a_host_that_is_forgotten_meets_no_tag),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
