/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/host.h"

static struct arena memory = ARENA(1 << 20);

static int teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	return 0;
}

static struct host read_text(str text)
{
	struct host host = { 0 };
	assert_int_equal(host_read_os_release(&host, text, &memory), 0);
	return host;
}

#define assert_str(s, expected)                                                                    \
	do {                                                                                       \
		assert_int_equal((s).n, strlen(expected));                                         \
		assert_memory_equal((s).p, expected, (s).n);                                       \
	} while (0)

static void test_host__os_release_values_are_read(void **state)
{
	(void)state;
	struct host host = read_text(STR("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	                                 "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"
	                                 "VERSION_CODENAME=bookworm\nID=debian\nID_LIKE='a b'\n"));
	assert_str(host.os_name, "Debian GNU/Linux 12 (bookworm)");
	assert_str(host.os_version, "12");
	assert_str(host.os_codename, "bookworm");
	assert_str(host.os_id, "debian");
	assert_str(host.os_id_like, "a b");
}

static void test_host__quotes_and_escapes_are_the_shells(void **state)
{
	(void)state;
	struct host host =
	        read_text(STR("PRETTY_NAME=\"a \\\"b\\\" \\$c \\\\ \\x\"\nID=de'bi'\"an\"\n"
	                      "VERSION_ID='a\\b'\nVERSION_CODENAME=a\\ b\n"));
	assert_str(host.os_name, "a \"b\" $c \\ \\x");
	assert_str(host.os_id, "debian");
	assert_str(host.os_version, "a\\b");
	assert_str(host.os_codename, "a b");
}

static void test_host__comments_blanks_and_carriage_returns_are_no_values(void **state)
{
	(void)state;
	struct host host = read_text(
	        STR("# ID=comment\r\n\r\n  ID=alpine  \r\nVERSION_ID=3.18.4\r\nID_LIKE\r\n"
	            "export PRETTY_NAME=x\n"));
	assert_str(host.os_id, "alpine");
	assert_str(host.os_version, "3.18.4");
	assert_int_equal(host.os_id_like.n, 0);
	assert_int_equal(host.os_name.n, 0);
}

static void test_host__the_last_assignment_counts_and_an_empty_one_clears(void **state)
{
	(void)state;
	struct host host = read_text(STR("ID=a\nVERSION_ID=1\nID=b\nVERSION_ID=\n"));
	assert_str(host.os_id, "b");
	assert_str(host.os_version, "");
}

static void test_host__damaged_values_leave_the_field_as_it_is(void **state)
{
	(void)state;
	struct host host =
	        read_text(STR("ID=good\nID=\"open\nID='open\nID=back\\\nID=a\x1b[31m\nID=\"a\0b\"\n"
	                      "VERSION_ID=9"));
	assert_str(host.os_id, "good");
	assert_str(host.os_version, "9");
}

static void test_host__a_full_arena_is_a_limit(void **state)
{
	(void)state;
	struct arena small = ARENA(16);
	struct host host = { 0 };
	assert_int_equal(host_read_os_release(&host, STR("ID=debian\nPRETTY_NAME=debian"), &small),
	        -ERR_LIMIT);
	arena_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_host__os_release_values_are_read, teardown),
		cmocka_unit_test_teardown(test_host__quotes_and_escapes_are_the_shells, teardown),
		cmocka_unit_test_teardown(
		        test_host__comments_blanks_and_carriage_returns_are_no_values, teardown),
		cmocka_unit_test_teardown(
		        test_host__the_last_assignment_counts_and_an_empty_one_clears, teardown),
		cmocka_unit_test_teardown(
		        test_host__damaged_values_leave_the_field_as_it_is, teardown),
		cmocka_unit_test(test_host__a_full_arena_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
