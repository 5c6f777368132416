/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two layouts. Where everything fits, or there is no terminal, PATH is a column. Else each path is
 * a line of its own, once for a run of rows that share it, and the rows under it are indented; if
 * they are still too wide, the columns that may be cut lose their middle, widest first, down to
 * CUT_MIN.
 */
#include "report/sheet.h"

#include <errno.h>

#include "base/text.h"

#define GAP 2    /* blanks between columns */
#define INDENT 2 /* of rows under their path */
#define CUT_MIN 12

int sheet_new(struct arena *arena, const struct column *columns, size_t n_columns, size_t path_at,
        size_t max_rows, struct sheet *ret)
{
	struct sheet sheet = { .arena = arena,
		.columns = columns,
		.n_columns = n_columns,
		.path_at = path_at,
		.max_rows = max_rows };
	size_t n_cells;
	if (n_columns > SHEET_COLUMNS_MAX || __builtin_mul_overflow(max_rows, n_columns, &n_cells))
		return -ERR_LIMIT;
	sheet.cells = arena_alloc(arena, n_cells, sizeof(*sheet.cells));
	sheet.paths = arena_alloc(arena, max_rows, sizeof(*sheet.paths));
	if (!sheet.cells || !sheet.paths)
		return -ERR_LIMIT;
	*ret = sheet;
	return 0;
}

static int escape(struct arena *arena, str raw, str *ret)
{
	autobuf text = BUF(raw.n * 4 + 4);
	text_escape(&text, raw);
	if (raw.n == 0)
		buf_add_byte(&text, '-');
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(arena, buf_str(&text), ret);
}

int sheet_add(struct sheet *sheet, const struct cell *cells, str path)
{
	struct cell *row = &sheet->cells[sheet->n_rows * sheet->n_columns];
	if (sheet->n_rows == sheet->max_rows)
		return -ERR_LIMIT;
	int r = escape(sheet->arena, path, &sheet->paths[sheet->n_rows]);
	for (size_t k = 0; r == 0 && k < sheet->n_columns; k++) {
		row[k] = cells[k];
		r = escape(sheet->arena, cells[k].text, &row[k].text);
	}
	if (r == 0)
		sheet->n_rows++;
	return r;
}

/* Width of each column with its title, and of the paths; returns the sum with gaps, without paths.
 */
static size_t measure(const struct sheet *sheet, size_t *ret_widths, size_t *ret_path)
{
	size_t sum = 0;
	*ret_path = strlen("PATH");
	for (size_t k = 0; k < sheet->n_columns; k++)
		ret_widths[k] = strlen(sheet->columns[k].title);
	for (size_t i = 0; i < sheet->n_rows; i++) {
		size_t width = text_width(sheet->paths[i]);
		*ret_path = width > *ret_path ? width : *ret_path;
		for (size_t k = 0; k < sheet->n_columns; k++) {
			width = text_width(sheet->cells[i * sheet->n_columns + k].text);
			ret_widths[k] = width > ret_widths[k] ? width : ret_widths[k];
		}
	}
	for (size_t k = 0; k < sheet->n_columns; k++)
		sum += ret_widths[k] + (k > 0 ? GAP : 0);
	return sum;
}

static const struct column path_column = { .title = "PATH" };

static struct cell path_cell(const struct sheet *sheet, size_t row)
{
	return (struct cell){ .text = sheet->paths[row] };
}

static int write_in_columns(const struct sheet *sheet, bool colour, struct buf *out)
{
	size_t n = sheet->n_columns + 1;
	struct column columns[SHEET_COLUMNS_MAX + 1];
	struct cell *cells = arena_alloc(sheet->arena, sheet->n_rows * n, sizeof(*cells));
	if (!cells)
		return -ERR_LIMIT;
	for (size_t k = 0; k < n; k++) {
		bool is_path = k == sheet->path_at;
		size_t from = k > sheet->path_at ? k - 1 : k;
		columns[k] = is_path ? path_column : sheet->columns[from];
		for (size_t i = 0; i < sheet->n_rows; i++)
			cells[i * n + k] = is_path ? path_cell(sheet, i)
			                           : sheet->cells[i * sheet->n_columns + from];
	}
	struct columns all = { columns, n, cells, sheet->n_rows, colour };
	return columns_write(&all, out);
}

/* Take columns from the widest that may be cut until the rows fit, or no more can be taken. */
static void shrink(const struct sheet *sheet, size_t *widths, size_t sum, size_t width)
{
	while (sum > width) {
		size_t widest = SHEET_COLUMNS_MAX;
		for (size_t k = 0; k < sheet->n_columns; k++) {
			if (sheet->columns[k].may_cut && widths[k] > CUT_MIN &&
			        (widest == SHEET_COLUMNS_MAX || widths[k] > widths[widest]))
				widest = k;
		}
		if (widest == SHEET_COLUMNS_MAX)
			return;
		widths[widest]--;
		sum--;
	}
}

static int cut(const struct sheet *sheet, const size_t *widths, struct cell *ret_cells)
{
	for (size_t i = 0; i < sheet->n_rows * sheet->n_columns; i++) {
		struct cell cell = sheet->cells[i];
		size_t width = widths[i % sheet->n_columns];
		if (text_width(cell.text) > width) {
			autobuf text = BUF(cell.text.n + 4);
			text_cut_middle(&text, cell.text, width);
			if (buf_failed(&text) ||
			        arena_copy(sheet->arena, buf_str(&text), &cell.text) < 0)
				return -ERR_LIMIT;
		}
		ret_cells[i] = cell;
	}
	return 0;
}

static void add_path(struct buf *out, str path, bool colour)
{
	buf_add(out, colour ? STR("\033[1m") : STR(""));
	buf_add(out, path);
	buf_add(out, colour ? STR("\033[0m\n") : STR("\n"));
}

static void add_indented(struct buf *out, str line)
{
	for (size_t i = 0; i < INDENT; i++)
		buf_add_byte(out, ' ');
	buf_add(out, line);
	buf_add_byte(out, '\n');
}

static int write_under_paths(const struct sheet *sheet, size_t *widths, size_t sum, unsigned width,
        bool colour, struct buf *out)
{
	size_t n = sheet->n_rows * sheet->n_columns;
	struct cell *cells = arena_alloc(sheet->arena, n, sizeof(*cells));
	if (!cells)
		return -ERR_LIMIT;
	shrink(sheet, widths, sum + INDENT, width);
	int r = cut(sheet, widths, cells);
	autobuf drawn = BUF(out->max);
	struct columns rows = { sheet->columns, sheet->n_columns, cells, sheet->n_rows, colour };
	if (r == 0)
		r = columns_write(&rows, &drawn);
	if (r < 0)
		return r;

	str text = buf_str(&drawn), line;
	add_path(out, STR("PATH"), colour);
	if (str_next_line(&text, &line))
		add_indented(out, line);
	for (size_t i = 0; i < sheet->n_rows && str_next_line(&text, &line); i++) {
		if (i == 0 || !str_eq(sheet->paths[i], sheet->paths[i - 1]))
			add_path(out, sheet->paths[i], colour);
		add_indented(out, line);
	}
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

int sheet_write(const struct sheet *sheet, unsigned width, bool colour, struct buf *out)
{
	size_t widths[SHEET_COLUMNS_MAX], path;
	size_t sum = measure(sheet, widths, &path);
	if (width == 0 || sum + GAP + path <= width)
		return write_in_columns(sheet, colour, out);
	return write_under_paths(sheet, widths, sum, width, colour, out);
}
