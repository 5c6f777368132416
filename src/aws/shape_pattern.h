/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Patterns: the regular expressions that constrain strings, translated by tools/make-shapes into
 * programs for a matcher that never backtracks.
 *
 * A pattern is to match the whole string, as Amazon's services read them.
 */

#include "base/str.h"

struct shape_pattern;

/** The expression as the model spells it, for messages; static. */
const char *shape_pattern_text(const struct shape_pattern *pattern);

/**
 * Does a string satisfy a pattern?
 *
 * In:      s  any bytes; what is not UTF-8 matches nothing
 * Cost:    time O(|s| * size of the pattern), memory fixed, no allocation
 */
bool shape_pattern_matches(const struct shape_pattern *pattern, str s);

/** The pattern of an expression, as the model spells it; static. NULL if no shape has it. */
const struct shape_pattern *shape_pattern_find(str text);
