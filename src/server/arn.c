/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding's ARN ends in 32 hexadecimal digits: one block of AES-128 over
 *
 *     host 32 | vulnerability 32 | first observed 32 | type 4 | check 28      (bits, big-endian)
 *
 * so that it tells nothing, needs no place in the store and still leads back to its finding. The
 * check is made of the other fields and of the account: digits that were made up or altered decrypt
 * to noise, which has the right check once in 2^28 times, and then names a finding that is looked
 * up and authorised like any other.
 */
#include <stdio.h>

#include "server/server.h"

/* PACKAGE_VULNERABILITY. */
#define TYPE_PACKAGE 1u
#define CHECK_BITS 28

static void put_u32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t last_word(const uint8_t block[AES128_BYTES], int64_t account)
{
	struct account_text digits = account_text(account);
	uint32_t crc = hash_crc32(0, str_from_c(digits.text));
	crc = hash_crc32(crc, (str){ (const char *)block, 12 });
	return TYPE_PACKAGE << CHECK_BITS | (crc & ((1u << CHECK_BITS) - 1));
}

struct arn_text arn_of_finding(const struct server *server, str region, int64_t account,
        uint64_t host, uint32_t vuln, int64_t first_observed)
{
	struct arn_text ret = { .text = "" };
	uint8_t plain[AES128_BYTES], block[AES128_BYTES];
	struct account_text digits = account_text(account);
	put_u32(plain, (uint32_t)host);
	put_u32(plain + 4, vuln);
	put_u32(plain + 8, (uint32_t)first_observed);
	put_u32(plain + 12, last_word(plain, account));
	if (crypto_aes128_encrypt(server->crypto, server->arn_key, plain, block) < 0)
		return ret;
	int n = snprintf(ret.text, sizeof(ret.text), "arn:aws:inspector2:" STR_FMT ":%s:finding/",
	        STR_ARG(str_head(region, 32)), digits.text);
	for (size_t i = 0; i < sizeof(block); i++, n += 2)
		(void)snprintf(ret.text + n, sizeof(ret.text) - (size_t)n, "%02x", block[i]);
	return ret;
}

/* arn:aws:inspector2:<region>:<account>:finding/<32 digits>; any partition, any region. */
static bool split(str arn, int64_t *ret_account, uint8_t ret_block[AES128_BYTES])
{
	str part[5];
	for (size_t i = 0; i < 5; i++) {
		if (!str_split_first(arn, ':', &part[i], &arn))
			return false;
	}
	return str_eq(part[0], STR("arn")) && str_eq(part[2], STR("inspector2")) &&
	       account_parse(part[4], ret_account) && str_has_prefix(arn, STR("finding/")) &&
	       hex_decode(str_skip(arn, 8), ret_block, AES128_BYTES);
}

bool arn_parse_finding(const struct server *server, str arn, int64_t *ret_account,
        uint64_t *ret_host, uint32_t *ret_vuln, int64_t *ret_first_observed)
{
	uint8_t block[AES128_BYTES], plain[AES128_BYTES];
	int64_t account;
	if (!split(arn, &account, block) ||
	        crypto_aes128_decrypt(server->crypto, server->arn_key, block, plain) < 0 ||
	        get_u32(plain + 12) != last_word(plain, account))
		return false;
	*ret_account = account;
	*ret_host = get_u32(plain);
	*ret_vuln = get_u32(plain + 4);
	*ret_first_observed = get_u32(plain + 8);
	return true;
}
