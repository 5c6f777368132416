/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsmartcols aligns, and nothing else: it is not told that there is a terminal, so that it cuts
 * nothing. It measures text in the locale, which a room must not choose for the program; so one of
 * our own holds for this thread and this call alone. Its encoding of what cannot be printed stays
 * on, because without it some text makes it run for ever; what text_escape() writes it leaves
 * alone, but for characters that the C library does not know yet.
 */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "report/columns.h"

static void unref(struct libscols_table *const *table)
{
	scols_unref_table(*table);
}

/* The library takes C strings. */
static int set_cell(struct libscols_line *line, size_t k, const struct cell *cell, bool colour)
{
	autofree char *text = strndup(cell->text.p, cell->text.n);
	if (!text || scols_line_refer_data(line, k, text) != 0)
		return -ENOMEM;
	text = NULL; /* the line's now */
	if (colour && cell->colour &&
	        scols_cell_set_color(scols_line_get_cell(line, k), cell->colour) != 0)
		return -ENOMEM;
	return 0;
}

static int add_titles(struct libscols_table *table, const struct columns *columns)
{
	for (size_t k = 0; k < columns->n_columns; k++) {
		const struct column *from = &columns->columns[k];
		int flags = from->is_right ? SCOLS_FL_RIGHT : 0;
		struct libscols_column *c = scols_table_new_column(table, from->title, 0, flags);
		if (!c)
			return -ENOMEM;
		if (columns->colour &&
		        scols_cell_set_color(scols_column_get_header(c), "\033[1m") != 0)
			return -ENOMEM;
	}
	return 0;
}

static int fill(struct libscols_table *table, const struct columns *columns)
{
	if (scols_table_set_column_separator(table, "  ") != 0 ||
	        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER) != 0 ||
	        scols_table_enable_colors(table, columns->colour) != 0)
		return -ENOMEM;
	int r = add_titles(table, columns);
	for (size_t i = 0; r == 0 && i < columns->n_rows; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);
		if (!line)
			return -ENOMEM;
		for (size_t k = 0; r == 0 && k < columns->n_columns; k++)
			r = set_cell(line, k, &columns->cells[i * columns->n_columns + k],
			        columns->colour);
	}
	return r;
}

static int print(const struct columns *columns, struct buf *out)
{
	cleanup(unref) struct libscols_table *table = scols_new_table();
	char *printed = NULL;
	int r = table ? fill(table, columns) : -ENOMEM;
	if (r == 0 && scols_print_table_to_string(table, &printed) != 0)
		r = -ENOMEM;
	autofree char *text = printed;
	if (r < 0)
		return r;
	buf_add(out, str_from_c(text));
	buf_add_byte(out, '\n');
	return buf_failed(out) ? -ENOMEM : 0;
}

int columns_smartcols(const struct columns *columns, struct buf *out)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 == (locale_t)0)
		return -ENOSYS;
	locale_t before = uselocale(utf8);
	int r = print(columns, out);
	(void)uselocale(before);
	freelocale(utf8);
	return r;
}
