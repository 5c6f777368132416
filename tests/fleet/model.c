/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <errno.h>
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/host_make.h"

static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

uint64_t model_random(struct fleet *fleet, uint64_t below)
{
	/* xorshift64*, Vigna 2016 */
	fleet->random ^= fleet->random >> 12;
	fleet->random ^= fleet->random << 25;
	fleet->random ^= fleet->random >> 27;
	return (fleet->random * UINT64_C(2685821657736338717) >> 11) % below;
}

static str text(struct fleet *fleet, const char *fmt, unsigned long long a, unsigned long long b)
{
	char buffer[128];
	str ret;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(buffer, sizeof(buffer), fmt, a, b);
#pragma GCC diagnostic pop
	if (arena_copy(&fleet->arena, str_from_c(buffer), &ret) < 0)
		abort();
	return ret;
}

/* ---- what the room promises ---- */

const struct generation *fleet_generation(const struct fleet *fleet)
{
	return fleet->generation;
}

const struct fleet_host *fleet_host_at(const struct fleet *fleet, uint64_t number)
{
	return number >= 1 && number <= fleet->size.n_hosts ? fleet->hosts[number] : NULL;
}

const struct fleet_host *fleet_host_find(const struct fleet *fleet, str id)
{
	for (size_t i = 1; i <= fleet->size.n_hosts; i++) {
		if (fleet->hosts[i] && str_eq(id, str_from_c(fleet->hosts[i]->id)))
			return fleet->hosts[i];
	}
	return NULL;
}

size_t model_account(const struct fleet *fleet, int64_t account)
{
	size_t i = 0;
	while (i < fleet->size.n_accounts && fleet->accounts[i] != account)
		i++;
	return i;
}

const roaring_bitmap_t *fleet_hosts(const struct fleet *fleet, int64_t account)
{
	size_t i = model_account(fleet, account);
	return i < fleet->size.n_accounts ? fleet->hosts_of[i] : NULL;
}

const struct sets *fleet_sets(const struct fleet *fleet)
{
	return (const struct sets *)fleet;
}

const struct dictionary *fleet_dictionary(const struct fleet *fleet)
{
	return (const struct dictionary *)fleet;
}

const struct package_set *sets_at(const struct sets *sets, uint32_t number)
{
	const struct fleet *fleet = (const void *)sets;
	return number >= 1 && number <= fleet->size.n_sets ? &fleet->sets[number] : NULL;
}

int sets_hosts_of(const struct sets *sets, element_id element, roaring_bitmap_t *out)
{
	const struct fleet *fleet = (const void *)sets;
	const uint32_t *list = fleet->sets_of[element];
	for (uint32_t i = 1; i <= list[0]; i++)
		roaring_bitmap_or_inplace(out, fleet->set_hosts[list[i]]);
	return 0;
}

const struct element *dictionary_element_at(const struct dictionary *dictionary, element_id id)
{
	const struct fleet *fleet = (const void *)dictionary;
	return id >= 1 && id <= fleet->size.n_elements ? &fleet->elements[id] : NULL;
}

str dictionary_vuln_name(const struct dictionary *dictionary, vuln_id id)
{
	const struct fleet *fleet = (const void *)dictionary;
	return id >= 1 && id <= fleet->size.n_vulns ? fleet->vulns[id] : (str){ NULL, 0 };
}

