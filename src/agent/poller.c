/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/backoff.h"
#include "agent/hold.h"
#include "agent/log.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/fs.h"
#include "base/rest.h"
#include "sandbox/sandbox.h"

#define TIMEOUT_MS 30000
#define HIDDEN_S 10
#define SOON_MS 1000
#define SOON_PAUSE_MS 2000

static void sleep_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	(void)nanosleep(&t, NULL);
}

bool poller_uuid(char ret[37])
{
	unsigned char b[16];
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return false;
	(void)snprintf(ret, 37,
	        "%02x%02x%02x%02x-%02x%02x-4%x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
	        b[2], b[3], b[4], b[5], b[6] & 15u, b[7], (b[8] & 0x3fu) | 0x80u, b[9], b[10],
	        b[11], b[12], b[13], b[14], b[15]);
	return true;
}

/* ---- in the poller ---- */

static bool say(int fd, str messages)
{
	autobuf frame = BUF(POLLER_FRAME_MAX + 4);
	buf_add_u32(&frame, (uint32_t)messages.n);
	buf_add(&frame, messages);
	str rest = buf_str(&frame);
	while (!buf_failed(&frame) && rest.n > 0) {
		ssize_t n = write(fd, rest.p, rest.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		rest = str_skip(rest, (size_t)n);
	}
	return true;
}

/* What a poller learns. */
struct learnt {
	struct backoff backoff;
	struct hold hold;
	bool is_over; /* its credentials are not accepted any more */
};

/* Was there no answer of the server itself? A gateway says so, if it says anything. */
static bool is_broken(int r, const struct ssm_reply *reply)
{
	return r < 0 && (r != -EREMOTEIO || reply->status == 502 || reply->status == 504);
}

static int ask(struct service *service, struct learnt *learnt, struct arena *arena,
        struct ssm_reply *reply)
{
	autobuf body = BUF(1024);
	struct err err = { 0 };
	char id[37];
	if (!poller_uuid(id))
		return -EIO;
	buf_printf(&body,
	        "{\"Destination\":\"%s\",\"MessagesRequestId\":\"%s\","
	        "\"VisibilityTimeoutInSeconds\":%d}",
	        service->instance, id, HIDDEN_S);
	int64_t began = clock_ms();
	rest_memory();
	int r = service_wait(service, "EC2WindowsMessageDeliveryService.GetMessages",
	        buf_str(&body), hold_wait_s(&learnt->hold), arena, reply, &err);
	hold_ended(&learnt->hold, clock_ms() - began, is_broken(r, reply));
	learnt->is_over = r == -EREMOTEIO && !service_may_retry(r, reply);
	return r;
}

/* One poll, and the pause behind it. Returns: 0; as service_call(); -EPIPE when nobody listens any
 * more */
static int poll_once(struct service *service, int fd, struct learnt *learnt)
{
	struct arena arena = ARENA((size_t)16 << 20);
	autobuf text = BUF(POLLER_FRAME_MAX);
	struct json_writer w = JSON_WRITER(&text, false);
	struct ssm_reply reply = { .retry_after_s = -1 };
	int64_t began = clock_ms();
	int r = ask(service, learnt, &arena, &reply);
	const struct value *messages = r == 0 ? value_get(reply.value, STR("Messages")) : NULL;
	if (value_count(messages) > 0) {
		value_write_json(messages, &w);
		if (!buf_failed(&text) && !say(fd, buf_str(&text)))
			r = -EPIPE;
	}
	int64_t retry_after_s = reply.retry_after_s;
	arena_fini(&arena);
	if (r == 0)
		backoff_worked(&learnt->backoff);
	if (r == 0 && clock_ms() - began < SOON_MS)
		sleep_ms(SOON_PAUSE_MS);
	else if (r < 0 && r != -EPIPE && !learnt->is_over)
		sleep_ms(backoff_failed(&learnt->backoff, retry_after_s));
	return r;
}

static void be_poller(const struct agent_config *config, const struct service *from, int fd)
{
	struct service service = *from;
	struct learnt learnt = { .backoff = { .seed = (uint64_t)getpid() * 2654435761u + 1 } };
	struct err err = { 0 };
	sigset_t none;
	const struct net_session_config session = {
		.endpoint = config->server,
		.ca_file = config->ca_file && *config->ca_file ? config->ca_file : NULL,
		.connect_timeout_ms = 10000,
		.timeout_ms = TIMEOUT_MS,
	};
	/* Neither the state folder, nor the supervisor's own way to the server. */
	const int keep[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, fd };
	fs_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	service.session = NULL;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* The certificate authorities are read while there is a right to. */
	int r = net_session_open(&session, &service.session, &err);
	if (r == 0)
		r = sandbox_enter(ROLE_POLLER, &err);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r < 0) {
		agent_log(LOG_ERROR, "%s", err.text);
		_exit(1);
	}
	while (!learnt.is_over && r != -EPIPE)
		r = poll_once(&service, fd, &learnt);
	net_session_close(service.session);
	_exit(2);
}

/* ---- outside ---- */

int poller_start(const struct agent_config *config, const struct service *service,
        struct poller *ret, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe for the poller: %m");
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		be_poller(config, service, ends[1]);
	}
	int saved = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return err_set(err, -saved, "cannot start the poller: %s", strerror(saved));
	}
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret = (struct poller){ .pid = pid, .fd = ends[0], .said = BUF(POLLER_FRAME_MAX + 65536) };
	return 0;
}

int poller_next(struct poller *poller, str *ret_messages)
{
	struct buf *said = &poller->said;
	char piece[16384];
	uint32_t n = 0;
	for (;;) {
		if (said->n >= 4) {
			memcpy(&n, said->p, 4);
			if (n > POLLER_FRAME_MAX)
				return -EPIPE;
			if (said->n - 4 >= n)
				break;
		}
		ssize_t got = read(poller->fd, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got <= 0)
			return -EPIPE;
		buf_add(said, (str){ piece, (size_t)got });
		if (buf_failed(said))
			return -EPIPE;
	}
	*ret_messages = (str){ said->p + 4, n };
	return 1;
}

void poller_stop(struct poller *poller)
{
	int status;
	if (poller->pid > 0) {
		(void)kill(poller->pid, SIGKILL);
		while (waitpid(poller->pid, &status, 0) < 0 && errno == EINTR)
			continue;
		(void)close(poller->fd);
	}
	buf_fini(&poller->said);
	*poller = (struct poller){ .fd = -1 };
}
