/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>

#include "aws/crypto.h"

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
	crypto_free(NULL);
	return 0;
}

static str bytes_of(const void *p, size_t n)
{
	return (str){ p, n };
}

#define assert_hex(bytes, n, expected)                                                             \
	do {                                                                                       \
		autobuf hex_ = BUF(1000);                                                          \
		hex_add(&hex_, bytes_of(bytes, n));                                                \
		assert_text(buf_str(&hex_), expected);                                             \
	} while (0)

static void test_crypto__sha256_agrees_with_fips_180(void **state)
{
	(void)state;
	uint8_t digest[SHA256_BYTES];
	struct sha256 sha;
	const char *abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	assert_int_equal(crypto_sha256(crypto, STR("abc"), digest), 0);
	assert_hex(digest, 32, abc);
	assert_int_equal(crypto_sha256(crypto, (str){ NULL, 0 }, digest), 0);
	assert_hex(digest, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_init(&sha, crypto);
	sha256_add(&sha, STR("a"));
	sha256_add(&sha, (str){ NULL, 0 });
	sha256_add(&sha, STR("bc"));
	assert_int_equal(sha256_end(&sha, digest), 0);
	assert_hex(digest, 32, abc);
	sha256_fini(&sha);
}

static void test_crypto__an_unfinished_digest_can_be_released(void **state)
{
	(void)state;
	struct sha256 sha;
	uint8_t digest[SHA256_BYTES];
	sha256_init(&sha, crypto);
	sha256_add(&sha, STR("a"));
	sha256_fini(&sha);
	sha256_add(&sha, STR("a"));
	assert_int_equal(sha256_end(&sha, digest), -ENOMEM);
}

static void test_crypto__hmac_agrees_with_rfc_4231(void **state)
{
	(void)state;
	uint8_t mac[SHA256_BYTES];
	assert_int_equal(
	        crypto_hmac(crypto, STR("Jefe"), STR("what do ya want for nothing?"), mac), 0);
	assert_hex(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(crypto_hmac(crypto, (str){ NULL, 0 }, (str){ NULL, 0 }, mac), 0);
	assert_hex(mac, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_crypto__md5_agrees_with_rfc_1321(void **state)
{
	(void)state;
	char hex[MD5_HEX_SIZE];
	int r = crypto_md5_hex(crypto, STR("message digest"), hex);
	if (r == -ERR_UNSUPPORTED) {
		print_message("skipped: MD5 in this OpenSSL\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_string_equal(hex, "f96b697d7cb7938d525a2f31aaf161d0");
}

static void test_crypto__aes_agrees_with_fips_197(void **state)
{
	(void)state;
	uint8_t key[16], block[16], out[16], back[16];
	for (uint8_t i = 0; i < 16; i++) {
		key[i] = i;
		block[i] = (uint8_t)(i * 0x11);
	}
	assert_int_equal(crypto_aes128_encrypt(crypto, key, block, out), 0);
	assert_hex(out, 16, "69c4e0d86a7b0430d8cdb78070b4c55a");
	assert_int_equal(crypto_aes128_decrypt(crypto, key, out, back), 0);
	assert_memory_equal(block, back, 16);
}

static void test_crypto__a_sealed_secret_opens_with_key_and_context_only(void **state)
{
	(void)state;
	uint8_t key[SEAL_KEY_BYTES], other[SEAL_KEY_BYTES];
	assert_int_equal(crypto_random(key, sizeof(key)), 0);
	memcpy(other, key, sizeof(key));
	other[31] ^= 1;
	autobuf sealed = BUF(1000), again = BUF(1000), open = BUF(1000);
	assert_int_equal(crypto_seal(crypto, key, STR("row 1"), STR("secret"), &sealed), 0);
	assert_int_equal(crypto_seal(crypto, key, STR("row 1"), STR("secret"), &again), 0);
	assert_int_equal(sealed.n, 6 + SEAL_EXTRA_BYTES);
	assert_false(str_eq(buf_str(&sealed), buf_str(&again)));
	assert_int_equal(crypto_open(crypto, key, STR("row 1"), buf_str(&sealed), &open), 0);
	assert_text(buf_str(&open), "secret");
	assert_int_equal(crypto_open(crypto, key, STR("row 2"), buf_str(&sealed), &open), -EBADMSG);
	assert_int_equal(
	        crypto_open(crypto, other, STR("row 1"), buf_str(&sealed), &open), -EBADMSG);
	for (size_t i = 0; i < sealed.n; i++) {
		sealed.p[i] ^= 1;
		assert_int_equal(
		        crypto_open(crypto, key, STR("row 1"), buf_str(&sealed), &open), -EBADMSG);
		assert_int_equal(crypto_open(crypto, key, STR("row 1"),
		                         str_head(buf_str(&sealed), i), &open),
		        -EBADMSG);
		sealed.p[i] ^= 1;
	}
	assert_text(buf_str(&open), "secret");
}

static void test_crypto__nothing_can_be_sealed_too(void **state)
{
	(void)state;
	uint8_t key[SEAL_KEY_BYTES] = { 7 };
	autobuf sealed = BUF(1000), open = BUF(1000), full = BUF(10);
	str none = { NULL, 0 };
	assert_int_equal(crypto_seal(crypto, key, none, none, &sealed), 0);
	assert_int_equal(crypto_open(crypto, key, none, buf_str(&sealed), &open), 0);
	assert_int_equal(open.n, 0);
	assert_int_equal(crypto_seal(crypto, key, none, none, &full), -ERR_LIMIT);
}

static void test_crypto__ed25519_agrees_with_rfc_8032(void **state)
{
	(void)state;
	/* Section 7.1, test 2. */
	uint8_t secret[32], public[32], sig[64];
	assert_true(
	        hex_decode(STR("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
	                secret, 32));
	assert_true(
	        hex_decode(STR("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
	                public, 32));
	assert_int_equal(crypto_ed25519_sign(crypto, secret, STR("\x72"), sig), 0);
	assert_hex(sig, 64,
	        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_int_equal(crypto_ed25519_verify(crypto, public, STR("\x72"), bytes_of(sig, 64)), 0);
	assert_int_equal(
	        crypto_ed25519_verify(crypto, public, STR("\x73"), bytes_of(sig, 64)), -EBADMSG);
	assert_int_equal(
	        crypto_ed25519_verify(crypto, public, STR("\x72"), bytes_of(sig, 63)), -EBADMSG);
}

static void test_crypto__a_new_ed25519_key_signs(void **state)
{
	(void)state;
	uint8_t secret[32], public[32], other[32], sig[64];
	assert_int_equal(crypto_ed25519_generate(crypto, secret, other), 0);
	assert_int_equal(crypto_ed25519_generate(crypto, secret, public), 0);
	assert_int_equal(crypto_ed25519_sign(crypto, secret, STR("package"), sig), 0);
	assert_int_equal(
	        crypto_ed25519_verify(crypto, public, STR("package"), bytes_of(sig, 64)), 0);
	assert_int_equal(
	        crypto_ed25519_verify(crypto, other, STR("package"), bytes_of(sig, 64)), -EBADMSG);
}

static void test_crypto__equality_looks_at_every_byte(void **state)
{
	(void)state;
	assert_true(crypto_is_equal(STR("abc"), STR("abc")));
	assert_false(crypto_is_equal(STR("abc"), STR("abd")));
	assert_false(crypto_is_equal(STR("abc"), STR("ab")));
	assert_true(crypto_is_equal((str){ NULL, 0 }, STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crypto__sha256_agrees_with_fips_180),
		cmocka_unit_test(test_crypto__an_unfinished_digest_can_be_released),
		cmocka_unit_test(test_crypto__hmac_agrees_with_rfc_4231),
		cmocka_unit_test(test_crypto__md5_agrees_with_rfc_1321),
		cmocka_unit_test(test_crypto__aes_agrees_with_fips_197),
		cmocka_unit_test(test_crypto__a_sealed_secret_opens_with_key_and_context_only),
		cmocka_unit_test(test_crypto__nothing_can_be_sealed_too),
		cmocka_unit_test(test_crypto__ed25519_agrees_with_rfc_8032),
		cmocka_unit_test(test_crypto__a_new_ed25519_key_signs),
		cmocka_unit_test(test_crypto__equality_looks_at_every_byte),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
