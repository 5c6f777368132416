/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * usage: how long hosts were covered. What is over is kept as seconds per account and day, in the
 * bucket of the host; what goes on is in the host's record.
 */

#include "fleet/host.h"
#include "store/store.h"

#define DAY_S INT64_C(86400)

/** Seconds of one account on one day, of the hosts of one bucket. */
struct usage_day {
	int64_t account;
	uint32_t day; /* since 1970 */
	uint64_t seconds;
};

/** The days of a bucket. Zero is none. */
struct usage_days {
	struct usage_day *items;
	size_t n, cap;
};

/** Release. */
void usage_days_fini(struct usage_days *days);

/** Set a day. Never fails: see sure.h. */
void usage_set(struct usage_days *days, const struct usage_day *day);

/** Forget the days of one account before `day`. */
void usage_forget(struct usage_days *days, int64_t account, uint32_t day);

/** When the coverage of a host that is covered ends: now, or when it became stale. */
int64_t usage_end(const struct fleet_host *host, int64_t seen_at, int64_t now_at);

/** At most so many days are touched by one interval: what is older is of no use. */
#define USAGE_DAYS_MAX 32

/**
 * Add an interval to what a bucket has.
 *
 * Out:     ret  the new values of the days touched, USAGE_DAYS_MAX at most
 *          batch  takes their records
 * Returns: how many
 */
size_t usage_plan(const struct usage_days *days, int64_t account, int bucket, int64_t from,
        int64_t to, struct store_batch *batch, struct usage_day ret[USAGE_DAYS_MAX]);

/**
 * Seconds of an account from a time until now. Of the day of `from` a part counts, in proportion;
 * today counts as it is, for all of it is over.
 */
double usage_sum(const struct usage_days *days, int64_t account, int64_t from, int64_t now_at);
