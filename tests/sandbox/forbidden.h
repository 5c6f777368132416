/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What a process in a sandbox is tried with: descriptors that it has, and calls that it should not
 * be able to make. A call returns 1 when it worked.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/sandbox.h"

/* What a test's child finds in place: opened before it entered. */
struct given {
	int file;      /* read-only, 4096 bytes of 'x' */
	int writable;  /* a file */
	int socket;    /* one half of a pair */
	int directory; /* a folder */
};

static inline void open_given(struct given *given, int *ret_peer)
{
	static const char block[4096] = "x";
	int pair[2];
	given->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	given->writable = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (given->writable < 0)
		given->writable = memfd_create("writable", MFD_CLOEXEC);
	given->directory = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(given->file >= 0 && given->writable >= 0 && given->directory >= 0);
	assert_int_equal(write(given->writable, block, sizeof(block)), sizeof(block));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	given->socket = pair[0];
	*ret_peer = pair[1];
}

static inline void close_given(const struct given *given, int peer)
{
	(void)close(given->file);
	(void)close(given->writable);
	(void)close(given->directory);
	(void)close(given->socket);
	(void)close(peer);
}

static inline int call_open(const struct given *given)
{
	(void)given;
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static inline int call_open_memory(const struct given *given)
{
	(void)given;
	return open("/proc/self/mem", O_RDWR) >= 0;
}

static inline int call_old_open(const struct given *given)
{
	(void)given;
#ifdef SYS_open
	return syscall(SYS_open, "/etc/passwd", O_RDONLY) >= 0;
#else
	return call_open(given);
#endif
}

static inline int call_openat2(const struct given *given)
{
	uint64_t how[3] = { O_RDONLY, 0, 0 };
	return syscall(SYS_openat2, given->directory, ".", how, sizeof(how)) >= 0;
}

static inline int call_openat(const struct given *given)
{
	return openat(given->directory, ".", O_RDONLY) >= 0;
}

static inline int call_stat(const struct given *given)
{
	struct stat st;
	(void)given;
	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0) >= 0;
}

static inline int call_list(const struct given *given)
{
	char bytes[4096];
	return syscall(SYS_getdents64, given->directory, bytes, sizeof(bytes)) >= 0;
}

static inline int call_unlink(const struct given *given)
{
	(void)given;
	return unlink("/tmp/there-is-no-such-file") >= 0;
}

static inline int call_rename(const struct given *given)
{
	return renameat(given->directory, "a", given->directory, "b") >= 0;
}

static inline int call_mkdir(const struct given *given)
{
	return mkdirat(given->directory, "sandbox-was-left", 0700) >= 0;
}

static inline int call_chmod(const struct given *given)
{
	return fchmod(given->file, 0777) >= 0;
}

static inline int call_truncate(const struct given *given)
{
	return ftruncate(given->writable, 0) >= 0;
}

static inline int call_socket(const struct given *given)
{
	(void)given;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static inline int call_connect(const struct given *given)
{
	struct sockaddr address = { .sa_family = AF_UNIX, .sa_data = "x" };
	return connect(given->socket, &address, sizeof(address)) >= 0;
}

static inline int call_exec(const struct given *given)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	(void)given;
	return execve("/bin/true", argv, argv + 1) >= 0;
}

static inline int call_exec_descriptor(const struct given *given)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	return (int)syscall(SYS_execveat, given->file, "", argv, argv + 1, AT_EMPTY_PATH) >= 0;
}

static inline int call_fork(const struct given *given)
{
	(void)given;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid >= 0;
}

static inline int call_clone3(const struct given *given)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD, 0, 0, 0 };
	(void)given;
	long pid = syscall(SYS_clone3, args, sizeof(args));
	if (pid == 0)
		_exit(0);
	return pid >= 0;
}

static inline int call_ptrace(const struct given *given)
{
	(void)given;
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) >= 0;
}

static inline int call_read_other(const struct given *given)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)&call_ptrace, 1 };
	(void)given;
	return syscall(SYS_process_vm_readv, 1, &here, 1UL, &there, 1UL, 0UL) >= 0;
}

static inline int call_kill(const struct given *given)
{
	(void)given;
	return kill(-1, 0) >= 0;
}

static inline int call_tgkill(const struct given *given)
{
	(void)given;
	return syscall(SYS_tgkill, 1, 1, 0) >= 0;
}

static inline int call_ioctl(const struct given *given)
{
	int n;
	return (int)syscall(SYS_ioctl, given->socket, 0x541b, &n) >= 0;
}

static inline int call_mmap_exec(const struct given *given)
{
	(void)given;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	               0) != MAP_FAILED;
}

