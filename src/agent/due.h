/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * due: when an association is to run. Pure; times are seconds since 1970 UTC.
 *
 * Source: the order in which Systems Manager's own agent decides: what the service calls pending,
 * or never ran, runs now; a schedule decides the rest
 */

#include "aws/value.h"
#include "base/err.h"
#include "ssm/schedule.h"

/** What decides over one association. Strings borrow. */
struct due {
	str detailed_status; /* as the service has it: "Pending", "Success" */
	int64_t last_at;     /* when it last ran, by the service; 0: never */
	int64_t ran_at;      /* when this agent last ran it; 0: never */
	str expression;      /* ScheduleExpression; empty: once */
	int offset_days;
};

/** What is known of a last run that seems to be still to come. Zero-initialise. */
struct due_ahead {
	int64_t last_at;    /* as it was said; 0: none */
	int64_t counted_at; /* when that was first seen */
};

/**
 * When something ran last, by a clock that may have been set back since, or that is behind the
 * server's: a time to come counts as the moment in which it was first seen, and goes on to. Were it
 * taken for "now" whenever one looks, the next run would always be a whole interval away.
 *
 * Returns: a time not later than `now`
 */
int64_t due_last(struct due_ahead *ahead, int64_t last_at, int64_t now);

/** Never, as a time. */
#define DUE_NEVER INT64_MAX

/**
 * When is it to run?
 *
 * A clock that was set back must not keep what ran "in the future" from ever running again: such
 * a time counts as now. Who asks again and again settles both times by due_last() first.
 *
 * In:      now  the wall clock
 * Out:     ret_at  a time not later than `now`: at once; DUE_NEVER: no more
 * Returns: 0; -ERR_FORMAT for an expression that is none
 */
int due_at(const struct due *due, int64_t now, int64_t *ret_at, struct err *err);
