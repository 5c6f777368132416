/* SPDX-License-Identifier: Apache-2.0 */
#include "forbidden.h"

#include "base/buf.h"
#include "base/fs.h"

static int in_supervisor(int (*act)(const struct given *), const struct given *given)
{
	return in_role(ROLE_SUPERVISOR, act, given);
}

static int await(pid_t pid)
{
	int status = -1;
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

/* It keeps files, starts children in every role, ends those that are nobody, and starts programs.
 */
static int do_what_a_supervisor_does(const struct given *given)
{
	static const enum role roles[] = { ROLE_PARSER, ROLE_READER, ROLE_NET, ROLE_WALKER };
	if (ftruncate(given->writable, 0) < 0 || pwrite(given->writable, "abc", 3, 9000) != 3)
		return 1;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(sandbox_enter(roles[i], NULL) < 0 ? 1 : 0);
		if (await(pid) != 0)
			return 2;
	}
	pid_t pid = fork();
	if (pid == 0) {
		(void)!(sandbox_drop(NULL) < 0);
		for (;;)
			(void)poll(NULL, 0, -1);
	}
	if (kill(pid, SIGKILL) < 0 || !WIFSIGNALED(await(pid)))
		return 3;
	pid = fork();
	if (pid == 0)
		_exit(call_exec(given));
	return await(pid) == 0 ? 0 : 4;
}

static int call_mount(const struct given *given)
{
	(void)given;
	return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0UL, NULL) >= 0;
}

static int call_chroot(const struct given *given)
{
	(void)given;
	return chroot("/") >= 0;
}

static int call_hostname(const struct given *given)
{
	char name[65] = "";
	(void)given;
	(void)gethostname(name, sizeof(name) - 1);
	return sethostname(name, strlen(name)) >= 0;
}

static int call_listen_unix(const struct given *given)
{
	(void)given;
	return listen(socket(AF_INET, SOCK_STREAM, 0), 1) >= 0;
}

static int call_raw_socket(const struct given *given)
{
	(void)given;
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static int call_module(const struct given *given)
{
	return syscall(SYS_finit_module, given->file, "", 0) >= 0;
}

static int call_device(const struct given *given)
{
	(void)given;
	return mknod("/tmp/sandbox-was-left", S_IFCHR | 0600, 0x103) >= 0;
}

static int call_open_parent_memory(const struct given *given)
{
	char path[64];
	(void)given;
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return open(path, O_RDONLY) >= 0;
}

static int call_open_for_writing(const struct given *given)
{
	(void)given;
	return open("/etc/passwd", O_WRONLY) >= 0;
}

/* Through a program that it starts: a script has no more. */
static int call_script(const struct given *given)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
		(char *)(uintptr_t) "mount -t tmpfs none /tmp 2>/dev/null || "
		                    "chroot / true 2>/dev/null || unshare -m true 2>/dev/null",
		NULL };
	(void)given;
	pid_t pid = fork();
	if (pid == 0) {
		(void)execv("/bin/sh", argv);
		_exit(1);
	}
	return await(pid) == 0;
}

/* The poller's, beside the supervisor's. */
static const struct attempt forbidden_to_poller[] = {
	{ "unlink", call_unlink },
	{ "rename", call_rename },
	{ "mkdir", call_mkdir },
	{ "fchmod", call_chmod },
	{ "open of its own memory", call_open_parent_memory },
	{ "open for writing", call_open_for_writing },
	{ "setresuid", call_setuid },
};

static const struct attempt forbidden[] = {
	{ "ptrace", call_ptrace },
	{ "process_vm_readv", call_read_other },
	{ "mount", call_mount },
	{ "chroot", call_chroot },
	{ "sethostname", call_hostname },
	{ "listen", call_listen_unix },
	{ "a socket of packets", call_raw_socket },
	{ "a module", call_module },
	{ "a device", call_device },
	{ "unshare", call_namespace },
	{ "capset", call_capset },
	{ "bpf", call_bpf },
	{ "keyctl", call_keyctl },
	{ "io_uring_setup", call_uring },
	{ "a script with more", call_script },
};

static void test_supervisor__what_it_does_works(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	assert_int_equal(in_supervisor(do_what_a_supervisor_does, &given), 0);
	close_given(&given, peer);
}

static void test_supervisor__what_it_and_its_scripts_may_not_fails(void **state)
{
	(void)state;
	demand_refused(ROLE_SUPERVISOR, NULL, forbidden, sizeof(forbidden) / sizeof(forbidden[0]));
}

/* A poller reads, starts readers and sonde-net. */
static int do_what_a_poller_does(const struct given *given)
{
	int ends[2];
	if (pipe(ends) < 0 || open("/etc/passwd", O_RDONLY) < 0)
		return 1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(sandbox_enter(ROLE_READER, NULL) < 0 ? 1 : 0);
	if (await(pid) != 0)
		return 2;
	pid = fork();
	if (pid == 0)
		_exit(sandbox_enter(ROLE_NET, NULL) < 0 ? 1 : call_exec(given));
	if (await(pid) != 0)
		return 3;
	pid = fork();
	if (pid == 0)
		_exit(call_exec(given));
	return await(pid) == 0 ? 0 : 4;
}

static void test_supervisor__its_poller_waits_and_does_nothing_else(void **state)
{
	struct given given;
	int peer;
	(void)state;
	if (!sandbox_has_filter() || geteuid() != 0) {
		print_message("skipped: root, and a build without a sanitizer\n");
		skip();
	}
	open_given(&given, &peer);
	assert_int_equal(in_role(ROLE_POLLER, do_what_a_poller_does, &given), 0);
	close_given(&given, peer);
	demand_refused(ROLE_POLLER, NULL, forbidden, sizeof(forbidden) / sizeof(forbidden[0]));
	demand_refused(ROLE_POLLER, NULL, forbidden_to_poller,
	        sizeof(forbidden_to_poller) / sizeof(forbidden_to_poller[0]));
}

/* What a program that it starts is told of its capabilities. */
static int count_capabilities(const struct given *given)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
		(char *)(uintptr_t) "grep -q '^CapBnd:[[:space:]]*00000000000001ef$' "
		                    "/proc/self/status && grep -q "
		                    "'^CapEff:[[:space:]]*00000000000001ef$' /proc/self/status",
		NULL };
	(void)given;
	(void)execv("/bin/sh", argv);
	return 1;
}

static void test_supervisor__root_keeps_the_capabilities_of_its_row_and_no_other(void **state)
{
	struct given given;
	int peer;
	(void)state;
	if (geteuid() != 0 || prctl(PR_CAPBSET_READ, 21, 0, 0, 0) != 1) {
		print_message("skipped: root with all capabilities\n");
		skip();
	}
	open_given(&given, &peer);
	assert_int_equal(sandbox_role(ROLE_SUPERVISOR)->keeps, 0x1ef);
	assert_int_equal(in_supervisor(count_capabilities, &given), 0);
	close_given(&given, peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_supervisor__what_it_does_works),
		cmocka_unit_test(test_supervisor__what_it_and_its_scripts_may_not_fails),
		cmocka_unit_test(test_supervisor__its_poller_waits_and_does_nothing_else),
		cmocka_unit_test(
		        test_supervisor__root_keeps_the_capabilities_of_its_row_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
