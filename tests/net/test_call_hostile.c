/* SPDX-License-Identifier: Apache-2.0 */
/* A server, or a sonde-net, that does what it can; and what comes of it. */
#include "call_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"

/* A server that does what it can, and what comes of it. */
static void test_call_hostile__a_hostile_server_costs_one_call(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .timeout_ms = 2000, .max_answer_bytes = 1u << 20 };
	autosession *session = server_session(server, &config);
	static const struct {
		const char *target;
		int r;
	} rows[] = {
		{ "/endless", -ERR_LIMIT },
		{ "/bytes/1048577", -ERR_LIMIT },
		{ "/chunked/1048577", -ERR_LIMIT },
		{ "/headers", -ERR_LIMIT },
		{ "/interim", -ERR_LIMIT },
		{ "/mute", -ETIMEDOUT },
		{ "/slow", -ETIMEDOUT },
		{ "/reset", -EIO },
		{ "/half", -EIO },
		{ "/lie/1000", -EIO },
		{ "/unframed", -EPROTO },
		/* no status at all, one that there is not, a protocol that is not ours */
		{ "/raw/485454502f312e31203739392058200d0a0d0a", -EPROTO },
		{ "/raw/485454502f392e39203230300d0a0d0a", 0 },
		{ "/raw/0d0a0d0a", 0 },
		{ "/raw/", -EIO },
		{ "/garbage", 0 },
		{ "/longline", 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_call call = get(rows[i].target);
		struct net_call_answer answer;
		struct err err = { 0 };
		int r = net_call(session, &call, &server->arena, &answer, &err);
		if (r >= 0 || (rows[i].r != 0 && r != rows[i].r) ||
		        !strstr(err.text, server->endpoint))
			fail_msg("%s: %d, %s", rows[i].target, r, err.text);
		call = get("/bytes/1048576");
		answer = must(server, session, &call);
		assert_int_equal(answer.body.n, 1u << 20);
	}
}

/* A sonde-net that leaves its process id behind before it starts. */
static const char *leave_pid(struct server *server)
{
	char script[512];
	(void)snprintf(script, sizeof(script),
	        "echo $$ >'%s/pid.new'; mv '%s/pid.new' '%s/pid'; "
	        "exec '%s' \"$@\"",
	        server->dir, server->dir, server->dir, SONDE_NET);
	return server_script(server, script);
}

static pid_t read_pid(struct server *server)
{
	autobuf in = BUF(16);
	uint64_t n = 0;
	if (fs_read(server->dir_fd, "pid", &in, NULL) < 0)
		return 0;
	assert_true(str_to_u64(str_trim(buf_str(&in)), INT32_MAX, &n));
	return (pid_t)n;
}

static void *kill_when_there(void *ctx)
{
	struct server *server = ctx;
	pid_t pid;
	while ((pid = read_pid(server)) == 0)
		(void)usleep(1000);
	(void)kill(pid, SIGKILL);
	return NULL;
}

static void test_call_hostile__a_killed_sonde_net_costs_one_call(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .program = leave_pid(server) };
	autosession *session = server_session(server, &config);
	struct net_call call = get("/mute");
	struct net_call_answer answer;
	struct err err = { 0 };
	for (int i = 0; i < 3; i++) {
		pthread_t thread;
		(void)unlinkat(server->dir_fd, "pid", 0);
		net_session_rest(session);
		assert_int_equal(pthread_create(&thread, NULL, kill_when_there, server), 0);
		call.target = STR("/mute");
		assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -EIO);
		assert_non_null(strstr(err.text, "ended by signal 9"));
		assert_int_equal(pthread_join(thread, NULL), 0);
		call.target = STR("/echo");
		(void)echo(server, session, &call);
	}
	/* Between two calls it costs none. */
	siginfo_t info;
	pid_t pid = read_pid(server);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	(void)echo(server, session, &call);
}

static void test_call_hostile__a_hanging_sonde_net_costs_one_call(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .program = leave_pid(server), .timeout_ms = 100 };
	autosession *session = server_session(server, &config);
	struct net_call call = get("/echo");
	call.timeout_ms = 20000;
	struct net_call_answer answer;
	struct err err = { 0 };
	(void)echo(server, session, &call);
	assert_int_equal(kill(read_pid(server), SIGSTOP), 0);
	call.timeout_ms = 100;
	assert_int_equal(net_call(session, &call, &server->arena, &answer, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "sonde-net does not answer"));
	call.timeout_ms = 20000;
	(void)echo(server, session, &call);
}

