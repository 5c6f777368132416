/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/words.h"

#include "agent/script.h"
#include "aws/timestamp.h"
#include "base/hash.h"

#define SUMMARY_MAX 510u

/* Text that fits, and is still UTF-8. */
static str fit(str s, size_t most)
{
	if (s.n <= most)
		return s;
	while (most > 0 && ((unsigned char)s.p[most] & 0xc0) == 0x80)
		most--;
	return str_head(s, most);
}

/* The end of a text, from where a character begins: what went wrong is said last. */
static str end_of(str s, size_t most)
{
	if (s.n <= most)
		return s;
	s = str_skip(s, s.n - most);
	while (s.n > 0 && ((unsigned char)s.p[0] & 0xc0) == 0x80)
		s = str_skip(s, 1);
	return s;
}

static void member_time(struct json_writer *w, const char *key, int64_t now_ms)
{
	json_write_key(w, key);
	timestamp_write_epoch(w, now_ms);
}

void words_association(const struct association *association, str instance, str status, str summary,
        str code, int64_t now_ms, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	json_write_object(&w);
	json_write_member_str(&w, "AssociationId", association->id);
	if (association->version.n > 0)
		json_write_member_str(&w, "AssociationVersion", association->version);
	json_write_member_str(&w, "InstanceId", instance);
	json_write_key(&w, "ExecutionResult");
	json_write_object(&w);
	json_write_member_str(&w, "Status", status);
	member_time(&w, "ExecutionDate", now_ms);
	json_write_member_str(&w, "ExecutionSummary", fit(summary, SUMMARY_MAX));
	json_write_member_str(&w, "ErrorCode", code);
	json_write_object_end(&w);
	json_write_object_end(&w);
}

static size_t count(const struct value *steps, str status)
{
	size_t n = 0;
	for (size_t i = 0; i < value_count(steps); i++)
		n += str_eq(value_get_str(value_at(steps, i), STR("Status")), status);
	return n;
}

void words_summary(const struct value *job, struct buf *out)
{
	const struct value *steps = value_get(job, STR("Steps"));
	str fault = value_get_str(job, STR("Fault"));
	size_t n = value_count(steps);
	if (!job || fault.n > 0) {
		buf_add(out, job ? fault : STR("The job ended without a word."));
		return;
	}
	buf_printf(out,
	        "%zu out of %zu plugin%s processed, %zu success, %zu failed, %zu timedout, %zu "
	        "skipped. ",
	        n, n, n == 1 ? "" : "s", count(steps, STR("Success")), count(steps, STR("Failed")),
	        count(steps, STR("TimedOut")), count(steps, STR("Skipped")));
	for (size_t i = 0; i < n; i++) {
		const struct value *step = value_at(steps, i);
		if (!str_eq(value_get_str(step, STR("Status")), STR("Failed")))
			continue;
		str text = str_trim(value_get_str(step, STR("Err")));
		buf_add(out, STR("The operation "));
		buf_add(out, fit(value_get_str(step, STR("Name")), 64));
		buf_add(out, STR(" failed because "));
		buf_add(out, end_of(text, 300));
		break;
	}
}

void words_compliance(const struct association *association, str instance, str status,
        int64_t now_ms, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	bool is_good = str_eq(status, STR("Success")) || str_eq(status, STR("Skipped"));
	char hash[SHA256_HEX_SIZE];
	json_write_object(&w);
	json_write_member_str(&w, "ResourceId", instance);
	json_write_member_str(&w, "ResourceType", STR("ManagedInstance"));
	json_write_member_str(&w, "ComplianceType", STR("Association"));
	json_write_key(&w, "ExecutionSummary");
	json_write_object(&w);
	member_time(&w, "ExecutionTime", now_ms);
	json_write_object_end(&w);
	json_write_key(&w, "Items");
	json_write_array(&w);
	json_write_object(&w);
	json_write_member_str(&w, "Id", association->id);
	json_write_member_str(&w, "Title", fit(association->name, 500));
	json_write_member_str(&w, "Severity", STR("UNSPECIFIED"));
	json_write_member_str(&w, "Status", is_good ? STR("COMPLIANT") : STR("NON_COMPLIANT"));
	json_write_key(&w, "Details");
	json_write_object(&w);
	json_write_member_str(&w, "DocumentName", fit(association->name, 500));
	json_write_member_str(&w, "DocumentVersion", association->document_version);
	json_write_object_end(&w);
	json_write_object_end(&w);
	json_write_array_end(&w);
	hash_sha256_hex(buf_str(out), hash);
	json_write_member_str(&w, "ItemContentHash", str_from_c(hash));
	/* Each run is about one association: the others' items stay. */
	json_write_member_str(&w, "UploadType", STR("PARTIAL"));
	json_write_object_end(&w);
}

