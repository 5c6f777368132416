/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde scan and sonde inventory. The rooms in the order a scan passes through them:
 *
 *   walk/       threads read folders; a file that some reader wants by its name is opened
 *   collect/    hands opened files to parser processes, gathers what they say
 *   sandbox/    ... which may open nothing,
 *   inventory/  ... and read packages from package databases and metadata
 *   collect/    finds out which language packages belong to OS packages
 *   vulndb/     opens the compiled vulnerability data
 *   match/      packages x advisories -> findings, each with its reasons
 *   report/     writes them
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "collect/collect.h"
#include "match/match.h"
#include "model/ecosystem.h"
#include "report/report.h"
#include "vulndb/vulndb.h"

/* Largest report: a million findings. */
#define REPORT_BYTES ((size_t)4 << 30)

/* Data older than this are called stale. */
#define STALE_DAYS 7

#define REMARKS_MAX 15

/* A release of which the data name fewer affected packages than this is hardly covered: in its
 * first month a distribution has hundreds. */
#define COVERED 300

struct scanning {
	struct invocation *call;
	struct inventory inventory;
	struct pace *pace; /* NULL: no limit on processor time */
	struct vulndb *db; /* NULL for an inventory */
	struct match_result matches;
	struct report report;
	struct report_database database;
	size_t n_remarks;
};

/* ---- what to look at ---- */

static void on_progress(void *ctx, uint64_t directories, uint64_t files, uint64_t packages)
{
	say_progress(ctx, "scanning: %llu folders, %llu files, %llu packages",
	        (unsigned long long)directories, (unsigned long long)files,
	        (unsigned long long)packages);
}

/* A relative ROOT means one of this system: made absolute here. Inside another root there is
 * nothing to be relative to. */
static int absolute_roots(struct settings *s, const char **ret, struct err *err)
{
	bool here = strcmp(settings_text(s, SET_ROOT), "/") == 0;
	for (size_t i = 0; i < s->n_rest; i++) {
		ret[i] = s->rest[i];
		if (ret[i][0] == '/')
			continue;
		if (!here)
			return err_set(err, -EINVAL, "%s: a ROOT inside --root must begin with '/'",
			        ret[i]);
		autofree char *here_path = getcwd(NULL, 0);
		autofree char *path = realpath(ret[i], NULL);
		str copy;
		if (!path && !here_path)
			return err_set(err, -errno, "%s: the current folder is gone", ret[i]);
		/* One that is not there goes on as written: the ledger tells it, the rest is
		 * scanned. */
		int r = path ? arena_copy(&s->arena, str_from_c(path), &copy)
		             : arena_printf(&s->arena, &copy, "%s/%s", here_path, ret[i]);
		if (r < 0)
			return err_set(err, -ENOMEM, "out of memory");
		ret[i] = copy.p;
	}
	return 0;
}

/* A pattern without '/' means that name anywhere: --exclude node_modules. */
static int whole_patterns(struct settings *s, const char **ret, struct err *err)
{
	const struct setting_value *given = &s->values[SET_EXCLUDE];
	for (size_t i = 0; i < given->n; i++) {
		str pattern;
		ret[i] = given->items[i];
		if (strchr(ret[i], '/'))
			continue;
		if (arena_printf(&s->arena, &pattern, "*/%s", ret[i]) < 0)
			return err_set(err, -ENOMEM, "out of memory");
		ret[i] = pattern.p;
	}
	return 0;
}

