/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What the tests of matching share: affected entries out of OSV's JSON, and files of the reference
 * data.
 */

#include "base/buf.h"
#include "base/json.h"
#include "model/advisory.h"

/**
 * Read an `affected` array.
 *
 * In:      json   fails the test when it is not such an array
 *          arena  takes everything
 * Out:     ret    entries whose ranges of other types than SEMVER and ECOSYSTEM are left out
 * Returns: how many entries
 */
size_t affected_read(str json, struct arena *arena, struct advisory_affected **ret);

/** The path of the reference data, or of something in it; static until the next call. */
const char *shared_path(const char *below);

/** Read a file of the reference data. Returns: false, having said what is missing, when there is
 * none */
bool shared_read(const char *below, struct buf *out);
