/* SPDX-License-Identifier: Apache-2.0 */
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define SIZE 300000u
#define CUT 100000u

static const struct net_file_options plain = {
	.max_bytes = 1u << 20, .timeout_s = 20, .max_attempts = 1, .retry_wait_ms = 1
};

static int keep(struct web *web, const char *path, bool *ret_changed, struct err *err)
{
	*err = (struct err){ 0 };
	return net_fetch_file(
	        SONDE_NET, web_url(web, path), web->dir_fd, "kept", &plain, ret_changed, err);
}

/* Keep /files/a, which must go well. Returns: whether it changed */
static bool keep_well(struct web *web)
{
	struct err err;
	bool changed = false;
	if (keep(web, "/files/a", &changed, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(web_has(web, "kept.part"));
	assert_false(web_has(web, "kept.part.state"));
	return changed;
}

static void test_file__is_fetched_once_and_then_only_when_it_changed(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", SIZE, 1));
	assert_false(keep_well(web));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 200"), 1);
	assert_int_equal(web_count(web, "GET /files/a 304"), 1);

	web_put(web, "a", SIZE - 1, 2);
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", SIZE - 1, 2));
}

static void test_file__with_the_same_bytes_has_not_changed(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a - notag");
	web_say(web, "rule /files/a - nodate");
	assert_true(keep_well(web));
	assert_false(keep_well(web));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 200"), 2);
}

static void test_file__that_was_damaged_or_lost_is_fetched_again(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	assert_true(keep_well(web));
	/* the same length, one byte flipped */
	autoclose int fd = openat(web->dir_fd, "kept", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "~~~~", 4, 5000), 4);
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", SIZE, 1));
	assert_int_equal(unlinkat(web->dir_fd, "kept", 0), 0);
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", SIZE, 1));
}

static void test_file__with_a_damaged_state_is_fetched_again(void **state)
{
	struct web *web = *state;
	static const char *const states[] = { "", "\n", "sonde.fetch/2\n", "sonde.fetch/1\nwhat\n",
		"sonde.fetch/1\nurl=../..\n", "sonde.fetch/1\netag=\"a\"b\"\n" };
	web_put(web, "a", SIZE, 1);
	(void)keep_well(web);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		web_write(web, "kept.state", states[i], 0644);
		web_say(web, "log");
		assert_false(keep_well(web));
		web_say(web, "log");
		assert_int_equal(web_count(web, "GET /files/a 200"), 1);
	}
	assert_false(keep_well(web));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 304"), 1);
}

static void test_file__of_another_url_is_fetched_whole(void **state)
{
	struct web *web = *state;
	struct err err;
	bool changed = false;
	web_put(web, "a", SIZE, 1);
	web_put(web, "b", SIZE, 1);
	(void)keep_well(web);
	assert_int_equal(keep(web, "/files/b", &changed, &err), 0);
	assert_false(changed);
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/b 200"), 1);
	assert_int_equal(web_count(web, "if-none-match"), 0);
}

static void test_file__goes_on_where_the_fetch_before_broke(void **state)
{
	struct web *web = *state;
	struct err err;
	bool changed = true;
	web_put(web, "a", SIZE / 2, 1);
	(void)keep_well(web);
	web_put(web, "a", SIZE, 2);
	web_say(web, "rule /files/a 1 cut %u", CUT);
	assert_int_equal(keep(web, "/files/a", &changed, &err), -EIO);
	assert_true(changed); /* untouched */
	assert_true(web_is(web, "kept", SIZE / 2, 1));
	assert_true(web_is(web, "kept.part", CUT, 2));

	/* and a second time, a little further */
	web_say(web, "rule /files/a 1 cut 50000");
	assert_int_equal(keep(web, "/files/a", NULL, &err), -EIO);
	assert_true(web_is(web, "kept.part", CUT + 50000, 2));
	web_say(web, "log");
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", SIZE, 2));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 206 150000"), 1);
	assert_false(keep_well(web));
}

static void test_file__starts_again_when_it_changed_since_the_fetch_broke(void **state)
{
	struct web *web = *state;
	struct err err;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a 1 cut %u", CUT);
	assert_int_equal(keep(web, "/files/a", NULL, &err), -EIO);
	web_put(web, "a", CUT / 2, 2);
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", CUT / 2, 2));
}

static void test_file__does_not_go_on_with_a_part_of_another_boot_or_url(void **state)
{
	struct web *web = *state;
	struct err err;
	web_put(web, "a", SIZE, 1);
	for (unsigned i = 0; i < 2; i++) {
		web_say(web, "rule /files/a 1 cut %u", CUT);
		assert_int_equal(keep(web, "/files/a", NULL, &err), -EIO);
		autobuf was = BUF(4096);
		assert_int_equal(fs_read(web->dir_fd, "kept.part.state", &was, &err), 0);
		buf_add_byte(&was, '\0');
		assert_false(buf_failed(&was));
		char *at = strstr(was.p, i == 0 ? "boot=" : "url=");
		assert_non_null(at);
		at = strchr(at, '=') + 1;
		*at = *at == '0' ? '1' : '0';
		web_write(web, "kept.part.state", was.p, 0644);
		web_say(web, "log");
		assert_int_equal(keep_well(web), i == 0);
		web_say(web, "log");
		assert_int_equal(web_count(web, "\"range\""), 0);
		assert_int_equal(unlinkat(web->dir_fd, "kept.state", 0), 0);
	}
}

