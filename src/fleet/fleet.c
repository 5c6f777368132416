/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet.h"

#include <errno.h>
#include <roaring/roaring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/content.h"
#include "fleet/load.h"
#include "fleet/renew.h"
#include "fleet/standing.h"
#include "fleet/sure.h"

#define PIECE_BITS 12u
#define PIECE_SIZE (1u << PIECE_BITS)

void fleet_tell(const struct fleet *fleet, const char *fmt, ...)
{
	char text[512];
	va_list args;
	if (!fleet->tell)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fleet->tell(fleet->ctx, text);
}

int64_t fleet_time(struct fleet *fleet, int64_t now_at)
{
	int64_t latest = atomic_load(&fleet->latest_at);
	while (latest < now_at &&
	        !atomic_compare_exchange_weak(&fleet->latest_at, &latest, now_at)) {
	}
	return latest < now_at ? now_at : latest;
}

/* ---- locks ---- */

void fleet_lock(struct fleet *fleet)
{
	(void)pthread_rwlock_rdlock(&fleet->world);
}

void fleet_unlock(struct fleet *fleet)
{
	(void)pthread_rwlock_unlock(&fleet->world);
}

void fleet_end(struct fleet *fleet)
{
	(void)pthread_rwlock_unlock(&fleet->ingest);
}

int fleet_begin_alone(struct fleet *fleet, struct err *err)
{
	(void)pthread_rwlock_wrlock(&fleet->ingest);
	if (!atomic_load(&fleet->has_journal))
		return 0;
	int r = journal_finish(fleet->store, err);
	if (r < 0) {
		fleet_end(fleet);
		return r;
	}
	atomic_store(&fleet->has_journal, false);
	return 0;
}

int fleet_begin(struct fleet *fleet, struct err *err)
{
	for (;;) {
		(void)pthread_rwlock_rdlock(&fleet->ingest);
		if (!atomic_load(&fleet->has_journal))
			return 0;
		fleet_end(fleet);
		int r = fleet_begin_alone(fleet, err);
		if (r < 0)
			return r;
		fleet_end(fleet);
	}
}

/* ---- the index ---- */

/* The slot of a number that was reached before. */
static struct slot *slot_of(const struct fleet *fleet, uint64_t number)
{
	return &fleet->pieces[number >> PIECE_BITS][number & (PIECE_SIZE - 1)];
}

struct slot *fleet_slot(const struct fleet *fleet, uint64_t number)
{
	size_t piece = (size_t)(number >> PIECE_BITS);
	if (piece >= fleet->cap_pieces || !fleet->pieces[piece])
		return NULL;
	return slot_of(fleet, number);
}

struct slot *fleet_reach(struct fleet *fleet, uint64_t number)
{
	size_t piece = (size_t)(number >> PIECE_BITS);
	fleet->pieces = sure_reach(fleet->pieces, piece, &fleet->cap_pieces, sizeof(struct slot *));
	if (!fleet->pieces[piece]) {
		struct slot *slots = sure_realloc(NULL, PIECE_SIZE, sizeof(*slots));
		memset(slots, 0, PIECE_SIZE * sizeof(*slots));
		fleet->pieces[piece] = slots;
	}
	return slot_of(fleet, number);
}

