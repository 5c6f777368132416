/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing appends frames to a temporary file and keeps an index of (key, place) in memory.
 * Importers yield their records almost sorted, so that the file is usually in order when it ends;
 * if it is not, the frames are copied in order to a second file.
 */
#include "vulndb/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "vulndb/encode.h"
#include "vulndb/temp.h"

#define FRAME_HEAD_BYTES 8u
#define FLUSH_BYTES ((size_t)1 << 20)
#define INDEX_MAX_BYTES ((size_t)4 << 30)

struct place {
	str key, what;  /* arena */
	uint64_t at;    /* of the frame */
	uint32_t n;     /* bytes of the payload */
	uint32_t order; /* of the calls */
};

struct feed_writer {
	int dir_fd, fd;
	char name[FEED_FILE_NAME_SIZE];
	char temp[TEMP_NAME_SIZE]; /* empty when there is none to remove */
	struct buf out;            /* not written yet */
	uint64_t at;               /* where the next frame goes */
	struct arena arena;        /* keys */
	struct place *places;
	size_t n, cap;
	bool is_sorted;
};

struct feed_reader {
	int fd;
	char name[FEED_FILE_NAME_SIZE];
	struct feed_head head;
	struct buf window; /* bytes of the file from window_at */
	size_t used;       /* bytes of the window that are behind us */
	uint64_t window_at, n_read, end;
};

void feed_file_name(const char *source, char ret[FEED_FILE_NAME_SIZE])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;
	for (size_t i = 0; i < SOURCE_MAX_BYTES && source[i]; i++) {
		unsigned char c = (unsigned char)source[i];
		if (c == '/') {
			ret[n++] = '+';
		} else if (is_alnum((char)c) || c == '-' || c == '_' || (c == '.' && i > 0)) {
			ret[n++] = (char)c;
		} else {
			ret[n++] = '%';
			ret[n++] = hex[c >> 4];
			ret[n++] = hex[c & 15];
		}
	}
	memcpy(ret + n, ".feed", sizeof(".feed"));
}

static int write_at(int fd, str bytes, uint64_t at)
{
	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = str_skip(bytes, (size_t)n);
		at += (size_t)n;
	}
	return 0;
}

static int flush(struct feed_writer *w, struct err *err)
{
	if (buf_failed(&w->out))
		return err_set(err, -ENOMEM, "%s: out of memory", w->name);
	int r = write_at(w->fd, buf_str(&w->out), w->at - w->out.n);
	buf_clear(&w->out);
	return r < 0 ? err_set(err, r, "%s: cannot write: %s", w->name, strerror(-r)) : 0;
}

static int open_temp(struct feed_writer *w, struct err *err)
{
	int r = temp_make(w->dir_fd, w->name, w->temp);
	w->fd = r;
	if (r >= 0)
		return 0;
	w->temp[0] = '\0';
	return err_set(err, r, "%s: cannot write: %s", w->name, strerror(-r));
}

