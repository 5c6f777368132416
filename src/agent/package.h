/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * package: what a manifest of a package says of this host, and whose manifests a host believes.
 *
 * A manifest is JSON of schema 2.0 (AWS Systems Manager User Guide, "Create a package in
 * Distributor"): packages by platform, version and architecture, and the files with their digests.
 * Ours also has "name", so that a signed manifest is of one package only.
 */

#include "aws/value.h"
#include "base/hash.h"
#include "model/host.h"

/** Longest name or version of a package, in bytes. */
#define PACKAGE_WORD_MAX 128
/** Largest manifest and largest archive, in bytes. */
#define PACKAGE_MANIFEST_MAX 65536u
#define PACKAGE_ARCHIVE_MAX (UINT64_C(512) << 20)
/** Most keys that a host trusts. */
#define PACKAGE_KEYS_MAX 16
#define PACKAGE_KEY_BYTES 32

/** Keys that may sign manifests: Ed25519. */
struct package_keys {
	char keys[PACKAGE_KEYS_MAX][PACKAGE_KEY_BYTES];
	size_t n;
};

/** What to fetch. Borrows from the manifest. */
struct package_choice {
	str version, file;
	char sha256[SHA256_HEX_SIZE];
	uint64_t bytes;
};

/** Is this a name, a version or a file that can be one component of a path: letters, digits, '.',
 * '_' and '-', not beginning with a dot, at most PACKAGE_WORD_MAX? */
bool package_is_word(str s);

/**
 * Read the keys that the host trusts.
 *
 * In:      path  PEM file of public keys, one behind the other; what else is in it is refused. It
 * has to belong to root or to who runs this, and nobody else may be able to write it Returns: 0;
 * -ERR_FORMAT; -ERR_LIMIT; -EPERM; -errno Source:  RFC 7468 section 13; RFC 8410 section 4
 */
int package_keys_read(const char *path, struct package_keys *ret, struct err *err);

/**
 * Choose the file for a host.
 *
 * In:      manifest  hostile
 *          host      its os_id, os_version and arch
 *          name      of the package that was asked for
 *          version   that was asked for; empty: any
 * Out:     ret       written on success only
 * Returns: 0; -ERR_FORMAT when this is no manifest, or one of another package or version;
 *          -ERR_UNSUPPORTED when it has nothing for this host; -ERR_LIMIT
 */
int package_choose(const struct value *manifest, const struct host *host, str name, str version,
        struct package_choice *ret, struct err *err);