static bool has(const struct fleet *fleet, uint32_t set, element_id element)
{
	size_t low = 0, high = set ? fleet->sets[set].n_elements : 0;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (fleet->sets[set].elements[middle] == element)
			return true;
		if (fleet->sets[set].elements[middle] < element)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Since the first of its packages was there and known; one in eight is older than that. */
int64_t fleet_first_observed(const struct fleet *fleet, const struct fleet_host *host, vuln_id vuln)
{
	uint32_t first;
	size_t n = generation_issues_of(fleet->generation, vuln, &first);
	int64_t ret = 0;
	for (size_t i = first; i < first + n; i++) {
		const struct issue *issue = fleet->generation->issues[i];
		for (size_t k = 0; k < issue->n_matches; k++) {
			const struct match *match = issue->matches[k];
			if (!has(fleet, host->sets[0], match->element) &&
			        !has(fleet, host->sets[1], match->element))
				continue;
			int64_t at = host->enrolled_at;
			for (size_t m = 0; m < host->n_attached; m++) {
				if (host->attached[m].element == match->element)
					at = host->attached[m].at;
			}
			at = match->matched_at > at ? match->matched_at : at;
			ret = ret == 0 || at < ret ? at : ret;
		}
	}
	return ret > 0 && (host->number + vuln) % 8 == 0 ? ret - 7 : ret;
}

const struct closed_finding *const *fleet_closed(
        const struct fleet *fleet, int64_t account, size_t *ret_count)
{
	size_t i = model_account(fleet, account);
	*ret_count = i < fleet->size.n_accounts ? fleet->n_closed[i] : 0;
	return i < fleet->size.n_accounts ? fleet->closed[i] : NULL;
}

int fleet_places(struct fleet *fleet, const struct fleet_host *host, struct arena *arena,
        const struct place **ret, size_t *ret_count, struct err *err)
{
	struct place *places = arena_alloc(arena, fleet->size.n_elements * 2, sizeof(*places));
	size_t n = 0;
	(void)err;
	if (!places)
		return -ERR_LIMIT;
	if (host->number % 9 == 0)
		return -ENOENT;
	for (element_id e = 1; e <= fleet->size.n_elements; e++) {
		if (!has(fleet, host->sets[0], e) && !has(fleet, host->sets[1], e))
			continue;
		for (unsigned i = 0; i < 1 + e % 2; i++) {
			places[n].element = e;
			if (arena_printf(arena, &places[n].path, "/opt/%u/%u", i, e % 5) < 0)
				return -ERR_LIMIT;
			n++;
		}
	}
	*ret = places;
	*ret_count = n;
	return 0;
}

/* ---- making one ---- */

static void make_elements(struct fleet *fleet)
{
	static const char *const types[] = { "deb", "rpm", "pypi" };
	fleet->elements = need(calloc(fleet->size.n_elements + 1, sizeof(*fleet->elements)));
	for (element_id i = 1; i <= fleet->size.n_elements; i++) {
		struct element *element = &fleet->elements[i];
		unsigned long long major = model_random(fleet, 3), minor = model_random(fleet, 9);
		element->id = i;
		element->package.type = str_from_c(types[i % 3]);
		element->package.name = text(
		        fleet, "pkg%llu", model_random(fleet, fleet->size.n_elements / 3 + 1), 0);
		element->package.version = i % 3 == 2 ? text(fleet, "%llu.%llu", major, minor)
		                           : i % 2    ? text(fleet, "1:%llu-%llu", major, minor)
		                                      : text(fleet, "%llu-%llu", major, minor);
		element->package.arch = i % 3 == 2 ? STR("") : STR("x86_64");
	}
}

/* Numbers are not in the order of names. */
static void make_vulns(struct fleet *fleet)
{
	size_t n = fleet->size.n_vulns;
	fleet->vulns = need(calloc(n + 1, sizeof(str)));
	for (size_t i = 1; i <= n; i++)
		fleet->vulns[i] = text(fleet, "CVE-2024-%05llu", i, 0);
	for (size_t i = n; i > 1; i--) {
		size_t k = 1 + model_random(fleet, i);
		str was = fleet->vulns[i];
		fleet->vulns[i] = fleet->vulns[k];
		fleet->vulns[k] = was;
	}
}

/* One of up to three ways to see a vulnerability. */
static struct issue draft_issue(struct fleet *fleet, vuln_id vuln, uint64_t salt)
{
	static const str sources[] = { { "NVD", 3 }, { "DEBIAN_CVE", 10 }, { "GHSA", 4 } };
	static const str words[] = { { "", 0 }, { "low", 3 }, { "high", 4 } };
	uint64_t variant = model_random(fleet, 4) % 3;
	uint64_t h = (vuln * UINT64_C(7919) + variant * 31 + salt) * UINT64_C(2654435761) >> 7;
	struct issue ret = { .vuln = vuln, .name = fleet->vulns[vuln] };
	ret.score = h % 7 == 0 ? -1 : (double)(h % 101) / 10;
	ret.severity = severity_of_score(ret.score);
	ret.epss = vuln % 5 == 0 ? -1 : (double)(vuln % 10) / 10;
	ret.is_kev = vuln % 4 == 0;
	ret.source = sources[variant];
	ret.vendor_severity = words[h % 3];
	ret.text = STR("what is wrong");
	return ret;
}

static int by_vuln(const void *a, const void *b)
{
	vuln_id x = *(const vuln_id *)a, y = *(const vuln_id *)b;
	return (x > y) - (x < y);
}

struct generation *model_generation(struct fleet *fleet, uint64_t number, int64_t made_at)
{
	struct generation *ret =
	        need(generation_new(number, made_at, STR("digest"), STR("2024-01-01")));
	size_t most = fleet->size.n_matches_per_element * 2;
	struct prepared *prepared = need(calloc(fleet->size.n_elements + 1, sizeof(*prepared)));
	struct match *drafts = need(calloc(most + 1, sizeof(*drafts)));
	struct issue *issues = need(calloc(most + 1, sizeof(*issues)));
	vuln_id *vulns = need(calloc(most + 1, sizeof(*vulns)));
	for (element_id e = 1; e <= fleet->size.n_elements; e++) {
		size_t n = model_random(fleet, most + 1), k = 0;
		for (size_t i = 0; i < n; i++)
			vulns[i] = (vuln_id)(1 + model_random(fleet, fleet->size.n_vulns));
		qsort(vulns, n, sizeof(*vulns), by_vuln);
		for (size_t i = 0; i < n; i++) {
			if (i > 0 && vulns[i] == vulns[i - 1])
				continue;
			issues[k] = draft_issue(fleet, vulns[i], number / 8);
			drafts[k] = (struct match){ .element = e, .issue = &issues[k] };
			drafts[k].fix_state = (enum fix_state)model_random(fleet, 3);
			if (drafts[k].fix_state != FIX_NONE)
				drafts[k].fixed_in = STR("9.9");
			drafts[k].matched_at = model_random(fleet, 2)
			                               ? 0
			                               : 1000 + (int64_t)model_random(fleet, 50);
			k++;
		}
		if (generation_prepare(ret, e, drafts, k, &prepared[e - 1]) < 0)
			abort();
	}
	generation_publish(ret, prepared, fleet->size.n_elements);
	free(prepared);
	free(drafts);
	free(issues);
	free(vulns);
	return ret;
}

/* Even sets are of the operating system, odd ones of languages. */
static void make_sets(struct fleet *fleet)
{
	size_t n = fleet->size.n_sets, n_elements = fleet->size.n_elements;
	uint32_t *counts = need(calloc(n_elements + 1, sizeof(*counts)));
	fleet->sets = need(calloc(n + 1, sizeof(*fleet->sets)));
	fleet->set_hosts = need(calloc(n + 1, sizeof(*fleet->set_hosts)));
	fleet->sets_of = need(calloc(n_elements + 1, sizeof(*fleet->sets_of)));
	for (uint32_t s = 1; s <= n; s++) {
		element_id *elements =
		        need(calloc(fleet->size.n_elements_per_set, sizeof(*elements)));
		size_t k = 0;
		for (size_t i = 0; i < fleet->size.n_elements_per_set; i++) {
			element_id e = (element_id)(1 + model_random(fleet, n_elements));
			if ((e % 3 == 2) == (s % 2 == 1))
				elements[k++] = e;
		}
		qsort(elements, k, sizeof(*elements), by_vuln);
		size_t kept = 0;
		for (size_t i = 0; i < k; i++) {
			if (kept == 0 || elements[kept - 1] != elements[i])
				elements[kept++] = elements[i];
		}
		for (size_t i = 0; i < kept; i++)
			counts[elements[i]]++;
		fleet->set_hosts[s] = need(roaring_bitmap_create());
		fleet->sets[s] = (struct package_set){ .number = s,
			.elements = elements,
			.n_elements = kept,
			.hosts = fleet->set_hosts[s] };
	}
	for (size_t e = 0; e <= n_elements; e++)
		fleet->sets_of[e] = need(calloc(counts[e] + 1, sizeof(uint32_t)));
	for (uint32_t s = 1; s <= n; s++) {
		for (size_t i = 0; i < fleet->sets[s].n_elements; i++) {
			uint32_t *list = fleet->sets_of[fleet->sets[s].elements[i]];
			list[++list[0]] = s;
		}
	}
	free(counts);
}

void model_move(struct fleet *fleet, uint64_t number, uint32_t os, uint32_t language)
{
	struct fleet_host *host = fleet->hosts[number];
	uint32_t to[] = { os, language };
	for (int i = 0; i < HOST_N_SETS; i++) {
		if (host->sets[i])
			roaring_bitmap_remove(fleet->set_hosts[host->sets[i]], (uint32_t)number);
		host->sets[i] = to[i];
		if (to[i])
			roaring_bitmap_add(fleet->set_hosts[to[i]], (uint32_t)number);
	}
}

static void make_host(struct fleet *fleet, uint64_t number)
{
	struct host_attach attached[4];
	struct pair tag = { STR("team"), model_random(fleet, 2) ? STR("red") : STR("blue") };
	struct pair image = { STR("ImageId"), text(fleet, "ami-%llu", model_random(fleet, 3), 0) };
	size_t account = model_random(fleet, fleet->size.n_accounts), n = 0;
	struct fleet_host draft = { .number = number, .account = fleet->accounts[account] };
	(void)snprintf(draft.id, sizeof(draft.id), "%017llx",
	        (unsigned long long)(number * UINT64_C(0x9e3779b97f4a7c15) >> 4));
	draft.state = model_random(fleet, 8) ? HOST_ACTIVE : HOST_EXCLUDED;
	draft.enrolled_at = 900 + (int64_t)model_random(fleet, 100);
	for (element_id e = 1; n < 4 && e <= fleet->size.n_elements;
	        e += 1 + (element_id)model_random(fleet, 20)) {
		attached[n].element = e;
		attached[n++].at = 950 + (int64_t)model_random(fleet, 100);
	}
	draft.attached = attached;
	draft.n_attached = n;
	draft.tags = &tag;
	draft.n_tags = number % 3 != 0;
	draft.facts = &image;
	draft.n_facts = number % 5 != 0;
	fleet->hosts[number] = need(host_make(&draft));
	atomic_store(&fleet->hosts[number]->seen_at, 2000 + (int64_t)model_random(fleet, 20));
	roaring_bitmap_add(fleet->hosts_of[account], (uint32_t)number);
	uint32_t pairs = (uint32_t)fleet->size.n_sets / 2;
	uint32_t os = (uint32_t)model_random(fleet, pairs), language = os;
	if (model_random(fleet, 32) == 0 || fleet->size.n_hosts < 2000)
		language = (uint32_t)model_random(fleet, pairs); /* the few that are odd */
	model_move(fleet, number, 2 * (1 + os), 2 * language + 1);
}

static int by_place(const void *a, const void *b, void *ctx)
{
	const struct fleet *fleet = ctx;
	const struct closed_finding *x = *(const struct closed_finding *const *)a;
	const struct closed_finding *y = *(const struct closed_finding *const *)b;
	int c = str_cmp(fleet->vulns[x->vuln], fleet->vulns[y->vuln]);
	if (c == 0)
		c = (x->host > y->host) - (x->host < y->host);
	return c ? c
	         : (x->first_observed > y->first_observed) -
	                       (x->first_observed < y->first_observed);
}

void model_close(struct fleet *fleet, const struct fleet_host *host, vuln_id vuln,
        int64_t first_observed, int64_t closed_at)
{
	static const str place = STR("/opt/0/1");
	size_t i = model_account(fleet, host->account);
	struct issue draft = draft_issue(fleet, vuln, 99);
	struct closed_finding *closed = need(arena_alloc(&fleet->arena, 1, sizeof(*closed)));
	struct closed_package *packages = need(arena_alloc(&fleet->arena, 2, sizeof(*packages)));
	for (size_t k = 0; k < 2; k++) {
		packages[k].element = (element_id)(1 + model_random(fleet, fleet->size.n_elements));
		packages[k].paths = &place;
		packages[k].n_paths = k;
		packages[k].fixed_in = model_random(fleet, 2) ? STR("9.9") : STR("");
	}
	*closed = (struct closed_finding){ .host = host->number,
		.account = host->account,
		.vuln = vuln,
		.first_observed = first_observed,
		.last_observed = 2000 + (int64_t)model_random(fleet, 20),
		.closed_at = closed_at,
		.severity = draft.severity,
		.score = draft.score,
		.epss = draft.epss,
		.is_kev = draft.is_kev,
		.source = draft.source,
		.vendor_severity = draft.vendor_severity,
		.packages = packages,
		.n_packages = 1 + model_random(fleet, 2) };
	memcpy(closed->host_id, host->id, sizeof(closed->host_id));
	size_t n = fleet->n_closed[i];
	fleet->closed[i] = need(reallocarray(fleet->closed[i], n + 1, sizeof(void *)));
	fleet->closed[i][fleet->n_closed[i]++] = closed;
	qsort_r(fleet->closed[i], n + 1, sizeof(void *), by_place, fleet);
}

struct fleet *model_new(const struct model_size *size)
{
	struct fleet *fleet = need(calloc(1, sizeof(*fleet)));
	fleet->arena = ARENA((size_t)4 << 30);
	fleet->size = *size;
	fleet->random = size->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	make_elements(fleet);
	make_vulns(fleet);
	fleet->generation = model_generation(fleet, 7, 1500);
	make_sets(fleet);
	fleet->accounts = need(calloc(size->n_accounts, sizeof(int64_t)));
	fleet->hosts_of = need(calloc(size->n_accounts, sizeof(void *)));
	fleet->closed = need(calloc(size->n_accounts, sizeof(void *)));
	fleet->n_closed = need(calloc(size->n_accounts, sizeof(size_t)));
	for (size_t i = 0; i < size->n_accounts; i++) {
		fleet->accounts[i] = 100 + (int64_t)i * 11;
		fleet->hosts_of[i] = need(roaring_bitmap_create());
	}
	fleet->hosts = need(calloc(size->n_hosts + 1, sizeof(void *)));
	for (uint64_t i = 1; i <= size->n_hosts; i++)
		make_host(fleet, i);
	for (size_t i = 0; i < size->n_closed; i++) {
		const struct fleet_host *host =
		        fleet->hosts[1 + model_random(fleet, size->n_hosts)];
		model_close(fleet, host, (vuln_id)(1 + model_random(fleet, size->n_vulns)),
		        500 + (int64_t)i, 1400 + (int64_t)model_random(fleet, 50));
	}
	return fleet;
}

void model_free(struct fleet *fleet)
{
	for (size_t i = 1; i <= fleet->size.n_hosts; i++)
		host_free(fleet->hosts[i]);
	for (size_t i = 1; i <= fleet->size.n_sets; i++) {
		free((void *)(uintptr_t)fleet->sets[i].elements);
		roaring_bitmap_free(fleet->set_hosts[i]);
	}
	for (size_t i = 0; i <= fleet->size.n_elements; i++)
		free(fleet->sets_of[i]);
	for (size_t i = 0; i < fleet->size.n_accounts; i++) {
		roaring_bitmap_free(fleet->hosts_of[i]);
		free(fleet->closed[i]);
	}
	free(fleet->sets);
	free(fleet->set_hosts);
	free(fleet->sets_of);
	free(fleet->hosts);
	free(fleet->hosts_of);
	free(fleet->closed);
	free(fleet->n_closed);
	free(fleet->accounts);
	free(fleet->elements);
	free(fleet->vulns);
	generation_drop(fleet->generation);
	arena_fini(&fleet->arena);
	free(fleet);
}
