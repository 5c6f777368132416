/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/view.h"

#include <errno.h>
#include <roaring/roaring.h>
#include <stdlib.h>

/* Most bytes of the paths of one host, while they are looked at. */
#define PATHS_MAX_BYTES ((size_t)256 << 20)

bool is_account_of(const int64_t *accounts, size_t n, int64_t account)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (accounts[middle] < account)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && accounts[low] == account;
}

void view_fini(struct view *view)
{
	if (view->scope)
		roaring_bitmap_free(view->scope);
	free(view->suppressions);
	free(view->matches);
	free(view->packages);
	arena_fini(&view->paths);
	*view = (struct view){ .fleet = NULL };
}

static void filter_init(struct filter *filter, const struct criteria *criteria)
{
	*filter = (struct filter){
		.criteria = criteria,
		.grains = criteria_grains(criteria),
		.has_updated = criteria_have(criteria, FIELD_UPDATED),
	};
}

static bool is_host_wanted(const struct view *view, const struct fleet_host *host)
{
	struct finding_row row = { .host = NULL };
	if (!host || host->state != HOST_ACTIVE)
		return false;
	view_set_host(view, &row, host);
	return criteria_hold_at(view->wanted.criteria, GRAIN_HOST, &row, STR(""));
}

/* The hosts that the criteria name, as far as the accounts have them. */
static roaring_bitmap_t *named_hosts(
        const struct view *view, const struct criterion *items, size_t n)
{
	roaring_bitmap_t *ret = roaring_bitmap_create();
	for (size_t i = 0; ret && i < n; i++) {
		const struct text_criterion *text = &items[i].text;
		if (text->comparison != TEXT_EQUALS)
			continue;
		const struct fleet_host *host =
		        fleet_host_find(view->fleet, resource_digits(text->value));
		if (host && is_account_of(
		                    view->query->accounts, view->query->n_accounts, host->account))
			roaring_bitmap_add(ret, (uint32_t)host->number);
	}
	return ret;
}

/* The hosts of the accounts. */
static roaring_bitmap_t *hosts_of_accounts(const struct view *view)
{
	const struct query *query = view->query;
	roaring_bitmap_t *ret = roaring_bitmap_create();
	for (size_t i = 0; ret && i < query->n_accounts; i++) {
		const roaring_bitmap_t *hosts = fleet_hosts(view->fleet, query->accounts[i]);
		if (hosts && criteria_admit_account(&query->criteria, query->accounts[i]))
			roaring_bitmap_or_inplace(ret, hosts);
	}
	return ret;
}

/*
 * Criteria of hosts are asked once for each host; where there are none, hosts are looked at only as
 * they are met, so that a page need not touch a million of them.
 */
static int make_scope(struct view *view)
{
	const struct criterion *items;
	size_t n;
	bool is_named = criteria_name_hosts(view->wanted.criteria, &items, &n);
	roaring_bitmap_t *all = is_named ? named_hosts(view, items, n) : hosts_of_accounts(view);
	if (!all)
		return -ENOMEM;
	view->scope = all;
	if (!(view->wanted.grains & GRAIN_HOST))
		return 0;
	roaring_bitmap_t *exact = roaring_bitmap_create();
	if (!exact)
		return -ENOMEM;
	roaring_uint32_iterator_t it;
	for (roaring_init_iterator(all, &it); it.has_value; roaring_advance_uint32_iterator(&it)) {
		if (is_host_wanted(view, fleet_host_at(view->fleet, it.current_value)))
			roaring_bitmap_add(exact, it.current_value);
	}
	roaring_bitmap_free(all);
	view->scope = exact;
	view->is_scope_exact = true;
	return 0;
}

