/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/codec.h"

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_add(struct buf *out, str bytes)
{
	char *at = bytes.n <= SIZE_MAX / 2 ? buf_reserve(out, bytes.n * 2) : NULL;
	if (!at)
		return;
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = (unsigned char)bytes.p[i];
		at[2 * i] = hex_lower[c >> 4];
		at[2 * i + 1] = hex_lower[c & 15];
	}
	out->n += bytes.n * 2;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(str text, void *ret, size_t n)
{
	unsigned char *to = ret;
	if (text.n % 2 != 0 || text.n / 2 != n)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (hex_value(text.p[i]) < 0)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(hex_value(text.p[2 * i]) << 4 |
		                        hex_value(text.p[2 * i + 1]));
	return true;
}

void base64_add(struct buf *out, str bytes)
{
	size_t whole = bytes.n / 3 + (bytes.n % 3 != 0);
	char *at = whole <= SIZE_MAX / 4 ? buf_reserve(out, whole * 4) : NULL;
	if (!at)
		return;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t have = bytes.n - i;
		uint32_t v = 0;
		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < have ? (unsigned char)bytes.p[i + k] : 0u);
		at[0] = base64_digits[v >> 18];
		at[1] = base64_digits[v >> 12 & 63];
		at[2] = have > 1 ? base64_digits[v >> 6 & 63] : '=';
		at[3] = have > 2 ? base64_digits[v & 63] : '=';
		at += 4;
	}
	out->n += whole * 4;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four digits, the last `padding` of which are '='; the spare bits of the last digit must be 0. */
static bool base64_group(const char *digits, size_t padding, unsigned char ret[3])
{
	uint32_t v = 0;
	for (size_t k = 0; k < 4; k++) {
		int digit = k < 4 - padding ? base64_value(digits[k]) : 0;
		if (digit < 0)
			return false;
		v = v << 6 | (uint32_t)digit;
	}
	for (size_t k = 0; k < 3; k++)
		ret[k] = (unsigned char)(v >> (16 - 8 * k));
	return padding == 0 || (v & (padding == 1 ? 0xFFu : 0xFFFFu)) == 0;
}

int base64_decode(str text, struct buf *out)
{
	if (text.n % 4 != 0)
		return -ERR_FORMAT;
	size_t before = out->n;
	for (size_t i = 0; i < text.n; i += 4) {
		const char *digits = text.p + i;
		size_t padding = 0;
		unsigned char bytes[3];
		if (i + 4 == text.n)
			padding = digits[3] != '=' ? 0 : digits[2] != '=' ? 1 : 2;
		if (!base64_group(digits, padding, bytes)) {
			out->n = before;
			return -ERR_FORMAT;
		}
		buf_add(out, (str){ (const char *)bytes, 3 - padding });
	}
	if (!buf_failed(out))
		return 0;
	out->n = before;
	return -ERR_LIMIT;
}

static bool is_unreserved(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void percent_add(struct buf *out, str s, bool keep_slash)
{
	while (s.n > 0) {
		buf_add(out, str_take_while(&s, is_unreserved));
		if (s.n == 0)
			return;
		unsigned char c = (unsigned char)s.p[0];
		if (c == '/' && keep_slash) {
			buf_add_byte(out, '/');
		} else {
			char code[3] = { '%', hex_upper[c >> 4], hex_upper[c & 15] };
			buf_add(out, (str){ code, sizeof(code) });
		}
		s = str_skip(s, 1);
	}
}

int percent_decode(str s, bool plus_is_space, struct buf *out)
{
	while (s.n > 0) {
		char c = s.p[0];
		size_t n = 1;
		if (c == '%') {
			if (!hex_decode(str_head(str_skip(s, 1), 2), &c, 1))
				return -ERR_FORMAT;
			n = 3;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		buf_add_byte(out, c);
		s = str_skip(s, n);
	}
	return buf_failed(out) ? -ERR_LIMIT : 0;
}
