/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop. Timers are on the monotonic clock, so that a clock that is set changes none of them;
 * schedules are on the wall clock, and looked at anew whenever the loop wakes, which is at least at
 * every sign of life. Timers that are nearly due are served together, so that an idle agent wakes
 * for one thing at a time only when it must.
 */
#include "agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/identity.h"
#include "agent/inside.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rest.h"
#include "sandbox/sandbox.h"

#define NEVER INT64_MAX
#define DELIVER_EVERY_MS 30000
#define SLACK_MS 5000
#define STOP_CHECK_MS 60000
#define REST_MS 20000

int64_t agent_now_ms(void)
{
	return clock_ms();
}

int64_t agent_wall_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the server ---- */

bool agent_is_away(const struct agent *agent)
{
	return agent_now_ms() < agent->away_until_ms;
}

void agent_note(struct agent *agent, int r, const struct ssm_reply *reply)
{
	if (r == 0 || (r == -EREMOTEIO && !service_may_retry(r, reply))) {
		backoff_worked(&agent->backoff);
		agent->away_until_ms = 0;
		return;
	}
	agent->away_until_ms =
	        agent_now_ms() + backoff_failed(&agent->backoff, reply->retry_after_s);
}

void agent_tell(struct agent *agent, str key, const char *target, str body)
{
	struct arena arena = ARENA((size_t)8 << 20);
	struct ssm_reply reply = { .retry_after_s = -1 };
	struct err err = { 0 };
	int r = -EAGAIN;
	if (!agent_is_away(agent)) {
		r = service_call(&agent->service, target, body, &arena, &reply, &err);
		agent_note(agent, r, &reply);
	}
	if (r < 0 && !service_may_retry(r, &reply)) {
		agent_log(LOG_WARNING, "the server refuses a report: %s", err.text);
	} else if (r < 0 && key.n > 0) {
		if (spool_add(&agent->state, key, target, body, &err) < 0)
			agent_log(LOG_ERROR, "a report is lost: %s", err.text);
		if (agent->deliver_at_ms == NEVER)
			agent->deliver_at_ms = agent_now_ms() + DELIVER_EVERY_MS;
	}
	arena_fini(&arena);
}

static int open_session(struct agent *agent, struct err *err)
{
	const struct agent_config *config = agent->config;
	const struct net_session_config session = {
		.endpoint = config->server,
		.ca_file = config->ca_file && *config->ca_file ? config->ca_file : NULL,
		.connect_timeout_ms = 10000,
		.timeout_ms = 30000,
	};
	return net_session_open(&session, &agent->service.session, err);
}

/* Credentials that are good for the next call. */
static int renew(struct agent *agent, struct err *err)
{
	int64_t now = agent_wall_ms() / 1000;
	struct ssm_reply none = { .retry_after_s = -1 };
	if (!identity_is_due(agent->config, &agent->service, now))
		return 0;
	int r = identity_renew(agent->config, &agent->state, &agent->service, now, err);
	if (r < 0)
		agent_note(agent, r, &none);
	else
		poller_stop(&agent->poller); /* it has the old ones */
	return r;
}

static int heartbeat(struct agent *agent, struct err *err)
{
	struct arena arena = ARENA((size_t)1 << 20);
	autobuf body = BUF(16384);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply = { .retry_after_s = -1 };
	json_write_object(&w);
	json_write_member_str(&w, "InstanceId", str_from_c(agent->service.instance));
	json_write_member_str(&w, "AgentName", STR("amazon-ssm-agent"));
	json_write_member_str(&w, "AgentVersion", STR(SONDE_VERSION));
	json_write_member_str(
	        &w, "AgentStatus", agent->is_stopped ? STR("Stopped") : STR("Active"));
	platform_write(&agent->platform, "IPAddress", &w);
	json_write_member_str(&w, "SondeRun", str_from_c(agent->run));
	json_write_object_end(&w);
	int r = service_call(&agent->service, "AmazonSSM.UpdateInstanceInformation", buf_str(&body),
	        &arena, &reply, err);
	agent_note(agent, r, &reply);
	/* Credentials that are not accepted any more are asked for anew. */
	if (r == -EREMOTEIO && !service_may_retry(r, &reply))
		agent->service.keys.got_at = agent->service.keys.expires_at = 0;
	arena_fini(&arena);
	return r;
}

