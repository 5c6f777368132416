/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * package_store: the packages of a host that came from the server, in the state folder:
 *
 *   packages/<name>/lock               held by who changes it
 *   packages/<name>/installed          the version that is installed, a line; while scripts run a
 *                                      second line says "changing"
 *   packages/<name>/versions/<version> what was in its archive
 *   packages/<name>/new                an archive being unpacked; nobody looks into it
 *
 * Each step is one rename, so that whatever is cut off leaves the old or the new.
 */

#include "agent/package.h"
#include "agent/state.h"

/** Most entries of an archive, deepest path, and bytes of all its files together. */
#define PACKAGE_ENTRIES_MAX 20000u
#define PACKAGE_DEPTH_MAX 16u
#define PACKAGE_UNPACKED_MAX (UINT64_C(1) << 30)
/** Largest file in an archive, in bytes: it is unpacked in memory. */
#define PACKAGE_FILE_MAX ((size_t)256 << 20)

/** The folder of one package, locked. Close with package_store_close(). */
struct package_store {
	int dir, lock; /* -1: not open */
	char path[4096];
};

/**
 * Open the folder of a package and take its lock; it is made when it is not there.
 *
 * In:      name  package_is_word()
 * Returns: 0; -EBUSY when another job changes the package; -errno
 */
int package_store_open(
        const struct state *state, str name, struct package_store *ret, struct err *err);

/** Close; a closed one is a no-op. */
void package_store_close(struct package_store *store);

/**
 * Which version is installed?
 *
 * Out:     ret_version      its word and a NUL; written on 1 only
 *          ret_is_changing  scripts were cut off: what they left is not known
 * Returns: 1; 0 none is; -errno; -ERR_FORMAT
 */
int package_store_installed(const struct package_store *store,
        char ret_version[PACKAGE_WORD_MAX + 1], bool *ret_is_changing, struct err *err);

/**
 * Say which version is installed, durably.
 *
 * In:      version  NULL: none any more
 */
int package_store_record(
        const struct package_store *store, const char *version, bool is_changing, struct err *err);

/**
 * An empty file without a name, for a download.
 *
 * Returns: a descriptor that the caller closes; -errno
 */
int package_store_file(const struct package_store *store, struct err *err);

/**
 * Unpack an archive as a version; one that is there already is replaced as a whole.
 *
 * In:      fd       a zip, hostile: regular files and folders only, relative paths without dots,
 * each name once, within the limits above; anything else and nothing is unpacked version
 * package_is_word() Returns: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_UNSUPPORTED; -errno
 */
int package_store_unpack(
        const struct package_store *store, int fd, const char *version, struct err *err);

/** Has that version this file? */
bool package_store_has(const struct package_store *store, const char *version, const char *file);

/**
 * Remove what was unpacked of every version but one, also what an earlier job was cut off with.
 *
 * In:      version  NULL: of all
 * Returns: 0; -errno of the first that stays
 */
int package_store_prune(const struct package_store *store, const char *version);
