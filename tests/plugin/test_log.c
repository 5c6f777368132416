/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "plugin/log.h"

static int64_t clock_now;

static int64_t now(void)
{
	return clock_now;
}

struct place {
	char dir[64], log[80];
};

static void place_make(struct place *place)
{
	snprintf(place->dir, sizeof(place->dir), "/tmp/sonde-log-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->log, sizeof(place->log), "%s/log", place->dir);
	clock_now = 1698385052; /* 2023-10-27 05:37:32 */
}

static void place_remove(struct place *place)
{
	assert_int_equal(fs_remove_tree(AT_FDCWD, place->dir), 0);
}

static str read_file(struct place *place, const char *name, struct buf *out)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", place->log, name);
	buf_clear(out);
	assert_int_equal(fs_read(AT_FDCWD, path, out, NULL), 0);
	buf_add_byte(out, '\0');
	return buf_str(out);
}

static void test_log__lines_have_the_published_fields(void **state)
{
	(void)state;
	struct place place;
	struct plugin_log log;
	char want[512];
	struct buf text = BUF(1 << 16);
	place_make(&place);
	assert_int_equal(plugin_log_open(&log, place.log, true, "a.host", now, NULL), 0);
	plugin_log_write(&log, EVENT_STARTED, "bpm scan started");
	plugin_log_close(&log);
	snprintf(want, sizeof(want),
	        "Fri Oct 27 05:37:32 2023 UTC scitor %d-0@a.host:0 [INFO] "
	        "MandoSecurityContentEvaluator/cmd/bpm.go:59 "
	        "golang.a2z.com/inspectorssmplugin/cmd.ExecBpmScan(): bpm scan started\n",
	        (int)getpid());
	assert_string_equal(read_file(&place, "scitor.log.2023-10-27-05", &text).p, want);
	assert_int_equal(plugin_log_open(&log, place.log, false, "a.host", now, NULL), 0);
	plugin_log_write(&log, EVENT_REFUSED, "no\n\x1b[2J");
	plugin_log_close(&log);
	snprintf(want, sizeof(want),
	        "Fri Oct 27 05:37:32 2023 UTC sonde %d-0@a.host:0 [ERROR] inventory: no??[2J\n",
	        (int)getpid());
	assert_string_equal(read_file(&place, "sonde.log.2023-10-27-05", &text).p, want);
	buf_fini(&text);
	place_remove(&place);
}

static void test_log__another_hour_is_another_file(void **state)
{
	(void)state;
	struct place place;
	struct plugin_log log;
	struct buf text = BUF(1 << 16);
	place_make(&place);
	assert_int_equal(plugin_log_open(&log, place.log, false, "h", now, NULL), 0);
	plugin_log_write(&log, EVENT_STARTED, "first");
	clock_now += 3600;
	plugin_log_write(&log, EVENT_STARTED, "second");
	clock_now -= 3600; /* a clock that is set back */
	plugin_log_write(&log, EVENT_STARTED, "third");
	plugin_log_close(&log);
	const char *early = read_file(&place, "sonde.log.2023-10-27-05", &text).p;
	assert_non_null(strstr(early, ": first\n"));
	assert_non_null(strstr(early, ": third\n"));
	assert_non_null(
	        strstr(read_file(&place, "sonde.log.2023-10-27-06", &text).p, ": second\n"));
	buf_fini(&text);
	place_remove(&place);
}

static void test_log__the_newest_files_are_kept(void **state)
{
	(void)state;
	struct place place;
	struct plugin_log log;
	char path[256];
	place_make(&place);
	for (int hour = 0; hour < 12; hour++) {
		clock_now = 1698364800 + hour * 3600; /* 2023-10-27 00:00:00 */
		assert_int_equal(plugin_log_open(&log, place.log, false, "h", now, NULL), 0);
		plugin_log_write(&log, EVENT_STARTED, "a run");
		plugin_log_clean(&log);
		plugin_log_close(&log);
	}
	for (int hour = 0; hour < 12; hour++) {
		snprintf(path, sizeof(path), "%s/sonde.log.2023-10-27-%02d", place.log, hour);
		assert_int_equal(access(path, F_OK), hour < 12 - PLUGIN_LOG_FILES_MAX ? -1 : 0);
	}
	place_remove(&place);
}

static void test_log__the_tail_is_whole_lines(void **state)
{
	(void)state;
	struct place place;
	struct plugin_log log;
	place_make(&place);
	assert_int_equal(plugin_log_open(&log, place.log, false, "h", now, NULL), 0);
	for (int i = 0; i < 1000; i++)
		plugin_log_write(&log, EVENT_SCANNING, "scanning directory \"/a/%d\"", i);
	str tail = plugin_log_tail(&log);
	assert_true(tail.n <= PLUGIN_LOG_TAIL_BYTES && tail.n > PLUGIN_LOG_TAIL_BYTES - 200);
	assert_true(str_has_prefix(tail, STR("Fri Oct 27 ")));
	assert_true(str_has_suffix(tail, STR("\"/a/999\"\n")));
	plugin_log_close(&log);
	place_remove(&place);
}

static void test_log__without_a_folder_it_stays_in_memory(void **state)
{
	(void)state;
	struct plugin_log log;
	struct err err = { 0 };
	clock_now = 0;
	assert_true(plugin_log_open(&log, "/dev/null/log", false, "h", now, &err) < 0);
	plugin_log_write(&log, EVENT_STARTED, "a run");
	plugin_log_clean(&log);
	assert_true(
	        str_has_prefix(plugin_log_tail(&log), STR("Thu Jan  1 00:00:00 1970 UTC sonde ")));
	plugin_log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log__lines_have_the_published_fields),
		cmocka_unit_test(test_log__another_hour_is_another_file),
		cmocka_unit_test(test_log__the_newest_files_are_kept),
		cmocka_unit_test(test_log__the_tail_is_whole_lines),
		cmocka_unit_test(test_log__without_a_folder_it_stays_in_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
