/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A match that is new opens a finding on every host that has the element, and nothing has to be
 * written for that: hosts are not even looked at, but for those of which the same finding was
 * closed lately, because it is opened again. A new match cannot make an open finding older either:
 * its time is that of the renewal, which fleet_time() keeps from being before any other.
 *
 * A match that is gone closes findings, or leaves them open by another element, whose time may be
 * later: so each host that has the element is looked at.
 *
 * Equal closings (same account, vulnerability, packages and places) are gathered, so that a
 * withdrawn advisory makes as many records as there are thousands of hosts that are alike.
 */
#include <errno.h>
#include <roaring/roaring.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/apply.h"
#include "fleet/matches.h"
#include "fleet/renew.h"
#include "fleet/sure.h"

#define MEMORY_BYTES ((size_t)16 << 30)
#define RECORD_BYTES ((size_t)1 << 20)
/* Nothing else may change while they are read, so not any number of inventories is read for the
 * places of what closes: hosts that are alike share one. */
#define READS_MAX 2000u

/* A finding that has to be looked at. */
struct touch {
	uint32_t host;
	vuln_id vuln;
};

struct touches {
	struct touch *items;
	size_t n, cap;
};

/* Closings that are alike. */
struct alike {
	int64_t account;
	const struct issue *issue;
	const struct closed_package *packages;
	size_t n_packages;
	struct closing_host *hosts;
	size_t n_hosts, cap_hosts;
};

struct making {
	struct fleet *fleet;
	const struct generation *old, *new;
	int64_t now_at;
	struct outcome *outcome;
	struct touches touches;
	struct closing_places places;
	size_t n_unplaced; /* hosts whose inventory was one too many */
	struct err *err;
};

static int full(struct err *err)
{
	return err_set(err, -ERR_LIMIT, "a new generation changes more than fits in memory");
}

void outcome_fini(struct outcome *outcome)
{
	for (size_t i = 0; i < outcome->closings.n; i++)
		free(((struct alike *)outcome->closings.entries[i].value)->hosts);
	for (size_t i = 0; i < outcome->n_groups; i++)
		free(outcome->groups[i]);
	free(outcome->groups);
	free(outcome->hosts);
	journal_fini(&outcome->journal);
	arena_fini(&outcome->arena);
}

static void touch(struct making *m, uint64_t host, vuln_id vuln)
{
	struct touches *t = &m->touches;
	t->items = sure_grow(t->items, t->n, &t->cap, sizeof(*t->items));
	t->items[t->n++] = (struct touch){ (uint32_t)host, vuln };
}

/* ---- what differs of the elements ---- */

static int touch_hosts_of(struct making *m, element_id element, vuln_id vuln)
{
	roaring_bitmap_t *hosts = roaring_bitmap_create();
	if (!hosts || sets_hosts_of(m->fleet->sets, element, hosts) < 0)
		return err_set(m->err, -ENOMEM, "no memory for a set of hosts");
	roaring_uint32_iterator_t *at = roaring_create_iterator(hosts);
	for (; at && at->has_value; roaring_advance_uint32_iterator(at))
		touch(m, at->current_value, vuln);
	roaring_free_uint32_iterator(at);
	roaring_bitmap_free(hosts);
	return 0;
}

/* Compare what an element had and has. Vulnerabilities that come are gathered in `added`. */
static int compare_element(struct making *m, element_id element, struct vulns *added)
{
	size_t n, n_old, i = 0, k = 0;
	const struct match *old = generation_matches(m->old, element, &n_old);
	const struct match *new = generation_matches(m->new, element, &n);
	bool differs = n != n_old;
	int r = 0;
	while (r == 0 && (i < n_old || k < n)) {
		vuln_id was = i < n_old ? old[i].issue->vuln : UINT32_MAX;
		vuln_id is = k < n ? new[k].issue->vuln : UINT32_MAX;
		differs |= was != is;
		if (was < is) {
			r = touch_hosts_of(m, element, was);
		} else if (is < was) {
			added->items = sure_grow(
			        added->items, added->n, &added->cap, sizeof(*added->items));
			added->items[added->n++] = is;
		}
		i += was <= is;
		k += is <= was;
	}
	if (r < 0 || !differs)
		return r;
	m->outcome->n_elements++;
	return matches_journal(&m->outcome->journal, element, new, n, m->err);
}

static bool has_vuln(const struct vulns *vulns, vuln_id vuln)
{
	size_t low = 0, high = vulns->n;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (vulns->items[i] == vuln)
			return true;
		if (vulns->items[i] < vuln)
			low = i + 1;
		else
			high = i;
	}
	return false;
}

