/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL 3 finds an algorithm by its name in a locked table; asking for it once and keeping the
 * object saves that for every digest. The fetched objects are immutable and counted atomically, so
 * that all threads share them. Contexts are made per call: they are cheap beside what they compute.
 */
#include "aws/crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define NONCE_BYTES 12
#define TAG_BYTES 16

struct crypto {
	EVP_MD *sha256;
	EVP_MD *md5; /* NULL where policy forbids it */
	EVP_MAC *hmac;
	EVP_CIPHER *aes128;
	EVP_CIPHER *aes256_gcm;
};

static void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void mac_ctx_freep(EVP_MAC_CTX **ctx)
{
	EVP_MAC_CTX_free(*ctx);
}

static void cipher_ctx_freep(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

static void pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static const unsigned char *bytes_of(str s)
{
	static const unsigned char none[1] = { 0 };
	return s.p ? (const unsigned char *)s.p : none;
}

int crypto_new(struct crypto **ret_crypto, struct err *err)
{
	struct crypto *crypto = calloc(1, sizeof(*crypto));
	if (!crypto)
		return err_set(err, -ENOMEM, "out of memory");
	crypto->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	crypto->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	crypto->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	crypto->aes128 = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	crypto->aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (!crypto->sha256 || !crypto->hmac || !crypto->aes128 || !crypto->aes256_gcm) {
		crypto_free(crypto);
		return err_set(err, -ERR_UNSUPPORTED,
		        "OpenSSL lacks one of SHA2-256, HMAC, AES-128-ECB, AES-256-GCM");
	}
	*ret_crypto = crypto;
	return 0;
}

void crypto_free(struct crypto *crypto)
{
	if (!crypto)
		return;
	EVP_MD_free(crypto->sha256);
	EVP_MD_free(crypto->md5);
	EVP_MAC_free(crypto->hmac);
	EVP_CIPHER_free(crypto->aes128);
	EVP_CIPHER_free(crypto->aes256_gcm);
	free(crypto);
}

void sha256_init(struct sha256 *sha, const struct crypto *crypto)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (ctx && EVP_DigestInit_ex2(ctx, crypto->sha256, NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		ctx = NULL;
	}
	sha->ctx = ctx;
}

void sha256_add(struct sha256 *sha, str bytes)
{
	if (sha->ctx && EVP_DigestUpdate(sha->ctx, bytes_of(bytes), bytes.n) != 1)
		sha256_fini(sha);
}

int sha256_end(struct sha256 *sha, uint8_t ret_digest[SHA256_BYTES])
{
	bool good = sha->ctx && EVP_DigestFinal_ex(sha->ctx, ret_digest, NULL) == 1;
	sha256_fini(sha);
	return good ? 0 : -ENOMEM;
}

void sha256_fini(struct sha256 *sha)
{
	EVP_MD_CTX_free(sha->ctx);
	sha->ctx = NULL;
}

static int digest(const EVP_MD *md, str bytes, uint8_t *ret)
{
	cleanup(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestInit_ex2(ctx, md, NULL) != 1 ||
	        EVP_DigestUpdate(ctx, bytes_of(bytes), bytes.n) != 1 ||
	        EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
		return -ENOMEM;
	return 0;
}

int crypto_sha256(const struct crypto *crypto, str bytes, uint8_t ret_digest[SHA256_BYTES])
{
	return digest(crypto->sha256, bytes, ret_digest);
}

int crypto_hmac(const struct crypto *crypto, str key, str text, uint8_t ret_mac[SHA256_BYTES])
{
	char name[] = "SHA2-256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t n = 0;
	cleanup(mac_ctx_freep) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(crypto->hmac);
	if (!ctx || EVP_MAC_init(ctx, bytes_of(key), key.n, params) != 1 ||
	        EVP_MAC_update(ctx, bytes_of(text), text.n) != 1 ||
	        EVP_MAC_final(ctx, ret_mac, &n, SHA256_BYTES) != 1 || n != SHA256_BYTES)
		return -ENOMEM;
	return 0;
}

int crypto_md5(const struct crypto *crypto, str bytes, uint8_t ret_digest[MD5_BYTES])
{
	return crypto->md5 ? digest(crypto->md5, bytes, ret_digest) : -ERR_UNSUPPORTED;
}

int crypto_md5_hex(const struct crypto *crypto, str bytes, char ret_hex[MD5_HEX_SIZE])
{
	uint8_t md5[MD5_BYTES];
	int r = crypto_md5(crypto, bytes, md5);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(md5); i++)
		(void)snprintf(ret_hex + 2 * i, 3, "%02x", md5[i]);
	return 0;
}

bool crypto_is_equal(str a, str b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

int crypto_random(void *ret, size_t n)
{
	if (n > INT_MAX)
		return -EIO;
	return RAND_priv_bytes(ret, (int)n) == 1 ? 0 : -EIO;
}

void crypto_wipe(void *secret, size_t n)
{
	OPENSSL_cleanse(secret, n);
}

static int aes128(const struct crypto *crypto, const uint8_t *key, const uint8_t *block,
        uint8_t *ret_block, int encrypt)
{
	uint8_t out[2 * AES128_BYTES];
	int n = 0, rest = 0;
	cleanup(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_CipherInit_ex2(ctx, crypto->aes128, key, NULL, encrypt, NULL) != 1 ||
	        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	        EVP_CipherUpdate(ctx, out, &n, block, AES128_BYTES) != 1 || n != AES128_BYTES ||
	        EVP_CipherFinal_ex(ctx, out + n, &rest) != 1 || rest != 0)
		return -ENOMEM;
	memcpy(ret_block, out, AES128_BYTES);
	return 0;
}

int crypto_aes128_encrypt(const struct crypto *crypto, const uint8_t key[AES128_BYTES],
        const uint8_t block[AES128_BYTES], uint8_t ret_block[AES128_BYTES])
{
	return aes128(crypto, key, block, ret_block, 1);
}

int crypto_aes128_decrypt(const struct crypto *crypto, const uint8_t key[AES128_BYTES],
        const uint8_t block[AES128_BYTES], uint8_t ret_block[AES128_BYTES])
{
	return aes128(crypto, key, block, ret_block, 0);
}

int crypto_seal(const struct crypto *crypto, const uint8_t key[SEAL_KEY_BYTES], str context,
        str plain, struct buf *out)
{
	uint8_t nonce[NONCE_BYTES], last[TAG_BYTES];
	int n = 0, rest = 0;
	if (plain.n > INT_MAX - SEAL_EXTRA_BYTES || context.n > INT_MAX)
		return -ERR_LIMIT;
	if (crypto_random(nonce, sizeof(nonce)) < 0)
		return -EIO;
	uint8_t *at = (uint8_t *)buf_reserve(out, plain.n + SEAL_EXTRA_BYTES);
	if (!at)
		return -ERR_LIMIT;
	cleanup(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_EncryptInit_ex2(ctx, crypto->aes256_gcm, key, nonce, NULL) != 1 ||
	        EVP_EncryptUpdate(ctx, NULL, &n, bytes_of(context), (int)context.n) != 1)
		return -ENOMEM;
	n = 0;
	if (plain.n > 0 &&
	        EVP_EncryptUpdate(ctx, at + NONCE_BYTES, &n, bytes_of(plain), (int)plain.n) != 1)
		return -ENOMEM;
	if ((size_t)n != plain.n || EVP_EncryptFinal_ex(ctx, last, &rest) != 1 || rest != 0 ||
	        EVP_CIPHER_CTX_ctrl(
	                ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, at + NONCE_BYTES + plain.n) != 1)
		return -ENOMEM;
	memcpy(at, nonce, NONCE_BYTES);
	out->n += plain.n + SEAL_EXTRA_BYTES;
	return 0;
}

int crypto_open(const struct crypto *crypto, const uint8_t key[SEAL_KEY_BYTES], str context,
        str sealed, struct buf *out)
{
	uint8_t tag[TAG_BYTES], last[TAG_BYTES];
	int n = 0, rest = 0;
	if (sealed.n < SEAL_EXTRA_BYTES || sealed.n > INT_MAX || context.n > INT_MAX)
		return -EBADMSG;
	size_t size = sealed.n - SEAL_EXTRA_BYTES;
	const uint8_t *from = bytes_of(sealed);
	uint8_t *at = (uint8_t *)buf_reserve(out, size);
	if (!at && size > 0)
		return -ERR_LIMIT;
	memcpy(tag, from + NONCE_BYTES + size, TAG_BYTES);
	cleanup(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_DecryptInit_ex2(ctx, crypto->aes256_gcm, key, from, NULL) != 1 ||
	        EVP_DecryptUpdate(ctx, NULL, &n, bytes_of(context), (int)context.n) != 1)
		return -ENOMEM;
	n = 0;
	if (size > 0 && EVP_DecryptUpdate(ctx, at, &n, from + NONCE_BYTES, (int)size) != 1)
		return -ENOMEM;
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1)
		return -ENOMEM;
	if ((size_t)n != size || EVP_DecryptFinal_ex(ctx, last, &rest) != 1 || rest != 0) {
		if (size > 0)
			crypto_wipe(at, size);
		return -EBADMSG;
	}
	out->n += size;
	return 0;
}

int crypto_ed25519_generate(const struct crypto *crypto, uint8_t ret_secret[ED25519_KEY_BYTES],
        uint8_t ret_public[ED25519_KEY_BYTES])
{
	(void)crypto;
	size_t n = ED25519_KEY_BYTES;
	uint8_t seed[ED25519_KEY_BYTES];
	if (crypto_random(seed, sizeof(seed)) < 0)
		return -EIO;
	cleanup(pkey_freep) EVP_PKEY *pkey =
	        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	bool good = pkey && EVP_PKEY_get_raw_public_key(pkey, ret_public, &n) == 1 &&
	            n == ED25519_KEY_BYTES;
	if (good)
		memcpy(ret_secret, seed, sizeof(seed));
	crypto_wipe(seed, sizeof(seed));
	return good ? 0 : -ENOMEM;
}

int crypto_ed25519_sign(const struct crypto *crypto, const uint8_t secret[ED25519_KEY_BYTES],
        str text, uint8_t ret_signature[ED25519_SIGNATURE_BYTES])
{
	(void)crypto;
	size_t n = ED25519_SIGNATURE_BYTES;
	cleanup(pkey_freep) EVP_PKEY *pkey =
	        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_KEY_BYTES);
	cleanup(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!pkey || !ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) != 1 ||
	        EVP_DigestSign(ctx, ret_signature, &n, bytes_of(text), text.n) != 1)
		return -ENOMEM;
	return 0;
}

int crypto_ed25519_verify(const struct crypto *crypto, const uint8_t public[ED25519_KEY_BYTES],
        str text, str signature)
{
	(void)crypto;
	cleanup(pkey_freep) EVP_PKEY *pkey =
	        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, ED25519_KEY_BYTES);
	cleanup(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!pkey)
		return -EBADMSG;
	if (!ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1)
		return -ENOMEM;
	int r = EVP_DigestVerify(ctx, bytes_of(signature), signature.n, bytes_of(text), text.n);
	return r == 1 ? 0 : -EBADMSG;
}
