/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "report/columns.h"
#include "base/text.h"

static void add_blanks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_add_byte(out, ' ');
}

/* One cell and the blanks behind it; the last column has none. */
static void add_cell(struct buf *out, const struct column *column, const struct cell *cell,
        size_t width, bool is_last)
{
	size_t fill = width - text_width(cell->text);
	if (column->is_right)
		add_blanks(out, fill);
	buf_add(out, str_from_c(cell->colour));
	buf_add(out, cell->text);
	if (cell->colour)
		buf_add(out, STR("\033[0m"));
	if (is_last)
		buf_add_byte(out, '\n');
	else
		add_blanks(out, (column->is_right ? 0 : fill) + 2);
}

static size_t width_of(const struct columns *c, size_t k)
{
	size_t widest = strlen(c->columns[k].title);
	for (size_t i = 0; i < c->n_rows; i++) {
		size_t width = text_width(c->cells[i * c->n_columns + k].text);
		widest = width > widest ? width : widest;
	}
	return widest;
}

int columns_plain(const struct columns *c, struct buf *out)
{
	autofree size_t *widths = calloc(c->n_columns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (size_t k = 0; k < c->n_columns; k++) {
		widths[k] = width_of(c, k);
		struct cell title = { .text = str_from_c(c->columns[k].title) };
		if (c->colour)
			title.colour = "\033[1m";
		add_cell(out, &c->columns[k], &title, widths[k], k + 1 == c->n_columns);
	}
	for (size_t i = 0; i < c->n_rows * c->n_columns; i++) {
		size_t k = i % c->n_columns;
		struct cell cell = c->cells[i];
		if (!c->colour)
			cell.colour = NULL;
		add_cell(out, &c->columns[k], &cell, widths[k], k + 1 == c->n_columns);
	}
	return buf_failed(out) ? -ENOMEM : 0;
}
