/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mark of a page token, as any bytes. Properties: what is read is written as the same bytes; cut
 * short, it is refused; no number in it is one that cannot be compared.
 */
#include <math.h>
#include <stdlib.h>

#include "fleet/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str bytes = { (const char *)data, size };
	struct arena arena = ARENA((size_t)1 << 20);
	autobuf again = BUF((size_t)1 << 20);
	struct query_mark mark, other;

	if (query_mark_read(bytes, &arena, &mark) == 0) {
		demand(mark.is_set == (size > 0));
		demand(!isnan(mark.number));
		query_mark_write(&mark, &again);
		demand(!buf_failed(&again) && str_eq(buf_str(&again), bytes));
		demand(size < 2 ||
		        query_mark_read(str_head(bytes, size - 1), &arena, &other) == -ERR_FORMAT);
	}
	arena_fini(&arena);
	return 0;
}