/* ---- the kill switch ---- */

static void look_at_switch(struct agent *agent)
{
	bool was = agent->is_stopped;
	agent->is_stopped = agent->config->is_stopped || state_has(&agent->state, AGENT_STOP_FILE);
	if (was == agent->is_stopped)
		return;
	agent_log(LOG_WARNING, agent->is_stopped ? "stopped: nothing is run until " AGENT_STOP_FILE
	                                           " is removed from the state folder"
	                                         : "no longer stopped");
	agent->heartbeat_at_ms = 0;
	if (!agent->is_stopped)
		return;
	poller_stop(&agent->poller);
	for (int i = 0; i < SLOT_COUNT; i++)
		job_cancel(&agent->jobs[i]);
}

/* ---- one turn ---- */

static bool is_due(int64_t at, int64_t now)
{
	return at <= now + SLACK_MS;
}

static void say_alive(struct agent *agent, int64_t now)
{
	struct err err = { 0 };
	int r = renew(agent, &err);
	if (r == 0)
		r = heartbeat(agent, &err);
	if (r < 0) {
		agent_log(LOG_WARNING, "no sign of life was given: %s", err.text);
		agent->heartbeat_at_ms =
		        agent->away_until_ms > now ? agent->away_until_ms : now + 60000;
		return;
	}
	agent->heartbeat_at_ms = now + (int64_t)agent->config->heartbeat_s * 1000;
	notify_send("READY=1\nSTATUS=Connected");
}

static void deliver(struct agent *agent, int64_t now)
{
	struct err err = { 0 };
	int r = spool_deliver(&agent->state, &agent->service, &err);
	if (r == 0)
		r = spool_deliver_inventory(&agent->state, &agent->service, &err);
	if (r < 0)
		agent_log(LOG_WARNING, "reports wait for the server: %s", err.text);
	agent->deliver_at_ms = spool_has(&agent->state) ? now + DELIVER_EVERY_MS : NEVER;
}

static void list(struct agent *agent, int64_t now)
{
	struct err err = { 0 };
	int r = rounds_list(agent, &err);
	if (r < 0)
		agent_log(LOG_WARNING, "associations cannot be listed: %s", err.text);
	agent->list_at_ms =
	        r < 0 ? agent->away_until_ms : now + (int64_t)agent->config->poll_s * 1000;
	if (agent->list_at_ms < now + 1000)
		agent->list_at_ms = now + 1000;
}

static void start_poller(struct agent *agent, int64_t now)
{
	struct err err = { 0 };
	if (agent->poller.pid > 0 || agent->poller_at_ms > now)
		return;
	agent->poller_at_ms = now + 1000 + backoff_failed(&agent->poller_backoff, -1);
	if (poller_start(agent->config, &agent->service, &agent->poller, &err) < 0)
		agent_log(LOG_ERROR, "%s", err.text);
}

static void turn(struct agent *agent)
{
	int64_t now = agent_now_ms();
	look_at_switch(agent);
	if (agent->away_until_ms > now)
		return;
	if (is_due(agent->heartbeat_at_ms, now) ||
	        identity_is_due(agent->config, &agent->service, agent_wall_ms() / 1000))
		say_alive(agent, now);
	if (agent->is_stopped || agent_is_away(agent) || !agent->service.keys.key_id[0])
		return;
	if (is_due(agent->deliver_at_ms, now))
		deliver(agent, now);
	if (is_due(agent->list_at_ms, now))
		list(agent, now);
	if (!agent->config->once)
		start_poller(agent, now);
}

/* Jobs begin also while the server is away: what is known is run on its schedule. */
static void start_jobs(struct agent *agent)
{
	if (agent->is_stopped || agent->is_ending)
		return;
	rounds_start(agent);
	commands_start(agent);
}

/* ---- waiting ---- */

