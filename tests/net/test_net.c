/* SPDX-License-Identifier: Apache-2.0 */
/* How sonde-net is started, what it may do, and what is believed of it. */
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static struct net_request request_of(const char *url, int fd)
{
	return (struct net_request){ .url = url,
		.max_bytes = 1u << 20,
		.timeout_s = 20,
		.max_attempts = 1,
		.retry_wait_ms = 1,
		.fd = fd };
}

static int open_body(struct web *web)
{
	int fd = openat(web->dir_fd, "body", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

/* Fetch with a shell script in the place of sonde-net. */
static int fetch_by(struct web *web, const char *script, const struct net_request *request,
        struct net_answer *answer, struct err *err)
{
	char text[2048];
	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	web_write(web, "helper", text, 0755);
	*err = (struct err){ 0 };
	int r = net_fetch(web_path(web, "helper"), request, answer, err);
	/* whatever it did, no process is left */
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* the test server alone */
	return r;
}

static void test_net__tells_that_sonde_net_is_missing(void **state)
{
	struct web *web = *state;
	autoclose int fd = open_body(web);
	struct net_request request = request_of(web_url(web, "/files/a"), fd);
	struct net_answer answer;
	struct err err = { 0 };
	assert_int_equal(net_fetch(web_path(web, "none"), &request, &answer, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot start sonde-net"));
	assert_non_null(strstr(err.text, web_path(web, "none")));

	web_write(web, "helper", "not to be run", 0644);
	assert_int_equal(net_fetch(web_path(web, "helper"), &request, &answer, &err), -EACCES);
}

static void test_net__finds_sonde_net_in_the_path(void **state)
{
	struct web *web = *state;
	autoclose int fd = open_body(web);
	struct net_request request = request_of(web_url(web, "/files/a"), fd);
	struct net_answer answer;
	struct err err = { 0 };
	char old[4096];
	(void)snprintf(old, sizeof(old), "%s", getenv("PATH"));
	assert_int_equal(setenv("PATH", web_path(web, "nowhere"), 1), 0);
	assert_int_equal(net_fetch(NULL, &request, &answer, &err), -ENOENT);
	assert_non_null(strstr(err.text, "$PATH"));

	web_put(web, "a", 1000, 1);
	assert_int_equal(symlinkat(SONDE_NET, web->dir_fd, "sonde-net"), 0);
	assert_int_equal(setenv("PATH", web->dir, 1), 0);
	int r = net_fetch(NULL, &request, &answer, &err);
	assert_int_equal(setenv("PATH", old, 1), 0);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_true(web_is(web, "body", 1000, 1));
}

static void test_net__asks_nothing_that_could_be_misread(void **state)
{
	struct web *web = *state;
	autoclose int fd = open_body(web);
	struct net_answer answer;
	struct err err = { 0 };
	struct net_request rows[6];
	for (size_t i = 0; i < 6; i++)
		rows[i] = request_of("http://127.0.0.1/a", fd);
	rows[0].etag = "\"a\"\nurl=http://127.0.0.1/b";
	rows[1].last_modified = "x\ny";
	rows[2].timeout_s = 3601;
	rows[3].retry_wait_ms = 1001;
	rows[4].max_bytes = 0;
	rows[5].resume_at_bytes = rows[5].max_bytes + 1;
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(net_fetch(web_path(web, "none"), &rows[i], &answer, &err),
		        i < 4 ? -EINVAL : -ERR_LIMIT);
}

static void test_net__hands_over_a_body_of_any_number(void **state)
{
	struct web *web = *state;
	autoclose int fd = open_body(web);
	struct net_request request = request_of(web_url(web, "/files/a"), fd);
	struct net_answer answer;
	struct err err;
	/* A body that stands where the request has to be. */
	autoclose int saved = fcntl(0, F_DUPFD_CLOEXEC, 50);
	assert_int_equal(dup2(fd, 0), 0);
	request.fd = 0;
	int r = fetch_by(web, "echo here >&3; echo start 0 5; read line; echo done 5", &request,
	        &answer, &err);
	assert_int_equal(saved >= 0 ? dup2(saved, 0) : close(0), 0);
	if (r < 0)
		fail_msg("%s", err.text);
	autobuf in = BUF(64);
	assert_int_equal(fs_read(web->dir_fd, "body", &in, &err), 0);
	assert_true(str_eq(buf_str(&in), STR("here\n")));
}

static void test_net__believes_no_nonsense(void **state)
{
	struct web *web = *state;
	static const struct {
		const char *script, *says;
	} rows[] = {
		{ "echo hello", "an answer that is none: hello" },
		{ "echo hello >&2", "an answer that is none: hello" },
		{ "printf '\\033[2J\\n'", "an answer that is none: ?[2J" },
		{ "exec head -c 1000000000 /dev/zero", "an answer that is none: ???" },
		{ "exec yes", "an answer that is none: y" },
		{ "exec yes 'progress 1 2'", "answers without end" },
		{ "exec yes 'etag \"x\"'", "answers without end" },
		{ "echo done 5", "an answer that is none: done 5" },
		{ "echo start 0 0; echo done 99999999", "an answer that is none: done 99999999" },
		{ "echo unchanged", "an answer that is none: unchanged" },
		{ "echo error missing gone", "gone" },
		{ "printf 'done'", "ended with status 0 and without a result" },
		{ "exit 3", "ended with status 3 and without a result" },
		{ "kill -9 $$", "was ended by signal 9" },
		{ "kill -SEGV $$", "was ended by signal 11" },
		{ "echo start 0 5; echo done 5; exit 1", "did not end well" },
	};
	autoclose int fd = open_body(web);
	struct net_request request = request_of("http://127.0.0.1/a", fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_answer answer;
		struct err err;
		int r = fetch_by(web, rows[i].script, &request, &answer, &err);
		if (r >= 0 || !strstr(err.text, rows[i].says) ||
		        !strstr(err.text, "http://127.0.0.1/a: "))
			fail_msg("%s: %d, %s", rows[i].script, r, err.text);
	}
}

static void test_net__ends_a_helper_that_does_not(void **state)
{
	struct web *web = *state;
	static const struct {
		const char *script, *says;
	} rows[] = {
		{ "exec cat >/dev/null", "does not answer" },
		{ "exec 0<&- 1>&- 2>&-; kill -STOP $$", "stopped answering" },
		{ "echo start 0 5; echo done 5; kill -STOP $$", "did not end well" },
	};
	autoclose int fd = open_body(web);
	struct net_request request = request_of("http://127.0.0.1/a", fd);
	request.timeout_s = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_answer answer;
		struct err err;
		assert_true(fetch_by(web, rows[i].script, &request, &answer, &err) < 0);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].script, err.text);
	}
}

static int refuse(void *ctx, const struct net_answer *answer, struct err *err)
{
	(void)ctx, (void)answer;
	return err_set(err, -EROFS, "not here");
}

static void test_net__ends_when_the_caller_refuses_the_body(void **state)
{
	struct web *web = *state;
	autoclose int fd = open_body(web);
	struct net_request request = request_of(web_url(web, "/files/a"), fd);
	struct net_answer answer;
	struct err err = { 0 };
	web_put(web, "a", 1000, 1);
	request.started = refuse;
	assert_int_equal(net_fetch(SONDE_NET, &request, &answer, &err), -EROFS);
	assert_non_null(strstr(err.text, "not here"));
	assert_true(web_is(web, "body", 0, 0));
}

/* A sonde-net that leaves its process id behind before it starts. */
#define LEAVE_PID "echo $$ >'%s/pid'; exec '%s'"

#define LOOSE_FD 100

struct watch {
	struct web *web;
	int signal;
	char status[4096]; /* /proc/<pid>/status */
	bool has_loose;    /* it holds a descriptor that nobody gave it */
};

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
	struct watch *watch = ctx;
	autobuf pid = BUF(16), status = BUF(sizeof(watch->status) - 1);
	char path[64];
	uint64_t n = 0;
	(void)all_bytes;
	if (done_bytes == 0 || watch->status[0] != '\0')
		return;
	assert_int_equal(fs_read(watch->web->dir_fd, "pid", &pid, NULL), 0);
	str digits = str_trim(buf_str(&pid));
	assert_true(str_to_u64(digits, INT32_MAX, &n));
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)n);
	assert_int_equal(fs_read(AT_FDCWD, path, &status, NULL), 0);
	memcpy(watch->status, status.p, status.n);
	watch->status[status.n] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)n, LOOSE_FD);
	watch->has_loose = faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/3", (int)n);
	assert_int_equal(faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(kill((pid_t)n, watch->signal), 0);
}

