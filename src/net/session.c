/* SPDX-License-Identifier: Apache-2.0 */
#include "net/session.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/cleanup.h"
#include "net/ask.h"
#include "net/sign.h"

#define READ_BYTES (16u << 10)
/* Larger requests are rare; their memory is not kept. */
#define KEEP_BYTES (32u << 10)
#define KEY_BYTES_MAX 16384

struct session {
	struct crypto *crypto;
	struct call_setup setup; /* borrows from `setup_bytes` */
	struct buf setup_bytes;
	struct ask *ask; /* NULL before the setup */
	struct buf in;   /* one request; may hold secrets until it is wiped */
};

/* If nobody hears us, there is nothing left to do. */
static void tell(str frame)
{
	while (frame.n > 0) {
		ssize_t n = write(STDOUT_FILENO, frame.p, frame.n);
		if (n < 0 && errno != EINTR)
			_exit(EXIT_FAILURE);
		frame = str_skip(frame, n > 0 ? (size_t)n : 0);
	}
}

static const struct ask_listener listener = { .tell = tell };

static int tell_failure(uint16_t number, const struct err *why)
{
	autobuf out = BUF(CALL_TELL_MAX);
	call_fail_add(&out, number, why);
	if (buf_failed(&out))
		return -ENOMEM;
	tell(buf_str(&out));
	return 0;
}

void session_fail(const struct err *err)
{
	(void)tell_failure(0, err);
}

static void wipe(struct buf *buf)
{
	if (buf->p)
		crypto_wipe(buf->p, buf->cap);
	buf_clear(buf);
	if (buf->cap > KEEP_BYTES) {
		size_t max = buf->max;
		buf_fini(buf);
		*buf = BUF(max);
	}
}

/* Read one request; it is alone, because the next comes after its answer. Returns: 1; 0 at the end;
 * < 0 */
static int read_frame(struct session *session, struct call_frame *ret, struct err *err)
{
	wipe(&session->in);
	for (;;) {
		str rest = buf_str(&session->in);
		int r = call_frame_take(&rest, CALL_ASK_MAX, ret);
		if (r < 0 || (r > 0 && rest.n > 0))
			return err_set(err, -EPROTO, "the request to sonde-net is none");
		if (r > 0)
			return 1;
		char *at = buf_reserve(&session->in, READ_BYTES);
		if (!at)
			return err_set(err, -ENOMEM, "out of memory");
		ssize_t n = read(STDIN_FILENO, at, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 && session->in.n == 0)
			return 0;
		if (n <= 0)
			return err_set(err, -EPROTO, "the request to sonde-net breaks off");
		session->in.n += (size_t)n;
	}
}

static int set_up(struct session *session, const struct call_frame *frame, struct err *err)
{
	autobuf out = BUF(64);
	buf_add(&session->setup_bytes, frame->payload);
	if (session->ask || buf_failed(&session->setup_bytes) ||
	        !call_setup_read(buf_str(&session->setup_bytes), &session->setup))
		return err_set(err, -EPROTO, "the setup of sonde-net is none");
	int r = ask_new(&session->setup, &listener, &session->ask, err);
	if (r < 0)
		return r;
	call_frame_end(&out, call_frame_begin(&out, CALL_FRAME_READY, 0));
	if (buf_failed(&out))
		return err_set(err, -ENOMEM, "out of memory");
	tell(buf_str(&out));
	return 0;
}

static int answer_ask(struct session *session, const struct call_frame *frame, struct err *err)
{
	struct net_header headers[NET_CALL_HEADERS_MAX];
	struct net_call call;
	struct err why = { 0 };
	autobuf lines = BUF(SIGN_LINES_MAX);
	if (!session->ask || !call_ask_read(frame->payload, headers, &call))
		return err_set(err, -EPROTO, "the request to sonde-net is none");
	int r = sign_lines(session->crypto, session->setup.endpoint, &call, &lines, &why);
	if (r == 0)
		r = ask_run(session->ask, &call, buf_str(&lines), frame->number, &why);
	wipe(&lines);
	if (r < 0 && tell_failure(frame->number, &why) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int answer_make_key(struct session *session, const struct call_frame *frame, struct err *err)
{
	autobuf pem = BUF(KEY_BYTES_MAX), public = BUF(KEY_BYTES_MAX), out = BUF(CALL_TELL_MAX);
	if (!session->ask || frame->payload.n > 0)
		return err_set(err, -EPROTO, "the request to sonde-net is none");
	int r = crypto_rsa_generate(session->crypto, &pem, &public);
	if (r < 0)
		return err_set(err, r, "cannot make a key");
	call_key_add(&out, frame->number, buf_str(&pem), buf_str(&public));
	if (buf_failed(&out))
		return err_set(err, -ENOMEM, "out of memory");
	tell(buf_str(&out));
	wipe(&pem);
	wipe(&out);
	return 0;
}

static int answer(struct session *session, const struct call_frame *frame, struct err *err)
{
	switch (frame->type) {
	case CALL_FRAME_SETUP: return set_up(session, frame, err);
	case CALL_FRAME_ASK: return answer_ask(session, frame, err);
	case CALL_FRAME_MAKE_KEY: return answer_make_key(session, frame, err);
	case CALL_FRAME_READY:
	case CALL_FRAME_HEAD:
	case CALL_FRAME_DATA:
	case CALL_FRAME_END:
	case CALL_FRAME_KEY:
	case CALL_FRAME_FAIL:
	default: return err_set(err, -EPROTO, "the request to sonde-net is none");
	}
}

int session_serve(struct session *session, struct err *err)
{
	for (;;) {
		struct call_frame frame;
		int r = read_frame(session, &frame, err);
		if (r > 0)
			r = answer(session, &frame, err);
		else
			return r;
		if (r < 0)
			return r;
	}
}

void session_free(struct session *session)
{
	if (!session)
		return;
	ask_free(session->ask);
	wipe(&session->in);
	buf_fini(&session->in);
	buf_fini(&session->setup_bytes);
	crypto_free(session->crypto);
	free(session);
	curl_global_cleanup();
}

int session_new(struct session **ret_session, struct err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, -EIO, "libcurl does not start");
	struct session *session = calloc(1, sizeof(*session));
	int r = session ? crypto_new(&session->crypto, err)
	                : err_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		free(session);
		curl_global_cleanup();
		return r;
	}
	session->in = BUF(CALL_FRAME_HEAD_BYTES + CALL_ASK_MAX + READ_BYTES);
	session->setup_bytes = BUF(CALL_ASK_MAX);
	*ret_session = session;
	return 0;
}
