/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Cryptography. OpenSSL enters the program here and nowhere else (crypto.c, crypto_rsa.c).
 *
 * Every function that takes a struct crypto may be called by many threads with the same one: it is
 * never written to after crypto_new(). Unless its contract names more, a function fails only when
 * memory is out: -ENOMEM.
 */

#include "aws/codec.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

/** The algorithms, looked up once. Opaque. */
struct crypto;

#define MD5_BYTES 16
#define MD5_HEX_SIZE 33
#define AES128_BYTES 16      /* key and block */
#define SEAL_KEY_BYTES 32    /* AES-256 */
#define SEAL_EXTRA_BYTES 28  /* what crypto_seal() adds: a nonce of 12 and a tag of 16 */
#define ED25519_KEY_BYTES 32 /* secret and public key alike */
#define ED25519_SIGNATURE_BYTES 64

/**
 * Look the algorithms up.
 *
 * Out:     ret_crypto  owned, released with crypto_free()
 * Returns: 0; -ENOMEM; -ERR_UNSUPPORTED when this OpenSSL lacks one that we cannot do without
 * Cost:    milliseconds: once per process
 */
int crypto_new(struct crypto **ret_crypto, struct err *err);

/** Release; NULL is a no-op. */
void crypto_free(struct crypto *crypto);

/** A SHA-256 in the making; sticky failure. Begin with sha256_init(), release with sha256_fini().
 */
struct sha256 {
	void *ctx;
};

/** Begin a digest (FIPS 180-4). A failure shows at sha256_end(). */
void sha256_init(struct sha256 *sha, const struct crypto *crypto);

/** Add bytes to the digest. */
void sha256_add(struct sha256 *sha, str bytes);

/**
 * Finish the digest; what follows can only be sha256_fini().
 *
 * Returns: 0; -ENOMEM, for any of the calls since sha256_init()
 */
int sha256_end(struct sha256 *sha, uint8_t ret_digest[SHA256_BYTES]);

/** Release; a zeroed or finished digest is a no-op. */
void sha256_fini(struct sha256 *sha);

/** SHA-256 of `bytes` in one go. */
int crypto_sha256(const struct crypto *crypto, str bytes, uint8_t ret_digest[SHA256_BYTES]);

/**
 * HMAC with SHA-256 of `text`.
 *
 * Source:  RFC 2104
 */
int crypto_hmac(const struct crypto *crypto, str key, str text, uint8_t ret_mac[SHA256_BYTES]);

/** MD5 of `bytes`, for old interfaces that ask for it. -ERR_UNSUPPORTED where policy forbids it. */
int crypto_md5(const struct crypto *crypto, str bytes, uint8_t ret_digest[MD5_BYTES]);

/** MD5 as lower-case hexadecimal text ended by a NUL; as crypto_md5(). */
int crypto_md5_hex(const struct crypto *crypto, str bytes, char ret_hex[MD5_HEX_SIZE]);

/** Equality whose time depends on the lengths alone. */
bool crypto_is_equal(str a, str b);

/**
 * Fill with bytes that nobody can guess.
 *
 * Returns: 0; -EIO when the system has none to give
 */
int crypto_random(void *ret, size_t n);

/** Overwrite a secret that is not needed any more; not optimised away. */
void crypto_wipe(void *secret, size_t n);

/**
 * Encrypt one block with AES-128: for ids that must be opaque but reversible, not for messages.
 *
 * Source:  FIPS 197
 */
int crypto_aes128_encrypt(const struct crypto *crypto, const uint8_t key[AES128_BYTES],
        const uint8_t block[AES128_BYTES], uint8_t ret_block[AES128_BYTES]);

/** The inverse of crypto_aes128_encrypt(). */
int crypto_aes128_decrypt(const struct crypto *crypto, const uint8_t key[AES128_BYTES],
        const uint8_t block[AES128_BYTES], uint8_t ret_block[AES128_BYTES]);

