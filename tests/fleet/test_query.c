/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages and counts against a slow way to find the same: every host, every vulnerability, one after
 * the other, sorted at the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model.h"

#include "slow.h"

/* ---- the fast way, page by page ---- */

/* A mark goes through its bytes, as a token carries it. */
static struct query_mark carry(const struct query_mark *mark, struct arena *arena)
{
	struct query_mark ret;
	autobuf bytes = BUF(16384);
	query_mark_write(mark, &bytes);
	assert_int_equal(query_mark_read(buf_str(&bytes), arena, &ret), 0);
	return ret;
}

static void demand_pages(struct fleet *fleet, struct query *query, const struct slow *want)
{
	struct arena marks = ARENA((size_t)16 << 20);
	size_t n_seen = 0;
	query->after = (struct query_mark){ .is_set = false };
	for (;;) {
		struct arena arena = ARENA((size_t)64 << 20);
		const struct finding_row *rows;
		struct query_mark mark;
		struct err err = { 0 };
		size_t n;
		assert_int_equal(query_page(fleet, query, &arena, &rows, &n, &mark, &err), 0);
		assert_true(n <= query->most && n_seen + n <= want->n);
		for (size_t i = 0; i < n; i++)
			demand_equal(&rows[i], &want->rows[n_seen + i].row);
		n_seen += n;
		query->after = carry(&mark, &marks);
		arena_fini(&arena);
		if (!mark.is_set)
			break;
		assert_int_equal(n, query->most);
	}
	assert_int_equal(n_seen, want->n);
	query->after = (struct query_mark){ .is_set = false };
	arena_fini(&marks);
}

static const enum finding_field sorts[] = { FIELD_VULNERABILITY, FIELD_SEVERITY, FIELD_SCORE,
	FIELD_EPSS, FIELD_SOURCE, FIELD_VENDOR_SEVERITY, FIELD_TYPE, FIELD_RESOURCE_TYPE,
	FIELD_NEVER, FIELD_ACCOUNT, FIELD_STATUS, FIELD_LAST_OBSERVED, FIELD_FIRST_OBSERVED,
	FIELD_UPDATED };

#define N_SORTS (sizeof(sorts) / sizeof(sorts[0]))

/* Under a sanitizer each takes a second. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define N_QUESTIONS 12
#else
#define N_QUESTIONS 36
#endif

static const struct model_size small = { .n_accounts = 3,
	.n_hosts = 40,
	.n_elements = 60,
	.n_vulns = 40,
	.n_matches_per_element = 4,
	.n_sets = 20,
	.n_elements_per_set = 14,
	.n_closed = 120 };

static struct fleet *small_fleet(uint64_t seed)
{
	struct model_size size = small;
	size.seed = seed;
	return model_new(&size);
}

static void demand_all_sorts(struct fleet *fleet, struct query *query, uint64_t seed)
{
	static const size_t pages[] = { 1, 2, 3, 7, 25, 100 };
	struct slow want = slow_find(fleet, query);
	query->arn = arn_of;
	for (size_t i = 0; i < N_SORTS; i++) {
		for (int k = 0; k < 2; k++) {
			query->sort = sorts[i];
			query->is_descending = k;
			query->most = pages[(seed + i + k) % 6];
			if (query->most < 7 && want.n > 300)
				query->most = 40;
			slow_sort(&want, query);
			demand_pages(fleet, query, &want);
		}
	}
	slow_free(&want);
}

static void test_query__pages_are_all_findings_in_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct fleet *fleet = small_fleet(seed);
		struct query query = { .accounts = fleet->accounts,
			.n_accounts = seed % 2 ? 3 : 2 };
		demand_all_sorts(fleet, &query, seed);
		model_free(fleet);
	}
}

static void test_query__any_page_size_shows_the_same(void **state)
{
	(void)state;
	struct fleet *fleet = small_fleet(11);
	struct query query = { .accounts = fleet->accounts, .n_accounts = 3, .arn = arn_of };
	struct slow want = slow_find(fleet, &query);
	assert_true(want.n > 300);
	for (query.most = 1; query.most <= 100; query.most += query.most < 4 ? 1 : 13) {
		query.sort = sorts[query.most % N_SORTS];
		slow_sort(&want, &query);
		demand_pages(fleet, &query, &want);
	}
	slow_free(&want);
	model_free(fleet);
}

/* ---- each and counts ---- */

