/* SPDX-License-Identifier: Apache-2.0 */
#include <roaring/roaring.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fleet/plan.h"

/* Limits of PutInventory (Systems Manager API reference, InventoryItem), and what is more than
 * anybody sends. */
#define ITEMS_MAX 64u
#define TYPE_MAX_BYTES 100u
#define SCHEMA_MAX_BYTES 64u
#define TIME_MAX_BYTES 64u
#define HASH_MAX_BYTES 256u

static int check(const struct report_item *item, struct err *err)
{
	if (item->type.n == 0 || item->type.n > TYPE_MAX_BYTES ||
	        item->schema_version.n > SCHEMA_MAX_BYTES ||
	        item->capture_time.n > TIME_MAX_BYTES || item->content_hash.n > HASH_MAX_BYTES)
		return err_set(err, -ERR_LIMIT, "a name, time or hash of an item is too long");
	if (item->has_content && item->content.n > EVIDENCE_MAX_BYTES)
		return err_set(err, -ERR_LIMIT, "the content of " STR_FMT " is too long",
		        STR_ARG(item->type));
	return 0;
}

/* The same content once more, or its hash: it moves the times. */
static void refresh(struct plan *plan, struct planned_item *planned, const struct report_item *item)
{
	planned->item.captured_at = item->captured_at;
	planned->item.capture_time = item->capture_time;
	planned->item.received_at = plan->now_at;
	if (item->has_content) {
		planned->item.content_hash = item->content_hash;
		planned->item.schema_version = item->schema_version;
	}
}

/* Take one item into the draft. */
static int take(struct plan *plan, const struct report_item *item, enum report_verdict *ret_verdict,
        struct err *err)
{
	struct planned_item *planned = plan_item(plan, item->type);
	*ret_verdict = REPORT_TAKEN;
	if (!item->has_content && !planned) {
		*ret_verdict = REPORT_NO_CONTENT;
		return 0;
	}
	if (!item->has_content &&
	        (item->content_hash.n == 0 ||
	                !str_eq(item->content_hash, planned->item.content_hash))) {
		*ret_verdict = REPORT_OTHER_HASH;
		return 0;
	}
	if (planned && item->captured_at < planned->item.captured_at) {
		*ret_verdict = REPORT_STALE;
		return 0;
	}
	plan->is_report |= type_has_packages(item->type);
	if (!item->has_content) {
		refresh(plan, planned, item);
		return 0;
	}
	unsigned char digest[SHA256_BYTES];
	hash_sha256(item->content, digest);
	if (!planned)
		planned = plan_add_item(plan, item->type);
	else if (memcmp(digest, planned->item.evidence, sizeof(digest)) == 0) {
		refresh(plan, planned, item);
		return 0;
	}
	if (!planned)
		return err_set(err, -ERR_LIMIT, "a report needs too much memory");
	planned->content = item->content.p ? item->content : (str){ "", 0 };
	memcpy(planned->item.evidence, digest, sizeof(digest));
	refresh(plan, planned, item);
	return 0;
}

/* Take all items, or find out that one stands against it. Returns: how many were taken; a class */
static int take_all(struct plan *plan, const struct report_item *items, size_t n,
        enum report_verdict *ret_verdict, size_t *ret_item, struct err *err)
{
	int n_taken = 0;
	*ret_verdict = REPORT_TAKEN;
	*ret_item = 0;
	for (size_t i = 0; i < n; i++) {
		enum report_verdict verdict = REPORT_TAKEN;
		int r = check(&items[i], err);
		if (r == 0)
			r = take(plan, &items[i], &verdict, err);
		if (r < 0)
			return r;
		n_taken += verdict == REPORT_TAKEN;
		if (verdict != REPORT_TAKEN && *ret_verdict == REPORT_TAKEN) {
			*ret_verdict = verdict;
			*ret_item = i;
		}
		if (verdict == REPORT_NO_CONTENT || verdict == REPORT_OTHER_HASH) {
			*ret_verdict = verdict;
			*ret_item = i;
			return 0;
		}
	}
	return n_taken;
}

