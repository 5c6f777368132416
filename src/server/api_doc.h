/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * api_doc: docs/api.md, from the rows of operations.def and their shapes.
 */

#include "base/buf.h"

/** Write the page. */
void api_doc_write(struct buf *out);
