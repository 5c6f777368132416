/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
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

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/sandbox.h"

/* What a test's child finds in place: opened before it entered. */
struct given {
	int file;      /* read-only, 4096 bytes of 'x' */
	int writable;  /* a file */
	int socket;    /* one half of a pair */
	int directory; /* a folder */
};

/* Enter the role in a child and do something. Returns: the child's wait status */
static int in_sandbox(int (*act)(const struct given *), const struct given *given)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = { 0 };
		if (sandbox_enter(ROLE_PARSER, &err) < 0)
			_exit(99);
		_exit(act(given));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void open_given(struct given *given, int *ret_peer)
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

static void close_given(const struct given *given, int peer)
{
	(void)close(given->file);
	(void)close(given->writable);
	(void)close(given->directory);
	(void)close(given->socket);
	(void)close(peer);
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int do_what_a_parser_does(const struct given *given)
{
	char bytes[64];
	struct stat st;
	if (pread(given->file, bytes, sizeof(bytes), 0) != sizeof(bytes) ||
	        fstat(given->file, &st) < 0)
		return 1;
	if (lseek(given->file, 8, SEEK_SET) != 8 || read(given->file, bytes, 4) != 4)
		return 2;
	const size_t n = (size_t)100 << 20;
	char *memory = malloc(n);
	if (!memory)
		return 3;
	memset(memory, 1, n);
	int *numbers = (int *)(void *)memory;
	for (int i = 0; i < 1000000; i++)
		numbers[i] = (int)((unsigned)i * 2654435761u);
	qsort(numbers, 1000000, sizeof(int), compare_ints);
	char *grown = realloc(memory, n + n / 2);
	if (!grown)
		return 4;
	free(grown);
	struct iovec part = { bytes, 4 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct pollfd pollfd = { given->socket, POLLOUT, 0 };
	if (poll(&pollfd, 1, 1000) != 1 || sendmsg(given->socket, &message, MSG_NOSIGNAL) != 4)
		return 5;
	return fcntl(given->socket, F_GETFL) < 0 ? 6 : 0;
}

static void test_roles__what_a_parser_does_works(void **state)
{
	struct given given;
	int peer;
	char bytes[8];
	(void)state;
	open_given(&given, &peer);
	assert_int_equal(in_sandbox(do_what_a_parser_does, &given), 0);
	assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), 4);
	close_given(&given, peer);
}

static int receive_and_read(const struct given *given)
{
	char byte, room[CMSG_SPACE(sizeof(int))], bytes[16];
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room) };
	if (recvmsg(given->socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return 1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd;
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return 2;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return read(fd, bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : 3;
}

static void test_roles__a_descriptor_that_is_sent_can_be_read(void **state)
{
	struct given given;
	int peer;
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room) };
	(void)state;
	open_given(&given, &peer);
	struct cmsghdr *header = (struct cmsghdr *)(void *)room;
	*header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
	};
	memcpy(room + CMSG_LEN(0), &given.file, sizeof(int));
	assert_int_equal(sendmsg(peer, &message, 0), 1);
	assert_int_equal(in_sandbox(receive_and_read, &given), 0);
	close_given(&given, peer);
}

static int call_open(const struct given *given)
{
	(void)given;
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static int call_open_memory(const struct given *given)
{
	(void)given;
	return open("/proc/self/mem", O_RDWR) >= 0;
}

static int call_old_open(const struct given *given)
{
	(void)given;
#ifdef SYS_open
	return syscall(SYS_open, "/etc/passwd", O_RDONLY) >= 0;
#else
	return call_open(given);
#endif
}

static int call_openat2(const struct given *given)
{
	uint64_t how[3] = { O_RDONLY, 0, 0 };
	return syscall(SYS_openat2, given->directory, ".", how, sizeof(how)) >= 0;
}

static int call_openat(const struct given *given)
{
	return openat(given->directory, ".", O_RDONLY) >= 0;
}

static int call_stat(const struct given *given)
{
	struct stat st;
	(void)given;
	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0) >= 0;
}

static int call_list(const struct given *given)
{
	char bytes[4096];
	return syscall(SYS_getdents64, given->directory, bytes, sizeof(bytes)) >= 0;
}

static int call_unlink(const struct given *given)
{
	(void)given;
	return unlink("/tmp/there-is-no-such-file") >= 0;
}

