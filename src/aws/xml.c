/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/xml.h"

#include <assert.h>
#include <inttypes.h>

#include "base/json.h"

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7F && c != '<' && c != '>' &&
	       c != '&' && c != '"' && c != '\'';
}

/* U+FFFE and U+FFFF are the only ones beyond the controls that XML 1.0 leaves out (section 2.2). */
static bool is_noncharacter(str s, size_t n)
{
	return n == 3 && memcmp(s.p, "\xEF\xBF", 2) == 0 && (unsigned char)s.p[2] >= 0xBE;
}

static void add_ascii(struct buf *out, char c)
{
	switch (c) {
	case '<': buf_add(out, STR("&lt;")); return;
	case '>': buf_add(out, STR("&gt;")); return;
	case '&': buf_add(out, STR("&amp;")); return;
	case '"': buf_add(out, STR("&quot;")); return;
	case '\'': buf_add(out, STR("&apos;")); return;
	case '\r': buf_add(out, STR("&#13;")); return; /* else a reader makes it a line feed */
	case '\n':
	case '\t':
	case 0x7F: buf_add_byte(out, c); return;
	default: buf_add(out, STR("\xEF\xBF\xBD")); return;
	}
}

static void add_text(struct buf *out, str s)
{
	while (s.n > 0) {
		buf_add(out, str_take_while(&s, is_plain));
		if (s.n == 0)
			return;
		size_t n = str_utf8_len(s);
		if (n == 1)
			add_ascii(out, s.p[0]);
		else if (n == 0 || is_noncharacter(s, n))
			buf_add(out, STR("\xEF\xBF\xBD"));
		else
			buf_add(out, str_head(s, n));
		s = str_skip(s, n ? n : 1);
	}
}

void xml_begin(struct xml *w, const char *name, const char *namespace_uri)
{
	assert(w->depth < XML_DEPTH_MAX);
	w->open[w->depth++] = name;
	buf_printf(w->out, "<%s", name);
	if (namespace_uri) {
		buf_add(w->out, STR(" xmlns=\""));
		add_text(w->out, str_from_c(namespace_uri));
		buf_add_byte(w->out, '"');
	}
	buf_add_byte(w->out, '>');
}

void xml_end(struct xml *w)
{
	assert(w->depth > 0);
	buf_printf(w->out, "</%s>", w->open[--w->depth]);
}

void xml_text(struct xml *w, const char *name, str text)
{
	buf_printf(w->out, "<%s>", name);
	add_text(w->out, text);
	buf_printf(w->out, "</%s>", name);
}

void xml_i64(struct xml *w, const char *name, int64_t v)
{
	buf_printf(w->out, "<%s>%" PRId64 "</%s>", name, v, name);
}

void xml_bool(struct xml *w, const char *name, bool v)
{
	buf_printf(w->out, "<%s>%s</%s>", name, v ? "true" : "false", name);
}
