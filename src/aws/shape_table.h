/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The tables that tools/make-shapes writes: only for shape.c and shape_pattern.c.
 */

#include "aws/shape.h"
#include "aws/shape_pattern.h"

/** Most instructions of a pattern's program; tools/make-shapes refuses longer ones. */
#define PATTERN_OPS_MAX 2048

enum pattern_code {
	PATTERN_SET,    /* one code point out of set x */
	PATTERN_SPLIT,  /* go on at x and at y */
	PATTERN_JUMP,   /* go on at x */
	PATTERN_BEGIN,  /* only at the beginning of the string */
	PATTERN_END,    /* only at its end */
	PATTERN_WORD,   /* only between a letter, digit or '_' and something else */
	PATTERN_INSIDE, /* only elsewhere */
	PATTERN_MATCH,
};

struct pattern_op {
	enum pattern_code code;
	uint16_t x, y;
};

struct pattern_range {
	uint32_t first, last;
};

/** A set of code points. */
struct pattern_set {
	uint64_t ascii[2];                  /* a bit for each of the first 128 */
	const struct pattern_range *ranges; /* all of them, ascending */
	size_t n;
};

struct shape_pattern {
	const char *text;
	const struct pattern_set *sets;
	const struct pattern_op *main;
	size_t n_main;
	const struct pattern_op * not ; /* what must not stand at the beginning; NULL if nothing */
	size_t n_not;
};

extern const struct shape_pattern *const pattern_table;
extern const size_t pattern_table_n;

/** Sorted by service and name. */
extern const struct operation_shape *const operation_table;
extern const size_t operation_table_n;