/* Where an account is, or would be. */
static size_t account_position(const struct fleet *fleet, int64_t number)
{
	size_t low = 0, high = fleet->n_accounts;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		if (fleet->accounts[i]->number < number)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

struct account *fleet_account_find(const struct fleet *fleet, int64_t number)
{
	size_t i = account_position(fleet, number);
	bool is_there = i < fleet->n_accounts && fleet->accounts[i]->number == number;
	return is_there ? fleet->accounts[i] : NULL;
}

struct account *fleet_account(struct fleet *fleet, int64_t number)
{
	struct account *account = fleet_account_find(fleet, number);
	if (account)
		return account;
	account = sure_realloc(NULL, 1, sizeof(*account));
	*account = (struct account){ .number = number, .hosts = roaring_bitmap_create() };
	if (!account->hosts)
		abort();
	closed_list_init(&account->closed);
	origins_init(&account->origins);
	size_t i = account_position(fleet, number);
	fleet->accounts = sure_grow(
	        fleet->accounts, fleet->n_accounts, &fleet->cap_accounts, sizeof(struct account *));
	memmove(fleet->accounts + i + 1, fleet->accounts + i,
	        (fleet->n_accounts - i) * sizeof(struct account *));
	fleet->accounts[i] = account;
	fleet->n_accounts++;
	return account;
}

/* Ids are random digits: any of them spread well. */
static size_t hash_id(str id)
{
	uint64_t h = 0;
	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * 0x100000001B3u;
	return (size_t)(h ^ h >> 29);
}

static uint32_t *id_place(const struct fleet *fleet, str id)
{
	for (size_t i = hash_id(id);; i++) {
		uint32_t *at = &fleet->ids[i & (fleet->cap_ids - 1)];
		if (*at == 0)
			return at;
		const struct fleet_host *host = slot_of(fleet, *at)->host;
		if (str_eq(str_from_c(host->id), id))
			return at;
	}
}

uint64_t fleet_number_of(const struct fleet *fleet, str id)
{
	return fleet->cap_ids > 0 ? *id_place(fleet, id) : 0;
}

static void insert_id(struct fleet *fleet, const struct fleet_host *host)
{
	if (2 * (fleet->n_ids + 1) > fleet->cap_ids) {
		uint32_t *old = fleet->ids;
		size_t n = fleet->cap_ids;
		fleet->cap_ids = n ? 2 * n : 1024;
		fleet->ids = sure_realloc(NULL, fleet->cap_ids, sizeof(*fleet->ids));
		memset(fleet->ids, 0, fleet->cap_ids * sizeof(*fleet->ids));
		for (size_t i = 0; i < n; i++) {
			if (old[i] != 0)
				*id_place(fleet, str_from_c(slot_of(fleet, old[i])->host->id)) =
				        old[i];
		}
		free(old);
	}
	*id_place(fleet, str_from_c(host->id)) = (uint32_t)host->number;
	fleet->n_ids++;
}

/* What stands behind the freed place without a gap is placed anew. */
static void remove_id(struct fleet *fleet, str id)
{
	size_t mask = fleet->cap_ids - 1;
	size_t i = (size_t)(id_place(fleet, id) - fleet->ids);
	fleet->ids[i] = 0;
	for (i = (i + 1) & mask; fleet->ids[i] != 0; i = (i + 1) & mask) {
		uint32_t number = fleet->ids[i];
		fleet->ids[i] = 0;
		*id_place(fleet, str_from_c(slot_of(fleet, number)->host->id)) = number;
	}
	fleet->n_ids--;
}

void fleet_count_names(
        struct fleet *fleet, const struct fleet_host *old, const struct fleet_host *new)
{
	uint64_t was = old ? fleet_host_by_name(old) : 0, is = new ? fleet_host_by_name(new) : 0;
	(void)atomic_fetch_add(&fleet->n_hosts_by_name, (uint64_t)(is > 0) - (was > 0));
	(void)atomic_fetch_add(&fleet->n_packages_by_name, is - was);
}

void fleet_insert(struct fleet *fleet, struct fleet_host *host)
{
	fleet_reach(fleet, host->number)->host = host;
	insert_id(fleet, host);
	roaring_bitmap_add(fleet_account(fleet, host->account)->hosts, (uint32_t)host->number);
	for (int k = 0; k < HOST_N_SETS; k++)
		sets_move(fleet->sets, host->number, 0, host->sets[k]);
	for (size_t i = 0; i < host->n_items; i++)
		evidence_refs_add(&fleet->evidence[host_bucket(host->number)], host->account,
		        host->items[i].evidence, 1);
	if (host->number > fleet->n_given)
		fleet->n_given = host->number;
	fleet_count_names(fleet, NULL, host);
	(void)atomic_fetch_add(&fleet->n_hosts, 1);
}

void fleet_remove(struct fleet *fleet, uint64_t number)
{
	struct slot *slot = slot_of(fleet, number);
	struct fleet_host *host = slot->host;
	remove_id(fleet, str_from_c(host->id));
	roaring_bitmap_remove(fleet_account(fleet, host->account)->hosts, (uint32_t)number);
	for (int k = 0; k < HOST_N_SETS; k++)
		sets_move(fleet->sets, number, host->sets[k], 0);
	for (size_t i = 0; i < host->n_items; i++)
		evidence_refs_add(&fleet->evidence[host_bucket(number)], host->account,
		        host->items[i].evidence, -1);
	free(slot->firsts);
	slot->firsts = NULL;
	slot->n_firsts = 0;
	slot->host = NULL;
	fleet_count_names(fleet, host, NULL);
	host_free(host);
	(void)atomic_fetch_sub(&fleet->n_hosts, 1);
}

void fleet_count(struct fleet *fleet)
{
	atomic_store(&fleet->n_sets, sets_count(fleet->sets));
	atomic_store(&fleet->n_issues, fleet->generation->n_issues);
	atomic_store(&fleet->n_matches, fleet->generation->n_matches);
	atomic_store(&fleet->generation_number, fleet->generation->number);
}

/* ---- looking ---- */

const struct generation *fleet_generation(const struct fleet *fleet)
{
	return fleet->generation;
}

const struct fleet_host *fleet_host_at(const struct fleet *fleet, uint64_t number)
{
	const struct slot *slot = fleet_slot(fleet, number);
	return slot ? slot->host : NULL;
}

void fleet_pinged(struct fleet *fleet, uint64_t number, int64_t now_at)
{
	const struct slot *slot = fleet_slot(fleet, number);
	if (!slot || !slot->host)
		return;
	_Atomic int64_t *ping_at = &slot->host->ping_at;
	int64_t was = atomic_load_explicit(ping_at, memory_order_relaxed);
	while (was < now_at && !atomic_compare_exchange_weak_explicit(ping_at, &was, now_at,
	                               memory_order_relaxed, memory_order_relaxed))
		;
}

uint64_t fleet_host_by_name(const struct fleet_host *host)
{
	uint64_t n = 0;
	return str_to_u64(host_fact(host, FACT_BY_NAME), CONTENT_PACKAGES_MAX, &n) ? n : 0;
}

const struct fleet_host *fleet_host_find(const struct fleet *fleet, str id)
{
	uint64_t number = host_id_is_good(id) ? fleet_number_of(fleet, id) : 0;
	return number ? fleet_host_at(fleet, number) : NULL;
}

const roaring_bitmap_t *fleet_hosts(const struct fleet *fleet, int64_t account)
{
	static const roaring_bitmap_t empty = { .high_low_container = { .size = 0 } };
	const struct account *at = fleet_account_find(fleet, account);
	return at ? at->hosts : &empty;
}

const struct sets *fleet_sets(const struct fleet *fleet)
{
	return fleet->sets;
}

const struct dictionary *fleet_dictionary(const struct fleet *fleet)
{
	return fleet->dictionary;
}

int64_t fleet_first_observed(const struct fleet *fleet, const struct fleet_host *host, vuln_id vuln)
{
	const struct standing standing = standing_of(fleet, host);
	return standing_time(&standing, vuln);
}

int fleet_evidence(struct fleet *fleet, const struct fleet_host *host, str type,
        struct arena *arena, str *ret, struct err *err)
{
	const struct host_item *item = host_item(host, type);
	if (!item) {
		*ret = (str){ "", 0 };
		return 0;
	}
	return evidence_get(fleet->store, host->account, host_bucket(host->number), item->evidence,
	        arena, ret, err);
}

const struct closed_finding *const *fleet_closed(
        const struct fleet *fleet, int64_t account, size_t *ret_count)
{
	struct account *at = fleet_account_find(fleet, account);
	*ret_count = 0;
	return at ? closed_list_view(&at->closed, fleet->dictionary, ret_count) : NULL;
}

double fleet_usage_hours(const struct fleet *fleet, int64_t account, int64_t now_at)
{
	const struct account *at = fleet_account_find(fleet, account);
	int64_t from = now_at - 30 * DAY_S;
	double seconds = 0;
	for (size_t i = 0; i < FLEET_STRIPES; i++)
		seconds += usage_sum(&fleet->usage[i], account, from, now_at);
	if (!at)
		return seconds / 3600;
	roaring_uint32_iterator_t *hosts = roaring_create_iterator(at->hosts);
	for (; hosts && hosts->has_value; roaring_advance_uint32_iterator(hosts)) {
		const struct fleet_host *host = fleet_host_at(fleet, hosts->current_value);
		if (!host || host->covered_since == 0)
			continue;
		int64_t end = usage_end(host, atomic_load(&host->seen_at), now_at);
		int64_t begin = host->covered_since > from ? host->covered_since : from;
		seconds += end > begin ? (double)(end - begin) : 0;
	}
	roaring_free_uint32_iterator(hosts);
	return seconds / 3600;
}

void fleet_stats(struct fleet *fleet, struct fleet_stats *ret)
{
	*ret = (struct fleet_stats){
		.n_hosts = atomic_load(&fleet->n_hosts),
		.n_elements = dictionary_n_elements(fleet->dictionary),
		.n_sets = atomic_load(&fleet->n_sets),
		.n_issues = atomic_load(&fleet->n_issues),
		.n_matches = atomic_load(&fleet->n_matches),
		.n_closed = atomic_load(&fleet->n_closed),
		.generation = atomic_load(&fleet->generation_number),
		.n_reports = atomic_load(&fleet->n_reports),
		.n_hash_only = atomic_load(&fleet->n_hash_only),
		.n_stale = atomic_load(&fleet->n_stale),
		.n_renewals = atomic_load(&fleet->n_renewals),
		.renew_us = atomic_load(&fleet->renew_us),
		.n_hosts_by_name = atomic_load(&fleet->n_hosts_by_name),
		.n_packages_by_name = atomic_load(&fleet->n_packages_by_name),
	};
}

void fleet_tell_names(struct fleet *fleet)
{
	uint64_t n = atomic_load(&fleet->n_hosts_by_name);
	uint64_t told = atomic_load(&fleet->n_by_name_told);
	while (n >= 2 * told && n > 0) {
		if (!atomic_compare_exchange_weak(&fleet->n_by_name_told, &told, n))
			continue;
		fleet_tell(fleet,
		        "%llu packages of %llu hosts are matched by their own names only, because "
		        "their source packages are not known: findings of theirs may be missing",
		        (unsigned long long)atomic_load(&fleet->n_packages_by_name),
		        (unsigned long long)n);
		return;
	}
}

/* ---- opening and closing ---- */

static void init_lock(pthread_rwlock_t *lock)
{
	/* Changes must not wait for ever while queries come and go. */
	pthread_rwlockattr_t attributes;
	(void)pthread_rwlockattr_init(&attributes);
	(void)pthread_rwlockattr_setkind_np(
	        &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(lock, &attributes);
	(void)pthread_rwlockattr_destroy(&attributes);
}

static struct fleet *make(const struct fleet_config *config)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	if (!fleet)
		return NULL;
	fleet->store = config->store;
	fleet->tell = config->tell;
	fleet->ctx = config->ctx;
	init_lock(&fleet->ingest);
	init_lock(&fleet->world);
	for (size_t i = 0; i < FLEET_STRIPES; i++)
		(void)pthread_mutex_init(&fleet->stripes[i], NULL);
	(void)pthread_mutex_init(&fleet->adding, NULL);
	(void)pthread_mutex_init(&fleet->db_lock, NULL);
	fleet->db_dir = strdup(config->db_dir);
	fleet->sets = sets_new();
	fleet->places = places_cache_new();
	if (!fleet->db_dir || !fleet->sets || !fleet->places) {
		fleet_close(fleet);
		return NULL;
	}
	return fleet;
}

static void free_slots(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->cap_pieces; i++) {
		for (size_t k = 0; fleet->pieces[i] && k < PIECE_SIZE; k++) {
			host_free(fleet->pieces[i][k].host);
			free(fleet->pieces[i][k].firsts);
			free(fleet->pieces[i][k].closed);
		}
		free(fleet->pieces[i]);
	}
	free(fleet->pieces);
}