static int64_t soonest(const struct agent *agent, int64_t now)
{
	int64_t at = agent->heartbeat_at_ms;
	const int64_t more[] = { agent->list_at_ms, agent->deliver_at_ms,
		agent->poller.pid > 0 ? NEVER : agent->poller_at_ms };
	size_t n = agent->is_stopped ? 0 : sizeof(more) / sizeof(more[0]);
	for (size_t i = 0; i < n; i++)
		at = more[i] < at ? more[i] : at;
	if (at < agent->away_until_ms)
		at = agent->away_until_ms;
	/* What is known runs by its schedule, whether the server is there or not. */
	if (!agent->is_stopped && rounds_next_ms(agent) < at)
		at = rounds_next_ms(agent);
	/* The switch is looked at while something could be running. */
	if (agent->jobs[0].pid > 0 || agent->jobs[1].pid > 0 || agent->is_stopped)
		at = at < now + STOP_CHECK_MS ? at : now + STOP_CHECK_MS;
	return at;
}

static void read_poller(struct agent *agent)
{
	str messages;
	int r;
	while ((r = poller_next(&agent->poller, &messages)) == 1) {
		backoff_worked(&agent->poller_backoff);
		if (!agent->is_stopped)
			commands_take(agent, messages);
		struct buf *said = &agent->poller.said;
		size_t used = messages.n + 4;
		memmove(said->p, said->p + used, said->n - used);
		said->n -= used;
	}
	if (r < 0)
		poller_stop(&agent->poller);
}

static void read_job(struct agent *agent, int slot)
{
	if (job_read(&agent->jobs[slot]) == 0)
		return;
	if (slot == SLOT_ASSOCIATION)
		rounds_ended(agent);
	else
		commands_ended(agent);
}

static void wait_for_something(struct agent *agent, int signal_fd)
{
	int64_t now = agent_now_ms(), at = soonest(agent, now);
	int64_t wait = at <= now ? 0 : at - now;
	/* Nothing is asked for long: sonde-net, which is most of an idle agent, is started anew. */
	if (wait > REST_MS) {
		net_session_rest(agent->service.session);
		rest_memory();
	}
	struct signalfd_siginfo info;
	struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN },
		{ .fd = agent->poller.pid > 0 ? agent->poller.fd : -1, .events = POLLIN },
		{ .fd = agent->jobs[0].pid > 0 ? agent->jobs[0].fd : -1, .events = POLLIN },
		{ .fd = agent->jobs[1].pid > 0 ? agent->jobs[1].fd : -1, .events = POLLIN } };
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait > 3600000 ? 3600000 : (int)wait) <= 0)
		return;
	if (fds[0].revents && read(signal_fd, &info, sizeof(info)) > 0)
		agent->is_ending = true;
	if (fds[1].revents)
		read_poller(agent);
	for (int i = 0; i < SLOT_COUNT; i++) {
		if (fds[2 + i].revents)
			read_job(agent, i);
	}
}

/* ---- whole life ---- */

static int register_once(struct agent *agent, struct err *err)
{
	return identity_open(
	        agent->config, &agent->state, &agent->service, agent_wall_ms() / 1000, err);
}

/* Until it is known who this host is nothing else can be done. */
static int be_known(struct agent *agent, int signal_fd, struct err *err)
{
	for (;;) {
		int r = register_once(agent, err);
		if (r == 0)
			break;
		if (agent->config->once || r == -EINVAL || r == -EKEYREJECTED || r == -EPERM ||
		        r == -ERR_FORMAT)
			return r;
		int64_t wait = backoff_failed(&agent->backoff, -1);
		struct pollfd fd = { .fd = signal_fd, .events = POLLIN };
		agent_log(LOG_WARNING, "%s; tried again in %lld s", err->text,
		        (long long)(wait / 1000));
		if (poll(&fd, 1, (int)wait + 1000) > 0)
			return err_set(err, -ECANCELED, "ended before this host was registered");
	}
	backoff_worked(&agent->backoff);
	agent_log(LOG_INFO, "this host is %s server=%s", agent->service.instance,
	        agent->config->server);
	return 0;
}

