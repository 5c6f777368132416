/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <errno.h>
#include <md5.h>
#include <sha256.h>
#include <unistd.h>
#include <zlib.h>

static void to_hex(const uint8_t *digest, size_t n, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_hex[2 * n] = '\0';
}

void hash_sha256(str bytes, unsigned char ret_digest[SHA256_BYTES])
{
	SHA256_CTX ctx;
	SHA256Init(&ctx);
	if (bytes.n > 0)
		SHA256Update(&ctx, (const uint8_t *)bytes.p, bytes.n);
	SHA256Final(ret_digest, &ctx);
}

void hash_sha256_hex(str bytes, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_BYTES];
	hash_sha256(bytes, digest);
	to_hex(digest, SHA256_BYTES, ret_hex);
}

int hash_sha256_fd(int fd, char ret_hex[SHA256_HEX_SIZE])
{
	SHA256_CTX ctx;
	uint8_t digest[SHA256_BYTES], chunk[32768];
	off_t at = 0;
	SHA256Init(&ctx);
	for (;;) {
		ssize_t n = pread(fd, chunk, sizeof(chunk), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		SHA256Update(&ctx, chunk, (size_t)n);
		at += n;
	}
	SHA256Final(digest, &ctx);
	to_hex(digest, SHA256_BYTES, ret_hex);
	return 0;
}

void hash_md5_hex(str bytes, char ret_hex[MD5_HEX_SIZE])
{
	uint8_t digest[MD5_DIGEST_LENGTH];
	MD5_CTX ctx;
	MD5Init(&ctx);
	if (bytes.n > 0)
		MD5Update(&ctx, (const uint8_t *)bytes.p, bytes.n);
	MD5Final(digest, &ctx);
	to_hex(digest, sizeof(digest), ret_hex);
}

uint32_t hash_crc32(uint32_t seed, str bytes)
{
	uLong crc = seed;
	while (bytes.n > 0) {
		size_t n = bytes.n < (1u << 30) ? bytes.n : 1u << 30;
		crc = crc32(crc, (const Bytef *)bytes.p, (uInt)n);
		bytes = str_skip(bytes, n);
	}
	return (uint32_t)crc;
}
