/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * clock: how long something may take, and has taken.
 */

#include <stdint.h>
#include <time.h>

/**
 * The monotonic clock, in milliseconds since some moment: setting the time of day does not move it.
 */
static inline int64_t clock_ms(void)
{
	struct timespec now = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
