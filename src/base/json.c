/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader keeps no stack: the caller's own nesting of loops is the stack, and json_skip() needs
 * only a depth counter, because inside a skipped value brackets need to be balanced, not matched by
 * kind: a bit mask of open brackets (one bit a level, JSON_DEPTH_MAX levels) checks that too.
 */
#include "base/json.h"

static void fail(struct json *j, const char *why)
{
	if (j->fail)
		return;
	j->fail = why;
	j->fail_at = j->rest.p && j->start ? (size_t)(j->rest.p - j->start) : 0;
	j->rest = (str){ NULL, 0 };
}

static bool is_json_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct json *j)
{
	size_t i = 0;
	while (i < j->rest.n && is_json_space(j->rest.p[i]))
		i++;
	j->rest.p += i; /* kept inside the text, so that a position can be told at its end */
	j->rest.n -= i;
}

static void advance(struct json *j, size_t n)
{
	j->rest.p += n;
	j->rest.n -= n;
}

enum json_kind json_peek(struct json *j)
{
	if (j->fail || j->rest.n == 0)
		return JSON_NONE;
	skip_space(j);
	if (j->rest.n == 0)
		return JSON_NONE;
	switch (j->rest.p[0]) {
	case '{': return JSON_OBJECT;
	case '[': return JSON_ARRAY;
	case '"': return JSON_STRING;
	case 't': return JSON_TRUE;
	case 'f': return JSON_FALSE;
	case 'n': return JSON_NULL;
	default: return j->rest.p[0] == '-' || is_digit(j->rest.p[0]) ? JSON_NUMBER : JSON_NONE;
	}
}

