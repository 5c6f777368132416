/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a version affected? A range is a line of versions with events on it. The last event that the
 * version has reached decides: when it is "introduced", the version is affected. That is what OSV's
 * evaluation gives after sorting the events, without sorting them:
 *
 *     introduced 0      fixed 1.2      introduced 2.0    last_affected 2.5
 *     |=================|              |=================|
 *                  1.1: yes       1.9: no           2.5: yes     2.6: no
 *
 * "introduced" and "fixed" are reached at their version, "last_affected" just behind it. Of events
 * at the same place the one that the record lists later decides. An event whose version is none in
 * the scheme cannot be placed; when it could turn the answer round, the answer is "unknown", never
 * "no".
 */
#include "match/match.h"

#include <assert.h>

#include "version/version.h"

/* How often a fix may itself lie in another range of the same entry. */
#define FIX_STEPS_MAX 64

/* How versions are ordered, and where the ecosystem's order has no answer, by what else. */
struct ruler {
	const struct scheme *scheme, *wider;
};

/* Where a version lies on one range. */
struct ruling {
	enum verdict verdict;
	const struct scheme *scheme;
	const struct advisory_event *since, *until; /* the events around it; until may be NULL */
	str listed; /* the listed version that it equals; p NULL for none */
};

enum reach { REACHED, AHEAD, UNPLACED };

static struct ruler ruler_of(const char *scheme_name)
{
	struct ruler ruler = { .scheme = scheme_find(str_from_c(scheme_name)) };
	if (ruler.scheme && ruler.scheme->wider)
		ruler.wider = scheme_find(str_from_c(ruler.scheme->wider));
	return ruler;
}

static enum order order_by(const struct ruler *ruler, str a, str b)
{
	enum order o = ORDER_UNORDERED;
	if (ruler->scheme)
		o = version_compare(ruler->scheme, a, b);
	if (o == ORDER_UNORDERED && ruler->wider)
		o = version_compare(ruler->wider, a, b);
	return o;
}

static bool is_beginning(const struct advisory_event *event)
{
	return event->kind == EVENT_INTRODUCED && str_eq(event->version, STR("0"));
}

static enum reach reach_of(
        const struct ruler *ruler, const struct advisory_event *event, str version)
{
	if (is_beginning(event))
		return REACHED;
	enum order o = order_by(ruler, version, event->version);
	if (o == ORDER_UNORDERED)
		return UNPLACED;
	if (event->kind == EVENT_LAST_AFFECTED)
		return o == ORDER_GREATER ? REACHED : AHEAD;
	return o == ORDER_LESS ? AHEAD : REACHED;
}

/* Does `a`, which the record lists later, stand before `b`? */
static bool stands_before(
        const struct ruler *ruler, const struct advisory_event *a, const struct advisory_event *b)
{
	if (is_beginning(a) || is_beginning(b))
		return is_beginning(a) && !is_beginning(b);
	enum order o = order_by(ruler, a->version, b->version);
	if (o != ORDER_EQUAL)
		return o == ORDER_LESS;
	return b->kind == EVENT_LAST_AFFECTED && a->kind != EVENT_LAST_AFFECTED;
}

/* Limits are apart from the line: a version must be before one of them, if there are any. */
static enum verdict before_limits(
        const struct ruler *ruler, const struct advisory_range *range, str version)
{
	enum verdict verdict = VERDICT_YES;
	for (size_t i = 0; i < range->n_events; i++) {
		const struct advisory_event *event = &range->events[i];
		if (event->kind != EVENT_LIMIT)
			continue;
		enum order o = str_eq(event->version, STR("*"))
		                       ? ORDER_LESS
		                       : order_by(ruler, version, event->version);
		if (o == ORDER_LESS)
			return VERDICT_YES;
		if (o == ORDER_UNORDERED)
			verdict = VERDICT_UNKNOWN;
		else if (verdict == VERDICT_YES)
			verdict = VERDICT_NO;
	}
	return verdict;
}

/* What the line says, when these of its events could not be placed. */
static enum verdict weigh(const struct advisory_event *since, bool lost_begin, bool lost_end)
{
	if (since && since->kind == EVENT_INTRODUCED)
		return lost_end ? VERDICT_UNKNOWN : VERDICT_YES;
	return lost_begin ? VERDICT_UNKNOWN : VERDICT_NO;
}

static struct ruling rule_range(
        const struct ruler *ruler, const struct advisory_range *range, str version)
{
	struct ruling ruling = { .scheme = ruler->scheme };
	bool has_begin = false, lost_begin = false, lost_end = false;

	for (size_t i = 0; i < range->n_events; i++) {
		const struct advisory_event *event = &range->events[i];
		if (event->kind == EVENT_LIMIT)
			continue;
		bool begins = event->kind == EVENT_INTRODUCED;
		has_begin |= begins;
		switch (reach_of(ruler, event, version)) {
		case REACHED:
			if (!ruling.since || !stands_before(ruler, event, ruling.since))
				ruling.since = event;
			break;
		case AHEAD:
			if (!begins && (!ruling.until || stands_before(ruler, event, ruling.until)))
				ruling.until = event;
			break;
		case UNPLACED:
			lost_begin |= begins;
			lost_end |= !begins;
			break;
		}
	}
	/* A line that begins nowhere is no range: OSV requires "introduced". */
	ruling.verdict = has_begin ? weigh(ruling.since, lost_begin, lost_end) : VERDICT_UNKNOWN;
	if (ruling.verdict == VERDICT_YES)
		ruling.verdict = before_limits(ruler, range, version);
	return ruling;
}

