/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/plan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/transition.h"

static int full(struct err *err)
{
	return err_set(err, -ERR_LIMIT, "a change of a host needs too much memory");
}

static bool list_has(const struct element_list *list, element_id element)
{
	const struct package_set set = { .elements = list->ids, .n_elements = list->n };
	return set_has(&set, element);
}

static bool has_element(const struct plan *plan, const struct standing *new, element_id element)
{
	for (int k = 0; k < HOST_N_SETS; k++) {
		if (plan->is_list[k] ? list_has(&plan->lists[k], element)
		                     : set_has(new->sets[k], element))
			return true;
	}
	return false;
}

static int by_element(const void *left, const void *right)
{
	const struct host_attach *a = left, *b = right;
	return (a->element > b->element) - (a->element < b->element);
}

/* Since when the host has which elements: those of its first inventory since that. */
static int settle_attached(
        struct plan *plan, const struct standing *old, const struct standing *new, struct err *err)
{
	size_t n = plan->old->n_attached, n_kept = 0;
	for (int k = 0; k < HOST_N_SETS; k++)
		n += plan->lists[k].n;
	struct host_attach *attached = arena_alloc(&plan->arena, n, sizeof(*attached));
	if (!attached)
		return full(err);
	for (size_t i = 0; i < plan->old->n_attached; i++) {
		if (has_element(plan, new, plan->old->attached[i].element))
			attached[n_kept++] = plan->old->attached[i];
	}
	for (int k = 0; plan->old->enrolled_at != 0 && k < HOST_N_SETS; k++) {
		const struct element_list *list = &plan->lists[k];
		for (size_t i = 0; plan->is_list[k] && i < list->n; i++) {
			if (!set_has(old->sets[k], list->ids[i]))
				attached[n_kept++] =
				        (struct host_attach){ list->ids[i], plan->now_at };
		}
	}
	if (n_kept > 1)
		qsort(attached, n_kept, sizeof(*attached), by_element);
	plan->draft.attached = attached;
	plan->draft.n_attached = n_kept;
	return 0;
}

/* An interval of coverage ends when the host leaves scanning, or had become stale before it
 * reported again. */
static void settle_usage(struct plan *plan)
{
	struct fleet_host *draft = &plan->draft;
	int bucket = host_bucket(plan->number);
	int64_t seen_at = atomic_load(&plan->old->seen_at);
	bool was_stale = plan->is_report && seen_at + FLEET_STALE_S < plan->now_at;
	if (plan->old->covered_since != 0 && (draft->state != HOST_ACTIVE || was_stale)) {
		plan->n_days = usage_plan(&plan->fleet->usage[bucket], draft->account, bucket,
		        plan->old->covered_since, usage_end(plan->old, seen_at, plan->now_at),
		        &plan->batch, plan->days);
		draft->covered_since = 0;
	}
	if (draft->covered_since == 0 && draft->state == HOST_ACTIVE && draft->enrolled_at != 0 &&
	        plan->seen_at + FLEET_STALE_S > plan->now_at)
		draft->covered_since = plan->now_at;
}

/* Which findings may be others than before. */
static void find_touched(const struct plan *plan, const struct standing *old,
        const struct standing *new, struct vulns *ret)
{
	bool is_all = plan->draft.state != plan->old->state ||
	              plan->draft.eligible_since != plan->old->eligible_since ||
	              plan->draft.enrolled_at != plan->old->enrolled_at;
	for (int k = 0; k < HOST_N_SETS; k++) {
		const struct package_set *a = old->sets[k], *b = new->sets[k];
		if (a == b && !is_all)
			continue;
		for (size_t i = 0; a && i < a->n_elements; i++) {
			if (is_all || !set_has(b, a->elements[i]))
				vulns_add(ret, old, a->elements[i]);
		}
		for (size_t i = 0; b && i < b->n_elements; i++) {
			if (is_all || !set_has(a, b->elements[i]))
				vulns_add(ret, new, b->elements[i]);
		}
	}
	vulns_sort(ret);
}

