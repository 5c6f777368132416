/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Shapes: what each operation takes and gives, as tables made from src/aws/shapes/ by
 * tools/make-shapes, and the check of a request against them.
 */

#include "aws/value.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum shape_kind {
	SHAPE_STRUCTURE,
	SHAPE_LIST,
	SHAPE_MAP,
	SHAPE_STRING,
	SHAPE_ENUM, /* a string out of a set */
	SHAPE_INTEGER,
	SHAPE_LONG,
	SHAPE_DOUBLE,
	SHAPE_BOOLEAN,
	SHAPE_TIMESTAMP, /* in JSON: epoch seconds as a number, or a date as text */
	SHAPE_BLOB,      /* in JSON: base64 */
};

/** Where a member of an operation's input travels. */
enum shape_location {
	SHAPE_IN_BODY,
	SHAPE_IN_URI,
	SHAPE_IN_QUERY,
	SHAPE_IN_HEADER,
};

struct shape;
struct shape_pattern;

/** One member of a structure. */
struct shape_member {
	const char *name;
	const struct shape *shape;
	enum shape_location location;
	bool is_required;
};

/** One type. Static; only what its kind needs is set. */
struct shape {
	const char *name; /* of a structure or an enum; NULL for others */
	enum shape_kind kind;
	bool has_min, has_max, is_union;     /* a union has exactly one of its members */
	int64_t min, max;                    /* characters, elements, entries, bytes or the value */
	const struct shape_pattern *pattern; /* of a string; NULL: any */
	const struct shape_member *members;  /* SHAPE_STRUCTURE */
	const char *const *values;           /* SHAPE_ENUM, in the order of the model */
	size_t n;                            /* of members or of values */
	const struct shape *key;             /* SHAPE_MAP */
	const struct shape *item;            /* SHAPE_LIST, and the values of SHAPE_MAP */
};

/** One operation. Static. */
struct operation_shape {
	const char *service; /* "inspector2", as in a credential scope */
	const char *name;
	const char *method;                 /* "POST" */
	const char *uri;                    /* "/tags/{resourceArn}"; "/" except for REST */
	const struct shape *input, *output; /* structures; possibly without members */
	const char *const *errors;          /* exceptions it may answer with; NULL-terminated */
};

/** Why a value does not satisfy its shape. */
enum shape_fault {
	SHAPE_FAULT_TYPE,
	SHAPE_FAULT_MISSING,
	SHAPE_FAULT_SHORT, /* too few characters, elements, entries or bytes */
	SHAPE_FAULT_LONG,
	SHAPE_FAULT_SMALL, /* the number */
	SHAPE_FAULT_LARGE,
	SHAPE_FAULT_PATTERN,
	SHAPE_FAULT_ENUM,
	SHAPE_FAULT_UNION,
};

/** One problem. */
struct shape_problem {
	enum shape_fault fault;
	str path; /* arena: "filterCriteria.severity[0].comparison"; empty for the whole */
	str text; /* arena or static: "Member must not be null" */
};

/** Most problems that are told of one request; `n_all` counts on. */
#define SHAPE_PROBLEMS_MAX 32

/** The problems of a request. Initialise with SHAPE_PROBLEMS(&arena); released with the arena. */
struct shape_problems {
	struct arena *arena;
	struct shape_problem items[SHAPE_PROBLEMS_MAX];
	size_t n;     /* in items */
	size_t n_all; /* found */
};

#define SHAPE_PROBLEMS(memory) ((struct shape_problems){ .arena = (memory), .n = 0, .n_all = 0 })

/**
 * Check a value against a shape. Members that the shape does not know are ignored.
 *
 * In:      v    NULL counts as an empty object for a structure
 * Out:     out  problems added, in the order of the shape's members
 * Returns: 0 when there is no problem; -ERR_FORMAT when there are; -ERR_LIMIT when the arena is
 *          full
 * Cost:    linear in the value; patterns are matched without backtracking
 */
int shape_validate(const struct shape *shape, const struct value *v, struct shape_problems *out);

/**
 * Add the sentence of a ValidationException: "2 validation errors detected: Value at 'name' failed
 * to satisfy constraint: Member must not be null; Value at ...".
 */
void shape_problems_add_sentence(const struct shape_problems *problems, struct buf *out);

/** A member of a structure's shape; NULL if it has none of that name. */
const struct shape_member *shape_member(const struct shape *shape, str name);

/** Every operation, services one after another; static. */
const struct operation_shape *operation_all(size_t *ret_n);

/** An operation by the name of its service in the credential scope and its own; NULL if unknown. */
const struct operation_shape *operation_find(str service, str name);

/**
 * The value that a text in an address or a form stands for: a number, true or false where the shape
 * asks for one, and the string itself where it does not or the text is none; shape_validate() then
 * says so. Borrows.
 */
struct value shape_value_of_text(const struct shape *shape, str text);
