/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one list of what each process may do. docs/privileges.md has it as tables, printed by
 * page.c.
 */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <linux/capability.h>
#include <seccomp.h>

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

#if SANDBOX_IS_SANITIZED
static const char *const verifier_readable[] = { "/proc", NULL }; /* for the same */
#endif

/*
 * What no process of ours has any business with. In the rows of those that start others, which
 * lists of allowed calls could not name: what they start inherits it.
 */
#define REFUSES_KERNEL                                                                             \
	CALL(listen, CALL_REFUSED, "takes no connections"),                                        \
	        CALL(ptrace, CALL_REFUSED, "looks into no process"),                               \
	        CALL(process_vm_readv, CALL_REFUSED, "looks into no process"),                     \
	        CALL(process_vm_writev, CALL_REFUSED, "changes no process"),                       \
	        CALL(kcmp, CALL_REFUSED, "looks into no process"),                                 \
	        CALL(perf_event_open, CALL_REFUSED, "looks into no process"),                      \
	        CALL(mount, CALL_REFUSED, "changes no mounts"),                                    \
	        CALL(umount2, CALL_REFUSED, "changes no mounts"),                                  \
	        CALL(pivot_root, CALL_REFUSED, "changes no mounts"),                               \
	        CALL(open_tree, CALL_REFUSED, "changes no mounts"),                                \
	        CALL(move_mount, CALL_REFUSED, "changes no mounts"),                               \
	        CALL(fsopen, CALL_REFUSED, "changes no mounts"),                                   \
	        CALL(fsmount, CALL_REFUSED, "changes no mounts"),                                  \
	        CALL(fsconfig, CALL_REFUSED, "changes no mounts"),                                 \
	        CALL(fspick, CALL_REFUSED, "changes no mounts"),                                   \
	        CALL(mount_setattr, CALL_REFUSED, "changes no mounts"),                            \
	        CALL(chroot, CALL_REFUSED, "stays below its root"),                                \
	        CALL(setns, CALL_REFUSED, "enters no namespace"),                                  \
	        CALL(unshare, CALL_REFUSED, "makes no namespace"),                                 \
	        CALL(bpf, CALL_REFUSED, "loads no program into the kernel"),                       \
	        CALL(init_module, CALL_REFUSED, "loads nothing into the kernel"),                  \
	        CALL(finit_module, CALL_REFUSED, "loads nothing into the kernel"),                 \
	        CALL(delete_module, CALL_REFUSED, "unloads nothing from the kernel"),              \
	        CALL(kexec_load, CALL_REFUSED, "loads nothing into the kernel"),                   \
	        CALL(kexec_file_load, CALL_REFUSED, "loads nothing into the kernel"),              \
	        CALL(iopl, CALL_REFUSED, "reaches no device by its ports"),                        \
	        CALL(ioperm, CALL_REFUSED, "reaches no device by its ports"),                      \
	        CALL(keyctl, CALL_REFUSED, "no keys"), CALL(add_key, CALL_REFUSED, "no keys"),     \
	        CALL(request_key, CALL_REFUSED, "no keys"),                                        \
	        CALL(open_by_handle_at, CALL_REFUSED, "opens files by name alone"),                \
	        CALL(userfaultfd, CALL_REFUSED, "handles no faults"),                              \
	        CALL(io_uring_setup, CALL_REFUSED, "no calls past this filter"),                   \
	        CALL(clock_settime, CALL_REFUSED, "sets no clock"),                                \
	        CALL(settimeofday, CALL_REFUSED, "sets no clock"),                                 \
	        CALL(adjtimex, CALL_REFUSED, "sets no clock"),                                     \
	        CALL(clock_adjtime, CALL_REFUSED, "sets no clock"),                                \
	        CALL(sethostname, CALL_REFUSED, "names no host"),                                  \
	        CALL(setdomainname, CALL_REFUSED, "names no host"),                                \
	        CALL(swapon, CALL_REFUSED, "changes no swap space"),                               \
	        CALL(swapoff, CALL_REFUSED, "changes no swap space"),                              \
	        CALL(quotactl, CALL_REFUSED, "changes no quotas"),                                 \
	        CALL(acct, CALL_REFUSED, "no accounts of processes"),                              \
	        CALL(syslog, CALL_REFUSED, "neither reads nor clears the kernel's log"),           \
	        CALL(reboot, CALL_REFUSED, "leaves the machine on")

