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

/*
 * What libcurl, OpenSSL and the C library's resolver need, whichever modules of the resolver a
 * system has. No file is written but through a descriptor that is there from the start, and no
 * socket of the machine itself (AF_UNIX) is made: not to nscd, not to D-Bus, which would be a way
 * out. The resolver does without them.
 */
static const struct role_call net_calls[] = {
	CALL(read, CALL_ANY, "files, sockets"),
	CALL(readv, CALL_ANY, "files, sockets"),
	CALL(pread64, CALL_ANY, "files"),
	CALL(lseek, CALL_ANY, "files"),
	CALL(write, CALL_ANY, "sockets"),
	CALL(writev, CALL_ANY, "sockets"),
	CALL(pwrite64, CALL_ANY, "the body of a fetch, into the descriptor that it was given"),
	CALL(ftruncate, CALL_ANY, "the body of a fetch that begins anew"),
	CALL(open, CALL_READ_ONLY, "certificates, the resolver's files and modules"),
	CALL(openat, CALL_READ_ONLY, "certificates, the resolver's files and modules"),
	CALL(close, CALL_ANY, "files, sockets"),
	CALL(fstat, CALL_ANY, "files"),
	CALL(stat, CALL_ANY, "files"),
	CALL(lstat, CALL_ANY, "files"),
	CALL(newfstatat, CALL_ANY, "files"),
	CALL(statx, CALL_ANY, "files"),
	CALL(access, CALL_ANY, "files"),
	CALL(faccessat, CALL_ANY, "files"),
	CALL(faccessat2, CALL_ANY, "files"),
	CALL(readlink, CALL_ANY, "files"),
	CALL(readlinkat, CALL_ANY, "files"),
	CALL(getdents64, CALL_ANY, "folders of certificates"),
	CALL(fcntl, CALL_FD_FLAGS, "flags of a descriptor"),
	CALL(ioctl, CALL_READABLE, "the resolver asks how long an answer is"),
	CALL(socket, CALL_INTERNET, "servers, the resolver"),
	CALL(connect, CALL_ANY, "servers, the resolver"),
	CALL(bind, CALL_ANY, "the resolver; nothing can be listened to"),
	CALL(getsockname, CALL_ANY, "sockets"),
	CALL(getpeername, CALL_ANY, "sockets"),
	CALL(getsockopt, CALL_ANY, "sockets"),
	CALL(setsockopt, CALL_ANY, "sockets"),
	CALL(shutdown, CALL_ANY, "sockets"),
	CALL(sendto, CALL_ANY, "sockets"),
	CALL(sendmsg, CALL_ANY, "sockets"),
	CALL(sendmmsg, CALL_ANY, "the resolver"),
	CALL(recvfrom, CALL_ANY, "sockets"),
	CALL(recvmsg, CALL_ANY, "sockets"),
	CALL(recvmmsg, CALL_ANY, "the resolver"),
	CALL(socketpair, CALL_ANY, "libcurl wakes its own threads"),
	CALL(pipe, CALL_ANY, "libcurl wakes its own threads"),
	CALL(pipe2, CALL_ANY, "libcurl wakes its own threads"),
	CALL(eventfd2, CALL_ANY, "libcurl wakes its own threads"),
	CALL(poll, CALL_ANY, "wait"),
	CALL(ppoll, CALL_ANY, "wait"),
	CALL(select, CALL_ANY, "wait"),
	CALL(pselect6, CALL_ANY, "wait"),
	CALL(nanosleep, CALL_ANY, "wait between attempts"),
	CALL(clock_nanosleep, CALL_ANY, "wait between attempts"),
	CALL(brk, CALL_ANY, "memory"),
	CALL(mmap, CALL_NO_WX, "memory, and the resolver's modules"),
	CALL(munmap, CALL_ANY, "memory"),
	CALL(mremap, CALL_ANY, "memory"),
	CALL(mprotect, CALL_NO_EXEC, "memory"),
	CALL(madvise, CALL_ANY, "memory"),
	CALL(clone, CALL_THREAD, "libcurl resolves names in a thread"),
	CALL(clone3, CALL_ABSENT,
	        "its arguments cannot be seen by a filter; clone is used instead"),
	CALL(set_robust_list, CALL_ANY, "threads"),
	CALL(rseq, CALL_ANY, "threads"),
	CALL(sched_getaffinity, CALL_ANY, "threads"),
	CALL(sched_yield, CALL_ANY, "threads"),
	CALL(prlimit64, CALL_ASK_LIMIT, "how large the stack of a thread may be"),
	CALL(futex, CALL_ANY, "the C library's locks"),
	CALL(sysinfo, CALL_ANY, "the C library asks how much memory there is"),
	CALL(uname, CALL_ANY, "the resolver asks for the name of the host"),
	CALL(getrandom, CALL_ANY, "keys"),
	CALL(clock_gettime, CALL_ANY, "time, where the kernel has no vDSO"),
	CALL(clock_getres, CALL_ANY, "time"),
	CALL(gettimeofday, CALL_ANY, "time, where the kernel has no vDSO"),
	CALL(time, CALL_ANY, "time, where the kernel has no vDSO"),
	CALL(getpid, CALL_ANY, "OpenSSL looks whether it was forked; abort"),
	CALL(gettid, CALL_ANY, "abort"),
	CALL(getuid, CALL_ANY, "libraries ask whether they may believe the environment"),
	CALL(geteuid, CALL_ANY, "libraries ask whether they may believe the environment"),
	CALL(getgid, CALL_ANY, "libraries ask whether they may believe the environment"),
	CALL(getegid, CALL_ANY, "libraries ask whether they may believe the environment"),
	CALL(tgkill, CALL_OWN_SIGNAL, "abort"),
	CALL(rt_sigaction, CALL_ANY, "a broken connection is no signal"),
	CALL(rt_sigprocmask, CALL_ANY, "threads take no signals"),
	CALL(rt_sigreturn, CALL_ANY, "return from a signal"),
	CALL(sigaltstack, CALL_ANY, "return from a signal"),
	CALL(restart_syscall, CALL_ANY, "go on after a stop"),
	CALL(exit, CALL_ANY, "end of a thread"),
	CALL(exit_group, CALL_ANY, "end"),
};

