/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* Longest message; longer ones are cut. */
#define MESSAGE_BYTES 4096

/* Files of a log that somebody else filled are not counted for ever. */
#define FILES_MAX 4096

static const struct event {
	const char *level, *part, *place, *function;
} events[PLUGIN_EVENT_COUNT] = {
#define EVENT(id, level, part, place, function) [EVENT_##id] = { #level, part, place, function },
#include "plugin/events.def"
#undef EVENT
};

/* What the names of its files begin with. */
static const char *prefix_of(const struct plugin_log *log)
{
	return log->is_compat ? "scitor.log." : "sonde.log.";
}

static void name_host(struct plugin_log *log, const char *host)
{
	struct utsname machine;
	if (!host)
		host = uname(&machine) == 0 ? machine.nodename : "localhost";
	(void)snprintf(log->host, sizeof(log->host), "%s", host);
}

int plugin_log_open(struct plugin_log *log, const char *dir, bool is_compat, const char *host,
        int64_t (*now)(void), struct err *err)
{
	*log = (struct plugin_log){ .dir = -1,
		.fd = -1,
		.is_compat = is_compat,
		.now = now,
		.tail = BUF(4 * PLUGIN_LOG_TAIL_BYTES) };
	name_host(log, host);
	int r = fs_make_dirs(dir, 0750, err);
	if (r < 0)
		return r;
	r = fs_open_dir(dir, false, err);
	if (r >= 0)
		log->dir = r;
	return r < 0 ? r : 0;
}

/* The file of this hour: the one that is open, or another one. */
static int file_of(struct plugin_log *log, const struct tm *tm)
{
	char hour[32], name[sizeof(log->name)];
	if (log->dir < 0)
		return -1;
	(void)strftime(hour, sizeof(hour), "%Y-%m-%d-%H", tm);
	(void)snprintf(name, sizeof(name), "%s%s", prefix_of(log), hour);
	if (log->fd >= 0 && strcmp(name, log->name) == 0)
		return log->fd;
	closep(&log->fd);
	log->fd = openat(log->dir, name,
	        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
	(void)snprintf(log->name, sizeof(log->name), "%s", name);
	return log->fd;
}

/* Whole lines, while there is room for one more. */
static void keep(struct plugin_log *log, str line)
{
	struct buf *tail = &log->tail;
	while (tail->n > 0 && tail->n + line.n > 2 * PLUGIN_LOG_TAIL_BYTES) {
		str rest = buf_str(tail), first;
		(void)str_next_line(&rest, &first);
		memmove(tail->p, tail->p + tail->n - rest.n, rest.n);
		tail->n = rest.n;
	}
	buf_add(tail, line);
}

static void clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

void plugin_log_write(struct plugin_log *log, enum plugin_event id, const char *fmt, ...)
{
	const struct event *event = &events[id];
	char date[64], message[MESSAGE_BYTES];
	autobuf line = BUF(2 * MESSAGE_BYTES);
	time_t now = (time_t)log->now();
	struct tm tm = { 0 };
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	clean(message);
	(void)gmtime_r(&now, &tm);
	(void)strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	buf_printf(&line, "%s UTC %s %d-0@%s:0 [%s] ", date, log->is_compat ? "scitor" : "sonde",
	        (int)getpid(), log->host, event->level);
	if (log->is_compat)
		buf_printf(&line, "MandoSecurityContentEvaluator/%s %s(): %s\n", event->place,
		        event->function, message);
	else
		buf_printf(&line, "%s: %s\n", event->part, message);
	keep(log, buf_str(&line));
	int fd = file_of(log, &tm);
	/* A full disk costs the lines, not the scan. */
	if (fd >= 0 && write(fd, line.p, line.n) < 0)
		return;
}

str plugin_log_tail(const struct plugin_log *log)
{
	str tail = buf_str(&log->tail), first;
	while (tail.n > PLUGIN_LOG_TAIL_BYTES && str_next_line(&tail, &first))
		continue;
	return tail;
}

struct names {
	char *all[FILES_MAX];
	size_t n;
};

static int order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "2023-10-27-05" and nothing else: other files in the folder are not ours. */
static bool is_hour(const char *text)
{
	static const char form[] = "0000-00-00-00";
	size_t i = 0;
	while (form[i] && (form[i] == '0' ? is_digit(text[i]) : text[i] == form[i]))
		i++;
	return !form[i] && !text[i];
}

static void list(const struct plugin_log *log, struct names *ret)
{
	int fd = openat(log->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	size_t n = strlen(prefix_of(log));
	if (!dir) {
		closep(&fd);
		return;
	}
	for (struct dirent *e; ret->n < FILES_MAX && (e = readdir(dir));) {
		if (strncmp(e->d_name, prefix_of(log), n) != 0 || !is_hour(e->d_name + n))
			continue;
		ret->all[ret->n] = strdup(e->d_name);
		if (ret->all[ret->n])
			ret->n++;
	}
	(void)closedir(dir);
	if (ret->n > 0)
		qsort(ret->all, ret->n, sizeof(ret->all[0]), order);
}

void plugin_log_clean(struct plugin_log *log)
{
	plugin_log_write(log, EVENT_CLEANUP, "logs cleanup started");
	struct names *names = calloc(1, sizeof(*names));
	if (names && log->dir >= 0)
		list(log, names);
	size_t n = names ? names->n : 0, removed = 0;
	for (size_t i = 0; i + PLUGIN_LOG_FILES_MAX < n; i++)
		removed += unlinkat(log->dir, names->all[i], 0) == 0;
	if (n <= PLUGIN_LOG_FILES_MAX)
		plugin_log_write(log, EVENT_CLEANUP_COUNT,
		        "number of log files %zu is less than or equal the limit %d", n,
		        PLUGIN_LOG_FILES_MAX);
	else
		plugin_log_write(log, EVENT_CLEANUP_COUNT,
		        "number of log files %zu is greater than the limit %d, removed %zu", n,
		        PLUGIN_LOG_FILES_MAX, removed);
	plugin_log_write(log, EVENT_CLEANUP_DONE, "logs cleanup completed");
	for (size_t i = 0; i < n; i++)
		free(names->all[i]);
	free(names);
}

void plugin_log_close(struct plugin_log *log)
{
	closep(&log->fd);
	closep(&log->dir);
	log->fd = log->dir = -1;
	buf_fini(&log->tail);
}
