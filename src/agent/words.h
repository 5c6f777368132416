/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * words: what the agent tells the service of runs, as bodies of calls. Pure.
 *
 * Source: amazon-ssm-agent's messages, as its public source and the Systems Manager API reference
 * describe them
 */

#include "agent/platform.h"
#include "aws/value.h"
#include "base/buf.h"

/** One association, as the service listed it. Strings borrow. */
struct association {
	str id, version, name, document_version, checksum, detailed_status, expression;
	int64_t last_at;
	int offset_days;
	str parameters; /* JSON object */
};

/**
 * The body of UpdateInstanceAssociationStatus.
 *
 * In:      status   "Pending", "InProgress", "Success", ...
 *          summary  a sentence; cut to 510 bytes
 *          code     "", "ExecutionError", ...
 */
void words_association(const struct association *association, str instance, str status, str summary,
        str code, int64_t now_ms, struct buf *out);

/** The sentence that sums up a job's steps, and what its last failed step says. */
void words_summary(const struct value *job, struct buf *out);

/** The body of PutComplianceItems for one association. */
void words_compliance(const struct association *association, str instance, str status,
        int64_t now_ms, struct buf *out);

/**
 * The body of SendReply.
 *
 * In:      job     what the job said; NULL: it has begun
 *          status  of the document
 *          fault   why it was not run; empty: it was
 */
void words_reply(str message_id, str reply_id, const struct value *job, str status, str fault,
        const struct platform *platform, int64_t now_ms, struct buf *out);
