/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Which paths a walk leaves out: the caller's exclusions, and the storage of container engines.
 */

#include "base/str.h"

/**
 * Does a shell pattern match a whole text? As fnmatch(3) without flags in the C locale: '*' and '?'
 * match any byte, '/' too; "[a-z]" and "[!a-z]"; '\' takes the next byte as it is.
 *
 * Cost:    O(|pattern| * |text|), no allocation; no locale
 * Source:  POSIX.1-2017, Shell & Utilities, 2.13 Pattern Matching Notation
 */
bool filter_glob(str pattern, str text);

/**
 * Is a path excluded? A pattern with none of "*?[" is a path: it excludes itself and what is below
 * it.
 *
 * In:      path  absolute inside the root, without a slash at the end; "" is the root
 */
bool filter_excludes(const char *const *excludes, size_t n_excludes, str path);

/** Where a container engine keeps its files: a whole path, or the end of one when it starts with a
 * star. */
struct storage {
	const char *pattern;
};

/** The engine's storage that this path is the top of, or NULL. Static. */
const struct storage *filter_storage(str path);

/** Is a path the top of a container engine's storage, or below one? */
bool filter_is_in_storage(str path);

/** Call `each` with the text that ends every pattern of filter_storage(). */
void filter_each_storage(void (*each)(void *ctx, str tail), void *ctx);