struct seen_rows {
	struct slow_row *rows;
	size_t n, cap;
};

static int see(void *ctx, const struct finding_row *row)
{
	struct seen_rows *seen = ctx;
	if (seen->n == seen->cap) {
		seen->cap = seen->cap * 2 + 64;
		seen->rows = realloc(seen->rows, seen->cap * sizeof(*seen->rows));
	}
	struct slow_row *to = &seen->rows[seen->n++];
	to->row = *row;
	assert_true(row->n_packages <= 64);
	if (row->n_packages > 0)
		memcpy(to->packages, row->packages, row->n_packages * sizeof(to->packages[0]));
	return 0;
}

static void demand_each(struct fleet *fleet, const struct query *query)
{
	struct query by = *query;
	struct slow want = slow_find(fleet, query);
	struct seen_rows seen = { .n = 0 };
	by.sort = FIELD_VULNERABILITY;
	assert_int_equal(query_each(fleet, query, see, &seen, NULL), 0);
	assert_int_equal(seen.n, want.n);
	struct slow got = { .rows = seen.rows, .n = seen.n };
	slow_sort(&got, &by);
	slow_sort(&want, &by);
	for (size_t i = 0; i < want.n; i++)
		demand_equal(&got.rows[i].row, &want.rows[i].row);
	free(seen.rows);
	slow_free(&want);
}

/* Pages, visits and counts of the same question. */
static void demand_question(struct fleet *fleet, struct query *query, uint64_t seed)
{
	demand_all_sorts(fleet, query, seed);
	demand_each(fleet, query);
}

static void test_query__random_criteria_hold_alike(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= N_QUESTIONS; seed++) {
		struct fleet *fleet = small_fleet(seed / 6 + 100);
		struct arena arena = ARENA((size_t)16 << 20);
		struct random_criteria criteria;
		for (uint64_t i = 0; i < seed; i++) /* another beginning each time */
			(void)model_random(fleet, 2);
		make_criteria(fleet, &criteria, &arena);
		struct query query = { .accounts = fleet->accounts,
			.n_accounts = 3,
			.arn = arn_of,
			.criteria = { criteria.items, criteria.n } };
		demand_question(fleet, &query, seed);
		arena_fini(&arena);
		model_free(fleet);
	}
}

static void test_query__suppressions_decide_the_status(void **state)
{
	(void)state;
	uint64_t n_suppressed = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fleet *fleet = small_fleet(seed / 4 + 200);
		struct arena arena = ARENA((size_t)16 << 20);
		struct random_criteria criteria, rules[3];
		struct suppression suppressions[3];
		for (uint64_t i = 0; i < seed; i++)
			(void)model_random(fleet, 2);
		make_suppressions(fleet, suppressions, rules, 3, &arena);
		make_criteria(fleet, &criteria, &arena);
		struct query query = { .accounts = fleet->accounts,
			.n_accounts = 3,
			.arn = arn_of,
			.suppressions = suppressions,
			.n_suppressions = 3,
			.criteria = { criteria.items, seed % 2 ? criteria.n : 0 } };
		demand_question(fleet, &query, seed);
		struct slow want = slow_find(fleet, &query);
		for (size_t i = 0; i < want.n; i++)
			n_suppressed += want.rows[i].row.status == STATUS_SUPPRESSED;
		slow_free(&want);
		arena_fini(&arena);
		model_free(fleet);
	}
	assert_true(n_suppressed > 50);
}

/* ---- what changes between pages ---- */

