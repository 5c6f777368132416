/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>

#include "inventory/rpm_header.h"
#include "rpm_make.h"

#define assert_str(s, text) assert_true(str_eq((s), STR(text)))

/* An exact copy, so that a sanitizer sees a read past the end. */
static int read_exact(str bytes, struct rpm_header *ret, char **ret_copy, struct err *err)
{
	char *copy = malloc(bytes.n ? bytes.n : 1);
	assert_non_null(copy);
	memcpy(copy, bytes.p, bytes.n);
	*ret_copy = copy;
	return rpm_header_read((str){ copy, bytes.n }, ret, err);
}

static int add_path(void *ctx, str path)
{
	buf_add(ctx, path);
	buf_add_byte(ctx, '\n');
	return 0;
}

static int list_files(const struct rpm_header *header, uint64_t max, struct buf *out,
        uint64_t *ret_count, struct err *err)
{
	struct arena scratch = ARENA(1 << 20);
	int r = rpm_header_each_file(header, &scratch, max, add_path, out, ret_count, err);
	arena_fini(&scratch);
	return r;
}

static void test_rpm_header__reads_every_tag_of_ours(void **state)
{
	struct rpm_make make = RPM_MAKE;
	struct rpm_header header;
	struct err err = { 0 };
	autobuf bytes = BUF(1 << 20);
	(void)state;
	rpm_make_entry(&make, 63, 7, 16, (str){ "0123456789abcdef", 16 });
	rpm_make_string(&make, 1000, "bash");
	rpm_make_string(&make, 1001, "5.1.8");
	rpm_make_string(&make, 1002, "9.el9");
	rpm_make_numbers(&make, 1003, (const uint32_t[]){ 4294967295u }, 1);
	rpm_make_entry(&make, 1004, 9, 1, STR("The shell\0"));
	rpm_make_string(&make, 1011, "Vendor, Inc.");
	rpm_make_string(&make, 1014, "GPL-3.0-or-later");
	rpm_make_string(&make, 1022, "aarch64");
	rpm_make_string(&make, 1044, "bash-5.1.8-9.el9.src.rpm");
	rpm_make_string(&make, 5096, "nodejs:18:9020020230:rhel9");
	rpm_make_string(&make, 1000, "a second name");
	rpm_make_finish(&make, &bytes);
	assert_int_equal(rpm_header_read(buf_str(&bytes), &header, &err), 0);
	assert_str(header.name, "bash");
	assert_str(header.version, "5.1.8");
	assert_str(header.release, "9.el9");
	assert_true(header.has_epoch);
	assert_int_equal(header.epoch, 4294967295u);
	assert_str(header.vendor, "Vendor, Inc.");
	assert_str(header.licence, "GPL-3.0-or-later");
	assert_str(header.arch, "aarch64");
	assert_str(header.source_rpm, "bash-5.1.8-9.el9.src.rpm");
	assert_str(header.module, "nodejs:18:9020020230:rhel9");
	rpm_make_fini(&make);
}

static void test_rpm_header__joins_folders_and_names(void **state)
{
	struct rpm_make make = RPM_MAKE;
	struct rpm_header header;
	struct err err = { 0 };
	autobuf bytes = BUF(1 << 20);
	autobuf got = BUF(1 << 20);
	uint64_t count;
	(void)state;
	rpm_make_numbers(&make, 1116, (const uint32_t[]){ 1, 0, 1, 2 }, 4);
	rpm_make_strings(&make, 1117, (const char *const[]){ "b", "a", "", "c", NULL });
	rpm_make_strings(&make, 1118, (const char *const[]){ "/usr/bin/", "/etc/", "", NULL });
	rpm_make_finish(&make, &bytes);
	assert_int_equal(rpm_header_read(buf_str(&bytes), &header, &err), 0);
	assert_int_equal(list_files(&header, 100, &got, &count, &err), 0);
	assert_int_equal(count, 4);
	assert_str(buf_str(&got), "/etc/b\n/usr/bin/a\n/etc/\nc\n");
	assert_int_equal(list_files(&header, 3, &got, &count, &err), -ERR_LIMIT);
	rpm_make_fini(&make);
}

