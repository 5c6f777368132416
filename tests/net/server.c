/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static void make_dir(struct server *server)
{
	const char *tmp = getenv("TMPDIR");
	*server = (struct server){ .in = -1, .arena = ARENA(256u << 20) };
	(void)snprintf(
	        server->dir, sizeof(server->dir), "%.40s/sonde-call.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(server->dir));
	assert_int_equal(chmod(server->dir, 0755), 0); /* sonde-net is nobody */
	server->dir_fd = open(server->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(server->dir_fd >= 0);
}

bool server_make_cert(struct server *server, const char *name, const char *address)
{
	char command[1024];
	(void)snprintf(command, sizeof(command),
	        "cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=%s "
	        "-addext subjectAltName=%s -keyout %s.key -out %s.pem 2>/dev/null",
	        server->dir, name, address, name, name);
	return system(command) == 0;
}

void server_start(struct server *server, const char *cert_name)
{
	int in[2], out[2];
	char cert[160], key[160], line[64];
	uint64_t port = 0;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	(void)snprintf(cert, sizeof(cert), "%s/%s.pem", server->dir, cert_name ? cert_name : "");
	(void)snprintf(key, sizeof(key), "%s/%s.key", server->dir, cert_name ? cert_name : "");
	const char *argv[] = { "python3", CALL_SERVER, cert_name ? "--tls" : NULL, cert, key,
		NULL };
	posix_spawn_file_actions_t actions;
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
	int r = posix_spawnp(&server->pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	if (r != 0)
		fail_msg("cannot start python3: %s", strerror(r));
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(in[0]);
	(void)close(out[1]);
	server->in = in[1];
	FILE *f = fdopen(out[0], "r");
	assert_non_null(f);
	if (!fgets(line, sizeof(line), f))
		fail_msg("the test server does not start");
	(void)fclose(f);
	str s = str_trim(str_from_c(line));
	assert_true(str_has_prefix(s, STR("port ")));
	assert_true(str_to_u64(str_skip(s, 5), 65535, &port));
	server->port = (unsigned)port;
	(void)snprintf(server->endpoint, sizeof(server->endpoint), "http%s://127.0.0.1:%u",
	        cert_name ? "s" : "", server->port);
}

void server_open(struct server *server, const char *cert)
{
	make_dir(server);
	if (!cert)
		server_start(server, NULL);
}

void server_close(struct server *server)
{
	if (server->in >= 0)
		(void)close(server->in);
	while (server->pid > 0 && waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* Whatever was done, no other process is left. */
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	(void)close(server->dir_fd);
	arena_fini(&server->arena);
	assert_int_equal(fs_remove_tree(AT_FDCWD, server->dir), 0);
}

const char *server_path(struct server *server, const char *name)
{
	(void)snprintf(server->text, sizeof(server->text), "%s/%s", server->dir, name);
	return server->text;
}

struct net_session *server_session(struct server *server, const struct net_session_config *config)
{
	struct net_session_config whole = *config;
	struct net_session *session = NULL;
	struct err err = { 0 };
	if (!whole.endpoint)
		whole.endpoint = server->endpoint;
	if (!whole.program)
		whole.program = SONDE_NET;
	if (!whole.timeout_ms)
		whole.timeout_ms = 30000;
	if (net_session_open(&whole, &session, &err) < 0)
		fail_msg("%s", err.text);
	return session;
}

const char *server_script(struct server *server, const char *script)
{
	char text[2048];
	struct err err = { 0 };
	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	if (fs_replace(server->dir_fd, "script", str_from_c(text), 0755, &err) < 0)
		fail_msg("%s", err.text);
	return server_path(server, "script");
}

int server_setup(void **state)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unsetenv(names[i]);
	struct server *server = calloc(1, sizeof(*server));
	assert_non_null(server);
	server_open(server, NULL);
	*state = server;
	return 0;
}

int server_teardown(void **state)
{
	server_close(*state);
	free(*state);
	return 0;
}
