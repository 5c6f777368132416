/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/renew.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "fleet/apply.h"
#include "fleet/load.h"
#include "fleet/match_fleet.h"
#include "fleet/sure.h"

#define CHUNK 4096u
/* A side batch with so many names of vulnerabilities is committed before it takes more. */
#define BATCH_FULL 3000u

struct renewal {
	struct fleet *fleet;
	int64_t now_at;
	struct vulndb *db;
	struct generation *old, *new;
	struct store_batch batch; /* names of vulnerabilities */
	struct prepared *prepared;
	size_t n_prepared, cap_prepared;
	bool *is_done; /* by element */
	size_t cap_done;
};

static void renewal_fini(struct renewal *renewal)
{
	dictionary_committed(renewal->fleet->dictionary, &renewal->batch, false);
	store_batch_fini(&renewal->batch);
	free(renewal->prepared);
	free(renewal->is_done);
	generation_drop(renewal->new);
	vulndb_close(renewal->db);
}

static uint64_t now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- matching ---- */

static int commit_names(struct renewal *renewal, struct err *err)
{
	int r = store_commit(renewal->fleet->store, &renewal->batch, err);
	dictionary_committed(renewal->fleet->dictionary, &renewal->batch, r == 0);
	store_batch_fini(&renewal->batch);
	store_batch_init(&renewal->batch, 0);
	return r;
}

static int flush(void *ctx, struct store_batch *batch, struct err *err)
{
	return batch->n < BATCH_FULL ? 0 : commit_names(ctx, err);
}

/* A match that was known is as old as it was. */
static int64_t since(void *ctx, element_id element, vuln_id vuln)
{
	struct renewal *renewal = ctx;
	(void)pthread_rwlock_rdlock(&renewal->fleet->world);
	const struct match *match = generation_match(renewal->old, element, vuln);
	int64_t at = match ? match->matched_at : renewal->now_at;
	(void)pthread_rwlock_unlock(&renewal->fleet->world);
	return at;
}

static int match_chunk(struct renewal *renewal, element_id *ids, size_t n, struct err *err)
{
	const struct matching matching = {
		.db = renewal->db,
		.dictionary = renewal->fleet->dictionary,
		.generation = renewal->new,
		.batch = &renewal->batch,
		.flush = flush,
		.since = since,
		.ctx = renewal,
		.keeps_remarks = true,
	};
	renewal->prepared = sure_reach(renewal->prepared, renewal->n_prepared + n,
	        &renewal->cap_prepared, sizeof(*renewal->prepared));
	int r = match_elements(&matching, ids, n, renewal->prepared + renewal->n_prepared, err);
	if (r < 0)
		return r;
	renewal->n_prepared += n;
	for (size_t i = 0; i < n; i++)
		renewal->is_done[ids[i]] = true;
	return 0;
}

static bool is_known(const struct renewal *renewal, element_id element)
{
	(void)pthread_rwlock_rdlock(&renewal->fleet->world);
	bool is = generation_knows(renewal->old, element);
	(void)pthread_rwlock_unlock(&renewal->fleet->world);
	return is;
}

/* Match what is not matched yet, but for elements of changes that failed, which the store does not
 * know: they join when a change of theirs succeeds. Only elements that the old generation knows, if
 * only_known: the others may be about to join it, with the time of their matches. */
static int match_all(struct renewal *renewal, bool only_known, struct err *err)
{
	const struct dictionary *dictionary = renewal->fleet->dictionary;
	element_id last = dictionary_n_elements(dictionary);
	autofree element_id *ids = calloc(CHUNK, sizeof(*ids));
	size_t n = 0;
	int r = 0;
	if (!ids)
		return err_set(err, -ENOMEM, "no memory for matching");
	renewal->is_done = sure_reach(renewal->is_done, last, &renewal->cap_done, sizeof(bool));
	for (element_id e = 1; r == 0 && e <= last; e++) {
		if (renewal->is_done[e] || !dictionary_element_is_durable(dictionary, e) ||
		        (only_known && !is_known(renewal, e)))
			continue;
		ids[n++] = e;
		if (n < CHUNK)
			continue;
		r = match_chunk(renewal, ids, n, err);
		n = 0;
	}
	if (r == 0 && n > 0)
		r = match_chunk(renewal, ids, n, err);
	return r;
}