static void test_query__a_pinned_generation_shows_what_was(void **state)
{
	(void)state;
	struct fleet *fleet = small_fleet(31);
	struct generation *old = fleet->generation;
	struct query query = { .accounts = fleet->accounts, .n_accounts = 3, .generation = old };
	struct slow before = slow_find(fleet, &query);
	fleet->generation = model_generation(fleet, 8, 1600);
	/* What is no longer found is closed, as it was. */
	size_t n_closed = 0;
	for (size_t i = 0; i < before.n; i++) {
		const struct finding_row *row = &before.rows[i].row;
		if (row->closed || fleet_first_observed(fleet, row->host, row->vuln) != 0)
			continue;
		model_close(fleet, row->host, row->vuln, row->first_observed, 1600);
		n_closed++;
	}
	assert_true(n_closed > 10);
	/* Each is shown once, and the closed ones as they were: open, under the same name. */
	struct seen_rows seen = { .n = 0 };
	assert_int_equal(query_each(fleet, &query, see, &seen, NULL), 0);
	struct slow got = { .rows = seen.rows, .n = seen.n };
	query.sort = FIELD_VULNERABILITY;
	slow_sort(&got, &query);
	slow_sort(&before, &query);
	assert_int_equal(got.n, before.n);
	for (size_t i = 0; i < got.n; i++) {
		assert_int_equal(got.rows[i].row.vuln, before.rows[i].row.vuln);
		assert_int_equal(got.rows[i].row.host_number, before.rows[i].row.host_number);
		assert_ptr_equal(got.rows[i].row.closed, before.rows[i].row.closed);
		assert_ptr_equal(got.rows[i].row.issue, before.rows[i].row.issue);
	}
	query.arn = arn_of;
	for (size_t i = 0; i < N_SORTS; i++) {
		query.sort = sorts[i];
		query.is_descending = i % 2;
		query.most = 17;
		slow_sort(&got, &query);
		demand_pages(fleet, &query, &got);
	}
	free(seen.rows);
	slow_free(&before);
	generation_drop(old);
	model_free(fleet);
}

/* Hosts change between pages: what was there throughout is shown once, and nothing twice. */
static void test_query__changes_neither_repeat_nor_hide(void **state)
{
	(void)state;
	for (size_t s = 0; s < N_SORTS; s++) {
		struct fleet *fleet = small_fleet(41 + s);
		struct query query = { .accounts = fleet->accounts, .n_accounts = 3, .most = 9 };
		struct arena marks = ARENA((size_t)16 << 20);
		size_t n_cells = (fleet->size.n_hosts + 1) * (fleet->size.n_vulns + 1);
		uint8_t *times = calloc(n_cells, 1);
		int64_t *firsts = calloc(n_cells, sizeof(*firsts));
		struct slow before = slow_find(fleet, &query);
		query.sort = sorts[s];
		do {
			struct arena arena = ARENA((size_t)16 << 20);
			const struct finding_row *rows;
			struct query_mark mark;
			size_t n;
			assert_int_equal(
			        query_page(fleet, &query, &arena, &rows, &n, &mark, NULL), 0);
			for (size_t i = 0; i < n; i++) {
				size_t cell = rows[i].host_number * (fleet->size.n_vulns + 1) +
				              rows[i].vuln;
				if (rows[i].closed)
					continue;
				/* With another first_observed it is another finding. */
				times[cell] = firsts[cell] == rows[i].first_observed
				                      ? times[cell] + 1
				                      : 1;
				firsts[cell] = rows[i].first_observed;
			}
			query.after = carry(&mark, &marks);
			arena_fini(&arena);
			/* Only hosts of even numbers change. */
			uint64_t host = 2 * (1 + model_random(fleet, fleet->size.n_hosts / 2));
			model_move(fleet, host, 2 * (1 + (uint32_t)model_random(fleet, 10)),
			        2 * (uint32_t)model_random(fleet, 10) + 1);
		} while (query.after.is_set);
		for (size_t i = 0; i < before.n; i++) {
			const struct finding_row *row = &before.rows[i].row;
			size_t cell = row->host_number * (fleet->size.n_vulns + 1) + row->vuln;
			if (!row->closed && row->host_number % 2 == 1)
				assert_int_equal(times[cell], 1);
		}
		for (size_t i = 0; i < n_cells; i++) {
			if (sorts[s] != FIELD_FIRST_OBSERVED && sorts[s] != FIELD_UPDATED &&
			        sorts[s] != FIELD_SEVERITY && sorts[s] != FIELD_SCORE &&
			        sorts[s] != FIELD_SOURCE && sorts[s] != FIELD_VENDOR_SEVERITY)
				assert_true(times[i] <= 1);
		}
		free(times);
		free(firsts);
		slow_free(&before);
		arena_fini(&marks);
		model_free(fleet);
	}
}

