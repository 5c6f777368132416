/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>

#include "rpm_image.h"

static void test_rpm_wal__merges_a_pending_log(void **state)
{
	struct files files;
	struct heard heard = HEARD, without = HEARD;
	struct err err = { 0 };
	(void)state;
	files_fill_log(&files);
	struct image image = files_image(&files);
	assert_true(files_compare(&files, &image));
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_int_equal(heard.notes.n, 0);
	image.has_wal = false;
	assert_int_equal(image_read(&image, &without, &err), 0);
	assert_false(str_eq(buf_str(&heard.rows), buf_str(&without.rows)));
	heard_fini(&heard);
	heard_fini(&without);
	files_close(&files);
}

static void test_rpm_wal__log_counts_up_to_its_last_commit(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_fill_log(&files);
	files_exec(&files, "PRAGMA cache_size=4; BEGIN");
	for (int n = 100; n < 140; n++)
		files_add(&files, n, 5000);
	size_t committed = files.wal_bytes.n;
	files_load(&files);
	assert_true(files.wal_bytes.n > committed); /* the cache has spilled */
	struct image image = files_image(&files);
	assert_true(files_compare(&files, &image));
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_true(heard_has(&heard.notes, "not committed after its last whole transaction"));
	files_exec(&files, "ROLLBACK");
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_wal__ignores_an_older_round_of_the_log(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_fill_log(&files);
	size_t before = files.wal_bytes.n;
	files_exec(&files, "PRAGMA wal_checkpoint(RESTART)");
	files_add(&files, 500, 100);
	files_load(&files);
	assert_int_equal(files.wal_bytes.n, before); /* the new round stands at its beginning */
	struct image image = files_image(&files);
	assert_true(files_compare(&files, &image));
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_int_equal(heard.notes.n, 0);
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_wal__damaged_log_reads_as_sqlite_reads_it(void **state)
{
	struct files files;
	unsigned n_agreed = 0, n = 0;
	(void)state;
	files_fill_log(&files);
	for (size_t at = 0; at < files.wal_bytes.n; at += at < 90 ? 1 : 1021, n++) {
		struct image image = files_image(&files);
		files.wal_bytes.p[at] = (char)(files.wal_bytes.p[at] ^ 0x10);
		n_agreed += files_compare(&files, &image);
		files.wal_bytes.p[at] = (char)(files.wal_bytes.p[at] ^ 0x10);
		image.wal.n = at;
		n_agreed += files_compare(&files, &image);
	}
	print_message(
	        "%u of %u damaged logs were readable to SQLite; all agreed\n", n_agreed, 2 * n);
	assert_true(n_agreed > n);
	files_close(&files);
}

static void test_rpm_wal__damage_in_the_log_is_told(void **state)
{
	struct files files;
	(void)state;
	files_fill_log(&files);
	const struct {
		size_t at, n;
		const char *text;
	} cases[] = {
		{ 0, 1 << 30, "damaged header" },
		{ 26, 1 << 30, "damaged header" },
		{ 32 + 24 + 5, 1 << 30, "damaged or not committed" },
		{ 8, 10, "too short" },
		{ 9, 1 << 30, "damaged header" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = files_image(&files);
		files.wal_bytes.p[cases[i].at] = (char)(files.wal_bytes.p[cases[i].at] ^ 1);
		image.wal = str_head(image.wal, cases[i].n);
		assert_int_equal(image_read(&image, &heard, &err), 0);
		assert_true(heard_has(&heard.notes, cases[i].text));
		files.wal_bytes.p[cases[i].at] = (char)(files.wal_bytes.p[cases[i].at] ^ 1);
		heard_fini(&heard);
	}
	files_close(&files);
}

static void sum_be(uint32_t s[2], const char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		s[0] += get_u32be(p + i) + s[1];
		s[1] += get_u32be(p + i + 4) + s[0];
	}
}

static void test_rpm_wal__reads_logs_of_both_byte_orders(void **state)
{
	struct files files;
	uint32_t s[2] = { 0, 0 };
	(void)state;
	files_fill_log(&files);
	char *p = files.wal_bytes.p;
	assert_int_equal(get_u32be(p) & ~1u, 0x377f0682);
	uint32_t frame = 24 + get_u32be(p + 8);
	put_u32be(p, 0x377f0683);
	sum_be(s, p, 24);
	put_u32be(p + 24, s[0]);
	put_u32be(p + 28, s[1]);
	for (size_t at = 32; at + frame <= files.wal_bytes.n; at += frame) {
		sum_be(s, p + at, 8);
		sum_be(s, p + at + 24, frame - 24);
		put_u32be(p + at + 16, s[0]);
		put_u32be(p + at + 20, s[1]);
	}
	struct image image = files_image(&files);
	assert_true(files_compare(&files, &image));
	struct heard heard = HEARD;
	struct err err = { 0 };
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_int_equal(heard.notes.n, 0);
	assert_true(heard_has(&heard.rows, "\n30 "));
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_wal__passes_on_failures(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_fill_log(&files);
	struct image image = files_image(&files);
	image.sibling_error = -EACCES;
	assert_int_equal(image_read(&image, &heard, &err), -EACCES);
	assert_string_equal(err.text, "the write-ahead log cannot be opened: Permission denied");
	image.sibling_error = 0;
	image.wal_error = -EIO;
	assert_int_equal(image_read(&image, &heard, &err), -EIO);
	image.error_at = 3000;
	assert_int_equal(image_read(&image, &heard, &err), -EIO);
	assert_string_equal(err.text, "the write-ahead log cannot be read: Input/output error");
	image.wal_error = 0;
	image.wal_size = (uint64_t)2 << 30;
	assert_int_equal(image_read(&image, &heard, &err), -ERR_LIMIT);
	assert_string_equal(err.text, "the write-ahead log has 2147483648 bytes: too large");
	image.wal_size = (uint64_t)1
	                 << 30; /* claims far more than it has: reads as far as it goes */
	assert_int_equal(image_read(&image, &heard, &err), 0);
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_wal__pages_of_another_size_are_told(void **state)
{
	struct files files, other;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_fill_log(&files);
	files_open(&other, "DELETE", 4096);
	files_add(&other, 1, 100);
	files_load(&other);
	struct image image = files_image(&files);
	image.db = buf_str(&other.db_bytes);
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_true(heard_has(&heard.notes, "pages of another size"));
	assert_true(heard_has(&heard.rows, "1 100 "));
	heard_fini(&heard);
	files_close(&other);
	files_close(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rpm_wal__merges_a_pending_log),
		cmocka_unit_test(test_rpm_wal__log_counts_up_to_its_last_commit),
		cmocka_unit_test(test_rpm_wal__ignores_an_older_round_of_the_log),
		cmocka_unit_test(test_rpm_wal__damaged_log_reads_as_sqlite_reads_it),
		cmocka_unit_test(test_rpm_wal__damage_in_the_log_is_told),
		cmocka_unit_test(test_rpm_wal__reads_logs_of_both_byte_orders),
		cmocka_unit_test(test_rpm_wal__passes_on_failures),
		cmocka_unit_test(test_rpm_wal__pages_of_another_size_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
