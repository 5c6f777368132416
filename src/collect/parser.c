/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/parser.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/pace.h"
#include "collect/wire.h"
#include "inventory/inventory.h"
#include "sandbox/sandbox.h"

/* Memory of one artefact: a database of the largest accepted size, and what is made of it. */
#define JOB_BYTES ((size_t)1 << 30)

/* Results are sent on when this much has gathered; the largest record fits in what is left. */
#define FLUSH_BYTES (WIRE_MAX - ((size_t)44 << 10))

struct parser {
	int socket;
	struct buf results; /* WIRE_RESULTS being gathered */
	struct buf packet;  /* the last one received */
	size_t job_bytes;
	int broken; /* < 0 once the socket has failed: nothing more is read */
};

/* What stands behind an artefact. */
struct file {
	int fd;
	struct parser *parser;
};

static int64_t file_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct file *file = artefact->ctx;
	size_t done = 0;
	while (done < n && offset <= INT64_MAX - done) {
		ssize_t r = pread(file->fd, (char *)to + done, n - done, (off_t)(offset + done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (int64_t)done;
}

static void file_close(struct artefact *artefact)
{
	struct file *file = artefact->ctx;
	if (!file)
		return;
	(void)close(file->fd);
	free(file);
	artefact->ctx = NULL;
}

static int file_sibling(const struct artefact *artefact, str name, struct artefact *ret);

static const struct artefact_ops file_ops = {
	.read_at = file_read_at,
	.sibling = file_sibling,
	.close = file_close,
};

static int make_artefact(
        struct parser *parser, const struct wire_file *wire, str path, int fd, struct artefact *ret)
{
	struct file *file = malloc(sizeof(*file));
	if (!file) {
		(void)close(fd);
		return -ENOMEM;
	}
	*file = (struct file){ .fd = fd, .parser = parser };
	*ret = (struct artefact){ .path = path,
		.size_bytes = wire->size_bytes,
		.dev = wire->dev,
		.ino = wire->ino,
		.ops = &file_ops,
		.ctx = file };
	return 0;
}

static int file_sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	struct parser *parser = ((const struct file *)artefact->ctx)->parser;
	autobuf ask = BUF(WIRE_MAX);
	buf_add_byte(&ask, (char)WIRE_ASK);
	buf_add_str(&ask, name);
	if (buf_failed(&ask))
		return -ENAMETOOLONG;

	int fd = -1;
	int r = parser->broken;
	if (r >= 0)
		r = wire_send(parser->socket, buf_str(&ask), -1);
	if (r >= 0)
		r = wire_receive(parser->socket, &parser->packet, &fd);
	if (r <= 0) {
		parser->broken = r < 0 ? r : -EPIPE;
		return parser->broken;
	}
	struct cursor cursor = CURSOR(buf_str(&parser->packet));
	struct wire_file wire = { 0 };
	if (cursor_u8(&cursor) != WIRE_SIBLING || !wire_get_file(&cursor, &wire) ||
	        wire.code != 0 || fd < 0) {
		if (fd >= 0)
			(void)close(fd);
		return cursor_failed(&cursor) ? -EPROTO : wire.code < 0 ? wire.code : -EPROTO;
	}
	/* A sibling's path is told to nobody: its name says enough to the reader that asked. */
	return make_artefact(parser, &wire, (str){ NULL, 0 }, fd, ret);
}

static int flush(struct parser *parser)
{
	if (parser->results.n > 1 && parser->broken >= 0)
		parser->broken = wire_send(parser->socket, buf_str(&parser->results), -1);
	buf_clear(&parser->results);
	buf_add_byte(&parser->results, (char)WIRE_RESULTS);
	return parser->broken;
}

static void add_note(struct parser *parser, uint64_t where, str what)
{
	buf_add_byte(&parser->results, (char)WIRE_NOTE);
	buf_add_u64(&parser->results, where);
	buf_add_str(&parser->results, str_head(what, WIRE_STR_MAX));
	if (parser->results.n > FLUSH_BYTES)
		(void)flush(parser);
}

static int on_package(void *ctx, const struct package *pkg)
{
	struct parser *parser = ctx;
	if (!wire_put_package(&parser->results, pkg))
		add_note(parser, 0,
		        STR("a package with a field of more than 4096 bytes is left out"));
	return parser->results.n > FLUSH_BYTES ? flush(parser) : parser->broken;
}

static void on_note(void *ctx, uint64_t where, const char *what)
{
	add_note(ctx, where, str_from_c(what));
}

static void on_skip(void *ctx, const char *why)
{
	struct parser *parser = ctx;
	buf_add_byte(&parser->results, (char)WIRE_SKIP);
	buf_add_str(&parser->results, str_head(str_from_c(why), WIRE_STR_MAX));
	if (parser->results.n > FLUSH_BYTES)
		(void)flush(parser);
}

static int on_owned(void *ctx, str owner, str path)
{
	struct parser *parser = ctx;
	if (owner.n > WIRE_STR_MAX || path.n > WIRE_STR_MAX) {
		add_note(parser, 0, STR("an owned path of more than 4096 bytes is left out"));
		return parser->broken;
	}
	buf_add_byte(&parser->results, (char)WIRE_OWNED);
	buf_add_str(&parser->results, owner);
	buf_add_str(&parser->results, path);
	return parser->results.n > FLUSH_BYTES ? flush(parser) : parser->broken;
}

/* Read one artefact; the answer is in `err`. */
static int read_artefact(
        struct parser *parser, const struct wire_file *wire, str path, int fd, struct err *err)
{
	size_t n_readers;
	const struct reader *const *readers = reader_all(&n_readers);
	struct sink sink = { .package = on_package,
		.note = on_note,
		.skip = on_skip,
		.owned = on_owned,
		.ctx = parser };
	struct artefact artefact;
	if (wire->reader >= n_readers || fd < 0)
		return err_set(err, -EPROTO, "a job without a reader or a file");
	int r = make_artefact(parser, wire, path, fd, &artefact);
	if (r < 0)
		return err_set(err, r, "out of memory");

	struct arena arena = ARENA(parser->job_bytes);
	r = readers[wire->reader]->read(&artefact, &arena, &sink, err);
	arena_fini(&arena);
	file_close(&artefact);
	return r;
}

static int serve_one(struct parser *parser, const struct err *sandbox)
{
	int fd = -1;
	int r = wire_receive(parser->socket, &parser->packet, &fd);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	struct cursor cursor = CURSOR(buf_str(&parser->packet));
	struct wire_file wire;
	if (cursor_u8(&cursor) != WIRE_JOB || !wire_get_file(&cursor, &wire))
		return -EPROTO;

	autobuf path =
	        BUF(WIRE_MAX); /* the packet's memory is used again while this artefact is read */
	buf_add(&path, wire.path);
	struct err err = *sandbox;
	(void)flush(parser);
	int code = err.code < 0 ? err.code : read_artefact(parser, &wire, buf_str(&path), fd, &err);
	(void)flush(parser);

	autobuf done = BUF(WIRE_MAX);
	buf_add_byte(&done, (char)WIRE_DONE);
	buf_add_u32(&done, (uint32_t)code);
	buf_add_str(&done, str_from_c(code < 0 ? err.text : ""));
	return parser->broken < 0 ? parser->broken : wire_send(parser->socket, buf_str(&done), -1);
}

_Noreturn void parser_serve(int socket, unsigned index, const struct pool_limits *limits)
{
	struct parser parser = { .socket = socket,
		.results = BUF(WIRE_MAX),
		.packet = BUF(WIRE_MAX),
		.job_bytes = limits->job_bytes > 0 ? (size_t)limits->job_bytes : JOB_BYTES };
	struct err err = { 0 };
	int r = pace_join(limits->pace, index);
	if (r < 0)
		(void)err_set(&err, r, "cannot hold the limit on processor time: %s", strerror(-r));
	else
		(void)sandbox_enter(ROLE_PARSER, &err);
	while (serve_one(&parser, &err) >= 0)
		continue;
	_exit(0);
}
