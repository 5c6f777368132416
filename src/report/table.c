/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a person: findings by severity and, within one, by path and package, so that the findings of
 * one package at one place stand together; then the summary. Whatever comes from outside is
 * escaped, on a terminal and in a file: a line feed in a path would forge a row.
 */
#include <errno.h>
#include <stdlib.h>

#include "report/report.h"
#include "report/sheet.h"
#include "report/summary.h"
#include "base/text.h"

/* All the memory of one table. */
#define TABLE_BYTES ((size_t)4 << 30)

static const char *severity_colour(enum severity severity)
{
	switch (severity) {
	case SEVERITY_CRITICAL: return "\033[1;31m";
	case SEVERITY_HIGH: return "\033[31m";
	case SEVERITY_MEDIUM: return "\033[33m";
	case SEVERITY_LOW: return "\033[36m";
	case SEVERITY_INFORMATIONAL:
	case SEVERITY_UNTRIAGED:
	default: return NULL;
	}
}

static int finding_order(const void *left, const void *right)
{
	const struct finding *a = *(const struct finding *const *)left;
	const struct finding *b = *(const struct finding *const *)right;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	int c = str_cmp(a->pkg->path, b->pkg->path);
	if (c == 0)
		c = package_order(a->pkg, b->pkg);
	if (c != 0)
		return c;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return str_cmp(a->id, b->id);
}

static const struct finding **sort(struct arena *arena, const struct finding *findings, size_t n)
{
	const struct finding **sorted = arena_alloc(arena, n, sizeof(const struct finding *));
	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = &findings[i];
	if (sorted && n > 1)
		qsort(sorted, n, sizeof(const struct finding *), finding_order);
	return sorted;
}

/* "12.3%" of a probability; what would round to nothing is said to be below it. */
static int percent(struct arena *arena, double p, str *ret)
{
	*ret = (str){ NULL, 0 };
	if (!(p >= 0 && p <= 1))
		return 0;
	unsigned tenths = (unsigned)(p * 1000 + 0.5);
	if (tenths == 0 && p > 0)
		return arena_printf(arena, ret, "<0.1%%");
	return arena_printf(arena, ret, "%u.%u%%", tenths / 10, tenths % 10);
}

static int write_findings(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	static const struct column columns[] = { { .title = "SEVERITY" }, { .title = "ID" },
		{ .title = "PACKAGE", .may_cut = true }, { .title = "INSTALLED", .may_cut = true },
		{ .title = "FIXED IN", .may_cut = true }, { .title = "EPSS", .is_right = true },
		{ .title = "KEV" } };
	enum { N = sizeof(columns) / sizeof(columns[0]) };
	struct sheet sheet;
	const struct finding **sorted = sort(arena, report->findings, report->n_findings);
	int r = sorted ? sheet_new(arena, columns, N, N, report->n_findings, &sheet) : -ERR_LIMIT;
	for (size_t i = 0; r == 0 && i < report->n_findings; i++) {
		const struct finding *f = sorted[i];
		str epss = { NULL, 0 }, fix = f->fixed_in;
		r = percent(arena, f->epss, &epss);
		if (r == 0 && f->fix_state == FIX_PARTIAL)
			r = arena_printf(arena, &fix, STR_FMT " (partial)", STR_ARG(f->fixed_in));
		const struct cell cells[N] = {
			{ str_from_c(severity_name(f->severity)), severity_colour(f->severity) },
			{ f->id, NULL },
			{ f->pkg->name, NULL },
			{ f->pkg->version, NULL },
			{ fix, NULL },
			{ epss, NULL },
			{ f->is_kev ? STR("yes") : STR(""), f->is_kev ? "\033[1;31m" : NULL },
		};
		if (r == 0)
			r = sheet_add(&sheet, cells, f->pkg->path);
	}
	return r < 0 ? r : sheet_write(&sheet, style->width, style->colour, out);
}

