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
#include <stdlib.h>

/* After so many issues that did not fill a page, find out which ones a small scope has at all. */
#define SELECT_AFTER 256
#define SELECT_MOST_HOSTS 4096

size_t expand_n_words(const struct view *view)
{
	return view->generation->n_issues / 64 + 1;
}

static size_t select_set(const struct view *view, uint32_t number, uint64_t *bits)
{
	const struct package_set *set = sets_at(view->sets, number);
	size_t n_all = 0;
	for (size_t i = 0; set && i < set->n_elements; i++) {
		size_t n;
		const struct match *matches =
		        generation_matches(view->generation, set->elements[i], &n);
		for (size_t k = 0; k < n; k++)
			bits[matches[k].issue / 64] |= UINT64_C(1) << matches[k].issue % 64;
		n_all += n;
	}
	return n_all;
}

size_t expand_select(const struct view *view, const roaring_bitmap_t *hosts, uint64_t *bits)
{
	uint32_t last[HOST_N_SETS] = { 0 };
	size_t n_all = 0;
	roaring_uint32_iterator_t it;
	memset(bits, 0, expand_n_words(view) * sizeof(*bits));
	for (roaring_init_iterator(hosts, &it); it.has_value;
	        roaring_advance_uint32_iterator(&it)) {
		const struct fleet_host *host = fleet_host_at(view->fleet, it.current_value);
		for (size_t i = 0; host && i < HOST_N_SETS; i++) {
			if (host->sets[i] != last[i]) /* neighbours are often alike */
				n_all += select_set(view, host->sets[i], bits);
			last[i] = host->sets[i];
		}
	}
	return n_all;
}

/* The walk, as it goes. */
struct walker {
	const struct expansion *what;
	struct view *view;
	const struct generation *generation;
	uint64_t *own_selected;
	const uint64_t *selected;
	size_t n_expanded;
};

static uint32_t issue_at(const struct walker *walker, size_t i)
{
	return walker->what->order ? walker->what->order[i] : (uint32_t)i;
}

static bool is_selected(const struct walker *walker, uint32_t issue)
{
	return !walker->selected || (walker->selected[issue / 64] >> issue % 64 & 1);
}