/* Descriptors that are open for writing can still be written to. */
#define REFUSES_CHANGES                                                                            \
	CALL(unlink, CALL_REFUSED, "changes no files"),                                            \
	        CALL(unlinkat, CALL_REFUSED, "changes no files"),                                  \
	        CALL(rename, CALL_REFUSED, "changes no files"),                                    \
	        CALL(renameat, CALL_REFUSED, "changes no files"),                                  \
	        CALL(renameat2, CALL_REFUSED, "changes no files"),                                 \
	        CALL(link, CALL_REFUSED, "changes no files"),                                      \
	        CALL(linkat, CALL_REFUSED, "changes no files"),                                    \
	        CALL(symlink, CALL_REFUSED, "changes no files"),                                   \
	        CALL(symlinkat, CALL_REFUSED, "changes no files"),                                 \
	        CALL(mkdir, CALL_REFUSED, "changes no files"),                                     \
	        CALL(mkdirat, CALL_REFUSED, "changes no files"),                                   \
	        CALL(mknod, CALL_REFUSED, "changes no files"),                                     \
	        CALL(mknodat, CALL_REFUSED, "changes no files"),                                   \
	        CALL(chmod, CALL_REFUSED, "changes no files"),                                     \
	        CALL(fchmod, CALL_REFUSED, "changes no files"),                                    \
	        CALL(fchmodat, CALL_REFUSED, "changes no files"),                                  \
	        CALL(chown, CALL_REFUSED, "changes no files"),                                     \
	        CALL(fchown, CALL_REFUSED, "changes no files"),                                    \
	        CALL(fchownat, CALL_REFUSED, "changes no files"),                                  \
	        CALL(lchown, CALL_REFUSED, "changes no files"),                                    \
	        CALL(truncate, CALL_REFUSED, "changes no files"),                                  \
	        CALL(setxattr, CALL_REFUSED, "changes no files"),                                  \
	        CALL(utimensat, CALL_REFUSED, "changes no files")

/* What a walker may not do, whatever a hostile tree or parser makes of it. */
static const struct role_call walker_calls[] = {
	CALL(socket, CALL_REFUSED, "no network"),
	CALL(connect, CALL_REFUSED, "no network"),
	CALL(bind, CALL_REFUSED, "no network"),
	CALL(execve, CALL_REFUSED, "starts no program"),
	CALL(execveat, CALL_REFUSED, "starts no program"),
	REFUSES_KERNEL,
	REFUSES_CHANGES,
};

/* More than its own processes are held to this: the scripts of the documents that came with it, and
 * the plugin. */
static const struct role_call supervisor_calls[] = { REFUSES_KERNEL };

/* And its sonde-net, whose own filter is stricter still. */
static const struct role_call poller_calls[] = { REFUSES_KERNEL, REFUSES_CHANGES };

/*
 * A process that has what it is to look at in its memory, or reads it from its only descriptor, and
 * says what it found on that.
 */
