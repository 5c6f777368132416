/* SPDX-License-Identifier: Apache-2.0 */
#include "server/log.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "aws/timestamp.h"
#include "base/text.h"

/* A line that a pipe takes in one piece. */
#define LINE_BYTES 4096

static bool is_plain(char c)
{
	return is_alnum(c) || str_has(STR("-_./:@+%,"), c);
}

/* A value as it stands in a line: quoted if it holds more than a word. */
static void add_value(struct buf *line, str text)
{
	autobuf shown = BUF(LINE_BYTES);
	text_escape(&shown, str_head(text, 512));
	str rest = buf_str(&shown);
	(void)str_take_while(&rest, is_plain);
	if (shown.n > 0 && rest.n == 0) {
		buf_add(line, buf_str(&shown));
		return;
	}
	buf_add_byte(line, '"');
	for (size_t i = 0; i < shown.n; i++) {
		if (shown.p[i] == '"')
			buf_add_byte(line, '\\');
		buf_add_byte(line, shown.p[i]);
	}
	buf_add_byte(line, '"');
}

void log_write(const struct log *log, enum log_level level, const char *sentence,
        const struct log_field *fields)
{
	static const char *const words[] = { "error", "warning", "info", "debug" };
	struct timespec now;
	if (log->fd < 0 || level > log->most)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	autobuf line = BUF(LINE_BYTES * 4);
	timestamp_add_iso(&line, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	buf_printf(&line, " %s: %s", words[level], sentence);
	for (; fields && fields->key; fields++) {
		buf_printf(&line, " %s=", fields->key);
		if (fields->text.p)
			add_value(&line, fields->text);
		else
			buf_printf(&line, "%" PRId64, fields->number);
	}
	buf_add_byte(&line, '\n');
	if (buf_failed(&line))
		return;
	str rest = buf_str(&line);
	while (rest.n > 0) {
		ssize_t n = write(log->fd, rest.p, rest.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		rest = str_skip(rest, (size_t)n);
	}
}

int log_error(const struct log *log, const char *sentence, const struct err *err)
{
	log_write(log, LOG_ERROR, sentence, LOG_FIELDS(LOG_TEXT("reason", str_from_c(err->text))));
	return err->code < 0 ? err->code : -EIO;
}
