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

/* ---- the slow way ---- */

struct slow_row {
	struct finding_row row;
	struct finding_package packages[64];
};

struct slow {
	struct slow_row *rows;
	size_t n;
	struct arena arena;
};

static void slow_free(struct slow *slow)
{
	free(slow->rows);
	arena_fini(&slow->arena);
}

static bool host_has(const struct fleet *fleet, const struct fleet_host *host, element_id element)
{
	for (int i = 0; i < HOST_N_SETS; i++) {
		const struct package_set *set = sets_at(fleet_sets(fleet), host->sets[i]);
		for (size_t k = 0; set && k < set->n_elements; k++) {
			if (set->elements[k] == element)
				return true;
		}
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct finding_package *x = a, *y = b;
	int c = str_cmp(x->element->package.name, y->element->package.name);
	return c ? c : (x->element->id > y->element->id) - (x->element->id < y->element->id);
}

static int64_t attached(const struct fleet_host *host, element_id element)
{
	for (size_t i = 0; i < host->n_attached; i++) {
		if (host->attached[i].element == element)
			return host->attached[i].at;
	}
	return host->enrolled_at;
}

static int arn_of(void *ctx, const struct finding_row *row, char *ret, size_t size)
{
	(void)ctx;
	(void)snprintf(ret, size, "arn:%s/%u/%lld", row->host_id, row->vuln,
	        (long long)row->first_observed);
	return 0;
}

static void set_issue(struct finding_row *row, const struct issue *issue)
{
	row->issue = issue;
	row->severity = issue->severity;
	row->score = issue->score;
	row->epss = issue->epss;
	row->is_kev = issue->is_kev;
}

static bool slow_open(struct fleet *fleet, const struct query *query, const struct fleet_host *host,
        vuln_id vuln, struct slow_row *ret)
{
	const struct generation *generation =
	        query->generation ? query->generation : fleet->generation;
	struct finding_row *row = &ret->row;
	int64_t changed = 0, first = INT64_MAX;
	*row = (struct finding_row){ .host = host,
		.host_number = host->number,
		.host_id = host->id,
		.account = host->account,
		.vuln = vuln,
		.name = fleet->vulns[vuln],
		.last_observed = atomic_load(&host->seen_at),
		.packages = ret->packages };
	for (element_id e = 1; e <= fleet->size.n_elements; e++) {
		const struct match *match = generation_match(generation, e, vuln);
		if (!match || !host_has(fleet, host, e))
			continue;
		assert_true(row->n_packages < 64);
		ret->packages[row->n_packages++] = (struct finding_package){
			.element = &fleet->elements[e],
			.fixed_in = match->fixed_in,
			.fix_state = match->fix_state,
		};
		if (!row->issue || match->issue->rank < row->issue->rank)
			set_issue(row, match->issue);
		int64_t at = attached(host, e);
		at = match->matched_at > at ? match->matched_at : at;
		changed = at > changed ? at : changed;
		first = at < first ? at : first;
	}
	qsort(ret->packages, row->n_packages, sizeof(ret->packages[0]), by_name);
	row->first_observed = fleet_first_observed(fleet, host, vuln);
	if (row->first_observed == 0)
		row->first_observed = first;
	row->updated_at = changed > row->first_observed ? changed : row->first_observed;
	return row->n_packages > 0;
}

/* All with the row at hand; paths are looked up for each. */
static bool slow_judge(
        struct fleet *fleet, const struct query *query, struct slow *slow, struct finding_row *row)
{
	struct finding_row filled = *row;
	char arn[128];
	if (!row->closed)
		assert_int_equal(finding_fill(fleet, &filled, &slow->arena, NULL), 0);
	(void)arn_of(NULL, row, arn, sizeof(arn));
	for (size_t i = 0; !row->closed && i < query->n_suppressions; i++) {
		const struct suppression *one = &query->suppressions[i];
		bool is_of = false;
		for (size_t k = 0; k < one->n_accounts; k++)
			is_of |= one->accounts[k] == row->account;
		if (!is_of || !criteria_hold(&one->criteria, &filled, str_from_c(arn)))
			continue;
		row->status = STATUS_SUPPRESSED;
		if (one->changed_at > row->updated_at)
			row->updated_at = one->changed_at;
		break;
	}
	filled.status = row->status;
	filled.updated_at = row->updated_at;
	return criteria_hold(&query->criteria, &filled, str_from_c(arn));
}

static struct slow slow_find(struct fleet *fleet, const struct query *query)
{
	struct slow ret = { .arena = ARENA((size_t)1 << 30) };
	size_t most = fleet->size.n_hosts * fleet->size.n_vulns;
	for (size_t i = 0; i < fleet->size.n_accounts; i++)
		most += fleet->n_closed[i];
	ret.rows = calloc(most + 1, sizeof(*ret.rows));
	for (size_t a = 0; a < query->n_accounts; a++) {
		for (size_t h = 1; h <= fleet->size.n_hosts; h++) {
			const struct fleet_host *host = fleet->hosts[h];
			if (host->account != query->accounts[a] || host->state != HOST_ACTIVE)
				continue;
			for (vuln_id v = 1; v <= fleet->size.n_vulns; v++) {
				struct slow_row *row = &ret.rows[ret.n];
				ret.n += slow_open(fleet, query, host, v, row) &&
				         slow_judge(fleet, query, &ret, &row->row);
			}
		}
		size_t n;
		const struct closed_finding *const *closed =
		        fleet_closed(fleet, query->accounts[a], &n);
		for (size_t i = 0; i < n; i++) {
			const struct closed_finding *c = closed[i];
			struct slow_row *row = &ret.rows[ret.n];
			for (size_t k = 0; k < c->n_packages; k++) {
				const struct closed_package *p = &c->packages[k];
				row->packages[k] = (struct finding_package){
					.element = &fleet->elements[p->element],
					.fixed_in = p->fixed_in,
					.fix_state = p->fixed_in.n ? FIX_AVAILABLE : FIX_NONE,
					.paths = &p->path,
					.n_paths = p->path.n > 0,
				};
			}
			qsort(row->packages, c->n_packages, sizeof(row->packages[0]), by_name);
			row->row = (struct finding_row){ .host = fleet->hosts[c->host],
				.host_number = c->host,
				.host_id = c->host_id,
				.account = c->account,
				.vuln = c->vuln,
				.name = fleet->vulns[c->vuln],
				.closed = c,
				.status = STATUS_CLOSED,
				.severity = c->severity,
				.score = c->score,
				.epss = c->epss,
				.is_kev = c->is_kev,
				.first_observed = c->first_observed,
				.last_observed = c->last_observed,
				.updated_at = c->closed_at,
				.packages = row->packages,
				.n_packages = c->n_packages };
			ret.n += slow_judge(fleet, query, &ret, &row->row);
		}
	}
	return ret;
}

static int compare_numbers(double a, double b)
{
	return (a > b) - (a < b);
}

static str text_of(const struct finding_row *row, enum finding_field field)
{
	if (field == FIELD_SOURCE)
		return row->issue ? row->issue->source : row->closed->source;
	return row->issue ? row->issue->vendor_severity : row->closed->vendor_severity;
}

static int compare_values(
        const struct finding_row *a, const struct finding_row *b, enum finding_field field)
{
	switch ((int)field) {
	case FIELD_ACCOUNT: return compare_numbers((double)a->account, (double)b->account);
	case FIELD_STATUS: return compare_numbers(a->status, b->status);
	case FIELD_SEVERITY: return compare_numbers(a->severity, b->severity);
	case FIELD_VULNERABILITY: return str_cmp(a->name, b->name);
	case FIELD_SOURCE:
	case FIELD_VENDOR_SEVERITY: return str_cmp(text_of(a, field), text_of(b, field));
	case FIELD_SCORE: return compare_numbers(a->score, b->score);
	case FIELD_EPSS: return compare_numbers(a->epss, b->epss);
	case FIELD_FIRST_OBSERVED:
		return compare_numbers((double)a->first_observed, (double)b->first_observed);
	case FIELD_LAST_OBSERVED:
		return compare_numbers((double)a->last_observed, (double)b->last_observed);
	case FIELD_UPDATED: return compare_numbers((double)a->updated_at, (double)b->updated_at);
	default: return 0;
	}
}

static int by_query(const void *a, const void *b, void *ctx)
{
	const struct query *query = ctx;
	const struct finding_row *x = &((const struct slow_row *)a)->row;
	const struct finding_row *y = &((const struct slow_row *)b)->row;
	int c = compare_values(x, y, query->sort);
	c = query->is_descending ? -c : c;
	if (c == 0)
		c = str_cmp(x->name, y->name);
	if (c == 0)
		c = compare_numbers((double)x->host_number, (double)y->host_number);
	return c ? c : compare_numbers((double)x->first_observed, (double)y->first_observed);
}

static void slow_sort(struct slow *slow, const struct query *query)
{
	struct query by = *query;
	qsort_r(slow->rows, slow->n, sizeof(slow->rows[0]), by_query, &by);
	for (size_t i = 0; i < slow->n; i++) /* they have moved */
		slow->rows[i].row.packages = slow->rows[i].packages;
}

static void demand_equal(const struct finding_row *a, const struct finding_row *b)
{
	assert_int_equal(a->vuln, b->vuln);
	assert_int_equal(a->host_number, b->host_number);
	assert_int_equal(a->account, b->account);
	assert_string_equal(a->host_id, b->host_id);
	assert_true(str_eq(a->name, b->name));
	assert_ptr_equal(a->issue, b->issue);
	assert_ptr_equal(a->closed, b->closed);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->severity, b->severity);
	assert_int_equal(a->first_observed, b->first_observed);
	assert_int_equal(a->last_observed, b->last_observed);
	assert_int_equal(a->updated_at, b->updated_at);
	assert_int_equal(a->n_packages, b->n_packages);
	for (size_t i = 0; i < a->n_packages; i++) {
		assert_ptr_equal(a->packages[i].element, b->packages[i].element);
		assert_true(str_eq(a->packages[i].fixed_in, b->packages[i].fixed_in));
	}
}

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

