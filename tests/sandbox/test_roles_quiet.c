/* SPDX-License-Identifier: Apache-2.0 */
/* The two roles that only think: a reader, and a verifier of signatures. */
#include "forbidden.h"

#include "sandbox/sandbox.h"

static int in_role(enum role role, int (*act)(const struct given *), const struct given *given)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = { 0 };
		if (sandbox_enter(role, &err) < 0)
			_exit(99);
		_exit(act(given));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int think(const struct given *given)
{
	const size_t n = (size_t)50 << 20;
	char *memory = malloc(n), byte;
	if (!memory)
		return 1;
	memset(memory, 1, n);
	free(memory);
	if (read(given->file, &byte, 1) != 1)
		return 2;
	return write(given->socket, "abc", 3) == 3 ? 0 : 3;
}

static const enum role quiet[] = { ROLE_READER, ROLE_VERIFIER };

static void test_roles_quiet__thinking_and_answering_works(void **state)
{
	struct given given;
	int peer;
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_given(&given, &peer);
		assert_int_equal(in_role(quiet[i], think, &given), 0);
		close_given(&given, peer);
	}
}

static int call_stat_of_a_descriptor(const struct given *given)
{
	struct stat st;
	return fstat(given->file, &st) >= 0;
}

static int call_receive(const struct given *given)
{
	char byte;
	return recv(given->socket, &byte, 1, MSG_DONTWAIT) >= 0;
}

static int call_send(const struct given *given)
{
	return send(given->socket, "x", 1, MSG_NOSIGNAL) >= 0;
}

static int call_close(const struct given *given)
{
	return close(given->file) >= 0;
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
	{ "stat of a descriptor", call_stat_of_a_descriptor },
	{ "getdents64", call_list },
	{ "unlink", call_unlink },
	{ "rename", call_rename },
	{ "mkdir", call_mkdir },
	{ "fchmod", call_chmod },
	{ "ftruncate", call_truncate },
	{ "socket", call_socket },
	{ "connect", call_connect },
	{ "recv", call_receive },
	{ "send", call_send },
	{ "close", call_close },
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

static void test_roles_quiet__any_other_call_kills(void **state)
{
	struct given given;
	int peer;
	(void)state;
	if (!sandbox_has_filter()) {
		print_message("skipped: a build without a sanitizer\n");
		skip();
	}
	open_given(&given, &peer);
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
			int status = in_role(quiet[k], forbidden[i].act, &given);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s, %s: wait status %x", sandbox_role(quiet[k])->name,
				        forbidden[i].name, (unsigned)status);
		}
	}
	close_given(&given, peer);
}

static int write_to_a_file(const struct given *given)
{
	return write(given->writable, "y", 1) >= 0 || errno != EFBIG;
}

static void test_roles_quiet__no_byte_is_written_to_a_file(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	for (size_t k = 0; k < 2; k++)
		assert_int_equal(in_role(quiet[k], write_to_a_file, &given), 0);
	close_given(&given, peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles_quiet__thinking_and_answering_works),
		cmocka_unit_test(test_roles_quiet__any_other_call_kills),
		cmocka_unit_test(test_roles_quiet__no_byte_is_written_to_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