static void test_rpm_header__reads_whole_paths_of_old_headers(void **state)
{
	struct rpm_make make = RPM_MAKE;
	struct rpm_header header;
	struct err err = { 0 };
	autobuf bytes = BUF(1 << 20);
	autobuf got = BUF(1 << 20);
	uint64_t count;
	(void)state;
	rpm_make_strings(&make, 1027, (const char *const[]){ "/bin/sh", "/etc/profile", NULL });
	rpm_make_finish(&make, &bytes);
	assert_int_equal(rpm_header_read(buf_str(&bytes), &header, &err), 0);
	assert_int_equal(list_files(&header, 100, &got, &count, &err), 0);
	assert_str(buf_str(&got), "/bin/sh\n/etc/profile\n");
	assert_int_equal(list_files(&header, 1, &got, &count, &err), -ERR_LIMIT);
	rpm_make_fini(&make);
}

static void test_rpm_header__leaves_out_paths_no_kernel_takes(void **state)
{
	static char folder[5000];
	struct rpm_make make = RPM_MAKE;
	struct rpm_header header;
	struct err err = { 0 };
	autobuf bytes = BUF(1 << 20);
	autobuf got = BUF(1 << 20);
	uint64_t count;
	(void)state;
	memset(folder, 'x', sizeof(folder) - 1);
	rpm_make_numbers(&make, 1116, (const uint32_t[]){ 0, 1, 1 }, 3);
	rpm_make_strings(&make, 1117, (const char *const[]){ "a", folder, "b", NULL });
	rpm_make_strings(&make, 1118, (const char *const[]){ folder, "/", NULL });
	rpm_make_finish(&make, &bytes);
	assert_int_equal(rpm_header_read(buf_str(&bytes), &header, &err), 0);
	assert_int_equal(list_files(&header, 100, &got, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_str(buf_str(&got), "/b\n");
	rpm_make_fini(&make);
}

/* One entry, and the sentence it deserves. */
static void refuse(uint32_t tag, uint32_t type, uint32_t count, str value)
{
	struct rpm_make make = RPM_MAKE;
	struct rpm_header header = { .epoch = 7 };
	struct err err = { 0 };
	autobuf bytes = BUF(1 << 20);
	char expected[100], *copy;
	rpm_make_entry(&make, tag, type, count, value);
	rpm_make_finish(&make, &bytes);
	assert_int_equal(read_exact(buf_str(&bytes), &header, &copy, &err), -ERR_FORMAT);
	assert_true(snprintf(expected, sizeof(expected),
	                    "entry 0 of the header (tag %u) is damaged", tag) > 0);
	assert_string_equal(err.text, expected);
	assert_int_equal(header.epoch, 7);
	free(copy);
	rpm_make_fini(&make);
}

static void test_rpm_header__refuses_damaged_entries(void **state)
{
	(void)state;
	refuse(1000, 6, 1, STR("no zero at the end"));
	refuse(1000, 6, 0, STR("none\0"));
	refuse(1000, 4, 1, STR("a number\0"));
	refuse(1000, 6, 1, STR(""));
	refuse(1003, 4, 1, STR("abc"));
	refuse(1003, 6, 1, STR("1234"));
	refuse(1003, 4, 0, STR("1234"));
	refuse(1116, 4, 3, STR("12345678"));
	refuse(1116, 4, 0x40000000, STR("12345678"));
	refuse(1117, 8, 5, STR("a\0b\0"));
	refuse(1117, 8, 0xffffffff, STR("a\0b\0"));
	refuse(1118, 4, 1, STR("1234"));
}

/* File lists of given sizes, and the sentence they deserve; what stands last ends with the store.
 */
static void refuse_lists(uint32_t n_indexes, uint32_t index, uint32_t n_names, uint32_t n_folders,
        bool names_last, const char *text)
{
	const uint32_t indexes[3] = { index, index, index };
	struct rpm_make make = RPM_MAKE;
	struct rpm_header header;
	struct err err = { 0 };
	autobuf bytes = BUF(1 << 20);
	autobuf got = BUF(1 << 20);
	uint64_t count;
	char *copy;
	if (n_indexes > 0)
		rpm_make_numbers(&make, 1116, indexes, n_indexes);
	if (n_folders > 0 && names_last)
		rpm_make_entry(&make, 1118, 8, n_folders, STR("/\0xy"));
	rpm_make_entry(&make, 1117, 8, n_names, STR("a\0b\0"));
	if (n_folders > 0 && !names_last)
		rpm_make_entry(&make, 1118, 8, n_folders, STR("/\0xy"));
	rpm_make_finish(&make, &bytes);
	assert_int_equal(read_exact(buf_str(&bytes), &header, &copy, &err), 0);
	assert_int_equal(list_files(&header, 100, &got, &count, &err), -ERR_FORMAT);
	assert_string_equal(err.text, text);
	free(copy);
	rpm_make_fini(&make);
}

static void test_rpm_header__refuses_lists_that_do_not_fit(void **state)
{
	(void)state;
	refuse_lists(2, 0, 3, 1, false, "3 files, but 2 folder numbers");
	refuse_lists(0, 0, 1, 1, false, "1 files, but 0 folder numbers");
	refuse_lists(2, 1, 2, 1, false, "file 0 of 2 is damaged");
	refuse_lists(2, 0, 2, 0, false, "file 0 of 2 is damaged");
	refuse_lists(2, 0, 2, 3, false, "the list of folders ends after 1 of 3");
	refuse_lists(3, 0, 3, 1, true, "file 2 of 3 is damaged");
}

static void test_rpm_header__stands_every_truncation_and_flip(void **state)
{
	autobuf bytes = BUF(1 << 20);
	autobuf got = BUF((size_t)16 << 20);
	(void)state;
	rpm_make_simple("libexample", "1.2.3", &bytes);
	for (size_t n = 0; n < bytes.n; n++) {
		struct rpm_header header;
		struct err err = { 0 };
		char *copy;
		int r = read_exact(str_head(buf_str(&bytes), n), &header, &copy, &err);
		assert_int_equal(r, -ERR_FORMAT);
		assert_true(err.text[0] != '\0');
		free(copy);
	}
	for (size_t i = 0; i < bytes.n * 8; i++) {
		struct rpm_header header;
		struct err err = { 0 };
		uint64_t count;
		char *copy;
		bytes.p[i / 8] = (char)(bytes.p[i / 8] ^ 1 << i % 8);
		int r = read_exact(buf_str(&bytes), &header, &copy, &err);
		if (r == 0)
			r = list_files(&header, 100, &got, &count, &err);
		assert_true(r == 0 || err.text[0] != '\0');
		free(copy);
		bytes.p[i / 8] = (char)(bytes.p[i / 8] ^ 1 << i % 8);
		buf_clear(&got);
	}
}

static void test_rpm_header__refuses_too_much(void **state)
{
	struct rpm_header header;
	struct err err = { 0 };
	(void)state;
	assert_int_equal(rpm_header_read(STR("\0\1\0\0\0\0\0\0"), &header, &err), -ERR_LIMIT);
	assert_int_equal(rpm_header_read(STR("\0\0\0\1\x7f\0\0\0"), &header, &err), -ERR_LIMIT);
	assert_int_equal(rpm_header_read(STR("\0\0\0\0\0\0\0\0"), &header, &err), -ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rpm_header__reads_every_tag_of_ours),
		cmocka_unit_test(test_rpm_header__joins_folders_and_names),
		cmocka_unit_test(test_rpm_header__reads_whole_paths_of_old_headers),
		cmocka_unit_test(test_rpm_header__leaves_out_paths_no_kernel_takes),
		cmocka_unit_test(test_rpm_header__refuses_damaged_entries),
		cmocka_unit_test(test_rpm_header__refuses_lists_that_do_not_fit),
		cmocka_unit_test(test_rpm_header__stands_every_truncation_and_flip),
		cmocka_unit_test(test_rpm_header__refuses_too_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
