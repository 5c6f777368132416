/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/script.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#define CANCEL_CHECK_MS 250
#define READ_BYTES 8192
/* How long output is still read after the script itself ended: what it left behind may hold the
 * pipe open. */
#define LEFT_MS 200

/* One stream: what is kept, and whether there was more. */
struct stream {
	int fd; /* -1: ended */
	size_t most;
	struct buf raw;
	bool is_cut;
};

struct running {
	const struct script *script;
	pid_t pid;
	struct stream out, err;
	int64_t deadline_ms, ended_ms;
	enum script_end end;
	int status;
	bool has_ended;
};

void script_result_fini(struct script_result *result)
{
	buf_fini(&result->out);
	buf_fini(&result->err);
}

/* The length of the UTF-8 character at the front of `s`; 0 when it is none. */
static size_t character_length(str s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++) {
		if (str_is_utf8(str_head(s, n)))
			return n;
	}
	return 0;
}

void script_add_cut(struct buf *out, str text, size_t most, bool is_cut)
{
	autobuf clean = BUF(3 * text.n + 8);
	while (text.n > 0) {
		size_t n = text.p[0] == '\0' ? 0 : character_length(text);
		/* A cut in the middle of the last character is no damage of the text. */
		if (n == 0 && text.n < 4 && is_cut)
			break;
		buf_add(&clean, n > 0 ? str_head(text, n) : STR("\xef\xbf\xbd"));
		text = str_skip(text, n > 0 ? n : 1);
	}
	str all = buf_str(&clean);
	size_t mark = sizeof(SCRIPT_CUT) - 1;
	if (!is_cut && all.n <= most) {
		buf_add(out, all);
		return;
	}
	size_t keep = most > mark ? most - mark : 0;
	if (keep > all.n)
		keep = all.n;
	while (keep > 0 && keep < all.n && ((unsigned char)all.p[keep] & 0xc0) == 0x80)
		keep--;
	buf_add(out, str_head(all, keep));
	buf_add(out, STR(SCRIPT_CUT));
}

/* ---- the child ---- */

static void become(const struct script *script, int out_fd, int err_fd)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < 32; i++)
		(void)signal(i, SIG_DFL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	        dup2(err_fd, STDERR_FILENO) < 0)
		_exit(126);
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
	if (script->folder && chdir(script->folder) < 0) {
		static const char text[] = "the working directory cannot be entered\n";
		ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(n < 0 ? 125 : 126);
	}
	(void)umask(022);
	(void)execve(script->argv[0], (char *const *)(uintptr_t)script->argv,
	        (char *const *)(uintptr_t)script->envp);
	_exit(127);
}

