/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One socket carries what we ask there and what is answered back, so that writing to a process that
 * died is an error and not a signal, without touching the signal handling of the program that we
 * are part of.
 */
#include "net/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "net/protocol.h"

/* How long sonde-net may take to end after its last answer: naps of NAP_MS. */
#define NAP_MS 5
#define NAPS 1000

void helper_kill(struct helper *helper)
{
	if (helper->fd >= 0)
		(void)close(helper->fd);
	helper->fd = -1;
	if (helper->pid <= 0)
		return;
	(void)kill(helper->pid, SIGKILL);
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	helper->pid = 0;
}

bool helper_reap(struct helper *helper, int *ret_status)
{
	for (int i = 0; i < NAPS; i++) {
		pid_t pid = waitpid(helper->pid, ret_status, WNOHANG);
		if (pid == helper->pid) {
			helper->pid = 0;
			return true;
		}
		if (pid < 0 && errno != EINTR) {
			/* The program ignores SIGCHLD: the kernel took the status. */
			helper->pid = 0;
			*ret_status = 0;
			return true;
		}
		(void)poll(NULL, 0, NAP_MS);
	}
	helper_kill(helper);
	return false;
}

int helper_explain(struct helper *helper, struct err *err)
{
	int status = 0;
	if (!helper_reap(helper, &status))
		return err_set(err, -EPROTO, "sonde-net stopped answering, and was ended");
	if (WIFSIGNALED(status))
		return err_set(err, -EIO, "sonde-net was ended by signal %d", WTERMSIG(status));
	return err_set(err, -EPROTO, "sonde-net ended with status %d and without a result",
	        WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* sonde-net beside this program. */
static bool find_beside(char path[PATH_MAX])
{
	static const char name[] = "sonde-net";
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof(name));
	if (n <= 0 || (size_t)n >= PATH_MAX - sizeof(name))
		return false;
	str dir = str_dirname((str){ path, (size_t)n });
	memcpy(path + dir.n + 1, name, sizeof(name));
	return true;
}

static int spawn(const char *program, char *mode, const posix_spawn_file_actions_t *actions,
        const posix_spawnattr_t *attr, pid_t *ret_pid)
{
	char beside[PATH_MAX], name[] = "sonde-net";
	char *argv[] = { name, mode, NULL };
	if (program)
		return posix_spawn(ret_pid, program, actions, attr, argv, environ);
	int r = find_beside(beside) ? posix_spawn(ret_pid, beside, actions, attr, argv, environ)
	                            : ENOENT;
	return r == ENOENT ? posix_spawnp(ret_pid, name, actions, attr, argv, environ) : r;
}

/*
 * Start the process with its end of the socket and, if there is one, the body. Both are above the
 * numbers that they get there, so that no step of the hand-over closes what a later one needs.
 */
static int spawn_with(const char *program, char *mode, int socket_fd, int body_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	int r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	for (int fd = 0; r == 0 && fd <= 2; fd++)
		r = posix_spawn_file_actions_adddup2(&actions, socket_fd, fd);
	if (r == 0 && body_fd >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, body_fd, NET_FD_BODY);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = spawn(program, mode, &actions, &attr, ret_pid);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

int helper_start(
        const char *program, const char *mode, int body_fd, struct helper *ret, struct err *err)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "cannot start sonde-net: %s", strerror(errno));
	autoclose int ours = pair[0], theirs = pair[1];
	autoclose int socket_fd = fcntl(theirs, F_DUPFD_CLOEXEC, NET_FD_BODY + 1);
	autoclose int body = body_fd < 0 ? -1 : fcntl(body_fd, F_DUPFD_CLOEXEC, NET_FD_BODY + 1);
	char word[16] = "";
	(void)snprintf(word, sizeof(word), "%s", mode ? mode : "");
	pid_t pid;
	int r = socket_fd < 0 || (body < 0 && body_fd >= 0)
	                ? errno
	                : spawn_with(program, mode ? word : NULL, socket_fd, body, &pid);
	if (r == ENOENT)
		return err_set(err, -ENOENT, "cannot start sonde-net: it is not %s%s",
		        program ? program : "beside this program, nor in $PATH",
		        program ? "" : "; install it to use the network");
	if (r != 0)
		return err_set(err, -r, "cannot start sonde-net: %s", strerror(r));
	*ret = (struct helper){ .pid = pid, .fd = ours };
	ours = -1;
	return 0;
}
