/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side of `sonde`. Whatever goes wrong between the two processes ends the other one: a socket
 * that broke off in the middle of a frame cannot be used again, and a process that said nonsense is
 * not asked twice. What sonde-net reports in an orderly way (a server that does not answer) leaves
 * it running. Every wait has the deadline of the call, which is its time-out and some patience, so
 * that sonde-net can say itself that the time is over.
 */
#include "net/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "net/call_answers.h"
#include "net/protocol.h"
#include "net/start.h"

#define CONNECT_TIMEOUT_MS 10000u
#define TIMEOUT_MS 60000u
#define ANSWER_BYTES (8u << 20)
#define PATIENCE_MS 5000
#define KEY_TIMEOUT_MS 60000u
#define READ_BYTES (16u << 10)
/* Larger requests are rare; their memory is not kept. */
#define KEEP_BYTES (32u << 10)

struct net_session {
	struct helper helper;
	uint16_t number; /* of the last call */
	int64_t clock_offset_s;
	struct buf in; /* received; bytes before `in_at` are done with */
	size_t in_at;
	struct buf out; /* to be sent; may hold secrets until it is wiped */
	char *program;  /* NULL: to be looked for */
	char *endpoint;
	char *proxy; /* NULL: none */
	struct buf authorities;
	unsigned connect_timeout_ms, timeout_ms;
	uint64_t max_answer_bytes;
};

/* Wait for the socket. Returns: 0; -ETIMEDOUT, -errno */
static int wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		int64_t left = deadline_ms - clock_ms();
		struct pollfd wait = { .fd = fd, .events = events };
		int r = left > 0 ? poll(&wait, 1, left < INT32_MAX ? (int)left : INT32_MAX) : 0;
		if (r == 0)
			return err_set(err, -ETIMEDOUT, "sonde-net does not answer");
		if (r > 0)
			return 0;
		if (errno != EINTR)
			return err_set(
			        err, -errno, "cannot wait for sonde-net: %s", strerror(errno));
	}
}

static void wipe(struct buf *buf)
{
	if (buf->p)
		explicit_bzero(buf->p, buf->cap);
	buf_clear(buf);
	if (buf->cap > KEEP_BYTES) {
		size_t max = buf->max;
		buf_fini(buf);
		*buf = BUF(max);
	}
}

static void end_process(struct net_session *session)
{
	helper_kill(&session->helper);
	wipe(&session->in);
	session->in_at = 0;
}