/* Closed findings that may open again. */
static void touch_closed(struct making *m, const struct vulns *added)
{
	for (size_t i = 0; added->n > 0 && i < m->fleet->n_accounts; i++) {
		const struct closed_list *list = &m->fleet->accounts[i]->closed;
		for (size_t k = 0; k < list->n_groups; k++) {
			const struct closing_group *group = list->groups[k];
			if (m->now_at - group->closed_at > CLOSING_REOPEN_S)
				continue;
			for (size_t e = 0; e < group->n; e++) {
				const struct closed_finding *closed = &group->entries[e].finding;
				if (!group->entries[e].is_open_again &&
				        has_vuln(added, closed->vuln) &&
				        fleet_host_at(m->fleet, closed->host))
					touch(m, closed->host, closed->vuln);
			}
		}
	}
}

static int compare_all(struct making *m)
{
	cleanup(vulns_fini) struct vulns added = { .n = 0 };
	element_id last = dictionary_n_elements(m->fleet->dictionary);
	int r = 0;
	for (element_id e = 1; r == 0 && e <= last; e++)
		r = compare_element(m, e, &added);
	vulns_sort(&added);
	if (r == 0)
		touch_closed(m, &added);
	return r;
}

/* ---- what follows for a host ---- */

/* The gravest issue; without a description, as the present data describe it. */
static const struct issue *describe(
        const struct making *m, const struct closed_match *matches, size_t n)
{
	const struct issue *issue = matches[0].match->issue;
	uint32_t first;
	for (size_t i = 1; i < n; i++) {
		if (matches[i].match->issue->rank < issue->rank)
			issue = matches[i].match->issue;
	}
	if (issue->record_id.n > 0)
		return issue;
	return generation_issues_of(m->new, issue->vuln, &first) > 0 ? m->new->issues[first]
	                                                             : issue;
}

static int copy_paths(struct making *m, struct closed_package *package)
{
	struct arena *arena = &m->outcome->arena;
	str *paths = arena_alloc(arena, package->n_paths, sizeof(*paths));
	int r = paths ? 0 : -ERR_LIMIT;
	for (size_t i = 0; r == 0 && i < package->n_paths; i++) {
		r = arena_copy(arena, package->paths[i], &paths[i]);
		m->places.left_bytes -= paths[i].n;
	}
	package->paths = paths;
	return r;
}

static int make_alike(struct making *m, int64_t account, const struct closed_match *matches,
        const struct closed_package *from, size_t n, struct alike **ret)
{
	struct arena *arena = &m->outcome->arena;
	struct alike *alike = arena_alloc(arena, 1, sizeof(*alike));
	struct closed_package *packages = arena_alloc(arena, n, sizeof(*packages));
	if (!alike || !packages)
		return full(m->err);
	for (size_t i = 0; i < n; i++) {
		packages[i] = from[i];
		if (copy_paths(m, &packages[i]) < 0)
			return full(m->err);
	}
	*alike = (struct alike){
		.account = account,
		.issue = describe(m, matches, n),
		.packages = packages,
		.n_packages = n,
	};
	*ret = alike;
	return 0;
}

/* What closings that are alike have in common, digested. */
static int name_alike(int64_t account, vuln_id vuln, const struct closed_package *packages,
        size_t n, unsigned char ret[SHA256_BYTES])
{
	autobuf text = BUF((size_t)1 << 24);
	buf_add_u64(&text, (uint64_t)account);
	buf_add_u32(&text, vuln);
	for (size_t i = 0; i < n; i++) {
		buf_add_u32(&text, packages[i].element);
		buf_add_u32(&text, (uint32_t)packages[i].n_paths);
		for (size_t k = 0; k < packages[i].n_paths; k++)
			buf_add_str(&text, packages[i].paths[k]);
	}
	hash_sha256(buf_str(&text), ret);
	return buf_failed(&text) ? -ERR_LIMIT : 0;
}

/* Put a closing with those that are alike. */
static int gather(struct making *m, const struct fleet_host *host, const struct first *closed,
        const struct closed_match *matches, size_t n, struct arena *scratch)
{
	struct closing_places places = m->places;
	unsigned char name[SHA256_BYTES];
	const struct closed_package *packages = transition_packages(matches, n, &places, scratch);
	if (!packages || name_alike(host->account, closed->vuln, packages, n, name) < 0)
		return full(m->err);
	void **at = map_at(&m->outcome->closings, (str){ (const char *)name, sizeof(name) });
	if (!at)
		return full(m->err);
	struct alike *alike = *at;
	if (!alike) {
		int r = make_alike(m, host->account, matches, packages, n, &alike);
		if (r < 0) {
			m->outcome->closings.n--;
			return r;
		}
		*at = alike;
	}
	alike->hosts =
	        sure_grow(alike->hosts, alike->n_hosts, &alike->cap_hosts, sizeof(*alike->hosts));
	struct closing_host *row = &alike->hosts[alike->n_hosts++];
	*row = (struct closing_host){
		.number = host->number,
		.first_observed = closed->at,
		.last_observed = atomic_load(&host->seen_at),
	};
	memcpy(row->id, host->id, sizeof(row->id));
	return 0;
}

