/* SPDX-License-Identifier: Apache-2.0 */
/* A canonical form that is read is written again as it was. */
#include <stdlib.h>

#include "base/buf.h"
#include "fleet/element.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str form = { (const char *)data, size };
	struct element element;
	autobuf again = BUF(ELEMENT_MAX_BYTES);
	if (element_read(form, &element, NULL) < 0)
		return 0;
	element_write(&element, &again);
	if (!str_eq(form, buf_str(&again)) || element.package.name.n == 0)
		abort();
	return 0;
}
