/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Digests. libmd enters the program here, and zlib's checksum.
 */

#include "base/str.h"

/** Bytes of a SHA-256 digest, and of its lower-case hexadecimal text with the NUL. */
#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65

/** SHA-256 (FIPS 180-4) of `bytes`. */
void hash_sha256(str bytes, unsigned char ret_digest[SHA256_BYTES]);

/** SHA-256 (FIPS 180-4) of `bytes`, as lower-case hexadecimal text ended by a NUL. */
void hash_sha256_hex(str bytes, char ret_hex[SHA256_HEX_SIZE]);

/**
 * SHA-256 of a whole file, read from its start with pread.
 *
 * Returns: 0; -errno when reading fails
 */
int hash_sha256_fd(int fd, char ret_hex[SHA256_HEX_SIZE]);

/** Characters of an MD5 digest in hexadecimal, with the NUL. */
#define MD5_HEX_SIZE 33

/**
 * MD5 (RFC 1321) of `bytes`, as lower-case hexadecimal text ended by a NUL: for protocols that name
 * content by it, never for trust.
 */
void hash_md5_hex(str bytes, char ret_hex[MD5_HEX_SIZE]);

/** CRC-32 (IEEE 802.3, as zlib) of `bytes`, going on from `seed` (0 at first): finds damage, not
 * forgery. */
uint32_t hash_crc32(uint32_t seed, str bytes);
