/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts are alike: whether a set of packages would become another one is asked once for each set
 * and count, not for each host. A pass over an account goes on where the call before ended, and
 * what is learnt while it runs begins another.
 */
#include "fleet/teach.h"

#include <errno.h>
#include <roaring/roaring.h>

#include "base/cleanup.h"
#include "fleet/plan.h"

/* Most hosts that are changed, and sets that are asked about, in one call. */
#define HOSTS_MAX 64u
#define SETS_MAX 256u

static bool is_told(const struct fleet_host *host)
{
	const struct host_item *word = elements_word(host, HOST_OS_SET);
	return word && !elements_lack_sources(word->type);
}

void teach_learn(struct fleet *fleet)
{
	roaring_bitmap_t *done[2] = { roaring_bitmap_create(), roaring_bitmap_create() };
	if (!done[0] || !done[1])
		abort();
	for (size_t i = 0; i < fleet->n_accounts; i++) {
		struct account *account = fleet->accounts[i];
		roaring_uint32_iterator_t at;
		for (roaring_init_iterator(account->hosts, &at); at.has_value;
		        roaring_advance_uint32_iterator(&at)) {
			const struct fleet_host *host = fleet_host_at(fleet, at.current_value);
			uint32_t number = host->sets[HOST_OS_SET];
			const struct package_set *set = sets_at(fleet->sets, number);
			if (set && roaring_bitmap_add_checked(done[is_told(host)], number))
				origins_learn(&account->origins, fleet->dictionary, set->elements,
				        set->n_elements, is_told(host));
		}
	}
	roaring_bitmap_free(done[0]);
	roaring_bitmap_free(done[1]);
}

/* ---- hosts ---- */

/* Sets that were asked about: number, count, and the answer. */
struct asked {
	uint32_t set;
	uint64_t n_by_name;
	bool differs;
};

struct pass {
	struct fleet *fleet;
	struct account *account;
	struct asked asked[SETS_MAX];
	size_t n_asked;
	uint64_t hosts[HOSTS_MAX];
	size_t n_hosts;
};

/* Does the host have to be changed? False in *ret_known when the call has asked enough. */
static bool has_to_change(struct pass *pass, const struct fleet_host *host, bool *ret_known)
{
	uint32_t set = host->sets[HOST_OS_SET];
	uint64_t n_by_name = fleet_host_by_name(host);
	*ret_known = true;
	for (size_t i = pass->n_asked; i-- > 0;) {
		if (pass->asked[i].set == set && pass->asked[i].n_by_name == n_by_name)
			return pass->asked[i].differs;
	}
	*ret_known = pass->n_asked < SETS_MAX;
	if (!*ret_known)
		return false;
	bool differs = elements_would_differ(pass->fleet, sets_at(pass->fleet->sets, set),
	        &pass->account->origins, (size_t)n_by_name);
	pass->asked[pass->n_asked++] = (struct asked){ set, n_by_name, differs };
	return differs;
}

/* Gather hosts. Returns: whether the pass is at its end. With `world`. */
static bool gather(struct pass *pass)
{
	struct origins *origins = &pass->account->origins;
	roaring_uint32_iterator_t at;
	if (origins->next == 0)
		origins->n_begun = origins_count(origins);
	roaring_init_iterator(pass->account->hosts, &at);
	(void)roaring_move_uint32_iterator_equalorlarger(&at, (uint32_t)origins->next);
	for (; at.has_value; roaring_advance_uint32_iterator(&at)) {
		const struct fleet_host *host = fleet_host_at(pass->fleet, at.current_value);
		const struct host_item *word = elements_word(host, HOST_OS_SET);
		bool is_known = true;
		if (!word || !elements_lack_sources(word->type))
			continue;
		bool has_to = has_to_change(pass, host, &is_known);
		if (!is_known || pass->n_hosts == HOSTS_MAX) {
			origins->next = at.current_value;
			return false;
		}
		if (has_to)
			pass->hosts[pass->n_hosts++] = at.current_value;
	}
	origins->next = 0;
	origins->n_applied = origins->n_begun;
	return true;
}

static int change(struct fleet *fleet, uint64_t number, int64_t now_at, struct err *err)
{
	struct plan plan;
	int r = plan_begin(fleet, number, fleet_time(fleet, now_at), &plan, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	const struct host_item *word = elements_word(plan.old, HOST_OS_SET);
	if (word && elements_lack_sources(word->type)) {
		r = plan_remake(&plan, err);
		if (r == 0)
			r = plan_sets(&plan, err);
		if (r == 0)
			r = plan_settle(&plan, err);
		if (r == 0)
			r = plan_commit(&plan, err);
	}
	plan_end(&plan);
	return r;
}

/* One account. Returns: 1 when there is more to do; 0; a class */
static int teach_account(struct fleet *fleet, size_t i, int64_t now_at, struct err *err)
{
	struct pass pass = { .fleet = fleet };
	fleet_lock(fleet);
	pass.account = i < fleet->n_accounts ? fleet->accounts[i] : NULL;
	bool is_over = true;
	if (pass.account &&
	        origins_count(&pass.account->origins) != pass.account->origins.n_applied)
		is_over = gather(&pass);
	fleet_unlock(fleet);
	for (size_t k = 0; k < pass.n_hosts; k++) {
		int r = change(fleet, pass.hosts[k], now_at, err);
		/* One that becomes too much stays as it is. */
		if (r < 0 && r != -ERR_LIMIT) {
			/* What was not done is found again. */
			pass.account->origins.next = pass.hosts[k];
			pass.account->origins.n_applied = 0;
			return r;
		}
	}
	return !is_over;
}

int teach_hosts(struct fleet *fleet, int64_t now_at, struct err *err)
{
	int more = 0;
	fleet_lock(fleet);
	size_t n = fleet->n_accounts;
	fleet_unlock(fleet);
	for (size_t i = 0; i < n; i++) {
		int r = teach_account(fleet, i, now_at, err);
		if (r < 0)
			return r;
		more |= r;
	}
	return more;
}