static int gather_closed(
        struct making *m, const struct fleet_host *host, const struct transition *t)
{
	struct closed_match *matches;
	size_t n, at = 0;
	if (t->n_closed == 0)
		return 0;
	int r = transition_matches(t, &matches, &n, m->err);
	if (r == 0)
		r = transition_places(m->fleet, host, matches, n, t->arena, &m->places, m->err);
	if (r == -EAGAIN) {
		m->n_unplaced++;
		r = 0;
	}
	for (size_t i = 0; r == 0 && i < t->n_closed; i++) {
		size_t begin = at;
		while (at < n && matches[at].vuln == t->closed[i].vuln)
			at++;
		r = gather(m, host, &t->closed[i], matches + begin, at - begin, t->arena);
	}
	return r;
}

static int journal_host(
        struct making *m, const struct fleet_host *host, const struct host_outcome *outcome)
{
	const struct key key = key_u64(host->number);
	int bucket = host_bucket(host->number);
	autobuf since = BUF(STORE_LARGE_MAX_BYTES);
	if (outcome->has_firsts) {
		since_write(host, outcome->firsts, outcome->n_firsts, &since);
		if (host->n_attached + outcome->n_firsts > 0)
			journal_put(&m->outcome->journal,
			        key_at(host->account, bucket, KIND_SINCE, &key), buf_str(&since));
		else
			journal_delete(&m->outcome->journal,
			        key_at(host->account, bucket, KIND_SINCE, &key));
	}
	for (size_t i = 0; i < outcome->n_reopened; i++) {
		autobuf record = BUF(STORE_LARGE_MAX_BYTES);
		struct key reopened;
		size_t k = 0;
		while (outcome->reopened[k]->group != outcome->reopened[i]->group)
			k++;
		if (k < i)
			continue;
		apply_reopened_record(outcome->reopened[i], outcome->reopened, outcome->n_reopened,
		        &reopened, &record);
		journal_put(&m->outcome->journal, key_at(host->account, 0, KIND_CLOSING, &reopened),
		        buf_str(&record));
	}
	return buf_failed(&since) ? full(m->err) : 0;
}

/* One host, and the vulnerabilities that may be others on it. */
static int settle_host(struct making *m, uint64_t number, const vuln_id *vulns, size_t n)
{
	cleanup(arena_fini) struct arena scratch = ARENA(MEMORY_BYTES);
	struct outcome *outcome = m->outcome;
	const struct slot *slot = fleet_slot(m->fleet, number);
	struct standing old = standing_of(m->fleet, slot->host), new = old;
	old.generation = m->old;
	new.generation = m->new;
	struct transition t = {
		.old = &old,
		.new = &new,
		.slot = slot,
		.now_at = m->now_at,
		.arena = &scratch,
	};
	int r = transition_make(&t, vulns, n, m->err);
	if (r == 0)
		r = gather_closed(m, slot->host, &t);
	if (r < 0 || (!t.has_firsts && t.n_reopened == 0))
		return r;

	struct first *firsts = arena_alloc(&outcome->arena, t.n_firsts, sizeof(*firsts));
	struct closed_entry **reopened =
	        arena_alloc(&outcome->arena, t.n_reopened, sizeof(struct closed_entry *));
	if (!firsts || !reopened)
		return full(m->err);
	memcpy(firsts, t.firsts, t.n_firsts * sizeof(*firsts));
	memcpy(reopened, t.reopened, t.n_reopened * sizeof(struct closed_entry *));
	outcome->hosts = sure_grow(
	        outcome->hosts, outcome->n_hosts, &outcome->cap_hosts, sizeof(*outcome->hosts));
	outcome->hosts[outcome->n_hosts] = (struct host_outcome){
		.number = number,
		.firsts = firsts,
		.n_firsts = t.n_firsts,
		.has_firsts = t.has_firsts,
		.reopened = reopened,
		.n_reopened = t.n_reopened,
	};
	return journal_host(m, slot->host, &outcome->hosts[outcome->n_hosts++]);
}

static int by_host(const void *left, const void *right)
{
	const struct touch *a = left, *b = right;
	if (a->host != b->host)
		return a->host < b->host ? -1 : 1;
	return (a->vuln > b->vuln) - (a->vuln < b->vuln);
}

