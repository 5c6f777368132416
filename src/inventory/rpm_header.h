/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rpm_header: what an rpm header says of one package. The same bytes whatever database holds them.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/** Largest header that is read, in bytes; rpm itself stops at four times as much. */
#define RPM_HEADER_MAX ((size_t)64 << 20)

/** Zero-terminated strings in a row, as the header stores an array. */
struct rpm_strings {
	str bytes; /* up to the end of the store: the count says how many strings of it belong here
	            */
	uint32_t count;
};

/** One header. Every string borrows from the header's bytes; empty when the tag is not there. */
struct rpm_header {
	str name, version, release, arch;
	str vendor, licence;
	str source_rpm; /* "bash-5.1.8-9.el9.src.rpm" */
	str module;     /* modularity label */
	bool has_epoch;
	uint32_t epoch;
	struct rpm_strings base_names, dir_names;
	str dir_indexes;              /* 4 bytes, big-endian, for each base name */
	struct rpm_strings old_names; /* whole paths: headers made before rpm 4 */
};

/**
 * Read a header without its magic, as databases hold it.
 *
 * In:      bytes  hostile
 * Out:     ret  borrows from `bytes`
 * Returns: 0; -ERR_FORMAT when the index or a value does not lie within the bytes; -ERR_LIMIT
 * Source:  rpm, docs/manual/format_header.md and tags.md
 */
int rpm_header_read(str bytes, struct rpm_header *ret, struct err *err);

/**
 * Go through the files of a header.
 *
 * In:      scratch   takes an index of folders
 *          max       most files that are gone through
 *          file      called with each path, borrowed for the call; < 0 ends it
 * Out:     ret_count how many there were; written also on failure
 * Returns: 0; -ERR_FORMAT when the lists do not fit together; -ERR_LIMIT; what `file` returned
 */
int rpm_header_each_file(const struct rpm_header *header, struct arena *scratch, uint64_t max,
        int (*file)(void *ctx, str path), void *ctx, uint64_t *ret_count, struct err *err);
