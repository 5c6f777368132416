/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/parts.h"

static int in_child(int (*act)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(act());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int drop_as_root(void)
{
	static const gid_t groups[] = { 1, 2, 3 };
	uid_t ids[3];
	if (setgroups(3, groups) < 0 || identity_drop(NULL) < 0)
		return 1;
	if (getresuid(&ids[0], &ids[1], &ids[2]) < 0 || ids[0] != 65534 || ids[1] != 65534 ||
	        ids[2] != 65534)
		return 2;
	if (getresgid(&ids[0], &ids[1], &ids[2]) < 0 || ids[0] != 65534 || ids[1] != 65534 ||
	        ids[2] != 65534)
		return 3;
	if (getgroups(0, NULL) != 0)
		return 4;
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return 5;
	}
	if (setuid(0) == 0 || setgid(0) == 0 || setgroups(3, groups) == 0)
		return 6;
	return open("/etc/shadow", O_RDONLY) >= 0 ? 7 : 0;
}

static int keep_root_without_rights(void)
{
	/* Securebits that would let a change of user keep capabilities must not help. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || identity_drop(NULL) < 0)
		return 1;
	return setuid(0) == 0 || chown("/", 0, 0) == 0;
}

static int drop_as_user(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(12345) < 0 || setuid(12345) < 0))
		return 98;
	uid_t before = getuid();
	return identity_drop(NULL) < 0 || getuid() != before;
}

static bool write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Root of a namespace that knows this one user: 65534 is nobody there. */
static int drop_in_a_small_namespace(void)
{
	char map[64];
	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
	if (unshare(CLONE_NEWUSER) < 0)
		return 77;
	if (!write_map("/proc/self/uid_map", map) || !write_map("/proc/self/setgroups", "deny"))
		return 77;
	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)getegid());
	(void)write_map("/proc/self/gid_map", map);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		return 77; /* root there has its rights */
	if (identity_drop(NULL) < 0)
		return 1;
	if (unshare(CLONE_NEWNS) == 0 || errno != EPERM)
		return 2;
	return 0;
}

static void require_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: root\n");
	skip();
}

static void test_identity__root_becomes_nobody_with_no_way_back(void **state)
{
	(void)state;
	require_root();
	assert_int_equal(in_child(drop_as_root), 0);
}

static void test_identity__kept_capabilities_are_dropped_too(void **state)
{
	(void)state;
	require_root();
	assert_int_equal(in_child(keep_root_without_rights), 0);
}

static void test_identity__another_user_stays_who_it_is(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_as_user), 0);
}

static void test_identity__the_root_of_a_small_namespace_loses_its_rights(void **state)
{
	(void)state;
	int status = in_child(drop_in_a_small_namespace);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: the right to make a user namespace\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity__root_becomes_nobody_with_no_way_back),
		cmocka_unit_test(test_identity__kept_capabilities_are_dropped_too),
		cmocka_unit_test(test_identity__another_user_stays_who_it_is),
		cmocka_unit_test(test_identity__the_root_of_a_small_namespace_loses_its_rights),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