/* ---- random criteria ---- */

struct random_criteria {
	struct criterion items[16];
	size_t n;
};

static str words_of(struct fleet *fleet, enum finding_field field, struct arena *arena)
{
	static const char *const severities[] = { "HIGH", "MEDIUM", "CRITICAL", "UNTRIAGED" };
	static const char *const states[] = { "ACTIVE", "SUPPRESSED", "CLOSED" };
	static const char *const fixes[] = { "YES", "NO", "PARTIAL" };
	uint64_t r = model_random(fleet, 1000);
	const struct fleet_host *host = fleet->hosts[1 + r % fleet->size.n_hosts];
	str vuln = fleet->vulns[1 + r % fleet->size.n_vulns], ret = { NULL, 0 };
	int failed = 0;
	switch ((int)field) {
	case FIELD_ACCOUNT:
		failed = arena_printf(arena, &ret, "%012lld", (long long)host->account);
		break;
	case FIELD_STATUS: ret = str_from_c(states[r % 3]); break;
	case FIELD_SEVERITY: ret = str_from_c(severities[r % 4]); break;
	case FIELD_TITLE:
		failed = arena_printf(
		        arena, &ret, STR_FMT " - pkg%u", STR_ARG(vuln), (unsigned)r % 20);
		break;
	case FIELD_VULNERABILITY: ret = vuln; break;
	case FIELD_SOURCE: ret = r % 2 ? STR("NVD") : STR("GHSA"); break;
	case FIELD_VENDOR_SEVERITY: ret = r % 2 ? STR("high") : STR("low"); break;
	case FIELD_FIX: ret = str_from_c(fixes[r % 3]); break;
	case FIELD_EXPLOIT: ret = r % 2 ? STR("YES") : STR("NO"); break;
	case FIELD_RESOURCE_ID:
		failed = arena_printf(arena, &ret, r % 2 ? "i-%s" : "mi-%s", host->id);
		break;
	case FIELD_IMAGE_ID: ret = r % 2 ? STR("ami-1") : STR("ami-2"); break;
	case FIELD_ARN:
		failed = arena_printf(arena, &ret, "arn:%s/%u/", host->id, (unsigned)(1 + r % 40));
		break;
	case FIELD_TAG: ret = r % 2 ? STR("red") : STR("blue"); break;
	default: ret = STR("PACKAGE_VULNERABILITY"); break;
	}
	assert_int_equal(failed, 0);
	return ret;
}