int view_init(struct view *ret, struct fleet *fleet, const struct query *query)
{
	const struct generation *present = fleet_generation(fleet);
	*ret = (struct view){
		.fleet = fleet,
		.query = query,
		.generation = query->generation ? query->generation : present,
		.sets = fleet_sets(fleet),
		.paths = ARENA(PATHS_MAX_BYTES),
	};
	ret->is_past = ret->generation != present;
	filter_init(&ret->wanted, &query->criteria);
	ret->has_arn = criteria_have(&query->criteria, FIELD_ARN);
	for (int i = STATUS_ACTIVE; i <= STATUS_CLOSED; i++)
		ret->admits[i] = criteria_admit_status(&query->criteria, (enum finding_status)i);
	ret->suppressions = calloc(query->n_suppressions + 1, sizeof(struct filter));
	if (!ret->suppressions)
		return -ENOMEM;
	for (size_t i = 0; i < query->n_suppressions; i++) {
		const struct criteria *criteria = &query->suppressions[i].criteria;
		filter_init(&ret->suppressions[i], criteria);
		ret->has_arn |= criteria_have(criteria, FIELD_ARN);
	}
	return make_scope(ret);
}

void view_begin(struct view *view, struct finding_row *row, const struct issue *issue)
{
	*row = (struct finding_row){ .host = NULL };
	view->loaded = 0;
	view->suppressed_at = 0;
	view->n_matches = 0;
	view->arn[0] = '\0';
	if (issue)
		view_set_issue(view, row, issue);
}

void view_set_issue(struct view *view, struct finding_row *row, const struct issue *issue)
{
	row->issue = issue;
	row->vuln = issue->vuln;
	row->name = issue->name;
	row->severity = issue->severity;
	row->score = issue->score;
	row->epss = issue->epss;
	row->is_kev = issue->is_kev;
	if (view->issue == issue)
		return;
	view->issue = issue;
	for (size_t i = 0; i < view->query->n_suppressions; i++) {
		struct filter *filter = &view->suppressions[i];
		filter->holds_issue = criteria_hold_at(filter->criteria, GRAIN_ISSUE, row, STR(""));
	}
}

void view_set_host(const struct view *view, struct finding_row *row, const struct fleet_host *host)
{
	row->host = host;
	row->host_number = host->number;
	row->host_id = host->id;
	row->account = host->account;
	row->last_observed = view->is_seen_fixed ? view->seen_at : atomic_load(&host->seen_at);
}

/* ---- matches of one row ---- */

static int by_package(const void *a, const void *b, void *ctx)
{
	const struct match *x = *(const struct match *const *)a;
	const struct match *y = *(const struct match *const *)b;
	const struct element *p = dictionary_element_at(ctx, x->element);
	const struct element *q = dictionary_element_at(ctx, y->element);
	int c = p && q ? str_cmp(p->package.name, q->package.name) : 0;
	return c ? c : (x->element > y->element) - (x->element < y->element);
}

static int add_match(struct view *view, const struct match *match)
{
	if (view->n_matches == view->cap_matches) {
		size_t cap = view->cap_matches ? view->cap_matches * 2 : 16;
		void *grown = reallocarray(view->matches, cap, sizeof(view->matches[0]));
		if (!grown)
			return -ENOMEM;
		view->matches = grown;
		view->cap_matches = cap;
	}
	view->matches[view->n_matches++] = match;
	return 0;
}

int view_take_matches(struct view *view, const struct match *const *matches, size_t n)
{
	int r = 0;
	view->n_matches = 0;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_match(view, matches[i]);
	return r;
}

static bool has_element(const struct package_set *set, element_id element)
{
	size_t low = 0, high = set ? set->n_elements : 0, n = high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (set->elements[middle] < element)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && set->elements[low] == element;
}