static int write_suppressed(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	static const struct column columns[] = { { .title = "SUPPRESSED" },
		{ .title = "PACKAGE", .may_cut = true }, { .title = "INSTALLED", .may_cut = true },
		{ .title = "REASON" } };
	enum { N = sizeof(columns) / sizeof(columns[0]) };
	struct sheet sheet;
	const struct finding **sorted = sort(arena, report->suppressed, report->n_suppressed);
	int r = sorted ? sheet_new(arena, columns, N, N, report->n_suppressed, &sheet) : -ERR_LIMIT;
	for (size_t i = 0; r == 0 && i < report->n_suppressed; i++) {
		const struct finding *f = sorted[i];
		const struct cell cells[N] = { { f->id, NULL }, { f->pkg->name, NULL },
			{ f->pkg->version, NULL }, { f->suppressed, NULL } };
		r = sheet_add(&sheet, cells, f->pkg->path);
	}
	return r < 0 ? r : sheet_write(&sheet, style->width, style->colour, out);
}

static int write_skipped(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	static const struct column columns[] = { { .title = "SKIPPED", .is_right = true },
		{ .title = "REASON" } };
	enum { N = sizeof(columns) / sizeof(columns[0]) };
	struct sheet sheet;
	const struct ledger *ledger = report->ledger;
	int r = sheet_new(arena, columns, N, N, ledger->n, &sheet);
	for (size_t i = 0; r == 0 && i < ledger->n; i++) {
		const struct skip *skip = &ledger->entries[i];
		str count;
		r = arena_printf(arena, &count, "%llu", (unsigned long long)skip->count);
		const struct cell cells[N] = { { count, NULL }, { skip->reason, NULL } };
		if (r == 0)
			r = sheet_add(&sheet, cells, skip->path);
	}
	return r < 0 ? r : sheet_write(&sheet, style->width, style->colour, out);
}

static int write_packages(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	static const struct column columns[] = { { .title = "TYPE" },
		{ .title = "NAME", .may_cut = true }, { .title = "VERSION", .may_cut = true },
		{ .title = "OWNER", .may_cut = true } };
	enum { N = sizeof(columns) / sizeof(columns[0]) };
	struct sheet sheet;
	int r = sheet_new(arena, columns, N, N - 1, report->n_packages, &sheet);
	for (size_t i = 0; r == 0 && i < report->n_packages; i++) {
		const struct package *p = &report->packages[i];
		const struct cell cells[N] = { { p->type, NULL }, { p->name, NULL },
			{ p->version, NULL }, { p->owner, NULL } };
		r = sheet_add(&sheet, cells, p->path);
	}
	return r < 0 ? r : sheet_write(&sheet, style->width, style->colour, out);
}

/* A section, and the empty line behind it. */
static int section(int (*write_section)(const struct report *report,
                           const struct report_style *style, struct arena *arena, struct buf *out),
        size_t n_rows, const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	if (n_rows == 0)
		return 0;
	int r = write_section(report, style, arena, out);
	buf_add_byte(out, '\n');
	return r;
}

static int write_table(const struct report *report, const struct report_style *style,
        struct buf *out, struct err *err)
{
	struct arena arena = ARENA(TABLE_BYTES);
	int r = report->database
	                ? section(write_findings, report->n_findings, report, style, &arena, out)
	                : section(write_packages, report->n_packages, report, style, &arena, out);
	if (r == 0 && style->verbose)
		r = section(write_suppressed, report->n_suppressed, report, style, &arena, out);
	if (r == 0 && style->verbose)
		r = section(write_skipped, report->ledger->n, report, style, &arena, out);
	if (r == 0)
		r = summary_write(report, style, &arena, out);
	arena_fini(&arena);
	if (r == 0 && buf_failed(out))
		r = -ERR_LIMIT;
	return r < 0 ? err_set(err, r, "the table is larger than memory allows") : 0;
}

const struct report_format report_table = {
	.name = "table",
	.title = "A table for people",
	.write = write_table,
};