static int fetch_watched(struct watch *watch, struct err *err)
{
	struct web *web = watch->web;
	char script[512];
	struct net_answer answer;
	web_put(web, "a", 1000, 1);
	web_say(web, "rule /files/a 1 stall 500");
	autoclose int fd = open_body(web);
	struct net_request request = request_of(web_url(web, "/files/a"), fd);
	request.progress = on_progress;
	request.ctx = watch;
	(void)snprintf(script, sizeof(script), LEAVE_PID, web->dir, SONDE_NET);
	return fetch_by(web, script, &request, &answer, err);
}

static void test_net__survives_the_death_of_sonde_net(void **state)
{
	struct watch watch = { .web = *state, .signal = SIGKILL };
	struct err err;
	assert_int_equal(fetch_watched(&watch, &err), -EIO);
	assert_non_null(strstr(err.text, "was ended by signal 9"));
	assert_true(web_is(watch.web, "body", 500, 1));
}

static void test_net__lets_sonde_net_keep_no_privilege(void **state)
{
	struct watch watch = { .web = *state, .signal = SIGTERM };
	struct err err;
	/* inherited by mistake */
	assert_int_equal(dup2(watch.web->dir_fd, LOOSE_FD), LOOSE_FD);
	assert_int_equal(fetch_watched(&watch, &err), -EIO);
	assert_int_equal(close(LOOSE_FD), 0);
	assert_false(watch.has_loose);
	assert_non_null(strstr(watch.status, "NoNewPrivs:\t1"));
	assert_non_null(strstr(watch.status, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(watch.status, "CapPrm:\t0000000000000000"));
	if (geteuid() != 0) {
		print_message("skipped: root, to see it given up\n");
		skip();
	}
	assert_non_null(strstr(watch.status, "Uid:\t65534\t65534\t65534\t65534"));
	assert_non_null(strstr(watch.status, "Gid:\t65534\t65534\t65534\t65534"));
	assert_non_null(strstr(watch.status, "Groups:\t \n"));
}

static void test_net__sonde_net_says_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(
	        system(SONDE_NET " --version | grep -qx 'sonde-net " SONDE_VERSION "'"), 0);
	assert_int_equal(system(SONDE_NET " --help | grep -q usage"), 0);
	assert_int_equal(WEXITSTATUS(system(SONDE_NET " --what 2>/dev/null")), 2);
}

