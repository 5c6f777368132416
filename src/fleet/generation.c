/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that describes a match is interned: a byte string is kept once, and so is an array of
 * structs that hold interned strings, as a byte string of its own. The same advisory matches dozens
 * of binary packages and hundreds of versions, so that this is most of what there would be.
 *
 * An issue is interned like everything else. That it becomes visible only when a match of it is
 * published keeps readers from seeing what is not durable.
 */
#include "fleet/generation_make.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "fleet/order.h"
#include "fleet/sure.h"

#define MEMORY_BYTES ((size_t)64 << 30)
#define REMARKS_MAX 1000u

/* An issue with what readers do not see. */
struct made_issue {
	struct issue issue;
	const struct match **list; /* = issue.matches */
	size_t cap;
	bool is_published;
};

struct element_matches {
	const struct match *matches;
	uint32_t n;
	bool is_known;
};

struct made {
	struct generation generation; /* first */
	pthread_mutex_t lock;         /* arena and pieces */
	struct arena arena;
	struct map pieces; /* bytes -> the issue that they describe, if any */
	/* The fleet's lock from here on. */
	struct element_matches *elements; /* by number */
	size_t cap_elements;
	struct made_issue **by_vuln; /* one issue of each vulnerability, by number */
	size_t cap_vulns;
	const struct issue **issues;
	size_t cap_issues;
};

/* What an issue is told apart by: all of it, interned. */
struct issue_key {
	const char *texts[7];
	const void *aliases, *cvss;
	double score, epss;
	vuln_id vuln;
	uint32_t severity, n_aliases, n_cvss;
	uint32_t is_kev, zero;
};

static struct made *made_of(const struct generation *generation)
{
	return (struct made *)(uintptr_t)generation;
}

static void unlock(pthread_mutex_t **lock)
{
	(void)pthread_mutex_unlock(*lock);
}

struct generation *generation_new(uint64_t number, int64_t made_at, str digest, str built_at)
{
	struct made *made = calloc(1, sizeof(*made));
	if (!made)
		return NULL;
	(void)pthread_mutex_init(&made->lock, NULL);
	made->arena = ARENA(MEMORY_BYTES);
	made->pieces = MAP(&made->arena);
	made->generation.number = number;
	made->generation.made_at = made_at;
	made->generation.orders = orders_new();
	atomic_init(&made->generation.n_users, 1);
	if (!made->generation.orders ||
	        arena_copy(&made->arena, digest, &made->generation.digest) < 0 ||
	        arena_copy(&made->arena, built_at, &made->generation.built_at) < 0) {
		generation_drop(&made->generation);
		return NULL;
	}
	return &made->generation;
}

const struct generation *generation_hold(const struct generation *generation)
{
	(void)atomic_fetch_add(&made_of(generation)->generation.n_users, 1);
	return generation;
}

void generation_drop(const struct generation *generation)
{
	struct made *made = made_of(generation);
	if (!made || atomic_fetch_sub(&made->generation.n_users, 1) > 1)
		return;
	for (size_t i = 0; i < made->generation.n_issues; i++)
		free(((const struct made_issue *)(const void *)made->issues[i])->list);
	free(made->issues);
	free(made->by_vuln);
	free(made->elements);
	orders_free(made->generation.orders);
	(void)pthread_mutex_destroy(&made->lock);
	arena_fini(&made->arena);
	free(made);
}

/* ---- preparing ---- */

/* The one copy of some bytes, aligned for any type. NULL when memory is out. */
static struct map_entry *intern(struct made *made, str bytes)
{
	if (!map_at(&made->pieces, bytes))
		return NULL;
	void **at = map_find(&made->pieces, bytes);
	return at ? (struct map_entry *)(void *)((char *)at - offsetof(struct map_entry, value))
	          : NULL;
}

/* Returns: 0; -ENOMEM */
static int intern_str(struct made *made, str *s)
{
	if (s->n == 0) {
		*s = (str){ "", 0 };
		return 0;
	}
	const struct map_entry *entry = intern(made, *s);
	if (!entry)
		return -ENOMEM;
	*s = entry->key;
	return 0;
}

