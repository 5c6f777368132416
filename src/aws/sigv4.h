/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * AWS Signature Version 4: who signed a request, and whether this is the request that was signed.
 *
 * Verification has two steps, so that the caller can look a key up in between:
 * sigv4_parse() tells whose key it is, sigv4_verify() asks for the key derived from that secret.
 * Everything here is pure: the clock is an argument.
 *
 * Source: AWS General Reference, "Signature Version 4 signing process"
 */

#include "aws/crypto.h"

/** What a signature is valid for; borrows from the Authorization header. */
struct sigv4_credential {
	str access_key_id;
	str date; /* yyyymmdd */
	str region;
	str service;
};

/** How the string to sign was signed. */
enum sigv4_scheme {
	SIGV4_HMAC, /* 64 hexadecimal digits */
	SIGV4_RSA,  /* base64 of an RSA signature: managed nodes asking for their role */
};

/** A parsed Authorization header; borrows from it. */
struct sigv4 {
	struct sigv4_credential credential;
	str signed_headers; /* lower case, sorted, joined by ';' */
	str signature;      /* as sent */
	enum sigv4_scheme scheme;
};

/** One header of a request, as received. */
struct sigv4_header {
	str name, value;
};

/** A request as it stood on the wire. Borrows everything. */
struct sigv4_request {
	str method; /* upper case */
	str path;   /* still percent-encoded, without the query; begins with '/' */
	str query;  /* still percent-encoded, without the '?' */
	const struct sigv4_header *headers;
	size_t n_headers;
	uint8_t body_sha256[SHA256_BYTES];
};

/** What came out. */
enum sigv4_verdict {
	SIGV4_OK = 0,
	SIGV4_MISSING,    /* no Authorization header, or not one of this kind */
	SIGV4_INCOMPLETE, /* one of its parts, or the date header, is missing or malformed */
	SIGV4_SKEWED,     /* signed too long ago, or in the future */
	SIGV4_SCOPE,      /* the scope's day is not the day of the date header */
	SIGV4_UNSIGNED,   /* a header that has a meaning is not signed */
	SIGV4_PAYLOAD,    /* the body is not the one announced, or was left out of the signature */
	SIGV4_MISMATCH,   /* another key, or another request */
	SIGV4_FAILED,     /* ours: out of memory, or a request larger than is canonicalised */
};

/** Bytes of a derived signing key. */
#define SIGV4_KEY_BYTES SHA256_BYTES
/** Seconds that a client's clock may be off, either way. */
#define SIGV4_SKEW_S 300
/** Longest Authorization header that is looked at, in bytes. */
#define SIGV4_AUTHORIZATION_MAX 4096
/** Most headers, and most parameters of a query, of a request that is verified. */
#define SIGV4_HEADERS_MAX 128
#define SIGV4_PARAMETERS_MAX 512
/** Size of "20150830T123600Z" with its NUL. */
#define SIGV4_DATE_SIZE 17

/**
 * Read an Authorization header, strictly.
 *
 * In:      authorization  the value of the one such header; empty when there is none
 * Out:     ret            borrows; written on SIGV4_OK only
 * Returns: SIGV4_OK, SIGV4_MISSING or SIGV4_INCOMPLETE
 */
enum sigv4_verdict sigv4_parse(str authorization, struct sigv4 *ret);

/**
 * Decide whether a request was signed with a key, at about `now`.
 *
 * In:      key      the key that sigv4_signing_key() derives for sig->credential
 *          request  its header list includes everything that was received. `host`, `x-amz-date`,
 *                   every other x-amz-* header and, when present, content-type must be signed
 *          now      seconds since 1970
 * Returns: SIGV4_OK or why not; SIGV4_INCOMPLETE also for a signature that is not SIGV4_HMAC
 * Cost:    two digests of the canonical request; compares in constant time
 */
