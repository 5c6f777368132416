/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "vulndb/store.h"

static int open_store(void **state)
{
	int fd = fs_open_dir(in_scratch(state, "feeds"), true, NULL);
	assert_true(fd >= 0);
	return fd;
}

static void count_told(void *ctx, str what)
{
	assert_true(str_has_prefix(what, STR("again")));
	++*(unsigned *)ctx;
}

/* Frames "payload <key>" for the keys, as one source. */
static struct feed_head write_keys(
        int dir_fd, const char *const *keys, size_t n, unsigned *ret_told)
{
	struct feed_writer *writer = NULL;
	struct feed_head head = { .kind = "osv", .licence = "L", .newest = "N", .n_records = n };
	struct err err = { 0 };
	head.by_reason[REASON_USED] = n;
	(void)snprintf(head.source, sizeof(head.source), "osv/Test");
	assert_int_equal(feed_writer_new(dir_fd, head.source, &writer, &err), 0);
	for (size_t i = 0; i < n; i++) {
		char payload[64];
		(void)snprintf(payload, sizeof(payload), "payload %zu %s", i, keys[i]);
		assert_int_equal(feed_writer_add(writer, str_from_c(keys[i]), STR("again"),
		                         str_from_c(payload), &err),
		        0);
	}
	*ret_told = 0;
	assert_int_equal(feed_writer_commit(writer, &head, count_told, ret_told, &err), 0);
	feed_writer_free(writer);
	return head;
}

static void expect_payloads(int dir_fd, const char *const *payloads, size_t n)
{
	struct feed_reader *reader = NULL;
	struct err err = { 0 };
	str payload;
	uint64_t at;
	assert_int_equal(feed_reader_open(dir_fd, "osv+Test.feed", &reader, &err), 0);
	for (size_t i = 0; i < n; i++) {
		autobuf again = BUF(1024);
		assert_int_equal(feed_reader_next(reader, &payload, &at, &err), 1);
		assert_true(str_eq(payload, str_from_c(payloads[i])));
		assert_int_equal(feed_reader_read(reader, at, payload.n, &again, &err), 0);
		assert_true(str_eq(payload, buf_str(&again)));
	}
	assert_int_equal(feed_reader_next(reader, &payload, &at, &err), 0);
	assert_int_equal(feed_reader_head(reader)->n_frames, n);
	assert_string_equal(feed_reader_head(reader)->newest, "N");
	feed_reader_close(reader);
}

static void test_store__keeps_sorted_frames_as_they_came(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	static const char *const payloads[] = { "payload 0 a", "payload 1 b", "payload 2 c" };
	unsigned told;
	autoclose int fd = open_store(state);
	struct feed_head head = write_keys(fd, keys, 3, &told);
	assert_int_equal(head.n_frames, 3);
	assert_int_equal(told, 0);
	expect_payloads(fd, payloads, 3);
	assert_int_equal(count_files(in_scratch(state, "feeds"), ".new"), 0);
}

static void test_store__sorts_frames_and_keeps_the_first_of_equals(void **state)
{
	static const char *const keys[] = { "c", "a", "c", "b", "a" };
	static const char *const payloads[] = { "payload 1 a", "payload 3 b", "payload 0 c" };
	unsigned told;
	autoclose int fd = open_store(state);
	struct feed_head head = write_keys(fd, keys, 5, &told);
	assert_int_equal(told, 2);
	assert_int_equal(head.by_reason[REASON_USED], 3);
	assert_int_equal(head.by_reason[REASON_DUPLICATE], 2);
	expect_payloads(fd, payloads, 3);
	assert_int_equal(count_files(in_scratch(state, "feeds"), ".new"), 0);
}

static void test_store__leaves_nothing_behind_when_it_is_not_committed(void **state)
{
	struct feed_writer *writer = NULL;
	autoclose int fd = open_store(state);
	assert_int_equal(feed_writer_new(fd, "osv/Other", &writer, NULL), 0);
	assert_int_equal(count_files(in_scratch(state, "feeds"), ".new"), 1);
	feed_writer_free(writer);
	assert_int_equal(count_files(in_scratch(state, "feeds"), ".new"), 0);
	assert_int_equal(count_files(in_scratch(state, "feeds"), "Other.feed"), 0);
}

static void test_store__names_files_so_that_no_two_sources_share_one(void **state)
{
	(void)state;
	char a[FEED_FILE_NAME_SIZE], b[FEED_FILE_NAME_SIZE];
	feed_file_name("osv/Red Hat", a);
	assert_string_equal(a, "osv+Red%20Hat.feed");
	feed_file_name("osv+Red/Hat", b);
	assert_string_equal(b, "osv%2BRed+Hat.feed");
	feed_file_name("../../etc/x", a);
	assert_string_equal(a, "%2E.+..+etc+x.feed");
}

/* Read a whole file; 0 when it is as it was written. */
static int read_all(int dir_fd, struct err *err)
{
	struct feed_reader *reader = NULL;
	str payload;
	uint64_t at;
	int r = feed_reader_open(dir_fd, "osv+Test.feed", &reader, err);
	for (size_t i = 0; r >= 0; i++) {
		r = feed_reader_next(reader, &payload, &at, err);
		if (r <= 0)
			break;
		assert_true(str_has_prefix(payload, STR("payload ")));
	}
	feed_reader_close(reader);
	return r;
}

