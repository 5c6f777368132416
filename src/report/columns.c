/* SPDX-License-Identifier: Apache-2.0 */
#include "report/columns.h"

#include <errno.h>

int columns_write(const struct columns *columns, struct buf *out)
{
#ifdef HAVE_SMARTCOLS
	int r = columns->n_rows > 0 ? columns_smartcols(columns, out) : -ENOSYS;
	if (r != -ENOSYS)
		return r;
#endif
	return columns_plain(columns, out);
}
