/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's loop through days that pass in moments. The linker puts this file between the loop
 * and the system: clocks, poll(), the calls to the server and the jobs are those below, so that a
 * wait moves the clock and nobody sleeps. All else is the agent as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/job.h"
#include "agent/poller.h"
#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "net/aws_call.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define BEGAN_MS (INT64_C(1767225600) * 1000)
#define JOB_FD 100000 /* of a job that is none; nothing reads it */
#define RUNS_MAX 1000
#define ASSOCIATION "6b1f0d3e-1111-4222-8333-444455556666"

/* A world for one agent. */
static struct world {
	int64_t now_ms, wall_ms; /* since the start; what the wall clock is ahead of that */
	int64_t away_from_ms, away_to_ms; /* the server */
	int64_t end_ms;
	const int64_t (*jumps)[2]; /* when, by how much the wall clock is set; ends with 0 */
	char state[64], root[64];
	/* What came to pass. */
	int64_t ran_ms[RUNS_MAX];
	size_t n_ran, n_wakes, n_calls, n_calls_away, n_reports, n_spooled_most;
	int64_t reported_at; /* the server's: when it ran last, as the agent said */
	bool is_ending;
} world;

static bool is_away(void)
{
	return world.now_ms >= world.away_from_ms && world.now_ms < world.away_to_ms;
}

/* ---- the system ---- */

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
pid_t __wrap_getpid(void);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	int64_t ms = world.now_ms + (id == CLOCK_REALTIME ? BEGAN_MS + world.wall_ms : DAY_MS);
	*ret = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	return 0;
}

pid_t __wrap_getpid(void)
{
	return 4711; /* it seeds what happens by chance */
}

static size_t spooled(void)
{
	char path[128];
	size_t n = 0;
	(void)snprintf(path, sizeof(path), "%s/spool", world.state);
	DIR *dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		(void)closedir(dir);
	return n > 2 ? n - 2 : 0;
}

static void pass(int64_t ms)
{
	for (size_t i = 0; world.jumps && world.jumps[i][0] > 0; i++) {
		if (world.now_ms < world.jumps[i][0] && world.now_ms + ms >= world.jumps[i][0])
			world.wall_ms += world.jumps[i][1];
	}
	world.now_ms += ms;
	size_t n = spooled();
	if (n > world.n_spooled_most)
		world.n_spooled_most = n;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	world.n_wakes++;
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = 0;
	if (world.now_ms >= world.end_ms) {
		if (!world.is_ending)
			(void)raise(SIGTERM);
		world.is_ending = true;
		fds[0].revents = POLLIN;
		return 1;
	}
	for (nfds_t i = 1; i < n; i++) {
		if (fds[i].fd != JOB_FD)
			continue;
		pass(2000);
		fds[i].revents = POLLIN;
		return 1;
	}
	pass(timeout > 0 ? timeout : 1);
	return 0;
}

/* ---- jobs, and the one who waits for messages ---- */

int __wrap_job_start(const struct job_request *request, struct job *ret, struct err *err);
int __wrap_job_read(struct job *job);
void __wrap_job_cancel(const struct job *job);
void __wrap_job_end(struct job *job, const struct state *state, str id);
int __wrap_poller_start(const struct agent_config *config, const struct service *service,
        struct poller *ret, struct err *err);
void __wrap_poller_stop(struct poller *poller);

int __wrap_job_start(const struct job_request *request, struct job *ret, struct err *err)
{
	(void)request;
	(void)err;
	assert_true(world.n_ran < RUNS_MAX);
	world.ran_ms[world.n_ran++] = world.now_ms;
	*ret = (struct job){ .pid = INT_MAX, .fd = JOB_FD, .said = BUF(4096) };
	buf_add(&ret->said, STR("{\"Status\":\"Success\",\"Steps\":[]}"));
	return 0;
}

int __wrap_job_read(struct job *job)
{
	(void)job;
	return 1;
}

void __wrap_job_cancel(const struct job *job)
{
	(void)job;
}

void __wrap_job_end(struct job *job, const struct state *state, str id)
{
	(void)state;
	(void)id;
	buf_fini(&job->said);
	*job = (struct job){ .fd = -1 };
}

int __wrap_poller_start(const struct agent_config *config, const struct service *service,
        struct poller *ret, struct err *err)
{
	(void)config;
	(void)service;
	(void)err;
	*ret = (struct poller){ .pid = INT_MAX, .fd = -1, .said = BUF(16) };
	return 0;
}

