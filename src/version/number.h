/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What the schemes share: numbers of any length and the identifiers of SemVer. Private to this
 * room.
 */

#include "version/version.h"

/** The order of two values that C can compare. */
#define ORDER_OF(a, b) ((a) < (b) ? ORDER_LESS : (a) > (b) ? ORDER_GREATER : ORDER_EQUAL)

static inline bool is_zero(char c)
{
	return c == '0';
}

/** Order two byte strings: memcmp, a prefix sorting first. */
static inline enum order bytes_compare(str a, str b)
{
	return ORDER_OF(str_cmp(a, b), 0);
}

/** Order two runs of digits of any length; an empty run is 0. Without leading zeros, the longer is
 * larger. */
static inline enum order number_compare(str a, str b)
{
	(void)str_take_while(&a, is_zero);
	(void)str_take_while(&b, is_zero);
	if (a.n != b.n)
		return ORDER_OF(a.n, b.n);
	return bytes_compare(a, b);
}

/** Is every byte a digit, and at least one there? */
static inline bool is_number(str s)
{
	return str_take_while(&s, is_digit).n > 0 && s.n == 0;
}

/** Remove and return the part of `s` before the next `sep`; what follows it stays. */
static inline str part_next(str *s, char sep)
{
	str head = *s;
	if (!str_split_first(*s, sep, &head, s))
		*s = (str){ NULL, 0 };
	return head;
}

/**
 * Order two dot-separated lists of numbers, each of any length; what is missing counts as 0.
 */
static inline enum order numbers_compare(str a, str b)
{
	while (a.n > 0 || b.n > 0) {
		str head_a = part_next(&a, '.');
		str head_b = part_next(&b, '.');
		enum order o = number_compare(head_a, head_b);
		if (o != ORDER_EQUAL)
			return o;
	}
	return ORDER_EQUAL;
}

/** Are these dot-separated identifiers of SemVer: letters, digits and '-', none of them empty? */
static inline bool is_identifiers(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && n == 0)
			return false;
		if (s.p[i] != '.' && s.p[i] != '-' && !is_alnum(s.p[i]))
			return false;
		n = s.p[i] == '.' ? 0 : n + 1;
	}
	return n > 0;
}

/**
 * Order two pre-releases; an empty one is a release and sorts after all of them.
 *
 * Source: Semantic Versioning 2.0.0, item 11
 */
static inline enum order prerelease_compare(str a, str b)
{
	if (a.n == 0 || b.n == 0)
		return ORDER_OF(a.n == 0, b.n == 0);

	while (a.n > 0 && b.n > 0) {
		str head_a = part_next(&a, '.');
		str head_b = part_next(&b, '.');
		bool number_a = is_number(head_a), number_b = is_number(head_b);
		enum order o = number_a != number_b ? ORDER_OF(number_b, number_a)
		               : number_a           ? number_compare(head_a, head_b)
		                                    : bytes_compare(head_a, head_b);
		if (o != ORDER_EQUAL)
			return o;
	}
	return ORDER_OF(a.n > 0, b.n > 0);
}