static bool has_fix(const struct ruling *ruling)
{
	return ruling->until && ruling->until->kind == EVENT_FIXED;
}

static const str *find_listed(
        const struct ruler *ruler, const struct advisory_affected *affected, str version)
{
	for (size_t i = 0; i < affected->n_versions; i++) {
		if (str_eq(affected->versions[i], version))
			return &affected->versions[i];
	}
	for (size_t i = 0; i < affected->n_versions; i++) {
		if (order_by(ruler, affected->versions[i], version) == ORDER_EQUAL)
			return &affected->versions[i];
	}
	return NULL;
}

/* The first fix after a version that is listed but in no range. */
static const struct advisory_event *next_fix(
        const struct ruler *ruler, const struct advisory_affected *affected, str version)
{
	const struct advisory_event *best = NULL;
	for (size_t i = 0; i < affected->n_ranges; i++) {
		const struct advisory_range *range = &affected->ranges[i];
		for (size_t k = 0; k < range->n_events; k++) {
			const struct advisory_event *event = &range->events[k];
			if (event->kind == EVENT_FIXED &&
			        reach_of(ruler, event, version) == AHEAD &&
			        (!best || stands_before(ruler, event, best)))
				best = event;
		}
	}
	return best;
}

/* Is the version one that its scheme can place? Asked by comparing it with itself. */
static bool is_placeable(const struct ruler *ruler, str version)
{
	return order_by(ruler, version, version) == ORDER_EQUAL;
}

/* Ranges and the list are a union. A range that knows its fix explains better than one that does
 * not. */
static struct ruling rule(
        const struct ruler *own, const struct advisory_affected *affected, str version)
{
	const struct ruler semver = { .scheme = scheme_find(STR("semver")) };
	struct ruling best = { .verdict = VERDICT_NO, .scheme = own->scheme };

	for (size_t i = 0; i < affected->n_ranges; i++) {
		const struct advisory_range *range = &affected->ranges[i];
		struct ruling r = rule_range(range->is_semver ? &semver : own, range, version);
		if (r.verdict == VERDICT_NO)
			continue;
		if (best.verdict == VERDICT_NO ||
		        (r.verdict == VERDICT_YES &&
		                (best.verdict != VERDICT_YES || !has_fix(&best))))
			best = r;
	}
	if (best.verdict == VERDICT_YES)
		return best;

	const str *listed = find_listed(own, affected, version);
	if (listed)
		return (struct ruling){ .verdict = VERDICT_YES,
			.scheme = own->scheme,
			.until = next_fix(own, affected, version),
			.listed = *listed };
	/* Nothing said, or a version that only the same text could equal. */
	bool says_nothing = affected->n_ranges == 0 && affected->n_versions == 0;
	if (says_nothing || (affected->n_versions > 0 && !is_placeable(own, version)))
		best.verdict = VERDICT_UNKNOWN;
	return best;
}

/* The fix that leaves every range of the entry, or empty when the entry knows none. */
static str fix_of(
        const struct ruler *own, const struct advisory_affected *affected, struct ruling ruling)
{
	for (int i = 0; i < FIX_STEPS_MAX && has_fix(&ruling); i++) {
		str fix = ruling.until->version;
		ruling = rule(own, affected, fix);
		if (ruling.verdict != VERDICT_YES)
			return fix;
	}
	return (str){ "", 0 };
}

/* Returns: 0; -ERR_LIMIT when the arena is full */
static int describe(
        const struct ruling *ruling, str version, struct arena *arena, struct verdict_detail *ret)
{
	const char *scheme = ruling->scheme ? ruling->scheme->name : "as text";
	const struct advisory_event *until = ruling->until;
	str listed = ruling->listed;

	if (listed.p)
		return arena_printf(arena, &ret->range, "= " STR_FMT, STR_ARG(listed)) |
		       arena_printf(arena, &ret->comparison, STR_FMT " = " STR_FMT " (%s)",
		               STR_ARG(version), STR_ARG(listed), scheme);

	assert(ruling->since); /* an affected version has reached a beginning, or is listed */
	str since = ruling->since->version;
	if (until) {
		const char *sign = until->kind == EVENT_FIXED ? "<" : "<=";
		return arena_printf(arena, &ret->range, ">= " STR_FMT ", %s " STR_FMT,
		               STR_ARG(since), sign, STR_ARG(until->version)) |
		       arena_printf(arena, &ret->comparison, STR_FMT " %s " STR_FMT " (%s)",
		               STR_ARG(version), sign, STR_ARG(until->version), scheme);
	}
	int r = arena_printf(arena, &ret->range, ">= " STR_FMT, STR_ARG(since));
	if (is_beginning(ruling->since))
		return r | arena_printf(arena, &ret->comparison, STR_FMT ": every version",
		                   STR_ARG(version));
	return r | arena_printf(arena, &ret->comparison, STR_FMT " >= " STR_FMT " (%s)",
	                   STR_ARG(version), STR_ARG(since), scheme);
}

enum verdict match_judge(const char *scheme_name, const struct advisory_affected *affected,
        str version, struct arena *arena, struct verdict_detail *ret_detail)
{
	struct ruler own = ruler_of(scheme_name);
	struct ruling ruling = rule(&own, affected, version);
	if (ruling.verdict != VERDICT_YES)
		return ruling.verdict;

	struct verdict_detail detail = { .fixed_in = STR("") };
	if (describe(&ruling, version, arena, &detail) < 0 ||
	        arena_copy(arena, fix_of(&own, affected, ruling), &detail.fixed_in) < 0)
		detail = (struct verdict_detail){ .fixed_in = STR("") };
	*ret_detail = detail;
	return VERDICT_YES;
}
