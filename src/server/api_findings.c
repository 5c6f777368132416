/* SPDX-License-Identifier: Apache-2.0 */
/* Findings: a page of them, details of some, and what is known of a vulnerability. */
#include <errno.h>
#include <stdio.h>

#include "aws/timestamp.h"
#include "model/cvss.h"
#include "server/api.h"
#include "server/details.h"
#include "server/finding_json.h"
#include "server/finding_scope.h"
#include "server/pins.h"

#define PAGE_DEFAULT 25
#define PAGE_MAX 100
#define REFERENCES_MAX 100u

/* ---- ListFindings ---- */

static int read_mark(struct request *request, struct response *response, struct query *query,
        const struct generation **ret_held)
{
	str bytes;
	if (token_read(request, STR("nextToken"), &bytes) < 0 ||
	        (bytes.n > 0 && query_mark_read(bytes, request->arena, &query->after) < 0))
		return response_invalid(
		        response, "nextToken", "The token is not one that this query gave.");
	if (bytes.n > 0)
		*ret_held =
		        pins_find(request->server->pins, query->after.generation, request->now_at);
	query->generation = *ret_held;
	return 0;
}

static int read_sort(struct request *request, struct query *query)
{
	const struct value *sort = value_get(request->in, STR("sortCriteria"));
	if (!sort)
		return 0;
	query->sort = finding_sort_field(value_get_str(sort, STR("field")));
	query->is_descending = str_eq(value_get_str(sort, STR("sortOrder")), STR("DESC"));
	if (query->sort == FIELD_NEVER) /* nothing of ours has it: all are equal in it */
		query->sort = FIELD_VULNERABILITY;
	return 0;
}

static int write_mark(struct request *request, struct response *response,
        const struct query_mark *mark, const struct generation *generation)
{
	autobuf bytes = BUF(4096);
	str token;
	if (!mark->is_set)
		return 0;
	query_mark_write(mark, &bytes);
	if (buf_failed(&bytes))
		return -ERR_LIMIT;
	int r = token_make(request, buf_str(&bytes), &token);
	if (r == 0)
		write_text(&response->json, "nextToken", token);
	pins_hold(request->server->pins, generation, request->now_at);
	return r;
}

static int write_rows(struct request *request, struct response *response,
        const struct finding_row *rows, size_t n)
{
	int r = 0;
	json_write_key(&response->json, "findings");
	json_write_array(&response->json);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = finding_write(request->server, request->region, &rows[i], request->arena,
		        &response->json);
	json_write_array_end(&response->json);
	return r;
}

/* Rows borrow from the fleet: they are written while it is locked. */
static int find_and_write(
        struct request *request, struct response *response, const struct query *query)
{
	struct fleet *fleet = request->server->fleet;
	const struct finding_row *rows;
	struct query_mark mark = { 0 };
	struct err err = { 0 };
	size_t n = 0;
	int r = query_page(fleet, query, request->arena, &rows, &n, &mark, &err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct finding_row *row = (struct finding_row *)(uintptr_t)&rows[i];
		r = finding_fill(fleet, row, request->arena, &err);
	}
	if (r == 0)
		r = write_rows(request, response, rows, n);
	if (r == 0)
		r = write_mark(request, response, &mark,
		        query->generation ? query->generation : fleet_generation(fleet));
	return r;
}

int api_list_findings(struct request *request, struct response *response)
{
	const struct generation *held = NULL;
	struct query query;
	int64_t most = value_get_i64(request->in, STR("maxResults"), PAGE_DEFAULT);
	int r = finding_query(
	        request, response, value_get(request->in, STR("filterCriteria")), &query);
	if (r == 0)
		r = read_sort(request, &query);
	if (r == 0)
		r = read_mark(request, response, &query, &held);
	if (r < 0)
		return r;
	query.most = (size_t)(most > PAGE_MAX ? PAGE_MAX : most);
	fleet_lock(request->server->fleet);
	r = find_and_write(request, response, &query);
	fleet_unlock(request->server->fleet);
	generation_drop(held);
	return r;
}

/* ---- BatchGetFindingDetails ---- */

struct detail_error {
	str arn;
	const char *code, *message;
};

