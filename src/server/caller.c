/* SPDX-License-Identifier: Apache-2.0 */
#include "server/caller.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/store.h"

struct account_text account_text(int64_t account)
{
	struct account_text ret = { .text = "000000000000" };
	if (account >= 0 && account <= STORE_ACCOUNT_MAX)
		(void)snprintf(ret.text, sizeof(ret.text), "%012" PRId64, account);
	return ret;
}

bool account_parse(str text, int64_t *ret)
{
	uint64_t number;
	if (text.n != 12 || !str_to_u64(text, (uint64_t)STORE_ACCOUNT_MAX, &number))
		return false;
	*ret = (int64_t)number;
	return true;
}
