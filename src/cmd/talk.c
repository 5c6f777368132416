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
	(void)snprintf(
	        text, sizeof(text), "sonde: %s%s%s", what ? what : "", what ? ": " : "", err->text);
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
	char text[1024] = "sonde: ";
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text + 7, sizeof(text) - 7, fmt, ap);
	va_end(ap);
	put_line(text);
	(void)fprintf(stderr, "usage: sonde %s [FLAGS] %s\n", command_rows[call->id].word,
	        command_rows[call->id].arguments);
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

unsigned terminal_width(void)
{
	struct winsize size = { .ws_col = 0 };
	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool wants_colour(const struct settings *settings)
{
	str when = str_from_c(settings_text(settings, SET_COLOR));
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	if (settings_is_on(settings, SET_NO_COLOR) || str_eq(when, STR("never")))
		return false;
	if (str_eq(when, STR("always")))
		return true;
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static int write_all(int fd, const char *name, str text, struct err *err)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(
			        err, -errno, "cannot write to %s: %s", name, strerror(errno));
		text = str_skip(text, (size_t)n);
	}
	return 0;
}

/* A device or a pipe is written to; only a file is replaced. */
static bool is_special(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int write_special(const char *path, str text, struct err *err)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	return write_all(fd, path, text, err);
}

int write_output(const struct settings *settings, str text, struct err *err)
{
	const char *path = settings_text(settings, SET_OUTPUT);
	if (strcmp(path, "-") == 0)
		return write_all(STDOUT_FILENO, "standard output", text, err);
	if (is_special(path))
		return write_special(path, text, err);
	/* A link stays: what it means is replaced. */
	autofree char *real = realpath(path, NULL);
	if (real)
		path = real;
	str dir, name;
	if (!str_split_last(str_from_c(path), '/', &dir, &name))
		return fs_replace(AT_FDCWD, path, text, 0, err);
	autobuf folder = BUF(4096);
	buf_add(&folder, dir.n > 0 ? dir : STR("/"));
	buf_add_byte(&folder, '\0');
	if (buf_failed(&folder) || name.n == 0)
		return err_set(err, -EINVAL, "%s: not a file name", path);
	autoclose int fd = fs_open_dir(folder.p, false, err);
	return fd < 0 ? fd : fs_replace(fd, name.p, text, 0, err);
}
