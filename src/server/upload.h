/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * upload: inventories of hosts on their way in: compressed, in pieces, each kept in a spool file
 * until it is whole. An upload can be gone on with after any interruption but a restart of the
 * server, which clears the spool; the host then begins anew.
 *
 * What arrives is hostile: sizes are said beforehand and bounded, the decompressor's window is
 * capped, and nothing is believed whose digest is not the one that was announced.
 *
 * Threads: any; a lock of its own, not held while files are written or read
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/** Bytes of an upload, compressed and not. */
#define UPLOAD_COMPRESSED_MAX (UINT64_C(64) << 20)
#define UPLOAD_BYTES_MAX (UINT64_C(512) << 20)
/** How much larger it may become, beside UPLOAD_RATIO_FREE bytes. */
#define UPLOAD_RATIO_MAX 256
#define UPLOAD_RATIO_FREE (UINT64_C(1) << 20)
/** Bytes of one piece. */
#define UPLOAD_CHUNK_BYTES (UINT64_C(768) << 10)
/** Uploads at once: of one host, and in all; and bytes of the spool and of memory in all. */
#define UPLOADS_A_HOST 2
#define UPLOADS_MAX 1024
#define UPLOADS_SPOOL_BYTES (UINT64_C(4) << 30)
#define UPLOADS_UNPACKED_BYTES (UINT64_C(768) << 20)
/** Seconds after which an upload that nobody goes on with is forgotten. */
#define UPLOAD_IDLE_S 3600

struct uploads;

/** What is announced. */
struct upload_plan {
	uint64_t host;
	char hash[65]; /* SHA-256 of the inventory as it is, hexadecimal */
	char capture_time[32];
	int64_t captured_at;
	uint64_t compressed_bytes, bytes;
};

/**
 * Begin with an empty spool: the folder is made, and what is in it deleted.
 *
 * In:      folder  the spool's own: "<data>/spool"
 * Returns: 0; -ENOMEM; -errno
 */
int uploads_open(const char *folder, struct uploads **ret, struct err *err);

/** Forget every upload. No other call may run. NULL is a no-op. */
void uploads_close(struct uploads *uploads);

/**
 * Begin an upload, or go on with the one of the same host, hash and sizes. A host's oldest gives
 * way when it has too many.
 *
 * Out:     ret_id    its UUID
 *          ret_next  where it goes on: how many bytes are here
 * Returns: 0; -ERR_LIMIT when a size or the ratio is larger than is accepted; -EAGAIN when there
 *          are too many uploads; -errno of the spool
 */
int upload_start(struct uploads *uploads, const struct upload_plan *plan, int64_t now_at,
        char ret_id[37], uint64_t *ret_next, struct err *err);

/**
 * Take a piece. One that is here already is good again; pieces may overlap.
 *
 * Out:     ret_next  where it goes on; also with -ERANGE
 * Returns: 0; -ENOENT when the host has no such upload; -ERANGE when the piece begins behind what
 * is here, or ends behind the announced end; -EBUSY when another piece is being taken, or it is
 * being completed; -errno of the spool
 */
int upload_put(struct uploads *uploads, uint64_t host, str id, uint64_t offset, str bytes,
        int64_t now_at, uint64_t *ret_next, struct err *err);

/** What an upload came to, kept for a while so that a host may ask again. */
enum upload_end { UPLOAD_OPEN, UPLOAD_TAKEN, UPLOAD_STALE };

/**
 * Take an upload that is whole, unpacked and with the announced digest. Until upload_end() no other
 * call has it.
 *
 * Out:     ret_plan, out  appended: the inventory
 *          ret_end        other than UPLOAD_OPEN: it was ended before; nothing else is written, and
 *                         upload_end() must not follow
 *          ret_next       where it goes on, with -ERANGE
 * Returns: 0; -ENOENT; -ERANGE when it is not whole; -EBUSY as upload_put(); -EAGAIN when memory
 * for unpacking is taken; -ERR_FORMAT when it is not what was announced: it is forgotten; -ENOMEM;
 * -errno of the spool
 */
int upload_take(struct uploads *uploads, uint64_t host, str id, int64_t now_at,
        struct upload_plan *ret_plan, struct buf *out, enum upload_end *ret_end, uint64_t *ret_next,
        struct err *err);

/** End what upload_take() gave. In: end  UPLOAD_OPEN: it was not accepted for a reason that may
 * pass, and can be completed again */
void upload_end(struct uploads *uploads, uint64_t host, str id, enum upload_end end);

/**
 * Unpack one zstd frame that makes up all of a descriptor.
 *
 * In:      compressed_bytes, bytes  the announced sizes
 * Out:     out  appended, exactly `bytes`
 * Returns: 0; -ERR_FORMAT when it is anything else, wants a window of more than 8 MiB, or has
 *          another size; -ERR_LIMIT when `out` may not grow so far; -ENOMEM; -errno
 */
int upload_unpack(
        int fd, uint64_t compressed_bytes, uint64_t bytes, struct buf *out, struct err *err);
