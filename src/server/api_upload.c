/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's own upload, in three steps: announce, send in pieces, complete. An inventory that the
 * server has already is told from its hash, and is not sent. Only what CompleteUpload answered is
 * acknowledged, and that is durable.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/server.h"
#include "server/upload.h"

/* A capture time further ahead than this would keep later reports out. */
#define AHEAD_MAX_S 86400

static int refuse_host(struct response *response)
{
	return response_fail(response, "ResourceNotFoundException",
	        "The InstanceId is not that of the host whose credential this is.");
}

/* The upload stands elsewhere than the host thinks: where it goes on is in the error. */
static int fail_conflict(struct response *response, const char *text, uint64_t next)
{
	char number[24];
	str copy;
	struct value *extra = arena_alloc(response->arena, 1, sizeof(*extra));
	int r = response_fail(response, "ConflictException", "%s.", text);
	(void)snprintf(number, sizeof(number), "%" PRIu64, next);
	if (extra && arena_copy(response->arena, str_from_c(number), &copy) == 0) {
		struct value_member member = { STR("NextOffset"), value_of_number(copy) };
		if (value_of_members(response->arena, &member, 1, extra) == 0)
			response->extra = extra;
	}
	return r;
}

/* What a class of upload.h means for the host. */
static int fail_upload(struct response *response, int r, uint64_t next, const struct err *err)
{
	switch (r) {
	case -ENOENT: return response_fail(response, "ResourceNotFoundException", "%s.", err->text);
	case -ERANGE: return fail_conflict(response, err->text, next);
	case -EBUSY:
	case -EAGAIN: return response_fail(response, "ThrottlingException", "%s.", err->text);
	case -ERR_LIMIT:
	case -ERR_FORMAT: return response_fail(response, "ValidationException", "%s.", err->text);
	default: return r;
	}
}

/* ---- StartUpload ---- */

