/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * store: the feed store's files. Written once, in order, under a temporary name; read from front to
 * back. Layout in vulndb/format.h.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "vulndb/format.h"
#include "vulndb/vulndb.h"

/** What a feed file says of itself. */
struct feed_head {
	char source[SOURCE_MAX_BYTES + 1]; /* "osv/PyPI" */
	char kind[16];                     /* row of feeds.def */
	char newest[64];                   /* RFC 3339; empty when there is none */
	char licence[LICENCE_MAX_BYTES + 1];
	uint64_t n_records, by_reason[REASON_COUNT];
	uint64_t n_bytes; /* of upstream's text */
	uint64_t n_frames;
	uint64_t data_bytes; /* of all frames, lengths and checksums included */
};

struct feed_writer;
struct feed_reader;

/** Longest file name that feed_file_name() makes, with the NUL. */
#define FEED_FILE_NAME_SIZE (3 * SOURCE_MAX_BYTES + sizeof(".feed"))

/**
 * The file name of a source: '/' becomes '+', what is not a letter, digit, '-', '_' or '.' becomes
 * %XX, so that two sources never share one.
 */
void feed_file_name(const char *source, char ret[FEED_FILE_NAME_SIZE]);

/**
 * Begin a feed file beside its final place.
 *
 * In:      dir_fd  the store; borrowed until the writer is freed
 * Out:     ret     caller frees with feed_writer_free()
 * Returns: 0; -errno
 */
int feed_writer_new(int dir_fd, const char *source, struct feed_writer **ret, struct err *err);

/** Release; a file not committed is removed. NULL is a no-op. */
void feed_writer_free(struct feed_writer *writer);

/**
 * Add one frame. The order of the calls is free; the file is sorted by key.
 *
 * In:      key, payload  copied; `what` names it in feed_writer_commit()'s calls to `told`
 * Returns: 0; -ERR_LIMIT past RECORDS_MAX or FRAME_MAX_BYTES; -errno (a full disk)
 */
int feed_writer_add(struct feed_writer *writer, str key, str what, str payload, struct err *err);

/**
 * Sort, complete and put the file in its place. Of frames with equal keys the first stays.
 *
 * In:      told  called for each frame left out because its key stands earlier; may be NULL
 * Out:     head  n_frames and data_bytes are set, duplicates moved from used to their own count
 * Returns: 0; -errno: the file that was there before stands
 */
int feed_writer_commit(struct feed_writer *writer, struct feed_head *head,
        void (*told)(void *ctx, str what), void *ctx, struct err *err);

/**
 * Open a feed file and read its head.
 *
 * Out:     ret  caller closes
 * Returns: 0; -ERR_FORMAT when it is damaged, truncated or foreign; -ERR_UNSUPPORTED when a newer
 *          program wrote it; -errno
 */
int feed_reader_open(int dir_fd, const char *name, struct feed_reader **ret, struct err *err);

/** Close. NULL is a no-op. */
void feed_reader_close(struct feed_reader *reader);

/** What the file says of itself. Borrows. */
const struct feed_head *feed_reader_head(const struct feed_reader *reader);

/**
 * Read the next frame.
 *
 * Out:     ret_payload  borrows until the next call
 *          ret_at       where the payload begins in the file, for feed_reader_read()
 * Returns: 1; 0 behind the last; -ERR_FORMAT when it is damaged; -errno
 */
int feed_reader_next(
        struct feed_reader *reader, str *ret_payload, uint64_t *ret_at, struct err *err);

/**
 * Read bytes again that feed_reader_next() has yielded before.
 *
 * Out:     out  appended
 * Returns: 0; -ERR_FORMAT when the file has shrunk; -errno
 */
int feed_reader_read(
        struct feed_reader *reader, uint64_t at, size_t n, struct buf *out, struct err *err);
