/* SPDX-License-Identifier: Apache-2.0 */
/* A findings report: one file <prefix>/<id>.json or .csv, written page by page. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/details.h"
#include "server/finding_json.h"
#include "server/finding_scope.h"
#include "server/reports.h"

#define PAGE_ROWS 500
#define PAGE_BYTES ((size_t)64 << 20)

struct out {
	FILE *file;
	bool is_csv;
	uint64_t n;
};

/* ---- CSV ---- */

/* A cell as RFC 4180 has it. What a spreadsheet would take for a formula gets an apostrophe: hosts
 * decide what stands in these cells. */
static void add_cell(struct buf *line, str text)
{
	bool is_formula = text.n > 0 && str_has(STR("=+-@\t\r"), text.p[0]);
	if (line->n > 0 && line->p[line->n - 1] != '\n')
		buf_add_byte(line, ',');
	buf_add_byte(line, '"');
	if (is_formula)
		buf_add_byte(line, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"')
			buf_add_byte(line, '"');
		buf_add_byte(line, text.p[i]);
	}
	buf_add_byte(line, '"');
}

static void add_time(struct buf *line, int64_t at)
{
	autobuf text = BUF(64);
	if (at > 0)
		timestamp_add_iso(&text, at * 1000);
	add_cell(line, buf_str(&text));
}

static void add_number(struct buf *line, double number, int decimals)
{
	char text[32] = "";
	if (number >= 0)
		(void)snprintf(text, sizeof(text), "%.*f", decimals, number);
	add_cell(line, str_from_c(text));
}

static const char *const columns[] = { "AWS Account Id", "Severity", "Fix Available",
	"Finding Type", "Title", "Finding ARN", "First Seen", "Last Seen", "Last Updated",
	"Resource ID", "Region", "Platform", "Affected Package", "Package Installed Version",
	"Fixed in Version", "File Path", "Inspector Score", "Status", "Vulnerability Id", "Source",
	"Vendor Severity", "EPSS Score", "Exploit Available" };

static const char *status_of(const struct finding_row *row)
{
	if (row->status == STATUS_CLOSED)
		return "CLOSED";
	return row->status == STATUS_SUPPRESSED ? "SUPPRESSED" : "ACTIVE";
}

static void add_place(struct buf *line, const struct report_job *job, const struct finding_row *row,
        const struct finding_package *package, str path, str title)
{
	struct account_text account = account_text(row->account);
	struct host_text id = host_ec2_id(row->host_id);
	struct platform_text platform = { "" };
	struct arn_text arn = arn_of_finding(job->server, job->request.region, row->account,
	        row->host_number, row->vuln, row->first_observed);
	if (row->host)
		platform = host_platform(row->host);
	add_cell(line, str_from_c(account.text));
	add_cell(line, str_from_c(severity_name(row->severity)));
	add_cell(line, str_from_c(finding_fix(row)));
	add_cell(line, STR("PACKAGE_VULNERABILITY"));
	add_cell(line, title);
	add_cell(line, str_from_c(arn.text));
	add_time(line, row->first_observed);
	add_time(line, row->last_observed);
	add_time(line, row->updated_at);
	add_cell(line, str_from_c(id.text));
	add_cell(line, job->request.region);
	add_cell(line, str_from_c(platform.text));
	add_cell(line, package->element->package.name);
	add_cell(line, package->element->package.version);
	add_cell(line, package->fixed_in.n ? package->fixed_in : STR("NotAvailable"));
	add_cell(line, path);
	add_number(line, row->score, 1);
	add_cell(line, str_from_c(status_of(row)));
	add_cell(line, row->name);
	add_cell(line, row->issue ? row->issue->source : row->closed->source);
	add_cell(line, row->issue ? row->issue->vendor_severity : row->closed->vendor_severity);
	add_number(line, row->epss, 5);
	add_cell(line, str_from_c(finding_exploit(row)));
	buf_add(line, STR("\r\n"));
}

/* One line for each place of each package. */
static int add_row(struct buf *text, const struct report_job *job, const struct finding_row *row,
        struct arena *arena)
{
	str title;
	int r = finding_title(row, arena, &title);
	for (size_t i = 0; r == 0 && i < row->n_packages; i++) {
		const struct finding_package *package = &row->packages[i];
		if (package->n_paths == 0)
			add_place(text, job, row, package, STR(""), title);
		for (size_t k = 0; k < package->n_paths; k++)
			add_place(text, job, row, package, package->paths[k], title);
	}
	return r;
}

/* ---- pages ---- */

