/* SPDX-License-Identifier: Apache-2.0 */
/* What was parsed, written and parsed again is written the same; every member is found by its key.
 */
#include <stdlib.h>

#include "aws/timestamp.h"
#include "aws/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parsed values are VALUE_DEPTH_MAX deep at most. */
static void check(const struct value *v)
{
	int64_t n;
	double d;
	if (value_i64(v, &n) && !value_f64(v, &d))
		abort();
	if (value_str(v).p &&
	        (!str_is_utf8(value_str(v)) || memchr(value_str(v).p, '\0', value_str(v).n)))
		abort();
	(void)timestamp_from_value(v, &n);
	for (size_t i = 0; i < value_count(v); i++) {
		const struct value *child = value_at(v, i);
		str key = value_key_at(v, i);
		if (key.p && value_get(v, key) != (value_kind(child) == VALUE_NULL ? NULL : child))
			abort();
		check(child);
	}
}

static void print(const struct value *v, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	value_write_json(v, &w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA(64 << 20);
	const struct value *v, *again;
	autobuf once = BUF(64 << 20);
	autobuf twice = BUF(64 << 20);
	if (value_from_json((str){ (const char *)data, size }, &arena, &v, NULL) == 0) {
		check(v);
		print(v, &once);
		if (value_from_json(buf_str(&once), &arena, &again, NULL) != 0)
			abort();
		print(again, &twice);
		if (!str_eq(buf_str(&once), buf_str(&twice)))
			abort();
	}
	arena_fini(&arena);
	return 0;
}