/* The first in the order that is not before the place to begin at. */
static size_t begin_at(const struct walker *walker)
{
	const struct expansion *what = walker->what;
	size_t low = 0, high = walker->generation->n_issues;
	while (what->behind && low < high) {
		size_t middle = low + (high - low) / 2;
		struct sort_key key;
		sort_key_of_issue(what->by->field,
		        &walker->generation->issues[issue_at(walker, middle)], &key);
		if (sort_compare_values(what->by, &key, what->behind) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The end of those that are equal to the one at `first`: of one vulnerability and value. */
static size_t group_end(const struct walker *walker, size_t first, struct sort_key *ret_key)
{
	const struct issue *issues = walker->generation->issues;
	const struct expansion *what = walker->what;
	size_t end = first + 1;
	sort_key_of_issue(what->by->field, &issues[issue_at(walker, first)], ret_key);
	for (; end < walker->generation->n_issues; end++) {
		struct sort_key key;
		const struct issue *issue = &issues[issue_at(walker, end)];
		if (issue->vuln != issues[issue_at(walker, first)].vuln)
			break;
		sort_key_of_issue(what->by->field, issue, &key);
		if (sort_compare_values(what->by, &key, ret_key) != 0)
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
		element_id element = walker->generation->matches[issue->matches[i]].element;
		if (is_admitted_only && !criteria_admit_element(view->wanted.criteria,
		                                dictionary_element_at(dictionary, element)))
			continue;
		r = sets_hosts_of(view->sets, element, out);
	}
	return r;
}

/* Keep only hosts that have a package of the vulnerability that a package criterion admits. */
static int keep_admitted(const struct walker *walker, const struct issue *first, size_t n,
        roaring_bitmap_t *hosts)
{
	roaring_bitmap_t *with = roaring_bitmap_create();
	int r = with ? 0 : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_hosts(walker, &first[i], true, with);
	if (r >= 0)
		roaring_bitmap_and_inplace(hosts, with);
	if (with)
		roaring_bitmap_free(with);
	return r;
}

/* Can any host's finding of this vulnerability meet the criteria of packages? */
static bool is_vulnerability_admitted(
        const struct walker *walker, const struct issue *first, size_t n)
{
	const struct filter *wanted = &walker->view->wanted;
	unsigned states = 0;
	if (!(wanted->grains & (GRAIN_PACKAGES | GRAIN_PATHS)))
		return true;
	if (!criteria_admit_title(wanted->criteria, first->name))
		return false;
	if (!criteria_have(wanted->criteria, FIELD_FIX))
		return true;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < first[i].n_matches; k++)
			states |= 1u << walker->generation->matches[first[i].matches[k]].fix_state;
	}
	return criteria_admit_fixes(wanted->criteria, states);
}

/* One group of issues, which are all of one vulnerability. */
struct group {
	size_t first, end;         /* in the order */
	const struct issue *base;  /* the vulnerability's issues */
	size_t n_base;
	const struct issue *only;  /* the one that is wanted; NULL when there are several */
	size_t n_wanted;
	roaring_bitmap_t *hosts;
};

static bool is_in_group(const struct walker *walker, const struct group *group, uint32_t issue)
{
	for (size_t i = group->first; i < group->end; i++) {
		if (issue_at(walker, i) == issue)
			return true;
	}
	return false;
}

/* The hosts whose gravest issue is a wanted one of the group. */
static int group_hosts(const struct walker *walker, struct group *group)
{
	uint32_t last = issue_at(walker, group->end - 1); /* within a group they are by rank */
	roaring_bitmap_t *seen = roaring_bitmap_create(), *own = roaring_bitmap_create();
	int r = seen && own ? 0 : -ENOMEM;
	for (const struct issue *issue = group->base;
	        r >= 0 && issue <= &walker->generation->issues[last]; issue++) {
		uint32_t number = (uint32_t)(issue - walker->generation->issues);
		bool is_wanted = is_in_group(walker, group, number) && is_selected(walker, number) &&
		        is_issue_wanted(walker, issue);
		roaring_bitmap_clear(own);
		r = add_hosts(walker, issue, false, own);
		if (r >= 0 && is_wanted) {
			roaring_bitmap_andnot_inplace(own, seen);
			roaring_bitmap_or_inplace(group->hosts, own);
			group->only = issue;
			group->n_wanted++;
		}
		if (r >= 0)
			roaring_bitmap_or_inplace(seen, own);
	}
	if (seen)
		roaring_bitmap_free(seen);
	if (own)
		roaring_bitmap_free(own);
	if (r >= 0)
		roaring_bitmap_and_inplace(group->hosts, walker->what->scope);
	if (r >= 0 && criteria_have(walker->view->wanted.criteria, FIELD_PACKAGE))
		r = keep_admitted(walker, group->base, group->n_base, group->hosts);
	return r;
}

static int visit_host(const struct walker *walker, const struct group *group, uint32_t number,
        struct err *err)
{
	struct view *view = walker->view;
	struct finding_row row;
	const struct fleet_host *host = fleet_host_at(view->fleet, number);
	if (!host || host->state != HOST_ACTIVE)
		return 0;
	view_begin(view, &row, group->n_wanted == 1 ? group->only : NULL);
	if (group->n_wanted > 1) {
		size_t issue;
		int r = view_find_matches(
		        view, host, (size_t)(group->base - walker->generation->issues), &issue);
		if (r <= 0)
			return r;
		view_set_issue(view, &row, &walker->generation->issues[issue]);
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
	for (size_t i = group->first; i < group->end; i++) {
		uint32_t number = issue_at(walker, i);
		if (is_selected(walker, number) &&
		        is_issue_wanted(walker, &walker->generation->issues[number]))
			return true;
	}
	return false;
}

static int expand_group(
        struct walker *walker, struct group *group, uint32_t from, struct err *err)
{
	const struct issue *issues = walker->generation->issues;
	const struct issue *one = &issues[issue_at(walker, group->first)];
	group->base = one - one->rank;
	for (group->n_base = one->rank + 1;
	        group->base + group->n_base < issues + walker->generation->n_issues &&
	        group->base[group->n_base].vuln == one->vuln;)
		group->n_base++;
	if (!is_group_wanted(walker, group) ||
	        !is_vulnerability_admitted(walker, group->base, group->n_base))
		return 0;
	if (++walker->n_expanded == SELECT_AFTER && !walker->selected &&
	        roaring_bitmap_get_cardinality(walker->what->scope) <= SELECT_MOST_HOSTS) {
		walker->own_selected = calloc(expand_n_words(walker->view), sizeof(uint64_t));
		if (walker->own_selected)
			(void)expand_select(
			        walker->view, walker->what->scope, walker->own_selected);
		walker->selected = walker->own_selected;
	}
	group->hosts = roaring_bitmap_create();
	if (!group->hosts)
		return err_set(err, -ENOMEM, "cannot expand a vulnerability: out of memory");
	int r = visit_group(walker, group, from, err);
	roaring_bitmap_free(group->hosts);
	return r;
}

int expand(const struct expansion *expansion, struct err *err)
{
	struct walker walker = {
		.what = expansion,
		.view = expansion->view,
		.generation = expansion->view->generation,
		.selected = expansion->selected,
	};
	int r = 0;
	for (size_t i = begin_at(&walker); r == 0 && i < walker.generation->n_issues;) {
		/* Where they are walked as they stand, skip what is not selected quickly. */
		if (!expansion->order && walker.selected && walker.selected[i / 64] == 0) {
			i = (i / 64 + 1) * 64;
			continue;
		}
		struct sort_key key;
		struct group group = { .first = i };
		group.end = group_end(&walker, i, &key);
		bool is_begin = expansion->behind &&
		        sort_compare_values(expansion->by, &key, expansion->behind) == 0;
		r = expand_group(
		        &walker, &group, is_begin ? (uint32_t)expansion->behind->host : 0, err);
		i = group.end;
	}
	free(walker.own_selected);
	return r;
}