/* Take what is metered from what the host may report a day. Returns: whether it suffices */
static bool take_quota(struct plan *plan, const struct report_item *items, size_t n)
{
	struct fleet_host *draft = &plan->draft;
	uint32_t day = (uint32_t)(plan->now_at / DAY_S);
	uint64_t bytes = 0, so_far = draft->day == day ? draft->day_bytes : 0;
	for (size_t i = 0; i < n; i++) {
		if (items[i].is_metered)
			bytes += items[i].content.n;
	}
	if (bytes > 0 && so_far + bytes > FLEET_DAY_BYTES)
		return false;
	draft->day = day;
	draft->day_bytes = (uint32_t)(so_far + bytes);
	return true;
}

static void count(
        struct fleet *fleet, const struct report_item *items, size_t n, enum report_verdict verdict)
{
	bool has_content = false;
	for (size_t i = 0; i < n; i++)
		has_content |= items[i].has_content;
	(void)atomic_fetch_add(&fleet->n_reports, 1);
	if (verdict == REPORT_TAKEN && !has_content)
		(void)atomic_fetch_add(&fleet->n_hash_only, 1);
	if (verdict == REPORT_STALE)
		(void)atomic_fetch_add(&fleet->n_stale, 1);
}

int fleet_report(struct fleet *fleet, uint64_t number, const struct report_item *items, size_t n,
        int64_t now_at, enum report_verdict *ret_verdict, size_t *ret_item, struct err *err)
{
	enum report_verdict verdict;
	size_t which;
	struct plan plan;
	if (n > ITEMS_MAX)
		return err_set(err, -ERR_LIMIT, "more than %u items in one report", ITEMS_MAX);
	int r = plan_begin(fleet, number, fleet_time(fleet, now_at), &plan, err);
	if (r < 0)
		return r;
	if (!take_quota(&plan, items, n)) {
		plan_end(&plan);
		*ret_verdict = REPORT_OVER_QUOTA;
		*ret_item = 0;
		return 0;
	}
	r = take_all(&plan, items, n, &verdict, &which, err);
	if (r > 0) {
		if (plan.is_report) {
			plan.seen_at = plan.now_at;
			if (plan.draft.enrolled_at == 0)
				plan.draft.enrolled_at = plan.now_at;
		}
		r = plan_sets(&plan, err);
		if (r == 0)
			r = plan_settle(&plan, err);
		if (r == 0)
			r = plan_commit(&plan, err);
	}
	plan_end(&plan);
	if (r < 0)
		return r;
	count(fleet, items, n, verdict);
	*ret_verdict = verdict;
	*ret_item = which;
	return 0;
}

/* Returns: 1 when the host had such items; 0; a class */
static int forget(struct fleet *fleet, uint64_t number, str type, int64_t now_at, struct err *err)
{
	struct plan plan;
	int r = plan_begin(fleet, number, fleet_time(fleet, now_at), &plan, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	struct planned_item *item = plan_item(&plan, type);
	if (item) {
		plan_remove_item(&plan, item);
		r = plan_sets(&plan, err);
		if (r == 0)
			r = plan_settle(&plan, err);
		if (r == 0)
			r = plan_commit(&plan, err);
	}
	plan_end(&plan);
	return r < 0 ? r : item != NULL;
}

int64_t fleet_forget_type(
        struct fleet *fleet, int64_t account, str type, int64_t now_at, struct err *err)
{
	fleet_lock(fleet);
	const roaring_bitmap_t *hosts = fleet_hosts(fleet, account);
	size_t n = (size_t)roaring_bitmap_get_cardinality(hosts);
	autofree uint32_t *numbers = calloc(n > 0 ? n : 1, sizeof(*numbers));
	if (numbers)
		roaring_bitmap_to_uint32_array(hosts, numbers);
	fleet_unlock(fleet);
	if (!numbers)
		return err_set(err, -ENOMEM, "no memory for a list of hosts");

	int64_t n_forgotten = 0;
	for (size_t i = 0; i < n; i++) {
		int r = forget(fleet, numbers[i], type, now_at, err);
		if (r < 0)
			return r;
		n_forgotten += r;
	}
	return n_forgotten;
}
