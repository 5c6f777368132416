/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * str: a borrowed run of bytes. Never NUL-terminated, never owned, any bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
	const char *p;
	size_t n;
} str;

#define STR(lit) ((str){ (lit), sizeof(lit) - 1 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

/** View a NUL-terminated string. NULL becomes the empty string. */
static inline str str_from_c(const char *z)
{
	return (str){ z, z ? strlen(z) : 0 };
}

/** Byte equality. */
static inline bool str_eq(str a, str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** Byte order: < 0, 0 or > 0 as memcmp, a prefix sorting first. */
static inline int str_cmp(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/** Does `s` begin with `head`? */
static inline bool str_has_prefix(str s, str head)
{
	return s.n >= head.n && (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
}

/** Does `s` end with `tail`? */
static inline bool str_has_suffix(str s, str tail)
{
	return s.n >= tail.n && (tail.n == 0 || memcmp(s.p + (s.n - tail.n), tail.p, tail.n) == 0);
}

/** Is the byte one of those of `s`? */
static inline bool str_has(str s, char c)
{
	return s.n > 0 && memchr(s.p, c, s.n) != NULL;
}

/** Everything after the first `n` bytes; empty when there are fewer. */
static inline str str_skip(str s, size_t n)
{
#if defined(SONDE_LINT) && !defined(__clang__)
	/* gcc 12's analyzer forgets on its way that there are 0 bytes at the NULL. */
	n = n < s.n ? n : s.n;
	return (str){ s.p + n, s.n - n };
#endif
	return n >= s.n ? (str){ NULL, 0 } : (str){ s.p + n, s.n - n };
}

/** The first `n` bytes; all of `s` when there are fewer. */
static inline str str_head(str s, size_t n)
{
	return n >= s.n ? s : (str){ s.p, n };
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool is_alnum(char c)
{
	return is_digit(c) || is_alpha(c);
}

/** ASCII white space, line ends included. */
static inline bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/** ASCII lower case; other bytes unchanged. */
static inline char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/** Equality that ignores ASCII case. */
static inline bool str_eq_nocase(str a, str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (to_lower(a.p[i]) != to_lower(b.p[i]))
			return false;
	}
	return true;
}

/** Remove and return the longest prefix whose bytes all satisfy `is`. */
static inline str str_take_while(str *s, bool (*is)(char))
{
	size_t i = 0;
	while (i < s->n && is(s->p[i]))
		i++;
	str head = { s->p, i };
	*s = str_skip(*s, i);
	return head;
}

/** Remove and return the longest prefix with no byte that satisfies `is`. */
static inline str str_take_until(str *s, bool (*is)(char))
{
	size_t i = 0;
	while (i < s->n && !is(s->p[i]))
		i++;
	str head = { s->p, i };
	*s = str_skip(*s, i);
	return head;
}

/** Without ASCII white space at either end. */
static inline str str_trim(str s)
{
	(void)str_take_while(&s, is_space);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/** Split at the first (or last) `c`. False, and nothing written, when `c` is absent. */
static inline bool str_split_first(str s, char c, str *ret_head, str *ret_tail)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	if (!at)
		return false;
	size_t i = (size_t)(at - s.p);
	*ret_head = (str){ s.p, i };
	*ret_tail = str_skip(s, i + 1);
	return true;
}

static inline bool str_split_last(str s, char c, str *ret_head, str *ret_tail)
{
	for (size_t i = s.n; i-- > 0;) {
		if (s.p[i] != c)
			continue;
		*ret_head = (str){ s.p, i };
		*ret_tail = str_skip(s, i + 1);
		return true;
	}
	return false;
}

/** The last component of a path: what follows the last '/'. */
static inline str str_basename(str path)
{
	str dir, name;
	return str_split_last(path, '/', &dir, &name) ? name : path;
}

/** A path without its last component and that component's '/'; empty when there is none. */
static inline str str_dirname(str path)
{
	str dir, name;
	return str_split_last(path, '/', &dir, &name) ? dir : (str){ path.p, 0 };
}

/** Remove the next line, without its LF. False at the end of input. */
static inline bool str_next_line(str *s, str *ret_line)
{
	if (s->n == 0)
		return false;
	if (!str_split_first(*s, '\n', ret_line, s)) {
		*ret_line = *s;
		*s = (str){ NULL, 0 };
	}
	return true;
}

/**
 * Read a decimal number that makes up all of `s`.
 *
 * In:      s    digits only; no sign, no white space, not empty
 *          max  the largest value accepted
 * Out:     ret  written on success only
 * Returns: false when `s` is anything else or larger
 */
static inline bool str_to_u64(str s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(s.p[i] - '0');
		if (!is_digit(s.p[i]) || v > (max - (digit <= max ? digit : max)) / 10)
			return false;
		v = v * 10 + digit;
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}
