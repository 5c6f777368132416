/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter of custom paths: whatever it holds, only absolute paths without ".." come out, each
 * once, and what comes out reads as itself. */
#include <stdint.h>
#include <stdlib.h>

#include "plugin/roots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_rejected(void *ctx, str part)
{
	(void)ctx;
	if (part.n == 0)
		abort();
}

static void on_second(void *ctx, str part)
{
	(void)ctx;
	(void)part;
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA((size_t)1 << 20);
	struct plugin_paths paths = { .n = 0 };
	int r = plugin_paths_read(
	        (str){ (const char *)data, size }, &arena, &paths, on_rejected, NULL);
	for (size_t i = 0; r == 0 && i < paths.n; i++) {
		struct plugin_paths again = { .n = 0 };
		str path = str_from_c(paths.all[i]);
		if (path.n < 2 || path.n > PLUGIN_PATH_BYTES || path.p[0] != '/' ||
		        str_has_suffix(path, STR("/..")))
			abort();
		for (size_t k = 0; k < i; k++) {
			if (str_eq(path, str_from_c(paths.all[k])))
				abort();
		}
		if (plugin_paths_read(path, &arena, &again, on_second, NULL) == 0 &&
		        (again.n != 1 || !str_eq(path, str_from_c(again.all[0]))))
			abort();
	}
	arena_fini(&arena);
	return 0;
}
