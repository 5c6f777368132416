/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-net: the only program of the project with a network library. It gets one URL into the
 * descriptor that it was started with, and ends. It is started by `sonde`, never by people.
 *
 * First it gives up root, if it has it, and the right to win anything back; only then does it read
 * its request. It opens no file but what libcurl and the resolver need: certificates, resolv.conf.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "net/get.h"

#define NOBODY 65534
#define FILES_MAX 64 /* descriptors: sockets, resolver, certificates */

/* Write a whole line to `sonde`. If nobody hears us, there is nothing left to do. */
static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void say(const char *fmt, ...)
{
	char line[NET_LINE_MAX];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		_exit(EXIT_FAILURE);
	str rest = { line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1 };
	while (rest.n > 0) {
		ssize_t done = write(STDOUT_FILENO, rest.p, rest.n);
		if (done < 0 && errno != EINTR)
			_exit(EXIT_FAILURE);
		rest = str_skip(rest, done > 0 ? (size_t)done : 0);
	}
}

static int give_up_root(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %s", strerror(errno));
	if (geteuid() != 0 && getuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	        setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return err_set(err, -errno, "cannot give up root: %s", strerror(errno));
	return 0;
}

/* Whatever else the program that started us had open is none of our business. */
static void close_the_rest(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, NET_FD_BODY + 1, ~0u, 0) == 0)
		return;
#endif
	for (int fd = NET_FD_BODY + 1; fd < 1024; fd++)
		(void)close(fd);
}

/* A limit, or the one that stands already if that is lower. */
static struct rlimit lower(struct rlimit now, uint64_t most)
{
	rlim_t max = now.rlim_max < (rlim_t)most ? now.rlim_max : (rlim_t)most;
	return (struct rlimit){ .rlim_cur = max, .rlim_max = max };
}

static int set_limits(uint64_t max_bytes, struct err *err)
{
	struct rlimit core = { 0 }, files = { 0 }, size = { 0 };
	if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	        getrlimit(RLIMIT_FSIZE, &size) < 0)
		return err_set(err, -EIO, "cannot read a resource limit: %s", strerror(errno));
	core = lower(core, 0);
	files = lower(files, FILES_MAX);
	size = lower(size, max_bytes);
	if (setrlimit(RLIMIT_CORE, &core) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	        setrlimit(RLIMIT_FSIZE, &size) < 0)
		return err_set(err, -EIO, "cannot set a resource limit: %s", strerror(errno));
	return 0;
}

/* One byte at a time: it is a few hundred, and what follows the request must stay in the socket. */
static bool read_line(struct buf *in, size_t *ret_at)
{
	*ret_at = in->n;
	for (;;) {
		char c;
		ssize_t n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		if (c == '\n')
			return !buf_failed(in);
		buf_add_byte(in, c);
		if (buf_failed(in))
			return false;
	}
}

static bool take_text(str value, bool (*is_good)(str), char *at, size_t size)
{
	if (value.n >= size || !is_good(value))
		return false;
	memcpy(at, value.p, value.n);
	at[value.n] = '\0';
	return true;
}

/* One "key=value" of the request. */
static bool take_field(struct get_request *request, str line)
{
	str key, value;
	if (!str_split_first(line, '=', &key, &value))
		return false;
	if (str_eq(key, STR("url")))
		return take_text(value, net_is_url, request->url, sizeof(request->url));
	if (str_eq(key, STR("etag")))
		return take_text(value, net_is_etag, request->etag, sizeof(request->etag));
	if (str_eq(key, STR("last_modified")))
		return take_text(
		        value, net_is_date, request->last_modified, sizeof(request->last_modified));
	const struct {
		str key;
		uint64_t max, *at;
	} numbers[] = {
		{ STR("resume_at_bytes"), INT64_MAX, &request->resume_at_bytes },
		{ STR("max_bytes"), INT64_MAX, &request->max_bytes },
		{ STR("timeout_s"), 3600, &request->timeout_s },
		{ STR("max_attempts"), 100, &request->max_attempts },
		{ STR("retry_wait_ms"), 1000, &request->retry_wait_ms },
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (str_eq(key, numbers[i].key))
			return str_to_u64(value, numbers[i].max, numbers[i].at);
	}
	return false;
}

static int read_request(struct get_request *request, struct err *err)
{
	autobuf in = BUF(NET_REQUEST_MAX);
	size_t at = 0;
	for (;;) {
		if (!read_line(&in, &at))
			return err_set(err, -EIO, "the request to sonde-net breaks off");
		str line = str_skip(buf_str(&in), at);
		if (line.n == 0)
			break;
		if (!take_field(request, line))
			return err_set(err, -EIO,
			        "the request to sonde-net has a line that it does not know");
	}
	if (request->url[0] == '\0' || request->max_bytes == 0 || request->timeout_s == 0 ||
	        request->max_attempts == 0 || request->resume_at_bytes > request->max_bytes)
		return err_set(err, -EIO, "the request to sonde-net is not complete");
	if (fcntl(request->fd, F_GETFD) < 0)
		return err_set(err, -EIO, "sonde-net was started without a place for the body");
	return 0;
}

static void on_progress(uint64_t done_bytes, uint64_t all_bytes)
{
	say("progress %llu %llu\n", (unsigned long long)done_bytes, (unsigned long long)all_bytes);
}

static int on_started(const struct net_answer *answer, uint64_t all_bytes, struct err *err)
{
	autobuf in = BUF(8);
	size_t at;
	if (answer->etag[0] != '\0')
		say("etag %s\n", answer->etag);
	if (answer->last_modified[0] != '\0')
		say("last_modified %s\n", answer->last_modified);
	say("start %llu %llu\n", (unsigned long long)answer->n_bytes,
	        (unsigned long long)all_bytes);
	/* Not a byte is written before it is noted whose it is. */
	if (!read_line(&in, &at) || !str_eq(buf_str(&in), STR("go")))
		return err_set(err, -EIO, "sonde does not want it any more");
	return 0;
}

static int serve(struct err *err)
{
	struct get_request request = {
		.fd = NET_FD_BODY, .started = on_started, .progress = on_progress
	};
	struct net_answer answer;
	int r = read_request(&request, err);
	if (r == 0)
		r = set_limits(request.max_bytes, err);
	if (r == 0)
		r = get_run(&request, &answer, err);
	if (r == 0 && answer.unchanged)
		say("unchanged\n");
	else if (r == 0)
		say("done %llu\n", (unsigned long long)answer.n_bytes);
	return r;
}

static int show_help(const char *arg)
{
	if (arg && strcmp(arg, "--version") == 0)
		return puts("sonde-net " SONDE_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	bool is_asked = arg && strcmp(arg, "--help") == 0;
	(void)fputs("sonde-net gets a URL for sonde, which starts it. It has no use of its own.\n"
	            "usage: sonde-net --version | --help\n",
	        is_asked ? stdout : stderr);
	return is_asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int r = give_up_root(&err);
	if (r == 0 && (argc > 1 || isatty(STDIN_FILENO)))
		return show_help(argc > 1 ? argv[1] : NULL);
	if (r == 0) {
		/* The process dies when `sonde` does; a write past RLIMIT_FSIZE is an error, no
		 * signal. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)signal(SIGXFSZ, SIG_IGN);
		close_the_rest();
		r = serve(&err);
	}
	if (r < 0) {
		char text[sizeof(err.text)];
		net_text_show(str_from_c(err.text), text, sizeof(text));
		say("error %s %s\n", net_class_name(r), text);
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