static void write_references(struct json_writer *w, const struct vulnerability_details *details)
{
	size_t n = 0;
	json_write_key(w, "referenceUrls");
	json_write_array(w);
	for (size_t i = 0; i < details->n_records; i++) {
		const struct advisory *record = &details->records[i];
		for (size_t k = 0; k < record->n_references && n < REFERENCES_MAX; k++, n++)
			json_write_str(w, record->references[k]);
	}
	json_write_array_end(w);
}

static void write_evidences(struct json_writer *w, const struct finding_row *row)
{
	json_write_key(w, "evidences");
	json_write_array(w);
	for (size_t i = 0; i < row->n_packages; i++) {
		const struct finding_package *found = &row->packages[i];
		for (size_t k = 0; k < found->n_reasons; k++) {
			json_write_object(w);
			write_text(w, "evidenceRule", found->reasons[k].advisory);
			write_text(w, "evidenceDetail", found->reasons[k].comparison);
			write_text(w, "severity", str_from_c(severity_name(row->severity)));
			json_write_object_end(w);
		}
	}
	json_write_array_end(w);
}

/* A number from 0 to 100 of ours, for sorting only: the score's tenths, and what is known of
 * exploits on top. docs/scores.md. */
static int64_t risk_score(const struct finding_row *row)
{
	double risk = row->score > 0 ? row->score * 7 : 0;
	if (row->epss > 0)
		risk += row->epss * 20;
	if (row->is_kev)
		risk += 10;
	return (int64_t)(risk + 0.5);
}

/* When CISA took the vulnerability up. Until when it wants it mended, and how, is not kept. */
static void write_cisa(struct json_writer *w, const struct vulnerability_details *details)
{
	char text[32];
	int64_t at_ms;
	uint32_t day = details->kev_day;
	int n = snprintf(text, sizeof(text), "%04u-%02u-%02uT00:00:00Z", day / 10000,
	        day / 100 % 100, day % 100);
	if (day == 0 || n < 0 || !timestamp_from_iso((str){ text, (size_t)n }, &at_ms))
		return;
	json_write_key(w, "cisaData");
	json_write_object(w);
	write_time(w, "dateAdded", at_ms / 1000);
	json_write_object_end(w);
}

static void write_detail(struct json_writer *w, str arn, const struct finding_row *row,
        const struct vulnerability_details *details)
{
	json_write_object(w);
	write_text(w, "findingArn", arn);
	write_number(w, "riskScore", risk_score(row));
	write_cisa(w, details);
	write_evidences(w, row);
	write_references(w, details);
	if (row->epss >= 0) {
		json_write_key(w, "epssScore");
		json_write_double(w, row->epss, 9);
	}
	json_write_object_end(w);
}

/* Fleet locked. */
static int find_one(struct request *request, const struct query *query, str arn,
        struct finding_row *ret, struct detail_error *ret_error)
{
	int64_t account, first;
	uint64_t host;
	uint32_t vuln;
	struct err err = { 0 };
	*ret_error = (struct detail_error){ .arn = arn };
	if (!arn_parse_finding(request->server, arn, &account, &host, &vuln, &first)) {
		ret_error->code = "INVALID_INPUT";
		ret_error->message = "This is not the ARN of a finding of this server.";
		return 0;
	}
	if (!caller_sees(request->server, &request->caller, account)) {
		ret_error->code = "ACCESS_DENIED";
		ret_error->message = "The finding belongs to an account that you may not look at.";
		return 0;
	}
	int r = query_one(
	        request->server->fleet, query, host, vuln, first, request->arena, ret, &err);
	if (r == 0 && ret->account != account)
		r = -ENOENT;
	if (r == -ENOENT) {
		ret_error->code = "FINDING_DETAILS_NOT_FOUND";
		ret_error->message = "There is no such finding any more.";
		return 0;
	}
	return r;
}

static int write_one(struct request *request, struct response *response, const struct query *query,
        str arn, struct detail_error *ret_error)
{
	struct vulnerability_details details;
	struct finding_row row;
	struct err err = { 0 };
	fleet_lock(request->server->fleet);
	int r = find_one(request, query, arn, &row, ret_error);
	if (r == 0 && !ret_error->code) {
		r = details_of(request->server->details, row.name, request->arena, &details, &err);
		if (r == -ENOENT) {
			details = (struct vulnerability_details){ .epss = -1 };
			r = 0;
		}
		if (r == 0)
			write_detail(&response->json, arn, &row, &details);
	}
	fleet_unlock(request->server->fleet);
	return r;
}

