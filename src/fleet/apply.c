/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/apply.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/plan.h"
#include "fleet/sure.h"

struct key closing_key(int64_t closed_at, uint32_t counter)
{
	struct key key = { .n = 0 };
	key_add(&key, (uint64_t)closed_at, 8);
	key_add(&key, counter, 4);
	return key;
}

static int by_vuln(const void *left, const void *right)
{
	const struct closed_finding *a = &(*(struct closed_entry *const *)left)->finding;
	const struct closed_finding *b = &(*(struct closed_entry *const *)right)->finding;
	if (a->vuln != b->vuln)
		return a->vuln < b->vuln ? -1 : 1;
	return (a->closed_at > b->closed_at) - (a->closed_at < b->closed_at);
}

static void sort_closed(struct slot *slot)
{
	if (slot->n_closed > 1)
		qsort(slot->closed, slot->n_closed, sizeof(struct closed_entry *), by_vuln);
}

void apply_closings(struct fleet *fleet, struct closing_group *group)
{
	closed_list_add(&fleet_account(fleet, group->account)->closed, group);
	for (size_t i = 0; i < group->n; i++) {
		struct closed_entry *entry = &group->entries[i];
		struct slot *slot = fleet_slot(fleet, entry->finding.host);
		slot->closed = sure_grow(slot->closed, slot->n_closed, &slot->cap_closed,
		        sizeof(struct closed_entry *));
		slot->closed[slot->n_closed++] = entry;
	}
	for (size_t i = 0; i < group->n; i++) {
		if (i == 0 || group->entries[i].finding.host != group->entries[i - 1].finding.host)
			sort_closed(fleet_slot(fleet, group->entries[i].finding.host));
	}
	(void)atomic_fetch_add(&fleet->n_closed, group->n);
}

void apply_reopened(
        struct fleet *fleet, struct slot *slot, struct closed_entry *const *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct account *account = fleet_account(fleet, entries[i]->finding.account);
		closed_list_reopen(&account->closed, entries[i]);
	}
	(void)atomic_fetch_sub(&fleet->n_closed, n);
	size_t n_kept = 0;
	for (size_t i = 0; i < slot->n_closed; i++) {
		if (!slot->closed[i]->is_open_again)
			slot->closed[n_kept++] = slot->closed[i];
	}
	slot->n_closed = n_kept;
}

void apply_firsts(struct slot *slot, const struct first *firsts, size_t n)
{
	free(slot->firsts);
	slot->firsts = NULL;
	slot->n_firsts = n;
	if (n == 0)
		return;
	slot->firsts = sure_realloc(NULL, n, sizeof(*firsts));
	memcpy(slot->firsts, firsts, n * sizeof(*firsts));
}

void apply_reopened_record(const struct closed_entry *first, struct closed_entry *const *entries,
        size_t n, struct key *ret_key, struct buf *out)
{
	const struct closing_group *group = first->group;
	*ret_key = closing_key(group->closed_at, group->counter);
	key_add(ret_key, first->finding.host, 8);
	for (size_t i = 0; i < group->n; i++) {
		const struct closed_entry *entry = &group->entries[i];
		if (entry->is_open_again && entry->finding.host == first->finding.host)
			buf_add_u32(out, entry->finding.vuln);
	}
	for (size_t i = 0; i < n; i++) {
		if (entries[i]->group == group)
			buf_add_u32(out, entries[i]->finding.vuln);
	}
}

/* ---- a change of a host ---- */

static int put_reopened(struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n_reopened; i++) {
		autobuf record = BUF(STORE_LARGE_MAX_BYTES);
		struct key key;
		size_t k = 0;
		while (plan->reopened[k]->group != plan->reopened[i]->group)
			k++;
		if (k < i)
			continue;
		apply_reopened_record(
		        plan->reopened[i], plan->reopened, plan->n_reopened, &key, &record);
		if (buf_failed(&record))
			return err_set(err, -ENOMEM, "no memory for a change");
		store_batch_put(&plan->batch, key_at(plan->draft.account, 0, KIND_CLOSING, &key),
		        buf_str(&record));
	}
	return 0;
}

/* Evidence that the host refers to, and no longer refers to. Another host of the bucket may refer
 * to the same; both are changed under one stripe. */
static int put_evidence(struct plan *plan, struct err *err)
{
	const struct fleet_host *old = plan->old;
	int bucket = host_bucket(plan->number), r = 0;
	for (size_t i = 0; r == 0 && i < plan->n_items; i++) {
		const struct planned_item *item = &plan->items[i];
		if (item->content.p)
			r = evidence_put(&plan->batch, plan->draft.account, bucket,
			        item->item.evidence, item->content, err);
	}
	for (size_t i = 0; r == 0 && i < old->n_items; i++) {
		const unsigned char *name = old->items[i].evidence;
		uint32_t n_gone = 0, n_kept = 0;
		for (size_t k = 0; k < old->n_items; k++)
			n_gone += memcmp(old->items[k].evidence, name, SHA256_BYTES) == 0;
		for (size_t k = 0; k < plan->n_items; k++)
			n_kept += memcmp(plan->items[k].item.evidence, name, SHA256_BYTES) == 0;
		if (n_kept == 0 && evidence_refs_of(&plan->fleet->evidence[bucket], old->account,
		                           name) <= n_gone)
			evidence_delete(&plan->batch, old->account, bucket, name);
	}
	return r;
}

