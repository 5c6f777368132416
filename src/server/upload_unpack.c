/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd (RFC 8878) enters the server here. A frame says itself how large a window it wants: a small
 * text can ask for gigabytes, so the window is capped, and what comes out is written straight into
 * a buffer of the announced size.
 */
#include <zstd.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/upload.h"

#define WINDOW_LOG_MAX 23 /* 8 MiB: what level 19 wants at most */
#define READ_BYTES ((size_t)256 << 10)

struct unpacking {
	ZSTD_DCtx *zstd;
	char *in;
	int fd;
	uint64_t left; /* of the file */
	off_t at;
	bool is_ended; /* the frame is whole */
};

static int fill(struct unpacking *u, ZSTD_inBuffer *in, struct err *err)
{
	size_t n = u->left < READ_BYTES ? (size_t)u->left : READ_BYTES;
	ssize_t r = pread(u->fd, u->in, n, u->at);
	if (r <= 0)
		return err_set(err, r < 0 ? -errno : -EIO, "the spool cannot be read");
	u->left -= (uint64_t)r;
	u->at += r;
	*in = (ZSTD_inBuffer){ .src = u->in, .size = (size_t)r };
	return 0;
}

/* Unpack what `in` has. */
static int turn(struct unpacking *u, ZSTD_inBuffer *in, ZSTD_outBuffer *out, struct err *err)
{
	while (in->pos < in->size) {
		size_t before_in = in->pos, before_out = out->pos;
		if (u->is_ended)
			return err_set(err, -ERR_FORMAT, "there are bytes behind the zstd frame");
		size_t r = ZSTD_decompressStream(u->zstd, out, in);
		if (ZSTD_isError(r))
			return err_set(err, -ERR_FORMAT, "zstd: %s", ZSTD_getErrorName(r));
		u->is_ended = r == 0;
		if (in->pos == before_in && out->pos == before_out)
			return err_set(err, -ERR_FORMAT, "it unpacks to more than was announced");
	}
	return 0;
}

static int unpack(struct unpacking *u, ZSTD_outBuffer *out, struct err *err)
{
	int r = 0;
	while (r == 0 && u->left > 0) {
		ZSTD_inBuffer in;
		r = fill(u, &in, err);
		if (r == 0)
			r = turn(u, &in, out, err);
	}
	/* What zstd still holds when all was read. */
	for (bool moves = true; r == 0 && !u->is_ended && moves;) {
		ZSTD_inBuffer none = { .src = u->in };
		size_t before = out->pos, n = ZSTD_decompressStream(u->zstd, out, &none);
		if (ZSTD_isError(n))
			return err_set(err, -ERR_FORMAT, "zstd: %s", ZSTD_getErrorName(n));
		u->is_ended = n == 0;
		moves = out->pos > before;
	}
	if (r == 0 && (!u->is_ended || out->pos != out->size))
		r = err_set(err, -ERR_FORMAT, "it does not unpack to as many bytes as announced");
	return r;
}

int upload_unpack(
        int fd, uint64_t compressed_bytes, uint64_t bytes, struct buf *out, struct err *err)
{
	struct unpacking u = { .zstd = ZSTD_createDCtx(),
		.in = malloc(READ_BYTES),
		.fd = fd,
		.left = compressed_bytes };
	char *to = buf_reserve(out, (size_t)bytes);
	int r = 0;
	if (!to)
		r = err_set(err, -ERR_LIMIT, "no memory for the inventory");
	else if (!u.zstd || !u.in ||
	         ZSTD_isError(ZSTD_DCtx_setParameter(u.zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		r = err_set(err, -ENOMEM, "no memory for unpacking");
	if (r == 0) {
		ZSTD_outBuffer room = { .dst = to, .size = (size_t)bytes };
		r = unpack(&u, &room, err);
	}
	if (r == 0)
		out->n += (size_t)bytes;
	ZSTD_freeDCtx(u.zstd);
	free(u.in);
	return r;
}
