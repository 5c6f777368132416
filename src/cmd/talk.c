/* SPDX-License-Identifier: Apache-2.0 */
/* What commands say to people: errors and progress on standard error, results on standard output.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"

static void put_line(const char *text)
{
	autobuf line = BUF((size_t)64 << 10);
	text_escape(&line, str_from_c(text));
	buf_add_byte(&line, '\n');
	(void)fwrite(line.p, 1, line.n, stderr);
}

int say_error(const char *what, const struct err *err)
{
	char text[1024];
	(void)snprintf(text, sizeof(text), "%s: %s%s%s", program.name, what ? what : "",
	        what ? ": " : "", err->text);
	put_line(text);
	return err->code == -EINVAL ? EXIT_USAGE : EXIT_BROKEN;
}

void put_text(str text)
{
	autobuf shown = BUF((size_t)1 << 30);
	text_escape_lines(&shown, text);
	(void)fwrite(shown.p, 1, shown.n, stdout);
}

void put_result(const char *fmt, ...)
{
	autobuf text = BUF((size_t)1 << 20);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *at = n < 0 ? NULL : buf_reserve(&text, (size_t)n + 1);
	if (!at)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	put_text((str){ at, (size_t)n });
}

void say_always(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line(text);
}

int say_usage(const struct invocation *call, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	size_t n = (size_t)snprintf(text, sizeof(text), "%s: ", program.name);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	put_line(text);
	(void)fprintf(stderr, "usage: %s %s [FLAGS] %s\n", program.name,
	        command_rows[call->id].word, command_rows[call->id].arguments);
	return EXIT_USAGE;
}

void say(const struct invocation *call, const char *fmt, ...)
{
	char text[1024];
	if (settings_is_on(call->settings, SET_QUIET))
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	end_progress(call);
	put_line(text);
}

static bool shows_progress(const struct invocation *call)
{
	return !settings_is_on(call->settings, SET_QUIET) && isatty(STDERR_FILENO);
}

void say_progress(const struct invocation *call, const char *fmt, ...)
{
	if (!shows_progress(call))
		return;
	struct winsize size = { .ws_col = 0 };
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1
	                    ? size.ws_col - 1
	                    : 79;
	(void)fprintf(stderr, "\r%.*s\033[K", width, text);
	(void)fflush(stderr);
}

void end_progress(const struct invocation *call)
{
	if (shows_progress(call))
		(void)fputs("\r\033[K", stderr);
}
