/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "agent/spool.h"
#include "base/cleanup.h"
#include "base/fs.h"

static void open_state(char base[64], char path[80], struct state *ret)
{
	struct err err = { 0 };
	(void)snprintf(base, 64, "/tmp/sonde-spool-XXXXXX");
	assert_non_null(mkdtemp(base));
	(void)snprintf(path, 80, "%s/state", base);
	assert_int_equal(state_open(path, ret, &err), 0);
}

static size_t count(const struct state *state)
{
	size_t n = 0;
	DIR *dir = fdopendir(openat(state->dir, "spool", O_RDONLY | O_DIRECTORY));
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

static void test_spool__a_later_word_replaces_the_earlier(void **ctx)
{
	(void)ctx;
	char base[64], path[80];
	struct state state;
	struct err err = { 0 };
	open_state(base, path, &state);
	assert_false(spool_has(&state));
	for (int i = 0; i < 10; i++)
		assert_int_equal(spool_add(&state, STR("one"), "AmazonSSM.X", STR("{}"), &err), 0);
	assert_int_equal(spool_add(&state, STR("two"), "AmazonSSM.X", STR("{}"), &err), 0);
	assert_int_equal(count(&state), 2);
	assert_true(spool_has(&state));
	state_close(&state);
	assert_int_equal(fs_remove_tree(AT_FDCWD, base), 0);
}

static void test_spool__is_bounded(void **ctx)
{
	(void)ctx;
	char base[64], path[80], key[32];
	struct state state;
	struct err err = { 0 };
	open_state(base, path, &state);
	for (int i = 0; i < 2 * SPOOL_REPORTS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "key %d", i);
		assert_int_equal(
		        spool_add(&state, str_from_c(key), "AmazonSSM.X", STR("{}"), &err), 0);
	}
	assert_true(count(&state) <= SPOOL_REPORTS_MAX);
	autofree char *big = calloc(1, SPOOL_REPORT_BYTES + 1);
	assert_int_equal(spool_add(&state, STR("big"), "AmazonSSM.X",
	                         (str){ big, SPOOL_REPORT_BYTES + 1 }, &err),
	        -ERR_LIMIT);
	state_close(&state);
	assert_int_equal(fs_remove_tree(AT_FDCWD, base), 0);
}

static void test_spool__keeps_the_newest_inventory_only(void **ctx)
{
	(void)ctx;
	char base[64], path[80];
	struct state state;
	struct err err = { 0 };
	struct upload upload = { .fd = memfd_create("x", MFD_CLOEXEC),
		.packed_bytes = 5,
		.bytes = 9,
		.captured = "2026-01-31T23:59:59Z" };
	open_state(base, path, &state);
	memset(upload.sha256, 'a', sizeof(upload.sha256) - 1);
	assert_int_equal(write(upload.fd, "12345", 5), 5);
	assert_int_equal(spool_keep_inventory(&state, &upload, &err), 0);
	assert_int_equal(spool_keep_inventory(&state, &upload, &err), 0);
	assert_int_equal(count(&state), 2); /* the bytes and the word on them */
	assert_true(spool_has(&state));
	spool_drop_inventory(&state);
	assert_int_equal(count(&state), 0);
	(void)close(upload.fd);
	state_close(&state);
	assert_int_equal(fs_remove_tree(AT_FDCWD, base), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spool__a_later_word_replaces_the_earlier),
		cmocka_unit_test(test_spool__is_bounded),
		cmocka_unit_test(test_spool__keeps_the_newest_inventory_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
