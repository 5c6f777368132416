/* SPDX-License-Identifier: Apache-2.0 */
#include "web.h"

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

static void read_answer(struct web *web)
{
	char line[2048];
	size_t n = 0;
	web->log[0] = '\0';
	while (fgets(line, sizeof(line), web->out)) {
		if (strcmp(line, ".\n") == 0)
			return;
		size_t more = strlen(line);
		assert_true(n + more < sizeof(web->log));
		memcpy(web->log + n, line, more + 1);
		n += more;
	}
	fail_msg("the test server ended");
}

static void start(struct web *web, const char *cert)
{
	int in[2], out[2];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	const char *argv[] = { "python3", FEED_SERVER, "--feeds", web_path(web, "feeds"), "--files",
		web_path(web, "files"), cert ? "--tls" : NULL, cert, cert, NULL };
	posix_spawn_file_actions_t actions;
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
	int r = posix_spawnp(&web->pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	if (r != 0)
		fail_msg("cannot start python3: %s", strerror(r));
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(in[0]);
	(void)close(out[1]);
	web->in = in[1];
	web->out = fdopen(out[0], "r");
	assert_non_null(web->out);

	char line[64];
	uint64_t port = 0;
	if (!fgets(line, sizeof(line), web->out))
		fail_msg("the test server does not start");
	str s = str_trim(str_from_c(line));
	assert_true(str_has_prefix(s, STR("port ")));
	assert_true(str_to_u64(str_skip(s, 5), 65535, &port));
	web->port = (unsigned)port;
}

void web_open(struct web *web, const char *cert)
{
	const char *tmp = getenv("TMPDIR");
	*web = (struct web){ .in = -1 };
	(void)snprintf(web->dir, sizeof(web->dir), "%.40s/sonde-net.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(web->dir));
	/* sonde-net is nobody, and the tests' stand-ins for it lie here */
	assert_int_equal(chmod(web->dir, 0755), 0);
	web->dir_fd = open(web->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(web->dir_fd >= 0);
	assert_int_equal(mkdirat(web->dir_fd, "files", 0755), 0);
	start(web, cert);
}

void web_close(struct web *web)
{
	(void)close(web->in);
	(void)fclose(web->out);
	while (waitpid(web->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(web->dir_fd);
	assert_int_equal(fs_remove_tree(AT_FDCWD, web->dir), 0);
}

void web_say(struct web *web, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < sizeof(line) - 1);
	line[n++] = '\n';
	assert_int_equal(write(web->in, line, (size_t)n), n);
	read_answer(web);
}

static char byte_at(size_t i, unsigned seed)
{
	return (char)((i * 2654435761u + seed * 40503u) >> 7);
}

void web_put(struct web *web, const char *name, size_t n, unsigned seed)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "files/%s", name);
	FILE *f = fopen(web_path(web, path), "we");
	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(putc(byte_at(i, seed), f), EOF);
	assert_int_equal(fclose(f), 0);
	struct timespec times[2] = { { .tv_sec = 1700000000 + seed },
		{ .tv_sec = 1700000000 + seed } };
	assert_int_equal(utimensat(web->dir_fd, path, times, 0), 0);
}

void web_write(struct web *web, const char *name, const char *text, unsigned mode)
{
	struct err err = { 0 };
	if (fs_replace(web->dir_fd, name, str_from_c(text), mode, &err) < 0)
		fail_msg("%s", err.text);
}

bool web_is(struct web *web, const char *name, size_t n, unsigned seed)
{
	autobuf in = BUF(64u << 20);
	if (fs_read(web->dir_fd, name, &in, NULL) < 0 || in.n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (in.p[i] != byte_at(i, seed))
			return false;
	}
	return true;
}

bool web_has(struct web *web, const char *name)
{
	return faccessat(web->dir_fd, name, F_OK, 0) == 0;
}

static char *next_text(void)
{
	static char texts[4][256];
	static unsigned n;
	return texts[n++ % 4];
}

const char *web_path(struct web *web, const char *name)
{
	char *text = next_text();
	(void)snprintf(text, 256, "%s/%s", web->dir, name);
	return text;
}

const char *web_url(struct web *web, const char *path)
{
	char *text = next_text();
	(void)snprintf(text, 256, "http://127.0.0.1:%u%s", web->port, path);
	return text;
}

unsigned web_count(struct web *web, const char *needle)
{
	unsigned n = 0;
	for (const char *at = web->log; (at = strstr(at, needle)); at++)
		n++;
	return n;
}

int web_setup(void **state)
{
	/* The proxies of whoever runs the tests are not for the loopback. */
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unsetenv(names[i]);
	struct web *web = calloc(1, sizeof(*web));
	assert_non_null(web);
	web_open(web, NULL);
	*state = web;
	return 0;
}

int web_teardown(void **state)
{
	web_close(*state);
	free(*state);
	return 0;
}
