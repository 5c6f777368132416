/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/sandbox.h"

/* A walker whose root is a folder of the test. */
static int in_walker(int (*act)(const char *folder), const char *folder)
{
	const char *const readable[] = { folder, NULL };
	const struct sandbox_grant grant = { .file_bytes = 4096, .readable = readable };
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = { 0 };
		if (sandbox_enter_with(ROLE_WALKER, &grant, &err) < 0)
			_exit(99);
		_exit(act(folder));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A file that only root may read is read; a parser can be started. */
static int do_what_a_walker_does(const char *folder)
{
	char byte;
	int status = 0;
	int dir = open(folder, O_RDONLY | O_DIRECTORY);
	int fd = dir < 0 ? -1 : openat(dir, "closed", O_RDONLY);
	if (fd < 0 || read(fd, &byte, 1) != 1)
		return 1;
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = { 0 };
		_exit(sandbox_enter(ROLE_PARSER, &err) < 0 ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return 2;
	return 0;
}

/* Each has to fail; the first that does not is the answer. */
static int do_what_a_walker_may_not(const char *folder)
{
	static char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	int dir = open(folder, O_RDONLY | O_DIRECTORY);
	if (openat(dir, "closed", O_WRONLY) >= 0)
		return 1;
	if (openat(dir, "new", O_WRONLY | O_CREAT, 0600) >= 0)
		return 2;
	if (unlinkat(dir, "closed", 0) == 0)
		return 3;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return 4;
	(void)execv("/bin/true", argv);
	if (ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0)
		return 6;
	if (setresuid(0, 0, 0) == 0 && geteuid() == 0)
		return 7;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
		.pid = 0 };
	const struct __user_cap_data_struct more[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = 0xff, .permitted = 0xff }, { 0, 0, 0 }
	};
	if (syscall(SYS_capset, &header, more) == 0)
		return 9;
	if (syscall(SYS_process_vm_readv, getppid(), NULL, 0UL, NULL, 0UL, 0UL) >= 0 ||
	        fchmodat(dir, "closed", 0777, 0) == 0)
		return 10;
	return mkdirat(dir, "folder", 0700) == 0 ? 8 : 0;
}

static void test_walker__reads_and_does_nothing_else(void **state)
{
	char folder[] = "/tmp/sonde-walker-XXXXXX", path[64];
	struct stat st;
	(void)state;
	if (!sandbox_has_filter() || geteuid() != 0) {
		print_message("skipped: root, and a build without a sanitizer\n");
		skip();
	}
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/closed", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	(void)close(fd);
	assert_int_equal(in_walker(do_what_a_walker_does, folder), 0);
	assert_int_equal(in_walker(do_what_a_walker_may_not, folder), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1);
	(void)unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walker__reads_and_does_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
