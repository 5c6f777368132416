/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "collect/pace.h"
#include "collect/parser.h"
#include "collect/wire.h"
#include "inventory/inventory.h"

/* A parser that has said nothing for so long is taken for hung: the largest database takes seconds.
 */
#define SILENCE_MS 60000

_Static_assert(POOL_PARSERS_MAX <= PACE_NET, "each parser is counted");

struct worker {
	unsigned index;
	pid_t pid;
	int socket;             /* -1: not running */
	struct walk_file *file; /* being read; NULL: free */
	int64_t heard_at_ms;
};

struct pool {
	struct worker workers[POOL_PARSERS_MAX];
	unsigned n;
	struct pool_limits limits;
	int64_t silence_ms;
	struct pool_listener listener;
	struct buf packet;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEPT_FD STDERR_FILENO /* where a sanitizer reports */
#else
#define KEPT_FD (-1)
#endif

static int worker_start(struct pool *pool, struct worker *worker, struct err *err)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(
		        err, -errno, "cannot make a socket for a parser: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		/* A hostile parser must find no descriptor but its socket: no terminal, no
		 * database, no folder. */
		const int keep[] = { pair[1], KEPT_FD };
		fs_close_others(keep, 2);
		parser_serve(pair[1], worker->index, &pool->limits);
	}
	int saved = errno;
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_set(err, -saved, "cannot start a parser: %s", strerror(saved));
	}
	worker->pid = pid;
	worker->socket = pair[0];
	worker->heard_at_ms = clock_ms();
	pace_watch(pool->limits.pace, worker->index, pid);
	return 0;
}

/* End a worker and say how it ended. */
static int worker_stop(struct pool *pool, struct worker *worker, bool kill_it)
{
	int status = 0;
	if (worker->socket < 0)
		return 0;
	(void)close(worker->socket);
	worker->socket = -1;
	if (kill_it)
		(void)kill(worker->pid, SIGKILL);
	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	pace_leave(pool->limits.pace, worker->index);
	return status;
}

int pool_start(unsigned n_parsers, const struct pool_limits *limits,
        const struct pool_listener *listener, struct pool **ret, struct err *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return err_set(err, -ENOMEM, "out of memory");
	pool->listener = *listener;
	if (limits)
		pool->limits = *limits;
	/* One that is slowed down may think for longer. */
	unsigned pct = pace_limit_pct(pool->limits.pace);
	pool->silence_ms = pct > 0 && pct < 100 ? SILENCE_MS * 100 / pct : SILENCE_MS;
	pool->packet = BUF(WIRE_MAX);
	pool->n = n_parsers < 1 ? 1 : n_parsers > POOL_PARSERS_MAX ? POOL_PARSERS_MAX : n_parsers;
	for (unsigned i = 0; i < pool->n; i++)
		pool->workers[i] = (struct worker){ .index = i, .socket = -1 };
	for (unsigned i = 0; i < pool->n; i++) {
		int r = worker_start(pool, &pool->workers[i], err);
		if (r < 0) {
			pool_free(pool);
			return r;
		}
	}
	*ret = pool;
	return 0;
}

bool pool_has_room(const struct pool *pool)
{
	for (unsigned i = 0; i < pool->n; i++) {
		if (!pool->workers[i].file)
			return true;
	}
	return false;
}

bool pool_is_busy(const struct pool *pool)
{
	for (unsigned i = 0; i < pool->n; i++) {
		if (pool->workers[i].file)
			return true;
	}
	return false;
}

static int finish(struct pool *pool, struct worker *worker, int code, str sentence)
{
	struct walk_file *file = worker->file;
	worker->file = NULL;
	if (!file)
		return 0;
	int r = pool->listener.done(pool->listener.ctx, file, code, sentence);
	walk_file_free(file);
	return r;
}

/* The process is gone or of no more use: say what it cost. The next file starts a new one. */
static int worker_lost(struct pool *pool, struct worker *worker, const char *how)
{
	char text[128];
	int status = worker_stop(pool, worker, how != NULL);
	if (how)
		(void)snprintf(text, sizeof(text), "the parser %s on this file", how);
	else if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text),
		        "the parser was killed by signal %d on this file", WTERMSIG(status));
	else
		(void)snprintf(text, sizeof(text), "the parser ended with status %d on this file",
		        WEXITSTATUS(status));
	return finish(pool, worker, -EIO, str_from_c(text));
}

int pool_give(struct pool *pool, struct walk_file *file)
{
	struct worker *worker = NULL;
	struct err err = { 0 };
	for (unsigned i = 0; i < pool->n && !worker; i++)
		worker = pool->workers[i].file ? NULL : &pool->workers[i];
	assert(worker); /* the caller has asked pool_has_room() */
	if (worker->socket < 0)
		(void)worker_start(pool, worker, &err);
	worker->file = file;
	if (worker->socket < 0)
		return finish(pool, worker, err.code, str_from_c(err.text));

	autobuf job = BUF(WIRE_MAX);
	struct wire_file wire = { .reader = (uint32_t)file->tag,
		.size_bytes = file->size_bytes,
		.dev = file->dev,
		.ino = file->ino,
		.path = file->path };
	wire_put_file(&job, WIRE_JOB, &wire);
	if (buf_failed(&job))
		return finish(
		        pool, worker, -ENAMETOOLONG, STR("the path is too long to be handed over"));
	worker->heard_at_ms = clock_ms();
	int r = wire_send(worker->socket, buf_str(&job), file->fd);
	return r < 0 ? worker_lost(pool, worker, NULL) : 0;
}