int feed_writer_new(int dir_fd, const char *source, struct feed_writer **ret, struct err *err)
{
	struct feed_writer *w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(err, -ENOMEM, "%s: out of memory", source);
	*w = (struct feed_writer){ .dir_fd = dir_fd,
		.fd = -1,
		.out = BUF(FRAME_MAX_BYTES + 2 * FLUSH_BYTES),
		.at = FEED_HEADER_BYTES,
		.arena = ARENA(INDEX_MAX_BYTES),
		.is_sorted = true };
	feed_file_name(source, w->name);
	int r = open_temp(w, err);
	if (r < 0) {
		feed_writer_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void feed_writer_free(struct feed_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		(void)close(w->fd);
	if (w->temp[0])
		(void)unlinkat(w->dir_fd, w->temp, 0);
	buf_fini(&w->out);
	arena_fini(&w->arena);
	free(w->places);
	free(w);
}

static int grow_places(struct feed_writer *w)
{
	size_t cap = w->cap ? w->cap * 2 : 1024;
	struct place *places = realloc(w->places, cap * sizeof(*places));
	if (!places)
		return -ENOMEM;
	w->places = places;
	w->cap = cap;
	return 0;
}

int feed_writer_add(struct feed_writer *w, str key, str what, str payload, struct err *err)
{
	if (payload.n > FRAME_MAX_BYTES || w->n >= RECORDS_MAX)
		return err_set(err, -ERR_LIMIT,
		        "%s: more than a feed holds (%u records of %zu bytes)", w->name,
		        RECORDS_MAX, FRAME_MAX_BYTES);
	if (w->n == w->cap && grow_places(w) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", w->name);
	struct place *place = &w->places[w->n];
	*place = (struct place){ .at = w->at, .n = (uint32_t)payload.n, .order = (uint32_t)w->n };
	if (arena_copy(&w->arena, key, &place->key) < 0 ||
	        arena_copy(&w->arena, what, &place->what) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", w->name);
	if (w->n > 0 && str_cmp(w->places[w->n - 1].key, place->key) >= 0)
		w->is_sorted = false;
	w->n++;
	buf_add_u32(&w->out, (uint32_t)payload.n);
	buf_add_u32(&w->out, hash_crc32(0, payload));
	buf_add(&w->out, payload);
	w->at += FRAME_HEAD_BYTES + payload.n;
	return w->out.n >= FLUSH_BYTES ? flush(w, err) : 0;
}

static int by_key(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = str_cmp(x->key, y->key);
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int read_at(int fd, uint64_t at, size_t n, struct buf *out)
{
	char *to = buf_reserve(out, n);
	if (!to)
		return -ENOMEM;
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, to + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ERR_FORMAT;
		done += (size_t)got;
	}
	out->n += n;
	return 0;
}

/* Copy the frames in order of their keys to a second file, which takes the place of the first. */
static int sort_frames(struct feed_writer *w, struct feed_head *head,
        void (*told)(void *ctx, str what), void *ctx, struct err *err)
{
	int old = w->fd;
	int r = 0;
	(void)unlinkat(w->dir_fd, w->temp, 0);
	w->fd = -1;
	qsort(w->places, w->n, sizeof(*w->places), by_key);
	r = open_temp(w, err);
	w->at = FEED_HEADER_BYTES;
	size_t n = 0;
	for (size_t i = 0; r == 0 && i < w->n; i++) {
		const struct place *place = &w->places[i];
		if (n > 0 && str_eq(w->places[n - 1].key, place->key)) {
			head->by_reason[REASON_USED]--;
			head->by_reason[REASON_DUPLICATE]++;
			if (told)
				told(ctx, place->what);
			continue;
		}
		size_t bytes = FRAME_HEAD_BYTES + place->n;
		r = read_at(old, place->at, bytes, &w->out);
		if (r < 0) {
			r = err_set(err, r == -ERR_FORMAT ? -EIO : r, "%s: cannot read it back",
			        w->name);
			break;
		}
		w->at += bytes;
		w->places[n++] = *place;
		if (w->out.n >= FLUSH_BYTES)
			r = flush(w, err);
	}
	w->n = n;
	(void)close(old);
	return r;
}

static void add_c_text(struct buf *out, const char *text)
{
	encode_text(out, str_from_c(text));
}

static void encode_feed_head(struct buf *out, const struct feed_head *head)
{
	buf_add(out, STR(FEED_MAGIC));
	buf_add_u32(out, FEED_VERSION);
	add_c_text(out, head->source);
	add_c_text(out, head->kind);
	add_c_text(out, head->newest);
	add_c_text(out, head->licence);
	buf_add_u64(out, head->n_records);
	buf_add_u32(out, REASON_COUNT);
	for (size_t i = 0; i < REASON_COUNT; i++)
		buf_add_u64(out, head->by_reason[i]);
	buf_add_u64(out, head->n_bytes);
	buf_add_u64(out, head->n_frames);
	buf_add_u64(out, head->data_bytes);
	while (!buf_failed(out) && out->n < FEED_HEADER_BYTES - 4)
		buf_add_byte(out, 0);
	buf_add_u32(out, hash_crc32(0, buf_str(out)));
}

static int complete(struct feed_writer *w, const struct feed_head *head)
{
	autobuf bytes = BUF(FEED_HEADER_BYTES);
	encode_feed_head(&bytes, head);
	if (buf_failed(&bytes) || bytes.n != FEED_HEADER_BYTES)
		return -ENOMEM;
	int r = write_at(w->fd, buf_str(&bytes), 0);
	if (r < 0)
		return r;
	buf_clear(&bytes);
	buf_add_u32(&bytes, 0);
	buf_add(&bytes, STR(FEED_END));
	buf_add_u64(&bytes, head->n_frames);
	buf_add_u32(&bytes, hash_crc32(0, str_skip(buf_str(&bytes), 4)));
	if (buf_failed(&bytes))
		return -ENOMEM;
	r = write_at(w->fd, buf_str(&bytes), w->at);
	if (r < 0)
		return r;
	if (fsync(w->fd) < 0 || renameat(w->dir_fd, w->temp, w->dir_fd, w->name) < 0)
		return -errno;
	w->temp[0] = '\0';
	return fsync(w->dir_fd) < 0 ? -errno : 0;
}

int feed_writer_commit(struct feed_writer *w, struct feed_head *head,
        void (*told)(void *ctx, str what), void *ctx, struct err *err)
{
	int r = flush(w, err);
	if (r == 0 && !w->is_sorted) {
		r = sort_frames(w, head, told, ctx, err);
		if (r == 0)
			r = flush(w, err);
	}
	if (r < 0)
		return r;
	head->n_frames = w->n;
	head->data_bytes = w->at - FEED_HEADER_BYTES;
	r = complete(w, head);
	return r < 0 ? err_set(err, r, "%s: cannot write: %s", w->name, strerror(-r)) : 0;
}

static void decode_c_text(struct cursor *in, char *to, size_t size)
{
	str text = decode_text(in);
	if (text.n >= size) {
		in->failed = true;
		return;
	}
	if (text.n > 0)
		memcpy(to, text.p, text.n);
	to[text.n] = '\0';
}

static int decode_feed_head(str bytes, struct feed_head *ret)
{
	struct cursor in = CURSOR(bytes);
	str magic = cursor_bytes(&in, sizeof(FEED_MAGIC) - 1);
	uint32_t version = cursor_u32(&in);
	if (!str_eq(magic, STR(FEED_MAGIC)))
		return -ERR_FORMAT;
	struct cursor crc = CURSOR(str_skip(bytes, FEED_HEADER_BYTES - 4));
	if (hash_crc32(0, str_head(bytes, FEED_HEADER_BYTES - 4)) != cursor_u32(&crc))
		return -ERR_FORMAT;
	if (version != FEED_VERSION)
		return -ERR_UNSUPPORTED;
	decode_c_text(&in, ret->source, sizeof(ret->source));
	decode_c_text(&in, ret->kind, sizeof(ret->kind));
	decode_c_text(&in, ret->newest, sizeof(ret->newest));
	decode_c_text(&in, ret->licence, sizeof(ret->licence));
	ret->n_records = cursor_u64(&in);
	if (cursor_u32(&in) != REASON_COUNT)
		return -ERR_UNSUPPORTED;
	for (size_t i = 0; i < REASON_COUNT; i++)
		ret->by_reason[i] = cursor_u64(&in);
	ret->n_bytes = cursor_u64(&in);
	ret->n_frames = cursor_u64(&in);
	ret->data_bytes = cursor_u64(&in);
	return cursor_failed(&in) ? -ERR_FORMAT : 0;
}

static int read_head(struct feed_reader *reader, struct err *err)
{
	struct stat st = { 0 };
	int r = fstat(reader->fd, &st) < 0 ? -errno : 0;
	if (r == 0 && !S_ISREG(st.st_mode))
		return err_set(err, -ERR_FORMAT, "%s: not a regular file", reader->name);
	if (r == 0)
		r = read_at(reader->fd, 0, FEED_HEADER_BYTES, &reader->window);
	if (r == 0)
		r = decode_feed_head(buf_str(&reader->window), &reader->head);
	buf_clear(&reader->window);
	if (r == -ERR_UNSUPPORTED)
		return err_set(
		        err, r, "%s: written by a newer program; update this one", reader->name);
	if (r == -ERR_FORMAT)
		return err_set(
		        err, r, "%s: damaged, or no feed file: import it again", reader->name);
	if (r < 0)
		return err_set(err, r, "%s: cannot read: %s", reader->name, strerror(-r));
	uint64_t frames_end = 0;
	if (__builtin_add_overflow(FEED_HEADER_BYTES, reader->head.data_bytes, &frames_end) ||
	        (uint64_t)st.st_size != frames_end + FEED_TRAILER_BYTES)
		return err_set(err, -ERR_FORMAT, "%s: %lld bytes long, not %llu: import it again",
		        reader->name, (long long)st.st_size,
		        (unsigned long long)(frames_end + FEED_TRAILER_BYTES));
	reader->window_at = FEED_HEADER_BYTES;
	reader->end = frames_end;
	return 0;
}

int feed_reader_open(int dir_fd, const char *name, struct feed_reader **ret, struct err *err)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", name, strerror(errno));
	if (strlen(name) >= FEED_FILE_NAME_SIZE)
		return err_set(err, -ENAMETOOLONG, "%s: name too long", name);
	struct feed_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return err_set(err, -ENOMEM, "%s: out of memory", name);
	reader->fd = fd;
	fd = -1;
	reader->window = BUF(FRAME_MAX_BYTES + 2 * FLUSH_BYTES);
	memcpy(reader->name, name, strlen(name) + 1);
	int r = read_head(reader, err);
	if (r < 0) {
		feed_reader_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void feed_reader_close(struct feed_reader *reader)
{
	if (!reader)
		return;
	(void)close(reader->fd);
	buf_fini(&reader->window);
	free(reader);
}

const struct feed_head *feed_reader_head(const struct feed_reader *reader)
{
	return &reader->head;
}

static int damaged(struct feed_reader *reader, struct err *err)
{
	return err_set(err, -ERR_FORMAT, "%s: frame %llu is damaged: import it again", reader->name,
	        (unsigned long long)reader->n_read);
}

/* Have at least `n` bytes of the window ahead, unless the file ends before. */
static int fill(struct feed_reader *reader, size_t n, struct err *err)
{
	size_t ahead = reader->window.n - reader->used;
	uint64_t at = reader->window_at + reader->window.n;
	uint64_t left = reader->end + FEED_TRAILER_BYTES - at;
	if (ahead >= n)
		return 0;
	if (n - ahead > left)
		return damaged(reader, err);
	if (ahead > 0)
		memmove(reader->window.p, reader->window.p + reader->used, ahead);
	reader->window_at += reader->used;
	reader->window.n = ahead;
	reader->used = 0;
	size_t want = n - ahead > FLUSH_BYTES ? n - ahead : FLUSH_BYTES;
	int r = read_at(reader->fd, at, want < left ? want : (size_t)left, &reader->window);
	if (r == -ERR_FORMAT)
		return damaged(reader, err);
	return r < 0 ? err_set(err, r, "%s: cannot read: %s", reader->name, strerror(-r)) : 0;
}

static int read_trailer(struct feed_reader *reader, struct err *err)
{
	int r = fill(reader, FEED_TRAILER_BYTES, err);
	if (r < 0)
		return r;
	str bytes = str_head(str_skip(buf_str(&reader->window), reader->used), FEED_TRAILER_BYTES);
	struct cursor in = CURSOR(bytes);
	uint32_t zero = cursor_u32(&in);
	str end = cursor_bytes(&in, sizeof(FEED_END) - 1);
	uint64_t n = cursor_u64(&in);
	uint32_t crc = cursor_u32(&in);
	if (zero != 0 || !str_eq(end, STR(FEED_END)) || n != reader->head.n_frames ||
	        n != reader->n_read || crc != hash_crc32(0, str_head(str_skip(bytes, 4), 16)))
		return damaged(reader, err);
	return 0;
}

int feed_reader_next(
        struct feed_reader *reader, str *ret_payload, uint64_t *ret_at, struct err *err)
{
	if (reader->window_at + reader->used >= reader->end)
		return read_trailer(reader, err);
	int r = fill(reader, FRAME_HEAD_BYTES, err);
	if (r < 0)
		return r;
	struct cursor in = CURSOR(str_skip(buf_str(&reader->window), reader->used));
	uint32_t n = cursor_u32(&in), crc = cursor_u32(&in);
	if (n > FRAME_MAX_BYTES || n == 0)
		return damaged(reader, err);
	r = fill(reader, FRAME_HEAD_BYTES + (size_t)n, err);
	if (r < 0)
		return r;
	str payload = { reader->window.p + reader->used + FRAME_HEAD_BYTES, n };
	if (hash_crc32(0, payload) != crc)
		return damaged(reader, err);
	*ret_at = reader->window_at + reader->used + FRAME_HEAD_BYTES;
	reader->used += FRAME_HEAD_BYTES + n;
	reader->n_read++;
	*ret_payload = payload;
	return 1;
}

int feed_reader_read(
        struct feed_reader *reader, uint64_t at, size_t n, struct buf *out, struct err *err)
{
	int r = read_at(reader->fd, at, n, out);
	if (r == -ERR_FORMAT)
		return err_set(err, r, "%s: it shrank while it was read", reader->name);
	return r < 0 ? err_set(err, r, "%s: cannot read: %s", reader->name, strerror(-r)) : 0;
}
