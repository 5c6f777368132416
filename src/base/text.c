/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/json.h"

/* C1 control characters are U+0080 to U+009F: C2 80 to C2 9F. */
static bool is_control(str sequence)
{
	unsigned char first = (unsigned char)sequence.p[0];
	if (sequence.n == 1)
		return first < 0x20 || first == 0x7F;
	return sequence.n == 2 && first == 0xC2 && (unsigned char)sequence.p[1] < 0xA0;
}

void text_add_printable(struct buf *out, str s, const char *keep)
{
	while (s.n > 0) {
		size_t n = str_utf8_len(s);
		str sequence = str_head(s, n > 0 ? n : 1);
		s = str_skip(s, sequence.n);
		if (n == 1 && *sequence.p && strchr(keep, *sequence.p)) {
			buf_add(out, sequence);
		} else if (n > 0 && !is_control(sequence)) {
			buf_add(out, sequence);
		} else {
			for (size_t i = 0; i < sequence.n; i++)
				buf_printf(out, "\\x%02x", (unsigned)(unsigned char)sequence.p[i]);
		}
	}
}
