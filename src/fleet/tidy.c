/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept for a while goes here, a bounded piece of each kind at a time, with nothing else
 * changing meanwhile: so nobody plans with what is taken away.
 */
#include <roaring/roaring.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "fleet/apply.h"
#include "fleet/load.h"
#include "fleet/sure.h"
#include "fleet/teach.h"

#define GROUPS_MAX 1000u
#define HOSTS_MAX 500u
#define SETS_MAX 1000u
#define USAGE_KEPT_S (INT64_C(32) * DAY_S)

/* ---- closed findings ---- */

static bool is_over(const struct closing_group *group, int64_t now_at)
{
	return closing_ends_at(group) <= now_at || group->n_open_again == group->n;
}

static void delete_group(struct store_batch *batch, const struct closing_group *group)
{
	struct key from = closing_key(group->closed_at, group->counter);
	struct key to = group->counter < UINT32_MAX
	                        ? closing_key(group->closed_at, group->counter + 1)
	                        : closing_key(group->closed_at + 1, 0);
	store_batch_delete_range(batch, key_at(group->account, 0, KIND_CLOSING, &from),
	        (str){ to.bytes, to.n }, STORE_DELETE_MAX);
}

/* Take what a group still shows out of the slots of its hosts. */
static void remove_entries(struct fleet *fleet, const struct closing_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		const struct closed_entry *entry = &group->entries[i];
		struct slot *slot = fleet_slot(fleet, entry->finding.host);
		size_t n = 0;
		for (size_t k = 0; k < slot->n_closed; k++) {
			if (slot->closed[k] != entry)
				slot->closed[n++] = slot->closed[k];
		}
		slot->n_closed = n;
	}
	(void)atomic_fetch_sub(&fleet->n_closed, group->n - group->n_open_again);
}

static int tidy_closings(struct fleet *fleet, int64_t now_at, struct err *err)
{
	cleanup(store_batch_fini) struct store_batch batch = { .n = 0 };
	store_batch_init(&batch, 0);
	size_t n = 0;
	for (size_t i = 0; i < fleet->n_accounts; i++) {
		const struct closed_list *list = &fleet->accounts[i]->closed;
		for (size_t k = 0; k < list->n_groups && n < GROUPS_MAX; k++) {
			if (!is_over(list->groups[k], now_at))
				continue;
			delete_group(&batch, list->groups[k]);
			n++;
		}
	}
	if (n == 0)
		return 0;
	int r = store_commit(fleet->store, &batch, err);
	if (r < 0)
		return r;

	size_t left = n;
	(void)pthread_rwlock_wrlock(&fleet->world);
	for (size_t i = 0; i < fleet->n_accounts; i++) {
		struct closed_list *list = &fleet->accounts[i]->closed;
		size_t unseen;
		for (size_t k = 0, done = 0; k < list->n_groups && left > 0; k += !done) {
			done = is_over(list->groups[k], now_at);
			if (!done)
				continue;
			remove_entries(fleet, list->groups[k]);
			closed_list_remove(list, k);
			left--;
		}
		(void)closed_list_view(list, fleet->dictionary, &unseen);
	}
	(void)pthread_rwlock_unlock(&fleet->world);
	return n == GROUPS_MAX;
}

/* ---- hosts ---- */

static size_t find_terminated(const struct fleet *fleet, int64_t now_at, uint32_t *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < fleet->n_accounts && n < HOSTS_MAX; i++) {
		roaring_uint32_iterator_t *at = roaring_create_iterator(fleet->accounts[i]->hosts);
		for (; at && at->has_value && n < HOSTS_MAX; roaring_advance_uint32_iterator(at)) {
			const struct fleet_host *host = fleet_host_at(fleet, at->current_value);
			if (host->state == HOST_TERMINATED &&
			        host->state_at + CLOSING_INELIGIBLE_S <= now_at)
				ret[n++] = at->current_value;
		}
		roaring_free_uint32_iterator(at);
	}
	return n;
}

/* Hosts of one bucket may share evidence, also among those that go: counts are brought up to date
 * one by one. */
static void delete_host(struct fleet *fleet, uint64_t number, struct store_batch *batch)
{
	static const enum kind kinds[] = { KIND_HOST, KIND_SEEN, KIND_SINCE };
	const struct fleet_host *host = fleet_host_at(fleet, number);
	const struct key key = key_u64(number);
	int bucket = host_bucket(number);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		store_batch_delete(batch, key_at(host->account, bucket, kinds[i], &key));
	for (size_t i = 0; i < host->n_items; i++) {
		const unsigned char *name = host->items[i].evidence;
		evidence_refs_add(&fleet->evidence[bucket], host->account, name, -1);
		if (evidence_refs_of(&fleet->evidence[bucket], host->account, name) == 0)
			evidence_delete(batch, host->account, bucket, name);
	}
}