void __wrap_poller_stop(struct poller *poller)
{
	*poller = (struct poller){ .fd = -1 };
}

/* ---- the server ---- */

int __wrap_net_session_open(
        const struct net_session_config *config, struct net_session **ret_session, struct err *err);
void __wrap_net_session_close(struct net_session *session);
void __wrap_net_session_rest(struct net_session *session);
int64_t __wrap_net_session_clock_offset(const struct net_session *session);
int __wrap_reader_json(str text, struct arena *arena, const struct value **ret, struct err *err);
int __wrap_ssm_call(struct net_session *session, const struct net_sign *sign, str target, str body,
        int64_t now, struct arena *arena, struct ssm_reply *ret_reply, struct err *err);

int __wrap_net_session_open(
        const struct net_session_config *config, struct net_session **ret_session, struct err *err)
{
	(void)config;
	(void)err;
	*ret_session = NULL;
	return 0;
}

void __wrap_net_session_close(struct net_session *session)
{
	(void)session;
}

void __wrap_net_session_rest(struct net_session *session)
{
	(void)session;
}

int64_t __wrap_net_session_clock_offset(const struct net_session *session)
{
	(void)session;
	return -world.wall_ms / 1000;
}

/* In this process: another one would wait by the clock of this world. */
int __wrap_reader_json(str text, struct arena *arena, const struct value **ret, struct err *err)
{
	return value_from_json(text, arena, ret, err);
}

static void take_report(str body, struct arena *arena)
{
	const struct value *report = NULL;
	int64_t ms = 0;
	assert_int_equal(value_from_json(body, arena, &report, NULL), 0);
	const struct value *result = value_get(report, STR("ExecutionResult"));
	if (!str_eq(value_get_str(result, STR("Status")), STR("Success")))
		return;
	world.n_reports++;
	assert_true(timestamp_from_value(value_get(result, STR("ExecutionDate")), &ms));
	world.reported_at = ms / 1000;
}

/* The one association, as the server has it. Arena. */
static str answer(str target, struct arena *arena)
{
	str text = STR("{}");
	if (str_has_suffix(target, STR(".GetDocument")))
		return STR("{\"Content\":\"{}\"}");
	if (str_has_suffix(target, STR(".ListInstanceAssociations")))
		assert_int_equal(arena_printf(arena, &text,
		                         "{\"Associations\":[{\"AssociationId\":\"" ASSOCIATION
		                         "\",\"Name\":\"Any\",\"AssociationVersion\":\"1\","
		                         "\"Checksum\":\"c\",\"DocumentVersion\":\"1\","
		                         "\"DetailedStatus\":\"%s\",\"LastExecutionDate\":%lld,"
		                         "\"ScheduleExpression\":\"rate(12 hours)\"}]}",
		                         world.reported_at > 0 ? "Success" : "Pending",
		                         (long long)world.reported_at),
		        0);
	return text;
}

int __wrap_ssm_call(struct net_session *session, const struct net_sign *sign, str target, str body,
        int64_t now, struct arena *arena, struct ssm_reply *ret_reply, struct err *err)
{
	(void)session;
	(void)sign;
	(void)now;
	world.n_calls++;
	if (is_away()) {
		world.n_calls_away++;
		return err_set(err, -ECONNREFUSED, "nobody is there");
	}
	*ret_reply = (struct ssm_reply){ .status = 200, .retry_after_s = -1 };
	if (str_has_suffix(target, STR(".UpdateInstanceAssociationStatus")))
		take_report(body, arena);
	return value_from_json(answer(target, arena), arena, &ret_reply->value, err);
}

/* ---- tests ---- */

static void make_root(const char *root)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/etc", root);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/os-release", root);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs("ID=debian\nVERSION_ID=12\n", file);
	assert_int_equal(fclose(file), 0);
}

