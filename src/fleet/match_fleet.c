/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match_host() is asked about packages of one host. Elements of one class of os make up such a
 * host: what it says of a package depends on the package, the os, and the package's owner, which it
 * looks for among the host's OS packages. So owners are put beside the elements that name them. Two
 * elements that differ in what they know of an owner of the same name cannot be asked about
 * together: the second one waits for the next round.
 *
 * Whether a package lies where no package of the distribution puts files (owners.c: /opt and
 * /usr/local) was settled when the element was made: it then has no owner. So every package can lie
 * at one path here.
 */
#include "fleet/match_fleet.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "fleet/publisher.h"
#include "match/match.h"

/* So many elements are asked about at once; fewer, when they have too many findings for the
 * memory. */
#define ROUND_MAX 1024u

/* A round being put together. */
struct round {
	const struct matching *matching;
	struct arena arena;
	struct package *packages; /* the elements, then their owners */
	size_t *positions;        /* of each element in the whole list */
	size_t n_elements, n_packages;
	struct map owners; /* "type name version" -> what is known of it */
};

/* What the elements of a round say about an owner. */
struct claim {
	bool is_known;
	str vendor;
};

static const struct package synthetic = { .path = { "/element", 8 } };

/* "deb python3-numpy 1:1.24.2-1" */
static bool split_owner(str owner, struct package *ret)
{
	str rest;
	*ret = synthetic;
	return str_split_first(owner, ' ', &ret->type, &rest) &&
	       str_split_last(rest, ' ', &ret->name, &ret->version);
}

/* May the round hold a claim about an owner? Returns: 1 and it holds it; 0 when it holds another;
 * -ERR_LIMIT */
static int claim_owner(struct round *round, str owner, bool is_known, str vendor, bool *ret_is_new)
{
	void **at = map_at(&round->owners, owner);
	if (!at)
		return -ERR_LIMIT;
	*ret_is_new = !*at;
	if (!*at) {
		struct claim *fresh = arena_alloc(&round->arena, 1, sizeof(*fresh));
		if (!fresh)
			return -ERR_LIMIT;
		*fresh = (struct claim){ is_known, vendor };
		*at = fresh;
		return 1;
	}
	const struct claim *claim = *at;
	return claim->is_known == is_known && str_eq(claim->vendor, vendor);
}

/* Returns: 1 when the element is in the round; 0 when it has to wait; -ERR_LIMIT */
static int add_element(struct round *round, const struct element *element, size_t position,
        size_t owners_at, size_t *n_owners)
{
	bool is_new = false;
	int r = 1;
	if (package_is_os(&element->package)) {
		str key;
		if (arena_printf(&round->arena, &key, STR_FMT " " STR_FMT " " STR_FMT,
		            STR_ARG(element->package.type), STR_ARG(element->package.name),
		            STR_ARG(element->package.version)) < 0)
			return -ERR_LIMIT;
		r = claim_owner(round, key, true, element->package.vendor, &is_new);
	} else if (element->package.owner.n > 0) {
		r = claim_owner(round, element->package.owner, element->is_owner_known,
		        element->owner_vendor, &is_new);
		struct package *owner = &round->packages[owners_at + *n_owners];
		if (r == 1 && is_new && element->is_owner_known &&
		        split_owner(element->package.owner, owner)) {
			owner->vendor = element->owner_vendor;
			++*n_owners;
		}
	}
	if (r != 1)
		return r;
	round->packages[round->n_elements] = element->package;
	round->packages[round->n_elements].path = synthetic.path;
	round->positions[round->n_elements++] = position;
	return 1;
}

/* The issue and the match that a finding describes; texts borrow from the finding. */
static int draft_of(const struct matching *m, const struct finding *finding, element_id element,
        struct arena *arena, struct match *ret, struct err *err)
{
	struct issue *issue = arena_alloc(arena, 1, sizeof(*issue));
	if (!issue)
		return err_set(err, -ERR_LIMIT, "the matches of an element need too much memory");
	*issue = (struct issue){
		.name = finding->id,
		.text = finding->title,
		.severity = finding->severity,
		.score = finding->score,
		.epss = finding->epss,
		.is_kev = finding->is_kev,
		.aliases = finding->aliases,
		.n_aliases = finding->n_aliases,
		.cvss = finding->cvss,
		.n_cvss = finding->n_cvss,
	};
	int r = dictionary_vuln(m->dictionary, finding->id, m->batch, &issue->vuln, err);
	if (r == 0)
		r = publisher_describe(m->db, finding, arena, issue, err);
	if (r < 0)
		return r;
	*ret = (struct match){
		.element = element,
		.issue = issue,
		.fixed_in = finding->fixed_in,
		.fix_state = finding->fix_state,
		.matched_at = m->since(m->ctx, element, issue->vuln),
		.reasons = finding->reasons,
		.n_reasons = finding->n_reasons,
	};
	return 0;
}

static int by_package(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;
	return (a->pkg > b->pkg) - (a->pkg < b->pkg);
}

/* Prepare the matches of each element of a round. */
static int take_findings(const struct round *round, struct match_result *result,
        const element_id *ids, struct prepared *ret, struct err *err)
{
	const struct matching *m = round->matching;
	if (result->n_findings > 1)
		qsort(result->findings, result->n_findings, sizeof(*result->findings), by_package);
	int r = 0;
	for (size_t i = 0, k = 0; r == 0 && i < round->n_elements; i++) {
		cleanup(arena_fini) struct arena arena = ARENA((size_t)1 << 30);
		size_t position = round->positions[i], first = k;
		while (k < result->n_findings && result->findings[k].pkg == &round->packages[i])
			k++;
		struct match *drafts = arena_alloc(&arena, k - first, sizeof(*drafts));
		if (!drafts)
			return err_set(err, -ERR_LIMIT, "an element has too many matches");
		for (size_t j = first; r == 0 && j < k; j++)
			r = draft_of(m, &result->findings[j], ids[position], &arena,
			        &drafts[j - first], err);
		if (r == 0 && generation_prepare(m->generation, ids[position], drafts, k - first,
		                      &ret[position]) < 0)
			r = err_set(err, -ENOMEM, "no memory for matches");
		if (r == 0 && m->flush)
			r = m->flush(m->ctx, m->batch, err);
	}
	return r;
}

