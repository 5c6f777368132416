/* SPDX-License-Identifier: Apache-2.0 */
/* Findings reports and SBOM exports: asked for, asked about, cancelled. server/reports.c makes
 * them. The bucket of the destination is a folder below the server's own. */
#include <errno.h>

#include "server/api.h"
#include "server/reports.h"

/** Reports of one account that may be in the making. */
#define RUNNING_MAX 5u

/* A name of a bucket is the name of one folder. Source: Amazon S3, bucket naming rules. */
static bool is_bucket(str name)
{
	if (name.n < 3 || name.n > 63 || !is_alnum(name.p[0]) || !is_alnum(name.p[name.n - 1]))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '.')
			return false;
		if (c == '.' && name.p[i - 1] == '.')
			return false;
	}
	return true;
}

/* A prefix names folders below the bucket's, and nothing else. */
static bool is_prefix(str prefix)
{
	str rest = prefix, part;
	if (prefix.n > 512 || str_has_prefix(prefix, STR("/")))
		return false;
	for (size_t i = 0; i < prefix.n; i++) {
		if ((unsigned char)prefix.p[i] < 0x20 || prefix.p[i] == 0x7f)
			return false;
	}
	while (rest.n > 0) {
		if (!str_split_first(rest, '/', &part, &rest)) {
			part = rest;
			rest = (str){ NULL, 0 };
		}
		if (part.n == 0 || part.n > 200 || part.p[0] == '.')
			return false;
	}
	return true;
}

static int read_destination(
        struct request *request, struct response *response, struct report *report)
{
	const struct value *destination = value_get(request->in, STR("s3Destination"));
	report->bucket = value_get_str(destination, STR("bucketName"));
	report->prefix = value_get_str(destination, STR("keyPrefix"));
	report->kms_key = value_get_str(destination, STR("kmsKeyArn"));
	while (str_has_suffix(report->prefix, STR("/")))
		report->prefix.n--;
	if (!is_bucket(report->bucket))
		return response_invalid(response, "s3Destination.bucketName",
		        "Not the name of a bucket: 3 to 63 lower-case letters, digits, '-', '.'.");
	if (!is_prefix(report->prefix))
		return response_invalid(response, "s3Destination.keyPrefix",
		        "Not a prefix: at most 512 bytes, names between '/' that do not begin "
		        "with '.'.");
	return 0;
}

/* Account locked. */
static int count_running(struct request *request, size_t *ret)
{
	const struct object *reports;
	size_t n;
	*ret = 0;
	int r = object_list(request->server->objects, request->caller.account, "report", STR(""),
	        STR(""), 0, request->arena, &reports, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (str_eq(value_get_str(reports[i].value, STR("status")), STR("IN_PROGRESS")))
			*ret += 1;
	}
	return r;
}

static int put(struct request *request, const struct report *report, const char *what)
{
	struct object_change change;
	struct store_batch batch;
	struct err err = { 0 };
	int r = report_change(report, request->arena, &change);
	if (r < 0)
		return r;
	store_batch_init(&batch, 0);
	audit_add(request->server, request, what, report->id, &batch);
	r = objects_change(request->server->objects, &change, 1, &batch, &err);
	store_batch_fini(&batch);
	return r;
}

static int create(
        struct request *request, struct response *response, struct report *report, const char *what)
{
	char uuid[37];
	size_t n_running = 0;
	uuid_make(uuid);
	int r = arena_copy(request->arena, str_from_c(uuid), &report->id);
	if (r < 0)
		return r;
	account_lock(request->server, request->caller.account);
	r = count_running(request, &n_running);
	if (r == 0 && n_running >= RUNNING_MAX)
		r = response_fail(response, "ThrottlingException",
		        "%u reports of this account are being made; wait for one to end.",
		        RUNNING_MAX);
	if (r == 0)
		r = put(request, report, what);
	account_unlock(request->server, request->caller.account);
	if (r == 0)
		write_text(&response->json, "reportId", report->id);
	return r;
}

