/* SPDX-License-Identifier: Apache-2.0 */
#include "report/summary.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/text.h"

/* As many reasons as are told one by one where the ledger is not listed. */
#define REASONS_MAX 8

/* A line of the summary begins with its subject in a column of its own. */
static void begin(struct buf *out, const struct report_style *style, const char *subject)
{
	buf_printf(out, "%s%-11s%s", style->colour ? "\033[1m" : "", subject,
	        style->colour ? "\033[0m" : "");
}

static void add_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
	buf_printf(out, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

static void write_findings(
        const struct report *report, const struct report_style *style, struct buf *out)
{
	size_t n_of[SEVERITY_CRITICAL + 1] = { 0 }, n_fixed = 0, n_partial = 0, n_kev = 0;
	for (size_t i = 0; i < report->n_findings; i++) {
		const struct finding *f = &report->findings[i];
		n_of[f->severity]++;
		n_fixed += f->fix_state == FIX_AVAILABLE;
		n_partial += f->fix_state == FIX_PARTIAL;
		n_kev += f->is_kev;
	}
	begin(out, style, "Findings");
	if (report->n_findings > 0)
		buf_printf(out, "%zu", report->n_findings);
	else
		buf_add(out, STR("none"));
	const char *separator = ": ";
	for (int s = SEVERITY_CRITICAL; s >= SEVERITY_UNTRIAGED; s--) {
		if (n_of[s] == 0)
			continue;
		str word = str_from_c(severity_name((enum severity)s));
		buf_printf(out, "%s%zu ", separator, n_of[s]);
		for (size_t i = 0; i < word.n; i++)
			buf_add_byte(out, to_lower(word.p[i]));
		separator = ", ";
	}
	buf_add_byte(out, '\n');
	if (report->n_findings > 0) {
		begin(out, style, "");
		buf_printf(out, "%zu with a fix, ", n_fixed);
		if (n_partial > 0)
			buf_printf(out, "%zu with one that some advisories call affected too, ",
			        n_partial);
		buf_printf(out, "%zu known to be exploited (KEV)", n_kev);
		buf_add(out, style->only_fixed ? STR("; those that no version ends are left out\n")
		                               : STR("\n"));
	}
	if (report->n_suppressed == 0)
		return;
	begin(out, style, "Suppressed");
	add_count(out, report->n_suppressed, "finding", "findings");
	buf_add(out, style->verbose ? STR(", listed above\n")
	                            : STR(" not counted; -v or --format json shows them\n"));
}

/* A named sum. */
struct sum {
	str name;
	uint64_t n;
	enum skip_kind kind; /* of reasons */
};

/* The most first; among reasons, the gravest first. */
static int sum_order(const void *left, const void *right)
{
	const struct sum *a = left, *b = right;
	if (a->kind != b->kind)
		return a->kind > b->kind ? -1 : 1;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return str_cmp(a->name, b->name);
}

/* Sums being made. A name can have one for each kind. */
struct sums {
	struct arena *arena;
	struct map by_name[SKIP_FAILURE + 1];
	struct sum *sorted;
	size_t n;
};

static int sums_add(struct sums *sums, str name, enum skip_kind kind, uint64_t n)
{
	struct map *map = &sums->by_name[kind];
	map->arena = sums->arena;
	void **at = map_at(map, name);
	if (at && !*at) {
		struct sum *sum = arena_alloc(sums->arena, 1, sizeof(*sum));
		if (sum)
			*sum = (struct sum){ .name = name, .kind = kind };
		*at = sum;
		sums->n += sum != NULL;
	}
	if (!at || !*at)
		return -ERR_LIMIT;
	((struct sum *)*at)->n += n;
	return 0;
}

static int sums_sort(struct sums *sums)
{
	size_t n = 0;
	sums->sorted = arena_alloc(sums->arena, sums->n, sizeof(*sums->sorted));
	if (!sums->sorted)
		return -ERR_LIMIT;
	for (size_t kind = 0; kind <= SKIP_FAILURE; kind++) {
		const struct map *map = &sums->by_name[kind];
		for (size_t i = 0; i < map->n; i++)
			sums->sorted[n++] = *(const struct sum *)map->entries[i].value;
	}
	if (n > 1)
		qsort(sums->sorted, n, sizeof(*sums->sorted), sum_order);
	return 0;
}

static int write_packages(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	struct sums types = { .arena = arena };
	int r = 0;
	for (size_t i = 0; r == 0 && i < report->n_packages; i++)
		r = sums_add(&types, report->packages[i].type, SKIP_POLICY, 1);
	if (r == 0)
		r = sums_sort(&types);
	if (r < 0)
		return r;
	begin(out, style, "Packages");
	buf_printf(out, "%zu", report->n_packages);
	for (size_t i = 0; i < types.n; i++) {
		buf_printf(out, "%s%" PRIu64 " ", i == 0 ? ": " : ", ", types.sorted[i].n);
		text_escape(out, types.sorted[i].name);
	}
	buf_printf(out,
	        "; in %" PRIu64 " files and %" PRIu64 " folders, %" PRIu64 ".%03" PRIu64 " s\n",
	        report->n_files, report->n_directories, report->elapsed_ms / 1000,
	        report->elapsed_ms % 1000);
	return 0;
}

static int write_ledger(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	static const char *const words[] = {
		[SKIP_POLICY] = "on purpose", [SKIP_DAMAGE] = "damaged", [SKIP_FAILURE] = "not read"
	};
	const struct ledger *ledger = report->ledger;
	struct sums reasons = { .arena = arena };
	int r = 0;
	uint64_t n_of[SKIP_FAILURE + 1] = { 0 };
	for (size_t i = 0; r == 0 && i < ledger->n; i++) {
		const struct skip *skip = &ledger->entries[i];
		r = sums_add(&reasons, skip->reason, skip->kind, skip->count);
		n_of[skip->kind] += skip->count;
	}
	if (r == 0)
		r = sums_sort(&reasons);
	if (r < 0)
		return r;
	begin(out, style, "Skipped");
	if (reasons.n == 0) {
		buf_add(out, STR("nothing\n"));
		return 0;
	}
	buf_printf(out, "%" PRIu64 " on purpose, %" PRIu64 " damaged, %" PRIu64 " not read%s\n",
	        n_of[SKIP_POLICY], n_of[SKIP_DAMAGE], n_of[SKIP_FAILURE],
	        n_of[SKIP_FAILURE] > 0 ? ": the scan is incomplete" : "");
	size_t shown = style->verbose || reasons.n <= REASONS_MAX ? reasons.n : REASONS_MAX;
	for (size_t i = 0; i < shown; i++) {
		begin(out, style, "");
		buf_printf(out, "%7" PRIu64 "  ", reasons.sorted[i].n);
		text_escape(out, reasons.sorted[i].name);
		buf_printf(out, " (%s)\n", words[reasons.sorted[i].kind]);
	}
	if (!style->verbose) {
		begin(out, style, "");
		if (shown < reasons.n)
			buf_printf(out, "and %zu more reasons; ", reasons.n - shown);
		buf_add(out, STR("-v or --format json lists each path\n"));
	}
	return 0;
}

static void write_host(
        const struct report *report, const struct report_style *style, struct buf *out)
{
	const struct host *host = report->host;
	begin(out, style, "Host");
	if (host->os_name.n > 0) {
		text_escape(out, host->os_name);
	} else if (host->os_id.n > 0) {
		text_escape(out, host->os_id);
		buf_add(out, host->os_version.n > 0 ? STR(" ") : STR(""));
		text_escape(out, host->os_version);
	} else {
		buf_add(out, STR("distribution unknown"));
	}
	buf_add(out, STR(", root "));
	text_escape(out, host->root);
	if (report->detection)
		buf_printf(out, "; detection %s", report->detection);
	buf_add_byte(out, '\n');
}

static void write_database(
        const struct report *report, const struct report_style *style, struct buf *out)
{
	const struct report_database *db = report->database;
	begin(out, style, "Data");
	text_escape(out, str_head(db->digest, 12));
	buf_add(out, STR(" of "));
	text_escape(out, str_head(db->built_at, strlen("2026-01-31")));
	buf_add(out, STR(", "));
	add_count(out, db->n_sources, "source", "sources");
	buf_add_byte(out, '\n');
}

/* Last, where they are seen without scrolling. */
static void write_remarks(
        const struct report *report, const struct report_style *style, struct buf *out)
{
	size_t max = sizeof(report->remarks) / sizeof(report->remarks[0]);
	for (size_t i = 0; i < max && report->remarks[i]; i++) {
		buf_add(out, style->colour ? STR("\n\033[1;33mNOTE: ") : STR("\nNOTE: "));
		text_escape(out, str_from_c(report->remarks[i]));
		buf_add(out, style->colour ? STR("\033[0m\n") : STR("\n"));
	}
}

int summary_write(const struct report *report, const struct report_style *style,
        struct arena *arena, struct buf *out)
{
	if (report->database)
		write_findings(report, style, out);
	int r = write_packages(report, style, arena, out);
	if (r == 0)
		r = write_ledger(report, style, arena, out);
	if (r < 0)
		return r;
	write_host(report, style, out);
	if (report->database)
		write_database(report, style, out);
	write_remarks(report, style, out);
	return 0;
}