static struct text_criterion random_text(struct fleet *fleet, str value)
{
	struct text_criterion ret = { .comparison = (enum text_comparison)model_random(fleet, 3),
		.value = value };
	if (ret.comparison == TEXT_PREFIX)
		ret.value = str_head(value, value.n > 1 ? value.n - model_random(fleet, 2) : 1);
	return ret;
}

static void random_package(struct fleet *fleet, struct package_criterion *ret, struct arena *arena)
{
	const struct element *element =
	        &fleet->elements[1 + model_random(fleet, fleet->size.n_elements)];
	*ret = (struct package_criterion){ .is_never = model_random(fleet, 12) == 0 };
	if (model_random(fleet, 2))
		ret->name = random_text(fleet, element->package.name);
	if (model_random(fleet, 3) == 0)
		ret->version = random_text(fleet, finding_version_of(&element->package).version);
	if (model_random(fleet, 4) == 0)
		ret->arch = random_text(fleet, STR("X86_64"));
	if (model_random(fleet, 4) == 0) {
		str path;
		assert_int_equal(
		        arena_printf(arena, &path, "/opt/0/%u", (unsigned)model_random(fleet, 5)),
		        0);
		ret->path = random_text(fleet, path);
	}
	if (model_random(fleet, 4) == 0) {
		ret->has_epoch = true;
		ret->epoch_to = (double)model_random(fleet, 2);
	}
}

