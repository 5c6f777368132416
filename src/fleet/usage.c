/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/usage.h"

#include <stdlib.h>

#include "base/buf.h"
#include "fleet/inside.h"
#include "fleet/keys.h"
#include "fleet/sure.h"

void usage_days_fini(struct usage_days *days)
{
	free(days->items);
	*days = (struct usage_days){ .n = 0 };
}

static struct usage_day *find(const struct usage_days *days, int64_t account, uint32_t day)
{
	for (size_t i = 0; i < days->n; i++) {
		if (days->items[i].account == account && days->items[i].day == day)
			return &days->items[i];
	}
	return NULL;
}

void usage_set(struct usage_days *days, const struct usage_day *day)
{
	struct usage_day *at = find(days, day->account, day->day);
	if (at) {
		at->seconds = day->seconds;
		return;
	}
	days->items = sure_grow(days->items, days->n, &days->cap, sizeof(*days->items));
	days->items[days->n++] = *day;
}

void usage_forget(struct usage_days *days, int64_t account, uint32_t day)
{
	size_t n = 0;
	for (size_t i = 0; i < days->n; i++) {
		if (days->items[i].account != account || days->items[i].day >= day)
			days->items[n++] = days->items[i];
	}
	days->n = n;
}

int64_t usage_end(const struct fleet_host *host, int64_t seen_at, int64_t now_at)
{
	int64_t end = seen_at + FLEET_STALE_S < now_at ? seen_at + FLEET_STALE_S : now_at;
	return end > host->covered_since ? end : host->covered_since;
}

size_t usage_plan(const struct usage_days *days, int64_t account, int bucket, int64_t from,
        int64_t to, struct store_batch *batch, struct usage_day ret[USAGE_DAYS_MAX])
{
	size_t n = 0;
	if (from < to - (USAGE_DAYS_MAX - 2) * DAY_S)
		from = to - (USAGE_DAYS_MAX - 2) * DAY_S;
	if (from < 0)
		from = 0;
	while (from < to && n < USAGE_DAYS_MAX) {
		uint32_t day = (uint32_t)(from / DAY_S);
		int64_t end = (int64_t)(day + 1) * DAY_S;
		end = end < to ? end : to;
		const struct usage_day *before = find(days, account, day);
		ret[n] = (struct usage_day){ account, day, before ? before->seconds : 0 };
		ret[n].seconds += (uint64_t)(end - from);

		char bytes[sizeof(uint64_t)];
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(ret[n].seconds >> (8 * i) & 0xFF);
		const struct key key = key_u32(day);
		store_batch_put(batch, key_at(account, bucket, KIND_USAGE, &key),
		        (str){ bytes, sizeof(bytes) });
		n++;
		from = end;
	}
	return n;
}

double usage_sum(const struct usage_days *days, int64_t account, int64_t from, int64_t now_at)
{
	double sum = 0;
	for (size_t i = 0; i < days->n; i++) {
		const struct usage_day *day = &days->items[i];
		int64_t begin = day->day * DAY_S, end = begin + DAY_S;
		if (day->account != account || end <= from || begin >= now_at)
			continue;
		int64_t inside = end - (begin > from ? begin : from);
		sum += (double)day->seconds * (double)inside / (double)DAY_S;
	}
	return sum;
}
