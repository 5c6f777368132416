/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Reports made in memory, for the tests of this room.
 */

#include "report/report.h"

/** The report of that name: "scan", "inventory", "hostile", "empty"; NULL if there is none. Static.
 */
const struct report *sample_report(const char *name);