static void test_call_hostile__no_nonsense_of_sonde_net_is_believed(void **state)
{
	struct server *server = *state;
	/* frames: length, type, version, number */
#define READY "head -c 37 >/dev/null; printf '\\000\\000\\000\\000\\021\\001\\000\\000'; "
	static const char *const scripts[] = {
		"echo hello",
		"echo hello >&2",
		"exec head -c 100000000 /dev/zero",
		"exec yes",
		"exit 0",
		"exit 3",
		"kill -SEGV $$",
		"printf '\\377\\377\\377\\377\\021\\001\\000\\000'",
		"printf '\\000\\000\\000\\000\\021\\002\\000\\000'",
		"printf '\\000\\000\\000\\000\\021\\001'",
		"printf '\\004\\000\\000\\000\\021\\001\\000\\000abcd'",
		"printf '\\000\\000\\000\\000\\022\\001\\001\\000'",
		"printf '\\000\\000\\000\\000\\026\\001\\000\\000'",
		READY "exec yes",
		READY "exit 0",
		READY "printf '\\000\\000\\000\\000\\021\\001\\000\\000'; exec cat >/dev/null",
		READY
		"printf '\\010\\000\\000\\000\\024\\001\\001\\000abcdabcd'; exec cat >/dev/null",
		READY "printf '\\004\\000\\000\\000\\023\\001\\001\\000abcd'; exec cat >/dev/null",
		READY "printf '\\004\\000\\000\\000\\025\\001\\001\\000abcd'; exec cat >/dev/null",
	};
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct net_session_config config = { .program = server_script(server, scripts[i]) };
		autosession *session = server_session(server, &config);
		struct net_call call = get("/echo");
		struct net_call_answer answer;
		struct err err = { 0 };
		str pem, public;
		int r = net_call(session, &call, &server->arena, &answer, &err);
		if (r != -EPROTO && r != -EIO)
			fail_msg("%s: %d, %s", scripts[i], r, err.text);
		for (const char *c = err.text; *c != '\0'; c++)
			assert_true(*c >= ' ' && *c <= '~');
		r = net_make_key(session, &server->arena, &pem, &public, &err);
		if (r != -EPROTO && r != -EIO)
			fail_msg("%s: %d, %s", scripts[i], r, err.text);
	}
}

static void test_call_hostile__sonde_net_answers_nothing_that_is_no_request(void **state)
{
	(void)state;
	static const char *const inputs[] = { "printf hello", "yes", "cat /dev/zero",
		"head -c 100000 /dev/urandom", "printf '\\377\\377\\377\\377\\001\\001\\000\\000'",
		"printf '\\000\\000\\000\\000\\001\\001\\000\\000'",
		"printf '\\000\\000\\000\\000\\002\\001\\000\\000'",
		"printf '\\000\\000\\000\\000\\003\\001\\000\\000'",
		"printf '\\000\\000\\000\\000\\021\\001\\000\\000'", "printf '\\000\\000\\000'" };
	char command[512];
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		/* One FAIL is all that it says, and 1 is how it ends. */
		(void)snprintf(command, sizeof(command),
		        "{ %s 2>/dev/null | { '%s' session; echo \" status $?\"; }; } | tr -d "
		        "'\\000' | "
		        "grep -qa 'the .* sonde-net .* status 1$'",
		        inputs[i], SONDE_NET);
		if (system(command) != 0)
			fail_msg("%s", inputs[i]);
	}
	(void)snprintf(command, sizeof(command), "'%s' session </dev/null", SONDE_NET);
	assert_int_equal(system(command), 0);
}

/* What the kernel tells of a file of the process. */
static void read_proc(pid_t pid, const char *file, struct buf *out)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	assert_int_equal(fs_read(AT_FDCWD, path, out, NULL), 0);
	buf_add_byte(out, '\0');
}

static void test_call_hostile__the_process_has_no_privilege_and_shows_no_secret(void **state)
{
	struct server *server = *state;
	struct net_session_config config = { .program = leave_pid(server) };
	autosession *session = server_session(server, &config);
	struct net_call call = get("/echo");
	call.sign = sign_v4("a-token");
	(void)echo(server, session, &call);
	pid_t pid = read_pid(server);
	autobuf status = BUF(1u << 16), cmdline = BUF(1u << 16);
	read_proc(pid, "status", &status);
	read_proc(pid, "cmdline", &cmdline);
	assert_non_null(strstr(status.p, "NoNewPrivs:\t1"));
	assert_non_null(strstr(status.p, "CapEff:\t0000000000000000"));
	assert_null(memmem(cmdline.p, cmdline.n, SECRET, strlen(SECRET)));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_non_null(strstr(status.p, "Seccomp:\t2"));
#endif
	if (geteuid() != 0)
		return; /* a process that cannot be traced shows no more */
	assert_non_null(strstr(status.p, "Uid:\t65534\t65534\t65534\t65534"));
	assert_non_null(strstr(status.p, "Groups:\t \n"));
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/3", (int)pid);
	char link[64] = "";
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	assert_true(n < 0 || strncmp(link, "socket:", 7) == 0 || strncmp(link, "anon", 4) == 0);
}