static int call_rename(const struct given *given)
{
	return renameat(given->directory, "a", given->directory, "b") >= 0;
}

static int call_mkdir(const struct given *given)
{
	return mkdirat(given->directory, "sandbox-was-left", 0700) >= 0;
}

static int call_chmod(const struct given *given)
{
	return fchmod(given->file, 0777) >= 0;
}

static int call_truncate(const struct given *given)
{
	return ftruncate(given->writable, 0) >= 0;
}

static int call_socket(const struct given *given)
{
	(void)given;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static int call_connect(const struct given *given)
{
	struct sockaddr address = { .sa_family = AF_UNIX, .sa_data = "x" };
	return connect(given->socket, &address, sizeof(address)) >= 0;
}

static int call_exec(const struct given *given)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	(void)given;
	return execve("/bin/true", argv, argv + 1) >= 0;
}

static int call_exec_descriptor(const struct given *given)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	return (int)syscall(SYS_execveat, given->file, "", argv, argv + 1, AT_EMPTY_PATH) >= 0;
}

static int call_fork(const struct given *given)
{
	(void)given;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid >= 0;
}

static int call_clone3(const struct given *given)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD, 0, 0, 0 };
	(void)given;
	long pid = syscall(SYS_clone3, args, sizeof(args));
	if (pid == 0)
		_exit(0);
	return pid >= 0;
}

static int call_ptrace(const struct given *given)
{
	(void)given;
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) >= 0;
}

static int call_read_other(const struct given *given)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)&call_ptrace, 1 };
	(void)given;
	return syscall(SYS_process_vm_readv, 1, &here, 1UL, &there, 1UL, 0UL) >= 0;
}

static int call_kill(const struct given *given)
{
	(void)given;
	return kill(-1, 0) >= 0;
}

static int call_tgkill(const struct given *given)
{
	(void)given;
	return syscall(SYS_tgkill, 1, 1, 0) >= 0;
}

static int call_ioctl(const struct given *given)
{
	int n;
	return (int)syscall(SYS_ioctl, given->socket, 0x541b, &n) >= 0;
}

static int call_mmap_exec(const struct given *given)
{
	(void)given;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	               0) != MAP_FAILED;
}

static int call_mprotect_exec(const struct given *given)
{
	(void)given;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static int call_namespace(const struct given *given)
{
	(void)given;
	return unshare(CLONE_NEWUSER) == 0;
}

static int call_limit(const struct given *given)
{
	struct rlimit limit = { 0, 0 };
	(void)given;
	return (int)syscall(SYS_prlimit64, 0, RLIMIT_CPU, &limit, NULL) == 0;
}

static int call_prctl(const struct given *given)
{
	(void)given;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static int call_bpf(const struct given *given)
{
	(void)given;
	return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}

static int call_keyctl(const struct given *given)
{
	(void)given;
	return syscall(SYS_keyctl, 0, 0, 0) >= 0;
}

static int call_fcntl_owner(const struct given *given)
{
	return fcntl(given->socket, F_SETOWN, 1) >= 0;
}

static int call_uring(const struct given *given)
{
	char params[128] = { 0 };
	(void)given;
	return syscall(SYS_io_uring_setup, 1, params) >= 0;
}

static int call_splice(const struct given *given)
{
	return syscall(SYS_sendfile, given->writable, given->file, NULL, 16UL) >= 0;
}

static const struct {
	const char *name;
	int (*act)(const struct given *);
} forbidden[] = {
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
	{ "prlimit64", call_limit },
	{ "prctl", call_prctl },
	{ "bpf", call_bpf },
	{ "keyctl", call_keyctl },
	{ "fcntl F_SETOWN", call_fcntl_owner },
	{ "io_uring_setup", call_uring },
	{ "sendfile", call_splice },
};

static void test_roles__any_other_call_kills(void **state)
{
	struct given given;
	int peer;
	(void)state;
	if (!sandbox_has_filter()) {
		print_message("skipped: a build without a sanitizer\n");
		skip();
	}
	open_given(&given, &peer);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int status = in_sandbox(forbidden[i].act, &given);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: wait status %x", forbidden[i].name, (unsigned)status);
	}
	close_given(&given, peer);
}

static int write_to_a_file(const struct given *given)
{
	return write(given->writable, "y", 1) >= 0 || errno != EFBIG;
}

static void test_roles__no_byte_is_written_to_a_file(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	assert_int_equal(in_sandbox(write_to_a_file, &given), 0);
	close_given(&given, peer);
}

/* A child that has entered and waits. Returns: its end of a socket; it goes when something is sent,
 * or when that closes */
static int start_waiting(pid_t *ret_pid)
{
	int pair[2];
	char byte = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		bool is_in = sandbox_enter(ROLE_PARSER, NULL) == 0;
		if (write(pair[1], is_in ? "y" : "n", 1) == 1 && read(pair[1], &byte, 1) >= 0)
			_exit(0);
		_exit(1);
	}
	assert_true(pid > 0);
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	*ret_pid = pid;
	return pair[0];
}

