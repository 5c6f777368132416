/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws/codec.h"
#include "base/buf.h"
#include "net/verify.h"

/* RFC 8032 section 7.1, test 3. */
#define KEY "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
#define TEXT "\xaf\x82"
#define SIGNATURE                                                                                  \
	"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"                         \
	"18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"

struct bytes {
	struct buf key, signature;
};

static struct bytes read_vector(void)
{
	struct bytes bytes = { .key = BUF(64), .signature = BUF(128) };
	assert_true(hex_decode(STR(KEY), buf_reserve(&bytes.key, 32), 32));
	assert_true(hex_decode(STR(SIGNATURE), buf_reserve(&bytes.signature, 64), 64));
	bytes.key.n = 32;
	bytes.signature.n = 64;
	return bytes;
}

static void drop(struct bytes *bytes)
{
	buf_fini(&bytes->key);
	buf_fini(&bytes->signature);
}

static void test_verify__a_genuine_signature_is_believed(void **state)
{
	struct bytes v = read_vector();
	struct err err = { 0 };
	(void)state;
	if (verify_ed25519(SONDE_NET, buf_str(&v.key), STR(TEXT), buf_str(&v.signature), &err) < 0)
		fail_msg("%s", err.text);
	drop(&v);
}

static void test_verify__one_bit_anywhere_is_enough_to_refuse(void **state)
{
	struct bytes v = read_vector();
	char text[] = TEXT;
	(void)state;
	for (size_t i = 0; i < v.signature.n; i += 9) {
		v.signature.p[i] ^= 1;
		assert_int_equal(verify_ed25519(SONDE_NET, buf_str(&v.key), STR(TEXT),
		                         buf_str(&v.signature), NULL),
		        -EKEYREJECTED);
		v.signature.p[i] ^= 1;
	}
	text[1] ^= 1;
	assert_int_equal(verify_ed25519(SONDE_NET, buf_str(&v.key), (str){ text, 2 },
	                         buf_str(&v.signature), NULL),
	        -EKEYREJECTED);
	v.key.p[3] ^= 1;
	assert_int_equal(
	        verify_ed25519(SONDE_NET, buf_str(&v.key), STR(TEXT), buf_str(&v.signature), NULL),
	        -EKEYREJECTED);
	drop(&v);
}

static void test_verify__what_is_no_signature_or_too_long_is_refused(void **state)
{
	struct bytes v = read_vector();
	str cut = str_head(buf_str(&v.signature), 63);
	autobuf large = BUF(VERIFY_TEXT_MAX + 1);
	char *at = buf_reserve(&large, VERIFY_TEXT_MAX + 1);
	(void)state;
	memset(at, 'x', VERIFY_TEXT_MAX + 1);
	assert_int_equal(
	        verify_ed25519(SONDE_NET, buf_str(&v.key), STR(TEXT), cut, NULL), -EKEYREJECTED);
	assert_int_equal(verify_ed25519(SONDE_NET, buf_str(&v.key), STR(TEXT), STR(""), NULL),
	        -EKEYREJECTED);
	assert_int_equal(
	        verify_ed25519(SONDE_NET, cut, STR(TEXT), buf_str(&v.signature), NULL), -ERR_LIMIT);
	assert_int_equal(verify_ed25519(SONDE_NET, buf_str(&v.key),
	                         (str){ at, VERIFY_TEXT_MAX + 1 }, buf_str(&v.signature), NULL),
	        -ERR_LIMIT);
	/* The longest text is read, and is not what was signed. */
	assert_int_equal(verify_ed25519(SONDE_NET, buf_str(&v.key), (str){ at, VERIFY_TEXT_MAX },
	                         buf_str(&v.signature), NULL),
	        -EKEYREJECTED);
	drop(&v);
}

/* A program that is something else never makes a signature genuine. */
static void test_verify__an_answer_that_is_none_is_not_believed(void **state)
{
	static const struct {
		const char *script;
		int r;
	} others[] = {
		{ "#!/bin/sh\nexit 0\n", -EPROTO },
		{ "#!/bin/sh\necho genuine; echo genuine\n", -EPROTO },
		{ "#!/bin/sh\necho 'error EIO x'\n", -EPROTO },
		{ "#!/bin/sh\nwhile :; do echo yes; done\n", -EPROTO },
	};
	struct bytes v = read_vector();
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char path[] = "/tmp/sonde-verify-XXXXXX";
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, others[i].script, strlen(others[i].script)),
		        strlen(others[i].script));
		assert_int_equal(fchmod(fd, 0755), 0);
		(void)close(fd);
		int r = verify_ed25519(
		        path, buf_str(&v.key), STR(TEXT), buf_str(&v.signature), NULL);
		(void)unlink(path);
		/* One that hangs up at once may be noticed while it is asked. */
		if (r != others[i].r && r != -EIO)
			fail_msg("case %zu: %d", i, r);
	}
	assert_int_equal(verify_ed25519("/there/is/none", buf_str(&v.key), STR(TEXT),
	                         buf_str(&v.signature), NULL),
	        -ENOENT);
	drop(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify__a_genuine_signature_is_believed),
		cmocka_unit_test(test_verify__one_bit_anywhere_is_enough_to_refuse),
		cmocka_unit_test(test_verify__what_is_no_signature_or_too_long_is_refused),
		cmocka_unit_test(test_verify__an_answer_that_is_none_is_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
