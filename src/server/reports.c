/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define JOB_BYTES ((size_t)256 << 20)

struct report report_from_value(int64_t account, str id, const struct value *value)
{
	return (struct report){
		.id = id,
		.account = account,
		.kind = str_eq(value_get_str(value, STR("kind")), STR("sbom")) ? REPORT_SBOM
		                                                               : REPORT_FINDINGS,
		.format = value_get_str(value, STR("format")),
		.status = value_get_str(value, STR("status")),
		.error_code = value_get_str(value, STR("errorCode")),
		.error_message = value_get_str(value, STR("errorMessage")),
		.bucket = value_get_str(value, STR("bucket")),
		.prefix = value_get_str(value, STR("prefix")),
		.kms_key = value_get_str(value, STR("kmsKey")),
		.region = value_get_str(value, STR("region")),
		.criteria = value_get(value, STR("criteria")),
		.created_at = value_get_i64(value, STR("createdAt"), 0),
		.ended_at = value_get_i64(value, STR("endedAt"), 0),
	};
}

int report_change(const struct report *report, struct arena *arena, struct object_change *ret)
{
	autobuf out = BUF(512u << 10);
	struct json_writer w = JSON_WRITER(&out, false);
	str json;
	json_write_object(&w);
	write_text(&w, "kind", report->kind == REPORT_SBOM ? STR("sbom") : STR("findings"));
	write_text(&w, "format", report->format);
	write_text(&w, "status", report->status);
	write_text(&w, "errorCode", report->error_code);
	write_text(&w, "errorMessage", report->error_message);
	write_text(&w, "bucket", report->bucket);
	write_text(&w, "prefix", report->prefix);
	write_text(&w, "kmsKey", report->kms_key);
	write_text(&w, "region", report->region);
	write_number(&w, "createdAt", report->created_at);
	write_number(&w, "endedAt", report->ended_at);
	if (report->criteria) {
		json_write_key(&w, "criteria");
		value_write_json(report->criteria, &w);
	}
	json_write_object_end(&w);
	if (buf_failed(&out) || arena_copy(arena, buf_str(&out), &json) < 0)
		return -ERR_LIMIT;
	*ret = (struct object_change){
		.account = report->account, .type = "report", .name = report->id, .json = json
	};
	return 0;
}

bool report_is_cancelled(const struct report_job *job)
{
	struct arena arena = ARENA(1u << 20);
	const struct value *value;
	int r = object_get(job->server->objects, job->report->account, "report", job->report->id,
	        &arena, &value);
	bool is_cancelled =
	        r < 0 || !str_eq(value_get_str(value, STR("status")), STR("IN_PROGRESS"));
	arena_fini(&arena);
	return is_cancelled;
}

/* Who asks for the report: the account's administrator, with what its account may see now. */
static int ask_as_account(struct report_job *job)
{
	struct account account;
	struct organisation organisation;
	struct caller caller = { .role = ROLE_ADMIN, .account = job->report->account };
	int r = account_get(job->server, caller.account, job->arena, &account);
	if (r == 0 && account.organisation) {
		r = organisation_get(job->server, account.organisation, job->arena, &organisation);
		caller.organisation = account.organisation;
		caller.is_management = account.organisation == account.number;
		caller.is_delegated = r == 0 && organisation.delegated == account.number;
		r = r == -ENOENT ? 0 : r;
	}
	job->request = (struct request){ .server = job->server,
		.caller = caller,
		.arena = job->arena,
		.region = job->report->region,
		.now_at = job->report->created_at };
	return r;
}

/* SBOMs are many files: those of each export lie in a folder of its own, named as in Inspector. */
static int open_folder(struct report_job *job, struct err *err)
{
	const struct report *report = job->report;
	struct account_text account = account_text(report->account);
	str folder = STR(""), path;
	int r = 0;
	if (report->kind == REPORT_SBOM)
		r = arena_printf(job->arena, &folder, "/" STR_FMT "_outputs_" STR_FMT,
		        STR_ARG(report->format), STR_ARG(report->id));
	if (r == 0)
		r = arena_printf(job->arena, &path,
		        STR_FMT "/exports/%s/" STR_FMT "/" STR_FMT STR_FMT,
		        STR_ARG(job->server->data_dir), account.text, STR_ARG(report->bucket),
		        STR_ARG(report->prefix), STR_ARG(folder));
	if (r == 0)
		r = fs_open_dir(path.p, true, err);
	if (r < 0)
		return r;
	job->folder = r;
	return 0;
}

static int make(struct report_job *job, struct err *err)
{
	int r = ask_as_account(job);
	if (r == 0)
		r = open_folder(job, err);
	if (r < 0)
		return r;
	r = job->report->kind == REPORT_SBOM ? report_sboms(job, err) : report_findings(job, err);
	(void)close(job->folder);
	return r;
}

/* The account is locked from here on, so that a cancellation is not overwritten. */
static int finish(
        struct report_job *job, int made, const struct err *why, int64_t now_at, struct err *err)
{
	struct report report = *job->report;
	struct object_change change;
	report.ended_at = now_at;
	report.status = made < 0 || job->n_written == 0 ? STR("FAILED") : STR("SUCCEEDED");
	if (made < 0) {
		report.error_code = STR("INTERNAL_ERROR");
		report.error_message = str_from_c(why->text);
	} else if (job->n_written == 0) {
		report.error_code = STR("NO_FINDINGS_FOUND");
		report.error_message = STR("Nothing meets the criteria.");
	}
	account_lock(job->server, report.account);
	int r = report_is_cancelled(job) ? 0 : report_change(&report, job->arena, &change);
	if (r == 0 && !report_is_cancelled(job))
		r = objects_change(job->server->objects, &change, 1, NULL, err);
	account_unlock(job->server, report.account);
	return r;
}

static int work_on(
        struct server *server, const struct object *object, int64_t now_at, struct err *err)
{
	struct arena arena = ARENA(JOB_BYTES);
	struct report report = report_from_value(object->account, object->name, object->value);
	struct report_job job = { .server = server, .report = &report, .arena = &arena };
	struct err why = { 0 };
	int made = make(&job, &why);
	int r = finish(&job, made, &why, now_at, err);
	arena_fini(&arena);
	return r;
}

static int forget(struct server *server, const struct object *object, struct err *err)
{
	struct object_change change = {
		.account = object->account, .type = "report", .name = object->name
	};
	return objects_change(server->objects, &change, 1, NULL, err);
}

int reports_work(struct server *server, int64_t now_at, struct err *err)
{
	struct arena arena = ARENA(64u << 20);
	const struct object *reports;
	size_t n;
	int r = object_list(server->objects, STORE_ANY_ACCOUNT, "report", STR(""), STR(""), 0,
	        &arena, &reports, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		int64_t created_at = value_get_i64(reports[i].value, STR("createdAt"), 0);
		str status = value_get_str(reports[i].value, STR("status"));
		if (str_eq(status, STR("IN_PROGRESS")))
			r = work_on(server, &reports[i], now_at, err);
		else if (created_at + REPORT_DAYS * 86400 < now_at)
			r = forget(server, &reports[i], err);
	}
	arena_fini(&arena);
	return r;
}
