/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * wire: what the walker's process and a parser's process say to each other.
 *
 * One SOCK_SEQPACKET socket per parser; a message is one packet: a byte of type, then fields as
 * buf_add_*() writes them. A descriptor travels with the two messages that carry a file. The parser
 * speaks only when asked, and the walker believes nothing it says: every length, count and
 * enumerator is checked.
 */

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "model/package.h"

/** Largest packet, in bytes. */
#define WIRE_MAX ((size_t)64 << 10)

/** Longest string of a package that travels, in bytes; a longer one is a note instead. */
#define WIRE_STR_MAX ((size_t)4096)

/** First byte of a packet. */
enum wire_type {
	WIRE_JOB = 1, /* to the parser, with a descriptor: read this artefact */
	WIRE_SIBLING, /* to the parser, with a descriptor when it was opened: the answer to WIRE_ASK
	               */
	WIRE_ASK,     /* from the parser: open the sibling of this name */
	WIRE_RESULTS, /* from the parser: records, any number */
	WIRE_DONE,    /* from the parser: the artefact is read; code and sentence */
};

/** First byte of a record inside WIRE_RESULTS. */
enum wire_record {
	WIRE_PACKAGE = 1,
	WIRE_NOTE,
	WIRE_OWNED,
	WIRE_SKIP,
};

/** A file as it is described on the wire. */
struct wire_file {
	uint32_t reader; /* index into reader_all(); jobs only */
	int32_t code;    /* answers only: 0 or -errno */
	uint64_t size_bytes, dev, ino;
	str path;
};

/**
 * Send one packet, with a descriptor or none (fd < 0).
 *
 * Returns: 0; -errno (-EPIPE when the other side is gone)
 */
int wire_send(int socket, str packet, int fd);

/**
 * Receive one packet.
 *
 * In:      packet   cleared first; its maximum must be WIRE_MAX
 * Out:     ret_fd   the descriptor that came with it, which the caller closes; -1 for none
 * Returns: 1; 0 when the other side has closed; -errno
 */
int wire_receive(int socket, struct buf *packet, int *ret_fd);

/** Write a file's description behind a type byte. */
void wire_put_file(struct buf *out, enum wire_type type, const struct wire_file *file);

/** Read what wire_put_file() wrote, without the type byte. False when it is cut short. */
bool wire_get_file(struct cursor *cursor, struct wire_file *ret);

/** Write a package record. False, and nothing written, when a string is longer than WIRE_STR_MAX.
 */
bool wire_put_package(struct buf *out, const struct package *pkg);

/**
 * Read what wire_put_package() wrote, without the record byte.
 *
 * Out:     ret  strings borrow from the packet
 * Returns: false when it is cut short or lacks type, name or version
 */
bool wire_get_package(struct cursor *cursor, struct package *ret);
