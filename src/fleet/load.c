/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/load.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/matches.h"
#include "fleet/standing.h"
#include "fleet/teach.h"
#include "fleet/apply.h"

struct loader {
	struct fleet *fleet;
	struct err *err;
};

struct store_key load_generation_key(void)
{
	return (struct store_key){ .kind = KIND_META, .key = STR("generation") };
}

struct store_key load_numbers_key(void)
{
	return (struct store_key){ .kind = KIND_META, .key = STR("last-host") };
}

void load_write_generation(const struct generation *generation, struct buf *out)
{
	buf_add_u64(out, generation->number);
	buf_add_u64(out, (uint64_t)generation->made_at);
	buf_add_str(out, generation->digest);
	buf_add_str(out, generation->built_at);
}

static int damaged(const struct loader *loader, const char *what)
{
	return err_set(loader->err, -ERR_FORMAT, "the record of %s is damaged", what);
}

typedef int visit_record(void *ctx, const struct store_key *key, str value);

static int scan(struct loader *loader, enum kind kind, visit_record *visit)
{
	const struct store_range range = {
		.account = STORE_ANY_ACCOUNT,
		.bucket = STORE_ANY_BUCKET,
		.kind = (int)kind,
	};
	return store_scan(loader->fleet->store, &range, visit, loader, loader->err);
}

/* ---- the generation ---- */

static int load_generation(struct loader *loader)
{
	cleanup(arena_fini) struct arena arena = ARENA((size_t)1 << 20);
	str record, empty = { "", 0 };
	int r = store_get(
	        loader->fleet->store, load_generation_key(), &arena, &record, loader->err);
	uint64_t number = 0;
	int64_t made_at = 0;
	str digest = empty, built_at = empty;
	if (r == 0) {
		struct cursor cursor = CURSOR(record);
		number = cursor_u64(&cursor);
		made_at = (int64_t)cursor_u64(&cursor);
		digest = cursor_str(&cursor);
		built_at = cursor_str(&cursor);
		if (cursor_failed(&cursor) || cursor.rest.n > 0)
			return damaged(loader, "the generation");
	} else if (r != -ENOENT) {
		return r;
	}
	(void)fleet_time(loader->fleet, made_at);
	loader->fleet->generation = generation_new(number, made_at, digest, built_at);
	if (!loader->fleet->generation)
		return err_set(loader->err, -ENOMEM, "no memory for the generation");
	return 0;
}

/* A match of which only this much is known: the data that say the rest may be gone. */
static int load_matches(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct fleet *fleet = loader->fleet;
	cleanup(arena_fini) struct arena arena = ARENA((size_t)1 << 30);
	struct cursor cursor = CURSOR(key->key);
	element_id element = cursor_u32be(&cursor);
	struct known_match *known;
	size_t n;

	if (key->key.n != 4 || !dictionary_element_at(fleet->dictionary, element))
		return damaged(loader, "a match");
	int r = matches_read(value, &arena, &known, &n, loader->err);
	if (r < 0)
		return r;
	struct match *drafts = arena_alloc(&arena, n, sizeof(*drafts));
	struct issue *issues = arena_alloc(&arena, n, sizeof(*issues));
	if (!drafts || !issues)
		return err_set(loader->err, -ENOMEM, "no memory for matches");
	for (size_t i = 0; i < n; i++) {
		issues[i] = (struct issue){
			.vuln = known[i].vuln,
			.name = dictionary_vuln_name(fleet->dictionary, known[i].vuln),
			.score = -1,
			.epss = -1,
		};
		if (issues[i].name.n == 0)
			return damaged(loader, "a match");
		drafts[i] = (struct match){
			.issue = &issues[i],
			.fix_state = FIX_NONE,
			.matched_at = known[i].matched_at,
		};
	}
	struct prepared prepared;
	if (generation_prepare(fleet->generation, element, drafts, n, &prepared) < 0)
		return err_set(loader->err, -ENOMEM, "no memory for matches");
	generation_publish(fleet->generation, &prepared, 1);
	return 0;
}

/* ---- sets and hosts ---- */

static int load_set(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct cursor cursor = CURSOR(key->key);
	uint32_t number = cursor_u32be(&cursor);
	if (key->key.n != 4)
		return damaged(loader, "a package set");
	return sets_load(loader->fleet->sets, key->account, number, value,
	        loader->fleet->dictionary, loader->err);
}

static bool has_sets(struct fleet *fleet, const struct fleet_host *host)
{
	for (int k = 0; k < HOST_N_SETS; k++) {
		const struct package_set *set = sets_planned(fleet->sets, host->sets[k]);
		if (host->sets[k] != 0 && (!set || set->account != host->account))
			return false;
	}
	return true;
}

static int load_host(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct cursor cursor = CURSOR(key->key);
	uint64_t number = cursor_u64be(&cursor);
	struct fleet_host *host;

	if (key->key.n != 8 || number == 0 || number > UINT32_MAX ||
	        key->bucket != host_bucket(number))
		return damaged(loader, "a host");
	int r = host_read(number, key->account, value, &host, loader->err);
	if (r < 0)
		return r;
	if (!has_sets(loader->fleet, host) || fleet_host_at(loader->fleet, number) ||
	        fleet_number_of(loader->fleet, str_from_c(host->id)) != 0) {
		host_free(host);
		return damaged(loader, "a host");
	}
	const int64_t times[] = { host->state_at, host->registered_at, host->enrolled_at,
		host->eligible_since, host->changed_at, host->covered_since };
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		(void)fleet_time(loader->fleet, times[i]);
	fleet_insert(loader->fleet, host);
	return 0;
}

