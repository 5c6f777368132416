/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a tree, or a JSON text. A tree that is read is one that JSON can say, and says the same
 * bytes again. */
#include <stdlib.h>
#include <string.h>

#include "aws/value_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct value *tree, str bytes)
{
	struct arena arena = ARENA((size_t)16 << 20);
	autobuf again = BUF((size_t)8 << 20), text = BUF((size_t)8 << 20);
	struct json_writer w = JSON_WRITER(&text, false);
	const struct value *read = NULL;
	value_wire_add(tree, &again);
	if (bytes.p && !str_eq(bytes, buf_str(&again)))
		abort();
	value_write_json(tree, &w);
	if (!buf_failed(&text) &&
	        value_from_json(buf_str(&text), &arena, &read, NULL) == -ERR_FORMAT)
		abort();
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA((size_t)16 << 20);
	autobuf bytes = BUF((size_t)8 << 20);
	const struct value *tree = NULL;
	str in = { (const char *)data, size };
	if (size == 0)
		return 0;
	if (value_wire_read(in, &arena, &tree, NULL) == 0)
		check(tree, in);
	if (value_from_json(in, &arena, &tree, NULL) == 0) {
		value_wire_add(tree, &bytes);
		if (value_wire_read(buf_str(&bytes), &arena, &tree, NULL) == -ERR_FORMAT)
			abort();
		check(tree, buf_str(&bytes));
	}
	arena_fini(&arena);
	return 0;
}