static int intern_array(
        struct made *made, const void *items, size_t n, size_t size, const void **ret)
{
	*ret = NULL;
	if (n == 0)
		return 0;
	const struct map_entry *entry = intern(made, (str){ items, n * size });
	if (!entry)
		return -ENOMEM;
	*ret = entry->key.p;
	return 0;
}

/* Padding is part of the bytes that are compared: arrays are copied to cleared memory. */
static int intern_reasons(struct made *made, const struct finding_reason *reasons, size_t n,
        struct arena *scratch, const struct finding_reason **ret)
{
	struct finding_reason *copy = arena_alloc(scratch, n, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct finding_reason *from = &reasons[i];
		struct finding_reason *to = &copy[i];
		to->advisory = from->advisory;
		to->source = from->source;
		to->ecosystem = from->ecosystem;
		to->package = from->package;
		to->range = from->range;
		to->comparison = from->comparison;
		to->fixed_in = from->fixed_in;
		to->affects_fix = from->affects_fix;
		str *texts[] = { &to->advisory, &to->source, &to->ecosystem, &to->package,
			&to->range, &to->comparison, &to->fixed_in };
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
			if (intern_str(made, texts[k]) < 0)
				return -ENOMEM;
		}
	}
	const void *array;
	int r = intern_array(made, copy, n, sizeof(*copy), &array);
	*ret = array;
	return r;
}

