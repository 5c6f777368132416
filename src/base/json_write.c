/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>

static void newline(struct json_writer *w)
{
	if (!w->pretty)
		return;
	buf_add_byte(w->out, '\n');
	for (unsigned i = 0; i < w->depth; i++)
		buf_add(w->out, STR("  "));
}

/* What stands between the value written last and the one to come. */
static void separate(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->comma)
		buf_add_byte(w->out, ',');
	if (w->depth > 0)
		newline(w);
}

static void open_bracket(struct json_writer *w, char c)
{
	separate(w);
	buf_add_byte(w->out, c);
	w->depth++;
	w->comma = false;
}

static void close_bracket(struct json_writer *w, char c)
{
	w->depth--;
	if (w->comma)
		newline(w);
	buf_add_byte(w->out, c);
	w->comma = true;
	if (w->depth == 0 && w->pretty)
		buf_add_byte(w->out, '\n');
}

void json_write_object(struct json_writer *w)
{
	open_bracket(w, '{');
}

void json_write_object_end(struct json_writer *w)
{
	close_bracket(w, '}');
}

void json_write_array(struct json_writer *w)
{
	open_bracket(w, '[');
}

void json_write_array_end(struct json_writer *w)
{
	close_bracket(w, ']');
}

size_t str_utf8_len(str s)
{
	if (s.n == 0)
		return 0;
	unsigned char c = (unsigned char)s.p[0];
	if (c < 0x80)
		return 1;
	size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	if (c < 0xC2 || c > 0xF4 || s.n < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xC0) != 0x80)
			return 0;
	}
	unsigned char d = (unsigned char)s.p[1];
	bool overlong = (c == 0xE0 && d < 0xA0) || (c == 0xF0 && d < 0x90);
	bool outside = (c == 0xED && d > 0x9F) || (c == 0xF4 && d > 0x8F);
	return overlong || outside ? 0 : n;
}

bool str_is_utf8(str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_len(s);
		if (n == 0)
			return false;
		s = str_skip(s, n);
	}
	return true;
}

static void add_escape(struct buf *out, char c)
{
	switch (c) {
	case '"': buf_add(out, STR("\\\"")); return;
	case '\\': buf_add(out, STR("\\\\")); return;
	case '\n': buf_add(out, STR("\\n")); return;
	case '\t': buf_add(out, STR("\\t")); return;
	case '\r': buf_add(out, STR("\\r")); return;
	default: buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c); return;
	}
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7F && c != '"' && c != '\\';
}

/*
 * Characters that JSON allows as they are, but that drive a terminal (C1 controls: C2 80 to C2 9F)
 * or turn the direction of text or end a line (U+200B to U+200F, U+2028 to U+202E, U+2060 to
 * U+206F) where a report is looked at. Returns: the code point to escape; 0 to leave the sequence
 * of n bytes as it is
 */
static unsigned harmful(str s, size_t n)
{
	unsigned c = 0;
	if (n != 2 && n != 3)
		return 0;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3Fu);
	c |= ((unsigned char)s.p[0] & (n == 2 ? 0x1Fu : 0x0Fu)) << (6 * (n - 1));
	bool is_harmful = c < 0xA0 || (c >= 0x200B && c <= 0x200F) ||
	                  (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
	                  c == 0x61C || c == 0xFEFF;
	return is_harmful ? c : 0;
}

static void add_string(struct buf *out, str s)
{
	buf_add_byte(out, '"');
	while (s.n > 0) {
		buf_add(out, str_take_while(&s, is_plain));
		if (s.n == 0)
			break;
		size_t n = str_utf8_len(s);
		if (n == 0)
			buf_add(out, STR("\xEF\xBF\xBD"));
		else if (n == 1)
			add_escape(out, s.p[0]);
		else if (harmful(s, n))
			buf_printf(out, "\\u%04x", harmful(s, n));
		else
			buf_add(out, str_head(s, n));
		s = str_skip(s, n ? n : 1);
	}
	buf_add_byte(out, '"');
}

void json_write_key_str(struct json_writer *w, str key)
{
	separate(w);
	add_string(w->out, key);
	buf_add(w->out, w->pretty ? STR(": ") : STR(":"));
	w->after_key = true;
	w->comma = true;
}

void json_write_key(struct json_writer *w, const char *key)
{
	json_write_key_str(w, str_from_c(key));
}

void json_write_number(struct json_writer *w, str text)
{
	separate(w);
	buf_add(w->out, text);
	w->comma = true;
}

void json_write_str(struct json_writer *w, str s)
{
	separate(w);
	add_string(w->out, s);
	w->comma = true;
}

void json_write_u64(struct json_writer *w, uint64_t v)
{
	separate(w);
	buf_printf(w->out, "%" PRIu64, v);
	w->comma = true;
}

/* Whole numbers only: printf writes the point that the locale asks for, and JSON knows but one. */
static void add_fixed(struct buf *out, double v, int decimals)
{
	uint64_t scale = 1;
	for (int i = 0; i < decimals; i++)
		scale *= 10;
	double scaled = (v < 0 ? -v : v) * (double)scale;
	if (scaled >= 0x1p53) { /* no digit behind the point is exact */
		buf_printf(out, "%.0f", v);
		return;
	}
	uint64_t n = (uint64_t)(scaled + 0.5);
	for (; decimals > 0 && n % 10 == 0; decimals--) {
		n /= 10;
		scale /= 10;
	}
	buf_printf(out, "%s%" PRIu64, v < 0 && n > 0 ? "-" : "", n / scale);
	if (decimals > 0)
		buf_printf(out, ".%0*" PRIu64, decimals, n % scale);
}

void json_write_double(struct json_writer *w, double v, int decimals)
{
	separate(w);
	if (isfinite(v))
		add_fixed(w->out, v, decimals);
	else
		buf_add(w->out, STR("null"));
	w->comma = true;
}

void json_write_bool(struct json_writer *w, bool v)
{
	separate(w);
	buf_add(w->out, v ? STR("true") : STR("false"));
	w->comma = true;
}

void json_write_null(struct json_writer *w)
{
	separate(w);
	buf_add(w->out, STR("null"));
	w->comma = true;
}

void json_write_member_str(struct json_writer *w, const char *key, str s)
{
	json_write_key(w, key);
	if (s.p)
		json_write_str(w, s);
	else
		json_write_null(w);
}
