/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pattern: regular expressions that users write (allowedPattern of a document's parameter,
 * AllowedPattern of a stored parameter), matched without backtracking: no expression makes a match
 * slow. What the expression needs beyond the usual (references, look-around) is refused when it is
 * read.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/** Longest expression, in bytes; most instructions that it may become. */
#define PATTERN_MAX 4096
#define PATTERN_CODE_MAX 4000

struct pattern;

/**
 * Read an expression: literals, '.', classes, \d \w \s \D \W \S, groups, '|', '*', '+', '?',
 * "{m,n}", '^' and '$'.
 *
 * Out:     ret  arena
 * Returns: 0; -ERR_FORMAT, -ERR_UNSUPPORTED with a sentence; -ERR_LIMIT when it is too large
 */
int pattern_read(str text, struct arena *arena, struct pattern **ret, struct err *err);

/**
 * Does the expression match some part of a string? Anchors make it the whole.
 *
 * Cost:    O(|s| * size of the expression), one allocation of fixed size; without memory nothing
 * matches
 */
bool pattern_matches(const struct pattern *pattern, str s);
