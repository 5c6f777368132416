/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question is the key, the signature and the text's length and bytes; the answer is one line,
 * NET_VERIFIED or NET_NOT_VERIFIED. Nothing else means anything.
 */
#include "net/verify.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "net/protocol.h"
#include "net/start.h"

#define TIMEOUT_MS 30000

static int wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		int64_t left = deadline_ms - clock_ms();
		struct pollfd wait = { .fd = fd, .events = events };
		int r = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (r == 0)
			return err_set(err, -ETIMEDOUT, "the verifier does not answer");
		if (r > 0)
			return 0;
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for the verifier: %m");
	}
}

static int ask(int fd, str question, int64_t deadline_ms, struct err *err)
{
	while (question.n > 0) {
		ssize_t n = send(fd, question.p, question.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			question = str_skip(question, (size_t)n);
		} else if (errno == EAGAIN) {
			int r = wait_for(fd, POLLOUT, deadline_ms, err);
			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return err_set(err, -EIO, "the verifier died");
		}
	}
	return 0;
}

static int hear(int fd, struct buf *said, int64_t deadline_ms, struct err *err)
{
	char piece[64];
	for (;;) {
		int r = wait_for(fd, POLLIN, deadline_ms, err);
		if (r < 0)
			return r;
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n > 0)
			buf_add(said, (str){ piece, (size_t)n });
		if (buf_failed(said))
			return err_set(err, -EPROTO, "the verifier gave an answer that is none");
	}
}

int verify_ed25519(const char *program, str key, str text, str signature, struct err *err)
{
	autobuf question = BUF(VERIFY_KEY_BYTES + VERIFY_SIGNATURE_BYTES + 4 + VERIFY_TEXT_MAX);
	autobuf said = BUF(NET_LINE_MAX);
	struct helper helper;
	char shown[160];
	int64_t deadline_ms = clock_ms() + TIMEOUT_MS;
	if (key.n != VERIFY_KEY_BYTES || text.n > VERIFY_TEXT_MAX)
		return err_set(err, -ERR_LIMIT, "not a key, or a text that is too long");
	if (signature.n != VERIFY_SIGNATURE_BYTES)
		return err_set(err, -EKEYREJECTED, "the signature has not %d bytes",
		        VERIFY_SIGNATURE_BYTES);
	buf_add(&question, key);
	buf_add(&question, signature);
	buf_add_str(&question, text);
	if (buf_failed(&question))
		return err_set(err, -ENOMEM, "out of memory");
	int r = helper_start(program, NET_MODE_VERIFY, -1, &helper, err);
	if (r < 0)
		return r;
	r = ask(helper.fd, buf_str(&question), deadline_ms, err);
	if (r == 0)
		r = hear(helper.fd, &said, deadline_ms, err);
	helper_kill(&helper);
	if (r < 0)
		return r;
	if (str_eq(buf_str(&said), STR(NET_VERIFIED)))
		return 0;
	if (str_eq(buf_str(&said), STR(NET_NOT_VERIFIED)))
		return err_set(err, -EKEYREJECTED, "the signature is not by this key");
	net_text_show(str_trim(buf_str(&said)), shown, sizeof(shown));
	return err_set(err, -EPROTO, "the verifier gave an answer that is none: %s", shown);
}