/* One vulnerability that closes: the packages, and the gravest of the issues. */
static int write_closing(struct plan *plan, const struct first *closed,
        const struct closed_match *matches, size_t n, struct closing_places *places,
        struct err *err)
{
	const struct closed_package *packages =
	        transition_packages(matches, n, places, &plan->arena);
	const struct issue *issue = matches[0].match->issue;
	if (!packages)
		return full(err);
	for (size_t i = 0; i < n; i++) {
		if (matches[i].match->issue->rank < issue->rank)
			issue = matches[i].match->issue;
	}
	struct closing_host host = {
		.number = plan->number,
		.first_observed = closed->at,
		.last_observed = atomic_load(&plan->old->seen_at),
	};
	memcpy(host.id, plan->old->id, sizeof(host.id));
	const struct closing_draft draft = {
		.issue = issue,
		.packages = packages,
		.n_packages = n,
		.hosts = &host,
		.n_hosts = 1,
	};
	closing_write(&draft, &plan->closing);
	return 0;
}

/* The inventory is read without `world`. Matches stay where they are meanwhile; which of their
 * issues is the gravest may change. */
static int settle_closings(struct plan *plan, const struct transition *t,
        const struct closed_match *matches, size_t n, struct err *err)
{
	struct fleet *fleet = plan->fleet;
	struct closing_places places = {
		.left_reads = 1,
		.left_bytes = CLOSING_HOST_BYTES,
	};
	size_t at = 0;
	if (t->n_closed == 0)
		return 0;
	int r = transition_places(fleet, plan->old, matches, n, &plan->arena, &places, err);
	if (r < 0)
		return r;
	closing_begin(plan->reason, &plan->closing);
	(void)pthread_rwlock_rdlock(&fleet->world);
	for (size_t i = 0; r == 0 && i < t->n_closed; i++) {
		size_t begin = at;
		while (at < n && matches[at].vuln == t->closed[i].vuln)
			at++;
		r = write_closing(plan, &t->closed[i], matches + begin, at - begin, &places, err);
	}
	(void)pthread_rwlock_unlock(&fleet->world);
	if (r == 0 && buf_failed(&plan->closing))
		r = full(err);
	if (r < 0)
		return r;
	uint32_t counter = atomic_fetch_add(&fleet->n_closings, 1) + 1;
	return closing_read(plan->draft.account, plan->now_at, counter, buf_str(&plan->closing),
	        &plan->group, err);
}

int plan_settle(struct plan *plan, struct err *err)
{
	struct fleet *fleet = plan->fleet;
	struct closed_match *matches = NULL;
	size_t n_matches = 0;
	(void)pthread_rwlock_rdlock(&fleet->world);
	struct standing old = standing_of(fleet, plan->old), new = old;
	new.host = &plan->draft;
	new.prepared = plan->prepared;
	new.n_prepared = plan->n_prepared;
	for (int k = 0; k < HOST_N_SETS; k++) {
		if (plan->is_list[k])
			new.sets[k] = sets_planned(fleet->sets, plan->draft.sets[k]);
		if (plan->draft.sets[k] != plan->old->sets[k])
			plan->draft.changed_at = plan->now_at;
	}
	cleanup(vulns_fini) struct vulns touched = { .n = 0 };
	struct transition t = {
		.old = &old,
		.new = &new,
		.slot = plan->slot,
		.now_at = plan->now_at,
		.arena = &plan->arena,
	};
	int r = settle_attached(plan, &old, &new, err);
	if (r == 0) {
		find_touched(plan, &old, &new, &touched);
		r = transition_make(&t, touched.items, touched.n, err);
	}
	if (r == 0 && t.n_closed > 0)
		r = transition_matches(&t, &matches, &n_matches, err);
	(void)pthread_rwlock_unlock(&fleet->world);
	if (r == 0)
		r = settle_closings(plan, &t, matches, n_matches, err);
	if (r < 0)
		return r;
	plan->firsts = t.firsts;
	plan->n_firsts = t.n_firsts;
	plan->has_firsts = t.has_firsts;
	plan->reopened = t.reopened;
	plan->n_reopened = t.n_reopened;
	settle_usage(plan);
	return 0;
}