int view_find_matches(
        struct view *view, const struct fleet_host *host, vuln_id vuln, const struct issue **ret)
{
	const struct generation *generation = view->generation;
	const struct package_set *os = sets_at(view->sets, host->sets[HOST_OS_SET]);
	const struct package_set *language = sets_at(view->sets, host->sets[HOST_LANGUAGE_SET]);
	const struct issue *gravest = NULL;
	uint32_t first;
	size_t n = generation_issues_of(generation, vuln, &first);
	int r = 0;
	view->n_matches = 0;
	for (size_t i = 0; i < n; i++) {
		const struct issue *issue = generation->issues[first + i];
		for (size_t k = 0; r >= 0 && k < issue->n_matches; k++) {
			const struct match *match = issue->matches[k];
			if (!has_element(os, match->element) &&
			        !has_element(language, match->element))
				continue;
			r = add_match(view, match);
			gravest = gravest ? gravest : issue;
		}
	}
	if (r < 0)
		return r;
	if (view->n_matches == 0)
		return 0;
	const struct dictionary *dictionary = fleet_dictionary(view->fleet);
	qsort_r(view->matches, view->n_matches, sizeof(view->matches[0]), by_package,
	        (void *)(uintptr_t)dictionary);
	*ret = gravest;
	return 1;
}

static int grow_packages(struct view *view, size_t n)
{
	if (n <= view->cap_packages)
		return 0;
	void *grown = reallocarray(view->packages, n * 2, sizeof(view->packages[0]));
	if (!grown)
		return -ENOMEM;
	view->packages = grown;
	view->cap_packages = n * 2;
	return 0;
}

static int load_packages(struct view *view, struct finding_row *row)
{
	const struct dictionary *dictionary = fleet_dictionary(view->fleet);
	const struct issue *issue;
	int r = 0;
	if (view->n_matches == 0)
		r = view_find_matches(view, row->host, row->vuln, &issue);
	if (r >= 0)
		r = grow_packages(view, view->n_matches);
	if (r < 0)
		return r;
	for (size_t i = 0; i < view->n_matches; i++) {
		const struct match *match = view->matches[i];
		view->packages[i] = (struct finding_package){
			.element = dictionary_element_at(dictionary, match->element),
			.fixed_in = match->fixed_in,
			.fix_state = match->fix_state,
			.reasons = match->reasons,
			.n_reasons = match->n_reasons,
		};
	}
	row->packages = view->packages;
	row->n_packages = view->n_matches;
	return 0;
}

/* Since when a host has an element. */
static int64_t attached_at(const struct fleet_host *host, element_id element)
{
	size_t low = 0, high = host->n_attached;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (host->attached[middle].element < element)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < host->n_attached && host->attached[low].element == element)
		return host->attached[low].at;
	return host->enrolled_at;
}

/* The closed finding that an open one of a past generation is now. */
static const struct closed_finding *closed_now(
        const struct view *view, int64_t account, str name, uint64_t host)
{
	size_t n, first;
	const struct closed_finding *const *closed = fleet_closed(view->fleet, account, &n);
	size_t end = view_find_closed(closed, n, fleet_dictionary(view->fleet), name, host, &first);
	if (end == first || closed[end - 1]->closed_at < view->generation->made_at)
		return NULL;
	return closed[end - 1];
}

static void load_times(struct view *view, struct finding_row *row)
{
	int64_t first = INT64_MAX, changed = 0;
	for (size_t i = 0; i < view->n_matches; i++) {
		const struct match *match = view->matches[i];
		int64_t at = attached_at(row->host, match->element);
		at = match->matched_at > at ? match->matched_at : at;
		at = row->host->eligible_since > at ? row->host->eligible_since : at;
		first = at < first ? at : first;
		changed = at > changed ? at : changed;
	}
	int64_t known = fleet_first_observed(view->fleet, row->host, row->vuln);
	if (known == 0 && view->is_past) {
		const struct closed_finding *closed =
		        closed_now(view, row->account, row->name, row->host_number);
		known = closed ? closed->first_observed : 0;
	}
	first = known != 0 ? known : first == INT64_MAX ? 0 : first;
	row->first_observed = first;
	row->updated_at = changed > first ? changed : first;
	if (view->suppressed_at > row->updated_at)
		row->updated_at = view->suppressed_at;
}