static bool is_same_attached(const struct fleet_host *a, const struct fleet_host *b)
{
	if (a->n_attached != b->n_attached)
		return false;
	for (size_t i = 0; i < a->n_attached; i++) {
		if (a->attached[i].element != b->attached[i].element ||
		        a->attached[i].at != b->attached[i].at)
			return false;
	}
	return true;
}

/* The records of the host itself. Only those that are others than before: a report that changes
 * nothing writes when it came. */
static int put_host(struct plan *plan, struct err *err)
{
	const struct fleet_host *host = plan->made;
	const struct key key = key_u64(plan->number);
	int bucket = host_bucket(plan->number);
	autobuf record = BUF(STORE_LARGE_MAX_BYTES);
	autobuf seen = BUF(STORE_SHORT_MAX_BYTES), since = BUF(STORE_LARGE_MAX_BYTES);

	host_write(host, &record);
	host_write_seen(host, plan->seen_at, &seen);
	since_write(host, plan->firsts, plan->n_firsts, &since);
	if (record.n > STORE_SHORT_MAX_BYTES || seen.failed)
		return err_set(err, -ERR_LIMIT, "host %s has more items, tags and facts than fit",
		        host->id);
	if (record.failed || since.failed)
		return err_set(err, -ENOMEM, "no memory for a change");

	if (!host_differs_in_times_only(plan->old, host))
		store_batch_put(&plan->batch, key_at(host->account, bucket, KIND_HOST, &key),
		        buf_str(&record));
	store_batch_put(
	        &plan->batch, key_at(host->account, bucket, KIND_SEEN, &key), buf_str(&seen));
	if (!plan->has_firsts && is_same_attached(plan->old, host))
		return 0;
	if (host->n_attached == 0 && plan->n_firsts == 0)
		store_batch_delete(&plan->batch, key_at(host->account, bucket, KIND_SINCE, &key));
	else
		store_batch_put(&plan->batch, key_at(host->account, bucket, KIND_SINCE, &key),
		        buf_str(&since));
	return 0;
}

/* What the host's own upload tells of its packages, others may want to know. */
static void learn_origins(const struct plan *plan, struct origins *origins)
{
	const struct element_list *list = &plan->lists[HOST_OS_SET];
	const struct host_item *word = elements_word(plan->slot->host, HOST_OS_SET);
	if (plan->is_list[HOST_OS_SET] && word && !elements_lack_sources(word->type))
		origins_learn(origins, plan->fleet->dictionary, list->ids, list->n, true);
}

static void apply(struct plan *plan)
{
	struct fleet *fleet = plan->fleet;
	int bucket = host_bucket(plan->number);
	(void)pthread_rwlock_wrlock(&fleet->world);
	struct origins *origins = &fleet_account(fleet, plan->draft.account)->origins;
	generation_publish(fleet->generation, plan->prepared, plan->n_prepared);
	for (int k = 0; k < HOST_N_SETS; k++)
		sets_move(fleet->sets, plan->number, plan->old->sets[k], plan->made->sets[k]);
	for (size_t i = 0; i < plan->old->n_items; i++)
		evidence_refs_add(&fleet->evidence[bucket], plan->old->account,
		        plan->old->items[i].evidence, -1);
	for (size_t i = 0; i < plan->made->n_items; i++)
		evidence_refs_add(&fleet->evidence[bucket], plan->made->account,
		        plan->made->items[i].evidence, 1);
	for (size_t i = 0; i < plan->n_days; i++)
		usage_set(&fleet->usage[bucket], &plan->days[i]);
	if (plan->has_firsts)
		apply_firsts(plan->slot, plan->firsts, plan->n_firsts);
	apply_reopened(fleet, plan->slot, plan->reopened, plan->n_reopened);
	if (plan->group)
		apply_closings(fleet, TAKE(plan->group));

	fleet_count_names(fleet, plan->old, plan->made);
	atomic_store(&plan->made->ping_at, atomic_load(&plan->old->ping_at));
	host_free(plan->slot->host);
	plan->slot->host = TAKE(plan->made);
	plan->old = NULL;
	fleet_count(fleet);
	(void)pthread_rwlock_unlock(&fleet->world);
	learn_origins(plan, origins);
	fleet_tell_names(fleet);
}

int plan_commit(struct plan *plan, struct err *err)
{
	struct fleet *fleet = plan->fleet;
	struct host_item *items = arena_alloc(&plan->arena, plan->n_items, sizeof(*items));
	if (!items)
		return err_set(err, -ERR_LIMIT, "a change of a host needs too much memory");
	for (size_t i = 0; i < plan->n_items; i++)
		items[i] = plan->items[i].item;
	plan->draft.items = items;
	plan->draft.n_items = plan->n_items;
	plan->made = host_make(&plan->draft);
	if (!plan->made)
		return err_set(err, -ENOMEM, "no memory for a host");
	atomic_store(&plan->made->seen_at, plan->seen_at);

	int r = put_host(plan, err);
	if (r == 0)
		r = put_evidence(plan, err);
	if (r == 0)
		r = put_reopened(plan, err);
	if (r == 0 && plan->group) {
		const struct key key = closing_key(plan->group->closed_at, plan->group->counter);
		store_batch_put(&plan->batch, key_at(plan->draft.account, 0, KIND_CLOSING, &key),
		        buf_str(&plan->closing));
	}
	if (r == 0)
		r = store_commit(fleet->store, &plan->batch, err);
	dictionary_committed(fleet->dictionary, &plan->batch, r == 0);
	if (r == 0)
		apply(plan);
	return r;
}
