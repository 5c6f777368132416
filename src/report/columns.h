/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * columns: rows of cells, aligned. Drawn by libsmartcols where there is one to link with, and by
 * ourselves in the static program; docs/decisions/0002-terminal-tables.md says why there are two.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/** One column. */
struct column {
	const char *title;
	bool is_right; /* numbers */
	bool may_cut;  /* may lose its middle where the terminal is narrow */
};

/** One cell: text that text_escape() wrote, not empty. */
struct cell {
	str text;
	const char *colour; /* escape sequence, static; NULL for none */
};

/** Rows of cells: n_rows * n_columns of them, a row behind the other. Borrows everything. */
struct columns {
	const struct column *columns;
	size_t n_columns;
	const struct cell *cells;
	size_t n_rows;
	bool colour; /* titles are bold, and cells have their colour */
};

/**
 * Write a line of titles and one line per row, two blanks between columns, nothing cut.
 *
 * Out:     out  appended
 * Returns: 0; -ENOMEM
 */
int columns_write(const struct columns *columns, struct buf *out);

/**
 * columns_write() by libsmartcols; only where the build found it.
 *
 * Returns: 0; -ENOMEM; -ENOSYS when there is no locale in which it can measure text: nothing is
 * written
 */
int columns_smartcols(const struct columns *columns, struct buf *out);

/** columns_write() by our own means. Returns: 0; -ENOMEM */
int columns_plain(const struct columns *columns, struct buf *out);