/* ---- replies ---- */

static void write_plugin(struct json_writer *w, const struct value *step)
{
	str out = value_get_str(step, STR("Out")), bad = value_get_str(step, STR("Err"));
	autobuf both = BUF(4 * (SCRIPT_STDOUT_MAX + SCRIPT_STDERR_MAX));
	autobuf cut = BUF(4 * SCRIPT_OUTPUT_MAX);
	buf_add(&both, out);
	if (bad.n > 0) {
		buf_add(&both, STR("\n----------ERROR-------\n"));
		buf_add(&both, bad);
	}
	script_add_cut(&cut, buf_str(&both), SCRIPT_OUTPUT_MAX, false);
	json_write_object(w);
	json_write_member_str(w, "status", value_get_str(step, STR("Status")));
	json_write_key(w, "code");
	json_write_u64(w, (uint64_t)value_get_i64(step, STR("Code"), 1));
	json_write_member_str(w, "name", value_get_str(step, STR("Action")));
	json_write_member_str(w, "stepName", value_get_str(step, STR("Name")));
	json_write_member_str(w, "output", buf_str(&cut));
	json_write_member_str(w, "standardOutput", out);
	json_write_member_str(w, "standardError", bad);
	json_write_member_str(w, "startDateTime", value_get_str(step, STR("Start")));
	json_write_member_str(w, "endDateTime", value_get_str(step, STR("End")));
	json_write_member_str(w, "outputS3BucketName", STR(""));
	json_write_member_str(w, "outputS3KeyPrefix", STR(""));
	json_write_object_end(w);
}

/* Keys are the steps' names; the checker has seen to it that none stands twice. */
static void write_payload(struct json_writer *w, const struct value *job, str status, str fault,
        const struct platform *platform, int64_t now_ms)
{
	const struct value *steps = value_get(job, STR("Steps"));
	autobuf at = BUF(40);
	timestamp_add_iso(&at, now_ms);
	json_write_object(w);
	json_write_key(w, "additionalInfo");
	json_write_object(w);
	json_write_key(w, "agent");
	json_write_object(w);
	json_write_member_str(w, "lang", STR("en-US"));
	json_write_member_str(w, "name", STR("sonde"));
	json_write_member_str(w, "os", platform->name);
	json_write_member_str(w, "osver", platform->version);
	json_write_member_str(w, "ver", STR(SONDE_VERSION));
	json_write_object_end(w);
	json_write_member_str(w, "dateTime", buf_str(&at));
	json_write_member_str(w, "runId", STR(""));
	json_write_key(w, "runtimeStatusCounts");
	json_write_object(w);
	if (value_count(steps) > 0) {
		json_write_key_str(w, status);
		json_write_u64(w, value_count(steps));
	}
	json_write_object_end(w);
	json_write_object_end(w);
	json_write_member_str(w, "documentStatus", status);
	json_write_member_str(w, "documentTraceOutput", fit(fault, SCRIPT_OUTPUT_MAX));
	json_write_key(w, "runtimeStatus");
	json_write_object(w);
	for (size_t i = 0; i < value_count(steps); i++) {
		json_write_key_str(w, value_get_str(value_at(steps, i), STR("Name")));
		write_plugin(w, value_at(steps, i));
	}
	json_write_object_end(w);
	json_write_object_end(w);
}

void words_reply(str message_id, str reply_id, const struct value *job, str status, str fault,
        const struct platform *platform, int64_t now_ms, struct buf *out)
{
	autobuf payload = BUF(out->max);
	struct json_writer inner = JSON_WRITER(&payload, false);
	struct json_writer w = JSON_WRITER(out, false);
	write_payload(&inner, job, status, fault, platform, now_ms);
	if (buf_failed(&payload)) {
		out->failed = true;
		return;
	}
	json_write_object(&w);
	json_write_member_str(&w, "MessageId", message_id);
	json_write_member_str(&w, "ReplyId", reply_id);
	json_write_member_str(&w, "Payload", buf_str(&payload));
	json_write_object_end(&w);
}
