/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/script.h"
#include "base/cleanup.h"
#include "base/json.h"

static struct script_result run(const char *text, uint64_t timeout_s, bool (*is_cancelled)(void *))
{
	const char *argv[] = { "/bin/sh", "-c", text, NULL };
	const char *envp[] = { "PATH=/usr/bin:/bin", "WORD=here", NULL };
	const struct script script = {
		.argv = argv, .envp = envp, .timeout_s = timeout_s, .is_cancelled = is_cancelled
	};
	struct script_result result = { 0 };
	struct err err = { 0 };
	assert_int_equal(script_run(&script, &result, &err), 0);
	return result;
}

static bool has(const struct buf *buf, const char *text)
{
	autofree char *z = strndup(buf->p ? buf->p : "", buf->n);
	return strstr(z, text) != NULL;
}

static void test_script__code_and_both_outputs_are_kept(void **state)
{
	(void)state;
	struct script_result result = run("echo out; echo err >&2; echo $WORD; exit 3", 30, NULL);
	assert_int_equal(result.end, SCRIPT_EXITED);
	assert_int_equal(result.code, 3);
	assert_true(has(&result.out, "out\nhere\n") && has(&result.err, "err\n"));
	script_result_fini(&result);
}

/* Killed with the leader, but on its way in its own time; its new parent may never reap it. */
static bool ends_soon(pid_t pid)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 1000; i++) {
		char stat[256] = "";
		autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, stat, sizeof(stat) - 1) <= 0 || strstr(stat, ") Z ") ||
		        strstr(stat, ") X ") || !strstr(stat, "(sleep)"))
			return true;
		(void)usleep(10000);
	}
	return false;
}

static void test_script__a_time_out_kills_the_whole_group(void **state)
{
	(void)state;
	char path[] = "/tmp/sonde-script-XXXXXX";
	autoclose int fd = mkstemp(path);
	char text[256];
	(void)snprintf(text, sizeof(text), "sleep 600 & echo $! >%s; wait", path);
	struct script_result result = run(text, 1, NULL);
	assert_int_equal(result.end, SCRIPT_TIMED_OUT);
	assert_int_equal(result.code, 137);
	char number[32] = "";
	uint64_t pid = 0;
	ssize_t n = read(fd, number, sizeof(number) - 1);
	assert_true(n > 1 && str_to_u64(str_trim((str){ number, (size_t)n }), INT32_MAX, &pid));
	assert_true(ends_soon((pid_t)pid));
	(void)unlink(path);
	script_result_fini(&result);
}

static void test_script__what_is_left_behind_ends_with_it(void **state)
{
	(void)state;
	/* The orphan holds the output open: without its end this would last ten minutes. */
	struct script_result result = run("sleep 600 & echo begun", 300, NULL);
	assert_int_equal(result.end, SCRIPT_EXITED);
	assert_int_equal(result.code, 0);
	assert_true(has(&result.out, "begun"));
	script_result_fini(&result);
}

static bool yes(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_script__cancelled_is_killed(void **state)
{
	(void)state;
	struct script_result result = run("sleep 600", 300, yes);
	assert_int_equal(result.end, SCRIPT_CANCELLED);
	assert_int_equal(result.code, 137);
	script_result_fini(&result);
}

static void test_script__output_is_cut_with_its_mark(void **state)
{
	(void)state;
	struct script_result result = run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; echo "
	                                  "9876543210 >&2; i=$((i+1)); done",
	        60, NULL);
	assert_int_equal(result.code, 0);
	assert_int_equal(result.out.n, SCRIPT_STDOUT_MAX);
	assert_int_equal(result.err.n, SCRIPT_STDERR_MAX);
	assert_true(str_has_suffix(buf_str(&result.out), STR(SCRIPT_CUT)));
	assert_true(str_has_suffix(buf_str(&result.err), STR(SCRIPT_CUT)));
	script_result_fini(&result);
}

static void test_script__what_is_no_text_becomes_text(void **state)
{
	(void)state;
	autobuf out = BUF(1000);
	const char bytes[] = { 'a', '\0', '\xff', 'b', '\xc3', '\xa4' };
	script_add_cut(&out, (str){ bytes, sizeof(bytes) }, 100, false);
	assert_true(str_eq(buf_str(&out), STR("a\xef\xbf\xbd\xef\xbf\xbd"
	                                      "b\xc3\xa4")));
	/* A cut never halves a character. */
	for (size_t most = 22; most < 40; most++) {
		autobuf cut = BUF(1000);
		script_add_cut(&cut,
		        STR("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"),
		        most, false);
		assert_true(cut.n <= most && str_is_utf8(buf_str(&cut)));
	}
}

static void test_script__a_program_that_is_not_there_is_127(void **state)
{
	(void)state;
	const char *argv[] = { "/nonexistent", NULL };
	const char *envp[] = { NULL };
	const struct script script = { .argv = argv, .envp = envp, .timeout_s = 10 };
	struct script_result result = { 0 };
	assert_int_equal(script_run(&script, &result, NULL), 0);
	assert_int_equal(result.code, 127);
	script_result_fini(&result);
}

static void test_script__inherits_no_descriptor(void **state)
{
	(void)state;
	int fd = dup2(open("/dev/null", O_RDONLY), 77);
	assert_int_equal(fd, 77);
	struct script_result result = run("[ -e /proc/self/fd/77 ] && echo open; true", 30, NULL);
	assert_false(has(&result.out, "open"));
	script_result_fini(&result);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script__code_and_both_outputs_are_kept),
		cmocka_unit_test(test_script__a_time_out_kills_the_whole_group),
		cmocka_unit_test(test_script__what_is_left_behind_ends_with_it),
		cmocka_unit_test(test_script__cancelled_is_killed),
		cmocka_unit_test(test_script__output_is_cut_with_its_mark),
		cmocka_unit_test(test_script__what_is_no_text_becomes_text),
		cmocka_unit_test(test_script__a_program_that_is_not_there_is_127),
		cmocka_unit_test(test_script__inherits_no_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
