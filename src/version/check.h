/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Check a scheme against a table of known answers: tab-separated lines without a header, one kind
 * of question per table.
 */

#include "base/err.h"
#include "version/version.h"

/** What the lines of a table ask. */
enum check_kind {
	CHECK_CMP,   /* A, then "<", "=", ">" or "?", then B */
	CHECK_RANGE, /* version, range, "true" or "false" */
	CHECK_VALID, /* version, "true" or "false" */
	CHECK_MAP,   /* version, its normal form */
};

/** What checking one line gave. */
enum check_result {
	CHECK_PASS,
	CHECK_FAIL,
	CHECK_NOTHING, /* an empty line, or a comment: '#' first and no tab */
};

/** Read "cmp", "range", "valid" or "map". False if it is none of them. */
bool check_kind_parse(str word, enum check_kind *ret);

/**
 * Can a scheme answer this kind of question?
 *
 * Returns: 0; -ERR_UNSUPPORTED with a sentence
 */
int check_supports(const struct scheme *scheme, enum check_kind kind, struct err *err);

/**
 * Check one line.
 *
 * In:      kind  one that check_supports() accepts for the scheme
 *          line  without its LF; a CR at its end is dropped
 * Out:     err   for CHECK_FAIL: what the line wants and what we answer, or why it is not such a
 * line
 */
enum check_result check_line(
        const struct scheme *scheme, enum check_kind kind, str line, struct err *err);