/* Each line is in what the kernel tells of a process. */
static void assert_told(pid_t pid, const char *file, const char *const *lines, size_t n)
{
	char path[64];
	autobuf text = BUF(1u << 20);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	assert_int_equal(fs_read(AT_FDCWD, path, &text, NULL), 0);
	buf_add_byte(&text, '\0');
	for (size_t i = 0; i < n; i++) {
		if (!strstr(text.p, lines[i]))
			fail_msg("no line %s in %s", lines[i], text.p);
	}
}

static void stop_waiting(pid_t pid, int fd)
{
	int status;
	(void)close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_roles__the_kernel_tells_of_no_user_group_or_capability(void **state)
{
	static const char *const lines[] = { "Uid:\t65534\t65534\t65534\t65534\n",
		"Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n", "CapInh:\t0000000000000000\n",
		"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n" };
	pid_t pid;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: root\n");
		skip();
	}
	int fd = start_waiting(&pid);
	assert_told(pid, "status", lines, sizeof(lines) / sizeof(lines[0]));
	stop_waiting(pid, fd);
}

static void test_roles__the_kernel_tells_of_the_limits(void **state)
{
	static const char *const status[] = { "NoNewPrivs:\t1\n", "Seccomp:\t2\n" };
	static const char *const limits[] = {
		"Max core file size        0                    0 ",
		"Max file size             0                    0 ",
		"Max open files            64                   64 ",
		"Max processes             0                    0 ",
		"Max address space         4294967296           4294967296 ",
	};
	pid_t pid;
	(void)state;
	int fd = start_waiting(&pid);
	assert_told(pid, "status", status, sandbox_has_filter() ? 2 : 1);
	if (geteuid() == 0) /* the account of a process that cannot be traced is root's */
		assert_told(pid, "limits", limits, sandbox_has_filter() ? 5 : 3);
	stop_waiting(pid, fd);
}

static void test_roles__it_dies_with_who_made_it(void **state)
{
	int pair[2], status;
	char byte = 0;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid_t maker = fork();
	if (maker == 0) {
		(void)close(pair[0]);
		if (fork() == 0) {
			bool is_in = sandbox_enter(ROLE_PARSER, NULL) == 0;
			if (write(pair[1], is_in ? "y" : "n", 1) == 1)
				(void)!poll(NULL, 0, -1);
			_exit(0);
		}
		(void)!read(pair[1], &byte, 1);
		_exit(0);
	}
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(waitpid(maker, &status, 0), maker);
	struct pollfd pollfd = { pair[0], POLLIN, 0 };
	assert_int_equal(poll(&pollfd, 1, 60000), 1);
	assert_int_equal(read(pair[0], &byte, 1), 0); /* nobody holds the other end any more */
	(void)close(pair[0]);
}

static int enter_as_nobody(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 &&
		        (setgroups(0, NULL) < 0 || setgid(12345) < 0 || setuid(12345) < 0))
			_exit(98);
		uid_t before = getuid();
		_exit(sandbox_enter(ROLE_PARSER, NULL) < 0 ? 1
		        : sandbox_has_filter()             ? 0
		                                           : getuid() != before);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_roles__any_user_can_enter(void **state)
{
	(void)state;
	assert_int_equal(enter_as_nobody(), 0);
}

static int fail_by_assertion(const struct given *given)
{
	(void)given;
	abort();
}

static void test_roles__an_assertion_still_aborts(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	int status = in_sandbox(fail_by_assertion, &given);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	close_given(&given, peer);
}