/* ---- one, bounds ---- */

static void test_query__one_finding_is_found_by_its_parts(void **state)
{
	(void)state;
	struct fleet *fleet = small_fleet(51);
	struct query query = { .accounts = fleet->accounts, .n_accounts = 3 };
	struct slow want = slow_find(fleet, &query);
	struct arena arena = ARENA((size_t)64 << 20);
	struct finding_row row;
	for (size_t i = 0; i < want.n; i++) {
		const struct finding_row *one = &want.rows[i].row;
		assert_int_equal(query_one(fleet, &query, one->host_number, one->vuln,
		                         one->first_observed, &arena, &row, NULL),
		        0);
		demand_equal(&row, one);
	}
	const struct finding_row *first = &want.rows[0].row;
	assert_int_equal(
	        query_one(fleet, &query, first->host_number, first->vuln, 3, &arena, &row, NULL),
	        -ENOENT);
	assert_int_equal(query_one(fleet, &query, 9999, first->vuln, first->first_observed, &arena,
	                         &row, NULL),
	        -ENOENT);
	query.n_accounts = 0;
	assert_int_equal(query_one(fleet, &query, first->host_number, first->vuln,
	                         first->first_observed, &arena, &row, NULL),
	        -ENOENT);
	slow_free(&want);
	arena_fini(&arena);
	model_free(fleet);
}

static void test_query__an_arena_that_is_full_is_a_limit(void **state)
{
	(void)state;
	struct fleet *fleet = small_fleet(61);
	struct query query = { .accounts = fleet->accounts, .n_accounts = 3, .most = 100 };
	struct aggregate_question question = { .by = BY_TITLE };
	for (size_t cap = 0; cap < 100000; cap = cap * 2 + 64) {
		struct arena arena = ARENA(cap);
		const struct finding_row *rows;
		const struct aggregate_row *groups;
		struct query_mark mark;
		size_t n;
		int r = query_page(fleet, &query, &arena, &rows, &n, &mark, NULL);
		assert_true(r == 0 || r == -ERR_LIMIT);
		arena_fini(&arena);
		r = query_aggregate(fleet, &query, &question, &arena, &groups, &n, NULL);
		assert_true(r == 0 || r == -ERR_LIMIT);
		assert_true(cap > 0 || r == -ERR_LIMIT);
		arena_fini(&arena);
	}
	model_free(fleet);
}

static int stop(void *ctx, const struct finding_row *row)
{
	(void)row;
	return ++*(int *)ctx == 3 ? -ECANCELED : 0;
}

static void test_query__a_visit_can_stop(void **state)
{
	(void)state;
	int n = 0;
	struct fleet *fleet = small_fleet(62);
	struct query query = { .accounts = fleet->accounts, .n_accounts = 3 };
	assert_int_equal(query_each(fleet, &query, stop, &n, NULL), -ECANCELED);
	assert_int_equal(n, 3);
	model_free(fleet);
}

static void test_query__no_account_has_no_finding(void **state)
{
	(void)state;
	struct fleet *fleet = small_fleet(63);
	int64_t other = 5;
	struct query query = { .accounts = &other, .n_accounts = 1, .most = 5 };
	struct slow none = { .n = 0 };
	demand_pages(fleet, &query, &none);
	query.n_accounts = 0;
	demand_pages(fleet, &query, &none);
	model_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query__pages_are_all_findings_in_order),
		cmocka_unit_test(test_query__any_page_size_shows_the_same),
		cmocka_unit_test(test_query__random_criteria_hold_alike),
		cmocka_unit_test(test_query__suppressions_decide_the_status),
		cmocka_unit_test(test_query__a_pinned_generation_shows_what_was),
		cmocka_unit_test(test_query__changes_neither_repeat_nor_hide),
		cmocka_unit_test(test_query__one_finding_is_found_by_its_parts),
		cmocka_unit_test(test_query__an_arena_that_is_full_is_a_limit),
		cmocka_unit_test(test_query__a_visit_can_stop),
		cmocka_unit_test(test_query__no_account_has_no_finding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
