/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile parser could send: a package that is taken has type, name and version, and
 * survives the way back. */
#include <stdint.h>
#include <stdlib.h>

#include "collect/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor cursor = CURSOR(((str){ (const char *)data, size }));
	struct package pkg, again;
	if (!wire_get_package(&cursor, &pkg))
		return 0;
	if (pkg.type.n == 0 || pkg.name.n == 0 || pkg.version.n == 0)
		abort();
	struct buf out = BUF((size_t)1 << 20);
	if (wire_put_package(&out, &pkg)) {
		struct cursor back = CURSOR(str_skip(buf_str(&out), 1));
		if (!wire_get_package(&back, &again) || !str_eq(again.note, pkg.note) ||
		        !str_eq(again.name, pkg.name) || again.confidence != pkg.confidence)
			abort();
	}
	buf_fini(&out);
	return 0;
}
