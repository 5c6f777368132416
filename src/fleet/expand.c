/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issues in their order, each expanded to the hosts that have it: the union of the hosts of its
 * elements, without those that have a graver issue of the same vulnerability, for a finding is of
 * the gravest. Issues of one vulnerability that are equal in the order are expanded together, so
 * that hosts rise within them.
 */
#include "fleet/order.h"
#include "fleet/view.h"

#include <errno.h>
#include <roaring/roaring.h>
#include <stdlib.h>

/* After so many issues that did not fill a page, find out which ones a small scope has at all. */
#define SELECT_AFTER 256
#define SELECT_MOST_HOSTS 4096

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (const struct issue *const *)a;
	uintptr_t y = (uintptr_t) * (const struct issue *const *)b;
	return (x > y) - (x < y);
}

/* Each once. */
static void drop_repeats(struct issue_list *list)
{
	size_t n = 0;
	if (list->n > 1)
		qsort(list->issues, list->n, sizeof(list->issues[0]), by_address);
	for (size_t i = 0; i < list->n; i++) {
		if (n == 0 || list->issues[i] != list->issues[n - 1])
			list->issues[n++] = list->issues[i];
	}
	list->n = n;
}

static int list_add(struct issue_list *list, const struct issue *issue)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 256;
		drop_repeats(list); /* hosts are alike: often this makes room */
		if (list->n > cap / 4 || !list->issues) {
			void *grown = reallocarray(list->issues, cap, sizeof(list->issues[0]));
			if (!grown)
				return -ENOMEM;
			list->issues = grown;
			list->cap = cap;
		}
	}
	list->issues[list->n++] = issue;
	return 0;
}

static int select_set(const struct view *view, uint32_t number, struct issue_list *list)
{
	const struct package_set *set = sets_at(view->sets, number);
	int r = 0;
	for (size_t i = 0; set && i < set->n_elements; i++) {
		size_t n;
		const struct match *matches =
		        generation_matches(view->generation, set->elements[i], &n);
		for (size_t k = 0; r >= 0 && k < n; k++)
			r = list_add(list, matches[k].issue);
	}
	return r;
}

int expand_select(const struct view *view, const roaring_bitmap_t *hosts,
        const struct sort_order *by, struct issue_list *list)
{
	uint32_t last[HOST_N_SETS] = { 0 };
	int r = 0;
	roaring_uint32_iterator_t it;
	list->n = 0;
	for (roaring_init_iterator(hosts, &it); it.has_value;
	        roaring_advance_uint32_iterator(&it)) {
		const struct fleet_host *host = fleet_host_at(view->fleet, it.current_value);
		for (size_t i = 0; r >= 0 && host && i < HOST_N_SETS; i++) {
			if (host->sets[i] != last[i]) /* neighbours are often alike */
				r = select_set(view, host->sets[i], list);
			last[i] = host->sets[i];
		}
	}
	drop_repeats(list);
	orders_sort(by, list->issues, list->n);
	return r;
}

/* The walk, as it goes. */
struct walker {
	const struct expansion *what;
	struct view *view;
	const struct generation *generation;
	const struct issue *const *issues;
	size_t n_issues;
	struct issue_list own; /* the issues of a small scope, once they are listed */
	size_t n_expanded;
};

