/* SPDX-License-Identifier: Apache-2.0 */
/* A document, a NUL and the values of its parameters. What comes out is bounded, and a document
 * that did not come with the agent is never called trusted. */
#include <stdlib.h>
#include <string.h>

#include "agent/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA((size_t)16 << 20);
	const struct value *document = NULL, *values = NULL;
	struct recipe recipe;
	str text = { (const char *)data, size }, given = { NULL, 0 };
	if (size > 0 && str_split_first(text, '\0', &text, &given) &&
	        value_from_json(given, &arena, &values, NULL) < 0)
		values = NULL;
	if (size > 0 && value_from_json(text, &arena, &document, NULL) == 0 &&
	        recipe_make(document, values, value_from_json, &arena, &recipe, NULL) == 0) {
		if (recipe.n_steps > RECIPE_STEPS_MAX || strlen(recipe.digest) != 64)
			abort();
		for (size_t i = 0; i < recipe.n_steps; i++) {
			if (recipe.steps[i].name.n == 0 || recipe.steps[i].action.n == 0)
				abort();
		}
	}
	arena_fini(&arena);
	return 0;
}
