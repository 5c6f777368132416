/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child finds the text in the memory that it shares with its parent, so nothing has to be sent
 * to it. It says one word, u32 0 and the tree (aws/value_wire.h), or u32 the class of its failure
 * and a sentence, and ends.
 */
#include "net/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "aws/value_wire.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/fs.h"
#include "net/protocol.h"
#include "sandbox/sandbox.h"

#define READ_BYTES ((size_t)64 << 10)
/* Largest class of a failure: an errno, or one of ours. */
#define CLASS_MAX 4095
/* A value of a text takes at most three times its bytes there: "1," is a kind, a length, a digit.
 */
#define GROWS 3
#define HEAD_BYTES 256

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEPT_FD STDERR_FILENO /* where a sanitizer reports */
#else
#define KEPT_FD (-1)
#endif

/* ---- in the reader ---- */

static int read_text(str text, struct arena *arena, struct buf *out, struct err *err)
{
	const struct value *tree = NULL;
	int r = sandbox_enter(ROLE_READER, err);
	if (r == 0)
		r = value_from_json(text, arena, &tree, err);
	if (r == 0) {
		buf_add_u32(out, 0);
		value_wire_add(tree, out);
		r = buf_failed(out) ? err_set(err, -ERR_LIMIT, "the text is too large") : 0;
	}
	return r;
}

static void be_reader(str text, size_t arena_bytes, size_t most, int fd)
{
	const int keep[] = { fd, KEPT_FD };
	struct arena arena = ARENA(arena_bytes);
	struct buf out = BUF(most);
	struct err err = { 0 };
	fs_close_others(keep, 2);
	int r = read_text(text, &arena, &out, &err);
	if (r < 0) {
		buf_clear(&out);
		buf_add_u32(&out, (uint32_t)-r);
		buf_add(&out, str_from_c(err.text));
	}
	for (str rest = buf_str(&out); rest.n > 0;) {
		ssize_t n = write(fd, rest.p, rest.n);
		if (n < 0 && errno != EINTR)
			break;
		rest = str_skip(rest, n > 0 ? (size_t)n : 0);
	}
	_exit(0);
}

/* ---- outside ---- */

/* Hear it out. Returns: 0; -ETIMEDOUT, -ERR_LIMIT, -ENOMEM, -errno */
static int hear(int fd, struct buf *said, struct err *err)
{
	int64_t deadline_ms = clock_ms() + READER_TIMEOUT_MS;
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - clock_ms();
		int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (ready == 0)
			return err_set(err, -ETIMEDOUT, "the reader takes too long");
		if (ready < 0 && errno == EINTR)
			continue;
		/* Its largest word is at most `max` long, and so one byte more is too much. */
		size_t room = said->max - said->n;
		char *at =
		        room > 0 ? buf_reserve(said, room < READ_BYTES ? room : READ_BYTES) : NULL;
		if (!at)
			return err_set(err, -EIO, "the reader says more than it can mean");
		ssize_t n = read(fd, at, room < READ_BYTES ? room : READ_BYTES);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(err, -errno, "the reader cannot be heard: %m");
		said->n += n > 0 ? (size_t)n : 0;
	}
}

static int take(str said, struct arena *arena, const struct value **ret, struct err *err)
{
	struct cursor cursor = CURSOR(said);
	uint32_t code = cursor_u32(&cursor);
	char shown[200];
	str bytes;
	if (cursor_failed(&cursor) || code > CLASS_MAX)
		return err_set(err, -EIO, "the reader died");
	if (code > 0) {
		net_text_show(cursor.rest, shown, sizeof(shown));
		return err_set(err, -(int)code, "%s", shown);
	}
	if (arena_copy(arena, cursor.rest, &bytes) < 0)
		return err_set(err, -ERR_LIMIT, "the text is too large");
	int r = value_wire_read(bytes, arena, ret, err);
	return r == -ERR_FORMAT ? -EIO : r;
}

int reader_json(str text, struct arena *arena, const struct value **ret, struct err *err)
{
	size_t most = text.n < SIZE_MAX / (2 * GROWS) ? GROWS * text.n + HEAD_BYTES : SIZE_MAX / 2;
	size_t room = arena->cap_bytes - arena->used_bytes;
	autobuf said = BUF(most + 1);
	int ends[2], status;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe for a reader: %m");
	pid_t pid = fork();
	if (pid == 0)
		be_reader(text, room, most, ends[1]);
	int saved = errno;
	(void)close(ends[1]);
	autoclose int from = ends[0];
	if (pid < 0)
		return err_set(err, -saved, "cannot start a reader: %s", strerror(saved));
	int r = hear(from, &said, err);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return r < 0 ? r : take(buf_str(&said), arena, ret, err);
}
