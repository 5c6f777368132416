/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * manifest: what files make up a database. A JSON text whose last member is the digest of all bytes
 * before it, in every version of the format, so that damage and novelty can be told apart.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "vulndb/vulndb.h"

/** How much a source says about one ecosystem. */
struct manifest_ecosystem {
	str name;   /* with the release: "Debian:12" */
	uint64_t n; /* affected packages */
};

/** One file. */
struct manifest_file {
	str name, sha256; /* hexadecimal */
	uint64_t bytes;
};

/** One source. Strings live where the call that yields them says. */
struct manifest_source {
	str name, kind, newest, licence;
	struct manifest_file file;
	uint64_t n_records, by_reason[REASON_COUNT];
	const struct manifest_ecosystem *ecosystems; /* sorted by name */
	size_t n_ecosystems;
};

/** A whole manifest. */
struct manifest {
	str built_at;
	char digest[SHA256_HEX_SIZE];
	struct manifest_source *sources; /* sorted by name */
	size_t n_sources;
	struct manifest_file filter; /* which ids each source may name */
};

/** The i-th file: those of the sources in their order, and last the filter; NULL behind it. */
const struct manifest_file *manifest_file_at(const struct manifest *manifest, size_t i);

/**
 * Write a manifest.
 *
 * In:      manifest  all but the digest
 * Out:     out       appended
 *          manifest  its digest
 */
void manifest_write(struct manifest *manifest, struct buf *out);

/**
 * Read a manifest.
 *
 * In:      path  for messages
 * Out:     ret   arena
 * Returns: 0; -ERR_FORMAT when it is damaged or foreign; -ERR_UNSUPPORTED when a newer program made
 * it; -ERR_LIMIT when the arena is full
 */
int manifest_read(
        str text, const char *path, struct arena *arena, struct manifest *ret, struct err *err);

/** How many affected packages a source names for an ecosystem; 0 when it does not know it. */
uint64_t manifest_coverage(const struct manifest_source *source, str ecosystem);

/** Is this the name of a file that a build may have made, and a later one may remove? */
bool manifest_is_data_file(str name);
