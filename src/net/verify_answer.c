/* SPDX-License-Identifier: Apache-2.0 */
#include "net/verify_answer.h"

#include <errno.h>
#include <unistd.h>

#include "aws/crypto.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "net/protocol.h"
#include "net/verify.h"
#include "sandbox/sandbox.h"

#define QUESTION_MAX (VERIFY_KEY_BYTES + VERIFY_SIGNATURE_BYTES + 4 + VERIFY_TEXT_MAX)
#define READ_BYTES 16384

struct question {
	str key, signature, text;
};

/* Returns: 1 it is whole; 0 there is more to come; -EPROTO */
static int parse(str bytes, struct question *ret)
{
	struct cursor in = CURSOR(bytes);
	ret->key = cursor_bytes(&in, VERIFY_KEY_BYTES);
	ret->signature = cursor_bytes(&in, VERIFY_SIGNATURE_BYTES);
	uint32_t n = cursor_u32(&in);
	if (!cursor_failed(&in) && n > VERIFY_TEXT_MAX)
		return -EPROTO;
	ret->text = cursor_bytes(&in, n);
	return cursor_failed(&in) ? 0 : in.rest.n > 0 ? -EPROTO : 1;
}

static int read_question(struct buf *in, struct question *ret)
{
	for (;;) {
		int r = parse(buf_str(in), ret);
		if (r != 0)
			return r;
		size_t room = in->max - in->n;
		char *at = buf_reserve(in, room < READ_BYTES ? room : READ_BYTES);
		if (!at || room == 0)
			return -EPROTO;
		ssize_t n = read(STDIN_FILENO, at, room < READ_BYTES ? room : READ_BYTES);
		if (n == 0 || (n < 0 && errno != EINTR))
			return -EPROTO;
		in->n += n > 0 ? (size_t)n : 0;
	}
}

static int answer(const struct crypto *crypto, struct err *err)
{
	autobuf in = BUF(QUESTION_MAX);
	struct question question;
	if (read_question(&in, &question) < 0)
		return err_set(err, -EPROTO, "the question to the verifier is none");
	int r = crypto_ed25519_verify(
	        crypto, (const uint8_t *)question.key.p, question.text, question.signature);
	if (r < 0 && r != -EBADMSG)
		return err_set(err, r, "the signature cannot be verified");
	str word = r == 0 ? STR(NET_VERIFIED) : STR(NET_NOT_VERIFIED);
	return write(STDOUT_FILENO, word.p, word.n) == (ssize_t)word.n ? 0 : -EIO;
}

/* What OpenSSL loads when it is first used for this has to be loaded while there are files. */
static void warm_up(const struct crypto *crypto)
{
	static const uint8_t key[ED25519_KEY_BYTES] = { 1 };
	static const char signature[ED25519_SIGNATURE_BYTES] = { 0 };
	(void)crypto_ed25519_verify(crypto, key, STR(""), (str){ signature, sizeof(signature) });
}

int verify_answer(struct err *err)
{
	struct crypto *crypto = NULL;
	int r = crypto_new(&crypto, err);
	if (r < 0)
		return r;
	warm_up(crypto);
	r = sandbox_enter(ROLE_VERIFIER, err);
	if (r == 0)
		r = answer(crypto, err);
	crypto_free(crypto);
	return r;
}
