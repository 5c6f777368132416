/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/plan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/matches.h"
#include "fleet/match_fleet.h"

#define MEMORY_BYTES ((size_t)1 << 30)
#define FACTS_MAX 200u
#define FACT_MAX_BYTES 4096u

bool type_has_packages(str type)
{
	return str_eq(type, STR(FLEET_OWN_TYPE)) || str_eq(type, STR(CONTENT_APPLICATION)) ||
	       str_eq(type, STR(CONTENT_THIRD_PARTY));
}

int plan_begin(
        struct fleet *fleet, uint64_t number, int64_t now_at, struct plan *ret, struct err *err)
{
	int r = fleet_begin(fleet, err);
	if (r < 0)
		return r;
	pthread_mutex_t *stripe = &fleet->stripes[host_bucket(number)];
	(void)pthread_mutex_lock(stripe);
	(void)pthread_rwlock_rdlock(&fleet->world);
	struct slot *slot = fleet_slot(fleet, number);
	(void)pthread_rwlock_unlock(&fleet->world);
	if (!slot || !slot->host) {
		(void)pthread_mutex_unlock(stripe);
		fleet_end(fleet);
		return err_set(err, -ENOENT, "there is no host %llu", (unsigned long long)number);
	}
	*ret = (struct plan){
		.fleet = fleet,
		.number = number,
		.now_at = now_at,
		.arena = ARENA(MEMORY_BYTES),
		.slot = slot,
		.old = slot->host,
		.seen_at = atomic_load(&slot->host->seen_at),
		.closing = BUF(STORE_LARGE_MAX_BYTES),
	};
	store_batch_init(&ret->batch, 0);
	ret->ledger.arena = &ret->arena;
	memcpy(&ret->draft, slot->host, sizeof(ret->draft));
	for (size_t i = 0; i < slot->host->n_items; i++) {
		struct planned_item *item = plan_add_item(ret, slot->host->items[i].type);
		if (!item) {
			plan_end(ret);
			return err_set(err, -ENOMEM, "no memory for a change");
		}
		item->item = slot->host->items[i];
	}
	return 0;
}

void plan_end(struct plan *plan)
{
	dictionary_committed(plan->fleet->dictionary, &plan->batch, false);
	host_free(plan->made);
	free(plan->group);
	buf_fini(&plan->closing);
	store_batch_fini(&plan->batch);
	arena_fini(&plan->arena);
	(void)pthread_mutex_unlock(&plan->fleet->stripes[host_bucket(plan->number)]);
	fleet_end(plan->fleet);
}

/* ---- the draft ---- */

struct planned_item *plan_item(struct plan *plan, str type)
{
	for (size_t i = 0; i < plan->n_items; i++) {
		if (str_eq(plan->items[i].item.type, type))
			return &plan->items[i];
	}
	return NULL;
}

struct planned_item *plan_add_item(struct plan *plan, str type)
{
	if (plan->n_items == plan->cap_items) {
		size_t cap = plan->cap_items ? 2 * plan->cap_items : 8;
		struct planned_item *larger = arena_alloc(&plan->arena, cap, sizeof(*larger));
		if (!larger)
			return NULL;
		if (plan->n_items > 0)
			memcpy(larger, plan->items, plan->n_items * sizeof(*larger));
		plan->items = larger;
		plan->cap_items = cap;
	}
	size_t at = 0;
	while (at < plan->n_items && str_cmp(plan->items[at].item.type, type) < 0)
		at++;
	memmove(plan->items + at + 1, plan->items + at,
	        (plan->n_items - at) * sizeof(*plan->items));
	plan->n_items++;
	plan->items[at] = (struct planned_item){ .item = { .type = type } };
	return &plan->items[at];
}

void plan_remove_item(struct plan *plan, struct planned_item *item)
{
	size_t at = (size_t)(item - plan->items);
	plan->n_items--;
	memmove(item, item + 1, (plan->n_items - at) * sizeof(*item));
}

