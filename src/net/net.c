/* SPDX-License-Identifier: Apache-2.0 */
/* One fetch: a sonde-net is started, asked, heard out, and ends. */
#include "net/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "net/answers.h"
#include "net/start.h"

#define TIMEOUT_S 60
#define TIMEOUT_MAX_S 3600
#define ATTEMPTS 5
#define ATTEMPTS_MAX 100
#define RETRY_WAIT_MS 1000

static void add_text(struct buf *out, const char *key, const char *value)
{
	if (str_from_c(value).n > 0)
		buf_printf(out, "%s=%s\n", key, value);
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	buf_printf(out, "%s=%llu\n", key, (unsigned long long)value);
}

static int check_request(const struct net_request *request, struct err *err)
{
	str etag = str_from_c(request->etag), date = str_from_c(request->last_modified);
	if (!net_is_url(str_from_c(request->url)))
		return err_set(err, -EINVAL, "not an http or https URL of at most %d visible bytes",
		        NET_URL_MAX);
	if ((etag.n > 0 && !net_is_etag(etag)) || (date.n > 0 && !net_is_date(date)))
		return err_set(err, -EINVAL, "not an entity tag or a date to ask with");
	if (request->max_bytes == 0 || request->max_bytes > INT64_MAX ||
	        request->resume_at_bytes > request->max_bytes)
		return err_set(err, -ERR_LIMIT, "%llu bytes are at hand, and %llu allowed",
		        (unsigned long long)request->resume_at_bytes,
		        (unsigned long long)request->max_bytes);
	if (request->timeout_s > TIMEOUT_MAX_S || request->max_attempts > ATTEMPTS_MAX ||
	        request->retry_wait_ms > RETRY_WAIT_MS)
		return err_set(err, -EINVAL, "a time or number of attempts is too large");
	return 0;
}

static int send_all(int fd, str bytes, struct err *err)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		/* It died: what it said before, or how it ended, tells more. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0)
			return err_set(err, -errno, "cannot ask sonde-net: %s", strerror(errno));
		bytes = str_skip(bytes, (size_t)n);
	}
	return 0;
}

static int send_request(int fd, const struct net_request *request, struct err *err)
{
	autobuf out = BUF(NET_REQUEST_MAX);
	add_text(&out, "url", request->url);
	add_text(&out, "etag", request->etag);
	add_text(&out, "last_modified", request->last_modified);
	add_number(&out, "resume_at_bytes", request->resume_at_bytes);
	add_number(&out, "max_bytes", request->max_bytes);
	add_number(&out, "timeout_s", request->timeout_s);
	add_number(&out, "max_attempts", request->max_attempts);
	add_number(&out, "retry_wait_ms", request->retry_wait_ms);
	buf_add_byte(&out, '\n');
	if (buf_failed(&out))
		return err_set(err, -ENOMEM, "out of memory");
	return send_all(fd, buf_str(&out), err);
}

/* Read more of the answers. Returns: 0; 1 at their end; -errno */
static int read_more(int fd, unsigned timeout_s, struct buf *in, struct err *err)
{
	/* sonde-net says something every second or so; only the system's resolver may hold it up.
	 */
	int silence_ms = (int)(2 * timeout_s + 5) * 1000;
	char *at = buf_reserve(in, NET_LINE_MAX);
	if (!at)
		return err_set(err, -ENOMEM, "out of memory");
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int r = poll(&wait, 1, silence_ms);
		if (r == 0)
			return err_set(err, -ETIMEDOUT, "sonde-net does not answer");
		ssize_t n = r < 0 ? -1 : recv(fd, at, NET_LINE_MAX, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return err_set(err, -errno, "cannot hear sonde-net: %s", strerror(errno));
		if (n <= 0)
			return 1;
		in->n += (size_t)n;
		return 0;
	}
}

/* Do what one line asks for. Returns: 0; 1 after the last one; < 0 */
static int act(struct answers *answers, int fd, str line, struct err *err)
{
	const struct net_request *request = answers->request;
	int event = answers_take(answers, line, err), r;
	switch (event) {
	case ANSWERS_STARTED:
		r = request->started ? request->started(request->ctx, &answers->answer, err) : 0;
		return r < 0 ? r : send_all(fd, STR("go\n"), err);
	case ANSWERS_PROGRESS:
		if (request->progress)
			request->progress(request->ctx, answers->done_bytes, answers->all_bytes);
		return 0;
	case ANSWERS_END: return 1;
	default: return event;
	}
}

/* Hear sonde-net out. Returns: 0 with the result in `answers`; < 0 */
static int converse(struct helper *helper, struct answers *answers, struct err *err)
{
	autobuf in = BUF(2 * NET_LINE_MAX);
	for (;;) {
		int r = read_more(helper->fd, answers->request->timeout_s, &in, err);
		if (r < 0)
			return r;
		bool at_end = r == 1;
		str rest = buf_str(&in), line, tail;
		while (str_split_first(rest, '\n', &line, &tail)) {
			r = act(answers, helper->fd, line, err);
			if (r != 0)
				return r < 0 ? r : 0;
			rest = tail;
		}
		if (rest.n >= NET_LINE_MAX)
			return answers_take(answers, rest, err);
		if (at_end)
			return helper_explain(helper, err);
		if (rest.n > 0)
			memmove(in.p, rest.p, rest.n);
		in.n = rest.n;
	}
}

static int fetch(const char *program, const struct net_request *request, struct net_answer *ret,
        struct err *err)
{
	cleanup(helper_kill) struct helper helper = { .pid = 0, .fd = -1 };
	struct answers answers = { .request = request };
	int status = 0;
	int r = check_request(request, err);
	if (r == 0)
		r = helper_start(program, NULL, request->fd, &helper, err);
	if (r == 0)
		r = send_request(helper.fd, request, err);
	if (r == 0)
		r = converse(&helper, &answers, err);
	/* One that reported its failure is about to end; killed meanwhile, it could leave a thread
	   that holds the descriptor, and with it the caller's lock, a moment longer. */
	if (r < 0 && answers.ended)
		(void)helper_reap(&helper, &status);
	if (r < 0)
		return r;
	if (!helper_reap(&helper, &status) || status != 0)
		return err_set(err, -EPROTO, "sonde-net gave a result and then did not end well");
	*ret = answers.answer;
	return 0;
}

int net_fetch(const char *program, const struct net_request *request, struct net_answer *ret,
        struct err *err)
{
	char shown[NET_SHOWN_SIZE];
	struct net_request whole = *request;
	struct err why = { 0 };
	whole.timeout_s = whole.timeout_s ? whole.timeout_s : TIMEOUT_S;
	whole.max_attempts = whole.max_attempts ? whole.max_attempts : ATTEMPTS;
	whole.retry_wait_ms = whole.retry_wait_ms ? whole.retry_wait_ms : RETRY_WAIT_MS;
	int r = fetch(program, &whole, ret, &why);
	if (r == 0)
		return 0;
	net_url_show(str_from_c(request->url), shown);
	return err_set(err, r, "%s: %s", shown, why.text);
}
