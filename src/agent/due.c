/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/due.h"

int64_t due_last(struct due_ahead *ahead, int64_t last_at, int64_t now)
{
	if (last_at <= now) {
		*ahead = (struct due_ahead){ 0 };
		return last_at;
	}
	if (ahead->last_at != last_at || ahead->counted_at > now)
		*ahead = (struct due_ahead){ .last_at = last_at, .counted_at = now };
	return ahead->counted_at;
}

int due_at(const struct due *due, int64_t now, int64_t *ret_at, struct err *err)
{
	struct schedule schedule;
	int64_t last_at = due->ran_at > due->last_at ? due->ran_at : due->last_at;
	/* What is called running, and was not begun by this process, was cut off with an earlier
	 * one. */
	bool is_cut_off = str_eq(due->detailed_status, STR("InProgress")) && due->ran_at <= 0;
	bool is_pending = str_eq(due->detailed_status, STR("Pending")) || is_cut_off;

	if (is_pending || last_at <= 0) {
		*ret_at = now;
		return 0;
	}
	if (due->expression.n == 0) {
		bool is_open = due->ran_at <= 0 && str_eq(due->detailed_status, STR("Associated"));
		*ret_at = is_open ? now : DUE_NEVER;
		return 0;
	}
	int r = schedule_read(due->expression, &schedule, err);
	if (r < 0)
		return r;
	if (last_at > now)
		last_at = now;
	int64_t next = schedule_next(&schedule, last_at, due->offset_days);
	*ret_at = next == 0 ? DUE_NEVER : next;
	return 0;
}
