/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * schedule: when an association runs: "rate(30 minutes)", "cron(0 2 ? * SUN *)",
 * "at(2026-07-07T15:55:00)". Everything here is pure; times are seconds since 1970 UTC.
 */

#include "base/err.h"
#include "base/str.h"

enum schedule_kind {
	SCHEDULE_RATE,
	SCHEDULE_CRON,
	SCHEDULE_AT,
};

/** The fields of a cron expression, as sets of bits. */
struct cron {
	uint64_t minutes;        /* 0 .. 59 */
	uint32_t hours;          /* 0 .. 23 */
	uint32_t days;           /* 1 .. 31 */
	uint32_t weekdays_near;  /* 1 .. 31: "15W", the weekday nearest to that day */
	uint32_t months;         /* 1 .. 12 */
	uint32_t weekdays;       /* 0 .. 6 from Sunday */
	uint32_t weekdays_last;  /* "6L": the last one of the month */
	uint8_t weekdays_nth[6]; /* [1 .. 5]: "3#2", the n-th one of the month */
	bool has_last_day;       /* "L" */
	bool has_last_weekday;   /* "LW" */
	bool is_any_day;         /* "*" or "?" for the day of the month */
	bool is_any_weekday;     /* the same for the day of the week */
	bool is_any_year;        /* "*", or no field for it */
	uint64_t years[4];       /* bits from 1970 */
};

/** A schedule. */
struct schedule {
	enum schedule_kind kind;
	int64_t every_s; /* SCHEDULE_RATE */
	int64_t at;      /* SCHEDULE_AT */
	struct cron cron;
};

/** Shortest interval of a rate, in seconds. */
#define SCHEDULE_EVERY_MIN_S 1800

/**
 * Read an expression.
 *
 * In:      text  the whole expression. A cron expression has minutes, hours, day of the month,
 *                month, day of the week and possibly the year; days of the week are 1 to 7 from
 *                Sunday, or names
 * Out:     ret   written on success only
 * Returns: 0; -ERR_FORMAT with a sentence
 * Source:  AWS Systems Manager User Guide, "Reference: Cron and rate expressions"
 */
int schedule_read(str text, struct schedule *ret, struct err *err);

/**
 * The first time of a schedule after a moment.
 *
 * In:      after   for a rate, when it last ran: the next time is one interval later
 *          offset  days, 0 to 6, that a cron expression's times are put off
 * Returns: 0 when there is none, before the year 2200
 * Cost:    at most one step per day until then
 */
int64_t schedule_next(const struct schedule *schedule, int64_t after, int offset_days);