enum sigv4_verdict sigv4_verify(const struct crypto *crypto, const struct sigv4 *sig,
        const struct sigv4_request *request, const uint8_t key[SIGV4_KEY_BYTES], int64_t now);

/**
 * The same for a signature by RSA (SIGV4_RSA): RSASSA-PSS over the string to sign.
 *
 * In:      public_key  as for crypto_rsa_check()
 */
enum sigv4_verdict sigv4_verify_rsa(const struct crypto *crypto, const struct sigv4 *sig,
        const struct sigv4_request *request, str public_key, int64_t now);

/**
 * Verify an SSM-AsymmetricKeyAuthorization header: "Signature=" and the base64 of an RSASSA-PSS
 * signature over the value of the Authorization header.
 *
 * Returns: SIGV4_OK; SIGV4_MISSING when `header` is empty; SIGV4_INCOMPLETE; SIGV4_MISMATCH;
 *          SIGV4_FAILED
 */
enum sigv4_verdict sigv4_verify_asymmetric(
        const struct crypto *crypto, str header, str authorization, str public_key);

/** The name of the exception that AWS answers a verdict with; static. NULL for SIGV4_OK. */
const char *sigv4_verdict_error(enum sigv4_verdict verdict);

/** A sentence for that exception; static. */
const char *sigv4_verdict_message(enum sigv4_verdict verdict);

/**
 * Derive the key of one day, region and service from a secret access key.
 *
 * In:      secret  1 to 256 bytes
 *          scope   access_key_id is not used
 * Returns: 0; -ENOMEM; -ERR_LIMIT for a longer secret
 */
int sigv4_signing_key(const struct crypto *crypto, str secret, const struct sigv4_credential *scope,
        uint8_t ret_key[SIGV4_KEY_BYTES]);

/**
 * Add the canonical request, the text whose digest is signed.
 *
 * In:      signed_headers  as in struct sigv4; each must be among the headers of the request
 * Returns: 0; -ERR_FORMAT when a header is missing or the query is not percent-encoded;
 *          -ERR_LIMIT when `out` is full or the request has too many headers or parameters
 */
int sigv4_canonical(const struct sigv4_request *request, str signed_headers, struct buf *out);

/**
 * Add the string to sign.
 *
 * In:      amz_date  the value of x-amz-date
 * Returns: as sigv4_canonical(), and -ENOMEM
 */
int sigv4_string_to_sign(const struct crypto *crypto, const struct sigv4_credential *scope,
        str amz_date, const struct sigv4_request *request, str signed_headers, struct buf *out);

/**
 * Add the value of an Authorization header for a request: the client's side.
 *
 * In:      request         already has its x-amz-date header
 *          signed_headers  the names to sign, lower case, sorted, joined by ';'
 * Returns: as sigv4_string_to_sign(); -ERR_FORMAT when there is no x-amz-date
 */
int sigv4_sign(const struct crypto *crypto, const struct sigv4_credential *credential,
        const uint8_t key[SIGV4_KEY_BYTES], const struct sigv4_request *request, str signed_headers,
        struct buf *out);

/**
 * The same with the RSA key of a managed node (SIGV4_RSA).
 *
 * In:      credential   access_key_id is the id of the node
 *          private_pem  as for crypto_rsa_pss_sign()
 * Returns: as sigv4_sign(); -ERR_FORMAT also for a bad key
 */
int sigv4_sign_rsa(const struct crypto *crypto, const struct sigv4_credential *credential,
        str private_pem, const struct sigv4_request *request, str signed_headers, struct buf *out);

/**
 * Write a time as x-amz-date has it.
 *
 * In:      at  seconds since 1970, years 1970 to 9999; others are clamped
 */
void sigv4_date(int64_t at, char ret_date[SIGV4_DATE_SIZE]);

/** Find the only header of that name, whatever its case. False when there is none or several. */
bool sigv4_header(const struct sigv4_request *request, str name, str *ret_value);
