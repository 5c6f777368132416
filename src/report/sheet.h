/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sheet: a table whose rows each have a path, laid out for the terminal there is. A path is never
 * cut and never left out: where it does not fit behind its row, it stands above the rows that share
 * it.
 */

#include "base/arena.h"
#include "report/columns.h"

/** Most columns of a sheet, the path's not counted. */
#define SHEET_COLUMNS_MAX 8

/** A sheet being filled. */
struct sheet {
	struct arena *arena;
	const struct column *columns; /* without the path's */
	size_t n_columns;
	size_t path_at; /* before which column PATH stands when it has one; n_columns is behind all
	                 */
	struct cell *cells;
	str *paths; /* per row, escaped */
	size_t n_rows, max_rows;
};

/**
 * Make an empty sheet.
 *
 * In:      arena     takes everything
 *          columns   n_columns titles, static
 *          max_rows  as many rows as will be added at most
 * Out:     ret       written on success only
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int sheet_new(struct arena *arena, const struct column *columns, size_t n_columns, size_t path_at,
        size_t max_rows, struct sheet *ret);

/**
 * Add a row.
 *
 * In:      cells  n_columns of them; raw bytes, escaped here; an empty one becomes "-"
 *          path   raw bytes
 * Returns: 0; -ERR_LIMIT
 */
int sheet_add(struct sheet *sheet, const struct cell *cells, str path);

/**
 * Write all rows, in their order.
 *
 * In:      width  columns of the terminal; 0: one line a row, nothing cut
 * Returns: 0; -ENOMEM; -ERR_LIMIT
 */
int sheet_write(const struct sheet *sheet, unsigned width, bool colour, struct buf *out);
