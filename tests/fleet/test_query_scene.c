/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of a real fleet, with its store and database: what its changes open and close is what
 * pages show, before and after a renewal and a restart.
 */
#include "scene.h"

#include "fleet/query.h"

static const int64_t account = ACCOUNT;

static const enum finding_field sorts[] = { FIELD_VULNERABILITY, FIELD_SEVERITY, FIELD_SCORE,
	FIELD_SOURCE, FIELD_ACCOUNT, FIELD_STATUS, FIELD_LAST_OBSERVED, FIELD_FIRST_OBSERVED,
	FIELD_UPDATED };

#define N_SORTS (sizeof(sorts) / sizeof(sorts[0]))
#define ROWS_MAX 4096

/* What a row is told apart by. */
struct seen {
	uint64_t host;
	vuln_id vuln;
	int64_t first_observed;
	bool is_closed;
};

struct seen_list {
	struct seen items[ROWS_MAX];
	size_t n, n_open;
	struct fleet *fleet;
};

static int see(void *ctx, const struct finding_row *row)
{
	struct seen_list *list = ctx;
	assert_true(list->n < ROWS_MAX);
	list->items[list->n++] = (struct seen){ .host = row->host_number,
		.vuln = row->vuln,
		.first_observed = row->first_observed,
		.is_closed = row->closed != NULL };
	list->n_open += row->closed == NULL;
	assert_true(row->n_packages > 0 && row->updated_at >= row->first_observed);
	return 0;
}

static void see_open(void *ctx, const struct finding_row *row)
{
	struct seen_list *list = ctx;
	if (!row->closed)
		assert_int_equal(row->first_observed,
		        fleet_first_observed(list->fleet, row->host, row->vuln));
}

static int by_parts(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	if (x->vuln != y->vuln)
		return x->vuln < y->vuln ? -1 : 1;
	if (x->first_observed != y->first_observed)
		return x->first_observed < y->first_observed ? -1 : 1;
	return (int)x->is_closed - (int)y->is_closed;
}

static void demand_same(struct seen_list *a, struct seen_list *b)
{
	assert_int_equal(a->n, b->n);
	qsort(a->items, a->n, sizeof(a->items[0]), by_parts);
	qsort(b->items, b->n, sizeof(b->items[0]), by_parts);
	for (size_t i = 0; i < a->n; i++)
		assert_int_equal(by_parts(&a->items[i], &b->items[i]), 0);
}

/* All pages, with the lock given up between them. */
static void see_pages(struct scene *scene, struct query *query, struct seen_list *ret)
{
	struct arena marks = ARENA((size_t)16 << 20);
	query->after = (struct query_mark){ .is_set = false };
	ret->n = ret->n_open = 0;
	do {
		struct arena arena = ARENA((size_t)16 << 20);
		const struct finding_row *rows;
		struct query_mark mark;
		autobuf bytes = BUF(4096);
		size_t n;
		fleet_lock(scene->fleet);
		assert_int_equal(
		        query_page(scene->fleet, query, &arena, &rows, &n, &mark, NULL), 0);
		for (size_t i = 0; i < n; i++) {
			(void)see(ret, &rows[i]);
			if (!query->generation)
				see_open(ret, &rows[i]);
		}
		query_mark_write(&mark, &bytes);
		fleet_unlock(scene->fleet);
		assert_int_equal(query_mark_read(buf_str(&bytes), &marks, &query->after), 0);
		arena_fini(&arena);
	} while (query->after.is_set);
	arena_fini(&marks);
}

static struct seen_list each, pages;

