/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All findings, in no order. Hosts that point at the same two sets have the same vulnerabilities
 * through the same packages, so these are worked out once per pair of sets, and only what depends
 * on the host is asked of each.
 */
#include "fleet/view.h"

#include <errno.h>
#include <roaring/roaring.h>
#include <stdlib.h>

struct pairs {
	struct view *view;
	const struct pair_visitor *visitor;
	struct pair_host *hosts;
	size_t n_hosts;
	const struct match **matches; /* of one pair */
	size_t n_matches, cap_matches;
};

static int by_pair(const void *a, const void *b)
{
	const struct pair_host *x = a, *y = b;
	for (int i = 0; i < HOST_N_SETS; i++) {
		if (x->sets[i] != y->sets[i])
			return x->sets[i] < y->sets[i] ? -1 : 1;
	}
	if (x->host->account != y->host->account)
		return x->host->account < y->host->account ? -1 : 1;
	return (x->host->number > y->host->number) - (x->host->number < y->host->number);
}

/* The active hosts in scope, by pair. Criteria of hosts have made it exact already. */
static int gather_hosts(struct pairs *pairs)
{
	struct view *view = pairs->view;
	uint64_t n = roaring_bitmap_get_cardinality(view->scope);
	roaring_uint32_iterator_t it;
	pairs->hosts = calloc(n + 1, sizeof(*pairs->hosts));
	if (!pairs->hosts)
		return -ENOMEM;
	for (roaring_init_iterator(view->scope, &it); it.has_value;
	        roaring_advance_uint32_iterator(&it)) {
		const struct fleet_host *host = fleet_host_at(view->fleet, it.current_value);
		if (!host || host->state != HOST_ACTIVE)
			continue;
		struct pair_host *one = &pairs->hosts[pairs->n_hosts++];
		memcpy(one->sets, host->sets, sizeof(one->sets));
		one->host = host;
	}
	qsort(pairs->hosts, pairs->n_hosts, sizeof(*pairs->hosts), by_pair);
	return 0;
}

static int add_matches(struct pairs *pairs, uint32_t number)
{
	const struct package_set *set = sets_at(pairs->view->sets, number);
	for (size_t i = 0; set && i < set->n_elements; i++) {
		size_t n;
		const struct match *matches =
		        generation_matches(pairs->view->generation, set->elements[i], &n);
		if (pairs->cap_matches - pairs->n_matches < n) {
			size_t cap = (pairs->n_matches + n) * 2;
			void *grown = reallocarray(pairs->matches, cap, sizeof(pairs->matches[0]));
			if (!grown)
				return -ENOMEM;
			pairs->matches = grown;
			pairs->cap_matches = cap;
		}
		for (size_t k = 0; k < n; k++)
			pairs->matches[pairs->n_matches++] = &matches[k];
	}
	return 0;
}

/* By vulnerability, then as the packages of a finding are sorted. */
static int by_finding(const void *a, const void *b, void *ctx)
{
	const struct dictionary *dictionary = ctx;
	const struct match *x = *(const struct match *const *)a;
	const struct match *y = *(const struct match *const *)b;
	if (x->issue->vuln != y->issue->vuln)
		return x->issue->vuln < y->issue->vuln ? -1 : 1;
	if (x->element == y->element)
		return 0;
	const struct element *p = dictionary_element_at(dictionary, x->element);
	const struct element *q = dictionary_element_at(dictionary, y->element);
	int c = p && q ? str_cmp(p->package.name, q->package.name) : 0;
	return c ? c : x->element < y->element ? -1 : 1;
}

static int gather_matches(struct pairs *pairs, const uint32_t sets[HOST_N_SETS])
{
	const struct dictionary *dictionary = fleet_dictionary(pairs->view->fleet);
	int r = 0;
	pairs->n_matches = 0;
	for (size_t i = 0; r >= 0 && i < HOST_N_SETS; i++)
		r = add_matches(pairs, sets[i]);
	if (r < 0 || pairs->n_matches < 2)
		return r;
	qsort_r(pairs->matches, pairs->n_matches, sizeof(pairs->matches[0]), by_finding,
	        (void *)(uintptr_t)dictionary);
	size_t n = 1;
	for (size_t i = 1; i < pairs->n_matches; i++) {
		if (pairs->matches[i] != pairs->matches[n - 1])
			pairs->matches[n++] = pairs->matches[i];
	}
	pairs->n_matches = n;
	return 0;
}