/* The slot of the host that a record belongs to; NULL when there is none. */
static struct slot *slot_of(const struct loader *loader, const struct store_key *key)
{
	struct cursor cursor = CURSOR(key->key);
	uint64_t number = cursor_u64be(&cursor);
	struct slot *slot = key->key.n == 8 ? fleet_slot(loader->fleet, number) : NULL;
	return slot && slot->host && slot->host->account == key->account ? slot : NULL;
}

static int load_seen(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct slot *slot = slot_of(loader, key);
	if (!slot)
		return damaged(loader, "a host's last report");
	int r = host_read_seen(&slot->host, value, loader->err);
	if (r == 0)
		(void)fleet_time(loader->fleet, atomic_load(&slot->host->seen_at));
	return r;
}

static int load_since(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct slot *slot = slot_of(loader, key);
	if (!slot)
		return damaged(loader, "what a host has since when");
	return since_read(&slot->host, value, &slot->firsts, &slot->n_firsts, loader->err);
}

/* ---- closings ---- */

/* The group with the key of a record of what is open again: its record was just before. */
static struct closing_group *group_of(struct account *account, int64_t closed_at, uint32_t counter)
{
	size_t n = account->closed.n_groups;
	struct closing_group *last = n > 0 ? account->closed.groups[n - 1] : NULL;
	bool is_it = last && last->closed_at == closed_at && last->counter == counter;
	return is_it ? last : NULL;
}

static int load_reopened(
        struct loader *loader, struct closing_group *group, uint64_t host, str value)
{
	struct cursor cursor = CURSOR(value);
	struct fleet *fleet = loader->fleet;
	struct slot *slot = fleet_slot(fleet, host);
	if (!group || !slot)
		return damaged(loader, "findings that are open again");
	while (cursor.rest.n > 0) {
		vuln_id vuln = cursor_u32(&cursor);
		struct closed_entry *entry = NULL;
		for (size_t i = 0; i < group->n; i++) {
			if (group->entries[i].finding.vuln == vuln &&
			        group->entries[i].finding.host == host)
				entry = &group->entries[i];
		}
		if (!entry || entry->is_open_again)
			return damaged(loader, "findings that are open again");
		apply_reopened(fleet, slot, &entry, 1);
	}
	return 0;
}

static bool is_good_closing(const struct fleet *fleet, const struct closed_finding *finding)
{
	for (size_t i = 0; i < finding->n_packages; i++) {
		if (!dictionary_element_at(fleet->dictionary, finding->packages[i].element))
			return false;
	}
	return dictionary_vuln_name(fleet->dictionary, finding->vuln).n > 0 &&
	       finding->host <= fleet->n_given;
}

static int load_closing(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct fleet *fleet = loader->fleet;
	struct cursor cursor = CURSOR(key->key);
	int64_t closed_at = (int64_t)cursor_u64be(&cursor);
	uint32_t counter = cursor_u32be(&cursor);
	struct account *account = fleet_account(fleet, key->account);
	struct closing_group *group;

	if (key->key.n == 20)
		return load_reopened(loader, group_of(account, closed_at, counter),
		        cursor_u64be(&cursor), value);
	if (key->key.n != 12)
		return damaged(loader, "closed findings");
	int r = closing_read(key->account, closed_at, counter, value, &group, loader->err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < group->n; i++) {
		const struct closed_finding *finding = &group->entries[i].finding;
		if (!is_good_closing(fleet, finding)) {
			free(group);
			return damaged(loader, "closed findings");
		}
		fleet_reach(fleet, finding->host);
	}
	apply_closings(fleet, group);
	if (counter > atomic_load(&fleet->n_closings))
		atomic_store(&fleet->n_closings, counter);
	return 0;
}

/* ---- the rest ---- */

static int load_usage(void *ctx, const struct store_key *key, str value)
{
	struct loader *loader = ctx;
	struct cursor cursor = CURSOR(key->key), number = CURSOR(value);
	struct usage_day day = { .account = key->account, .day = cursor_u32be(&cursor) };
	day.seconds = cursor_u64(&number);
	if (key->key.n != 4 || value.n != 8)
		return damaged(loader, "usage");
	usage_set(&loader->fleet->usage[key->bucket % FLEET_STRIPES], &day);
	return 0;
}

static int load_numbers(struct loader *loader)
{
	cleanup(arena_fini) struct arena arena = ARENA((size_t)1 << 16);
	str record;
	uint64_t number;
	int r = store_get(loader->fleet->store, load_numbers_key(), &arena, &record, loader->err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!str_to_u64(record, UINT32_MAX, &number))
		return damaged(loader, "the numbers of hosts");
	if (number > loader->fleet->n_given)
		loader->fleet->n_given = number;
	return 0;
}

int fleet_load(struct fleet *fleet, struct err *err)
{
	struct loader loader = { fleet, err };
	static const struct {
		enum kind kind;
		visit_record *visit;
	} steps[] = {
		{ KIND_MATCHES, load_matches },
		{ KIND_SET, load_set },
		{ KIND_HOST, load_host },
		{ KIND_SEEN, load_seen },
		{ KIND_SINCE, load_since },
		{ KIND_USAGE, load_usage },
	};
	int r = load_generation(&loader);
	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = scan(&loader, steps[i].kind, steps[i].visit);
	if (r == 0)
		r = load_numbers(&loader);
	if (r == 0)
		r = scan(&loader, KIND_CLOSING, load_closing);
	if (r == 0) {
		teach_learn(fleet);
		fleet_count(fleet);
	}
	return r;
}
