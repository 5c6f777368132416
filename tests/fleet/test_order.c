/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleet/order.h"
#include "model.h"

static const struct model_size size = { .seed = 5,
	.n_accounts = 1,
	.n_hosts = 2,
	.n_elements = 60,
	.n_vulns = 50,
	.n_matches_per_element = 4,
	.n_sets = 2,
	.n_elements_per_set = 4 };

static void demand_order(const struct generation *generation, const struct sort_order *order)
{
	const struct issue *const *issues;
	void *own;
	assert_int_equal(orders_of(generation, order, &issues, &own), 0);
	for (size_t i = 1; i < generation->n_issues; i++) {
		struct sort_key a, b;
		sort_key_of_issue(order->field, issues[i - 1], &a);
		sort_key_of_issue(order->field, issues[i], &b);
		int c = sort_compare(order, &a, &b);
		assert_true(c < 0 || (c == 0 && issues[i - 1]->rank < issues[i]->rank));
	}
	free(own);
}

static void test_order__issues_are_by_value_then_name_then_rank(void **state)
{
	struct fleet *fleet = model_new(&size);
	(void)state;
	assert_true(fleet->generation->n_issues > 50);
	for (int field = FIELD_ACCOUNT; field <= FIELD_NEVER; field++) {
		if (!sort_is_of_issues((enum finding_field)field))
			continue;
		for (int k = 0; k < 2; k++) {
			struct sort_order order = { (enum finding_field)field, k };
			demand_order(fleet->generation, &order);
		}
	}
	model_free(fleet);
}

static void test_order__is_remembered_until_issues_join(void **state)
{
	struct fleet *fleet = model_new(&size);
	struct sort_order order = { FIELD_SEVERITY, true };
	const struct issue *const *first, *const *second;
	void *own;
	(void)state;
	assert_int_equal(orders_of(fleet->generation, &order, &first, &own), 0);
	assert_null(own);
	assert_int_equal(orders_of(fleet->generation, &order, &second, &own), 0);
	assert_ptr_equal(first, second);
	struct issue issue = {
		.vuln = 51, .name = STR("CVE-2024-99999"), .severity = SEVERITY_CRITICAL
	};
	struct match draft = { .element = 61, .issue = &issue };
	struct prepared prepared;
	assert_int_equal(generation_prepare(fleet->generation, 61, &draft, 1, &prepared), 0);
	generation_publish(fleet->generation, &prepared, 1);
	demand_order(fleet->generation, &order);
	model_free(fleet);
}

static void test_order__is_made_anew_where_none_is_remembered(void **state)
{
	struct fleet *fleet = model_new(&size);
	struct generation plain = { .issues = fleet->generation->issues,
		.n_issues = fleet->generation->n_issues };
	struct sort_order order = { FIELD_SCORE, false };
	const struct issue *const *issues;
	void *own;
	(void)state;
	assert_int_equal(orders_of(&plain, &order, &issues, &own), 0);
	assert_non_null(own);
	free(own);
	demand_order(&plain, &order);
	model_free(fleet);
}

static void test_order__only_the_value_falls(void **state)
{
	struct sort_order falling = { FIELD_SEVERITY, true };
	struct sort_key a = { .number = 1, .name = STR("A"), .host = 1 };
	struct sort_key b = { .number = 2, .name = STR("B"), .host = 1 };
	(void)state;
	assert_true(sort_compare(&falling, &a, &b) > 0);
	b.number = 1;
	assert_true(sort_compare(&falling, &a, &b) < 0);
	b.name = STR("A");
	b.host = 2;
	assert_true(sort_compare(&falling, &a, &b) < 0);
	b.host = 1;
	assert_int_equal(sort_compare(&falling, &a, &b), 0);
	b.first_observed = 1;
	assert_true(sort_compare(&falling, &a, &b) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order__issues_are_by_value_then_name_then_rank),
		cmocka_unit_test(test_order__is_remembered_until_issues_join),
		cmocka_unit_test(test_order__is_made_anew_where_none_is_remembered),
		cmocka_unit_test(test_order__only_the_value_falls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