static void restore_refs(struct fleet *fleet, uint64_t number)
{
	const struct fleet_host *host = fleet_host_at(fleet, number);
	for (size_t i = 0; i < host->n_items; i++)
		evidence_refs_add(&fleet->evidence[host_bucket(number)], host->account,
		        host->items[i].evidence, 1);
}

static int tidy_hosts(struct fleet *fleet, int64_t now_at, struct err *err)
{
	cleanup(store_batch_fini) struct store_batch batch = { .n = 0 };
	uint32_t numbers[HOSTS_MAX];
	char last[24];
	size_t n = find_terminated(fleet, now_at, numbers);
	if (n == 0)
		return 0;
	store_batch_init(&batch, 0);
	for (size_t i = 0; i < n; i++)
		delete_host(fleet, numbers[i], &batch);
	int length = snprintf(last, sizeof(last), "%llu", (unsigned long long)fleet->n_given);
	store_batch_put(&batch, load_numbers_key(), (str){ last, (size_t)length });
	int r = store_commit(fleet->store, &batch, err);

	(void)pthread_rwlock_wrlock(&fleet->world);
	for (size_t i = 0; i < n; i++) {
		restore_refs(fleet, numbers[i]);
		if (r == 0)
			fleet_remove(fleet, numbers[i]);
	}
	(void)pthread_rwlock_unlock(&fleet->world);
	return r < 0 ? r : n == HOSTS_MAX;
}

/* ---- sets, usage ---- */

static int tidy_sets(struct fleet *fleet, struct err *err)
{
	cleanup(store_batch_fini) struct store_batch batch = { .n = 0 };
	uint32_t numbers[SETS_MAX];
	size_t n = sets_unused(fleet->sets, numbers, SETS_MAX);
	if (n == 0)
		return 0;
	store_batch_init(&batch, 0);
	for (size_t i = 0; i < n; i++) {
		const struct key key = key_u32(numbers[i]);
		store_batch_delete(&batch,
		        key_at(sets_planned(fleet->sets, numbers[i])->account, 0, KIND_SET, &key));
	}
	int r = store_commit(fleet->store, &batch, err);
	if (r < 0)
		return r;
	(void)pthread_rwlock_wrlock(&fleet->world);
	for (size_t i = 0; i < n; i++)
		sets_forget(fleet->sets, numbers[i]);
	fleet_count(fleet);
	(void)pthread_rwlock_unlock(&fleet->world);
	return n == SETS_MAX;
}

static int tidy_usage(struct fleet *fleet, int bucket, uint32_t day, struct err *err)
{
	struct usage_days *days = &fleet->usage[bucket];
	cleanup(store_batch_fini) struct store_batch batch = { .n = 0 };
	const struct key to = key_u32(day), from = { .n = 0 };
	store_batch_init(&batch, 0);
	for (size_t i = 0; i < days->n; i++) {
		if (days->items[i].day < day)
			store_batch_delete_range(&batch,
			        key_at(days->items[i].account, bucket, KIND_USAGE, &from),
			        (str){ to.bytes, to.n }, STORE_DELETE_MAX);
	}
	int r = store_commit(fleet->store, &batch, err);
	if (r < 0)
		return r;
	(void)pthread_rwlock_wrlock(&fleet->world);
	for (size_t i = 0; i < days->n;) {
		if (days->items[i].day < day)
			usage_forget(days, days->items[i].account, day);
		else
			i++;
	}
	(void)pthread_rwlock_unlock(&fleet->world);
	return 0;
}

int fleet_tidy(struct fleet *fleet, int64_t now_at, struct err *err)
{
	uint32_t day = (uint32_t)((now_at > USAGE_KEPT_S ? now_at - USAGE_KEPT_S : 0) / DAY_S);
	int r = fleet_begin_alone(fleet, err);
	if (r < 0)
		return r;
	int more = r = tidy_closings(fleet, now_at, err);
	if (r >= 0)
		more |= r = tidy_hosts(fleet, now_at, err);
	if (r >= 0)
		more |= r = tidy_sets(fleet, err);
	for (int i = 0; r >= 0 && i < FLEET_STRIPES; i++) {
		bool is_old = false;
		for (size_t k = 0; k < fleet->usage[i].n; k++)
			is_old |= fleet->usage[i].items[k].day < day;
		r = is_old ? tidy_usage(fleet, i, day, err) : r;
	}
	fleet_end(fleet);
	if (r >= 0)
		more |= r = teach_hosts(fleet, now_at, err);
	return r < 0 ? r : more != 0;
}