static void test_net__sonde_net_refuses_requests_that_are_none(void **state)
{
	struct web *web = *state;
	static const char *const rows[] = { "", "url=http://a/", "\\n", "what=1\\n\\n",
		"hello\\n\\n", "url=file:///etc/passwd\\n\\n", "max_bytes=-1\\n\\n",
		"timeout_s=99999\\n\\n", "etag=x\\n\\n" };
	char command[1024];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(command, sizeof(command),
		        "printf '%s' | '%s' 3>'%s/body' | grep -q '^error failed the request to'",
		        rows[i], SONDE_NET, web->dir);
		if (system(command) != 0)
			fail_msg("%s", rows[i]);
	}
	(void)snprintf(command, sizeof(command),
	        "exec '%s' 3>'%s/body' </dev/zero | grep -q '^error failed'", SONDE_NET, web->dir);
	assert_int_equal(system(command), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_net__##name, web_setup, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_that_sonde_net_is_missing),
		TEST(finds_sonde_net_in_the_path),
		TEST(asks_nothing_that_could_be_misread),
		TEST(hands_over_a_body_of_any_number),
		TEST(believes_no_nonsense),
		TEST(ends_a_helper_that_does_not),
		TEST(ends_when_the_caller_refuses_the_body),
		TEST(survives_the_death_of_sonde_net),
		TEST(lets_sonde_net_keep_no_privilege),
		TEST(sonde_net_says_what_it_is),
		TEST(sonde_net_refuses_requests_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
