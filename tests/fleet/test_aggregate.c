/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts against the sums over all findings, found the slow way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "slow.h"

static bool is_counted(const struct finding_row *row, const struct aggregate_row *group,
        enum aggregation by, struct arena *arena)
{
	str title;
	if (row->status != STATUS_ACTIVE || row->account != group->account)
		return false;
	switch (by) {
	case BY_ACCOUNT:
	case BY_TYPE: return true;
	case BY_HOST: return row->host == group->host;
	case BY_IMAGE: return str_eq(host_fact(row->host, "ImageId"), group->key);
	case BY_TITLE:
		assert_int_equal(finding_title(row, arena, &title), 0);
		return str_eq(title, group->key) && str_eq(row->name, group->name);
	case BY_PACKAGE: break;
	}
	for (size_t i = 0; i < row->n_packages; i++) {
		if (str_eq(row->packages[i].element->package.name, group->key))
			return true;
	}
	return false;
}

static void demand_group(const struct slow *want, const struct aggregate_row *group,
        enum aggregation by, struct arena *arena)
{
	struct aggregate_row sum = { .n_all = 0 };
	uint8_t hosts[4096] = { 0 };
	for (size_t i = 0; i < want->n; i++) {
		const struct finding_row *row = &want->rows[i].row;
		if (!is_counted(row, group, by, arena))
			continue;
		sum.n_all++;
		sum.n_medium += row->severity == SEVERITY_MEDIUM;
		sum.n_high += row->severity == SEVERITY_HIGH;
		sum.n_critical += row->severity == SEVERITY_CRITICAL;
		sum.n_exploit += row->is_kev;
		sum.n_fix += strcmp(finding_fix(row), "YES") == 0;
		sum.n_hosts += by == BY_IMAGE && !hosts[row->host_number];
		hosts[row->host_number] = 1;
	}
	assert_true(sum.n_all > 0);
	assert_int_equal(group->n_all, sum.n_all);
	assert_int_equal(group->n_medium, sum.n_medium);
	assert_int_equal(group->n_high, sum.n_high);
	assert_int_equal(group->n_critical, sum.n_critical);
	assert_int_equal(group->n_exploit, sum.n_exploit);
	assert_int_equal(group->n_fix, sum.n_fix);
	assert_int_equal(group->n_hosts, sum.n_hosts);
}

static uint64_t count_of(const struct aggregate_row *row, enum aggregate_sort sort)
{
	return sort == SORT_CRITICAL ? row->n_critical
	       : sort == SORT_HIGH   ? row->n_high
	       : sort == SORT_ALL    ? row->n_all
	                             : row->n_hosts;
}

static void demand_counts(struct fleet *fleet, const struct query *query)
{
	struct slow want = slow_find(fleet, query);
	uint64_t n_active = 0;
	for (size_t i = 0; i < want.n; i++)
		n_active += want.rows[i].row.status == STATUS_ACTIVE;
	for (int by = BY_ACCOUNT; by <= BY_TYPE; by++) {
		struct arena arena = ARENA((size_t)256 << 20);
		struct aggregate_question question = { .by = (enum aggregation)by,
			.sort = (enum aggregate_sort)(by % 4),
			.is_descending = by % 2 };
		const struct aggregate_row *rows;
		uint64_t sum = 0;
		size_t n;
		assert_int_equal(
		        query_aggregate(fleet, query, &question, &arena, &rows, &n, NULL), 0);
		for (size_t i = 0; i < n; i++) {
			demand_group(&want, &rows[i], question.by, &arena);
			sum += rows[i].n_all;
			if (i == 0)
				continue;
			uint64_t a = count_of(&rows[i - 1], question.sort);
			uint64_t b = count_of(&rows[i], question.sort);
			assert_true(question.is_descending ? a >= b : a <= b);
			assert_true(a != b || str_cmp(rows[i - 1].key, rows[i].key) <= 0);
		}
		if (by != BY_PACKAGE && by != BY_IMAGE)
			assert_int_equal(sum, n_active);
		arena_fini(&arena);
	}
	slow_free(&want);
}

static struct fleet *small_fleet(uint64_t seed)
{
	struct model_size size = { .seed = seed,
		.n_accounts = 3,
		.n_hosts = 40,
		.n_elements = 60,
		.n_vulns = 40,
		.n_matches_per_element = 4,
		.n_sets = 20,
		.n_elements_per_set = 14,
		.n_closed = 60 };
	return model_new(&size);
}

static void test_aggregate__counts_are_the_sums_of_active_findings(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct fleet *fleet = small_fleet(seed);
		struct query query = { .accounts = fleet->accounts, .n_accounts = 3 };
		demand_counts(fleet, &query);
		query.n_accounts = 1;
		demand_counts(fleet, &query);
		query.n_accounts = 0;
		demand_counts(fleet, &query);
		model_free(fleet);
	}
}

static void test_aggregate__criteria_and_suppressions_hold(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct fleet *fleet = small_fleet(seed + 10);
		struct arena arena = ARENA((size_t)16 << 20);
		struct random_criteria criteria, rules[3];
		struct suppression suppressions[3];
		make_suppressions(fleet, suppressions, rules, 3, &arena);
		make_criteria(fleet, &criteria, &arena);
		struct query query = { .accounts = fleet->accounts,
			.n_accounts = 3,
			.arn = arn_of,
			.suppressions = suppressions,
			.n_suppressions = seed % 4,
			.criteria = { criteria.items, seed % 3 ? criteria.n : 0 } };
		demand_counts(fleet, &query);
		arena_fini(&arena);
		model_free(fleet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aggregate__counts_are_the_sums_of_active_findings),
		cmocka_unit_test(test_aggregate__criteria_and_suppressions_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
