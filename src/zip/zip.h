/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * zip: reads archives that may be hostile. Stored and deflated entries, zip64; no encryption, no
 * parts.
 *
 * Sizes are believed only as limits: an entry that is not exactly as long as the directory says, or
 * whose checksum differs, is damaged. docs/decisions/0001-own-zip-reader.md says why this is ours.
 *
 * Source: APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct zip;

/** One entry, as the central directory has it. */
struct zip_entry {
	str name;              /* lives as long as the archive; any bytes */
	uint64_t at;           /* of its local header in the file */
	uint64_t packed, size; /* bytes in the archive and unpacked, as claimed */
	uint32_t crc;
	uint16_t method, flags;
	uint16_t unix_mode; /* type and permissions, as stat() has them; 0: no Unix system wrote it
	                     */
};

/** Is this the entry of a folder? */
static inline bool zip_entry_is_folder(const struct zip_entry *entry)
{
	return entry->name.n > 0 && entry->name.p[entry->name.n - 1] == '/';
}

/**
 * Open an archive and read its directory.
 *
 * In:      fd  a regular file, borrowed until zip_close(); read with pread
 * Out:     ret  caller closes
 * Returns: 0; -ERR_FORMAT when it is no zip, truncated, or its entries overlap;
 *          -ERR_LIMIT when it has more entries, or claims to unpack to more, than a real feed does;
 *          -ERR_UNSUPPORTED for a part of a split archive; -errno
 */
int zip_open(int fd, struct zip **ret, struct err *err);

/** Close; the descriptor stays open. NULL is a no-op. */
void zip_close(struct zip *zip);

/** The entries, folders included, in the order of the directory. */
const struct zip_entry *zip_entries(const struct zip *zip, size_t *ret_count);

/**
 * Unpack one entry.
 *
 * In:      entry  of this archive
 * Out:     out    replaced by the entry's bytes; its maximum is the limit
 * Returns: 0; -ERR_FORMAT when the entry is damaged;
 *          -ERR_UNSUPPORTED when it is encrypted or packed in another way;
 *          -ERR_LIMIT when it claims to be larger than `out` may grow; -errno
 */
int zip_read(struct zip *zip, const struct zip_entry *entry, struct buf *out, struct err *err);
