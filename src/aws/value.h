/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * value: the body of a request as an immutable tree, whatever protocol it came in. Everything lives
 * in one arena or borrows from the text.
 *
 * Every accessor takes NULL, and a value of another kind, for "not there": handlers need no checks
 * of their own between the steps of a path.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum value_kind {
	VALUE_NULL = 0,
	VALUE_BOOL,
	VALUE_NUMBER,
	VALUE_STRING,
	VALUE_ARRAY,
	VALUE_OBJECT,
};

/** One value. Read it through the functions below. */
struct value {
	enum value_kind kind;
	uint32_t count; /* elements or members */
	union {
		bool boolean;
		str text; /* VALUE_STRING: UTF-8 without NUL; VALUE_NUMBER: as sent */
		const struct value *items; /* VALUE_ARRAY, contiguous */
		struct {
			const struct value_member *members; /* in the order of the text */
			const uint32_t *order; /* of the members by key; NULL when there are few */
		};
	};
};

/** One member of an object. */
struct value_member {
	str key;
	struct value value;
};

/** Deepest nesting of objects and arrays that is read. */
#define VALUE_DEPTH_MAX 32

/**
 * Parse a JSON text.
 *
 * In:      body   the whole text, UTF-8; must outlive the values, which borrow from it
 *         arena  takes the tree; its cap bounds the number of values
 * Out:     ret    arena
 * Returns: 0; -ERR_FORMAT with the byte offset: not JSON, not UTF-8, a key twice in one object, a
 *          lone surrogate, a NUL; -ERR_LIMIT past VALUE_DEPTH_MAX or the arena
 * Cost:    O(|body| log |body|) at worst, linear in practice
 */
int value_from_json(str body, struct arena *arena, const struct value **ret, struct err *err);

/** The kind; VALUE_NULL for NULL. */
enum value_kind value_kind(const struct value *v);

/**
 * A member of an object by its name. JSON's null counts as not there, as in all of Amazon's
 * protocols.
 *
 * Returns: borrows; NULL if it is not there or `v` is no object
 * Cost:    O(log n), no allocation
 */
const struct value *value_get(const struct value *v, str key);

/** The text of a string; { NULL, 0 } for anything else. An empty string has p != NULL. */
str value_str(const struct value *v);

/** A number without fraction, and without an exponent, as an integer; false for anything else. */
bool value_i64(const struct value *v, int64_t *ret);

/** A number, within one unit in the last place; false for anything else, and when it is too large.
 */
bool value_f64(const struct value *v, double *ret);

/** True or false; false for anything else, and then nothing is written. */
bool value_bool(const struct value *v, bool *ret);

/** The text of a number as it was sent; { NULL, 0 } for anything else. */
str value_number(const struct value *v);

/** How many elements an array, or members an object has; 0 for anything else. */
size_t value_count(const struct value *v);

/** The i-th element of an array, or the i-th member's value; NULL past the end. */
const struct value *value_at(const struct value *v, size_t i);

/** The i-th member's key; { NULL, 0 } past the end, and for anything but an object. */
str value_key_at(const struct value *v, size_t i);

/** value_str(value_get(v, key)). */
str value_get_str(const struct value *v, str key);

/** An integer member, or `otherwise` when it is not there or no integer. */
int64_t value_get_i64(const struct value *v, str key, int64_t otherwise);

/** A boolean member, or `otherwise` when it is not there or no boolean. */
bool value_get_bool(const struct value *v, str key, bool otherwise);

/** Write a value, numbers as they were sent; null for NULL. */
void value_write_json(const struct value *v, struct json_writer *w);

/** A string; borrows. */
struct value value_of_str(str text);

/** A number; borrows. `text` must be a number of JSON (RFC 8259 section 6). */
struct value value_of_number(str text);

/** True or false. */
struct value value_of_bool(bool boolean);

/**
 * Build an array from its elements, which are copied (not what they point to).
 *
 * Out:     ret  arena
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int value_of_items(struct arena *arena, const struct value *items, size_t n, struct value *ret);

/**
 * Build an object from its members, which are copied (not what they point to).
 *
 * Out:     ret  arena
 * Returns: 0; -ERR_FORMAT when a key stands twice; -ERR_LIMIT when the arena is full
 */
int value_of_members(
        struct arena *arena, const struct value_member *members, size_t n, struct value *ret);

/** Is `text` a number of JSON (RFC 8259 section 6), whole? */
bool value_is_number(str text);
