/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of this room share: a folder of their own, files and zips in it, and a listener.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "vulndb/vulndb.h"

#include "../zip/zips.h"

/* cmocka setup and teardown: *state is the path of a new folder, removed with all in it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* "<scratch>/<printf>", one of a few buffers that are used in turn. */
const char *in_scratch(void **state, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Write a file, its folders made. */
void write_file(const char *path, str bytes);

/* Read a file; fails the test if there is none. */
void read_file(const char *path, struct buf *out);

/* How many names in a folder end like this. */
size_t count_files(const char *dir, const char *tail);

/* Flip bits of one byte. */
void flip_byte(const char *path, uint64_t at, unsigned char mask);

/* Write a zip of (name, text) pairs, NULL-terminated: "A.json", "{...}", "B.json", ..., NULL. */
void write_zip(const char *path, ...);

/* gzip */
void make_gzip(str text, struct buf *out);

/* Everything a listener was told, as text: "source NAME n_records used reason=n ... [problem]" and
 * so on. */
struct told {
	struct import_listener listener;
	struct buf sources, records, ignored;
	uint64_t done, all, n_progress;
	struct import_result last; /* of the last source */
};
void told_init(struct told *told);
void told_fini(struct told *told);
bool told_has(const struct buf *text, const char *part);

/* Import one path, and fail the test if that fails. */
void import_path(void **state, const char *path, struct told *told);

/* Import, build and open "<scratch>/db". */
struct vulndb *open_built(void **state, const char *path);

/* The folder of reference data, or NULL. */
const char *shared_folder(void);
