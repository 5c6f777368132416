/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/transition.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/elements.h"
#include "fleet/sure.h"

/* So many vulnerabilities are looked up one by one, from their issues; for more, all that the host
 * has is walked once. */
#define FEW 8u

static int full(struct err *err)
{
	return err_set(err, -ERR_LIMIT, "a change of a host needs too much memory");
}

/* The closed finding that opens again, if one may: the newest one. */
static struct closed_entry *find_closed(const struct transition *t, vuln_id vuln)
{
	struct closed_entry *newest = NULL;
	for (size_t i = 0; i < t->slot->n_closed; i++) {
		struct closed_entry *entry = t->slot->closed[i];
		if (entry->finding.vuln != vuln || entry->is_open_again ||
		        t->now_at - entry->finding.closed_at > CLOSING_REOPEN_S ||
		        t->now_at >= closing_ends_at(entry->group))
			continue;
		if (!newest || entry->finding.closed_at >= newest->finding.closed_at)
			newest = entry;
	}
	return newest;
}

static const struct first *find_first(const struct first *firsts, size_t n, vuln_id vuln)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (firsts[i].vuln == vuln)
			return &firsts[i];
		if (firsts[i].vuln < vuln)
			low = i + 1;
		else
			high = i;
	}
	return NULL;
}

/* A finding that is open now, and was, or not. */
static void keep_or_open(struct transition *t, vuln_id vuln, int64_t was, int64_t is)
{
	int64_t first = was;
	if (was == 0) {
		struct closed_entry *entry = find_closed(t, vuln);
		if (!entry)
			return;
		first = entry->finding.first_observed;
		t->reopened[t->n_reopened++] = entry;
	} else if (was == is) {
		return;
	}
	t->firsts[t->n_firsts++] = (struct first){ vuln, first };
	t->has_firsts = true;
}

static int by_vuln(const void *left, const void *right)
{
	const struct first *a = left, *b = right;
	return (a->vuln > b->vuln) - (a->vuln < b->vuln);
}

/* The times that were written down stay, but for those of findings that close. */
static void keep_firsts(struct transition *t)
{
	size_t n_new = t->n_firsts;
	for (size_t i = 0; i < t->slot->n_firsts; i++) {
		const struct first *first = &t->slot->firsts[i];
		if (find_first(t->closed, t->n_closed, first->vuln))
			t->has_firsts = true;
		else if (!find_first(t->firsts, n_new, first->vuln))
			t->firsts[t->n_firsts++] = *first;
	}
	if (t->n_firsts > 1)
		qsort(t->firsts, t->n_firsts, sizeof(*t->firsts), by_vuln);
}

int transition_make(struct transition *t, const vuln_id *vulns, size_t n, struct err *err)
{
	cleanup(arena_fini) struct arena scratch = ARENA((size_t)256 << 20);
	int64_t *was = arena_alloc(&scratch, n, sizeof(*was));
	int64_t *is = arena_alloc(&scratch, n, sizeof(*is));
	t->firsts = arena_alloc(t->arena, n + t->slot->n_firsts, sizeof(*t->firsts));
	t->closed = arena_alloc(t->arena, n, sizeof(*t->closed));
	t->reopened = arena_alloc(t->arena, n, sizeof(struct closed_entry *));
	if (!was || !is || !t->firsts || !t->closed || !t->reopened)
		return full(err);
	for (size_t i = 0; n <= FEW && i < n; i++) {
		was[i] = standing_time(t->old, vulns[i]);
		is[i] = standing_time(t->new, vulns[i]);
	}
	if (n > FEW) {
		standing_times(t->old, vulns, n, was);
		standing_times(t->new, vulns, n, is);
	}
	for (size_t i = 0; i < n; i++) {
		if (is[i] != 0)
			keep_or_open(t, vulns[i], was[i], is[i]);
		else if (was[i] != 0)
			t->closed[t->n_closed++] = (struct first){ vulns[i], was[i] };
	}
	keep_firsts(t);
	return 0;
}

/* ---- what closes ---- */

struct closed_matches {
	struct closed_match *items;
	size_t n, cap;
};

static void add_closed(const struct transition *t, element_id element, struct closed_matches *out)
{
	size_t n;
	const struct match *matches = standing_matches(t->old, element, &n);
	for (size_t i = 0; i < n; i++) {
		vuln_id vuln = matches[i].issue->vuln;
		if (!find_first(t->closed, t->n_closed, vuln))
			continue;
		out->items = sure_grow(out->items, out->n, &out->cap, sizeof(*out->items));
		out->items[out->n++] = (struct closed_match){ vuln, &matches[i] };
	}
}