/* Pages by every sort field, visits, counts and the fleet itself say the same. */
static void demand_agreement(struct scene *scene, uint64_t n_hosts)
{
	struct query query = { .accounts = &account, .n_accounts = 1 };
	struct arena arena = ARENA((size_t)16 << 20);
	struct aggregate_question question = { .by = BY_HOST };
	const struct aggregate_row *groups;
	size_t n, n_open = 0, n_counted = 0;
	each.n = each.n_open = 0;
	each.fleet = pages.fleet = scene->fleet;
	fleet_lock(scene->fleet);
	assert_int_equal(query_each(scene->fleet, &query, see, &each, NULL), 0);
	for (uint64_t i = 1; i <= n_hosts; i++) {
		const struct fleet_host *host = fleet_host_at(scene->fleet, i);
		for (vuln_id v = 1; host && v < 100; v++)
			n_open += fleet_first_observed(scene->fleet, host, v) != 0;
	}
	assert_int_equal(
	        query_aggregate(scene->fleet, &query, &question, &arena, &groups, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		n_counted += groups[i].n_all;
	fleet_unlock(scene->fleet);
	assert_int_equal(each.n_open, n_open);
	assert_int_equal(n_counted, n_open);
	assert_int_equal(each.n - each.n_open, scene_n_closed(scene));
	for (size_t i = 0; i < 2 * N_SORTS; i++) {
		query.sort = sorts[i / 2];
		query.is_descending = i % 2;
		query.most = 1 + i * 5;
		see_pages(scene, &query, &pages);
		demand_same(&each, &pages);
	}
	arena_fini(&arena);
}

static void advise(struct scene *scene, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char id[32], name[32];
		(void)snprintf(id, sizeof(id), "CVE-2024-%04u", 1000 + i);
		(void)snprintf(name, sizeof(name), "name%u", i % 8);
		scene_advise(scene, i % 2 ? "PyPI" : "npm", id, name, i % 3 ? "2.0.0" : "1.5.0");
	}
}

static void report(struct scene *scene, uint64_t host, uint64_t *seed)
{
	static const char *const names[] = { "name0", "name1", "name2", "name3", "name4", "name5",
		"name6", "name7" };
	struct scene_package packages[9] = { 0 };
	size_t n = 0;
	for (unsigned i = 0; i < 8; i++) {
		if (scene_random(seed) % 2)
			packages[n++] = (struct scene_package){ .type = i % 2 ? "pypi" : "npm",
				.name = names[i],
				.version = scene_random(seed) % 2 ? "1.0.0" : "1.7.0",
				.path = "/opt/x" };
	}
	scene_report_own(scene, host, packages);
}

static void test_query_scene__changes_are_shown(void **state)
{
	struct scene *scene = *state;
	uint64_t seed = 7, hosts[12];
	advise(scene, 24);
	scene_renew(scene);
	for (size_t i = 0; i < 12; i++)
		hosts[i] = scene_host(scene);
	for (unsigned round = 0; round < 6; round++) {
		scene->now_at += DAY / 2;
		for (size_t i = 0; i < 12; i++) {
			if (round == 0 || scene_random(&seed) % 2)
				report(scene, hosts[i], &seed);
		}
		scene_state(scene, hosts[round], round % 2 ? HOST_EXCLUDED : HOST_ACTIVE);
		demand_agreement(scene, 12);
		assert_true(each.n_open > 20);
		if (round == 3)
			scene_withdraw(scene, "CVE-2024-1003");
		if (round == 3)
			scene_renew(scene);
	}
	assert_true(each.n > each.n_open);
	scene_restart(scene);
	demand_agreement(scene, 12);
}

static void test_query_scene__a_pinned_generation_is_held(void **state)
{
	struct scene *scene = *state;
	uint64_t seed = 8, hosts[6];
	advise(scene, 16);
	scene_renew(scene);
	for (size_t i = 0; i < 6; i++) {
		hosts[i] = scene_host(scene);
		report(scene, hosts[i], &seed);
	}
	demand_agreement(scene, 6);
	struct query query = { .accounts = &account, .n_accounts = 1, .most = 4 };
	fleet_lock(scene->fleet);
	query.generation = generation_hold(fleet_generation(scene->fleet));
	fleet_unlock(scene->fleet);
	scene->now_at += DAY;
	scene_withdraw(scene, "CVE-2024-1002");
	scene_withdraw(scene, "CVE-2024-1005");
	scene_renew(scene);
	assert_true(scene_n_closed(scene) > 0);
	for (size_t i = 0; i < N_SORTS; i++) {
		query.sort = sorts[i];
		see_pages(scene, &query, &pages);
		demand_same(&each, &pages); /* as before: what is closed by now, too */
	}
	generation_drop(query.generation);
	demand_agreement(scene, 6);
}

static int take_last(void *ctx, const struct finding_row *row)
{
	*(struct seen *)ctx = (struct seen){ row->host_number, row->vuln, row->first_observed, 0 };
	return 0;
}

static void test_query_scene__paths_come_from_evidence(void **state)
{
	struct scene *scene = *state;
	static const struct scene_package packages[] = {
		{ .type = "pypi", .name = "name1", .version = "1.0.0", .path = "/opt/a/METADATA" },
		{ .type = "pypi", .name = "name1", .version = "1.0.0", .path = "/opt/b/METADATA" },
		{ .name = NULL }
	};
	struct query query = { .accounts = &account, .n_accounts = 1 };
	struct arena arena = ARENA((size_t)16 << 20);
	struct finding_row row;
	struct seen last = { .host = 0 };
	scene_advise(scene, "PyPI", "CVE-2024-1", "name1", "2.0.0");
	scene_renew(scene);
	scene_report_own(scene, scene_host(scene), packages);
	fleet_lock(scene->fleet);
	struct criterion item = { .field = FIELD_PACKAGE,
		.package = { .path = { TEXT_EQUALS, STR("/opt/b/METADATA") } } };
	query.criteria = (struct criteria){ &item, 1 };
	assert_int_equal(query_each(scene->fleet, &query, take_last, &last, NULL), 0);
	assert_int_not_equal(last.host, 0);
	assert_int_equal(query_one(scene->fleet, &query, last.host, last.vuln, last.first_observed,
	                         &arena, &row, NULL),
	        0);
	assert_int_equal(row.packages[0].n_paths, 0);
	assert_int_equal(finding_fill(scene->fleet, &row, &arena, NULL), 0);
	assert_int_equal(row.n_packages, 1);
	assert_int_equal(row.packages[0].n_paths, 2);
	assert_true(str_eq(row.packages[0].paths[1], STR("/opt/b/METADATA")));
	item.package.path.value = STR("/opt/c/METADATA");
	last.host = 0;
	assert_int_equal(query_each(scene->fleet, &query, take_last, &last, NULL), 0);
	assert_int_equal(last.host, 0);
	fleet_unlock(scene->fleet);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_query_scene__changes_are_shown),
		on_scene(test_query_scene__a_pinned_generation_is_held),
		on_scene(test_query_scene__paths_come_from_evidence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