static const struct role_call quiet_calls[] = {
	CALL(read, CALL_ANY, "what it is asked"),
	CALL(write, CALL_ANY, "its answer"),
	CALL(brk, CALL_ANY, "memory"),
	CALL(mmap, CALL_NO_EXEC, "memory"),
	CALL(munmap, CALL_ANY, "memory"),
	CALL(mremap, CALL_ANY, "memory"),
	CALL(mprotect, CALL_NO_EXEC, "memory"),
	CALL(madvise, CALL_ANY, "memory"),
	CALL(sysinfo, CALL_ANY, "the C library's qsort asks how much memory there is"),
	CALL(futex, CALL_ANY, "the C library's locks"),
	CALL(getrandom, CALL_ANY, "seeds of hash tables"),
	CALL(getpid, CALL_ANY, "OpenSSL looks whether it was forked; abort"),
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

#define CAN(capability) (UINT64_C(1) << (capability))
#define AS_NOBODY                                                                                  \
	"nobody when started by root, without groups and capabilities; else the user's own"

static const struct role_row roles[] = {
	{
	        .role = ROLE_SUPERVISOR,
	        .name = "supervisor",
	        .does = "starts, stops and hears the other processes of the agent; its jobs run "
	                "the documents that it trusts, their scripts too",
	        .user = "who started it: root, with the capabilities below and no others, for "
	                "itself and whatever it starts",
	        .files = "writes its state folder, and below /opt/aws/inspector for the plugin; "
	                 "what else that user may do, the system's service manager has to forbid",
	        .network = "none itself; a socket to each sonde-net that it starts",
	        .stays = true,
	        .starts_programs = true,
	        .has_threads = true,
	        .has_network = true,
	        .keeps = CAN(CAP_CHOWN) | CAN(CAP_DAC_OVERRIDE) | CAN(CAP_DAC_READ_SEARCH) |
	                 CAN(CAP_FOWNER) | CAN(CAP_KILL) | CAN(CAP_SETGID) | CAN(CAP_SETUID) |
	                 CAN(CAP_SETPCAP),
	        .other = OTHER_PASSES,
	        .calls = supervisor_calls,
	        .n_calls = sizeof(supervisor_calls) / sizeof(supervisor_calls[0]),
	},
	{
	        .role = ROLE_POLLER,
	        .name = "poller",
	        .does = "waits for messages of the server, and hands them on; of the agent",
	        .user = AS_NOBODY,
	        .files = "what everybody may read; changes none",
	        .network = "none itself; a socket to the sonde-net that it starts",
	        .starts_programs = true,
	        .has_threads = true,
	        .has_network = true,
	        .other = OTHER_PASSES,
	        .calls = poller_calls,
	        .n_calls = sizeof(poller_calls) / sizeof(poller_calls[0]),
	},
	{
	        .role = ROLE_PARSER,
	        .name = "parser",
	        .does = "reads what a scan has found, with all the formats",
	        .user = AS_NOBODY,
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
	        .keeps = CAN(CAP_DAC_READ_SEARCH),
	        .other = OTHER_PASSES,
	        .calls = walker_calls,
	        .n_calls = sizeof(walker_calls) / sizeof(walker_calls[0]),
	},
	{
	        .role = ROLE_NET,
	        .name = "sonde-net",
	        .does = "speaks HTTP and TLS to servers, signs; parses nothing that it gets",
	        .user = AS_NOBODY,
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
	{
	        .role = ROLE_READER,
	        .name = "reader",
	        .does = "reads one text that a server sent, and ends",
	        .user = AS_NOBODY,
	        .files = "none; one pipe for its answer",
	        .network = "none",
	        .memory_bytes = UINT64_C(4) << 30,
	        .n_descriptors = 64,
	        .calls = quiet_calls,
	        .n_calls = sizeof(quiet_calls) / sizeof(quiet_calls[0]),
	},
	{
	        .role = ROLE_VERIFIER,
	        .name = "verifier",
	        .does = "says whether a package's manifest was signed by a key, and ends: "
	                "sonde-net, started for that alone",
	        .user = AS_NOBODY,
	        .files = "none",
	        .network = "none; one socket to the process that started it",
	        .memory_bytes = UINT64_C(1) << 30,
	        .n_descriptors = 64,
#if SANDBOX_IS_SANITIZED
	        .readable = verifier_readable,
#endif
	        .calls = quiet_calls,
	        .n_calls = sizeof(quiet_calls) / sizeof(quiet_calls[0]),
	},
};

const struct role_row *sandbox_role(enum role role)
{
	size_t i = (size_t)role;
	_Static_assert(sizeof(roles) / sizeof(roles[0]) == ROLE_COUNT, "a row for each role");
	assert(i < ROLE_COUNT && roles[i].role == role);
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
