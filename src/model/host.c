/* SPDX-License-Identifier: Apache-2.0 */
#include "model/host.h"

static bool is_key_byte(char c)
{
	return is_alnum(c) || c == '_';
}

/* The bytes that a backslash makes literal between double quotes: shell, "Double-Quotes". */
static bool is_escapable(char c)
{
	return c == '"' || c == '\\' || c == '$' || c == '`';
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7F;
}

/*
 * Decode a value as a shell would read it: unquoted text, 'single' and "double" quotes, one behind
 * the other. White space outside of quotes is kept, which a shell would not do: real files have it.
 *
 * Out:     out  room for value.n bytes: a value never grows by being decoded
 * Returns: false on a quote without an end, a backslash without a byte behind it, or a control byte
 */
static bool decode(str value, char *out, size_t *ret_n)
{
	char quote = '\0';
	size_t n = 0;
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		if (is_control(c))
			return false;
		if (quote == '\0' && (c == '"' || c == '\'')) {
			quote = c;
			continue;
		}
		if (quote != '\0' && c == quote) {
			quote = '\0';
			continue;
		}
		if (c == '\\' && quote != '\'') {
			if (i + 1 == value.n)
				return false;
			if (quote == '\0' || is_escapable(value.p[i + 1]))
				c = value.p[++i];
			if (is_control(c))
				return false;
		}
		out[n++] = c;
	}
	*ret_n = n;
	return quote == '\0';
}

static str *field(struct host *host, str key)
{
	const struct {
		str key, *at;
	} fields[] = {
		{ STR("ID"), &host->os_id },
		{ STR("ID_LIKE"), &host->os_id_like },
		{ STR("VERSION_ID"), &host->os_version },
		{ STR("VERSION_CODENAME"), &host->os_codename },
		{ STR("PRETTY_NAME"), &host->os_name },
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (str_eq(key, fields[i].key))
			return fields[i].at;
	}
	return NULL;
}

int host_read_os_release(struct host *host, str text, struct arena *arena)
{
	for (str line; str_next_line(&text, &line);) {
		str value = str_trim(line);
		str key = str_take_while(&value, is_key_byte);
		str *at = field(host, key);
		if (!at || value.n == 0 || value.p[0] != '=')
			continue;

		value = str_skip(value, 1);
		size_t n = 0;
		char *out = arena_alloc(arena, value.n + 1, 1);
		if (!out)
			return -ERR_LIMIT;
		if (decode(value, out, &n))
			*at = (str){ out, n };
	}
	return 0;
}