static struct report begin(
        const struct request *request, enum report_kind kind, const char *criteria)
{
	return (struct report){
		.account = request->caller.account,
		.kind = kind,
		.format = value_get_str(request->in, STR("reportFormat")),
		.status = STR("IN_PROGRESS"),
		.region = request->region,
		.criteria = value_get(request->in, str_from_c(criteria)),
		.created_at = request->now_at,
	};
}

int api_create_findings_report(struct request *request, struct response *response)
{
	struct report report = begin(request, REPORT_FINDINGS, "filterCriteria");
	int r = read_destination(request, response, &report);
	return r < 0 ? r : create(request, response, &report, "CreateFindingsReport");
}

int api_create_sbom_export(struct request *request, struct response *response)
{
	struct report report = begin(request, REPORT_SBOM, "resourceFilterCriteria");
	int r = read_destination(request, response, &report);
	return r < 0 ? r : create(request, response, &report, "CreateSbomExport");
}

/* One of the caller's own, of one kind; without an id the newest. */
static int find(struct request *request, struct response *response, enum report_kind kind,
        struct report *ret)
{
	str wanted = value_get_str(request->in, STR("reportId"));
	const struct object *reports;
	bool is_found = false;
	size_t n;
	int r = object_list(request->server->objects, request->caller.account, "report", STR(""),
	        STR(""), 0, request->arena, &reports, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct report report =
		        report_from_value(reports[i].account, reports[i].name, reports[i].value);
		bool is_it = wanted.n > 0 ? str_eq(report.id, wanted)
		                          : !is_found || report.created_at >= ret->created_at;
		if (report.kind == kind && is_it) {
			*ret = report;
			is_found = true;
		}
	}
	if (!is_found)
		return response_fail(response, "ResourceNotFoundException",
		        "There is no such report in this account.");
	return 0;
}

static void write_destination(struct json_writer *w, const char *key, const struct report *report)
{
	json_write_key(w, key);
	json_write_object(w);
	write_text(w, "bucketName", report->bucket);
	write_text(w, "keyPrefix", report->prefix);
	write_text(w, "kmsKeyArn", report->kms_key);
	json_write_object_end(w);
}

static void write_report(struct json_writer *w, const struct report *report)
{
	write_text(w, "reportId", report->id);
	write_text(w, "status", report->status);
	write_text(w, "errorCode", report->error_code);
	write_text(w, "errorMessage", report->error_message);
	if (report->criteria) {
		json_write_key(w, "filterCriteria");
		value_write_json(report->criteria, w);
	}
}

int api_get_findings_report_status(struct request *request, struct response *response)
{
	struct report report = { 0 };
	int r = find(request, response, REPORT_FINDINGS, &report);
	if (r < 0)
		return r;
	write_report(&response->json, &report);
	write_destination(&response->json, "destination", &report);
	return 0;
}

int api_get_sbom_export(struct request *request, struct response *response)
{
	struct report report = { 0 };
	int r = find(request, response, REPORT_SBOM, &report);
	if (r < 0)
		return r;
	write_report(&response->json, &report);
	write_text(&response->json, "format", report.format);
	write_destination(&response->json, "s3Destination", &report);
	return 0;
}

static int cancel(
        struct request *request, struct response *response, enum report_kind kind, const char *what)
{
	struct report report = { 0 };
	account_lock(request->server, request->caller.account);
	int r = find(request, response, kind, &report);
	if (r == 0 && !str_eq(report.status, STR("IN_PROGRESS")))
		r = response_fail(response, "ValidationException",
		        "The report is not being made any more: it is " STR_FMT ".",
		        STR_ARG(report.status));
	if (r == 0) {
		report.status = STR("CANCELLED");
		report.ended_at = request->now_at;
		r = put(request, &report, what);
	}
	account_unlock(request->server, request->caller.account);
	if (r == 0)
		write_text(&response->json, "reportId", report.id);
	return r;
}

int api_cancel_findings_report(struct request *request, struct response *response)
{
	return cancel(request, response, REPORT_FINDINGS, "CancelFindingsReport");
}

int api_cancel_sbom_export(struct request *request, struct response *response)
{
	return cancel(request, response, REPORT_SBOM, "CancelSbomExport");
}