static int collect(struct scanning *scan, struct err *err)
{
	struct settings *s = scan->call->settings;
	const char **roots = arena_alloc(&s->arena, s->n_rest + 1, sizeof(*roots));
	const char **excludes =
	        arena_alloc(&s->arena, s->values[SET_EXCLUDE].n + 1, sizeof(*excludes));
	if (!roots || !excludes)
		return err_set(err, -ENOMEM, "out of memory");
	int r = absolute_roots(s, roots, err);
	if (r >= 0)
		r = whole_patterns(s, excludes, err);
	if (r < 0)
		return r;
	struct collect_options options = {
		.root = settings_text(s, SET_ROOT),
		.paths = roots,
		.n_paths = s->n_rest,
		.more_paths = s->values[SET_PATH].items,
		.n_more_paths = s->values[SET_PATH].n,
		.excludes = excludes,
		.n_excludes = s->values[SET_EXCLUDE].n,
		.one_file_system = settings_is_on(s, SET_ONE_FILE_SYSTEM),
		.n_threads = (unsigned)settings_number(s, SET_THREADS),
		.timeout_ms = settings_number(s, SET_TIMEOUT) * 1000,
		.max_packages = settings_number(s, SET_MAX_PACKAGES),
		.max_memory_bytes = settings_size(s, SET_MAX_MEMORY),
		.pace = scan->pace,
		.progress = on_progress,
		.progress_ctx = scan->call,
	};
	r = collect_run(&options, &scan->inventory, err);
	end_progress(scan->call);
	return r;
}

/* ---- what must not be missed ---- */

static void remark(struct scanning *scan, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void remark(struct scanning *scan, const char *fmt, ...)
{
	va_list ap;
	char text[512];
	str copy;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (scan->n_remarks < REMARKS_MAX &&
	        arena_copy(&scan->inventory.arena, str_from_c(text), &copy) >= 0)
		scan->report.remarks[scan->n_remarks++] = copy.p;
}

/* Days from 1970-01-01 of a civil date (proleptic Gregorian; Hinnant, "chrono-compatible low-level
 * date algorithms"). */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = y / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (int64_t)(m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* Age of an RFC 3339 date in whole days, negative in the future. False when it is none. */
static bool age_days(str date, int64_t *ret_days)
{
	uint64_t y, m, d;
	if (date.n < 10 || !str_to_u64(str_head(date, 4), 9999, &y) ||
	        !str_to_u64(str_head(str_skip(date, 5), 2), 12, &m) ||
	        !str_to_u64(str_head(str_skip(date, 8), 2), 31, &d))
		return false;
	*ret_days = (int64_t)(time(NULL) / 86400) - days_of((int64_t)y, (unsigned)m, (unsigned)d);
	return true;
}

static bool has_os_packages(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_packages; i++) {
		if (package_is_os(&inv->packages[i]))
			return true;
	}
	return false;
}

static void remark_coverage(struct scanning *scan)
{
	const struct host *host = &scan->inventory.host;
	str names[ECOSYSTEM_HOST_MAX];
	if (!has_os_packages(&scan->inventory))
		return;
	int n = ecosystem_of_host(host, &scan->inventory.arena, names, ECOSYSTEM_HOST_MAX);
	uint64_t known = 0;
	for (int i = 0; i < n; i++)
		known += vulndb_coverage(scan->db, names[i]);
	if (known >= COVERED)
		return;
	str name = host->os_name.n > 0 ? host->os_name : STR("this distribution");
	if (known == 0)
		remark(scan,
		        "The vulnerability data do not cover " STR_FMT
		        ": its OS packages are listed but could not be judged.",
		        STR_ARG(name));
	else
		remark(scan,
		        "The vulnerability data hardly cover " STR_FMT
		        ": they name %llu affected packages of it in all.",
		        STR_ARG(name), (unsigned long long)known);
}

/* The newest date of one kind of source, one day of clock error allowed; p NULL for none. */
static str newest_of(const struct vulndb_source *sources, size_t n, str kind, bool *ret_future)
{
	str newest = { NULL, 0 };
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(sources[i].kind, kind) || sources[i].newest.n == 0)
			continue;
		int64_t days = 0;
		if (age_days(sources[i].newest, &days) && days < -1)
			*ret_future = true;
		else if (str_cmp(sources[i].newest, newest) > 0)
			newest = sources[i].newest;
	}
	return newest;
}

