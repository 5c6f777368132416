/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount table. Its paths are names that users chose. The first line is the root folder, the
 * rest the table.
 */
#include <stdint.h>
#include <stdlib.h>

#include "walk/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA(16u << 20);
	str text = { (const char *)data, size }, root = { NULL, 0 };
	struct mounts mounts = { 0 };

	(void)str_next_line(&text, &root);
	if (root.n > 0 && root.p[0] == '/' && mounts_parse(text, root, &arena, &mounts) == 0) {
		if (mounts.n == 0 || mounts_find(&mounts, STR("")) != 0)
			abort();
		for (size_t i = 1; i < mounts.n; i++) {
			const struct mount *m = &mounts.mounts[i];
			if (m->path.n == 0 || m->path.p[0] != '/' ||
			        m->why != mounts_why_not(m->type, m->path, m->options))
				abort();
			if (mounts_find(&mounts, m->path) >= mounts.n)
				abort();
		}
		(void)mounts_find(&mounts, root);
	}
	arena_fini(&arena);
	return 0;
}
