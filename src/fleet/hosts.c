/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/cleanup.h"
#include "fleet/plan.h"
#include "fleet/sure.h"

/* ---- taking up ---- */

/* Keep an id for one who is about to add a host with it. Returns: 0; -EEXIST; -ERR_LIMIT */
static int take_id(struct fleet *fleet, const char *id, uint64_t *ret_number, struct err *err)
{
	(void)pthread_mutex_lock(&fleet->adding);
	(void)pthread_rwlock_rdlock(&fleet->world);
	bool is_taken = fleet_number_of(fleet, str_from_c(id)) != 0;
	(void)pthread_rwlock_unlock(&fleet->world);
	for (size_t i = 0; i < fleet->n_taken; i++)
		is_taken |= strcmp(fleet->taken[i], id) == 0;
	int r = is_taken ? -EEXIST : fleet->n_given == UINT32_MAX ? -ERR_LIMIT : 0;
	if (r == 0) {
		fleet->taken = sure_grow(
		        fleet->taken, fleet->n_taken, &fleet->cap_taken, sizeof(*fleet->taken));
		fleet->taken[fleet->n_taken++] = id;
		*ret_number = ++fleet->n_given;
	}
	(void)pthread_mutex_unlock(&fleet->adding);
	return r < 0 ? err_set(err, r, "host %s %s", id,
	                       r == -EEXIST ? "is there already" : "is one too many")
	             : 0;
}

static void release_id(struct fleet *fleet, const char *id)
{
	(void)pthread_mutex_lock(&fleet->adding);
	for (size_t i = 0; i < fleet->n_taken; i++) {
		if (fleet->taken[i] == id) {
			fleet->taken[i] = fleet->taken[--fleet->n_taken];
			break;
		}
	}
	(void)pthread_mutex_unlock(&fleet->adding);
}

static int put_new(const struct fleet_host *host, struct store_batch *batch, struct err *err)
{
	autobuf record = BUF(STORE_SHORT_MAX_BYTES), seen = BUF(STORE_SHORT_MAX_BYTES);
	const struct key key = key_u64(host->number);
	int bucket = host_bucket(host->number);
	host_write(host, &record);
	host_write_seen(host, 0, &seen);
	if (buf_failed(&record) || buf_failed(&seen))
		return err_set(
		        err, -ERR_LIMIT, "host %s has more tags and facts than fit", host->id);
	store_batch_put(batch, key_at(host->account, bucket, KIND_HOST, &key), buf_str(&record));
	store_batch_put(batch, key_at(host->account, bucket, KIND_SEEN, &key), buf_str(&seen));
	return 0;
}

static void change_draft(struct fleet_host *draft, const struct host_change *change)
{
	if (change->is_ec2)
		draft->is_ec2 = *change->is_ec2;
	if (change->has_tags) {
		draft->tags = change->tags;
		draft->n_tags = change->n_tags;
	}
}

static int by_key(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;
	return str_cmp(a->key, b->key);
}

/* The facts of a new host: sorted, without empty ones; the last of a key counts. */
static size_t sort_facts(const struct pair *facts, size_t n, struct pair *ret)
{
	size_t n_kept = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (k < n_kept && !str_eq(ret[k].key, facts[i].key))
			k++;
		ret[k] = facts[i];
		n_kept += k == n_kept;
	}
	size_t n_full = 0;
	for (size_t i = 0; i < n_kept; i++) {
		if (ret[i].value.n > 0)
			ret[n_full++] = ret[i];
	}
	if (n_full > 1)
		qsort(ret, n_full, sizeof(*ret), by_key);
	return n_full;
}

static struct fleet_host *make_new(int64_t account, const char *id, uint64_t number,
        const struct host_change *change, int64_t now_at)
{
	autofree struct pair *facts = calloc(change->n_facts + 1, sizeof(*facts));
	if (!facts)
		return NULL;
	struct fleet_host draft = {
		.number = number,
		.account = account,
		.state = change->state ? *change->state : HOST_ACTIVE,
		.state_at = now_at,
		.registered_at = now_at,
		.eligible_since = now_at,
		.facts = facts,
		.n_facts = sort_facts(change->facts, change->n_facts, facts),
	};
	memcpy(draft.id, id, sizeof(draft.id));
	change_draft(&draft, change);
	return host_make(&draft);
}

int fleet_host_add(struct fleet *fleet, int64_t account, const char *id,
        const struct host_change *change, int64_t now_at, struct store_batch *with,
        uint64_t *ret_number, struct err *err)
{
	cleanup(store_batch_fini) struct store_batch own;
	store_batch_init(&own, 0);
	struct store_batch *batch = with ? with : &own;
	uint64_t number = 0;
	if (!host_id_is_good(str_from_c(id)) || account < 0 || account > STORE_ACCOUNT_MAX)
		return err_set(err, -EINVAL, "'%s' is no id of a host", id);
	int r = fleet_begin(fleet, err);
	if (r < 0)
		return r;
	r = take_id(fleet, id, &number, err);
	if (r < 0) {
		fleet_end(fleet);
		return r;
	}
	struct fleet_host *host = make_new(account, id, number, change, fleet_time(fleet, now_at));
	r = host ? put_new(host, batch, err) : err_set(err, -ENOMEM, "no memory for a host");
	if (r == 0)
		r = store_commit(fleet->store, batch, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&fleet->stripes[host_bucket(number)]);
		(void)pthread_rwlock_wrlock(&fleet->world);
		fleet_insert(fleet, TAKE(host));
		(void)pthread_rwlock_unlock(&fleet->world);
		(void)pthread_mutex_unlock(&fleet->stripes[host_bucket(number)]);
		*ret_number = number;
	}
	release_id(fleet, id);
	host_free(host);
	fleet_end(fleet);
	return r;
}

/* ---- changing ---- */

int fleet_host_change(struct fleet *fleet, uint64_t number, const struct host_change *change,
        int64_t now_at, struct err *err)
{
	struct plan plan;
	int r = plan_begin(fleet, number, fleet_time(fleet, now_at), &plan, err);
	if (r < 0)
		return r;
	change_draft(&plan.draft, change);
	if (change->state)
		plan_state(&plan, *change->state);
	if (change->n_facts > 0)
		r = plan_facts(&plan, change->facts, change->n_facts, err);
	if (r == 0)
		r = plan_sets(&plan, err);
	if (r == 0)
		r = plan_settle(&plan, err);
	if (r == 0)
		r = plan_commit(&plan, err);
	plan_end(&plan);
	return r;
}