static int take_too_much(const struct given *given)
{
	(void)given;
	void *p = mmap(NULL, (size_t)8 << 30, PROT_READ,
	        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p != MAP_FAILED;
}

static void test_roles__memory_has_an_end(void **state)
{
	struct given given;
	int peer;
	(void)state;
	if (!sandbox_has_filter() || sizeof(void *) < 8) {
		print_message("skipped: a build of 64 bits without a sanitizer\n");
		skip();
	}
	open_given(&given, &peer);
	assert_int_equal(in_sandbox(take_too_much, &given), 0);
	close_given(&given, peer);
}

/* The same for sonde-net, which may do more. */
static int in_net(int (*act)(const struct given *), const struct given *given)
{
	static const char *const readable[] = { "/proc/version", NULL };
	const struct sandbox_grant grant = { .file_bytes = 5000, .readable = readable };
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = { 0 };
		if (sandbox_enter_with(ROLE_NET, &grant, &err) < 0)
			_exit(99);
		_exit(act(given));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void *resolve(void *ctx)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int *r = ctx;
	*r = getaddrinfo("localhost", "443", &hints, &found);
	if (*r == 0)
		freeaddrinfo(found);
	return NULL;
}

static int do_what_sonde_net_does(const struct given *given)
{
	pthread_t thread;
	int r = -1;
	if (pthread_create(&thread, NULL, resolve, &r) != 0 || pthread_join(thread, NULL) != 0 ||
	        r != 0)
		return 1;
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) >= 0 ||
	        errno != ECONNREFUSED)
		return 2;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ||
	        open("/proc/version", O_RDONLY | O_CLOEXEC) < 0)
		return 3;
	/* a body, and no more of it than allowed */
	if (pwrite(given->writable, "abc", 3, 4997) != 3 || ftruncate(given->writable, 0) < 0)
		return 4;
	return pwrite(given->writable, "abc", 3, 5000) >= 0 || errno != EFBIG ? 5 : 0;
}

static void test_roles__what_sonde_net_does_works(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	assert_int_equal(in_net(do_what_sonde_net_does, &given), 0);
	close_given(&given, peer);
}

static int call_open_for_writing(const struct given *given)
{
	(void)given;
	return open("/dev/null", O_WRONLY) >= 0;
}

static int call_open_to_make(const struct given *given)
{
	(void)given;
	return open("/tmp/sandbox-was-left", O_RDONLY | O_CREAT, 0600) >= 0;
}

