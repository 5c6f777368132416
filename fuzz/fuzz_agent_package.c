/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest. What is chosen of it can be put into a path, and has a digest and a bounded size. */
#include <stdlib.h>
#include <string.h>

#include "agent/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct host host = {
		.os_id = STR("debian"), .os_version = STR("12.1"), .arch = STR("x86_64")
	};
	struct arena arena = ARENA((size_t)16 << 20);
	const struct value *tree = NULL;
	struct package_choice choice;
	if (size > 0 &&
	        value_from_json((str){ (const char *)data, size }, &arena, &tree, NULL) == 0 &&
	        package_choose(tree, &host, value_get_str(tree, STR("name")), (str){ NULL, 0 },
	                &choice, NULL) == 0) {
		if (!package_is_word(choice.version) || !package_is_word(choice.file) ||
		        choice.bytes == 0 || choice.bytes > PACKAGE_ARCHIVE_MAX ||
		        strlen(choice.sha256) != SHA256_HEX_SIZE - 1)
			abort();
	}
	arena_fini(&arena);
	return 0;
}
