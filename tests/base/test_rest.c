/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rest.h"

static int written = 1;
static const char *const relocated[] = { "one", "two" };

static void test_rest__what_was_written_stays(void **state)
{
	(void)state;
	enum { N = 2000 };
	char *kept[N];
	written = 42;
	for (size_t i = 0; i < N; i++) {
		kept[i] = malloc(1000);
		assert_non_null(kept[i]);
		memset(kept[i], (int)(i % 256), 1000);
	}
	for (size_t i = 0; i < N; i += 2)
		free(kept[i]);
	rest_memory();
	rest_memory();
	assert_int_equal(written, 42);
	assert_string_equal(relocated[1], "two");
	for (size_t i = 1; i < N; i += 2) {
		assert_int_equal((unsigned char)kept[i][999], i % 256);
		free(kept[i]);
	}
	/* Code that is needed again comes back. */
	char text[32];
	(void)snprintf(text, sizeof(text), "%.3f", 0.125);
	assert_string_equal(text, "0.125");
}

/* A page of code that nothing here calls; aligned, so that it is whole. */
__attribute__((noinline, used, aligned(65536))) static int far_away(int x)
{
	__asm__ volatile(".skip 131072, 0x90");
	return x + 1;
}

static void test_rest__pages_that_were_only_read_are_given_back(void **state)
{
	(void)state;
	long page = sysconf(_SC_PAGESIZE);
	uintptr_t at = ((uintptr_t)&far_away + 65536 + (uintptr_t)page) / (uintptr_t)page *
	               (uintptr_t)page;
	FILE *maps = fopen("/proc/self/pagemap", "rb");
	uint64_t entry = 0;
	if (!maps) {
		print_message("skipped: /proc/self/pagemap\n");
		skip();
	}
	(void)setvbuf(maps, NULL, _IONBF, 0);
	(void)*(const volatile unsigned char *)at; /* touched */
	assert_int_equal(fseek(maps, (long)(at / (uintptr_t)page * 8), SEEK_SET), 0);
	assert_int_equal(fread(&entry, 8, 1, maps), 1);
	assert_true(entry >> 63 == 1);
	rest_memory();
	assert_int_equal(fseek(maps, (long)(at / (uintptr_t)page * 8), SEEK_SET), 0);
	assert_int_equal(fread(&entry, 8, 1, maps), 1);
	assert_true(entry >> 63 == 0);
	(void)fclose(maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rest__what_was_written_stays),
		cmocka_unit_test(test_rest__pages_that_were_only_read_are_given_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
