/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * probe: one artefact made in memory, which can lie, fail and run on for ever, and what a reader
 * says of it. For tests of one reader.
 */

#include "base/buf.h"
#include "inventory/inventory.h"

/** What the file is and what came of reading it. Initialise with PROBE(); release with
 * probe_fini(). */
struct probe {
	str path;
	str bytes;           /* what stands in the file */
	uint64_t size_bytes; /* what it claims; 0: as many as there are */
	char filler;         /* not NUL: stands behind `bytes` up to size_bytes */
	int read_error;      /* < 0: what every read returns */
	int sink_error;      /* < 0: what the sink returns for a package */
	size_t arena_bytes;  /* cap of the job's memory */

	uint64_t n_read_bytes; /* handed to the reader */
	size_t n_packages, n_notes;
	struct buf
	        packages; /* a line each: name, version, confidence, licence, note; parted by '|' */
	struct buf notes; /* a line each: where, what; parted by ' ' */
	struct err err;
};

#define PROBE(at, text)                                                                            \
	((struct probe){ .path = (at),                                                             \
	        .bytes = (text),                                                                   \
	        .arena_bytes = (size_t)64 << 20,                                                   \
	        .packages = BUF((size_t)1 << 20),                                                  \
	        .notes = BUF((size_t)1 << 20) })

/** Release. A zeroed probe is a no-op. */
void probe_fini(struct probe *probe);

/** Let a reader read it. Returns: what the reader returned */
int probe_read(struct probe *probe, const struct reader *reader);

/** Fail the test unless exactly these package lines (or notes) came; "" for none. */
void probe_expect(const struct probe *probe, const char *packages, const char *notes);