/* ---- damaged sources ---- */

/* Is a source left out of all answers? Its problem is a remark of the generation. */
static bool has_problem(const struct renewal *renewal)
{
	size_t n;
	bool has = false;
	const struct vulndb_problem *problems = vulndb_problems(renewal->db, &n);
	for (size_t i = 0; i < n; i++) {
		fleet_tell(renewal->fleet, STR_FMT, STR_ARG(problems[i].text));
		(void)generation_remark(renewal->new, problems[i].text);
		has |= problems[i].source.n > 0;
	}
	return has;
}

/* An old match as the new generation would describe it, if it describes the vulnerability at all.
 */
static struct match draft_of(const struct renewal *renewal, const struct match *old)
{
	struct match draft = *old;
	uint32_t first;
	if (old->issue->record_id.n == 0 &&
	        generation_issues_of(renewal->new, old->issue->vuln, &first) > 0)
		draft.issue = renewal->new->issues[first];
	return draft;
}

/* Nothing is closed on the word of a damaged source: matches that it may have made stay. */
static int keep_old(struct renewal *renewal, struct prepared *prepared, struct err *err)
{
	cleanup(arena_fini) struct arena arena = ARENA((size_t)1 << 30);
	size_t n_old, n = 0;
	const struct match *old = generation_matches(renewal->old, prepared->element, &n_old);
	struct match *drafts = arena_alloc(&arena, n_old + prepared->n, sizeof(*drafts));
	if (!drafts)
		return err_set(err, -ENOMEM, "no memory for matches");
	for (size_t i = 0, k = 0; i < n_old; i++) {
		while (k < prepared->n && prepared->matches[k].issue->vuln < old[i].issue->vuln)
			k++;
		if (k == prepared->n || prepared->matches[k].issue->vuln != old[i].issue->vuln)
			drafts[n++] = draft_of(renewal, &old[i]);
	}
	if (n == 0)
		return 0;
	for (size_t i = 0; i < prepared->n; i++)
		drafts[n++] = prepared->matches[i];
	if (generation_prepare(renewal->new, prepared->element, drafts, n, prepared) < 0)
		return err_set(err, -ENOMEM, "no memory for matches");
	return 0;
}

/* Make everything that was matched part of the new generation. */
static int publish(struct renewal *renewal, struct err *err)
{
	int r = 0;
	if (has_problem(renewal)) {
		fleet_tell(renewal->fleet,
		        "a source of vulnerability data is damaged: findings stay open that only "
		        "it could close");
		for (size_t i = 0; r == 0 && i < renewal->n_prepared; i++)
			r = keep_old(renewal, &renewal->prepared[i], err);
	}
	if (r == 0)
		generation_publish(renewal->new, renewal->prepared, renewal->n_prepared);
	return r;
}

/* ---- exchanging ---- */

static void apply(struct renewal *renewal, struct outcome *outcome)
{
	struct fleet *fleet = renewal->fleet;
	(void)pthread_rwlock_wrlock(&fleet->world);
	struct generation *old = fleet->generation;
	fleet->generation = TAKE(renewal->new);
	for (size_t i = 0; i < outcome->n_hosts; i++) {
		struct slot *slot = fleet_slot(fleet, outcome->hosts[i].number);
		if (outcome->hosts[i].has_firsts)
			apply_firsts(slot, outcome->hosts[i].firsts, outcome->hosts[i].n_firsts);
		apply_reopened(
		        fleet, slot, outcome->hosts[i].reopened, outcome->hosts[i].n_reopened);
	}
	for (size_t i = 0; i < outcome->n_groups; i++)
		apply_closings(fleet, TAKE(outcome->groups[i]));
	fleet_count(fleet);
	(void)pthread_rwlock_unlock(&fleet->world);
	generation_drop(old);

	(void)pthread_mutex_lock(&fleet->db_lock);
	vulndb_close(fleet->db);
	fleet->db = TAKE(renewal->db);
	(void)pthread_mutex_unlock(&fleet->db_lock);
}

