/* SPDX-License-Identifier: Apache-2.0 */
/* Where reports go, and how wide and colourful they may be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "cmd/cmd.h"

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
	return fs_replace_path(path, text, 0, err);
}