int view_load(struct view *view, struct finding_row *row, unsigned grains, struct err *err)
{
	int r = 0;
	if (grains & (GRAIN_TIMES | GRAIN_PATHS))
		grains |= GRAIN_PACKAGES;
	grains &= ~view->loaded;
	if (grains & GRAIN_PACKAGES)
		r = load_packages(view, row);
	if (r < 0)
		return err_set(err, r, "cannot find the packages of a finding: out of memory");
	if (grains & GRAIN_TIMES) {
		load_times(view, row);
		if (view->has_arn && view->query->arn)
			r = view->query->arn(
			        view->query->arn_ctx, row, view->arn, sizeof(view->arn));
	}
	if (r >= 0 && (grains & GRAIN_PATHS)) {
		arena_fini(&view->paths);
		r = finding_fill(view->fleet, row, &view->paths, err);
	}
	if (r >= 0)
		view->loaded |= grains;
	return r < 0 ? r : 0;
}

/* ---- is it wanted? ---- */

/* Do the criteria of some grains hold? Each grain is loaded only if those before it do not decide.
 */
static int filter_holds(struct view *view, const struct filter *filter, struct finding_row *row,
        unsigned mask, struct err *err)
{
	for (unsigned grain = GRAIN_HOST; grain < GRAIN_ALL; grain <<= 1) {
		if (!(filter->grains & mask & grain))
			continue;
		unsigned wanted = grain != GRAIN_STATUS ? grain
		                  : filter->has_updated ? (unsigned)GRAIN_TIMES
		                                        : 0;
		int r = view_load(view, row, wanted, err);
		if (r < 0)
			return r;
		if (!criteria_hold_at(filter->criteria, grain, row, str_from_c(view->arn)))
			return 0;
	}
	return 1;
}