static void write_errors(struct json_writer *w, const struct detail_error *errors, size_t n)
{
	json_write_key(w, "errors");
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		if (!errors[i].code)
			continue;
		json_write_object(w);
		write_text(w, "findingArn", errors[i].arn);
		write_text(w, "errorCode", str_from_c(errors[i].code));
		write_text(w, "errorMessage", str_from_c(errors[i].message));
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

int api_batch_get_finding_details(struct request *request, struct response *response)
{
	const struct value *arns = value_get(request->in, STR("findingArns"));
	struct detail_error errors[10] = { 0 };
	struct query query;
	size_t n = value_count(arns);
	int r = finding_query(request, response, NULL, &query);
	json_write_key(&response->json, "findingDetails");
	json_write_array(&response->json);
	for (size_t i = 0; r == 0 && i < n && i < 10; i++)
		r = write_one(request, response, &query, value_str(value_at(arns, i)), &errors[i]);
	json_write_array_end(&response->json);
	if (r == 0)
		write_errors(&response->json, errors, n < 10 ? n : 10);
	return r;
}

/* ---- SearchVulnerabilities ---- */

static void write_cvss(struct json_writer *w, const struct vulnerability_details *details)
{
	static const struct {
		const char *type, *key;
	} kinds[] = { { "CVSS_V4", "cvss4" }, { "CVSS_V3", "cvss3" }, { "CVSS_V2", "cvss2" } };
	for (size_t k = 0; k < 3; k++) {
		const struct advisory_severity *found = NULL;
		for (size_t i = 0; i < details->n_records && !found; i++) {
			const struct advisory *record = &details->records[i];
			for (size_t s = 0; s < record->n_severities && !found; s++) {
				if (str_eq(record->severities[s].type, str_from_c(kinds[k].type)))
					found = &record->severities[s];
			}
		}
		enum cvss_version version;
		double score;
		if (!found || cvss_score(found->score, &version, &score, NULL) < 0)
			continue;
		json_write_key(w, kinds[k].key);
		json_write_object(w);
		json_write_key(w, "baseScore");
		json_write_double(w, score, 1);
		write_text(w, "scoringVector", found->score);
		json_write_object_end(w);
	}
}

static void write_related(
        struct json_writer *w, str id, const struct vulnerability_details *details)
{
	size_t n = 0;
	json_write_key(w, "relatedVulnerabilities");
	json_write_array(w);
	for (size_t i = 0; i < details->n_records && n < REFERENCES_MAX; i++) {
		if (!str_eq(details->records[i].id, id)) {
			json_write_str(w, details->records[i].id);
			n++;
		}
	}
	json_write_array_end(w);
}

static void write_vulnerability(
        struct json_writer *w, str id, const struct vulnerability_details *details)
{
	const struct advisory *first = &details->records[0];
	int64_t at_ms;
	json_write_object(w);
	write_text(w, "id", id);
	write_text(w, "source", STR("NVD"));
	write_text(w, "description", first->details.n ? first->details : first->title);
	write_cisa(w, details);
	write_cvss(w, details);
	write_related(w, id, details);
	if (timestamp_from_iso(first->published, &at_ms))
		write_time(w, "vendorCreatedAt", at_ms / 1000);
	if (timestamp_from_iso(first->modified, &at_ms))
		write_time(w, "vendorUpdatedAt", at_ms / 1000);
	write_references(w, details);
	if (details->epss >= 0) {
		json_write_key(w, "epss");
		json_write_object(w);
		json_write_key(w, "score");
		json_write_double(w, details->epss, 9);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

int api_search_vulnerabilities(struct request *request, struct response *response)
{
	const struct value *criteria = value_get(request->in, STR("filterCriteria"));
	str id = value_str(value_at(value_get(criteria, STR("vulnerabilityIds")), 0));
	struct vulnerability_details details = { .epss = -1 };
	struct err err = { 0 };
	int r = details_of(request->server->details, id, request->arena, &details, &err);
	if (r < 0 && r != -ENOENT)
		return r;
	json_write_key(&response->json, "vulnerabilities");
	json_write_array(&response->json);
	if (r == 0 && details.n_records > 0)
		write_vulnerability(&response->json, id, &details);
	json_write_array_end(&response->json);
	return 0;
}