static int call_unix_socket(const struct given *given)
{
	(void)given;
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static int call_packet_socket(const struct given *given)
{
	(void)given;
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static int call_netfilter_socket(const struct given *given)
{
	(void)given;
	return socket(AF_NETLINK, SOCK_RAW, 12) >= 0;
}

static int call_listen(const struct given *given)
{
	(void)given;
	return listen(socket(AF_INET, SOCK_STREAM, 0), 1) >= 0;
}

static int call_set_limit(const struct given *given)
{
	struct rlimit limit = { 1, 1 };
	(void)given;
	return setrlimit(RLIMIT_NOFILE, &limit) >= 0;
}

static int call_clone_process(const struct given *given)
{
	(void)given;
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid >= 0;
}

static const struct {
	const char *name;
	int (*act)(const struct given *);
} forbidden_to_net[] = {
	{ "open for writing", call_open_for_writing },
	{ "open that makes a file", call_open_to_make },
	{ "open of its own memory", call_open_memory },
	{ "openat2", call_openat2 },
	{ "unlink", call_unlink },
	{ "rename", call_rename },
	{ "mkdir", call_mkdir },
	{ "fchmod", call_chmod },
	{ "a socket of the machine", call_unix_socket },
	{ "a socket of packets", call_packet_socket },
	{ "a socket to the packet filter", call_netfilter_socket },
	{ "listen", call_listen },
	{ "execve", call_exec },
	{ "execveat", call_exec_descriptor },
	{ "fork", call_fork },
	{ "clone of a process", call_clone_process },
	{ "clone3", call_clone3 },
	{ "ptrace", call_ptrace },
	{ "process_vm_readv", call_read_other },
	{ "kill", call_kill },
	{ "tgkill of another", call_tgkill },
	{ "mmap of executable memory", call_mmap_exec },
	{ "mprotect to executable memory", call_mprotect_exec },
	{ "unshare", call_namespace },
	{ "setrlimit", call_set_limit },
	{ "prctl", call_prctl },
	{ "bpf", call_bpf },
	{ "keyctl", call_keyctl },
	{ "fcntl F_SETOWN", call_fcntl_owner },
	{ "io_uring_setup", call_uring },
	{ "sendfile", call_splice },
};

static void test_roles__sonde_net_can_do_nothing_else(void **state)
{
	struct given given;
	int peer;
	(void)state;
	if (!sandbox_has_filter()) {
		print_message("skipped: a build without a sanitizer\n");
		skip();
	}
	open_given(&given, &peer);
	for (size_t i = 0; i < sizeof(forbidden_to_net) / sizeof(forbidden_to_net[0]); i++) {
		int status = in_net(forbidden_to_net[i].act, &given);
		if (status != 0)
			fail_msg("%s: wait status %x", forbidden_to_net[i].name, (unsigned)status);
	}
	close_given(&given, peer);
}

/* The part of the page below a role's heading. */
static void find_section(const struct buf *page, const char *name, struct buf *section)
{
	char heading[64];
	(void)snprintf(heading, sizeof(heading), "\n## System calls of %s%s\n",
	        strcmp(name, "parser") == 0 ? "the " : "", name);
	const char *from = strstr(page->p, heading);
	if (!from)
		fail_msg("no section for %s", name);
	const char *to = strstr(from + 1, "\n## ");
	buf_add(section, (str){ from, to ? (size_t)(to - from) : strlen(from) });
	buf_add_byte(section, '\0');
	assert_false(buf_failed(section));
}

/* The page and the table say the same: each row is a line of the page, and the page has no other
 * rows. */
static void test_roles__the_page_has_every_row_and_no_other(void **state)
{
	static const enum role all[] = { ROLE_PARSER, ROLE_WALKER, ROLE_NET };
	autobuf page = BUF(1u << 20);
	size_t n_lines = 0, n_calls = 0;
	(void)state;
	assert_int_equal(fs_read(AT_FDCWD, PAGE, &page, NULL), 0);
	buf_add_byte(&page, '\0');
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		const struct role_row *row = sandbox_role(all[k]);
		autobuf section = BUF(1u << 20);
		char line[1024];
		(void)snprintf(line, sizeof(line), "\n| %s | %s | %s | %s | %s |\n", row->name,
		        row->does, row->user, row->files, row->network);
		if (!strstr(page.p, line))
			fail_msg("the page lacks: %s", line);
		(void)snprintf(line, sizeof(line), "\n| %s | %llu MiB | %u |\n", row->name,
		        (unsigned long long)(row->memory_bytes >> 20), row->n_descriptors);
		if (!strstr(page.p, line))
			fail_msg("the page lacks: %s", line);
		find_section(&page, row->name, &section);
		for (size_t i = 0; i < row->n_calls; i++) {
			const struct role_call *call = &row->calls[i];
			const char *limit = sandbox_limit_text(call->limit);
			(void)snprintf(line, sizeof(line), "\n| `%s` | %s%s| %s |\n", call->name,
			        limit, *limit ? " " : "", call->why);
			if (!strstr(section.p, line))
				fail_msg("the page lacks: %s", line);
		}
		n_calls += row->n_calls;
	}
	for (const char *p = page.p; (p = strstr(p, "\n| `")) != NULL; p++)
		n_lines++;
	assert_int_equal(n_lines, n_calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles__what_a_parser_does_works),
		cmocka_unit_test(test_roles__a_descriptor_that_is_sent_can_be_read),
		cmocka_unit_test(test_roles__any_other_call_kills),
		cmocka_unit_test(test_roles__no_byte_is_written_to_a_file),
		cmocka_unit_test(test_roles__the_kernel_tells_of_no_user_group_or_capability),
		cmocka_unit_test(test_roles__the_kernel_tells_of_the_limits),
		cmocka_unit_test(test_roles__it_dies_with_who_made_it),
		cmocka_unit_test(test_roles__any_user_can_enter),
		cmocka_unit_test(test_roles__an_assertion_still_aborts),
		cmocka_unit_test(test_roles__memory_has_an_end),
		cmocka_unit_test(test_roles__what_sonde_net_does_works),
		cmocka_unit_test(test_roles__sonde_net_can_do_nothing_else),
		cmocka_unit_test(test_roles__the_page_has_every_row_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