/* Each kind of feed ages by itself: today's EPSS does not make old advisories new. */
static void remark_age(struct scanning *scan)
{
	size_t n, n_feeds;
	const struct vulndb_source *sources = vulndb_sources(scan->db, &n);
	const struct feed_info *feeds = feed_all(&n_feeds);
	for (size_t i = 0; i < n_feeds; i++) {
		str kind = str_from_c(feeds[i].name);
		bool has_future = false;
		str newest = newest_of(sources, n, kind, &has_future);
		int64_t days = 0;
		bool is_there = false;
		for (size_t k = 0; k < n; k++)
			is_there |= str_eq(sources[k].kind, kind);
		if (has_future)
			remark(scan,
			        "Data of the kind %s are dated in the future: is a clock wrong?",
			        feeds[i].name);
		if (is_there && !age_days(newest, &days) && !has_future)
			remark(scan,
			        "Data of the kind %s carry no date: how old they are cannot be "
			        "told.",
			        feeds[i].name);
		else if (days > STALE_DAYS)
			remark(scan,
			        "Data of the kind %s are %lld days old (%.*s): run 'sonde db "
			        "update'.",
			        feeds[i].name, (long long)days, STR_ARG(str_head(newest, 10)));
	}
}

static void remark_inventory(struct scanning *scan)
{
	const struct settings *s = scan->call->settings;
	if (strcmp(settings_text(s, SET_DETECTION), "evidence") == 0)
		remark(scan, "--detection evidence does no more than strict yet.");
	if (scan->inventory.n_packages == 0)
		remark(scan, "No package was recognised: that does not mean that nothing is "
		             "vulnerable.");
	if (scan->inventory.ledger.n_failures > 0)
		remark(scan,
		        "The scan is incomplete: %llu paths could not be read (-v lists them).",
		        (unsigned long long)scan->inventory.ledger.n_failures);
}

/* ---- matching ---- */

static int open_database(struct scanning *scan, struct err *err)
{
	struct settings *s = scan->call->settings;
	const char *dir = settings_db_dir(s);
	int r = vulndb_open(dir, &scan->db, err);
	if (r == -ENOENT)
		return err_set(err, r,
		        "%s: no vulnerability data: run 'sonde db update', or 'sonde db import "
		        "PATH --db %s'",
		        dir, dir);
	return r;
}

static int describe_database(struct scanning *scan, struct err *err)
{
	size_t n;
	const struct vulndb_source *from = vulndb_sources(scan->db, &n);
	struct report_source *sources = arena_alloc(&scan->inventory.arena, n, sizeof(*sources));
	if (!sources)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		sources[i] = (struct report_source){ .name = from[i].name,
			.newest = from[i].newest,
			.licence = from[i].licence,
			.n_records = from[i].n_records };
	scan->database = (struct report_database){ .digest = vulndb_digest(scan->db),
		.built_at = vulndb_built_at(scan->db),
		.sources = sources,
		.n_sources = n };
	return 0;
}

static void keep_fixed(struct match_result *matches)
{
	size_t n = 0;
	for (size_t i = 0; i < matches->n_findings; i++) {
		if (matches->findings[i].fix_state == FIX_AVAILABLE)
			matches->findings[n++] = matches->findings[i];
	}
	matches->n_findings = n;
}

/* A source that could not be read is a part of the scan that was not made. */
static void tell_damage(struct scanning *scan)
{
	size_t n;
	const struct vulndb_problem *problems = vulndb_problems(scan->db, &n);
	for (size_t i = 0; i < n; i++) {
		autobuf reason = BUF(4096);
		buf_printf(&reason, "vulnerability data left out: " STR_FMT ": " STR_FMT,
		        STR_ARG(problems[i].source), STR_ARG(problems[i].text));
		ledger_add(
		        &scan->inventory.ledger, SKIP_FAILURE, (str){ NULL, 0 }, buf_str(&reason));
		remark(scan, "Vulnerability data are damaged: " STR_FMT ". Run 'sonde db build'.",
		        STR_ARG(problems[i].text));
	}
}

static int match(struct scanning *scan, struct err *err)
{
	struct inventory *inv = &scan->inventory;
	int r = describe_database(scan, err);
	if (r >= 0)
		r = match_host(scan->db, &inv->host, inv->packages, inv->n_packages, &inv->ledger,
		        &scan->matches, err);
	if (r < 0)
		return r;
	tell_damage(scan);
	ledger_sort(&inv->ledger);
	if (settings_is_on(scan->call->settings, SET_ONLY_FIXED)) {
		size_t all = scan->matches.n_findings;
		keep_fixed(&scan->matches);
		if (all > scan->matches.n_findings)
			remark(scan, "--only-fixed leaves out %zu findings that no version ends.",
			        all - scan->matches.n_findings);
	}
	remark_coverage(scan);
	remark_age(scan);
	return 0;
}