/* Send what stands in `out`, and wipe it. */
static int send_out(struct net_session *session, int64_t deadline_ms, struct err *err)
{
	str rest = buf_str(&session->out);
	int r = buf_failed(&session->out) ? err_set(err, -ENOMEM, "out of memory") : 0;
	while (r == 0 && rest.n > 0) {
		ssize_t n = send(session->helper.fd, rest.p, rest.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			rest = str_skip(rest, (size_t)n);
		else if (errno == EAGAIN)
			r = wait_for(session->helper.fd, POLLOUT, deadline_ms, err);
		else if (errno == EPIPE || errno == ECONNRESET)
			break; /* it died: what it said before, or how it ended, tells more */
		else if (errno != EINTR)
			r = err_set(err, -errno, "cannot ask sonde-net: %s", strerror(errno));
	}
	wipe(&session->out);
	return r;
}

/* What came is no frame. It may be the loader's, so the user sees it. */
static int refuse(str bytes, struct err *err)
{
	char shown[96];
	net_text_show(str_trim(bytes), shown, sizeof(shown));
	return err_set(err, -EPROTO, "sonde-net gave an answer that is none: %s", shown);
}

/* Read more of what it says. Returns: 0; < 0, also at the end */
static int read_more(struct net_session *session, int64_t deadline_ms, struct err *err)
{
	struct buf *in = &session->in;
	size_t rest = in->n - session->in_at;
	if (session->in_at > 0)
		memmove(in->p, in->p + session->in_at, rest);
	in->n = rest;
	session->in_at = 0;
	char *at = buf_reserve(in, READ_BYTES);
	if (!at)
		return err_set(err, -ENOMEM, "out of memory");
	for (;;) {
		int r = wait_for(session->helper.fd, POLLIN, deadline_ms, err);
		if (r < 0)
			return r;
		ssize_t n = recv(session->helper.fd, at, READ_BYTES, MSG_DONTWAIT);
		if (n > 0) {
			in->n += (size_t)n;
			return 0;
		}
		if (n == 0 || errno == ECONNRESET)
			return in->n > 0 ? refuse(buf_str(in), err)
			                 : helper_explain(&session->helper, err);
		if (errno != EINTR && errno != EAGAIN)
			return err_set(err, -errno, "cannot hear sonde-net: %s", strerror(errno));
	}
}

/* The next frame; borrows until the next call. */
static int next_frame(
        struct net_session *session, int64_t deadline_ms, struct call_frame *ret, struct err *err)
{
	for (;;) {
		str rest = str_skip(buf_str(&session->in), session->in_at);
		int r = call_frame_take(&rest, CALL_TELL_MAX, ret);
		if (r < 0)
			return refuse(rest, err);
		if (r > 0) {
			session->in_at = session->in.n - rest.n;
			return 0;
		}
		r = read_more(session, deadline_ms, err);
		if (r < 0)
			return r;
	}
}

/* Is it there, and silent? Whatever it says without having been asked is none of an answer. */
static bool is_awake(const struct net_session *session)
{
	struct pollfd wait = { .fd = session->helper.fd, .events = POLLIN };
	return session->helper.pid > 0 && session->in_at == session->in.n && poll(&wait, 1, 0) == 0;
}

static int wake(struct net_session *session, int64_t deadline_ms, struct err *err)
{
	if (is_awake(session))
		return 0;
	end_process(session);
	int r = helper_start(session->program, NET_MODE_SESSION, -1, &session->helper, err);
	if (r < 0)
		return r;
	const struct call_setup setup = { .endpoint = str_from_c(session->endpoint),
		.proxy = str_from_c(session->proxy),
		.authorities = buf_str(&session->authorities),
		.connect_timeout_ms = session->connect_timeout_ms };
	call_setup_add(&session->out, &setup);
	struct call_frame frame = { 0 };
	r = send_out(session, deadline_ms, err);
	if (r == 0)
		r = next_frame(session, deadline_ms, &frame, err);
	if (r < 0)
		return r;
	if (frame.type == CALL_FRAME_FAIL)
		return call_fail_read(frame.payload, err);
	if (frame.type != CALL_FRAME_READY || frame.payload.n > 0)
		return err_set(err, -EPROTO, "sonde-net gave an answer that is none");
	return 0;
}

static int write_body(int fd, str bytes, uint64_t at, struct err *err)
{
	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(
			        err, -errno, "cannot write what arrives: %s", strerror(errno));
		at += (uint64_t)n;
		bytes = str_skip(bytes, (size_t)n);
	}
	return 0;
}

/* Hear the answer out. Returns: 0 with all but the body in `answers` */
static int hear(struct net_session *session, struct call_answers *answers, struct buf *body,
        int64_t deadline_ms, struct err *err)
{
	for (;;) {
		struct call_frame frame = { 0 };
		int r = next_frame(session, deadline_ms, &frame, err);
		if (r < 0)
			return r;
		r = call_answers_take(answers, &frame, err);
		if (r < 0 || r == CALL_EVENT_END)
			return r < 0 ? r : 0;
		if (r != CALL_EVENT_DATA)
			continue;
		if (call_answers_to_fd(answers)) {
			r = write_body(answers->call->fd, frame.payload,
			        answers->answer.n_bytes - frame.payload.n, err);
			if (r < 0)
				return r;
		} else {
			buf_add(body, frame.payload);
			if (buf_failed(body))
				return err_set(err, -ENOMEM, "out of memory");
		}
	}
}

/* The body is in the file, and the file is nobody else's: its digest is that of the body. */
static int end_download(
        const struct net_call *call, struct net_call_answer *answer, struct err *err)
{
	struct stat st;
	if (fstat(call->fd, &st) < 0 || (uint64_t)st.st_size != answer->n_bytes)
		return err_set(err, -EIO, "the file that takes the body changed meanwhile");
	int r = hash_sha256_fd(call->fd, answer->sha256);
	return r < 0 ? err_set(err, r, "cannot read what arrived: %s", strerror(-r)) : 0;
}