void fleet_close(struct fleet *fleet)
{
	if (!fleet)
		return;
	for (size_t i = 0; i < fleet->n_accounts; i++) {
		roaring_bitmap_free(fleet->accounts[i]->hosts);
		closed_list_fini(&fleet->accounts[i]->closed);
		origins_fini(&fleet->accounts[i]->origins);
		free(fleet->accounts[i]);
	}
	free(fleet->accounts);
	free_slots(fleet);
	free(fleet->ids);
	free(fleet->taken);
	free(fleet->db_dir);
	for (size_t i = 0; i < FLEET_STRIPES; i++) {
		evidence_refs_fini(&fleet->evidence[i]);
		usage_days_fini(&fleet->usage[i]);
		(void)pthread_mutex_destroy(&fleet->stripes[i]);
	}
	places_cache_free(fleet->places);
	generation_drop(fleet->generation);
	sets_free(fleet->sets);
	vulndb_close(fleet->db);
	dictionary_close(fleet->dictionary);
	(void)pthread_mutex_destroy(&fleet->db_lock);
	(void)pthread_mutex_destroy(&fleet->adding);
	(void)pthread_rwlock_destroy(&fleet->world);
	(void)pthread_rwlock_destroy(&fleet->ingest);
	free(fleet);
}

int fleet_open(const struct fleet_config *config, struct fleet **ret, struct err *err)
{
	struct fleet *fleet = make(config);
	if (!fleet)
		return err_set(err, -ENOMEM, "no memory for the fleet");
	int r = journal_finish(fleet->store, err);
	if (r == 0)
		r = dictionary_open(fleet->store, &fleet->dictionary, err);
	if (r == 0)
		r = fleet_load(fleet, err);
	if (r == 0)
		r = renew_at_start(fleet, config->now_at, err);
	if (r == 0)
		fleet_tell_names(fleet);
	if (r < 0) {
		fleet_close(fleet);
		return r;
	}
	*ret = fleet;
	return 0;
}