static void test_file__stands_whatever_goes_wrong(void **state)
{
	struct web *web = *state;
	static const struct {
		const char *action;
		int r;
	} rows[] = {
		{ "status 404", -ENOENT },
		{ "status 500", -EIO },
		{ "endless", -ERR_LIMIT },
		{ "cut 0", -EIO },
		{ "redirect 302 file:///etc/passwd", -EIO },
		{ "unframed", -EIO },
	};
	web_put(web, "a", SIZE, 1);
	(void)keep_well(web);
	web_put(web, "a", SIZE, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err;
		bool changed = true;
		web_say(web, "rule /files/a 1 %s", rows[i].action);
		assert_int_equal(keep(web, "/files/a", &changed, &err), rows[i].r);
		assert_non_null(strstr(err.text, "/files/a: "));
		assert_true(changed);
		assert_true(web_is(web, "kept", SIZE, 1));
		assert_false(web_has(web, "kept.part"));
	}
	assert_true(keep_well(web));
	assert_true(web_is(web, "kept", SIZE, 2));
}

static void test_file__is_not_believed_to_be_as_long_as_the_helper_says(void **state)
{
	struct web *web = *state;
	struct err err = { 0 };
	web_write(web, "helper",
	        "#!/bin/sh\necho start 0 5; read go; printf abc >&3; echo done 5\n", 0755);
	int r = net_fetch_file(
	        web_path(web, "helper"), "http://a/", web->dir_fd, "kept", &plain, NULL, &err);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(err.text, "not as long"));
	assert_false(web_has(web, "kept"));
	assert_false(web_has(web, "kept.part"));
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
	struct web *web = ctx;
	struct err err;
	(void)all_bytes;
	if (done_bytes == 0)
		return;
	assert_int_equal(keep(web, "/files/a", NULL, &err), -EBUSY);
	assert_non_null(strstr(err.text, "kept: another process fetches this file now"));
	web_write(web, "seen", "", 0644);
}

static void test_file__is_fetched_by_one_at_a_time(void **state)
{
	struct web *web = *state;
	struct net_file_options options = plain;
	struct err err = { 0 };
	options.progress = on_progress;
	options.ctx = web;
	options.timeout_s = 2;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a 1 stall 1000");
	assert_int_equal(net_fetch_file(SONDE_NET, web_url(web, "/files/a"), web->dir_fd, "kept",
	                         &options, NULL, &err),
	        -EIO);
	assert_true(web_has(web, "seen"));
}

static void test_file__has_a_plain_name(void **state)
{
	struct web *web = *state;
	static const char *const names[] = { "", ".", "..", ".x", "a/b", "/a" };
	struct err err = { 0 };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(net_fetch_file(SONDE_NET, web_url(web, "/files/a"), web->dir_fd,
		                         names[i], &plain, NULL, &err),
		        -EINVAL);
}

static void test_file__does_not_write_through_a_link_or_into_a_fifo(void **state)
{
	struct web *web = *state;
	struct err err;
	web_put(web, "a", SIZE, 1);
	web_write(web, "other", "precious", 0644);
	assert_int_equal(symlinkat("other", web->dir_fd, "kept.part"), 0);
	assert_true(keep(web, "/files/a", NULL, &err) < 0);
	assert_int_equal(unlinkat(web->dir_fd, "kept.part", 0), 0);
	assert_int_equal(mkfifoat(web->dir_fd, "kept.part", 0644), 0);
	assert_true(keep(web, "/files/a", NULL, &err) < 0);
	struct stat st;
	assert_int_equal(fstatat(web->dir_fd, "other", &st, 0), 0);
	assert_int_equal(st.st_size, 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_file__##name, web_setup, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_fetched_once_and_then_only_when_it_changed),
		TEST(with_the_same_bytes_has_not_changed),
		TEST(that_was_damaged_or_lost_is_fetched_again),
		TEST(with_a_damaged_state_is_fetched_again),
		TEST(of_another_url_is_fetched_whole),
		TEST(goes_on_where_the_fetch_before_broke),
		TEST(starts_again_when_it_changed_since_the_fetch_broke),
		TEST(does_not_go_on_with_a_part_of_another_boot_or_url),
		TEST(stands_whatever_goes_wrong),
		TEST(is_not_believed_to_be_as_long_as_the_helper_says),
		TEST(is_fetched_by_one_at_a_time),
		TEST(has_a_plain_name),
		TEST(does_not_write_through_a_link_or_into_a_fifo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
