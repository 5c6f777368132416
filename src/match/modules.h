/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * modules: rpm modularity. A package of a module stream is only compared with builds of that
 * stream.
 */

#include "model/advisory.h"
#include "model/package.h"

/** Was this rpm version built in a module: "1.2-3.module_el8.5.0+119+9a9ec082", "...module+el8..."?
 */
bool module_is_build(str version);

/**
 * May an affected entry speak of this package?
 *
 * Returns: false when one of the two is a build of a module and the other is not, so that their
 *          versions are of different lines; true when the entry names no fix
 */
bool module_allows(const struct package *pkg, const struct advisory_affected *affected);

/**
 * Is the stream of a package among those that the title of an advisory names?
 *
 * In:      label  "nodejs:12:8040020210817133458:522a0ee4"; may be empty
 *          title  "Important: nodejs:14 security and bug fix update"
 * Returns: true also when either names no stream
 */
bool module_stream_fits(str label, str title);