static const char *const net_readable[] = {
#if SANDBOX_IS_SANITIZED
	"/proc", /* a leak is looked for in every thread */
#endif
	"/etc", "/usr", "/lib", "/lib64", "/run", "/var/lib/ca-certificates", "/nix/store",
	"/gnu/store", "/dev/urandom", "/dev/null", NULL
};

/* What a walker may not do, whatever a hostile tree or parser makes of it. */
static const struct role_call walker_calls[] = {
	CALL(socket, CALL_REFUSED, "no network"),
	CALL(connect, CALL_REFUSED, "no network"),
	CALL(bind, CALL_REFUSED, "no network"),
	CALL(listen, CALL_REFUSED, "no network"),
	CALL(execve, CALL_REFUSED, "starts no program"),
	CALL(execveat, CALL_REFUSED, "starts no program"),
	CALL(ptrace, CALL_REFUSED, "looks into no process"),
	CALL(process_vm_readv, CALL_REFUSED, "looks into no process"),
	CALL(process_vm_writev, CALL_REFUSED, "changes no process"),
	CALL(mount, CALL_REFUSED, "changes no mounts"),
	CALL(umount2, CALL_REFUSED, "changes no mounts"),
	CALL(pivot_root, CALL_REFUSED, "changes no mounts"),
	CALL(chroot, CALL_REFUSED, "stays below its root"),
	CALL(setns, CALL_REFUSED, "enters no namespace"),
	CALL(unshare, CALL_REFUSED, "makes no namespace"),
	CALL(bpf, CALL_REFUSED, "loads no program into the kernel"),
	CALL(init_module, CALL_REFUSED, "loads nothing into the kernel"),
	CALL(finit_module, CALL_REFUSED, "loads nothing into the kernel"),
	CALL(kexec_load, CALL_REFUSED, "loads nothing into the kernel"),
	CALL(keyctl, CALL_REFUSED, "no keys"),
	CALL(add_key, CALL_REFUSED, "no keys"),
	CALL(request_key, CALL_REFUSED, "no keys"),
	CALL(open_by_handle_at, CALL_REFUSED, "opens files by name alone"),
	CALL(perf_event_open, CALL_REFUSED, "looks into no process"),
	CALL(userfaultfd, CALL_REFUSED, "handles no faults"),
	CALL(io_uring_setup, CALL_REFUSED, "no calls past this filter"),
	CALL(unlink, CALL_REFUSED, "changes no files"),
	CALL(unlinkat, CALL_REFUSED, "changes no files"),
	CALL(rename, CALL_REFUSED, "changes no files"),
	CALL(renameat, CALL_REFUSED, "changes no files"),
	CALL(renameat2, CALL_REFUSED, "changes no files"),
	CALL(link, CALL_REFUSED, "changes no files"),
	CALL(linkat, CALL_REFUSED, "changes no files"),
	CALL(symlink, CALL_REFUSED, "changes no files"),
	CALL(symlinkat, CALL_REFUSED, "changes no files"),
	CALL(mkdir, CALL_REFUSED, "changes no files"),
	CALL(mkdirat, CALL_REFUSED, "changes no files"),
	CALL(mknod, CALL_REFUSED, "changes no files"),
	CALL(mknodat, CALL_REFUSED, "changes no files"),
	CALL(chmod, CALL_REFUSED, "changes no files"),
	CALL(fchmod, CALL_REFUSED, "changes no files"),
	CALL(fchmodat, CALL_REFUSED, "changes no files"),
	CALL(chown, CALL_REFUSED, "changes no files"),
	CALL(fchown, CALL_REFUSED, "changes no files"),
	CALL(fchownat, CALL_REFUSED, "changes no files"),
	CALL(lchown, CALL_REFUSED, "changes no files"),
	CALL(truncate, CALL_REFUSED, "changes no files"),
	CALL(setxattr, CALL_REFUSED, "changes no files"),
	CALL(utimensat, CALL_REFUSED, "changes no files"),
	CALL(reboot, CALL_REFUSED, "leaves the machine on"),
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
	{
	        .role = ROLE_WALKER,
	        .name = "walker",
	        .does = "finds files, opens them for parsers, gathers what they say; of the agent",
	        .user = "nobody when started by root, with CAP_DAC_READ_SEARCH alone; else the "
	                "user's own",
	        .files =
	                "reads below the root of the scan and /proc; writes only memory that it is "
	                "given",
	        .network = "none; sockets to the parsers that it starts",
	        .memory_bytes = UINT64_C(8) << 30,
	        .n_descriptors = 4096,
	        .has_threads = true,
	        .may_read_all = true,
	        .other = OTHER_PASSES,
	        .calls = walker_calls,
	        .n_calls = sizeof(walker_calls) / sizeof(walker_calls[0]),
	},
	{
	        .role = ROLE_NET,
	        .name = "sonde-net",
	        .does = "speaks HTTP and TLS to servers, signs; parses nothing that it gets",
	        .user = "nobody when started by root, without groups and capabilities; else the "
	                "user's own",
	        .files = "reads those of the system's certificates, libraries and resolver; writes "
	                 "only the body of a fetch, into a descriptor that it is given",
	        .network = "out, over IP; one socket to the process that started it",
	        .memory_bytes = UINT64_C(1) << 30,
	        .n_descriptors = 64,
	        .has_threads = true,
	        .has_network = true,
	        .other = OTHER_FAILS,
	        .readable = net_readable,
	        .calls = net_calls,
	        .n_calls = sizeof(net_calls) / sizeof(net_calls[0]),
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
	case CALL_READ_ONLY: return "for reading only";
	case CALL_NO_WX: return "not writable and executable";
	case CALL_INTERNET: return "IPv4, IPv6, routes";
	case CALL_THREAD: return "a thread only";
	case CALL_ABSENT: return "fails with ENOSYS";
	case CALL_READABLE: return "bytes to read, blocking";
	case CALL_ASK_LIMIT: return "asking only";
	case CALL_REFUSED: return "refused";
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

static int limit_all(const struct role_row *row, const struct sandbox_grant *grant, struct err *err)
{
	rlim_t file_bytes = grant ? (rlim_t)grant->file_bytes : 0;
	/* A message to a standard error that is a file is lost, but does not kill. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return err_set(err, -errno, "cannot ignore a signal: %m");
	int r = limit_to(RLIMIT_CORE, "core dumps", 0, err);
	if (r >= 0)
		r = limit_to(RLIMIT_FSIZE, "files", file_bytes, err);
	if (r >= 0)
		r = limit_to(RLIMIT_NOFILE, "descriptors", row->n_descriptors, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED && !row->has_threads)
		r = limit_to(RLIMIT_NPROC, "processes", 0, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = limit_to(RLIMIT_AS, "memory", (rlim_t)row->memory_bytes, err);
	return r;
}

int sandbox_drop(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %m");
	return identity_drop(err);
}

int sandbox_enter_with(enum role role, const struct sandbox_grant *grant, struct err *err)
{
	const struct role_row *row = sandbox_role(role);
	int r = row->may_read_all ? identity_keep_reading(err) : identity_drop(err);
	if (r < 0)
		return r;
	/* After the change of user, which would undo the first two. A sanitizer's leak check traces
	 * itself. */
	if (prctl(PR_SET_DUMPABLE, SANDBOX_IS_SANITIZED, 0, 0, 0) < 0 ||
	        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %m");
	r = limit_all(row, grant, err);
	if (r >= 0)
		r = landlock_enter(row, grant, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = seccomp_enter(row, err);
	return r;
}

int sandbox_enter(enum role role, struct err *err)
{
	return sandbox_enter_with(role, NULL, err);
}