static void copy(char *to, size_t size, str from)
{
	size_t n = from.n < size - 1 ? from.n : size - 1;
	if (n > 0)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

static int read_plan(struct request *request, struct response *response, struct upload_plan *ret)
{
	str time = value_get_str(request->in, STR("CaptureTime"));
	int64_t ms = 0;
	*ret = (struct upload_plan){ .host = request->caller.host_number };
	copy(ret->hash, sizeof(ret->hash), value_get_str(request->in, STR("ContentHash")));
	copy(ret->capture_time, sizeof(ret->capture_time), time);
	ret->compressed_bytes = (uint64_t)value_get_i64(request->in, STR("CompressedBytes"), 0);
	ret->bytes = (uint64_t)value_get_i64(request->in, STR("Bytes"), 0);
	if (!timestamp_from_iso(time, &ms) || ms / 1000 > request->now_at + AHEAD_MAX_S)
		return response_invalid(response, "CaptureTime",
		        "The CaptureTime is no time, or lies in the future.");
	ret->captured_at = ms / 1000;
	return 0;
}

static struct report_item item_of(const struct upload_plan *plan)
{
	return (struct report_item){ .type = STR(FLEET_OWN_TYPE),
		.schema_version = STR("1.0"),
		.capture_time = str_from_c(plan->capture_time),
		.captured_at = plan->captured_at,
		.content_hash = str_from_c(plan->hash) };
}

static int write_start(
        struct request *request, struct response *response, const struct upload_plan *plan)
{
	struct json_writer *w = &response->json;
	struct err err = { 0 };
	uint64_t next = 0;
	char id[37];
	int r = upload_start(request->server->uploads, plan, request->now_at, id, &next, &err);
	if (r < 0)
		return fail_upload(response, r, next, &err);
	json_write_member_str(w, "Status", STR("SEND"));
	json_write_member_str(w, "UploadId", str_from_c(id));
	write_number(w, "ChunkBytes", (int64_t)UPLOAD_CHUNK_BYTES);
	write_number(w, "NextOffset", (int64_t)next);
	return 0;
}

/* Is something newer here already? Then it is not worth sending. */
static bool is_stale(struct request *request, const struct upload_plan *plan)
{
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = fleet_host_at(request->server->fleet, plan->host);
	const struct host_item *item = host ? host_item(host, STR(FLEET_OWN_TYPE)) : NULL;
	bool is_newer = item && item->captured_at > plan->captured_at;
	fleet_unlock(request->server->fleet);
	return is_newer;
}

int api_start_upload(struct request *request, struct response *response)
{
	struct upload_plan plan;
	enum report_verdict verdict = REPORT_TAKEN;
	struct err err = { 0 };
	size_t which = 0;
	str digits;
	if (!host_id_parse(value_get_str(request->in, STR("InstanceId")), &digits) ||
	        !str_eq(digits, str_from_c(request->caller.host_id)))
		return refuse_host(response);
	int r = read_plan(request, response, &plan);
	if (r < 0)
		return r;
	struct report_item item = item_of(&plan);
	r = fleet_report(request->server->fleet, plan.host, &item, 1, request->now_at, &verdict,
	        &which, &err);
	if (r == -ENOENT)
		return refuse_host(response);
	if (r < 0)
		return r;
	bool is_wanted = verdict == REPORT_NO_CONTENT || verdict == REPORT_OTHER_HASH;
	bool is_older = verdict == REPORT_STALE || is_stale(request, &plan);
	if (is_wanted && !is_older)
		return write_start(request, response, &plan);
	json_write_member_str(&response->json, "Status", is_older ? STR("STALE") : STR("CURRENT"));
	return 0;
}

/* ---- PutChunk ---- */

int api_put_chunk(struct request *request, struct response *response)
{
	int64_t offset = value_get_i64(request->in, STR("offset"), 0);
	struct err err = { 0 };
	uint64_t next = 0;
	if (request->body.n == 0 || request->body.n > UPLOAD_CHUNK_BYTES)
		return response_fail(response, "ValidationException",
		        "A piece has 1 to %" PRIu64 " bytes.", UPLOAD_CHUNK_BYTES);
	int r = upload_put(request->server->uploads, request->caller.host_number,
	        value_get_str(request->in, STR("uploadId")), (uint64_t)offset, request->body,
	        request->now_at, &next, &err);
	if (r < 0)
		return fail_upload(response, r, next, &err);
	write_number(&response->json, "NextOffset", (int64_t)next);
	return 0;
}

/* ---- CompleteUpload ---- */

static int write_end(struct response *response, enum upload_end end)
{
	json_write_member_str(
	        &response->json, "Status", end == UPLOAD_STALE ? STR("STALE") : STR("TAKEN"));
	return 0;
}

/* Give an inventory to the fleet. Out: ret_end  what came of it */
static int report(struct request *request, struct response *response,
        const struct upload_plan *plan, str content, enum upload_end *ret_end)
{
	struct report_item item = item_of(plan);
	enum report_verdict verdict = REPORT_TAKEN;
	struct err err = { 0 };
	size_t which = 0;
	item.has_content = true;
	item.content = content;
	int r = fleet_report(request->server->fleet, plan->host, &item, 1, request->now_at,
	        &verdict, &which, &err);
	if (r == -ENOENT)
		return refuse_host(response);
	if (r == -ERR_FORMAT || r == -ERR_LIMIT)
		return response_fail(response, "ValidationException", "%s.", err.text);
	if (r < 0)
		return r;
	*ret_end = verdict == REPORT_STALE ? UPLOAD_STALE : UPLOAD_TAKEN;
	return 0;
}

int api_complete_upload(struct request *request, struct response *response)
{
	str id = value_get_str(request->in, STR("uploadId"));
	autobuf content = BUF((size_t)UPLOAD_BYTES_MAX);
	struct uploads *uploads = request->server->uploads;
	enum upload_end end = UPLOAD_OPEN;
	struct upload_plan plan;
	struct err err = { 0 };
	uint64_t next = 0, host = request->caller.host_number;
	int r = upload_take(uploads, host, id, request->now_at, &plan, &content, &end, &next, &err);
	if (r < 0)
		return fail_upload(response, r, next, &err);
	if (end != UPLOAD_OPEN)
		return write_end(response, end);
	r = report(request, response, &plan, buf_str(&content), &end);
	upload_end(uploads, host, id, end);
	return r < 0 ? r : write_end(response, end);
}