static int run_once(struct agent *agent, int signal_fd, struct err *err)
{
	int r = renew(agent, err);
	if (r == 0) {
		look_at_switch(agent);
		r = heartbeat(agent, err);
	}
	if (r < 0 || agent->is_stopped)
		return r;
	deliver(agent, agent_now_ms());
	r = rounds_list(agent, err);
	if (r < 0)
		return r;
	agent->heartbeat_at_ms = agent->list_at_ms = NEVER;
	agent->poller_at_ms = agent->deliver_at_ms = NEVER;
	while (!agent->is_ending) {
		start_jobs(agent);
		if (agent->jobs[SLOT_ASSOCIATION].pid == 0)
			break;
		wait_for_something(agent, signal_fd);
		look_at_switch(agent);
	}
	deliver(agent, agent_now_ms());
	if (agent->n_failed > 0)
		return err_set(err, -EREMOTEIO, "%zu associations failed", agent->n_failed);
	return 0;
}

static void run_for_ever(struct agent *agent, int signal_fd)
{
	uint64_t delay = (uint64_t)agent->config->max_delay_s * 1000 + 1;
	/* A fleet that was started at once does not ask at once. */
	agent->list_at_ms =
	        agent_now_ms() + (int64_t)(backoff_random(&agent->backoff.seed) % delay);
	while (!agent->is_ending) {
		turn(agent);
		start_jobs(agent);
		wait_for_something(agent, signal_fd);
	}
	notify_send("STOPPING=1");
	agent_log(LOG_INFO, "ended");
}

static void agent_fini(struct agent *agent)
{
	poller_stop(&agent->poller);
	for (int i = 0; i < SLOT_COUNT; i++) {
		str id = { NULL, 0 };
		if (i == SLOT_ASSOCIATION && agent->running)
			id = agent->running->is.id;
		if (i == SLOT_COMMAND && agent->running_command)
			id = agent->running_command->command_id;
		job_cancel(&agent->jobs[i]);
		job_end(&agent->jobs[i], &agent->state, id);
	}
	commands_fini(agent);
	rounds_fini(agent);
	free(agent->kept);
	arena_fini(&agent->platform_arena);
	net_session_close(agent->service.session);
	service_forget(&agent->service);
	state_close(&agent->state);
}

static int prepare(struct agent *agent, int signal_fd, struct err *err)
{
	const struct agent_config *config = agent->config;
	agent->kept = calloc(AGENT_ASSOCIATIONS_MAX, sizeof(*agent->kept));
	if (!agent->kept)
		return err_set(err, -ENOMEM, "out of memory");
	if (!poller_uuid(agent->run))
		return err_set(err, -EIO, "the system gives no random numbers");
	int r = state_open(config->state, &agent->state, err);
	if (r == 0)
		r = platform_read(config->root, &agent->platform_arena, &agent->platform, err);
	if (r == 0)
		r = open_session(agent, err);
	if (r == 0)
		r = be_known(agent, signal_fd, err);
	return r;
}

int agent_run(const struct agent_config *config, struct err *err)
{
	struct agent agent = { .config = config,
		.state = { .dir = -1, .lock = -1 },
		.service = { .region = config->region },
		.platform_arena = ARENA((size_t)1 << 20),
		.backoff = { .seed = (uint64_t)agent_wall_ms() * 2654435761u + (uint64_t)getpid() },
		.poller_backoff = { .seed = (uint64_t)getpid() + 1 },
		.poller = { .fd = -1 },
		.jobs = { { .fd = -1 }, { .fd = -1 } } };
	sigset_t ends;
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return err_set(err, -errno, "cannot block signals: %m");
	(void)signal(SIGPIPE, SIG_IGN);
	autoclose int signal_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return err_set(err, -errno, "cannot listen to signals: %m");
	/* What the host has allowed to be run beyond the agent's own documents has all its rights.
	 */
	bool is_open = config->allow_documents || (config->package_keys && *config->package_keys);
	int r = is_open ? 0 : sandbox_enter(ROLE_SUPERVISOR, err);
	if (r == 0)
		r = prepare(&agent, signal_fd, err);
	if (r == 0)
		agent.deliver_at_ms = spool_has(&agent.state) ? 0 : NEVER;
	if (r == 0 && config->once)
		r = run_once(&agent, signal_fd, err);
	else if (r == 0)
		run_for_ever(&agent, signal_fd);
	agent_fini(&agent);
	return r == -ECANCELED ? 0 : r;
}

int agent_uninstall(const struct agent_config *config, struct err *err)
{
	return state_destroy(config->state, err);
}
