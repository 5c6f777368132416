/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * RECORD: what an installer wrote down of each file of a Python package, METADATA included.
 */

#include "inventory/inventory.h"

/**
 * Compare METADATA with the RECORD beside it.
 *
 * In:      metadata  a METADATA in a *.dist-info folder; hostile, and so is RECORD
 *          arena     takes windows and, up to 1 MiB, the file
 * Returns: what is odd, static; NULL when they agree, or RECORD is missing or says nothing of it
 * Source:  Python Packaging User Guide, "Recording installed projects", The RECORD file
 */
const char *pypi_record_oddity(const struct artefact *metadata, struct arena *arena);
