/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "zip/zip.h"
#include "zips.h"

/* Write bytes and open them as a zip; the descriptor stays open until the test ends. */
static int open_bytes(void **state, str bytes, struct zip **ret, struct err *err)
{
	static int fd = -1;
	(void)state;
	if (fd >= 0)
		(void)close(fd);
	fd = memfd_create("test.zip", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
	return zip_open(fd, ret, err);
}

static struct zip *open_members(
        void **state, const struct zip_member *members, size_t n, bool is_zip64)
{
	autobuf bytes = BUF((size_t)64 << 20);
	struct err err = { 0 };
	struct zip *zip = NULL;
	make_zip(members, n, is_zip64, &bytes);
	if (open_bytes(state, buf_str(&bytes), &zip, &err) < 0)
		fail_msg("%s", err.text);
	return zip;
}

static void assert_read(struct zip *zip, size_t i, str expected)
{
	size_t n;
	const struct zip_entry *entries = zip_entries(zip, &n);
	autobuf out = BUF((size_t)1 << 20);
	struct err err = { 0 };
	assert_true(i < n);
	if (zip_read(zip, &entries[i], &out, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(str_eq(buf_str(&out), expected));
}

static int read_fails(struct zip *zip, size_t i, size_t most)
{
	size_t n;
	const struct zip_entry *entries = zip_entries(zip, &n);
	autobuf out = BUF(most);
	struct err err = { 0 };
	assert_true(i < n);
	int r = zip_read(zip, &entries[i], &out, &err);
	if (r < 0)
		assert_true(err.text[0] != '\0');
	return r;
}

static void test_zip__reads_stored_and_deflated_entries(void **state)
{
	struct zip_member members[] = {
		{ .name = "folder/" },
		{ .name = "a.json", .text = STR("{\"id\": \"A\"}") },
		{ .name = "b.json", .text = STR("plain"), .is_stored = true },
		{ .name = "empty", .text = STR("") },
	};
	struct zip *zip = open_members(state, members, 4, false);
	size_t n;
	const struct zip_entry *entries = zip_entries(zip, &n);
	assert_int_equal(n, 4);
	assert_true(zip_entry_is_folder(&entries[0]));
	assert_false(zip_entry_is_folder(&entries[1]));
	assert_true(str_eq(entries[1].name, STR("a.json")));
	assert_read(zip, 1, members[1].text);
	assert_read(zip, 2, members[2].text);
	assert_read(zip, 3, members[3].text);
	assert_read(zip, 1, members[1].text);
	zip_close(zip);
}

static void test_zip__reads_zip64(void **state)
{
	struct zip_member members[] = {
		{ .name = "a.json", .text = STR("first"), .is_zip64 = true },
		{ .name = "b.json", .text = STR("second") },
	};
	struct zip *zip = open_members(state, members, 2, true);
	assert_read(zip, 0, STR("first"));
	assert_read(zip, 1, STR("second"));
	zip_close(zip);
}

static void test_zip__finds_the_end_behind_a_comment(void **state)
{
	struct zip_member member = { .name = "a", .text = STR("x") };
	autobuf bytes = BUF((size_t)1 << 20);
	struct zip *zip = NULL;
	struct err err = { 0 };
	make_zip(&member, 1, false, &bytes);
	bytes.p[bytes.n - 2] = 5; /* length of the comment */
	buf_add(&bytes, STR("hello"));
	assert_int_equal(open_bytes(state, buf_str(&bytes), &zip, &err), 0);
	assert_read(zip, 0, STR("x"));
	zip_close(zip);
}

static void test_zip__calls_damaged_entries_damaged(void **state)
{
	struct zip_member members[] = {
		{ .name = "crc", .text = STR("some text"), .add_crc = 1 },
		{ .name = "longer", .text = STR("some text"), .add_size = 5 },
		{ .name = "longer-stored",
		        .text = STR("some text"),
		        .add_size = 5,
		        .is_stored = true },
		{ .name = "shorter", .text = STR("some text that is longer"), .claim_size = 3 },
		{ .name = "name", .text = STR("some text"), .local_name = "eman" },
		{ .name = "encrypted", .text = STR("some text"), .flags = 1 },
		{ .name = "method", .text = STR("some text"), .method = 12 },
		{ .name = "good", .text = STR("some text") },
	};
	struct zip *zip = open_members(state, members, 8, false);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(read_fails(zip, i, 1 << 20), -ERR_FORMAT);
	assert_int_equal(read_fails(zip, 5, 1 << 20), -ERR_UNSUPPORTED);
	assert_int_equal(read_fails(zip, 6, 1 << 20), -ERR_UNSUPPORTED);
	assert_read(zip, 7, STR("some text")); /* a damaged entry hides no other */
	zip_close(zip);
}

static void test_zip__does_not_unpack_more_than_asked(void **state)
{
	static char zeros[100000];
	struct zip_member members[] = {
		{ .name = "large", .text = { zeros, sizeof(zeros) } },
		{ .name = "lies", .text = { zeros, sizeof(zeros) }, .claim_size = 1000 },
	};
	struct zip *zip = open_members(state, members, 2, false);
	assert_int_equal(read_fails(zip, 0, 99999), -ERR_LIMIT);
	assert_int_equal(read_fails(zip, 0, 100000), 0);
	assert_int_equal(read_fails(zip, 1, 1 << 20), -ERR_FORMAT);
	zip_close(zip);
}

static void test_zip__refuses_bombs(void **state)
{
	struct zip_member huge[2] = {
		{ .name = "a", .text = STR("x"), .claim_size = UINT32_MAX - 1 }
	};
	struct zip_member shared[2] = { { .name = "a", .text = STR("x") },
		{ .name = "b", .text = STR("x"), .shares_data = true } };
	autobuf bytes = BUF((size_t)1 << 20);
	struct zip *zip = NULL;
	struct err err = { 0 };
	make_zip(huge, 1, false, &bytes);
	assert_int_equal(open_bytes(state, buf_str(&bytes), &zip, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.text, "unpack"));
	buf_clear(&bytes);
	make_zip(shared, 2, false, &bytes);
	assert_int_equal(open_bytes(state, buf_str(&bytes), &zip, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "overlap"));
}

static void test_zip__says_so_when_truncated_anywhere(void **state)
{
	struct zip_member members[] = { { .name = "a.json", .text = STR("some text") },
		{ .name = "b.json", .text = STR("more text") } };
	autobuf bytes = BUF((size_t)1 << 20);
	make_zip(members, 2, false, &bytes);
	for (size_t n = 0; n < bytes.n; n++) {
		struct zip *zip = NULL;
		struct err err = { 0 };
		assert_int_equal(
		        open_bytes(state, str_head(buf_str(&bytes), n), &zip, &err), -ERR_FORMAT);
		assert_non_null(strstr(err.text, "truncated"));
	}
}

/* Any byte flipped: refused, or every entry damaged or as it was. */
static void test_zip__never_yields_other_bytes_than_were_put_in(void **state)
{
	struct zip_member members[] = { { .name = "a.json", .text = STR("some text some text") },
		{ .name = "b.json", .text = STR("more text"), .is_stored = true } };
	autobuf bytes = BUF((size_t)1 << 20);
	make_zip(members, 2, false, &bytes);
	for (size_t i = 0; i < bytes.n * 8; i++) {
		struct zip *zip = NULL;
		size_t n;
		bytes.p[i / 8] ^= (char)(1 << i % 8);
		if (open_bytes(state, buf_str(&bytes), &zip, NULL) == 0) {
			const struct zip_entry *entries = zip_entries(zip, &n);
			for (size_t j = 0; j < n; j++) {
				autobuf out = BUF((size_t)1 << 16);
				if (zip_read(zip, &entries[j], &out, NULL) == 0)
					assert_true(str_eq(buf_str(&out), members[0].text) ||
					            str_eq(buf_str(&out), members[1].text));
			}
		}
		zip_close(zip);
		bytes.p[i / 8] ^= (char)(1 << i % 8);
	}
}

static void test_zip__says_what_a_unix_system_wrote(void **state)
{
	const struct zip_member members[] = { { .name = "a", .text = STR("x") },
		{ .name = "b", .text = STR("/etc"), .unix_mode = 0120777 },
		{ .name = "c", .text = STR("x"), .unix_mode = 0100755 } };
	size_t n;
	struct zip *zip = open_members(state, members, 3, false);
	const struct zip_entry *entries = zip_entries(zip, &n);
	assert_int_equal(entries[0].unix_mode, 0);
	assert_int_equal(entries[1].unix_mode, 0120777);
	assert_int_equal(entries[2].unix_mode, 0100755);
	zip_close(zip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zip__reads_stored_and_deflated_entries),
		cmocka_unit_test(test_zip__reads_zip64),
		cmocka_unit_test(test_zip__finds_the_end_behind_a_comment),
		cmocka_unit_test(test_zip__calls_damaged_entries_damaged),
		cmocka_unit_test(test_zip__does_not_unpack_more_than_asked),
		cmocka_unit_test(test_zip__refuses_bombs),
		cmocka_unit_test(test_zip__says_so_when_truncated_anywhere),
		cmocka_unit_test(test_zip__says_what_a_unix_system_wrote),
		cmocka_unit_test(test_zip__never_yields_other_bytes_than_were_put_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
