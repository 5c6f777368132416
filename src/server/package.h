/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * package: the packages that `aws:configurePackage` installs and that this server hosts itself:
 * <data>/packages/<name>/<version>/ with manifest.json (schema 2.0), the archives it names, and
 * signatures. scripts/package-plugin makes them. Only names that cannot leave the folder are looked
 * at.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "server/server.h"

/** Where packages are fetched: "/packages/<name>/<version>/<file>" below the server's address. */
#define PACKAGE_PREFIX "/packages/"

/** Longest manifest, in bytes; most versions of one package that are looked at. */
#define PACKAGE_MANIFEST_MAX 65536u
#define PACKAGE_VERSIONS_MAX 100

/** One version of a package. */
struct package_version {
	str name, version; /* "1.0.904.0" */
	int64_t made_at;   /* of its manifest */
	str manifest;      /* its text */
};

/**
 * List the versions of a package that have a manifest, oldest first.
 *
 * Out:     ret, ret_count  arena; none is no error
 * Returns: 0; -ERR_LIMIT; -errno
 */
int package_versions(const struct server *server, str name, struct arena *arena,
        struct package_version **ret, size_t *ret_count, struct err *err);

/**
 * Open a file of a package for GET.
 *
 * In:      path  what follows PACKAGE_PREFIX: "<name>/<version>/<file>"; hostile
 * Out:     ret_fd     a regular file; the caller closes
 *          ret_bytes  its size
 * Returns: 0; -ENOENT for what is not there, and for any path of another form; -errno
 */
int package_open(const struct server *server, str path, int *ret_fd, uint64_t *ret_bytes);