static int add_json(struct buf *text, const struct report_job *job, const struct finding_row *row,
        struct arena *arena, bool is_first)
{
	struct json_writer w = JSON_WRITER(text, false);
	if (!is_first)
		buf_add(text, STR(",\n"));
	return finding_write(job->server, job->request.region, row, arena, &w);
}

/* Fleet locked: rows borrow from it. */
static int write_page(struct report_job *job, struct out *out, struct query *query,
        struct arena *arena, struct buf *text, struct err *err)
{
	struct fleet *fleet = job->server->fleet;
	const struct finding_row *rows;
	size_t n;
	int r = query_page(fleet, query, arena, &rows, &n, &query->after, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct finding_row row = rows[i];
		r = finding_fill(fleet, &row, arena, err);
		if (r == 0 && out->is_csv)
			r = add_row(text, job, &row, arena);
		else if (r == 0)
			r = add_json(text, job, &row, arena, out->n == 0);
		out->n++;
	}
	if (r == 0 && buf_failed(text))
		r = err_set(err, -ERR_LIMIT, "a page of the report is too long");
	if (r == 0 && !query->generation)
		query->generation = generation_hold(fleet_generation(fleet));
	return r;
}

static int put(struct out *out, str text, struct err *err)
{
	if (text.n > 0 && fwrite(text.p, 1, text.n, out->file) != text.n)
		return err_set(err, -errno, "the report cannot be written");
	return 0;
}

/* Page by page, so that nothing is held for long and memory is bounded. */
static int write_pages(
        struct report_job *job, struct out *out, struct query *query, struct err *err)
{
	autobuf text = BUF(PAGE_BYTES);
	int r = 0;
	do {
		struct arena arena = ARENA(PAGE_BYTES);
		buf_clear(&text);
		fleet_lock(job->server->fleet);
		r = write_page(job, out, query, &arena, &text, err);
		/* The mark's texts live in the page's arena. */
		str mark_text = query->after.text, mark_name = query->after.name;
		fleet_unlock(job->server->fleet);
		if (r == 0 && query->after.is_set) {
			r = arena_copy(job->arena, mark_text, &query->after.text);
			if (r == 0)
				r = arena_copy(job->arena, mark_name, &query->after.name);
		}
		arena_fini(&arena);
		if (r == 0)
			r = put(out, buf_str(&text), err);
		if (r == 0 && report_is_cancelled(job))
			r = err_set(err, -ECANCELED, "the report was cancelled");
	} while (r == 0 && query->after.is_set);
	return r;
}

static int write_all(struct report_job *job, struct out *out, struct query *query, struct err *err)
{
	int r;
	if (out->is_csv) {
		autobuf head = BUF(4096);
		for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
			add_cell(&head, str_from_c(columns[i]));
		buf_add(&head, STR("\r\n"));
		r = put(out, buf_str(&head), err);
	} else {
		r = put(out, STR("{\"findings\":[\n"), err);
	}
	if (r == 0)
		r = write_pages(job, out, query, err);
	if (r == 0 && !out->is_csv)
		r = put(out, STR("\n]}\n"), err);
	return r;
}

/* Written beside its name and renamed, so that nobody takes half a report for one. */
static int write_file(struct report_job *job, struct query *query, struct err *err)
{
	char name[80], part[96];
	struct out out = { .is_csv = str_eq(job->report->format, STR("CSV")) };
	(void)snprintf(name, sizeof(name), STR_FMT ".%s", STR_ARG(str_head(job->report->id, 36)),
	        out.is_csv ? "csv" : "json");
	(void)snprintf(part, sizeof(part), ".%s.new", name);
	int fd = openat(
	        job->folder, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	out.file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out.file)
		return err_set(err, -errno, "%s cannot be made", part);
	int r = write_all(job, &out, query, err);
	if (r == 0 && (fflush(out.file) != 0 || fsync(fd) != 0))
		r = err_set(err, -errno, "%s cannot be written", part);
	(void)fclose(out.file);
	if (r == 0 && out.n > 0 && renameat(job->folder, part, job->folder, name) < 0)
		r = err_set(err, -errno, "%s cannot be renamed", part);
	if (r < 0 || out.n == 0)
		(void)unlinkat(job->folder, part, 0);
	job->n_written = out.n;
	return r;
}

int report_findings(struct report_job *job, struct err *err)
{
	struct response response = { .arena = job->arena };
	struct query query;
	int r = finding_query(&job->request, &response, job->report->criteria, &query);
	if (r == 0 && !finding_names_status(&query))
		r = finding_only_active(&query, job->arena);
	if (r < 0)
		return err_set(err, r, "the criteria of the report cannot be read");
	query.most = PAGE_ROWS;
	r = write_file(job, &query, err);
	generation_drop(query.generation);
	return r;
}
