/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>

#include "aws/crypto.h"
#include "keys.h"

static struct crypto *crypto;

static int setup(void **state)
{
	(void)state;
	return crypto_new(&crypto, NULL);
}

static int teardown(void **state)
{
	(void)state;
	crypto_free(crypto);
	return 0;
}

static void test_crypto_rsa__verifies_by_both_encodings_of_a_key(void **state)
{
	(void)state;
	autobuf sig = BUF(1000), short_salt = BUF(1000);
	str text = STR("text to sign");
	assert_int_equal(base64_decode(STR(RSA_SIGNATURE), &sig), 0);
	assert_int_equal(base64_decode(STR(RSA_SIGNATURE_SALT_20), &short_salt), 0);
	assert_int_equal(crypto_rsa_check(crypto, STR(RSA_SPKI)), 0);
	assert_int_equal(crypto_rsa_pss_verify(crypto, STR(RSA_SPKI), text, buf_str(&sig)), 0);
	assert_int_equal(crypto_rsa_pss_verify(crypto, STR(RSA_PKCS1), text, buf_str(&sig)), 0);
	assert_int_equal(
	        crypto_rsa_pss_verify(crypto, STR(RSA_SPKI), STR("Text to sign"), buf_str(&sig)),
	        -EBADMSG);
	assert_int_equal(
	        crypto_rsa_pss_verify(crypto, STR(RSA_SPKI), text, buf_str(&short_salt)), -EBADMSG);
	assert_int_equal(
	        crypto_rsa_pss_verify(crypto, STR(RSA_SPKI), text, (str){ NULL, 0 }), -EBADMSG);
}

static void test_crypto_rsa__other_keys_are_refused(void **state)
{
	(void)state;
	char cut[] = RSA_SPKI;
	assert_int_equal(crypto_rsa_check(crypto, STR(RSA_SMALL)), -ERR_FORMAT);
	assert_int_equal(crypto_rsa_check(crypto, STR("")), -ERR_FORMAT);
	assert_int_equal(crypto_rsa_check(crypto, STR("AAAA")), -ERR_FORMAT);
	assert_int_equal(crypto_rsa_check(crypto, STR(RSA_SPKI "AAAA")), -ERR_FORMAT);
	for (size_t n = 0; n < sizeof(cut) - 1; n += 4)
		assert_int_equal(crypto_rsa_check(crypto, (str){ cut, n }), -ERR_FORMAT);
	/* An Ed25519 key is no RSA key. */
	assert_int_equal(
	        crypto_rsa_check(crypto, STR("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4"
	                                     "rXAxZuE=")),
	        -ERR_FORMAT);
}

static void test_crypto_rsa__what_a_made_key_signs_is_genuine(void **state)
{
	(void)state;
	autobuf pem = BUF(CRYPTO_RSA_PEM_MAX), public = BUF(4096), sig = BUF(2048),
	        again = BUF(2048);
	str text = STR("text to sign");
	assert_int_equal(crypto_rsa_generate(crypto, &pem, &public), 0);
	assert_true(str_has_prefix(buf_str(&pem), STR("-----BEGIN PRIVATE KEY-----\n")));
	assert_int_equal(crypto_rsa_check(crypto, buf_str(&public)), 0);
	assert_int_equal(crypto_rsa_pss_sign(crypto, buf_str(&pem), text, &sig), 0);
	assert_int_equal(sig.n, 256);
	assert_int_equal(crypto_rsa_pss_verify(crypto, buf_str(&public), text, buf_str(&sig)), 0);
	assert_int_equal(
	        crypto_rsa_pss_verify(crypto, STR(RSA_SPKI), text, buf_str(&sig)), -EBADMSG);
	/* The salt is random. */
	assert_int_equal(crypto_rsa_pss_sign(crypto, buf_str(&pem), text, &again), 0);
	assert_false(str_eq(buf_str(&sig), buf_str(&again)));
	/* An empty text has a signature like any other. */
	buf_clear(&sig);
	assert_int_equal(crypto_rsa_pss_sign(crypto, buf_str(&pem), (str){ NULL, 0 }, &sig), 0);
	assert_int_equal(
	        crypto_rsa_pss_verify(crypto, buf_str(&public), STR(""), buf_str(&sig)), 0);
}

static void test_crypto_rsa__no_key_is_made_twice(void **state)
{
	(void)state;
	autobuf pem = BUF(CRYPTO_RSA_PEM_MAX), first = BUF(4096), second = BUF(4096);
	assert_int_equal(crypto_rsa_generate(crypto, &pem, &first), 0);
	assert_int_equal(crypto_rsa_generate(crypto, &pem, &second), 0);
	assert_false(str_eq(buf_str(&first), buf_str(&second)));
}

static void test_crypto_rsa__a_full_buffer_is_told(void **state)
{
	(void)state;
	autobuf pem = BUF(CRYPTO_RSA_PEM_MAX), public = BUF(4096), little = BUF(100);
	assert_int_equal(crypto_rsa_generate(crypto, &pem, &little), -ERR_LIMIT);
	buf_clear(&pem);
	buf_clear(&little);
	assert_int_equal(crypto_rsa_generate(crypto, &little, &public), -ERR_LIMIT);
	buf_clear(&pem);
	buf_clear(&public);
	buf_clear(&little);
	assert_int_equal(crypto_rsa_generate(crypto, &pem, &public), 0);
	assert_int_equal(crypto_rsa_pss_sign(crypto, buf_str(&pem), STR("x"), &little), -ERR_LIMIT);
}

static void test_crypto_rsa__does_not_sign_with_what_is_no_key(void **state)
{
	(void)state;
	/* genpkey -algorithm ed25519; genrsa -aes128; genrsa 1024 */
	static const char *const rows[] = { "", "x", "-----BEGIN PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEINrFqXz5NRVkVjtwbzHyTGcRcQbvhq6bI5PzZpsx6x5W\n"
		"-----END PRIVATE KEY-----\n",
		RSA_ENCRYPTED_PEM, RSA_SMALL_PEM };
	autobuf sig = BUF(2048);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (crypto_rsa_pss_sign(crypto, str_from_c(rows[i]), STR("x"), &sig) != -ERR_FORMAT)
			fail_msg("%s", rows[i]);
	}
	assert_int_equal(sig.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crypto_rsa__verifies_by_both_encodings_of_a_key),
		cmocka_unit_test(test_crypto_rsa__other_keys_are_refused),
		cmocka_unit_test(test_crypto_rsa__what_a_made_key_signs_is_genuine),
		cmocka_unit_test(test_crypto_rsa__no_key_is_made_twice),
		cmocka_unit_test(test_crypto_rsa__a_full_buffer_is_told),
		cmocka_unit_test(test_crypto_rsa__does_not_sign_with_what_is_no_key),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