/* The first suppression that holds decides. */
static int suppress(struct view *view, struct finding_row *row, struct err *err)
{
	row->status = STATUS_ACTIVE;
	for (size_t i = 0; i < view->query->n_suppressions; i++) {
		const struct suppression *one = &view->query->suppressions[i];
		if (!view->suppressions[i].holds_issue ||
		        !is_account_of(one->accounts, one->n_accounts, row->account))
			continue;
		int r = filter_holds(
		        view, &view->suppressions[i], row, GRAIN_ALL & ~GRAIN_ISSUE, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		row->status = STATUS_SUPPRESSED;
		view->suppressed_at = one->changed_at;
		if ((view->loaded & GRAIN_TIMES) && row->updated_at < one->changed_at)
			row->updated_at = one->changed_at;
		break;
	}
	return 0;
}

int view_judge(struct view *view, struct finding_row *row, unsigned known, struct err *err)
{
	unsigned before = GRAIN_HOST | GRAIN_PACKAGES | GRAIN_TIMES;
	int r = filter_holds(view, &view->wanted, row, before & ~known, err);
	if (r <= 0)
		return r;
	r = suppress(view, row, err);
	if (r < 0)
		return r;
	if (!view->admits[row->status])
		return 0;
	return filter_holds(view, &view->wanted, row, (GRAIN_STATUS | GRAIN_PATHS) & ~known, err);
}

int view_finish(struct view *view, struct finding_row *row, struct err *err)
{
	return view_load(view, row, GRAIN_TIMES, err);
}

/* ---- closed findings ---- */

static int by_element(const void *a, const void *b)
{
	const struct finding_package *x = a, *y = b;
	if (!x->element || !y->element)
		return (x->element != NULL) - (y->element != NULL);
	int c = str_cmp(x->element->package.name, y->element->package.name);
	return c ? c : (x->element->id > y->element->id) - (x->element->id < y->element->id);
}

int view_closed(struct view *view, const struct closed_finding *closed, struct finding_row *row)
{
	const struct dictionary *dictionary = fleet_dictionary(view->fleet);
	view_begin(view, row, NULL);
	int r = grow_packages(view, closed->n_packages);
	if (r < 0)
		return r;
	for (size_t i = 0; i < closed->n_packages; i++) {
		const struct closed_package *package = &closed->packages[i];
		view->packages[i] = (struct finding_package){
			.element = dictionary_element_at(dictionary, package->element),
			.fixed_in = package->fixed_in,
			.fix_state = package->fixed_in.n > 0 ? FIX_AVAILABLE : FIX_NONE,
			.paths = package->paths,
			.n_paths = package->n_paths,
		};
	}
	if (closed->n_packages > 1)
		qsort(view->packages, closed->n_packages, sizeof(view->packages[0]), by_element);
	*row = (struct finding_row){
		.host = fleet_host_at(view->fleet, closed->host),
		.host_number = closed->host,
		.host_id = closed->host_id,
		.account = closed->account,
		.vuln = closed->vuln,
		.name = dictionary_vuln_name(dictionary, closed->vuln),
		.closed = closed,
		.status = STATUS_CLOSED,
		.severity = closed->severity,
		.score = closed->score,
		.epss = closed->epss,
		.is_kev = closed->is_kev,
		.first_observed = closed->first_observed,
		.last_observed = closed->last_observed,
		.updated_at = closed->closed_at,
		.packages = view->packages,
		.n_packages = closed->n_packages,
	};
	view->loaded = GRAIN_ALL;
	return 0;
}

int view_judge_closed(struct view *view, struct finding_row *row, struct err *err)
{
	if (!view->admits[STATUS_CLOSED])
		return 0;
	if (view->has_arn && view->query->arn) {
		int r = view->query->arn(view->query->arn_ctx, row, view->arn, sizeof(view->arn));
		if (r < 0)
			return err_set(err, r, "cannot name a closed finding");
	}
	return criteria_hold(view->wanted.criteria, row, str_from_c(view->arn));
}

size_t view_find_closed(const struct closed_finding *const *closed, size_t n,
        const struct dictionary *dictionary, str name, uint64_t host, size_t *ret_first)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = str_cmp(dictionary_vuln_name(dictionary, closed[middle]->vuln), name);
		if (c < 0 || (c == 0 && closed[middle]->host < host))
			low = middle + 1;
		else
			high = middle;
	}
	*ret_first = low;
	for (; low < n && closed[low]->host == host; low++) {
		if (!str_eq(dictionary_vuln_name(dictionary, closed[low]->vuln), name))
			break;
	}
	return low;
}

/*
 * Between two generations a finding may be closed that the past one still has. It is shown once, as
 * the open one, under the same first_observed (load_times()).
 */
int view_is_still_open(struct view *view, const struct closed_finding *closed)
{
	if (!view->is_past)
		return 0;
	const struct fleet_host *host = fleet_host_at(view->fleet, closed->host);
	const struct issue *issue;
	if (!host || host->state != HOST_ACTIVE ||
	        fleet_first_observed(view->fleet, host, closed->vuln) != 0)
		return 0;
	int r = view_find_matches(view, host, closed->vuln, &issue);
	if (r <= 0)
		return r;
	str name = dictionary_vuln_name(fleet_dictionary(view->fleet), closed->vuln);
	return closed_now(view, closed->account, name, closed->host) == closed;
}

int view_keep(const struct finding_row *row, struct arena *arena, struct finding_row *ret)
{
	struct finding_package *packages = arena_alloc(arena, row->n_packages, sizeof(*packages));
	if (!packages)
		return -ERR_LIMIT;
	for (size_t i = 0; i < row->n_packages; i++) {
		packages[i] = row->packages[i];
		packages[i].paths = NULL; /* they belong to the view */
		packages[i].n_paths = 0;
	}
	*ret = *row;
	ret->packages = packages;
	return 0;
}
