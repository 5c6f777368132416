/* SPDX-License-Identifier: Apache-2.0 */
#include "forbidden.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

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
	assert_int_equal(in_role(ROLE_PARSER, do_what_a_parser_does, &given), 0);
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
	assert_int_equal(in_role(ROLE_PARSER, receive_and_read, &given), 0);
	close_given(&given, peer);
}

static void test_roles__any_other_call_kills(void **state)
{
	(void)state;
	demand_refused(ROLE_PARSER, NULL, beyond_thinking,
	        sizeof(beyond_thinking) / sizeof(beyond_thinking[0]));
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
	assert_int_equal(in_role(ROLE_PARSER, write_to_a_file, &given), 0);
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
	int status = in_role(ROLE_PARSER, fail_by_assertion, &given);
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
	assert_int_equal(in_role(ROLE_PARSER, take_too_much, &given), 0);
	close_given(&given, peer);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
