/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sandbox/parts.h"

#define CALL(call, restriction, reason)                                                            \
	{                                                                                          \
		.number = SCMP_SYS(call), .name = #call, .limit = (restriction), .why = (reason)   \
	}

static const struct role_call parser_calls[] = {
	CALL(read, CALL_ANY, "read a descriptor"),
	CALL(readv, CALL_ANY, "read a descriptor"),
	CALL(pread64, CALL_ANY, "read a descriptor"),
	CALL(preadv, CALL_ANY, "read a descriptor"),
	CALL(lseek, CALL_ANY, "read a descriptor"),
	CALL(fstat, CALL_ANY, "size of a descriptor"),
	CALL(newfstatat, CALL_NO_PATH, "size of a descriptor, as the C library asks for it"),
	CALL(fcntl, CALL_FD_FLAGS, "flags of a descriptor"),
	CALL(close, CALL_ANY, "be done with a descriptor"),
	CALL(recvmsg, CALL_ANY, "receive descriptors and questions"),
	CALL(recvfrom, CALL_ANY, "receive descriptors and questions"),
	CALL(sendmsg, CALL_ANY, "send answers"),
	CALL(sendto, CALL_ANY, "send answers"),
	CALL(write, CALL_ANY, "send answers"),
	CALL(writev, CALL_ANY, "send answers"),
	CALL(poll, CALL_ANY, "wait for questions"),
	CALL(ppoll, CALL_ANY, "wait for questions"),
	CALL(brk, CALL_ANY, "memory"),
	CALL(mmap, CALL_NO_EXEC, "memory"),
	CALL(munmap, CALL_ANY, "memory"),
	CALL(mremap, CALL_ANY, "memory"),
	CALL(mprotect, CALL_NO_EXEC, "memory"),
	CALL(madvise, CALL_ANY, "memory"),
	CALL(sysinfo, CALL_ANY, "the C library's qsort asks how much memory there is"),
	CALL(futex, CALL_ANY, "the C library's locks"),
	CALL(getrandom, CALL_ANY, "seeds of hash tables"),
	CALL(clock_gettime, CALL_ANY, "time, where the kernel has no vDSO"),
	CALL(gettimeofday, CALL_ANY, "time, where the kernel has no vDSO"),
	CALL(getpid, CALL_ANY, "abort"),
	CALL(gettid, CALL_ANY, "abort"),
	CALL(tgkill, CALL_OWN_SIGNAL, "abort"),
	CALL(rt_sigaction, CALL_ANY, "abort"),
	CALL(rt_sigprocmask, CALL_ANY, "abort"),
	CALL(rt_sigreturn, CALL_ANY, "return from a signal"),
	CALL(sigaltstack, CALL_ANY, "return from a signal"),
	CALL(restart_syscall, CALL_ANY, "go on after a stop"),
	CALL(exit, CALL_ANY, "end"),
	CALL(exit_group, CALL_ANY, "end"),
};

static const struct role_row roles[] = {
	{
	        .role = ROLE_PARSER,
	        .name = "parser",
	        .does = "reads what a scan has found, with all the formats",
	        .user = "nobody when started by root, without groups and capabilities; else the "
	                "user's own",
	        .files = "none; only descriptors that it is sent",
	        .network = "none; one socket to the process that started it",
	        .memory_bytes = UINT64_C(4) << 30,
	        .n_descriptors = 64,
	        .calls = parser_calls,
	        .n_calls = sizeof(parser_calls) / sizeof(parser_calls[0]),
	},
};

const struct role_row *sandbox_role(enum role role)
{
	size_t i = (size_t)role;
	assert(i < sizeof(roles) / sizeof(roles[0]) && roles[i].role == role);
	return &roles[i];
}

const char *sandbox_limit_text(enum call_limit limit)
{
	switch (limit) {
	case CALL_ANY: return "";
	case CALL_NO_PATH: return "of a descriptor only";
	case CALL_NO_EXEC: return "not executable";
	case CALL_FD_FLAGS: return "flags only";
	case CALL_OWN_SIGNAL: return "to itself only";
	}
	return "";
}

bool sandbox_has_filter(void)
{
	return !SANDBOX_IS_SANITIZED;
}

/* Lower a limit, for good; never above what it is already. */
static int limit_to(int what, const char *name, rlim_t most, struct err *err)
{
	struct rlimit limit;
	if (getrlimit((__rlimit_resource_t)what, &limit) < 0)
		return err_set(err, -errno, "cannot read the limit of %s: %m", name);
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &limit) < 0)
		return err_set(err, -errno, "cannot limit %s: %m", name);
	return 0;
}

static int limit_all(const struct role_row *row, struct err *err)
{
	/* A message to a standard error that is a file is lost, but does not kill. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return err_set(err, -errno, "cannot ignore a signal: %m");
	int r = limit_to(RLIMIT_CORE, "core dumps", 0, err);
	if (r >= 0)
		r = limit_to(RLIMIT_FSIZE, "files", 0, err);
	if (r >= 0)
		r = limit_to(RLIMIT_NOFILE, "descriptors", row->n_descriptors, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = limit_to(RLIMIT_NPROC, "processes", 0, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = limit_to(RLIMIT_AS, "memory", (rlim_t)row->memory_bytes, err);
	return r;
}

int sandbox_enter(enum role role, struct err *err)
{
	const struct role_row *row = sandbox_role(role);
	int r = identity_drop(err);
	if (r < 0)
		return r;
	/* After the change of user, which would undo the first two. A sanitizer's leak check traces
	 * itself. */
	if (prctl(PR_SET_DUMPABLE, SANDBOX_IS_SANITIZED, 0, 0, 0) < 0 ||
	        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %m");
	r = limit_all(row, err);
	if (r >= 0)
		r = landlock_enter(err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = seccomp_enter(row, err);
	return r;
}
