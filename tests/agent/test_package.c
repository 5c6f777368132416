/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/package.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MANIFEST(packages)                                                                         \
	"{\"schemaVersion\":\"2.0\",\"name\":\"Thing\",\"version\":\"1.2\",\"packages\":" packages \
	",\"files\":{\"a.zip\":{\"checksums\":{\"sha256\":\"" DIGEST "\"},\"size\":9},"            \
	"\"b.zip\":{\"checksums\":{\"sha256\":\"" DIGEST "\"},\"size\":10},"                       \
	"\"../c\":{\"checksums\":{\"sha256\":\"" DIGEST "\"},\"size\":10},"                        \
	"\"d\":{\"checksums\":{\"sha256\":\"ABC\"},\"size\":10},"                                  \
	"\"e\":{\"checksums\":{\"sha256\":\"" DIGEST "\"},\"size\":-1},"                           \
	"\"f\":{\"checksums\":{\"sha256\":\"" DIGEST "\"},\"size\":536870913}}}"

static const struct host debian = {
	.os_id = STR("debian"), .os_version = STR("12"), .arch = STR("x86_64")
};
static const struct host red = {
	.os_id = STR("rhel"), .os_version = STR("8.6"), .arch = STR("aarch64")
};

static int choose(const char *text, const struct host *host, const char *name, const char *version,
        char ret_file[32])
{
	struct arena arena = ARENA(1u << 20);
	const struct value *tree;
	struct package_choice choice;
	assert_int_equal(value_from_json(str_from_c(text), &arena, &tree, NULL), 0);
	int r = package_choose(tree, host, str_from_c(name), str_from_c(version), &choice, NULL);
	if (r == 0) {
		assert_string_equal(choice.sha256, DIGEST);
		(void)snprintf(ret_file, 32, STR_FMT, STR_ARG(choice.file));
	}
	arena_fini(&arena);
	return r;
}

static void test_package__the_nearest_entry_is_chosen(void **state)
{
	static const struct {
		const char *text;
		const struct host *host;
		const char *file; /* NULL: none */
	} cases[] = {
		{ MANIFEST("{\"_any\":{\"_any\":{\"x86_64\":{\"file\":\"a.zip\"}}}}"), &debian,
		        "a.zip" },
		{ MANIFEST("{\"_any\":{\"_any\":{\"x86_64\":{\"file\":\"a.zip\"}}},"
		           "\"debian\":{\"_any\":{\"x86_64\":{\"file\":\"b.zip\"}}}}"),
		        &debian, "b.zip" },
		{ MANIFEST("{\"debian\":{\"11\":{\"x86_64\":{\"file\":\"a.zip\"}},"
		           "\"12\":{\"_any\":{\"file\":\"b.zip\"}}}}"),
		        &debian, "b.zip" },
		{ MANIFEST("{\"redhat\":{\"8\":{\"arm64\":{\"file\":\"b.zip\"}}}}"), &red,
		        "b.zip" },
		{ MANIFEST("{\"redhat\":{\"8.6\":{\"_any\":{\"file\":\"a.zip\"}},"
		           "\"8\":{\"arm64\":{\"file\":\"b.zip\"}}}}"),
		        &red, "a.zip" },
		{ MANIFEST("{\"_any\":{\"_any\":{\"arm64\":{\"file\":\"a.zip\"}}}}"), &debian,
		        NULL },
		{ MANIFEST("{}"), &debian, NULL },
		{ MANIFEST("[]"), &debian, NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char file[32] = "";
		int r = choose(cases[i].text, cases[i].host, "Thing", "", file);
		if (r != (cases[i].file ? 0 : -ERR_UNSUPPORTED) ||
		        (cases[i].file && strcmp(file, cases[i].file) != 0))
			fail_msg("case %zu: %d %s", i, r, file);
	}
}

static void test_package__a_manifest_of_another_package_or_version_is_refused(void **state)
{
	static const char any[] = MANIFEST("{\"_any\":{\"_any\":{\"_any\":{\"file\":\"a.zip\"}}}}");
	char file[32];
	(void)state;
	assert_int_equal(choose(any, &debian, "Thing", "1.2", file), 0);
	assert_int_equal(choose(any, &debian, "Thing", "1.1", file), -ERR_FORMAT);
	assert_int_equal(choose(any, &debian, "Other", "", file), -ERR_FORMAT);
	assert_int_equal(
	        choose("{\"schemaVersion\":\"1.0\"}", &debian, "Thing", "", file), -ERR_FORMAT);
	assert_int_equal(
	        choose("{\"schemaVersion\":\"2.0\",\"version\":\"1\"}", &debian, "Thing", "", file),
	        -ERR_FORMAT);
	assert_int_equal(choose("[]", &debian, "Thing", "", file), -ERR_FORMAT);
}

static void test_package__a_file_needs_a_plain_name_a_digest_and_a_size(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ MANIFEST("{\"_any\":{\"_any\":{\"_any\":{\"file\":\"../c\"}}}}"), -ERR_FORMAT },
		{ MANIFEST("{\"_any\":{\"_any\":{\"_any\":{\"file\":\"d\"}}}}"), -ERR_FORMAT },
		{ MANIFEST("{\"_any\":{\"_any\":{\"_any\":{\"file\":\"e\"}}}}"), -ERR_FORMAT },
		{ MANIFEST("{\"_any\":{\"_any\":{\"_any\":{\"file\":\"f\"}}}}"), -ERR_LIMIT },
		{ MANIFEST("{\"_any\":{\"_any\":{\"_any\":{\"file\":\"none\"}}}}"), -ERR_FORMAT },
	};
	char file[32];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(choose(cases[i].text, &debian, "Thing", "", file), cases[i].r);
}

