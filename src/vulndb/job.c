/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/feed.h"

#include <stdio.h>

#include "vulndb/encode.h"

/* Progress is told in steps of this many bytes. */
#define STEP_BYTES ((uint64_t)256 << 10)

void job_tell(struct job *job, str record, str what)
{
	if (buf_failed(&job->told)) {
		job->n_untold++;
		return;
	}
	size_t n = job->told.n;
	encode_text(&job->told, record);
	encode_text(&job->told, what);
	if (buf_failed(&job->told)) {
		job->told.n = n; /* no half pair */
		job->n_untold++;
	}
}

void job_left_out(struct job *job, str record, enum reason reason)
{
	job->result.by_reason[reason]++;
	job_tell(job, record, str_from_c(reason_name(reason)));
}

void job_date(struct job *job, str date)
{
	struct stamp at;
	if (date.n >= sizeof(job->newest) || !stamp_parse(date, &at) || stamp_is_unknown(at))
		return;
	if (job->newest[0] && stamp_cmp(at, job->newest_at) <= 0)
		return;
	memcpy(job->newest, date.p, date.n);
	job->newest[date.n] = '\0';
	job->newest_at = at;
}

void job_advance(struct job *job, uint64_t bytes)
{
	uint64_t left = job->found->bytes - job->n_advanced - job->n_pending;
	job->n_pending += bytes < left ? bytes : left;
	if (job->n_pending < STEP_BYTES && job->n_advanced + job->n_pending < job->found->bytes)
		return;
	job->n_advanced += job->n_pending;
	job->advance(job->ctx, job->n_pending);
	job->n_pending = 0;
}

static void told_duplicate(void *ctx, str what)
{
	job_tell(ctx, what, str_from_c(reason_name(REASON_DUPLICATE)));
}

static void copy_text(char *to, size_t size, str text)
{
	if (text.n >= size)
		text.n = size - 1;
	if (text.n > 0)
		memcpy(to, text.p, text.n);
	to[text.n] = '\0';
}

/* Nothing that the feed's format would allow was in it: another file in its place, not a feed. */
static bool is_foreign(const struct import_result *result)
{
	return result->by_reason[REASON_NOT_JSON] + result->by_reason[REASON_NO_ID] +
	               result->by_reason[REASON_UNREADABLE] + result->by_reason[REASON_TOO_LARGE] +
	               result->by_reason[REASON_BAD_ROW] ==
	       result->n_records;
}

int job_commit(struct job *job, struct feed_writer *writer, str licence, struct err *err)
{
	struct import_result *result = &job->result;
	if (result->n_records == 0)
		return err_set(err, -ERR_FORMAT, "%s: it holds no record", job->found->name);
	if (is_foreign(result))
		return err_set(err, -ERR_FORMAT, "%s: none of its %llu records can be read",
		        job->found->name, (unsigned long long)result->n_records);
	struct feed_head head = { .n_records = result->n_records, .n_bytes = result->n_bytes };
	copy_text(head.source, sizeof(head.source), str_from_c(job->found->name));
	copy_text(head.kind, sizeof(head.kind), str_from_c(job->found->feed->name));
	copy_text(head.newest, sizeof(head.newest), str_from_c(job->newest));
	copy_text(head.licence, sizeof(head.licence), licence);
	memcpy(head.by_reason, result->by_reason, sizeof(head.by_reason));
	int r = feed_writer_commit(writer, &head, told_duplicate, job, err);
	if (r == 0)
		memcpy(result->by_reason, head.by_reason, sizeof(head.by_reason));
	return r;
}
