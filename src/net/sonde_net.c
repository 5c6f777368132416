/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-net: the only program of the project with a network library. It gets one URL into the
 * descriptor that it was started with, and ends; or, as `sonde-net session`, it makes the calls
 * that it is asked for until nobody asks any more; or, as `sonde-net verify`, it says whether one
 * signature is genuine, and has no network at all. It is started by `sonde`, never by people.
 *
 * First it gives up root, if it has it, and the right to win anything back; only then does it read
 * its request. Before it speaks to anybody it enters its role (sandbox/): it opens no file but what
 * libcurl and the resolver need.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "net/get.h"
#include "net/session.h"
#include "net/verify_answer.h"
#include "sandbox/sandbox.h"

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

/*
 * Give up all but what it takes to speak to servers. Authorities that are named in the environment
 * may lie anywhere, and have to stay readable.
 */
static int enter_role(uint64_t file_bytes, struct err *err)
{
	const char *named[3] = { NULL, NULL, NULL };
	size_t n = 0;
	const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
	if (file && file[0] != '\0')
		named[n++] = file;
	if (dir && dir[0] != '\0')
		named[n++] = dir;
	const struct sandbox_grant grant = { .file_bytes = file_bytes, .readable = named };
	return sandbox_enter_with(ROLE_NET, &grant, err);
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

static int serve_fetch(struct err *err)
{
	struct get_request request = {
		.fd = NET_FD_BODY, .started = on_started, .progress = on_progress
	};
	struct net_answer answer;
	int r = read_request(&request, err);
	if (r == 0)
		r = enter_role(request.max_bytes, err);
	if (r == 0)
		r = get_run(&request, &answer, err);
	if (r == 0 && answer.unchanged)
		say("unchanged\n");
	else if (r == 0)
		say("done %llu\n", (unsigned long long)answer.n_bytes);
	return r;
}

static int serve_session(struct err *err)
{
	struct session *session = NULL;
#ifdef __GLIBC__
	/* A thread that resolves a name needs no heap of its own for the rest of our life. */
	(void)mallopt(M_ARENA_MAX, 1);
#endif
	int r = session_new(&session, err);
	if (r == 0)
		r = enter_role(0, err);
	if (r == 0)
		r = session_serve(session, err);
	session_free(session);
	return r;
}

static int show_help(const char *arg)
{
	if (arg && strcmp(arg, "--version") == 0)
		return puts("sonde-net " SONDE_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	bool is_asked = arg && strcmp(arg, "--help") == 0;
	(void)fputs("sonde-net speaks to servers for sonde, which starts it. It has no use of its "
	            "own.\n"
	            "usage: sonde-net --version | --help\n",
	        is_asked ? stdout : stderr);
	return is_asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	const char *arg = argc > 1 ? argv[1] : NULL;
	bool is_session = argc == 2 && strcmp(arg, NET_MODE_SESSION) == 0;
	bool is_verify = argc == 2 && strcmp(arg, NET_MODE_VERIFY) == 0;
	int r = sandbox_drop(&err);
	if (r == 0 && ((arg && !is_session && !is_verify) || isatty(STDIN_FILENO)))
		return show_help(arg);
	if (r == 0) {
		/* The process dies when `sonde` does; a write past RLIMIT_FSIZE, or to a server
		 * that left, is an error and no signal. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)signal(SIGPIPE, SIG_IGN);
		/* Whatever else the program that started us had open is none of our business. */
		const int keep[] = { 0, 1, 2, is_session || is_verify ? -1 : NET_FD_BODY };
		fs_close_others(keep, 4);
		r = is_verify    ? verify_answer(&err)
		    : is_session ? serve_session(&err)
		                 : serve_fetch(&err);
	}
	if (r < 0 && is_session) {
		session_fail(&err);
	} else if (r < 0) {
		char text[sizeof(err.text)];
		net_text_show(str_from_c(err.text), text, sizeof(text));
		say("error %s %s\n", net_class_name(r), text);
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