/* The first in the order that is not before a key, or, if so asked, that is behind it. */
static size_t begin_at(const struct walker *walker, const struct sort_key *from, bool is_behind)
{
	const struct sort_order *by = walker->what->by;
	size_t low = 0, high = walker->n_issues;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct sort_key key;
		sort_key_of_issue(by->field, walker->issues[middle], &key);
		if (sort_compare_values(by, &key, from) < (is_behind ? 1 : 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The end of those that are equal to the one at `first`: of one vulnerability and value. */
static size_t group_end(const struct walker *walker, size_t first, struct sort_key *ret_key)
{
	const struct sort_order *by = walker->what->by;
	const struct issue *const *issues = walker->issues;
	size_t end = first + 1;
	sort_key_of_issue(by->field, issues[first], ret_key);
	for (; end < walker->n_issues && issues[end]->vuln == issues[first]->vuln; end++) {
		struct sort_key key;
		sort_key_of_issue(by->field, issues[end], &key);
		if (sort_compare_values(by, &key, ret_key) != 0)
			break;
	}
	return end;
}

static bool is_issue_wanted(const struct walker *walker, const struct issue *issue)
{
	struct finding_row row = { .issue = issue,
		.vuln = issue->vuln,
		.name = issue->name,
		.severity = issue->severity,
		.score = issue->score,
		.epss = issue->epss,
		.is_kev = issue->is_kev };
	return criteria_hold_at(walker->view->wanted.criteria, GRAIN_ISSUE, &row, STR(""));
}

/* Add the hosts of an issue's matches; only of those that a package criterion admits, if asked. */
static int add_hosts(const struct walker *walker, const struct issue *issue, bool is_admitted_only,
        roaring_bitmap_t *out)
{
	const struct view *view = walker->view;
	const struct dictionary *dictionary = fleet_dictionary(view->fleet);
	int r = 0;
	for (size_t i = 0; r >= 0 && i < issue->n_matches; i++) {
		element_id element = issue->matches[i]->element;
		if (is_admitted_only && !criteria_admit_element(view->wanted.criteria,
		                                dictionary_element_at(dictionary, element)))
			continue;
		r = sets_hosts_of(view->sets, element, out);
	}
	return r;
}

/* One group of issues, which are all of one vulnerability. */
struct group {
	const struct issue *const *issues; /* that are equal in the order, by rank */
	size_t n;
	const struct issue *const *all; /* of the vulnerability, by rank */
	size_t n_all;
	const struct issue *only; /* the last of those that are wanted */
	size_t n_wanted;
	roaring_bitmap_t *hosts;
};

/* Keep only hosts that have a package of the vulnerability that a package criterion admits. */
static int keep_admitted(const struct walker *walker, const struct group *group)
{
	roaring_bitmap_t *with = roaring_bitmap_create();
	int r = with ? 0 : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < group->n_all; i++)
		r = add_hosts(walker, group->all[i], true, with);
	if (r >= 0)
		roaring_bitmap_and_inplace(group->hosts, with);
	if (with)
		roaring_bitmap_free(with);
	return r;
}

/* Can any host's finding of this vulnerability meet the criteria of packages? */
static bool is_vulnerability_admitted(const struct walker *walker, const struct group *group)
{
	const struct filter *wanted = &walker->view->wanted;
	unsigned states = 0;
	if (!(wanted->grains & (GRAIN_PACKAGES | GRAIN_PATHS)))
		return true;
	if (!criteria_admit_title(wanted->criteria, group->all[0]->name))
		return false;
	if (!criteria_have(wanted->criteria, FIELD_FIX))
		return true;
	for (size_t i = 0; i < group->n_all; i++) {
		for (size_t k = 0; k < group->all[i]->n_matches; k++)
			states |= 1u << group->all[i]->matches[k]->fix_state;
	}
	return criteria_admit_fixes(wanted->criteria, states);
}

static bool is_in_group(const struct group *group, const struct issue *issue)
{
	for (size_t i = 0; i < group->n; i++) {
		if (group->issues[i] == issue)
			return true;
	}
	return false;
}

/* The hosts whose gravest issue is a wanted one of the group. */
static int group_hosts(const struct walker *walker, struct group *group)
{
	const struct issue *last = group->issues[group->n - 1];
	roaring_bitmap_t *seen = roaring_bitmap_create(), *own = roaring_bitmap_create();
	int r = seen && own ? 0 : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < group->n_all; i++) {
		const struct issue *issue = group->all[i];
		bool is_wanted = is_in_group(group, issue) && is_issue_wanted(walker, issue);
		if (issue->rank > last->rank)
			break;
		roaring_bitmap_clear(own);
		r = add_hosts(walker, issue, false, own);
		if (r < 0)
			break;
		if (is_wanted) {
			roaring_bitmap_andnot_inplace(own, seen);
			roaring_bitmap_or_inplace(group->hosts, own);
			group->only = issue;
			group->n_wanted++;
		}
		if (issue != last)
			roaring_bitmap_or_inplace(seen, own);
	}
	if (seen)
		roaring_bitmap_free(seen);
	if (own)
		roaring_bitmap_free(own);
	if (r >= 0)
		roaring_bitmap_and_inplace(group->hosts, walker->what->scope);
	if (r >= 0 && criteria_have(walker->view->wanted.criteria, FIELD_PACKAGE))
		r = keep_admitted(walker, group);
	return r;
}

static int visit_host(
        const struct walker *walker, const struct group *group, uint32_t number, struct err *err)
{
	struct view *view = walker->view;
	struct finding_row row;
	const struct fleet_host *host = fleet_host_at(view->fleet, number);
	if (!host || host->state != HOST_ACTIVE)
		return 0;
	view_begin(view, &row, group->n_wanted == 1 ? group->only : NULL);
	if (group->n_wanted > 1) {
		const struct issue *issue;
		int r = view_find_matches(view, host, group->only->vuln, &issue);
		if (r <= 0)
			return r;
		view_set_issue(view, &row, issue);
	}
	view_set_host(view, &row, host);
	unsigned known = GRAIN_ISSUE | (view->is_scope_exact ? (unsigned)GRAIN_HOST : 0);
	int r = view_judge(view, &row, known, err);
	return r <= 0 ? r : walker->what->visit(walker->what->ctx, &row);
}

static int visit_group(
        const struct walker *walker, struct group *group, uint32_t from, struct err *err)
{
	int r = group_hosts(walker, group);
	if (r < 0)
		return err_set(err, r, "cannot find the hosts of a vulnerability: out of memory");
	roaring_uint32_iterator_t it;
	roaring_init_iterator(group->hosts, &it);
	if (from > 0)
		(void)roaring_move_uint32_iterator_equalorlarger(&it, from);
	for (; r == 0 && it.has_value; roaring_advance_uint32_iterator(&it))
		r = visit_host(walker, group, it.current_value, err);
	return r;
}

/* Does any issue of the group come into question? */
static bool is_group_wanted(const struct walker *walker, const struct group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		if (is_issue_wanted(walker, group->issues[i]))
			return is_vulnerability_admitted(walker, group);
	}
	return false;
}