static int check_fd(const struct net_call *call, struct err *err)
{
	struct stat st;
	if (!call->to_fd)
		return 0;
	if (fstat(call->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != 0)
		return err_set(err, -EINVAL, "not an empty file to take the body");
	return 0;
}

/* What the server's clock says tells how far ours is off; a date has whole seconds only. */
static void learn_clock(struct net_session *session, const struct net_call *call,
        const struct net_call_answer *answer, int64_t started_ms)
{
	if (answer->date_at >= 0)
		session->clock_offset_s =
		        answer->date_at - (call->now + (clock_ms() - started_ms) / 1000);
}

/* A call with every default filled in, dated by the server's clock. */
static struct net_call fill_in(const struct net_session *session, const struct net_call *call)
{
	struct net_call whole = *call;
	whole.now = call->now ? call->now : (int64_t)time(NULL);
	whole.timeout_ms = call->timeout_ms ? call->timeout_ms : session->timeout_ms;
	whole.max_answer_bytes =
	        call->max_answer_bytes ? call->max_answer_bytes : session->max_answer_bytes;
	return whole;
}

static int ask(struct net_session *session, const struct net_call *whole,
        struct call_answers *answers, struct buf *body, int64_t started_ms, struct err *err)
{
	int64_t deadline_ms = started_ms + whole->timeout_ms + PATIENCE_MS;
	int r = wake(session, deadline_ms, err);
	if (r == 0) {
		struct net_call dated = *whole;
		dated.now += session->clock_offset_s;
		answers->number = ++session->number;
		if (call_check(&dated, NULL) < 0) /* the offset leads out of time */
			dated.now = whole->now;
		call_ask_add(&session->out, answers->number, &dated);
		r = send_out(session, deadline_ms, err);
	}
	if (r == 0)
		r = hear(session, answers, body, deadline_ms, err);
	if (r < 0 && !answers->has_ended)
		end_process(session);
	return r;
}

static int call_once(struct net_session *session, const struct net_call *call, struct arena *arena,
        struct net_call_answer *ret_answer, struct err *err)
{
	int64_t started_ms = clock_ms();
	struct net_call whole = fill_in(session, call);
	struct call_answers answers = { .call = &whole, .arena = arena };
	autobuf body = BUF(NET_CALL_ANSWER_MAX);
	int r = call_check(&whole, err);
	if (r == 0)
		r = check_fd(&whole, err);
	if (r == 0)
		r = ask(session, &whole, &answers, &body, started_ms, err);
	if (r < 0)
		return r;
	learn_clock(session, &whole, &answers.answer, started_ms);
	if (call_answers_to_fd(&answers))
		r = end_download(&whole, &answers.answer, err);
	else if (arena_copy(arena, buf_str(&body), &answers.answer.body) < 0)
		r = err_set(err, -ERR_LIMIT, "no memory for an answer of %zu bytes", body.n);
	if (r == 0)
		*ret_answer = answers.answer;
	return r;
}

/* The endpoint with the path of the call, without its query, for a sentence. */
static void show(const struct net_session *session, str target, char ret[NET_SHOWN_SIZE])
{
	autobuf url = BUF(2 * NET_URL_MAX + 2);
	buf_add(&url, str_from_c(session->endpoint));
	buf_add(&url, str_head(target, NET_URL_MAX));
	net_url_show(buf_str(&url), ret);
}

int net_call(struct net_session *session, const struct net_call *call, struct arena *arena,
        struct net_call_answer *ret_answer, struct err *err)
{
	char shown[NET_SHOWN_SIZE];
	struct err why = { 0 };
	int r = call_once(session, call, arena, ret_answer, &why);
	if (r == 0)
		return 0;
	show(session, call->target, shown);
	return err_set(err, r, "%s: %s", shown, why.text);
}

str net_call_header(const struct net_call_answer *answer, str name)
{
	for (size_t i = 0; i < answer->n_headers; i++) {
		if (str_eq(answer->headers[i].name, name))
			return answer->headers[i].value;
	}
	return (str){ NULL, 0 };
}

static int make_key(struct net_session *session, struct arena *arena, str *ret_private_pem,
        str *ret_public, struct err *err)
{
	int64_t deadline_ms = clock_ms() + KEY_TIMEOUT_MS;
	struct call_frame frame = { 0 };
	str pem, public;
	int r = wake(session, deadline_ms, err);
	if (r == 0) {
		call_frame_end(&session->out,
		        call_frame_begin(&session->out, CALL_FRAME_MAKE_KEY, ++session->number));
		r = send_out(session, deadline_ms, err);
	}
	if (r == 0)
		r = next_frame(session, deadline_ms, &frame, err);
	if (r < 0)
		return r;
	if (frame.type == CALL_FRAME_FAIL && frame.number == session->number)
		return call_fail_read(frame.payload, err);
	if (frame.type != CALL_FRAME_KEY || frame.number != session->number ||
	        !call_key_read(frame.payload, &pem, &public))
		return err_set(err, -EPROTO, "sonde-net gave an answer that is none");
	if (arena_copy(arena, pem, ret_private_pem) < 0 ||
	        arena_copy(arena, public, ret_public) < 0)
		return err_set(err, -ERR_LIMIT, "no memory for a key");
	wipe(&session->in);
	session->in_at = 0;
	return 0;
}

int net_make_key(struct net_session *session, struct arena *arena, str *ret_private_pem,
        str *ret_public, struct err *err)
{
	str pem, public;
	int r = make_key(session, arena, &pem, &public, err);
	if (r < 0) {
		end_process(session);
		return r;
	}
	*ret_private_pem = pem;
	*ret_public = public;
	return 0;
}

int64_t net_session_clock_offset(const struct net_session *session)
{
	return session->clock_offset_s;
}

int net_session_pid(const struct net_session *session)
{
	return session->helper.pid;
}

void net_session_rest(struct net_session *session)
{
	end_process(session);
}

void net_session_close(struct net_session *session)
{
	if (!session)
		return;
	end_process(session);
	buf_fini(&session->in);
	buf_fini(&session->out);
	buf_fini(&session->authorities);
	free(session->program);
	free(session->endpoint);
	free(session->proxy);
	free(session);
}

static int check_config(const struct net_session_config *config, struct err *err)
{
	char shown[NET_SHOWN_SIZE];
	str endpoint = str_from_c(config->endpoint), proxy = str_from_c(config->proxy);
	net_url_show(endpoint, shown);
	if (!net_is_endpoint(endpoint))
		return err_set(err, -EINVAL, "not the address of a server: %s", shown);
	if (!net_is_https(endpoint) && !net_is_loopback(endpoint) && !config->allow_plain)
		return err_set(err, -EINVAL,
		        "%s: not https, and not this machine: what is said would not be secret",
		        shown);
	if (config->proxy && !net_is_url(proxy))
		return err_set(err, -EINVAL, "the proxy is no http or https URL");
	if (config->connect_timeout_ms > NET_CALL_TIMEOUT_MAX_MS ||
	        config->timeout_ms > NET_CALL_TIMEOUT_MAX_MS ||
	        config->max_answer_bytes > NET_CALL_ANSWER_MAX)
		return err_set(err, -EINVAL, "a time or size of a session is too large");
	return 0;
}

static bool copy_text(const char *text, char **ret)
{
	if (text)
		*ret = strdup(text);
	return !text || *ret;
}

static void session_closep(struct net_session **session)
{
	net_session_close(*session);
}

int net_session_open(
        const struct net_session_config *config, struct net_session **ret_session, struct err *err)
{
	int r = check_config(config, err);
	if (r < 0)
		return r;
	cleanup(session_closep) struct net_session *session = calloc(1, sizeof(*session));
	if (!session)
		return err_set(err, -ENOMEM, "out of memory");
	session->helper = (struct helper){ .pid = 0, .fd = -1 };
	session->in = BUF(CALL_FRAME_HEAD_BYTES + CALL_TELL_MAX + READ_BYTES);
	session->out = BUF(CALL_FRAME_HEAD_BYTES + CALL_ASK_MAX);
	session->authorities = BUF(CALL_AUTHORITIES_MAX);
	session->connect_timeout_ms =
	        config->connect_timeout_ms ? config->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	session->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS;
	session->max_answer_bytes =
	        config->max_answer_bytes ? config->max_answer_bytes : ANSWER_BYTES;
	if (!copy_text(config->program, &session->program) ||
	        !copy_text(config->endpoint, &session->endpoint) ||
	        !copy_text(config->proxy, &session->proxy))
		return err_set(err, -ENOMEM, "out of memory");
	if (config->ca_file)
		r = fs_read(AT_FDCWD, config->ca_file, &session->authorities, err);
	if (r == 0 && config->ca_file && session->authorities.n == 0)
		r = err_set(err, -EINVAL, "%s: no certificates", config->ca_file);
	if (r < 0)
		return r;
	*ret_session = TAKE(session);
	return 0;
}