static void add_field(struct fleet *fleet, struct random_criteria *ret, enum finding_field field,
        struct arena *arena)
{
	size_t n = 1 + model_random(fleet, 3);
	for (size_t i = 0; i < ret->n; i++) {
		if (ret->items[i].field == field)
			return;
	}
	for (size_t i = 0; i < n; i++) {
		struct criterion *item = &ret->items[ret->n++];
		double from = (double)model_random(fleet, 10);
		*item = (struct criterion){ .field = field };
		switch ((int)field) {
		case FIELD_SCORE:
			item->from = from;
			item->to = from + 4;
			break;
		case FIELD_EPSS:
			item->from = from / 10;
			item->to = 1;
			break;
		case FIELD_FIRST_OBSERVED:
		case FIELD_UPDATED:
			item->from = 900 + 12 * from;
			item->to = item->from + 60;
			break;
		case FIELD_LAST_OBSERVED:
			item->from = 2000 + from;
			item->to = item->from + 8;
			break;
		case FIELD_PACKAGE: random_package(fleet, &item->package, arena); break;
		case FIELD_TAG:
			item->tag_key = STR("team");
			if (model_random(fleet, 3)) {
				item->text.comparison = TEXT_EQUALS;
				item->text.value = words_of(fleet, field, arena);
			}
			break;
		default: item->text = random_text(fleet, words_of(fleet, field, arena));
		}
	}
}

static void make_criteria(struct fleet *fleet, struct random_criteria *ret, struct arena *arena)
{
	size_t n = model_random(fleet, 4);
	ret->n = 0;
	for (size_t i = 0; i < n; i++) {
		enum finding_field field = (enum finding_field)model_random(fleet, FIELD_NEVER);
		add_field(fleet, ret, field, arena);
	}
}

static void make_suppressions(struct fleet *fleet, struct suppression *ret,
        struct random_criteria *criteria, size_t n, struct arena *arena)
{
	for (size_t i = 0; i < n; i++) {
		do
			make_criteria(fleet, &criteria[i], arena);
		while (criteria[i].n == 0);
		ret[i] = (struct suppression){
			.criteria = { criteria[i].items, criteria[i].n },
			.accounts = fleet->accounts + i % 2,
			.n_accounts = 2,
			.changed_at = 980 + (int64_t)model_random(fleet, 80),
		};
	}
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

/* Pages, visits and counts of the same question. */
static void demand_question(struct fleet *fleet, struct query *query, uint64_t seed)
{
	demand_all_sorts(fleet, query, seed);
	demand_each(fleet, query);
	demand_counts(fleet, query);
}

static void test_query__random_criteria_hold_alike(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 36; seed++) {
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
	demand_counts(fleet, &query);
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
