/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding (host, vulnerability) is open when the host is active and one of its elements matches
 * the vulnerability. It was first observed when the first of these matches was there to be seen:
 * not before the host had the element, the match was known and the host was scanned. Where that
 * would make the time of an open finding move, a change has written down the time that it was
 * (KIND_SINCE).
 */
#include "fleet/standing.h"

#include <stdlib.h>

#include "fleet/sure.h"

struct standing standing_of(const struct fleet *fleet, const struct fleet_host *host)
{
	const struct slot *slot = fleet_slot(fleet, host->number);
	struct standing standing = {
		.host = host,
		.generation = fleet->generation,
		.firsts = slot ? slot->firsts : NULL,
		.n_firsts = slot ? slot->n_firsts : 0,
	};
	for (int i = 0; i < HOST_N_SETS; i++)
		standing.sets[i] = sets_at(fleet->sets, host->sets[i]);
	return standing;
}

static const struct prepared *find_prepared(const struct standing *standing, element_id element)
{
	size_t low = 0, high = standing->n_prepared;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (standing->prepared[i].element == element)
			return &standing->prepared[i];
		if (standing->prepared[i].element < element)
			low = i + 1;
		else
			high = i;
	}
	return NULL;
}

const struct match *standing_matches(
        const struct standing *standing, element_id element, size_t *ret_count)
{
	const struct prepared *prepared = find_prepared(standing, element);
	if (!prepared)
		return generation_matches(standing->generation, element, ret_count);
	*ret_count = prepared->n;
	return prepared->matches;
}

static const struct match *find_match(const struct match *matches, size_t n, vuln_id vuln)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (matches[i].issue->vuln < vuln)
			low = i + 1;
		else
			high = i;
	}
	return low < n && matches[low].issue->vuln == vuln ? &matches[low] : NULL;
}

const struct match *standing_match(
        const struct standing *standing, element_id element, vuln_id vuln)
{
	size_t n;
	const struct match *matches = standing_matches(standing, element, &n);
	return find_match(matches, n, vuln);
}

/* Since when the host has an element. */
static int64_t attached_at(const struct fleet_host *host, element_id element)
{
	size_t low = 0, high = host->n_attached;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (host->attached[i].element == element)
			return host->attached[i].at;
		if (host->attached[i].element < element)
			low = i + 1;
		else
			high = i;
	}
	return host->enrolled_at;
}

/* When a match could first be seen on the host. 0 means "not open", so that no time is. */
static int64_t seen_at(const struct fleet_host *host, const struct match *match)
{
	int64_t at = attached_at(host, match->element);
	if (match->matched_at > at)
		at = match->matched_at;
	if (host->eligible_since > at)
		at = host->eligible_since;
	return at > 0 ? at : 1;
}

static void take_earlier(int64_t *at, int64_t time)
{
	if (*at == 0 || time < *at)
		*at = time;
}

/* Few vulnerabilities are looked up among many matches, otherwise both lists are walked. */
static void add_element(const struct standing *standing, element_id element, const vuln_id *vulns,
        size_t n, int64_t *times)
{
	size_t n_matches, k = 0;
	const struct match *matches = standing_matches(standing, element, &n_matches);
	if (n * 8 < n_matches) {
		for (size_t i = 0; i < n; i++) {
			const struct match *match = find_match(matches, n_matches, vulns[i]);
			if (match)
				take_earlier(&times[i], seen_at(standing->host, match));
		}
		return;
	}
	for (size_t i = 0; i < n_matches; i++) {
		vuln_id vuln = matches[i].issue->vuln;
		while (k < n && vulns[k] < vuln)
			k++;
		if (k < n && vulns[k] == vuln)
			take_earlier(&times[k], seen_at(standing->host, &matches[i]));
	}
}

static const struct first *find_first(const struct standing *standing, vuln_id vuln)
{
	size_t low = 0, high = standing->n_firsts;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (standing->firsts[i].vuln == vuln)
			return &standing->firsts[i];
		if (standing->firsts[i].vuln < vuln)
			low = i + 1;
		else
			high = i;
	}
	return NULL;
}

void standing_times(const struct standing *standing, const vuln_id *vulns, size_t n, int64_t *ret)
{
	memset(ret, 0, n * sizeof(*ret));
	if (standing->host->state != HOST_ACTIVE)
		return;
	for (int k = 0; k < HOST_N_SETS; k++) {
		const struct package_set *set = standing->sets[k];
		for (size_t i = 0; set && i < set->n_elements; i++)
			add_element(standing, set->elements[i], vulns, n, ret);
	}
	for (size_t i = 0; standing->n_firsts > 0 && i < n; i++) {
		const struct first *first = ret[i] != 0 ? find_first(standing, vulns[i]) : NULL;
		if (first)
			ret[i] = first->at;
	}
}

/* Most vulnerabilities have few elements: look for them in the host's sets. */
static bool time_by_issue(const struct standing *standing, vuln_id vuln, int64_t *ret)
{
	uint32_t first;
	size_t n = generation_issues_of(standing->generation, vuln, &first), n_matches = 0;
	size_t n_elements = 0;
	for (int k = 0; k < HOST_N_SETS; k++)
		n_elements += standing->sets[k] ? standing->sets[k]->n_elements : 0;
	for (size_t i = 0; i < n; i++)
		n_matches += standing->generation->issues[first + i]->n_matches;
	if (n_matches > n_elements || standing->n_prepared > 0)
		return false;

	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		const struct issue *issue = standing->generation->issues[first + i];
		for (size_t k = 0; k < issue->n_matches; k++) {
			const struct match *match = issue->matches[k];
			if (set_has(standing->sets[HOST_OS_SET], match->element) ||
			        set_has(standing->sets[HOST_LANGUAGE_SET], match->element))
				take_earlier(ret, seen_at(standing->host, match));
		}
	}
	return true;
}

int64_t standing_time(const struct standing *standing, vuln_id vuln)
{
	int64_t at = 0;
	if (standing->host->state != HOST_ACTIVE)
		return 0;
	if (!time_by_issue(standing, vuln, &at)) {
		standing_times(standing, &vuln, 1, &at);
		return at;
	}
	const struct first *first = at != 0 ? find_first(standing, vuln) : NULL;
	return first ? first->at : at;
}

void vulns_fini(struct vulns *vulns)
{
	free(vulns->items);
	*vulns = (struct vulns){ .n = 0 };
}

void vulns_add(struct vulns *vulns, const struct standing *standing, element_id element)
{
	size_t n;
	const struct match *matches = standing_matches(standing, element, &n);
	for (size_t i = 0; i < n; i++) {
		vulns->items =
		        sure_grow(vulns->items, vulns->n, &vulns->cap, sizeof(*vulns->items));
		vulns->items[vulns->n++] = matches[i].issue->vuln;
	}
}

static int by_number(const void *left, const void *right)
{
	const vuln_id *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

void vulns_sort(struct vulns *vulns)
{
	size_t n = 0;
	if (vulns->n > 1)
		qsort(vulns->items, vulns->n, sizeof(*vulns->items), by_number);
	for (size_t i = 0; i < vulns->n; i++) {
		if (n == 0 || vulns->items[n - 1] != vulns->items[i])
			vulns->items[n++] = vulns->items[i];
	}
	vulns->n = n;
}