/**
 * Encrypt and authenticate a secret that is to be stored, with AES-256-GCM and a random nonce.
 *
 * In:      context  authenticated, not stored: what the secret belongs to, so that it cannot be
 *                   moved to another row
 * Out:     out      appended: nonce, ciphertext, tag
 * Returns: 0; -ENOMEM; -EIO without random bytes; -ERR_LIMIT when `out` is full
 * Source:  NIST SP 800-38D
 */
int crypto_seal(const struct crypto *crypto, const uint8_t key[SEAL_KEY_BYTES], str context,
        str plain, struct buf *out);

/**
 * Undo crypto_seal().
 *
 * Out:     out  appended: the plain bytes; nothing is added on failure
 * Returns: 0; -EBADMSG when key, context or bytes are not those that were sealed; -ENOMEM;
 *          -ERR_LIMIT when `out` is full
 */
int crypto_open(const struct crypto *crypto, const uint8_t key[SEAL_KEY_BYTES], str context,
        str sealed, struct buf *out);

/**
 * Is this text an RSA public key that crypto_rsa_pss_verify() accepts?
 *
 * In:      public_key  base64 of DER: SubjectPublicKeyInfo, or RSAPublicKey of PKCS#1
 * Returns: 0; -ENOMEM; -ERR_FORMAT for anything else, and for keys not of 2048 to 8192 bits
 */
int crypto_rsa_check(const struct crypto *crypto, str public_key);

/**
 * Verify an RSASSA-PSS signature: SHA-256, MGF1 with SHA-256, salt of 32 bytes.
 *
 * In:      public_key  as for crypto_rsa_check()
 *          signature   raw bytes
 * Returns: 0 it is genuine; -EBADMSG it is not; -ERR_FORMAT for a bad key; -ENOMEM
 * Source:  RFC 8017 section 8.1.2
 */
int crypto_rsa_pss_verify(const struct crypto *crypto, str public_key, str text, str signature);

/** Longest text of a private RSA key that is read, in bytes. */
#define CRYPTO_RSA_PEM_MAX 16384

/**
 * Make an RSA key of 2048 bits.
 *
 * Out:     out_private_pem  added: PEM of PKCS #8, not encrypted
 *          out_public       added: as for crypto_rsa_check(), SubjectPublicKeyInfo
 * Returns: 0; -ENOMEM; -ERR_LIMIT when either is full
 * Cost:    tenths of a second
 */
int crypto_rsa_generate(
        const struct crypto *crypto, struct buf *out_private_pem, struct buf *out_public);

/**
 * Sign by RSASSA-PSS: SHA-256, MGF1 with SHA-256, salt of 32 bytes.
 *
 * In:      private_pem  PEM of PKCS #8 or PKCS #1, not encrypted, 2048 to 8192 bits
 * Out:     out          added: the raw bytes
 * Returns: 0; -ERR_FORMAT for a bad key; -ERR_LIMIT when `out` is full; -ENOMEM
 * Source:  RFC 8017 section 8.1.1
 */
int crypto_rsa_pss_sign(const struct crypto *crypto, str private_pem, str text, struct buf *out);

/**
 * Make an Ed25519 key pair.
 *
 * Returns: 0; -ENOMEM; -EIO without random bytes
 * Source:  RFC 8032
 */
int crypto_ed25519_generate(const struct crypto *crypto, uint8_t ret_secret[ED25519_KEY_BYTES],
        uint8_t ret_public[ED25519_KEY_BYTES]);

/** Sign `text` with an Ed25519 secret key. */
int crypto_ed25519_sign(const struct crypto *crypto, const uint8_t secret[ED25519_KEY_BYTES],
        str text, uint8_t ret_signature[ED25519_SIGNATURE_BYTES]);

/**
 * Verify an Ed25519 signature.
 *
 * Returns: 0 it is genuine; -EBADMSG it is not, or the key is none; -ENOMEM
 */
int crypto_ed25519_verify(const struct crypto *crypto, const uint8_t public[ED25519_KEY_BYTES],
        str text, str signature);
