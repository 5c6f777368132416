/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/json.h"

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof(ranges) / sizeof((ranges)[0]), c)

/* C1 controls; what cannot be seen; what turns the direction of writing or ends a line; tags. */
static const struct range unsafe[] = { { 0x80, 0x9F }, { 0xAD, 0xAD }, { 0x61C, 0x61C },
	{ 0x180E, 0x180E }, { 0x200B, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F },
	{ 0xFEFF, 0xFEFF }, { 0xFFF9, 0xFFFB }, { 0xE0000, 0xE0FFF } };

static const struct range wide[] = { { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0xA4CF },
	{ 0xA960, 0xA97C }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F },
	{ 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F900, 0x1F9FF },
	{ 0x20000, 0x3FFFD } };

static const struct range combining[] = { { 0x300, 0x36F }, { 0x483, 0x489 }, { 0x591, 0x5BD },
	{ 0x610, 0x61A }, { 0x64B, 0x65F }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF },
	{ 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F } };

/* The code point of a well-formed sequence of n bytes. */
static uint32_t decode(str s, size_t n)
{
	uint32_t c = (unsigned char)s.p[0];
	if (n == 1)
		return c;
	c &= 0x7Fu >> n;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3F);
	return c;
}

void text_escape(struct buf *out, str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_len(s);
		uint32_t c = n > 0 ? decode(s, n) : 0;
		bool is_safe = c >= 0x20 && c != 0x7F && c != '\\' && !IS_IN(unsafe, c);
		n = n > 0 ? n : 1;
		for (size_t i = 0; i < n; i++) {
			if (is_safe)
				buf_add_byte(out, s.p[i]);
			else
				buf_printf(out, "\\%03o", (unsigned)(unsigned char)s.p[i]);
		}
		s = str_skip(s, n);
	}
}

void text_escape_lines(struct buf *out, str s)
{
	for (str line, rest = s; str_next_line(&rest, &line);) {
		text_escape(out, line);
		if (rest.n > 0 || str_has_suffix(s, STR("\n")))
			buf_add_byte(out, '\n');
	}
}

/* The first character's bytes and columns. */
static size_t next_char(str s, size_t *ret_width)
{
	size_t n = str_utf8_len(s);
	uint32_t c = n > 0 ? decode(s, n) : 0;
	*ret_width = c < 0x300 ? 1 : IS_IN(combining, c) ? 0 : IS_IN(wide, c) ? 2 : 1;
	return n > 0 ? n : 1;
}

size_t text_width(str s)
{
	size_t sum = 0;
	while (s.n > 0) {
		size_t width;
		s = str_skip(s, next_char(s, &width));
		sum += width;
	}
	return sum;
}

/* The bytes of the longest beginning that is at most `width` columns wide. */
static size_t fitting(str s, size_t width)
{
	size_t n = 0;
	while (n < s.n) {
		size_t columns, bytes = next_char(str_skip(s, n), &columns);
		if (columns > width)
			break;
		width -= columns;
		n += bytes;
	}
	return n;
}

void text_cut_middle(struct buf *out, str s, size_t width)
{
	static const str dots = { "...", 3 };
	size_t all = text_width(s);
	if (all <= width || width <= dots.n) {
		buf_add(out, s);
		return;
	}
	size_t keep = width - dots.n, tail = keep / 2;
	size_t cut = fitting(s, all - tail);
	buf_add(out, str_head(s, fitting(s, keep - tail)));
	buf_add(out, dots);
	buf_add(out, str_skip(s, cut));
}
