/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA: the keys of managed nodes. RSASSA-PSS with SHA-256 and a salt of 32 bytes is the only scheme
 * that is made and believed.
 */
#include "aws/crypto.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/cleanup.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_BITS_MADE 2048
#define RSA_SALT_BYTES 32
/* Base64 of the largest key that is accepted, with room to spare. */
#define PUBLIC_KEY_MAX 4096

static void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void bio_freep(BIO **bio)
{
	(void)BIO_free(*bio);
}

static const unsigned char *bytes_of(str s)
{
	static const unsigned char none[1] = { 0 };
	return s.p ? (const unsigned char *)s.p : none;
}

static bool is_rsa(const EVP_PKEY *pkey)
{
	return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA &&
	       EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN && EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX;
}

/* The whole of `der`, as one of the two encodings. */
static EVP_PKEY *read_key(str der)
{
	const unsigned char *at = bytes_of(der), *end = at + der.n;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.n);
	if (!pkey) {
		at = bytes_of(der);
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.n);
	}
	if (pkey && (at != end || !is_rsa(pkey))) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	return pkey;
}

static int rsa_key(str public_key, EVP_PKEY **ret)
{
	autobuf der = BUF(PUBLIC_KEY_MAX);
	int r = public_key.n <= PUBLIC_KEY_MAX ? base64_decode(public_key, &der) : -ERR_FORMAT;
	if (r < 0)
		return r == -ERR_LIMIT ? -ENOMEM : r;
	*ret = read_key(buf_str(&der));
	return *ret ? 0 : -ERR_FORMAT;
}

int crypto_rsa_check(const struct crypto *crypto, str public_key)
{
	(void)crypto;
	cleanup(pkey_freep) EVP_PKEY *pkey = NULL;
	return rsa_key(public_key, &pkey);
}

/* Ask for the one scheme. */
static bool set_pss(EVP_PKEY_CTX *options, const EVP_MD *md)
{
	return EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_SALT_BYTES) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(options, md) == 1;
}

int crypto_rsa_pss_verify(const struct crypto *crypto, str public_key, str text, str signature)
{
	(void)crypto;
	cleanup(pkey_freep) EVP_PKEY *pkey = NULL;
	int r = rsa_key(public_key, &pkey);
	if (r < 0)
		return r;
	EVP_PKEY_CTX *options = NULL; /* owned by ctx */
	const EVP_MD *md = EVP_sha256();
	cleanup(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestVerifyInit(ctx, &options, md, NULL, pkey) != 1 ||
	        !set_pss(options, md))
		return -ENOMEM;
	r = EVP_DigestVerify(ctx, bytes_of(signature), signature.n, bytes_of(text), text.n);
	return r == 1 ? 0 : -EBADMSG;
}

/* No password is asked for: a key that is encrypted is none to us. */
static int refuse_password(char *buf, int size, int is_writing, void *ctx)
{
	(void)buf, (void)size, (void)is_writing, (void)ctx;
	return -1;
}

static EVP_PKEY *read_private_key(str pem)
{
	if (pem.n == 0 || pem.n > CRYPTO_RSA_PEM_MAX)
		return NULL;
	cleanup(bio_freep) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL) : NULL;
	if (pkey && !is_rsa(pkey)) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	return pkey;
}

int crypto_rsa_pss_sign(const struct crypto *crypto, str private_pem, str text, struct buf *out)
{
	(void)crypto;
	cleanup(pkey_freep) EVP_PKEY *pkey = read_private_key(private_pem);
	if (!pkey)
		return -ERR_FORMAT;
	EVP_PKEY_CTX *options = NULL; /* owned by ctx */
	const EVP_MD *md = EVP_sha256();
	size_t n = RSA_BITS_MAX / 8;
	cleanup(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *at = (unsigned char *)buf_reserve(out, n);
	if (!at)
		return -ERR_LIMIT;
	if (!ctx || EVP_DigestSignInit(ctx, &options, md, NULL, pkey) != 1 ||
	        !set_pss(options, md) || EVP_DigestSign(ctx, at, &n, bytes_of(text), text.n) != 1)
		return -ENOMEM;
	out->n += n;
	return 0;
}

/* What was written into memory, and wipe it there. */
static void move_out(BIO *bio, struct buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);
	buf_add(out, (str){ p, n > 0 ? (size_t)n : 0 });
	if (n > 0)
		crypto_wipe(p, (size_t)n);
}

static int add_public(const EVP_PKEY *pkey, struct buf *out)
{
	unsigned char der[PUBLIC_KEY_MAX], *at = der;
	int n = i2d_PUBKEY(pkey, NULL);
	if (n <= 0 || (size_t)n > sizeof(der) || i2d_PUBKEY(pkey, &at) != n)
		return -ENOMEM;
	base64_add(out, (str){ (const char *)der, (size_t)n });
	return 0;
}

int crypto_rsa_generate(
        const struct crypto *crypto, struct buf *out_private_pem, struct buf *out_public)
{
	(void)crypto;
	cleanup(pkey_freep) EVP_PKEY *pkey = EVP_RSA_gen(RSA_BITS_MADE);
	cleanup(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	if (!pkey || !bio ||
	        PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
		return -ENOMEM;
	move_out(bio, out_private_pem);
	int r = add_public(pkey, out_public);
	if (r == 0 && (buf_failed(out_private_pem) || buf_failed(out_public)))
		r = -ERR_LIMIT;
	return r;
}