static void live(struct world begin)
{
	struct err err = { 0 };
	char command[256];
	world = begin;
	(void)snprintf(world.state, sizeof(world.state), "/tmp/sonde-agent-XXXXXX");
	assert_non_null(mkdtemp(world.state));
	(void)snprintf(world.root, sizeof(world.root), "/tmp/sonde-root-XXXXXX");
	assert_non_null(mkdtemp(world.root));
	make_root(world.root);
	const struct agent_config config = { .server = "https://127.0.0.1:1",
		.region = "eu-central-1",
		.state = world.state,
		.root = world.root,
		.instance = "mi-0123456789abcdef0",
		.key_id = "AKIDEXAMPLE",
		.secret = "secret",
		.allow_documents = true,
		.heartbeat_s = 300,
		.poll_s = 600,
		.max_delay_s = 30 };
	/* A week of a server that is away is a long log. */
	autoclose int talk = dup(STDERR_FILENO);
	autoclose int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(dup2(nowhere, STDERR_FILENO) >= 0);
	int r = agent_run(&config, &err);
	assert_true(dup2(talk, STDERR_FILENO) >= 0);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(spooled(), 0);
	(void)snprintf(command, sizeof(command), "%s/etc/os-release", world.root);
	(void)unlink(command);
	(void)snprintf(command, sizeof(command), "%s/etc", world.root);
	(void)rmdir(command);
	(void)rmdir(world.root);
	assert_int_equal(agent_uninstall(&config, &err), 0);
}

static int64_t longest_gap_ms(void)
{
	int64_t longest = world.ran_ms[0];
	for (size_t i = 1; i < world.n_ran; i++) {
		int64_t gap = world.ran_ms[i] - world.ran_ms[i - 1];
		longest = gap > longest ? gap : longest;
	}
	int64_t last = world.end_ms - world.ran_ms[world.n_ran - 1];
	return last > longest ? last : longest;
}

/* How often it ran sooner than it had to. */
static size_t short_gaps(int64_t ms)
{
	size_t n = 0;
	for (size_t i = 1; i < world.n_ran; i++)
		n += world.ran_ms[i] - world.ran_ms[i - 1] < ms;
	return n;
}

static void test_agent__nothing_to_do_wakes_it_less_than_once_a_minute(void **state)
{
	(void)state;
	live((struct world){ .end_ms = 7 * DAY_MS });
	assert_int_equal(world.n_ran, 14);
	assert_int_equal(world.n_reports, 14);
	assert_int_equal(short_gaps(12 * HOUR_MS - MINUTE_MS), 0);
	/* Its own timers; one poll in four minutes comes on top. */
	assert_true((int64_t)world.n_wakes * 2 * MINUTE_MS < world.end_ms);
	assert_int_equal(world.n_spooled_most, 0);
}

static void test_agent__a_server_that_was_away_for_a_week_misses_nothing_that_counts(void **state)
{
	(void)state;
	live((struct world){
	        .away_from_ms = DAY_MS, .away_to_ms = 8 * DAY_MS, .end_ms = 8 * DAY_MS + HOUR_MS });
	/* What is known goes on by its schedule. */
	assert_in_range(world.n_ran, 16, 17);
	assert_true(longest_gap_ms() <= 12 * HOUR_MS + 5 * MINUTE_MS);
	/* It asks no more than once in five minutes on average, and not less than its longest wait.
	 */
	assert_in_range(world.n_calls_away, 7 * 24 * 6, 7 * 24 * 15);
	/* The newest of each report is kept, and no older one. */
	assert_in_range(world.n_spooled_most, 1, 2);
	/* And arrives within the hour: the last word is of the last run. */
	assert_int_equal(
	        world.reported_at, (BEGAN_MS + world.ran_ms[world.n_ran - 1] + 2000) / 1000);
	assert_true(world.n_reports < world.n_ran);
}

static void test_agent__a_clock_that_jumps_by_a_day_delays_and_repeats_little(void **state)
{
	(void)state;
	static const int64_t jumps[][2] = { { 2 * DAY_MS + HOUR_MS, DAY_MS },
		{ 4 * DAY_MS + HOUR_MS, -DAY_MS }, { 6 * DAY_MS + HOUR_MS, -DAY_MS },
		{ 8 * DAY_MS + HOUR_MS, DAY_MS }, { 0, 0 } };
	live((struct world){ .jumps = jumps, .end_ms = 10 * DAY_MS });
	/* A jump ahead makes it due at once, and one back lets it begin its interval anew. */
	assert_true(longest_gap_ms() <= DAY_MS + HOUR_MS);
	assert_true(short_gaps(11 * HOUR_MS) <= 2);
	assert_in_range(world.n_ran, 17, 23);
	assert_int_equal(world.n_reports, world.n_ran);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agent__nothing_to_do_wakes_it_less_than_once_a_minute),
		cmocka_unit_test(
		        test_agent__a_server_that_was_away_for_a_week_misses_nothing_that_counts),
		cmocka_unit_test(test_agent__a_clock_that_jumps_by_a_day_delays_and_repeats_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
