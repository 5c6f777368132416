/* SPDX-License-Identifier: Apache-2.0 */
#include "slow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

void slow_free(struct slow *slow)
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

int arn_of(void *ctx, const struct finding_row *row, char *ret, size_t size)
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

struct slow slow_find(struct fleet *fleet, const struct query *query)
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
					.paths = p->paths,
					.n_paths = p->n_paths,
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

void slow_sort(struct slow *slow, const struct query *query)
{
	struct query by = *query;
	if (slow->n > 1)
		qsort_r(slow->rows, slow->n, sizeof(slow->rows[0]), by_query, &by);
	for (size_t i = 0; i < slow->n; i++) /* they have moved */
		slow->rows[i].row.packages = slow->rows[i].packages;
}

void demand_equal(const struct finding_row *a, const struct finding_row *b)
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

void make_criteria(struct fleet *fleet, struct random_criteria *ret, struct arena *arena)
{
	size_t n = model_random(fleet, 4);
	ret->n = 0;
	for (size_t i = 0; i < n; i++) {
		enum finding_field field = (enum finding_field)model_random(fleet, FIELD_NEVER);
		add_field(fleet, ret, field, arena);
	}
}

void make_suppressions(struct fleet *fleet, struct suppression *ret,
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