static inline int call_mprotect_exec(const struct given *given)
{
	(void)given;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static inline int call_namespace(const struct given *given)
{
	(void)given;
	return unshare(CLONE_NEWUSER) == 0;
}

/* All capabilities that there are. */
static inline int call_capset(const struct given *given)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
		.pid = 0 };
	const struct __user_cap_data_struct all[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = ~0u, .permitted = ~0u, .inheritable = ~0u },
		{ .effective = 0x1ff, .permitted = 0x1ff, .inheritable = 0x1ff }
	};
	(void)given;
	return syscall(SYS_capset, &header, all) >= 0;
}

static inline int call_setuid(const struct given *given)
{
	(void)given;
	return syscall(SYS_setresuid, 0, 0, 0) >= 0;
}

static inline int call_limit(const struct given *given)
{
	struct rlimit limit = { 0, 0 };
	(void)given;
	return (int)syscall(SYS_prlimit64, 0, RLIMIT_CPU, &limit, NULL) == 0;
}

static inline int call_prctl(const struct given *given)
{
	(void)given;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static inline int call_bpf(const struct given *given)
{
	(void)given;
	return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}

static inline int call_keyctl(const struct given *given)
{
	(void)given;
	return syscall(SYS_keyctl, 0, 0, 0) >= 0;
}

static inline int call_fcntl_owner(const struct given *given)
{
	return fcntl(given->socket, F_SETOWN, 1) >= 0;
}

static inline int call_uring(const struct given *given)
{
	char params[128] = { 0 };
	(void)given;
	return syscall(SYS_io_uring_setup, 1, params) >= 0;
}

static inline int call_splice(const struct given *given)
{
	return syscall(SYS_sendfile, given->writable, given->file, NULL, 16UL) >= 0;
}

/* One call and its name. */
struct attempt {
	const char *name;
	int (*act)(const struct given *);
};

/* What no role may do that only thinks about descriptors. */
static const struct attempt beyond_thinking[] = {
	{ "open", call_old_open },
	{ "open through the C library", call_open },
	{ "open of its own memory", call_open_memory },
	{ "openat in a folder it has", call_openat },
	{ "openat2", call_openat2 },
	{ "stat of a path", call_stat },
	{ "getdents64", call_list },
	{ "unlink", call_unlink },
	{ "rename", call_rename },
	{ "mkdir", call_mkdir },
	{ "fchmod", call_chmod },
	{ "ftruncate", call_truncate },
	{ "socket", call_socket },
	{ "connect", call_connect },
	{ "execve", call_exec },
	{ "execveat", call_exec_descriptor },
	{ "fork", call_fork },
	{ "clone3", call_clone3 },
	{ "ptrace", call_ptrace },
	{ "process_vm_readv", call_read_other },
	{ "kill", call_kill },
	{ "tgkill of another", call_tgkill },
	{ "ioctl", call_ioctl },
	{ "mmap of executable memory", call_mmap_exec },
	{ "mprotect to executable memory", call_mprotect_exec },
	{ "unshare", call_namespace },
	{ "capset", call_capset },
	{ "setresuid", call_setuid },
	{ "prlimit64", call_limit },
	{ "prctl", call_prctl },
	{ "bpf", call_bpf },
	{ "keyctl", call_keyctl },
	{ "fcntl F_SETOWN", call_fcntl_owner },
	{ "io_uring_setup", call_uring },
	{ "sendfile", call_splice },
};

/* Enter a role in a child and do something. Returns: the child's wait status */
static inline int in_role_with(enum role role, const struct sandbox_grant *grant,
        int (*act)(const struct given *), const struct given *given)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = { 0 };
		int r = grant ? sandbox_enter_with(role, grant, &err) : sandbox_enter(role, &err);
		_exit(r < 0 ? 99 : act(given));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline int in_role(
        enum role role, int (*act)(const struct given *), const struct given *given)
{
	return in_role_with(role, NULL, act, given);
}

/* Every attempt must end as this role's filter ends it: in death, or in an error. */
static inline void demand_refused(
        enum role role, const struct sandbox_grant *grant, const struct attempt *attempts, size_t n)
{
	struct given given;
	int peer;
	if (!sandbox_has_filter()) {
		print_message("skipped: a build without a sanitizer\n");
		skip();
	}
	bool kills = sandbox_role(role)->other == OTHER_KILLS;
	open_given(&given, &peer);
	for (size_t i = 0; i < n; i++) {
		int status = in_role_with(role, grant, attempts[i].act, &given);
		if (kills ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS : status != 0)
			fail_msg("%s, %s: wait status %x", sandbox_role(role)->name,
			        attempts[i].name, (unsigned)status);
	}
	close_given(&given, peer);
}