static int expand_group(struct walker *walker, struct group *group, uint32_t from, struct err *err)
{
	uint32_t first;
	group->n_all = generation_issues_of(walker->generation, group->issues[0]->vuln, &first);
	if (group->n_all == 0)
		return 0;
	group->all = &walker->generation->issues[first];
	if (!is_group_wanted(walker, group))
		return 0;
	walker->n_expanded++;
	group->hosts = roaring_bitmap_create();
	if (!group->hosts)
		return err_set(err, -ENOMEM, "cannot expand a vulnerability: out of memory");
	int r = visit_group(walker, group, from, err);
	roaring_bitmap_free(group->hosts);
	return r;
}

/* Go on with the issues of a small scope only, behind a key. */
static size_t narrow(struct walker *walker, size_t next, const struct sort_key *behind)
{
	const struct expansion *what = walker->what;
	if (walker->n_expanded != SELECT_AFTER || walker->own.issues ||
	        roaring_bitmap_get_cardinality(what->scope) > SELECT_MOST_HOSTS ||
	        expand_select(walker->view, what->scope, what->by, &walker->own) < 0)
		return next;
	walker->issues = walker->own.issues;
	walker->n_issues = walker->own.n;
	return begin_at(walker, behind, true);
}

int expand(const struct expansion *expansion, struct err *err)
{
	const struct sort_key *behind = expansion->behind;
	struct walker walker = {
		.what = expansion,
		.view = expansion->view,
		.generation = expansion->view->generation,
		.issues = expansion->issues,
		.n_issues = expansion->n_issues,
	};
	int r = 0;
	for (size_t i = behind ? begin_at(&walker, behind, false) : 0;
	        r == 0 && i < walker.n_issues;) {
		struct sort_key key;
		size_t end = group_end(&walker, i, &key);
		struct group group = { .issues = walker.issues + i, .n = end - i };
		bool is_begin = behind && sort_compare_values(expansion->by, &key, behind) == 0;
		r = expand_group(&walker, &group, is_begin ? (uint32_t)behind->host : 0, err);
		i = narrow(&walker, end, &key);
	}
	free(walker.own.issues);
	return r;
}
