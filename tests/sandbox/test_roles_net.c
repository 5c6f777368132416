/* SPDX-License-Identifier: Apache-2.0 */
/* The role of sonde-net, tried from inside. */
#include "forbidden.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>

/* What a fetch is granted. */
static const char *const readable[] = { "/proc/version", NULL };
static const struct sandbox_grant grant = { .file_bytes = 5000, .readable = readable };

static int in_net(int (*act)(const struct given *), const struct given *given)
{
	return in_role_with(ROLE_NET, &grant, act, given);
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

/* As libcurl does: in a thread. */
static int resolve_apart(void)
{
	pthread_t thread;
	int r = -1;
	if (pthread_create(&thread, NULL, resolve, &r) != 0 || pthread_join(thread, NULL) != 0)
		return -1;
	return r;
}

static int do_resolve(const struct given *given)
{
	(void)given;
	return resolve_apart() != 0;
}

static int do_what_sonde_net_does(const struct given *given)
{
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

static void test_roles_net__what_sonde_net_does_works(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	assert_int_equal(in_net(do_what_sonde_net_does, &given), 0);
	if (resolve_apart() == 0)
		assert_int_equal(in_net(do_resolve, &given), 0);
	else
		print_message("skipped: a machine that knows the name localhost\n");
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

static const struct attempt forbidden_to_net[] = {
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
	{ "capset", call_capset },
	{ "setresuid", call_setuid },
	{ "setrlimit", call_set_limit },
	{ "prctl", call_prctl },
	{ "bpf", call_bpf },
	{ "keyctl", call_keyctl },
	{ "fcntl F_SETOWN", call_fcntl_owner },
	{ "io_uring_setup", call_uring },
	{ "sendfile", call_splice },
};

static void test_roles_net__any_other_call_fails(void **state)
{
	(void)state;
	demand_refused(ROLE_NET, &grant, forbidden_to_net,
	        sizeof(forbidden_to_net) / sizeof(forbidden_to_net[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles_net__what_sonde_net_does_works),
		cmocka_unit_test(test_roles_net__any_other_call_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