static void test_store__finds_every_flipped_byte(void **state)
{
	static const char *const keys[] = { "a", "b" };
	unsigned told;
	autoclose int fd = open_store(state);
	const char *path = in_scratch(state, "feeds/osv+Test.feed");
	autobuf bytes = BUF(1 << 20);
	(void)write_keys(fd, keys, 2, &told);
	read_file(path, &bytes);
	for (size_t i = 0; i < bytes.n; i++) {
		struct err err = { 0 };
		if (i > 200 && i + 200 < FEED_HEADER_BYTES && i % 97 != 0)
			continue; /* zeros of the header: some will do */
		flip_byte(path, i, 1u << i % 8);
		int r = read_all(fd, &err);
		if (r != -ERR_FORMAT && r != -ERR_UNSUPPORTED)
			fail_msg("byte %zu: %d", i, r);
		assert_true(err.text[0] != '\0');
		flip_byte(path, i, 1u << i % 8);
	}
	assert_int_equal(read_all(fd, NULL), 0);
}

static void test_store__finds_every_truncation(void **state)
{
	static const char *const keys[] = { "a", "b" };
	unsigned told;
	autoclose int fd = open_store(state);
	const char *path = in_scratch(state, "feeds/osv+Test.feed");
	autobuf bytes = BUF(1 << 20);
	(void)write_keys(fd, keys, 2, &told);
	read_file(path, &bytes);
	for (size_t n = 0; n<bytes.n; n = n> 100 && n < 4000 ? n + 500 : n + 1) {
		write_file(path, str_head(buf_str(&bytes), n));
		assert_int_equal(read_all(fd, NULL), -ERR_FORMAT);
	}
	buf_add_byte(&bytes, 0);
	write_file(path, buf_str(&bytes));
	assert_int_equal(read_all(fd, NULL), -ERR_FORMAT);
}

static void test_store__refuses_what_a_newer_program_wrote(void **state)
{
	static const char *const keys[] = { "a" };
	unsigned told;
	autoclose int fd = open_store(state);
	const char *path = in_scratch(state, "feeds/osv+Test.feed");
	autobuf bytes = BUF(1 << 20), head = BUF(FEED_HEADER_BYTES);
	struct err err = { 0 };
	(void)write_keys(fd, keys, 1, &told);
	read_file(path, &bytes);
	bytes.p[sizeof(FEED_MAGIC) - 1] = 9;
	buf_add(&head, str_head(buf_str(&bytes), FEED_HEADER_BYTES - 4));
	buf_add_u32(&head, hash_crc32(0, buf_str(&head)));
	memcpy(bytes.p, head.p, FEED_HEADER_BYTES);
	write_file(path, buf_str(&bytes));
	assert_int_equal(read_all(fd, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "newer"));
}

/* In a folder that others may write to, a name that can be foreseen could be anything. */
static void test_store__never_opens_a_temporary_file_that_is_there(void **state)
{
	struct feed_writer *writer = NULL;
	struct err err = { 0 };
	autobuf text = BUF(64);
	autoclose int fd = open_store(state);
	const char *precious = in_scratch(state, "precious");
	write_file(precious, STR("precious"));
	assert_int_equal(
	        link(precious, in_scratch(state, "feeds/.osv+Test.feed.%ld.new", (long)getpid())),
	        0);
	assert_int_equal(feed_writer_new(fd, "osv/Test", &writer, &err), 0);
	feed_writer_free(writer);
	read_file(precious, &text);
	assert_true(str_eq(buf_str(&text), STR("precious")));
	assert_int_equal(count_files(in_scratch(state, "feeds"), ".new"), 1);
}

static void test_store__refuses_what_is_no_regular_file(void **state)
{
	struct feed_reader *reader = NULL;
	struct err err = { 0 };
	autoclose int fd = open_store(state);
	assert_int_equal(mkfifo(in_scratch(state, "feeds/kev.feed"), 0600), 0);
	assert_int_equal(feed_reader_open(fd, "kev.feed", &reader, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store__keeps_sorted_frames_as_they_came),
		cmocka_unit_test(test_store__sorts_frames_and_keeps_the_first_of_equals),
		cmocka_unit_test(test_store__leaves_nothing_behind_when_it_is_not_committed),
		cmocka_unit_test(test_store__names_files_so_that_no_two_sources_share_one),
		cmocka_unit_test(test_store__finds_every_flipped_byte),
		cmocka_unit_test(test_store__finds_every_truncation),
		cmocka_unit_test(test_store__refuses_what_a_newer_program_wrote),
		cmocka_unit_test_setup_teardown(
		        test_store__never_opens_a_temporary_file_that_is_there, scratch_setup,
		        scratch_teardown),
		cmocka_unit_test_setup_teardown(test_store__refuses_what_is_no_regular_file,
		        scratch_setup, scratch_teardown),
	};
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