/* The end of the matches of one finding, and its gravest issue. */
static size_t finding_end(const struct pairs *pairs, size_t first, const struct issue **ret_issue)
{
	const struct issue *gravest = pairs->matches[first]->issue;
	size_t end = first + 1;
	for (; end < pairs->n_matches; end++) {
		const struct issue *issue = pairs->matches[end]->issue;
		if (issue->vuln != gravest->vuln)
			break;
		gravest = issue->rank < gravest->rank ? issue : gravest;
	}
	*ret_issue = gravest;
	return end;
}

/* Nothing depends on the single host: no suppression, and no criterion of times or evidence. */
static bool is_alike(const struct view *view)
{
	const struct filter *wanted = &view->wanted;
	if ((wanted->grains & (GRAIN_TIMES | GRAIN_PATHS)) || wanted->has_updated)
		return false;
	for (size_t i = 0; i < view->query->n_suppressions; i++) {
		if (view->suppressions[i].holds_issue)
			return false;
	}
	return true;
}

static int visit_hosts(struct pairs *pairs, struct finding_row *row, struct pair_host *hosts,
        size_t n, struct err *err)
{
	struct view *view = pairs->view;
	const struct pair_visitor *visitor = pairs->visitor;
	unsigned known = GRAIN_ISSUE | GRAIN_HOST | GRAIN_PACKAGES;
	if (!visitor->is_each && is_alike(view)) {
		row->status = STATUS_ACTIVE;
		return view->admits[STATUS_ACTIVE] ? visitor->visit(visitor->ctx, row, hosts, n)
		                                   : 0;
	}
	for (size_t i = 0; i < n; i++) {
		view->loaded &= GRAIN_PACKAGES;
		view->suppressed_at = 0;
		if (view->loaded)
			row->packages = view->packages; /* without the paths of the last host */
		view_set_host(view, row, hosts[i].host);
		int r = view_judge(view, row, known, err);
		int finished = r > 0 && visitor->is_each ? view_finish(view, row, err) : 0;
		if (finished < 0)
			return finished;
		if (r > 0)
			r = visitor->visit(visitor->ctx, row, &hosts[i], 1);
		if (r != 0)
			return r;
	}
	return 0;
}

static int visit_pair(struct pairs *pairs, struct pair_host *hosts, size_t n, struct err *err)
{
	struct view *view = pairs->view;
	const struct criteria *wanted = view->wanted.criteria;
	int r = gather_matches(pairs, hosts[0].sets);
	if (r < 0)
		return err_set(err, r, "cannot gather findings: out of memory");
	for (size_t i = 0, end; r == 0 && i < pairs->n_matches; i = end) {
		struct finding_row row;
		const struct issue *issue;
		end = finding_end(pairs, i, &issue);
		view_begin(view, &row, issue);
		if (!criteria_hold_at(wanted, GRAIN_ISSUE, &row, STR("")))
			continue;
		r = view_take_matches(view, pairs->matches + i, end - i);
		if (r >= 0 && (view->wanted.grains & GRAIN_PACKAGES)) {
			r = view_load(view, &row, GRAIN_PACKAGES, err);
			if (r >= 0 && !criteria_hold_at(wanted, GRAIN_PACKAGES, &row, STR("")))
				continue;
		}
		if (r >= 0)
			r = visit_hosts(pairs, &row, hosts, n, err);
	}
	return r;
}

int pairs_visit(struct view *view, const struct pair_visitor *visitor,
        int (*ready)(void *ctx, struct pair_host *hosts, size_t n), struct err *err)
{
	struct pairs pairs = { .view = view, .visitor = visitor };
	int r = gather_hosts(&pairs);
	if (r < 0)
		(void)err_set(err, r, "cannot gather hosts: out of memory");
	if (r >= 0 && ready)
		r = ready(visitor->ctx, pairs.hosts, pairs.n_hosts);
	for (size_t i = 0, end; r == 0 && i < pairs.n_hosts; i = end) {
		for (end = i + 1;
		        end < pairs.n_hosts && memcmp(pairs.hosts[end].sets, pairs.hosts[i].sets,
		                                       sizeof(pairs.hosts[i].sets)) == 0;)
			end++;
		r = visit_pair(&pairs, pairs.hosts + i, end - i, err);
	}
	free(pairs.hosts);
	free(pairs.matches);
	return r;
}