/* ---- the report and the exit code ---- */

static int write_report(struct scanning *scan, struct err *err)
{
	const struct settings *s = scan->call->settings;
	const struct inventory *inv = &scan->inventory;
	struct report *report = &scan->report;
	report->tool_version = SONDE_VERSION;
	report->detection = settings_text(s, SET_DETECTION);
	report->host = &inv->host;
	report->database = scan->db ? &scan->database : NULL;
	report->packages = inv->packages;
	report->n_packages = inv->n_packages;
	report->findings = scan->matches.findings;
	report->n_findings = scan->matches.n_findings;
	report->suppressed = scan->matches.suppressed;
	report->n_suppressed = scan->matches.n_suppressed;
	report->ledger = &inv->ledger;
	report->n_directories = inv->n_directories;
	report->n_files = inv->n_files;
	report->elapsed_ms = inv->elapsed_ms;

	bool to_stdout = strcmp(settings_text(s, SET_OUTPUT), "-") == 0;
	struct report_style style = { .width = to_stdout ? terminal_width() : 0,
		.colour = to_stdout && wants_colour(s),
		.verbose = settings_is_on(s, SET_VERBOSE),
		.only_fixed = settings_is_on(s, SET_ONLY_FIXED) };
	const struct report_format *format =
	        report_format_find(str_from_c(settings_text(s, SET_FORMAT)));
	autobuf text = BUF(REPORT_BYTES);
	int r = format->write(report, &style, &text, err);
	if (r >= 0 && buf_failed(&text))
		r = err_set(err, -ERR_LIMIT, "the report is larger than memory allows");
	return r < 0 ? r : write_output(s, buf_str(&text), err);
}

static bool is_incomplete(const struct scanning *scan)
{
	const struct settings *s = scan->call->settings;
	bool any = strcmp(settings_text(s, SET_ALLOW_INCOMPLETE), "any") == 0;
	return !any && scan->inventory.ledger.n_failures > settings_number(s, SET_ALLOW_INCOMPLETE);
}

static int exit_code_of(const struct scanning *scan)
{
	enum severity least;
	const char *fail_on = settings_text(scan->call->settings, SET_FAIL_ON);
	if (is_incomplete(scan))
		return EXIT_BROKEN;
	if (scan->inventory.n_packages == 0)
		return EXIT_NOTHING;
	if (!*fail_on || !severity_parse(str_from_c(fail_on), &least))
		return EXIT_GOOD;
	for (size_t i = 0; i < scan->matches.n_findings; i++) {
		if (scan->matches.findings[i].severity >= least)
			return EXIT_FINDINGS;
	}
	return EXIT_GOOD;
}

static int run(struct scanning *scan, bool matching)
{
	struct err err = { 0 };
	unsigned limit = (unsigned)settings_number(scan->call->settings, SET_CPU_LIMIT);
	int r = pace_begin(limit, &scan->pace, &err);
	if (r >= 0 && matching)
		r = open_database(scan, &err);
	if (r >= 0)
		r = collect(scan, &err);
	if (r >= 0)
		remark_inventory(scan);
	if (r >= 0 && matching)
		r = match(scan, &err);
	if (r >= 0)
		r = write_report(scan, &err);
	if (r < 0) {
		err.code = r;
		return say_error(NULL, &err);
	}
	int code = exit_code_of(scan);
	if (code == EXIT_BROKEN)
		say(scan->call,
		        "sonde: incomplete: %llu paths could not be read; --allow-incomplete "
		        "accepts that",
		        (unsigned long long)scan->inventory.ledger.n_failures);
	return code;
}

static int scan_or_list(struct invocation *call, bool matching)
{
	struct scanning scan = { .call = call };
	int code = run(&scan, matching);
	match_result_fini(&scan.matches);
	vulndb_close(scan.db);
	inventory_fini(&scan.inventory);
	pace_end(scan.pace);
	return code;
}

int cmd_scan(struct invocation *call)
{
	return scan_or_list(call, true);
}

int cmd_inventory(struct invocation *call)
{
	return scan_or_list(call, false);
}
