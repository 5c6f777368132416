/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte picks an operation, the rest is a body: validation gives an answer, and the
 * problems and their sentence are consistent. As an input the body is also gathered by REST.
 */
#include <stdlib.h>

#include "aws/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct shape *shape, const struct value *v, struct arena *arena)
{
	struct shape_problems problems = SHAPE_PROBLEMS(arena);
	autobuf sentence = BUF(16 << 20);
	int r = shape_validate(shape, v, &problems);
	if (r == 0 ? problems.n_all != 0 : r == -ERR_FORMAT && problems.n == 0)
		abort();
	if (problems.n > SHAPE_PROBLEMS_MAX || problems.n > problems.n_all)
		abort();
	shape_problems_add_sentence(&problems, &sentence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	struct arena arena = ARENA(16 << 20);
	const struct value *v, *input;
	if (size == 0)
		return 0;
	const struct operation_shape *op = &all[data[0] % n];
	str body = { (const char *)data + 1, size - 1 };
	struct rest_route route = { .operation = op };
	if (value_from_json(body, &arena, &v, NULL) == 0) {
		check(op->input, v, &arena);
		check(op->output, v, &arena);
		if (rest_input(&route, body, v, &arena, &input, NULL) == 0)
			check(op->input, input, &arena);
	}
	(void)rest_route(STR("inspector2"), STR("GET"), body, &arena, &route);
	arena_fini(&arena);
	return 0;
}