int plan_facts(struct plan *plan, const struct pair *facts, size_t n, struct err *err)
{
	size_t n_new = plan->draft.n_facts;
	struct pair *merged = arena_alloc(&plan->arena, n_new + n, sizeof(*merged));
	if (!merged)
		return err_set(err, -ERR_LIMIT, "too many facts of a host");
	if (n_new > 0)
		memcpy(merged, plan->draft.facts, n_new * sizeof(*merged));
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		if (facts[i].key.n + facts[i].value.n > FACT_MAX_BYTES)
			return err_set(err, -ERR_LIMIT, "a fact of a host is longer than %u bytes",
			        FACT_MAX_BYTES);
		while (at < n_new && str_cmp(merged[at].key, facts[i].key) < 0)
			at++;
		bool is_there = at < n_new && str_eq(merged[at].key, facts[i].key);
		if (is_there && facts[i].value.n > 0) {
			merged[at].value = facts[i].value;
		} else if (is_there) {
			n_new--;
			memmove(merged + at, merged + at + 1, (n_new - at) * sizeof(*merged));
		} else if (facts[i].value.n > 0) {
			memmove(merged + at + 1, merged + at, (n_new - at) * sizeof(*merged));
			merged[at] = facts[i];
			n_new++;
		}
	}
	if (n_new > FACTS_MAX)
		return err_set(err, -ERR_LIMIT, "a host has more than %u facts", FACTS_MAX);
	plan->draft.facts = merged;
	plan->draft.n_facts = n_new;
	return 0;
}

void plan_state(struct plan *plan, enum host_state state)
{
	struct fleet_host *draft = &plan->draft;
	if (draft->state == state)
		return;
	draft->state = state;
	draft->state_at = plan->now_at;
	plan->reason = CLOSED_INELIGIBLE;
	if (state == HOST_ACTIVE)
		draft->eligible_since = plan->now_at;
}

/* ---- sets ---- */

/* Content that has to be read for the os to be known comes first. */
static int read_item(struct plan *plan, struct planned_item *item, struct err *err)
{
	struct host os;
	str content = item->content;
	if (item->is_read)
		return 0;
	if (!content.p) {
		int r = evidence_get(plan->fleet->store, plan->draft.account,
		        host_bucket(plan->number), item->item.evidence, &plan->arena, &content,
		        err);
		if (r < 0)
			return r;
	}
	host_os(&plan->draft, &os);
	int r = content_read(
	        item->item.type, content, &os, &plan->arena, &plan->ledger, &item->read, err);
	item->is_read = r == 0;
	return r;
}

static int take_content(struct plan *plan, struct planned_item *item, struct err *err)
{
	int r = read_item(plan, item, err);
	if (r == 0)
		item->item.n_rows = item->read.n_rows;
	return r == 0 ? plan_facts(plan, item->read.facts, item->read.n_facts, err) : r;
}

/* Read what the report brought. What applications are depends on the os, which others may tell. */
static int take_contents(struct plan *plan, struct err *err)
{
	int r = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; r == 0 && i < plan->n_items; i++) {
			struct planned_item *item = &plan->items[i];
			bool is_late = str_eq(item->item.type, STR(CONTENT_APPLICATION));
			if (item->content.p && is_late == (pass == 1))
				r = take_content(plan, item, err);
		}
	}
	return r;
}

static struct planned_item *new_word(struct plan *plan, int which)
{
	struct planned_item *word = NULL;
	for (size_t i = 0; i < plan->n_items; i++) {
		struct planned_item *item = &plan->items[i];
		if (elements_is_word(item->item.type, which) &&
		        elements_is_newer(&item->item, word ? &word->item : NULL))
			word = item;
	}
	return word;
}

static bool is_same_os(const struct host *a, const struct host *b)
{
	return str_eq(a->os_id, b->os_id) && str_eq(a->os_version, b->os_version) &&
	       str_eq(a->os_codename, b->os_codename);
}

static bool is_same_word(const struct host_item *a, const struct planned_item *b)
{
	if (!a || !b)
		return !a && !b;
	return str_eq(a->type, b->item.type) &&
	       memcmp(a->evidence, b->item.evidence, sizeof(a->evidence)) == 0;
}

static struct origins *origins_of(const struct plan *plan)
{
	(void)pthread_rwlock_rdlock(&plan->fleet->world);
	struct account *account = fleet_account_find(plan->fleet, plan->draft.account);
	(void)pthread_rwlock_unlock(&plan->fleet->world);
	return account ? &account->origins : NULL;
}

/* Keep how many packages of the new set are matched by name only. */
static int note_names(struct plan *plan, struct err *err)
{
	struct pair fact = { .key = STR(FACT_BY_NAME) };
	size_t n = plan->lists[HOST_OS_SET].n_by_name;
	if (n > 0 && arena_printf(&plan->arena, &fact.value, "%zu", n) < 0)
		return err_set(err, -ERR_LIMIT, "a change of a host needs too much memory");
	return plan_facts(plan, &fact, 1, err);
}

