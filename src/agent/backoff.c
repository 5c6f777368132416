/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/backoff.h"

uint64_t backoff_random(uint64_t *seed)
{
	uint64_t x = *seed ? *seed : 0x9e3779b97f4a7c15u;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*seed = x;
	return x * 0x2545f4914f6cdd1du;
}

int64_t backoff_failed(struct backoff *backoff, int64_t retry_after_s)
{
	int64_t most = BACKOFF_FIRST_MS;
	for (unsigned i = 0; i < backoff->n_failures && most < BACKOFF_MOST_MS; i++)
		most *= 2;
	if (most > BACKOFF_MOST_MS)
		most = BACKOFF_MOST_MS;
	if (backoff->n_failures < 64)
		backoff->n_failures++;
	int64_t wait = (int64_t)(backoff_random(&backoff->seed) % (uint64_t)(most + 1));
	if (retry_after_s > BACKOFF_RETRY_AFTER_MAX_S)
		retry_after_s = BACKOFF_RETRY_AFTER_MAX_S;
	/* The jitter is kept on top: all were told the same number. */
	return retry_after_s > 0 ? retry_after_s * 1000 + wait : wait;
}

void backoff_worked(struct backoff *backoff)
{
	backoff->n_failures = 0;
}
