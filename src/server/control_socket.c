/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "server/control.h"
#include "server/inside.h"

/* Whoever connects has this long for its line. An answer may take as long as a backup. */
#define LINE_SECONDS 10

struct control {
	struct server *server;
	pthread_t thread;
	int fd, stop_fd;
	struct sockaddr_un address;
};

static int make_address(str data_dir, struct sockaddr_un *ret, struct err *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path), STR_FMT "/control.sock",
	        STR_ARG(str_head(data_dir, 4096)));
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		return err_set(err, -ENAMETOOLONG,
		        "the path of the data folder is too long for a socket in it");
	return 0;
}

/* ---- lines ---- */

/* Read up to the end of a line; what follows it is not expected. */
static int read_line(int fd, struct buf *out)
{
	while (out->n == 0 || out->p[out->n - 1] != '\n') {
		char piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -ECONNRESET : -errno;
		buf_add(out, (str){ piece, (size_t)n });
		if (buf_failed(out))
			return -ERR_LIMIT;
	}
	out->n--;
	return 0;
}

static int write_line(int fd, str line)
{
	autobuf text = BUF(CONTROL_LINE_BYTES * 2);
	buf_add(&text, line);
	buf_add_byte(&text, '\n');
	str rest = buf_str(&text);
	if (buf_failed(&text))
		return -ENOMEM;
	while (rest.n > 0) {
		ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : -errno;
		rest = str_skip(rest, (size_t)n);
	}
	return 0;
}

/* ---- the server's side ---- */

static bool is_owner(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void answer(struct server *server, str line, struct buf *out)
{
	struct arena arena = ARENA((size_t)64 << 20);
	struct err err = { 0 };
	const struct value *request;
	struct json_writer w = JSON_WRITER(out, false);
	json_write_object(&w);
	int r = value_from_json(line, &arena, &request, &err);
	if (r >= 0)
		r = control_do(server, request, &arena, &w, &err);
	if (r < 0 || buf_failed(out)) {
		buf_clear(out);
		w = JSON_WRITER(out, false);
		json_write_object(&w);
		json_write_member_str(
		        &w, "error", err.text[0] ? str_from_c(err.text) : STR("out of memory"));
		write_number(&w, "class", r < 0 ? r : -ENOMEM);
	}
	json_write_object_end(&w);
	arena_fini(&arena);
}

static void serve_one(struct control *control, int fd)
{
	struct timeval limit = { .tv_sec = LINE_SECONDS };
	autobuf line = BUF(CONTROL_LINE_BYTES), out = BUF(CONTROL_LINE_BYTES);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!is_owner(fd) || read_line(fd, &line) < 0)
		return;
	answer(control->server, buf_str(&line), &out);
	(void)write_line(fd, buf_str(&out));
	/* An answer may hold a secret that is shown once. */
	if (out.p)
		crypto_wipe(out.p, out.n);
}

static void *serve(void *ctx)
{
	struct control *control = ctx;
	for (;;) {
		struct pollfd fds[] = { { .fd = control->fd, .events = POLLIN },
			{ .fd = control->stop_fd, .events = POLLIN } };
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents != 0)
			return NULL;
		if (fds[0].revents == 0)
			continue;
		/* cppcheck-suppress nullPointer ; the address is not asked for */
		autoclose int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_one(control, fd);
	}
}

static int listen_on(struct control *control, struct err *err)
{
	int r = make_address(control->server->data_dir, &control->address, err);
	if (r < 0)
		return r;
	/* The store's lock says that no other server has this folder: what is there is left over.
	 */
	(void)unlink(control->address.sun_path);
	mode_t old = umask(0177);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = control->fd < 0 ||
	                    bind(control->fd, (const struct sockaddr *)&control->address,
	                            sizeof(control->address)) < 0 ||
	                    listen(control->fd, 16) < 0
	            ? -errno
	            : 0;
	(void)umask(old);
	return r < 0 ? err_set(err, r, "%.150s: cannot listen: %s", control->address.sun_path,
	                       strerror(-r))
	             : 0;
}

static void release(struct control *control)
{
	if (control->fd >= 0) {
		(void)unlink(control->address.sun_path);
		(void)close(control->fd);
	}
	if (control->stop_fd >= 0)
		(void)close(control->stop_fd);
	free(control);
}

int control_open(struct server *server, struct control **ret, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	if (!control)
		return err_set(err, -ENOMEM, "no memory for a socket");
	control->server = server;
	control->fd = -1;
	control->stop_fd = eventfd(0, EFD_CLOEXEC);
	int r = control->stop_fd < 0 ? err_set(err, -errno, "cannot make an event")
	                             : listen_on(control, err);
	if (r >= 0)
		r = -pthread_create(&control->thread, NULL, serve, control);
	if (r < 0) {
		release(control);
		return err && err->text[0] ? r : err_set(err, r, "cannot start a thread");
	}
	*ret = control;
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	(void)eventfd_write(control->stop_fd, 1);
	(void)pthread_join(control->thread, NULL);
	release(control);
}

/* ---- the command's side ---- */

int control_ask(const char *data_dir, str line, struct buf *out, struct err *err)
{
	struct sockaddr_un address;
	int r = make_address(str_from_c(data_dir), &address, err);
	if (r < 0)
		return r;
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, -errno, "no server answers on %.150s", address.sun_path);
	r = write_line(fd, line);
	if (r >= 0)
		r = read_line(fd, out);
	return r < 0 ? err_set(err, r, "the server did not answer: %s",
	                       r > -1024 ? strerror(-r) : "its answer is too long")
	             : 0;
}
