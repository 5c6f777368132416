/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of this room share: a folder of their own, a backend to test, short ways to write
 * records. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "store/backend.h"
#include "store/store.h"

/* The backend that the tests of a program run on, and where. *state of each test. */
struct place {
	const struct store_backend *backend;
	char *scratch, *folder; /* folder is below scratch and not there yet */
	struct arena names;
};

/* cmocka setup and teardown: a new place. The backend is store_sqlite until run_on_each(). */
int place_setup(void **state);
int place_teardown(void **state);

#define on_place(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

/* "<scratch>/<printf>", in memory of the place. */
const char *in_scratch(void **state, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Open the place's store, making it; fails the test if that fails. */
struct store *open_store(void **state);

/* A key of account 1, bucket 2. */
struct store_key key_of(int kind, const char *key);

/* Commit one put; returns what store_commit() does. */
int put(struct store *store, struct store_key key, str value);

/* Does the record hold this? NULL: it is not there. */
void expect_record(struct store *store, struct store_key key, const char *value);

/* All keys of a range, joined by spaces, in memory of the caller. */
void list_keys(struct store *store, const struct store_range *range, struct buf *out);

/* The size of a file; -1 when there is none. */
int64_t size_of(const char *path);

/* Write a whole file in the place of another. */
void write_file(const char *path, str bytes);

/* Write bytes at an offset of a file. */
void patch(const char *path, int64_t at, str bytes);

/* Run fn in a process of its own. Returns: its status, as waitpid(). */
int run_in_child(bool (*fn)(void *ctx), void *ctx);

/* Numbers that are the same in each run. */
uint64_t next_random(uint64_t *seed);

/* In a child: say what did not hold, and fail. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(                                                             \
			        stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			return false;                                                              \
		}                                                                                  \
	} while (0)
