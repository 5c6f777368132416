/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tree: run the readers over a folder taken as "/", without walk/ and without processes, and keep
 * what they say. For tests; the order of everything is that of the sorted paths.
 */

#include "base/buf.h"
#include "inventory/inventory.h"

/** What was found. Initialise with TREE; release with tree_fini(). */
struct tree {
	struct arena arena; /* holds everything below */
	struct package *packages;
	size_t n_packages, cap;
	struct buf owned;   /* "owned <owner> <path>" lines */
	struct buf notes;   /* "note <path>:<where> <what>" lines */
	struct buf errors;  /* "error <class> <path>: <text>" lines */
	size_t n_artefacts; /* files handed to a reader */
	size_t n_siblings;  /* siblings opened */
	str path;           /* of the artefact being read */
	str reader;
};

#define TREE                                                                                       \
	((struct tree){ .arena = ARENA((size_t)1 << 30),                                           \
	        .owned = BUF((size_t)256 << 20),                                                   \
	        .notes = BUF((size_t)256 << 20),                                                   \
	        .errors = BUF((size_t)16 << 20) })

/** Release. A zeroed tree is a no-op. */
void tree_fini(struct tree *tree);

/**
 * Offer every regular file below `root` to inventory_select() and read what a reader wants.
 *
 * In:      reader  only this one, by name; NULL: all
 *          below   only this folder inside the root ("/var/lib/dpkg"); NULL: the whole root
 * Returns: 0; -errno when a folder cannot be read
 */
int tree_scan(struct tree *tree, const char *root, const char *reader, const char *below);

/**
 * Read one file with one reader whatever its path would select.
 *
 * In:      root, path  as in tree_scan: "/var/lib/dpkg/status"
 * Returns: 0, also when the reader fails: that is an error line; -errno when it cannot be opened
 */
int tree_read(struct tree *tree, const char *root, const char *path, const struct reader *reader);

/**
 * Read bytes as if they were a file, with no siblings.
 *
 * Returns: what the reader returned; its sentence is an error line
 */
int tree_read_bytes(struct tree *tree, const char *path, str bytes, const struct reader *reader);

/** Add a package line: fields parted by a tab, "-" for empty, odd bytes as \xNN. */
void tree_print_package(const struct package *pkg, struct buf *out);

/** Everything as text: packages, owned, notes, errors. */
void tree_print(const struct tree *tree, struct buf *out);
