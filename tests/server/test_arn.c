/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/server.h"

static struct server make(void)
{
	struct server server = { .store = NULL };
	struct err err = { 0 };
	assert_int_equal(crypto_new(&server.crypto, &err), 0);
	memcpy(server.arn_key, "0123456789abcdef", 16);
	return server;
}

struct parts {
	int64_t account, first;
	uint64_t host;
	uint32_t vuln;
};

static bool parse(const struct server *server, const char *text, struct parts *ret)
{
	return arn_parse_finding(
	        server, str_from_c(text), &ret->account, &ret->host, &ret->vuln, &ret->first);
}

static void test_arn__leads_back_to_its_finding(void **state)
{
	struct server server = make();
	(void)state;
	static const struct parts rows[] = { { 123456789012, 1767225600, 1, 1 },
		{ 1, 0, 0xffffffff, 0xffffffff }, { 999999999999, 0xffffffff, 77, 123456 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct parts got;
		struct arn_text arn = arn_of_finding(&server, STR("eu-central-1"), rows[i].account,
		        rows[i].host, rows[i].vuln, rows[i].first);
		assert_true(parse(&server, arn.text, &got));
		assert_int_equal(got.account, rows[i].account);
		assert_int_equal(got.host, rows[i].host);
		assert_int_equal(got.vuln, rows[i].vuln);
		assert_int_equal(got.first, rows[i].first);
	}
	crypto_free(server.crypto);
}

static void test_arn__has_the_form_of_amazons(void **state)
{
	struct server server = make();
	(void)state;
	struct arn_text arn = arn_of_finding(&server, STR("eu-central-1"), 42, 1, 2, 3);
	str text = str_from_c(arn.text);
	assert_true(
	        str_has_prefix(text, STR("arn:aws:inspector2:eu-central-1:000000000042:finding/")));
	assert_int_equal(
	        text.n, sizeof("arn:aws:inspector2:eu-central-1:000000000042:finding/") + 31);
	crypto_free(server.crypto);
}

static void test_arn__that_was_altered_is_none(void **state)
{
	struct server server = make();
	struct parts got;
	(void)state;
	struct arn_text arn = arn_of_finding(&server, STR("r"), 123456789012, 7, 8, 9);
	size_t n = strlen(arn.text);
	for (size_t i = n - 32; i < n; i++) {
		for (const char *p = "0123456789abcdef"; *p; p++) {
			struct arn_text other = arn;
			if (other.text[i] == *p)
				continue;
			other.text[i] = *p;
			assert_false(parse(&server, other.text, &got));
		}
	}
	struct arn_text other = arn;
	memcpy(strstr(other.text, "123456789012"), "123456789013", 12);
	assert_false(parse(&server, other.text, &got));
	server.arn_key[0] ^= 1;
	assert_false(parse(&server, arn.text, &got));
	crypto_free(server.crypto);
}

static void test_arn__of_another_kind_is_none(void **state)
{
	struct server server = make();
	struct parts got;
	(void)state;
	static const char *const rows[] = { "", "arn", "arn:aws:inspector2:r:123456789012:finding",
		"arn:aws:inspector2:r:123456789012:finding/",
		"arn:aws:inspector2:r:1:finding/"
		"00000000000000000000000000000000",
		"arn:aws:ec2:r:123456789012:finding/00000000000000000000000000000000",
		"arn:aws:inspector2:r:123456789012:filter/00000000000000000000000000000000",
		"arn:aws:inspector2:r:123456789012:finding/0000000000000000000000000000000g",
		"arn:aws:inspector2:r:123456789012:finding/000000000000000000000000000000000" };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_false(parse(&server, rows[i], &got));
	crypto_free(server.crypto);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arn__leads_back_to_its_finding),
		cmocka_unit_test(test_arn__has_the_form_of_amazons),
		cmocka_unit_test(test_arn__that_was_altered_is_none),
		cmocka_unit_test(test_arn__of_another_kind_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
