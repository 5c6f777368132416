/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"

/* FIPS 180-4's examples, and the empty message. */
static void test_hash__sha256_of_known_messages(void **state)
{
	(void)state;
	char hex[SHA256_HEX_SIZE];
	hash_sha256_hex(STR("abc"), hex);
	assert_string_equal(
	        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_sha256_hex((str){ NULL, 0 }, hex);
	assert_string_equal(
	        hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256_hex(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hex);
	assert_string_equal(
	        hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* The test suite of RFC 1321, appendix A.5. */
static void test_hash__md5_of_known_messages(void **state)
{
	(void)state;
	char hex[MD5_HEX_SIZE];
	hash_md5_hex((str){ NULL, 0 }, hex);
	assert_string_equal(hex, "d41d8cd98f00b204e9800998ecf8427e");
	hash_md5_hex(STR("message digest"), hex);
	assert_string_equal(hex, "f96b697d7cb7938d525a2f31aaf161d0");
}

static void test_hash__a_file_is_read_from_its_start(void **state)
{
	(void)state;
	static char bytes[100001];
	memset(bytes, 'a', sizeof(bytes));
	char from_file[SHA256_HEX_SIZE], from_memory[SHA256_HEX_SIZE];
	FILE *f = tmpfile();
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, sizeof(bytes), f), sizeof(bytes));
	assert_int_equal(fflush(f), 0);
	assert_int_equal(hash_sha256_fd(fileno(f), from_file), 0);
	hash_sha256_hex((str){ bytes, sizeof(bytes) }, from_memory);
	assert_string_equal(from_file, from_memory);
	(void)fclose(f);
}

static void test_hash__a_descriptor_that_cannot_be_read_is_told(void **state)
{
	(void)state;
	char hex[SHA256_HEX_SIZE];
	int ends[2];
	assert_int_equal(hash_sha256_fd(-1, hex), -EBADF);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(hash_sha256_fd(ends[0], hex), -ESPIPE);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_hash__crc32_is_zlibs_and_goes_on(void **state)
{
	(void)state;
	assert_int_equal(hash_crc32(0, STR("123456789")), 0xCBF43926);
	assert_int_equal(hash_crc32(0, (str){ NULL, 0 }), 0);
	assert_int_equal(hash_crc32(hash_crc32(0, STR("1234")), STR("56789")), 0xCBF43926);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash__sha256_of_known_messages),
		cmocka_unit_test(test_hash__md5_of_known_messages),
		cmocka_unit_test(test_hash__a_file_is_read_from_its_start),
		cmocka_unit_test(test_hash__a_descriptor_that_cannot_be_read_is_told),
		cmocka_unit_test(test_hash__crc32_is_zlibs_and_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