static bool had_element(const struct transition *t, element_id element)
{
	return set_has(t->old->sets[HOST_OS_SET], element) ||
	       set_has(t->old->sets[HOST_LANGUAGE_SET], element);
}

/* The matches of one vulnerability, from its issues. */
static void add_by_issue(const struct transition *t, vuln_id vuln, struct closed_matches *out)
{
	uint32_t first;
	size_t n = generation_issues_of(t->old->generation, vuln, &first);
	for (size_t i = 0; i < n; i++) {
		const struct issue *issue = t->old->generation->issues[first + i];
		for (size_t k = 0; k < issue->n_matches; k++) {
			if (!had_element(t, issue->matches[k]->element))
				continue;
			out->items = sure_grow(out->items, out->n, &out->cap, sizeof(*out->items));
			out->items[out->n++] = (struct closed_match){ vuln, issue->matches[k] };
		}
	}
}

static int by_finding(const void *left, const void *right)
{
	const struct closed_match *a = left, *b = right;
	if (a->vuln != b->vuln)
		return a->vuln < b->vuln ? -1 : 1;
	return (a->match->element > b->match->element) - (a->match->element < b->match->element);
}

int transition_matches(
        const struct transition *t, struct closed_match **ret, size_t *ret_n, struct err *err)
{
	struct closed_matches found = { .n = 0 };
	for (size_t i = 0; t->n_closed <= FEW && i < t->n_closed; i++)
		add_by_issue(t, t->closed[i].vuln, &found);
	for (int k = 0; t->n_closed > FEW && k < HOST_N_SETS; k++) {
		const struct package_set *set = t->old->sets[k];
		for (size_t i = 0; set && i < set->n_elements; i++)
			add_closed(t, set->elements[i], &found);
	}
	autofree struct closed_match *items = found.items;
	if (found.n > 1)
		qsort(items, found.n, sizeof(*items), by_finding);
	struct closed_match *copy = arena_alloc(t->arena, found.n, sizeof(*copy));
	if (!copy)
		return full(err);
	if (found.n > 0)
		memcpy(copy, items, found.n * sizeof(*copy));
	*ret = copy;
	*ret_n = found.n;
	return 0;
}

/* ---- where it lay ---- */

/* Stock agents name no places of OS packages. */
static bool may_have_place(const struct fleet *fleet, const struct fleet_host *host,
        const struct closed_match *matches, size_t n)
{
	const struct host_item *word = elements_word(host, HOST_OS_SET);
	bool is_told = word && !elements_lack_sources(word->type);
	for (size_t i = 0; i < n; i++) {
		const struct element *element =
		        dictionary_element_at(fleet->dictionary, matches[i].match->element);
		if (is_told || !package_is_os(&element->package))
			return true;
	}
	return false;
}

int transition_places(struct fleet *fleet, const struct fleet_host *host,
        const struct closed_match *matches, size_t n, struct arena *arena,
        struct closing_places *places, struct err *err)
{
	struct err why = { 0 };
	places->n = 0;
	if (!may_have_place(fleet, host, matches, n))
		return 0;
	int r = places_get(
	        fleet, host, &places->left_reads, arena, &places->items, &places->n, &why);
	if (r == 0)
		return 0;
	places->n = 0;
	if (r != -ERR_FORMAT && r != -ERR_LIMIT)
		return err_set(err, r, "%s", why.text);
	fleet_tell(
	        fleet, "closed findings of host %s are kept without paths: %s", host->id, why.text);
	return 0;
}

struct closed_package *transition_packages(const struct closed_match *matches, size_t n,
        struct closing_places *places, struct arena *arena)
{
	struct closed_package *packages = arena_alloc(arena, n, sizeof(*packages));
	size_t left = places->left_bytes < CLOSING_FINDING_BYTES ? places->left_bytes
	                                                         : CLOSING_FINDING_BYTES;
	for (size_t i = 0; packages && i < n; i++) {
		element_id element = matches[i].match->element;
		size_t first, n_paths = places_of(places->items, places->n, element, &first);
		packages[i].element = element;
		packages[i].fixed_in = matches[i].match->fixed_in;
		if (n_paths > CLOSING_PATHS_MAX)
			n_paths = CLOSING_PATHS_MAX;
		str *paths = arena_alloc(arena, n_paths, sizeof(*paths));
		if (!paths)
			return NULL;
		packages[i].paths = paths;
		for (size_t k = 0; k < n_paths && places->items[first + k].path.n <= left; k++) {
			paths[packages[i].n_paths++] = places->items[first + k].path;
			left -= paths[k].n;
			places->left_bytes -= paths[k].n;
		}
	}
	return packages;
}
