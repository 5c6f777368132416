/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fleet/platform.h"

static str next_field(str *line)
{
	str field = *line;
	if (!str_split_first(*line, '|', &field, line))
		*line = (str){ NULL, 0 };
	return str_trim(field);
}

/* "name | version | id | release | codename | package type | word" */
static void check_line(str line)
{
	struct host os = { .hostname = STR("untouched") };
	str whole = line, name = next_field(&line), version = next_field(&line);
	platform_os(name, version, &os);
	bool good = str_eq(os.os_id, next_field(&line));
	good &= str_eq(os.os_version, next_field(&line));
	good &= str_eq(os.os_codename, next_field(&line));
	good &= str_eq(platform_package_type(os.os_id), next_field(&line));
	struct platform_text word = platform_word(&os);
	good &= str_eq(str_from_c(word.text), next_field(&line));
	if (!good)
		fail_msg("'" STR_FMT "' gave '" STR_FMT "' '" STR_FMT "' '" STR_FMT "' '%s'",
		        STR_ARG(whole), STR_ARG(os.os_id), STR_ARG(os.os_version),
		        STR_ARG(os.os_codename), word.text);
	assert_true(str_eq(os.hostname, STR("untouched")));
}

static void test_platform__reads_every_line_of_the_table(void **state)
{
	(void)state;
	autobuf text = BUF((size_t)1 << 20);
	assert_int_equal(fs_read(AT_FDCWD, FIXTURES "/fleet/platforms.txt", &text, NULL), 0);
	str rest = buf_str(&text);
	size_t n = 0;
	for (str line; str_next_line(&rest, &line);) {
		if (line.n > 0 && line.p[0] != '#') {
			check_line(line);
			n++;
		}
	}
	assert_true(n > 30);
}

static void test_platform__makes_a_word_of_any_distribution(void **state)
{
	(void)state;
	const struct host os = { .os_id = STR("my-linux"), .os_version = STR("3.1-beta.2") };
	assert_string_equal(platform_word(&os).text, "MY_LINUX_3_1_BETA");
	const struct host long_one = {
		.os_id = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		.os_version =
		        STR("1111111111111111111111111111111111111111111111111111111111111")
	};
	assert_int_equal(strlen(platform_word(&long_one).text), 65);
	const struct host unknown = { .os_version = STR("12") };
	assert_string_equal(platform_word(&unknown).text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_platform__reads_every_line_of_the_table),
		cmocka_unit_test(test_platform__makes_a_word_of_any_distribution),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