static bool hex4(str s, uint32_t *ret)
{
	uint32_t v = 0;
	if (s.n < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		char c = to_lower(s.p[i]);
		if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v * 16 + (uint32_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*ret = v;
	return true;
}

static bool simple_escape(char c, char *ret)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;
	if (!at)
		return false;
	*ret = to[at - from];
	return true;
}

/* The length of the escape at the front of `s`, behind its backslash; 0 if it is none. */
static size_t escape_len(str s)
{
	uint32_t code;
	char c;
	if (s.n > 0 && s.p[0] == 'u')
		return hex4(str_skip(s, 1), &code) ? 5 : 0;
	return s.n > 0 && simple_escape(s.p[0], &c) ? 1 : 0;
}

/* The text between the quotes, escapes checked but untouched; *ret_plain when there are none. */
static bool scan_string(struct json *j, str *ret_text, bool *ret_plain)
{
	const char *p = j->rest.p + 1, *end = j->rest.p + j->rest.n;
	bool plain = true;
	for (; p < end && *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return fail(j, "control byte in a string"), false;
		if (*p == '\\') {
			size_t n = escape_len((str){ p + 1, (size_t)(end - p) - 1 });
			if (n == 0)
				return fail(j, "bad escape in a string"), false;
			plain = false;
			p += n;
		}
	}
	if (p >= end)
		return fail(j, "string without an end"), false;
	*ret_text = (str){ j->rest.p + 1, (size_t)(p - j->rest.p) - 1 };
	*ret_plain = plain;
	advance(j, (size_t)(p - j->rest.p) + 1);
	return true;
}

static size_t put_utf8(char *at, uint32_t c)
{
	if (c < 0x80) {
		at[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		at[0] = (char)(0xC0 | c >> 6);
		at[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		at[0] = (char)(0xE0 | c >> 12);
		at[1] = (char)(0x80 | (c >> 6 & 0x3F));
		at[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	at[0] = (char)(0xF0 | c >> 18);
	at[1] = (char)(0x80 | (c >> 12 & 0x3F));
	at[2] = (char)(0x80 | (c >> 6 & 0x3F));
	at[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* One \u escape behind the "\u"; eats it, and the second half of a surrogate pair. */
static bool unicode_escape(str *s, uint32_t *ret)
{
	uint32_t c, low;
	if (!hex4(*s, &c))
		return false;
	*s = (str){ s->p + 4, s->n - 4 };
	if (c >= 0xD800 && c < 0xDC00 && s->n >= 6 && s->p[0] == '\\' && s->p[1] == 'u' &&
	        hex4(str_skip(*s, 2), &low) && low >= 0xDC00 && low < 0xE000) {
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		*s = (str){ s->p + 6, s->n - 6 };
	}
	*ret = c >= 0xD800 && c < 0xE000 ? 0xFFFD : c;
	return true;
}

/* A decoded string is never longer than its escaped text: \uXXXX is 6 bytes for at most 3 (12 for
 * 4). */
static bool decode(struct json *j, str text, str *ret)
{
	char *out = j->arena ? arena_alloc(j->arena, text.n + 1, 1) : NULL;
	size_t n = 0;
	if (!out)
		return fail(j, "out of memory for a string"), false;
	while (text.n > 0) {
		if (text.p[0] != '\\') {
			out[n++] = text.p[0];
			text = (str){ text.p + 1, text.n - 1 };
			continue;
		}
		char c = text.n > 1 ? text.p[1] : '\0';
		text = str_skip(text, 2);
		uint32_t code;
		if (c == 'u' && unicode_escape(&text, &code))
			n += put_utf8(out + n, code);
		else if (simple_escape(c, &out[n]))
			n++;
		else
			return fail(j, "bad escape in a string"), false;
	}
	*ret = (str){ out, n };
	return true;
}

bool json_string(struct json *j, str *ret)
{
	str text;
	bool plain;
	if (json_peek(j) != JSON_STRING)
		return json_skip(j), false;
	if (!scan_string(j, &text, &plain))
		return false;
	if (!plain)
		return decode(j, text, ret);
	*ret = text;
	return true;
}

static bool take_literal(struct json *j, str word)
{
	if (!str_has_prefix(j->rest, word))
		return fail(j, "not a JSON value"), false;
	advance(j, word.n);
	return true;
}

/* RFC 8259 section 6: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool take_number(struct json *j, str *ret)
{
	str s = j->rest;
	if (s.n > 0 && s.p[0] == '-')
		s = str_skip(s, 1);
	str whole = str_take_while(&s, is_digit);
	bool good = whole.n > 0 && (whole.n == 1 || whole.p[0] != '0');
	if (good && s.n > 0 && s.p[0] == '.') {
		s = str_skip(s, 1);
		good = str_take_while(&s, is_digit).n > 0;
	}
	if (good && s.n > 0 && (s.p[0] == 'e' || s.p[0] == 'E')) {
		s = str_skip(s, 1);
		if (s.n > 0 && (s.p[0] == '+' || s.p[0] == '-'))
			s = str_skip(s, 1);
		good = str_take_while(&s, is_digit).n > 0;
	}
	if (!good)
		return fail(j, "bad number"), false;
	*ret = str_head(j->rest, j->rest.n - s.n);
	advance(j, ret->n);
	return true;
}

bool json_number(struct json *j, str *ret)
{
	if (json_peek(j) != JSON_NUMBER)
		return json_skip(j), false;
	return take_number(j, ret);
}

bool json_bool(struct json *j, bool *ret)
{
	enum json_kind kind = json_peek(j);
	if (kind != JSON_TRUE && kind != JSON_FALSE)
		return json_skip(j), false;
	if (!take_literal(j, kind == JSON_TRUE ? STR("true") : STR("false")))
		return false;
	*ret = kind == JSON_TRUE;
	return true;
}

static bool begin(struct json *j, enum json_kind kind)
{
	if (json_peek(j) != kind)
		return json_skip(j), false;
	if (j->depth >= JSON_DEPTH_MAX)
		return fail(j, "nested too deeply"), false;
	advance(j, 1);
	j->depth++;
	j->fresh = true;
	return true;
}

/* Comma or end of the innermost bracket; true when an element follows. */
static bool next(struct json *j, char end)
{
	if (j->fail)
		return false;
	skip_space(j);
	if (j->rest.n > 0 && j->rest.p[0] == end) {
		advance(j, 1);
		j->depth--;
		j->fresh = false;
		return false;
	}
	if (!j->fresh) {
		if (j->rest.n == 0 || j->rest.p[0] != ',')
			return fail(j, "expected ',' or the end of an object or array"), false;
		advance(j, 1);
		skip_space(j);
	}
	j->fresh = false;
	if (j->rest.n == 0)
		return fail(j, "text ends inside an object or array"), false;
	return true;
}

bool json_object_begin(struct json *j)
{
	return begin(j, JSON_OBJECT);
}

bool json_array_begin(struct json *j)
{
	return begin(j, JSON_ARRAY);
}

bool json_next_key(struct json *j, str *ret_key)
{
	str key;
	if (j->fail || j->depth == 0 || !next(j, '}'))
		return false;
	if (json_peek(j) != JSON_STRING)
		return fail(j, "expected a key"), false;
	if (!json_string(j, &key))
		return false;
	skip_space(j);
	if (j->rest.n == 0 || j->rest.p[0] != ':')
		return fail(j, "expected ':'"), false;
	advance(j, 1);
	*ret_key = key;
	return true;
}

bool json_next_element(struct json *j)
{
	return !j->fail && j->depth > 0 && next(j, ']');
}

static void skip_scalar(struct json *j, enum json_kind kind)
{
	str text;
	bool plain;
	switch (kind) {
	case JSON_STRING: (void)scan_string(j, &text, &plain); return;
	case JSON_NUMBER: (void)take_number(j, &text); return;
	case JSON_TRUE: (void)take_literal(j, STR("true")); return;
	case JSON_FALSE: (void)take_literal(j, STR("false")); return;
	case JSON_NULL: (void)take_literal(j, STR("null")); return;
	case JSON_NONE:
	case JSON_OBJECT:
	case JSON_ARRAY:
	default: fail(j, "expected a value"); return;
	}
}

void json_skip(struct json *j)
{
	unsigned base = j->depth;
	uint64_t is_object = 0; /* bit n: the bracket opened at base + n is '{' */
	do {
		enum json_kind kind = json_peek(j);
		if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
			unsigned level = j->depth - base;
			if (!begin(j, kind))
				return;
			is_object &= ~(1ull << level);
			is_object |= (uint64_t)(kind == JSON_OBJECT) << level;
		} else {
			skip_scalar(j, kind);
		}
		while (!j->fail && j->depth > base) {
			str key;
			bool object = is_object >> (j->depth - base - 1) & 1;
			if (object ? json_next_key(j, &key) : json_next_element(j))
				break;
		}
	} while (!j->fail && j->depth > base);
}

str json_raw(struct json *j)
{
	(void)json_peek(j);
	const char *at = j->rest.p;
	json_skip(j);
	return j->fail ? (str){ NULL, 0 } : (str){ at, (size_t)(j->rest.p - at) };
}

int json_finish(struct json *j, struct err *err)
{
	if (!j->fail) {
		skip_space(j);
		if (j->depth > 0)
			fail(j, "text ends inside an object or array");
		else if (j->rest.n > 0)
			fail(j, "more text behind the value");
	}
	if (!j->fail)
		return 0;
	bool limit = strcmp(j->fail, "nested too deeply") == 0 ||
	             strcmp(j->fail, "out of memory for a string") == 0;
	return err_set(err, limit ? -ERR_LIMIT : -ERR_FORMAT, "byte %zu: %s", j->fail_at, j->fail);
}