static int keep_remarks(const struct matching *m, const struct ledger *ledger)
{
	for (size_t i = 0; m->keeps_remarks && i < ledger->n; i++) {
		if (generation_remark(m->generation, ledger->entries[i].reason) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Ask about one round. */
static int ask(const struct round *round, const struct host *os, const element_id *ids,
        struct prepared *ret, struct err *err)
{
	cleanup(arena_fini) struct arena notes = ARENA((size_t)256 << 20);
	cleanup(match_result_fini) struct match_result result = { .findings = NULL };
	struct ledger ledger = { .arena = &notes };

	int r = match_host(
	        round->matching->db, os, round->packages, round->n_packages, &ledger, &result, err);
	if (r == 0)
		r = take_findings(round, &result, ids, ret, err);
	if (r == 0 && keep_remarks(round->matching, &ledger) < 0)
		r = err_set(err, -ENOMEM, "no memory for remarks");
	return r;
}

static void round_fini(struct round *round)
{
	arena_fini(&round->arena);
}

/* Put as many of the elements as go together into a round and ask; `waiting` are positions. */
static int ask_round(const struct matching *m, const element_id *ids, size_t *waiting,
        size_t *n_waiting, size_t most, struct prepared *ret, struct err *err)
{
	cleanup(round_fini) struct round round = { .matching = m, .arena = ARENA((size_t)1 << 30) };
	size_t n = *n_waiting < most ? *n_waiting : most, n_owners = 0, left = 0;
	round.owners = MAP(&round.arena);
	round.packages = arena_alloc(&round.arena, 2 * n, sizeof(*round.packages));
	round.positions = arena_alloc(&round.arena, n, sizeof(*round.positions));
	if (!round.packages || !round.positions)
		return err_set(err, -ERR_LIMIT, "matching needs too much memory");

	const struct element *first = dictionary_element_at(m->dictionary, ids[waiting[0]]);
	for (size_t i = 0; i < *n_waiting; i++) {
		const struct element *element =
		        dictionary_element_at(m->dictionary, ids[waiting[i]]);
		int r = i < n ? add_element(&round, element, waiting[i], n, &n_owners) : 0;
		if (r < 0)
			return err_set(err, r, "matching needs too much memory");
		if (r == 0)
			waiting[left++] = waiting[i];
	}
	memmove(round.packages + round.n_elements, round.packages + n,
	        n_owners * sizeof(*round.packages));
	round.n_packages = round.n_elements + n_owners;
	int r = ask(&round, &first->os, ids, ret, err);
	if (r == 0)
		*n_waiting = left;
	return r;
}

/* Elements of one class. */
static int ask_class(const struct matching *m, const element_id *ids, size_t begin, size_t end,
        struct prepared *ret, struct err *err)
{
	autofree size_t *waiting = calloc(end - begin, sizeof(*waiting));
	autofree size_t *before = calloc(end - begin, sizeof(*before));
	size_t n = end - begin, most = ROUND_MAX;
	if (!waiting || !before)
		return err_set(err, -ENOMEM, "no memory for matching");
	for (size_t i = 0; i < n; i++)
		waiting[i] = begin + i;
	while (n > 0) {
		memcpy(before, waiting, n * sizeof(*waiting));
		int r = ask_round(m, ids, waiting, &n, most, ret, err);
		if (r == -ERR_LIMIT && most > 1) {
			memcpy(waiting, before, n * sizeof(*waiting));
			most /= 4;
			continue;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

struct sort_key {
	const struct element *element;
	element_id id;
};

/* Elements of a class together, and of one name: what is asked about together is looked up once. */
static int by_class(const void *left, const void *right)
{
	const struct sort_key *a = left, *b = right;
	if (a->element->os_class != b->element->os_class)
		return a->element->os_class < b->element->os_class ? -1 : 1;
	const struct package *p = &a->element->package, *q = &b->element->package;
	int c = str_cmp(p->type, q->type);
	if (c == 0)
		c = str_cmp(p->source_name.n > 0 ? p->source_name : p->name,
		        q->source_name.n > 0 ? q->source_name : q->name);
	return c ? c : (a->id > b->id) - (a->id < b->id);
}

int match_elements(
        const struct matching *m, element_id *ids, size_t n, struct prepared *ret, struct err *err)
{
	autofree struct sort_key *keys = calloc(n > 0 ? n : 1, sizeof(*keys));
	if (!keys)
		return err_set(err, -ENOMEM, "no memory for matching");
	for (size_t i = 0; i < n; i++)
		keys[i] = (struct sort_key){ dictionary_element_at(m->dictionary, ids[i]), ids[i] };
	if (n > 1)
		qsort(keys, n, sizeof(*keys), by_class);
	for (size_t i = 0; i < n; i++)
		ids[i] = keys[i].id;

	int r = 0;
	for (size_t i = 0, end; r == 0 && i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (keys[end].element->os_class != keys[i].element->os_class)
				break;
		}
		r = ask_class(m, ids, i, end, ret, err);
	}
	return r;
}
