/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

#define LINE_MAX_BYTES 4096

void agent_log(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info"
	};
	char text[1024];
	autobuf line = BUF(LINE_MAX_BYTES);
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf_printf(&line, "sonde agent: %s: ", names[level]);
	text_escape(&line, str_head((str){ text, (size_t)n }, sizeof(text) - 1));
	buf_add_byte(&line, '\n');
	/* A log that cannot be written must not end what it tells of. */
	if (!buf_failed(&line) && write(STDERR_FILENO, line.p, line.n) < 0)
		return;
}