static void test_package__words_are_no_paths(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".x", "a/b", "a b", "a\\b", "a\xff",
		"~" };
	(void)state;
	assert_true(package_is_word(STR("AmazonInspector2-InspectorSsmPluginLinux")));
	assert_true(package_is_word(STR("1.0.904.0")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(package_is_word(str_from_c(bad[i])));
}

/* ---- keys ---- */

#define ONE                                                                                        \
	"-----BEGIN PUBLIC KEY-----\n"                                                             \
	"MCowBQYDK2VwAyEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n"                           \
	"-----END PUBLIC KEY-----\n"

static int read_keys(const char *text, mode_t mode, struct package_keys *ret)
{
	char path[] = "/tmp/sonde-keys-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	int r = package_keys_read(path, ret, NULL);
	(void)unlink(path);
	return r;
}

static void test_package__keys_are_read_in_pem(void **state)
{
	struct package_keys keys;
	(void)state;
	assert_int_equal(read_keys(ONE ONE, 0644, &keys), 0);
	assert_int_equal(keys.n, 2);
	for (int i = 0; i < PACKAGE_KEY_BYTES; i++)
		assert_int_equal(keys.keys[1][i], i + 1);
}

static void test_package__a_file_of_keys_that_others_can_write_is_not_trusted(void **state)
{
	struct package_keys keys;
	(void)state;
	assert_int_equal(read_keys(ONE, 0664, &keys), -EPERM);
	assert_int_equal(read_keys(ONE, 0602, &keys), -EPERM);
	assert_int_equal(package_keys_read("/there/is/none", &keys, NULL), -ENOENT);
}

static void test_package__what_is_no_key_is_refused(void **state)
{
	static const char *const bad[] = { "", "\n\n", "key\n", "-----BEGIN PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ONE "more\n",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VuAyEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n" /* X25519 */
		"-----END PUBLIC KEY-----\n" };
	struct package_keys keys;
	char many[17 * sizeof(ONE)] = "";
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_keys(bad[i], 0600, &keys), -ERR_FORMAT);
	for (size_t i = 0; i < 17; i++)
		memcpy(many + i * (sizeof(ONE) - 1), ONE, sizeof(ONE));
	assert_int_equal(read_keys(many, 0600, &keys), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_package__the_nearest_entry_is_chosen),
		cmocka_unit_test(test_package__a_manifest_of_another_package_or_version_is_refused),
		cmocka_unit_test(test_package__a_file_needs_a_plain_name_a_digest_and_a_size),
		cmocka_unit_test(test_package__words_are_no_paths),
		cmocka_unit_test(test_package__keys_are_read_in_pem),
		cmocka_unit_test(test_package__a_file_of_keys_that_others_can_write_is_not_trusted),
		cmocka_unit_test(test_package__what_is_no_key_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
