/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/hold.h"

/* So many that held before more is dared. */
#define UNHURT 15

/* One that broke off sooner was not cut off for being silent. */
#define SOON_MS 15000

unsigned hold_wait_s(const struct hold *hold)
{
	return hold->wait_s == 0 ? HOLD_MOST_S : hold->wait_s;
}

void hold_ended(struct hold *hold, int64_t waited_ms, bool is_broken)
{
	unsigned wait_s = hold_wait_s(hold);
	if (is_broken && waited_ms >= SOON_MS) {
		hold->wait_s = wait_s / 2 < HOLD_LEAST_S ? HOLD_LEAST_S : wait_s / 2;
		hold->n_unhurt = 0;
		return;
	}
	/* One that ended early because there was something to say tells nothing. */
	if (is_broken || waited_ms < (int64_t)wait_s * 900)
		return;
	hold->n_unhurt++;
	if (hold->n_unhurt < UNHURT)
		return;
	hold->wait_s = wait_s * 2 > HOLD_MOST_S ? HOLD_MOST_S : wait_s * 2;
	hold->n_unhurt = 0;
}
