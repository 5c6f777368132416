/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * publisher: who says that there is a vulnerability, in Inspector's words.
 */

#include "fleet/generation.h"
#include "vulndb/vulndb.h"

/**
 * Say who publishes a finding, where it can be read, and how its publisher rates it.
 *
 * In:      finding  with at least one reason
 *          arena    takes what is made
 * Out:     issue    source, source_url, vendor_severity, record_source and record_id
 * Returns: 0; -ERR_LIMIT; -errno
 */
int publisher_describe(struct vulndb *db, const struct finding *finding, struct arena *arena,
        struct issue *issue, struct err *err);