int plan_remake(struct plan *plan, struct err *err)
{
	struct fleet *fleet = plan->fleet;
	int r = elements_remake(fleet, sets_planned(fleet->sets, plan->old->sets[HOST_OS_SET]),
	        origins_of(plan), &plan->batch, &plan->arena, &plan->lists[HOST_OS_SET], err);
	plan->is_list[HOST_OS_SET] = true;
	return r == 0 ? note_names(plan, err) : r;
}

/* Find one of the two sets, if it may be another one than before. */
static int make_list(struct plan *plan, int which, struct err *err)
{
	struct host old_os, os;
	struct planned_item *word = new_word(plan, which);
	host_os(plan->old, &old_os);
	host_os(&plan->draft, &os);
	if (is_same_word(elements_word(plan->old, which), word) && is_same_os(&old_os, &os))
		return 0;
	int r = 0;
	if (word)
		r = read_item(plan, word, err);
	if (word && r == 0)
		r = elements_make(plan->fleet, &word->read, which, &os,
		        elements_lack_sources(word->item.type) ? origins_of(plan) : NULL,
		        &plan->batch, &plan->arena, &plan->lists[which], err);
	plan->is_list[which] = true;
	return r == 0 && which == HOST_OS_SET ? note_names(plan, err) : r;
}

static int flush(void *ctx, struct store_batch *batch, struct err *err)
{
	return elements_flush(ctx, batch, err);
}

static int64_t since_ever(void *ctx, element_id element, vuln_id vuln)
{
	(void)ctx;
	(void)element;
	(void)vuln;
	return 0;
}

/* Elements of the lists that the generation does not know. With `world`. */
static size_t find_unknown(const struct plan *plan, element_id *ids)
{
	size_t n = 0;
	for (int k = 0; k < HOST_N_SETS; k++) {
		for (size_t i = 0; i < plan->lists[k].n; i++) {
			if (!generation_knows(plan->fleet->generation, plan->lists[k].ids[i]))
				ids[n++] = plan->lists[k].ids[i];
		}
	}
	return n;
}

static int by_element(const void *left, const void *right)
{
	const struct prepared *a = left, *b = right;
	return (a->element > b->element) - (a->element < b->element);
}

/* Ask the database about elements that are new. */
static int match_new(struct plan *plan, struct err *err)
{
	struct fleet *fleet = plan->fleet;
	size_t n = 0;
	for (int k = 0; k < HOST_N_SETS; k++)
		n += plan->lists[k].n;
	element_id *ids = arena_alloc(&plan->arena, n, sizeof(*ids));
	plan->prepared = arena_alloc(&plan->arena, n, sizeof(*plan->prepared));
	if (!ids || !plan->prepared)
		return err_set(err, -ERR_LIMIT, "too many packages");
	(void)pthread_rwlock_rdlock(&fleet->world);
	n = find_unknown(plan, ids);
	(void)pthread_rwlock_unlock(&fleet->world);
	if (n == 0)
		return 0;

	(void)pthread_mutex_lock(&fleet->db_lock);
	const struct matching matching = {
		.db = fleet->db,
		.dictionary = fleet->dictionary,
		.generation = fleet->generation,
		.batch = &plan->batch,
		.flush = flush,
		.since = since_ever,
		.ctx = fleet,
	};
	int r = fleet->db ? match_elements(&matching, ids, n, plan->prepared, err) : 0;
	plan->n_prepared = fleet->db ? n : 0;
	(void)pthread_mutex_unlock(&fleet->db_lock);
	if (plan->n_prepared > 1)
		qsort(plan->prepared, plan->n_prepared, sizeof(*plan->prepared), by_element);
	for (size_t i = 0; r == 0 && i < plan->n_prepared; i++) {
		r = matches_put(&plan->batch, &plan->prepared[i], err);
		if (r == 0)
			r = elements_flush(fleet, &plan->batch, err);
	}
	return r;
}

int plan_sets(struct plan *plan, struct err *err)
{
	int r = take_contents(plan, err);
	for (int k = 0; r == 0 && k < HOST_N_SETS; k++)
		r = make_list(plan, k, err);
	if (r == 0)
		r = match_new(plan, err);
	for (int k = 0; r == 0 && k < HOST_N_SETS; k++) {
		if (plan->is_list[k])
			r = sets_plan(plan->fleet->sets, plan->draft.account, plan->lists[k].ids,
			        plan->lists[k].n, plan->fleet->dictionary, &plan->batch,
			        &plan->draft.sets[k], err);
	}
	return r;
}