static int start(struct running *run, struct err *err)
{
	int out[2] = { -1, -1 }, bad[2] = { -1, -1 };
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(bad, O_CLOEXEC) < 0) {
		int saved = errno;
		for (int i = 0; i < 2; i++) {
			if (out[i] >= 0)
				(void)close(out[i]);
		}
		return err_set(err, -saved, "cannot make a pipe: %s", strerror(saved));
	}
	run->pid = fork();
	if (run->pid == 0)
		become(run->script, out[1], bad[1]);
	int saved = errno;
	(void)close(out[1]);
	(void)close(bad[1]);
	if (run->pid < 0) {
		(void)close(out[0]);
		(void)close(bad[0]);
		return err_set(err, -saved, "cannot start a process: %s", strerror(saved));
	}
	(void)setpgid(run->pid, run->pid); /* whoever comes first: both do it */
	(void)fcntl(out[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(bad[0], F_SETFL, O_NONBLOCK);
	run->out.fd = out[0];
	run->err.fd = bad[0];
	return 0;
}

/* ---- the parent ---- */

/* Read what is there. Output beyond the limit is read too, so that the script does not stall, but
 * is not kept. */
static void drain(struct stream *stream)
{
	char piece[READ_BYTES];
	for (int i = 0; stream->fd >= 0 && i < 64; i++) {
		ssize_t n = read(stream->fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			(void)close(stream->fd);
			stream->fd = -1;
			return;
		}
		size_t room = stream->most + 4 - stream->raw.n;
		size_t take = (size_t)n < room ? (size_t)n : room;
		buf_add(&stream->raw, (str){ piece, take });
		stream->is_cut |= take < (size_t)n;
	}
}

static void reap(struct running *run)
{
	siginfo_t info = { 0 };
	if (run->has_ended ||
	        waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	        info.si_pid != run->pid)
		return;
	/* What it started and left behind ends with it; before it is reaped, while the number of
	 * the group cannot be anybody else's. */
	(void)kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
		continue;
	run->has_ended = true;
	run->ended_ms = clock_ms();
}

static void end(struct running *run, enum script_end why)
{
	if (run->has_ended)
		return;
	run->end = why;
	(void)kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
		continue;
	run->has_ended = true;
	run->ended_ms = clock_ms();
}

static int wait_ms(const struct running *run)
{
	int64_t left = run->deadline_ms - clock_ms();
	if (run->has_ended)
		return 20;
	if (left < 0)
		return 0;
	return left < CANCEL_CHECK_MS ? (int)left : CANCEL_CHECK_MS;
}

static void supervise(struct running *run)
{
	while (!run->has_ended || run->out.fd >= 0 || run->err.fd >= 0) {
		struct pollfd fds[2] = { { .fd = run->out.fd, .events = POLLIN },
			{ .fd = run->err.fd, .events = POLLIN } };
		int wait = wait_ms(run);
		/* Both streams closed is how most scripts end: then only the end is waited for. */
		if (run->out.fd < 0 && run->err.fd < 0 && wait > 10)
			wait = 10;
		(void)poll(fds, 2, wait);
		drain(&run->out);
		drain(&run->err);
		reap(run);
		if (run->has_ended && clock_ms() - run->ended_ms > LEFT_MS)
			break;
		if (!run->has_ended && clock_ms() >= run->deadline_ms)
			end(run, SCRIPT_TIMED_OUT);
		else if (!run->has_ended && run->script->is_cancelled &&
		         run->script->is_cancelled(run->script->ctx))
			end(run, SCRIPT_CANCELLED);
	}
}

static void finish(struct running *run, struct script_result *ret)
{
	ret->end = run->end;
	ret->code = WIFEXITED(run->status) ? WEXITSTATUS(run->status)
	                                   : 128 + (WTERMSIG(run->status) & 127);
	if (run->end == SCRIPT_EXITED && !WIFEXITED(run->status))
		ret->end = SCRIPT_KILLED;
	ret->out = BUF(4 * SCRIPT_STDOUT_MAX);
	ret->err = BUF(4 * SCRIPT_STDERR_MAX);
	script_add_cut(&ret->out, buf_str(&run->out.raw), SCRIPT_STDOUT_MAX, run->out.is_cut);
	script_add_cut(&ret->err, buf_str(&run->err.raw), SCRIPT_STDERR_MAX, run->err.is_cut);
}

int script_run(const struct script *script, struct script_result *ret, struct err *err)
{
	struct running run = {
		.script = script,
		.out = { .fd = -1, .most = SCRIPT_STDOUT_MAX, .raw = BUF(SCRIPT_STDOUT_MAX + 4) },
		.err = { .fd = -1, .most = SCRIPT_STDERR_MAX, .raw = BUF(SCRIPT_STDERR_MAX + 4) },
		.end = SCRIPT_EXITED,
		.deadline_ms = clock_ms() + (int64_t)script->timeout_s * 1000,
	};
	int r = start(&run, err);
	if (r == 0) {
		supervise(&run);
		finish(&run, ret);
	}
	if (run.out.fd >= 0)
		(void)close(run.out.fd);
	if (run.err.fd >= 0)
		(void)close(run.err.fd);
	buf_fini(&run.out.raw);
	buf_fini(&run.err.raw);
	return r;
}
