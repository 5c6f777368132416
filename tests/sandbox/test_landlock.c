/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/parts.h"

static long version(void)
{
	return syscall(444L /* landlock_create_ruleset */, NULL, (size_t)0, 1u);
}

static int in_landlock_of(
        const struct role_row *row, const struct sandbox_grant *grant, int (*act)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		        landlock_enter(row, grant, NULL) < 0)
			_exit(99);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int in_landlock(int (*act)(void))
{
	static const struct role_row nothing_granted = { .name = "test" };
	return in_landlock_of(&nothing_granted, NULL, act);
}

static int use_files(void)
{
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	if (open("/", O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES)
		return 2;
	if (mkdir("/tmp/landlock-was-left", 0700) >= 0 || errno != EACCES)
		return 3;
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	if (execve("/bin/true", argv, argv + 1) >= 0 || errno != EACCES)
		return 4;
	return 0;
}

static int use_network(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return 0; /* no network at all */
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) >= 0 || errno != EACCES;
}

static int use_signals(void)
{
	return kill(getppid(), 0) >= 0 || errno != EPERM;
}

static void require_version(long least)
{
	if (version() >= least)
		return;
	print_message("skipped: a kernel with Landlock, version %ld\n", least);
	skip();
}

static void test_landlock__no_file_can_be_reached(void **state)
{
	(void)state;
	require_version(1);
	assert_int_equal(in_landlock(use_files), 0);
}

static void test_landlock__no_tcp_where_the_kernel_can(void **state)
{
	(void)state;
	require_version(4);
	assert_int_equal(in_landlock(use_network), 0);
}

static void test_landlock__no_signal_to_others_where_the_kernel_can(void **state)
{
	(void)state;
	require_version(6);
	assert_int_equal(in_landlock(use_signals), 0);
}

static int read_some_files(void)
{
	if (open("/etc/passwd", O_RDONLY) < 0 || open("/etc", O_RDONLY | O_DIRECTORY) < 0)
		return 1;
	if (open("/proc/version", O_RDONLY) < 0)
		return 2;
	if (open("/proc/uptime", O_RDONLY) >= 0 || errno != EACCES)
		return 3;
	if (open("/", O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES)
		return 4;
	if (open("/etc/landlock-was-left", O_WRONLY | O_CREAT, 0600) >= 0)
		return 5;
	return 0;
}

static void test_landlock__what_is_granted_can_be_read_and_nothing_else(void **state)
{
	(void)state;
	require_version(1);
	static const char *const of_role[] = { "/etc", "/there-is-no-such-folder", NULL };
	static const char *const of_process[] = { "/proc/version", NULL };
	const struct role_row row = { .name = "test", .readable = of_role };
	const struct sandbox_grant grant = { .readable = of_process };
	assert_int_equal(in_landlock_of(&row, &grant, read_some_files), 0);
}

static int connect_only(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return 0; /* no network at all */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno == EACCES)
		return 1;
	int other = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_port = htons(20000);
	return bind(other, (struct sockaddr *)&address, sizeof(address)) >= 0 || errno != EACCES;
}

static void test_landlock__a_role_of_the_network_cannot_take_a_port(void **state)
{
	(void)state;
	require_version(4);
	const struct role_row row = { .name = "test", .has_network = true };
	assert_int_equal(in_landlock_of(&row, NULL, connect_only), 0);
}

static int nothing(void)
{
	return 0;
}

static void test_landlock__a_kernel_without_it_is_no_failure(void **state)
{
	(void)state;
	assert_int_equal(in_landlock(nothing), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_landlock__no_file_can_be_reached),
		cmocka_unit_test(test_landlock__no_tcp_where_the_kernel_can),
		cmocka_unit_test(test_landlock__no_signal_to_others_where_the_kernel_can),
		cmocka_unit_test(test_landlock__what_is_granted_can_be_read_and_nothing_else),
		cmocka_unit_test(test_landlock__a_role_of_the_network_cannot_take_a_port),
		cmocka_unit_test(test_landlock__a_kernel_without_it_is_no_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
