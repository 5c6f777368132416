/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schedule, as any bytes. Property: what is read has a next time that is later than the moment it
 * was asked for, on a whole minute for cron, and asking again from there goes on forward.
 */
#include <stdlib.h>

#include "ssm/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct schedule schedule;
	struct err err = { 0 };
	int64_t after = INT64_C(1767225600);

	if (schedule_read((str){ (const char *)data, size }, &schedule, &err) < 0) {
		if (err.text[0] == '\0')
			abort();
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		int64_t next = schedule_next(&schedule, after, i);
		if (next == 0)
			break;
		if (next <= after || (schedule.kind == SCHEDULE_CRON && next % 60 != 0))
			abort();
		after = next;
	}
	return 0;
}