/* The parser asks for a sibling: only a name that the reader's row lists is opened. */
static int answer(struct worker *worker, struct cursor *cursor)
{
	size_t n_readers;
	const struct reader *reader = reader_all(&n_readers)[worker->file->tag];
	struct wire_file wire = { .code = -EPERM };
	autoclose int fd = -1;
	str name = cursor_str(cursor);
	if (!cursor_failed(cursor) && reader_may_see(reader, name))
		wire.code = walk_sibling(
		        worker->file, name, &fd, &wire.size_bytes, &wire.dev, &wire.ino);

	autobuf reply = BUF(WIRE_MAX);
	wire_put_file(&reply, WIRE_SIBLING, &wire);
	return wire_send(worker->socket, buf_str(&reply), fd);
}

static int take_package(struct pool *pool, const struct worker *worker, struct cursor *cursor)
{
	struct package pkg;
	size_t n_readers;
	if (!wire_get_package(cursor, &pkg))
		return -EPROTO;
	pkg.path = worker->file->path;
	pkg.dev = worker->file->dev;
	pkg.ino = worker->file->ino;
	pkg.reader = str_from_c(reader_all(&n_readers)[worker->file->tag]->name);
	return pool->listener.package(pool->listener.ctx, worker->file, &pkg);
}

static int take_owned(struct pool *pool, const struct worker *worker, struct cursor *cursor)
{
	size_t n_readers;
	str owner = cursor_str(cursor), path = cursor_str(cursor);
	bool may = reader_all(&n_readers)[worker->file->tag]->is_os;
	if (cursor_failed(cursor) || !may || path.n == 0 || path.p[0] != '/')
		return -EPROTO;
	return pool->listener.owned(pool->listener.ctx, owner, path);
}

static int take_note(struct pool *pool, const struct worker *worker, struct cursor *cursor)
{
	uint64_t where = cursor_u64(cursor);
	str what = cursor_str(cursor);
	if (cursor_failed(cursor))
		return -EPROTO;
	return pool->listener.note(pool->listener.ctx, worker->file, where, what);
}

static int take_skip(struct pool *pool, const struct worker *worker, struct cursor *cursor)
{
	str why = cursor_str(cursor);
	if (cursor_failed(cursor))
		return -EPROTO;
	return pool->listener.skip(pool->listener.ctx, worker->file, why);
}

static int take_results(struct pool *pool, const struct worker *worker, struct cursor *cursor)
{
	int r = 0;
	while (r >= 0 && cursor->rest.n > 0) {
		switch (cursor_u8(cursor)) {
		case WIRE_PACKAGE: r = take_package(pool, worker, cursor); break;
		case WIRE_OWNED: r = take_owned(pool, worker, cursor); break;
		case WIRE_NOTE: r = take_note(pool, worker, cursor); break;
		case WIRE_SKIP: r = take_skip(pool, worker, cursor); break;
		default: r = -EPROTO; break;
		}
	}
	return r;
}

static int take_done(struct pool *pool, struct worker *worker, struct cursor *cursor)
{
	int32_t code = (int32_t)cursor_u32(cursor);
	str sentence = cursor_str(cursor);
	if (cursor_failed(cursor) || code > 0)
		return -EPROTO;
	return finish(pool, worker, code, sentence);
}

/* One packet of one parser. */
static int serve(struct pool *pool, struct worker *worker)
{
	int fd = -1;
	int r = wire_receive(worker->socket, &pool->packet, &fd);
	if (fd >= 0)
		(void)close(fd); /* a parser has nothing to give us */
	if (r <= 0)
		return worker_lost(pool, worker, NULL);
	worker->heard_at_ms = clock_ms();
	if (!worker->file)
		return worker_lost(pool, worker, "spoke unasked");

	struct cursor cursor = CURSOR(buf_str(&pool->packet));
	switch (cursor_u8(&cursor)) {
	case WIRE_ASK:
		if (answer(worker, &cursor) < 0)
			return worker_lost(pool, worker, "could not be answered");
		break;
	case WIRE_RESULTS: r = take_results(pool, worker, &cursor); break;
	case WIRE_DONE: r = take_done(pool, worker, &cursor); break;
	default: r = -EPROTO; break;
	}
	if (r == -EPROTO)
		return worker_lost(pool, worker, "broke the protocol");
	return r;
}

static int drop_silent(struct pool *pool)
{
	int r = 0;
	for (unsigned i = 0; r >= 0 && i < pool->n; i++) {
		struct worker *worker = &pool->workers[i];
		if (worker->file && clock_ms() - worker->heard_at_ms > pool->silence_ms)
			r = worker_lost(pool, worker, "said nothing for a minute");
	}
	return r;
}

int pool_turn(struct pool *pool, int fd, int timeout_ms)
{
	struct pollfd fds[POOL_PARSERS_MAX + 1];
	for (unsigned i = 0; i < pool->n; i++)
		fds[i] = (struct pollfd){ .fd = pool->workers[i].socket, .events = POLLIN };
	fds[pool->n] = (struct pollfd){ .fd = fd, .events = POLLIN };
	int ready = poll(fds, pool->n + 1, timeout_ms);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	int r = 0;
	for (unsigned i = 0; r >= 0 && i < pool->n; i++) {
		if (fds[i].revents)
			r = serve(pool, &pool->workers[i]);
	}
	return r < 0 ? r : drop_silent(pool);
}

size_t pool_pids(const struct pool *pool, pid_t *ret_pids)
{
	size_t n = 0;
	for (unsigned i = 0; i < pool->n; i++) {
		if (pool->workers[i].socket >= 0)
			ret_pids[n++] = pool->workers[i].pid;
	}
	return n;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	for (unsigned i = 0; i < pool->n; i++) {
		struct worker *worker = &pool->workers[i];
		(void)worker_stop(pool, worker, worker->file != NULL);
		walk_file_free(worker->file);
	}
	buf_fini(&pool->packet);
	free(pool);
}
