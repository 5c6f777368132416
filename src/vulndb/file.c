/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a feed, read whole or from the front, gzip (RFC 1952) or not. A gzip file may have
 * several members, and must end where a member ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "vulndb/feed.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define GZIP_WINDOW (16 + MAX_WBITS)

static bool is_gzip(str bytes)
{
	return str_has_prefix(bytes, STR("\x1f\x8b"));
}

/* Unpack what there is of `packed` until `out` is full or the data end. Returns zlib's last word.
 */
static int inflate_all(z_stream *z, str packed, struct buf *out)
{
	int zr = Z_OK;
	z->next_in = (Bytef *)(uintptr_t)packed.p; /* zlib does not write here */
	z->avail_in = (uInt)packed.n;
	while (zr == Z_OK || (zr == Z_STREAM_END && z->avail_in > 0)) {
		size_t room = out->max - out->n;
		if (room == 0)
			return Z_BUF_ERROR;
		char *to = buf_reserve(out, room < CHUNK_BYTES ? room : CHUNK_BYTES);
		if (!to)
			return Z_MEM_ERROR;
		if (zr == Z_STREAM_END && inflateReset(z) != Z_OK)
			return Z_STREAM_ERROR;
		z->next_out = (Bytef *)to;
		z->avail_out = (uInt)(room < CHUNK_BYTES ? room : CHUNK_BYTES);
		uInt before = z->avail_out;
		zr = inflate(z, Z_NO_FLUSH);
		out->n += before - z->avail_out;
	}
	return zr;
}

static int gunzip(const char *path, str packed, struct buf *out, struct err *err)
{
	z_stream z = { 0 };
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return err_set(err, -ENOMEM, "%s: out of memory to unpack", path);
	int zr = inflate_all(&z, packed, out);
	bool at_end = z.avail_in == 0;
	(void)inflateEnd(&z);
	if (zr == Z_STREAM_END)
		return 0;
	if (zr == Z_MEM_ERROR)
		return err_set(err, -ENOMEM, "%s: out of memory to unpack", path);
	if (zr == Z_BUF_ERROR && out->n == out->max)
		return err_set(
		        err, -ERR_LIMIT, "%s: unpacks to more than %zu bytes", path, out->max);
	return err_set(err, -ERR_FORMAT, "%s: its gzip data are %s", path,
	        at_end ? "truncated" : "damaged");
}

/* Whole file or its first bytes, as much as `out` takes. */
static int read_some(int fd, struct buf *out)
{
	while (out->n < out->max) {
		size_t room = out->max - out->n;
		char *to = buf_reserve(out, room < CHUNK_BYTES ? room : CHUNK_BYTES);
		if (!to)
			return -ENOMEM;
		ssize_t n = pread(fd, to, room < CHUNK_BYTES ? room : CHUNK_BYTES, (off_t)out->n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		out->n += (size_t)n;
	}
	return 0;
}

int feed_read_file(const char *path, struct buf *out, struct err *err)
{
	struct stat st;
	autobuf bytes = BUF(out->max);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -ERR_FORMAT, "%s: not a regular file", path);
	if ((uint64_t)st.st_size > out->max)
		return err_set(err, -ERR_LIMIT, "%s: larger than %zu bytes", path, out->max);
	int r = read_some(fd, &bytes);
	if (r < 0)
		return err_set(err, r, "%s: cannot read: %s", path, strerror(-r));
	if (is_gzip(buf_str(&bytes)))
		return gunzip(path, buf_str(&bytes), out, err);
	buf_add(out, buf_str(&bytes));
	return buf_failed(out) ? err_set(err, -ENOMEM, "%s: out of memory", path) : 0;
}

int feed_read_head(int fd, struct buf *out)
{
	autobuf bytes = BUF(out->max);
	z_stream z = { 0 };
	int r = read_some(fd, &bytes);
	if (r < 0)
		return r;
	if (!is_gzip(buf_str(&bytes))) {
		buf_add(out, buf_str(&bytes));
		return buf_failed(out) ? -ENOMEM : 0;
	}
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	(void)inflate_all(&z, buf_str(&bytes), out); /* damage shows when the whole is read */
	(void)inflateEnd(&z);
	return buf_failed(out) ? -ENOMEM : 0;
}