static int intern_lists(
        struct made *made, const struct issue *draft, struct arena *scratch, struct issue *ret)
{
	str *aliases = arena_alloc(scratch, draft->n_aliases, sizeof(*aliases));
	struct cvss_rating *cvss = arena_alloc(scratch, draft->n_cvss, sizeof(*cvss));
	if (!aliases || !cvss)
		return -ENOMEM;
	for (size_t i = 0; i < draft->n_aliases; i++) {
		aliases[i] = draft->aliases[i];
		if (intern_str(made, &aliases[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < draft->n_cvss; i++) {
		cvss[i] = draft->cvss[i];
		if (intern_str(made, &cvss[i].vector) < 0 ||
		        intern_str(made, &cvss[i].source) < 0 ||
		        intern_str(made, &cvss[i].version) < 0)
			return -ENOMEM;
	}
	const void *at;
	if (intern_array(made, aliases, draft->n_aliases, sizeof(*aliases), &at) < 0)
		return -ENOMEM;
	ret->aliases = at;
	if (intern_array(made, cvss, draft->n_cvss, sizeof(*cvss), &at) < 0)
		return -ENOMEM;
	ret->cvss = at;
	return 0;
}

static int intern_issue(struct made *made, const struct issue *draft, struct arena *scratch,
        struct made_issue **ret)
{
	struct issue issue = *draft;
	str *texts[] = { &issue.name, &issue.text, &issue.source, &issue.source_url,
		&issue.vendor_severity, &issue.record_source, &issue.record_id };
	struct issue_key key;
	memset(&key, 0, sizeof(key));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (intern_str(made, texts[i]) < 0)
			return -ENOMEM;
		key.texts[i] = texts[i]->p;
	}
	if (intern_lists(made, draft, scratch, &issue) < 0)
		return -ENOMEM;
	key.aliases = issue.aliases;
	key.cvss = issue.cvss;
	key.score = issue.score;
	key.epss = issue.epss;
	key.vuln = issue.vuln;
	key.severity = (uint32_t)issue.severity;
	key.n_aliases = (uint32_t)issue.n_aliases;
	key.n_cvss = (uint32_t)issue.n_cvss;
	key.is_kev = issue.is_kev;

	struct map_entry *entry = intern(made, (str){ (const char *)&key, sizeof(key) });
	if (!entry)
		return -ENOMEM;
	if (!entry->value) {
		struct made_issue *fresh = arena_alloc(&made->arena, 1, sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
		fresh->issue = issue;
		fresh->issue.rank = 0;
		fresh->issue.matches = NULL;
		fresh->issue.n_matches = 0;
		entry->value = fresh;
	}
	*ret = entry->value;
	return 0;
}

static int by_vuln(const void *left, const void *right)
{
	const struct match *a = left, *b = right;
	return (a->issue->vuln > b->issue->vuln) - (a->issue->vuln < b->issue->vuln);
}

int generation_prepare(struct generation *generation, element_id element,
        const struct match *drafts, size_t n, struct prepared *ret)
{
	struct made *made = made_of(generation);
	cleanup(arena_fini) struct arena scratch = ARENA((size_t)1 << 30);
	(void)pthread_mutex_lock(&made->lock);
	cleanup(unlock) pthread_mutex_t *held = &made->lock;
	(void)held;

	struct prepared prepared = { .element = element, .n = n };
	if (n > 0) {
		prepared.matches = arena_alloc(&made->arena, n, sizeof(*prepared.matches));
		if (!prepared.matches)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct match *match = &prepared.matches[i];
		struct made_issue *issue;
		*match = drafts[i];
		match->element = element;
		if (intern_issue(made, drafts[i].issue, &scratch, &issue) < 0 ||
		        intern_str(made, &match->fixed_in) < 0 ||
		        intern_reasons(made, drafts[i].reasons, drafts[i].n_reasons, &scratch,
		                &match->reasons) < 0)
			return -ENOMEM;
		match->issue = &issue->issue;
	}
	if (n > 1)
		qsort(prepared.matches, n, sizeof(*prepared.matches), by_vuln);
	*ret = prepared;
	return 0;
}

int generation_remark(struct generation *generation, str remark)
{
	struct made *made = made_of(generation);
	size_t n = generation->n_remarks;
	for (size_t i = 0; i < n; i++) {
		if (str_eq(generation->remarks[i], remark))
			return 0;
	}
	if (n == REMARKS_MAX)
		return 0;
	str *remarks = (str *)(uintptr_t)generation->remarks;
	if (!remarks) {
		remarks = arena_alloc(&made->arena, REMARKS_MAX, sizeof(*remarks));
		if (!remarks)
			return -ENOMEM;
		generation->remarks = remarks;
	}
	if (arena_copy(&made->arena, remark, &remarks[n]) < 0)
		return -ENOMEM;
	generation->n_remarks = n + 1;
	return 0;
}

/* ---- publishing ---- */

/* By name; of one name the gravest first. Total over different issues, as far as it can be. */
static int issue_order(const struct issue *a, const struct issue *b)
{
	int c = str_cmp(a->name, b->name);
	if (c != 0)
		return c;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->score > b->score || a->score < b->score)
		return a->score > b->score ? -1 : 1;
	c = str_cmp(a->record_source, b->record_source);
	if (c == 0)
		c = str_cmp(a->record_id, b->record_id);
	if (c == 0)
		c = str_cmp(a->text, b->text);
	return c ? c : (a > b) - (a < b);
}

static int by_order(const void *left, const void *right)
{
	return issue_order(*(const struct issue *const *)left, *(const struct issue *const *)right);
}

static struct issue *issue_at(const struct made *made, size_t i)
{
	return (struct issue *)(uintptr_t)made->issues[i];
}

/* Number the issues of the vulnerability that issue `i` is of. */
static void set_ranks(struct made *made, size_t i)
{
	size_t first = i;
	while (first > 0 && made->issues[first - 1]->vuln == made->issues[i]->vuln)
		first--;
	for (size_t k = first; k < made->generation.n_issues; k++) {
		if (made->issues[k]->vuln != made->issues[i]->vuln)
			break;
		issue_at(made, k)->rank = (uint32_t)(k - first);
	}
}

/* Merge new issues into the sorted list, from its end. */
static void add_issues(struct made *made, const struct issue **fresh, size_t n_fresh)
{
	size_t n = made->generation.n_issues, k = n_fresh, at = n + n_fresh;
	if (at > made->cap_issues) {
		made->cap_issues = at + at / 2;
		made->issues = sure_realloc(made->issues, made->cap_issues, sizeof(*made->issues));
	}
	qsort(fresh, n_fresh, sizeof(*fresh), by_order);
	while (k > 0) {
		if (n > 0 && issue_order(made->issues[n - 1], fresh[k - 1]) > 0)
			made->issues[--at] = made->issues[--n];
		else
			made->issues[--at] = fresh[--k];
	}
	made->generation.issues = made->issues;
	made->generation.n_issues += n_fresh;
}

static size_t find_issue(const struct made *made, const struct issue *issue)
{
	size_t low = 0, high = made->generation.n_issues;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (issue_order(made->issues[i], issue) < 0)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

/* Link the matches of one element; issues that nobody has seen yet are gathered. */
static void link_matches(struct made *made, const struct prepared *prepared,
        const struct issue ***fresh, size_t *n_fresh, size_t *cap_fresh)
{
	for (size_t i = 0; i < prepared->n; i++) {
		struct match *match = &prepared->matches[i];
		struct made_issue *issue = (struct made_issue *)(uintptr_t)match->issue;
		issue->list = sure_grow(
		        issue->list, issue->issue.n_matches, &issue->cap, sizeof(*issue->list));
		issue->list[issue->issue.n_matches++] = match;
		issue->issue.matches = issue->list;
		if (issue->is_published)
			continue;
		issue->is_published = true;
		*fresh = sure_grow(*fresh, *n_fresh, cap_fresh, sizeof(**fresh));
		(*fresh)[(*n_fresh)++] = &issue->issue;
		made->by_vuln = sure_reach(
		        made->by_vuln, issue->issue.vuln, &made->cap_vulns, sizeof(*made->by_vuln));
		made->by_vuln[issue->issue.vuln] = issue;
	}
	made->generation.n_matches += prepared->n;
}

void generation_publish(struct generation *generation, const struct prepared *prepared, size_t n)
{
	struct made *made = made_of(generation);
	const struct issue **fresh = NULL;
	size_t n_fresh = 0, cap_fresh = 0;

	for (size_t i = 0; i < n; i++) {
		made->elements = sure_reach(made->elements, prepared[i].element,
		        &made->cap_elements, sizeof(*made->elements));
		struct element_matches *at = &made->elements[prepared[i].element];
		if (at->is_known)
			continue;
		*at = (struct element_matches){
			.matches = prepared[i].matches,
			.n = (uint32_t)prepared[i].n,
			.is_known = true,
		};
		link_matches(made, &prepared[i], &fresh, &n_fresh, &cap_fresh);
	}
	if (n_fresh > 0) {
		add_issues(made, fresh, n_fresh);
		for (size_t i = 0; i < n_fresh; i++)
			set_ranks(made, find_issue(made, fresh[i]));
	}
	free(fresh);
}

/* ---- looking ---- */

bool generation_knows(const struct generation *generation, element_id element)
{
	const struct made *made = made_of(generation);
	return element < made->cap_elements && made->elements[element].is_known;
}

const struct match *generation_matches(
        const struct generation *generation, element_id element, size_t *ret_count)
{
	const struct made *made = made_of(generation);
	*ret_count = 0;
	if (element >= made->cap_elements)
		return NULL;
	*ret_count = made->elements[element].n;
	return made->elements[element].matches;
}

const struct match *generation_match(
        const struct generation *generation, element_id element, vuln_id vuln)
{
	size_t n, low = 0;
	const struct match *matches = generation_matches(generation, element, &n);
	for (size_t high = n; low < high;) {
		size_t i = low + (high - low) / 2;
		if (matches[i].issue->vuln < vuln)
			low = i + 1;
		else
			high = i;
	}
	return low < n && matches[low].issue->vuln == vuln ? &matches[low] : NULL;
}

size_t generation_issues_of(const struct generation *generation, vuln_id vuln, uint32_t *ret_first)
{
	const struct made *made = made_of(generation);
	const struct made_issue *any = vuln < made->cap_vulns ? made->by_vuln[vuln] : NULL;
	*ret_first = 0;
	if (!any)
		return 0;
	size_t first = find_issue(made, &any->issue) - any->issue.rank, end = first;
	while (end < generation->n_issues && generation->issues[end]->vuln == vuln)
		end++;
	*ret_first = (uint32_t)first;
	return end - first;
}