static int settle_all(struct making *m)
{
	cleanup(vulns_fini) struct vulns vulns = { .n = 0 };
	struct touch *items = m->touches.items;
	int r = 0;
	if (m->touches.n > 1)
		qsort(items, m->touches.n, sizeof(*items), by_host);
	for (size_t i = 0, end; r == 0 && i < m->touches.n; i = end) {
		vulns.n = 0;
		for (end = i; end < m->touches.n && items[end].host == items[i].host; end++) {
			vulns.items =
			        sure_grow(vulns.items, vulns.n, &vulns.cap, sizeof(*vulns.items));
			if (vulns.n == 0 || vulns.items[vulns.n - 1] != items[end].vuln)
				vulns.items[vulns.n++] = items[end].vuln;
		}
		r = settle_host(m, items[i].host, vulns.items, vulns.n);
	}
	return r;
}

/* ---- the records of what closes ---- */

/* End a record, and hold what it says. */
static int end_record(struct making *m, int64_t account, struct buf *record)
{
	struct outcome *outcome = m->outcome;
	struct closing_group *group;
	if (record->n == 0)
		return 0;
	if (buf_failed(record))
		return full(m->err);
	uint32_t counter = atomic_fetch_add(&m->fleet->n_closings, 1) + 1;
	const struct key key = closing_key(m->now_at, counter);
	journal_put(&outcome->journal, key_at(account, 0, KIND_CLOSING, &key), buf_str(record));
	int r = closing_read(account, m->now_at, counter, buf_str(record), &group, m->err);
	if (r < 0)
		return r;
	outcome->groups = sure_grow(outcome->groups, outcome->n_groups, &outcome->cap_groups,
	        sizeof(struct closing_group *));
	outcome->groups[outcome->n_groups++] = group;
	buf_clear(record);
	return 0;
}

static int by_account(const void *left, const void *right)
{
	const struct alike *a = *(struct alike *const *)left, *b = *(struct alike *const *)right;
	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	return (a->issue->vuln > b->issue->vuln) - (a->issue->vuln < b->issue->vuln);
}

static int write_alike(struct making *m, const struct alike *alike, struct buf *record)
{
	int r = 0;
	for (size_t at = 0; r == 0 && at < alike->n_hosts; at += CLOSING_HOSTS_MAX) {
		size_t n = alike->n_hosts - at;
		const struct closing_draft draft = {
			.issue = alike->issue,
			.packages = alike->packages,
			.n_packages = alike->n_packages,
			.hosts = alike->hosts + at,
			.n_hosts = n < CLOSING_HOSTS_MAX ? n : CLOSING_HOSTS_MAX,
		};
		if (record->n == 0)
			closing_begin(CLOSED_REMEDIATED, record);
		closing_write(&draft, record);
		if (record->n >= RECORD_BYTES)
			r = end_record(m, alike->account, record);
	}
	return r;
}

static int write_closings(struct making *m)
{
	const struct map *closings = &m->outcome->closings;
	const size_t n = closings->n;
	autobuf record = BUF(STORE_LARGE_MAX_BYTES);
	autofree struct alike **list = calloc(n + 1, sizeof(struct alike *));
	int r = 0;
	if (!list)
		return full(m->err);
	for (size_t i = 0; i < n; i++)
		list[i] = closings->entries[i].value;
	if (n > 1)
		qsort(list, n, sizeof(struct alike *), by_account);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i > 0 && list[i]->account != list[i - 1]->account)
			r = end_record(m, list[i - 1]->account, &record);
		if (r == 0)
			r = write_alike(m, list[i], &record);
	}
	if (r == 0 && n > 0)
		r = end_record(m, list[n - 1]->account, &record);
	return r;
}

int outcome_make(struct fleet *fleet, const struct generation *old, const struct generation *new,
        int64_t now_at, struct outcome *ret, struct err *err)
{
	struct making m = {
		.fleet = fleet,
		.old = old,
		.new = new,
		.now_at = now_at,
		.outcome = ret,
		.places = { .left_reads = READS_MAX, .left_bytes = CLOSING_RENEWAL_BYTES },
		.err = err,
	};
	ret->arena = ARENA(MEMORY_BYTES);
	ret->closings = MAP(&ret->arena);
	int r = compare_all(&m);
	if (r == 0)
		r = settle_all(&m);
	if (r == 0)
		r = write_closings(&m);
	free(m.touches.items);
	if (m.n_unplaced > 0)
		fleet_tell(fleet,
		        "findings that new data closed on %zu hosts are kept without the paths of "
		        "their packages: there are too many different inventories to read",
		        m.n_unplaced);
	return r;
}