/* The server anew, with a certificate; false when it cannot be made. */
static bool open_tls(struct server *server, const char *address)
{
	server_open(server, "own");
	if (!server_make_cert(server, "own", address) ||
	        !server_make_cert(server, "other", "IP:127.0.0.1")) {
		print_message("skipped: openssl is missing\n");
		return false;
	}
	server_start(server, "own");
	return true;
}

static void test_call_hostile__only_a_known_certificate_is_believed(void **state)
{
	(void)state;
	struct server server;
	if (!open_tls(&server, "IP:127.0.0.1")) {
		server_close(&server);
		skip();
	}
	struct net_call call = get("/sign");
	call.sign = sign_v4(NULL);
	struct net_call_answer answer;
	struct err err = { 0 };
	char own[128], other[128];
	(void)snprintf(own, sizeof(own), "%s/own.pem", server.dir);
	(void)snprintf(other, sizeof(other), "%s/other.pem", server.dir);
	/* A session has its authorities from its caller alone. */
	assert_int_equal(setenv("SSL_CERT_FILE", own, 1), 0);
	const char *const wrong[] = { NULL, other };
	for (size_t i = 0; i < 2; i++) {
		struct net_session_config config = { .ca_file = wrong[i] };
		autosession *session = server_session(&server, &config);
		assert_int_equal(
		        net_call(session, &call, &server.arena, &answer, &err), -EKEYREJECTED);
		assert_non_null(strstr(err.text, "certificate"));
	}
	(void)unsetenv("SSL_CERT_FILE");
	/* Only whoever may read it: sonde-net gets the bytes. */
	assert_int_equal(chmod(own, 0400), 0);
	struct net_session_config config = { .ca_file = own };
	autosession *session = server_session(&server, &config);
	answer = must(&server, session, &call);
	assert_int_equal(answer.status, 200);
	call = get("/reset");
	assert_int_equal(net_call(session, &call, &server.arena, &answer, &err), -EIO);
	call = get("/echo");
	(void)echo(&server, session, &call);
	net_session_rest(session);
	server_close(&server);
}

static void test_call_hostile__a_certificate_of_another_name_is_refused(void **state)
{
	(void)state;
	struct server server;
	if (!open_tls(&server, "IP:127.0.0.2")) {
		server_close(&server);
		skip();
	}
	char own[128];
	(void)snprintf(own, sizeof(own), "%s/own.pem", server.dir);
	struct net_session_config config = { .ca_file = own };
	autosession *session = server_session(&server, &config);
	struct net_call call = get("/echo");
	struct net_call_answer answer;
	struct err err = { 0 };
	assert_int_equal(net_call(session, &call, &server.arena, &answer, &err), -EKEYREJECTED);
	net_session_rest(session);
	server_close(&server);
}

static void test_call_hostile__a_file_of_authorities_that_is_none_believes_nobody(void **state)
{
	(void)state;
	struct server server;
	if (!open_tls(&server, "IP:127.0.0.1")) {
		server_close(&server);
		skip();
	}
	struct err err = { 0 };
	assert_int_equal(fs_replace(server.dir_fd, "bad", STR("no certificate"), 0644, &err), 0);
	char bad[128];
	(void)snprintf(bad, sizeof(bad), "%s/bad", server.dir);
	struct net_session_config config = { .ca_file = bad };
	autosession *session = server_session(&server, &config);
	struct net_call call = get("/echo");
	struct net_call_answer answer;
	assert_int_equal(net_call(session, &call, &server.arena, &answer, &err), -EKEYREJECTED);
	net_session_rest(session);
	server_close(&server);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(test_call_hostile__##name, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hostile_server_costs_one_call),
		TEST(a_killed_sonde_net_costs_one_call),
		TEST(a_hanging_sonde_net_costs_one_call),
		TEST(no_nonsense_of_sonde_net_is_believed),
		TEST(sonde_net_answers_nothing_that_is_no_request),
		TEST(the_process_has_no_privilege_and_shows_no_secret),
		cmocka_unit_test(test_call_hostile__only_a_known_certificate_is_believed),
		cmocka_unit_test(test_call_hostile__a_certificate_of_another_name_is_refused),
		cmocka_unit_test(
		        test_call_hostile__a_file_of_authorities_that_is_none_believes_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
