/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any form, by the shape of each operation of the Query protocols: what is decoded is a tree that
 * can be validated, and decodes the same when its parameters come in another order.
 */
#include <stdlib.h>

#include "aws/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct value *v, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	value_write_json(v, &w);
}

/* The same parameters, last first. */
static void reverse(str form, struct buf *out)
{
	str head, tail;
	while (str_split_last(form, '&', &head, &tail)) {
		buf_add(out, tail);
		buf_add_byte(out, '&');
		form = head;
	}
	buf_add(out, form);
}

static void check(enum protocol protocol, const struct operation_shape *op, str form, str reversed)
{
	struct arena arena = ARENA(16 << 20);
	struct shape_problems problems = SHAPE_PROBLEMS(&arena);
	const struct value *v, *w;
	autobuf once = BUF(16 << 20);
	autobuf twice = BUF(16 << 20);
	if (query_decode(protocol, op->input, form, &arena, &v, NULL) == 0) {
		(void)shape_validate(op->input, v, &problems);
		if (query_decode(protocol, op->input, reversed, &arena, &w, NULL) != 0)
			abort();
		print(v, &once);
		print(w, &twice);
		if (!str_eq(buf_str(&once), buf_str(&twice)))
			abort();
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	str form = { (const char *)data, size };
	struct arena arena = ARENA(16 << 20);
	struct query_call call;
	autobuf reversed = BUF(1 << 20);
	reverse(form, &reversed);
	(void)query_call(form, &arena, &call, NULL);
	arena_fini(&arena);
	for (size_t i = 0; i < n && !buf_failed(&reversed); i++) {
		enum protocol protocol;
		if (protocol_of(str_from_c(all[i].service), &protocol) &&
		        (protocol == PROTOCOL_QUERY || protocol == PROTOCOL_EC2))
			check(protocol, &all[i], form, buf_str(&reversed));
	}
	return 0;
}