/* Write what differs, and exchange. With `ingest` alone. */
static int exchange(struct renewal *renewal, struct err *err)
{
	struct fleet *fleet = renewal->fleet;
	cleanup(outcome_fini) struct outcome outcome = { .n_hosts = 0 };
	autobuf record = BUF((size_t)1 << 16);
	bool waits = false, is_same = str_eq(renewal->old->digest, renewal->new->digest);
	int r = publish(renewal, err);
	if (r == 0)
		r = commit_names(renewal, err);
	if (r == 0)
		r = outcome_make(fleet, renewal->old, renewal->new, renewal->now_at, &outcome, err);
	if (r < 0)
		return r;
	if (is_same && outcome.n_elements == 0) {
		renewal->new->number = renewal->old->number;
		renewal->new->made_at = renewal->old->made_at;
	} else {
		load_write_generation(renewal->new, &record);
		journal_put(&outcome.journal, load_generation_key(), buf_str(&record));
	}
	r = journal_commit(&outcome.journal, fleet->store, &waits, err);
	if (r < 0)
		return r;
	atomic_store(&fleet->has_journal, waits);
	apply(renewal, &outcome);
	return 0;
}

/* Returns: 0; -ENOENT when there is no database; what vulndb_open() says */
static int begin(struct fleet *fleet, int64_t now_at, struct renewal *ret, struct err *err)
{
	*ret = (struct renewal){
		.fleet = fleet,
		.now_at = fleet_time(fleet, now_at),
		.old = fleet->generation,
	};
	store_batch_init(&ret->batch, 0);
	int r = vulndb_open(fleet->db_dir, &ret->db, err);
	if (r < 0)
		return r;
	ret->new = generation_new(fleet->generation->number + 1, ret->now_at,
	        vulndb_digest(ret->db), vulndb_built_at(ret->db));
	return ret->new ? 0 : err_set(err, -ENOMEM, "no memory for a generation");
}

int renew_at_start(struct fleet *fleet, int64_t now_at, struct err *err)
{
	struct err why = { 0 };
	cleanup(renewal_fini) struct renewal renewal = { .fleet = fleet };
	int r = begin(fleet, now_at, &renewal, &why);
	if (r < 0 && r != -ENOMEM) {
		fleet_tell(fleet, "no vulnerability data are used: %s", why.text);
		return 0;
	}
	if (r == 0)
		r = match_all(&renewal, false, &why);
	if (r == 0)
		r = exchange(&renewal, &why);
	if (r == -ENOMEM)
		return err_set(err, r, "%s", why.text);
	/* A full disk must not keep anybody from looking; fleet_renew() tries again. */
	if (r < 0)
		fleet_tell(fleet, "the vulnerability data cannot be used yet: %s", why.text);
	return 0;
}

static bool is_present(const struct fleet *fleet, const struct vulndb *db)
{
	return fleet->db && str_eq(fleet->generation->digest, vulndb_digest(db));
}

static int renew(struct fleet *fleet, int64_t now_at, struct err *err)
{
	cleanup(renewal_fini) struct renewal renewal = { .fleet = fleet };
	int r = begin(fleet, now_at, &renewal, err);
	if (r == 0 && is_present(fleet, renewal.db))
		return 0;
	if (r == 0)
		r = match_all(&renewal, fleet->db != NULL, err);
	if (r < 0)
		return r;
	r = fleet_begin_alone(fleet, err);
	if (r < 0)
		return r;
	r = match_all(&renewal, false, err);
	if (r == 0)
		r = exchange(&renewal, err);
	fleet_end(fleet);
	return r < 0 ? r : 1;
}

int fleet_renew(struct fleet *fleet, int64_t now_at, struct err *err)
{
	struct err why = { 0 };
	uint64_t begin_us = now_us();
	int r = renew(fleet, now_at, &why);
	if (r == -ENOENT && !fleet->db)
		return 0;
	if (r < 0) {
		fleet_tell(fleet, "the former vulnerability data stay: %s", why.text);
		return err_set(err, r, "%s", why.text);
	}
	if (r == 0)
		return 0;
	(void)atomic_fetch_add(&fleet->n_renewals, 1);
	atomic_store(&fleet->renew_us, now_us() - begin_us);
	fleet_tell(fleet, "the vulnerability data are those of " STR_FMT,
	        STR_ARG(fleet->generation->built_at));
	return 1;
}
