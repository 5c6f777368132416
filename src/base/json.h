/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * JSON: a pull reader for hostile input and a streaming writer.
 *
 * The reader walks the text once and never builds a tree. Reading a value of another type than the
 * one found skips it and answers false, so a damaged field costs itself; text that is not JSON at
 * all is a sticky failure that json_finish() tells. Depth is limited to JSON_DEPTH_MAX.
 *
 *     struct json j = JSON(bytes, &arena);
 *     str key;
 *     for (json_object_begin(&j); json_next_key(&j, &key);) {
 *             if (str_eq(key, STR("id")))
 *                     (void)json_string(&j, &id);
 *             else
 *                     json_skip(&j);
 *     }
 *     return json_finish(&j, err);
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/** Deepest nesting of objects and arrays that is read. */
#define JSON_DEPTH_MAX 64

/** What the next value is. */
enum json_kind {
	JSON_NONE, /* no value here: the end, or not JSON */
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

/** A reader. Initialise with JSON(); nothing to release. */
struct json {
	str rest;            /* what is not read yet */
	const char *start;   /* for the position in a message */
	struct arena *arena; /* takes strings that hold escapes; others borrow from the text */
	unsigned depth;
	bool fresh;       /* the innermost object or array has had no element yet */
	const char *fail; /* why reading stopped: static, NULL while all is well */
	size_t fail_at;   /* byte offset of it */
};

#define JSON(bytes, memory)                                                                        \
	((struct json){ .rest = (bytes), .start = (bytes).p, .arena = (memory), .fresh = true })

/** The kind of the next value, without reading it. */
enum json_kind json_peek(struct json *json);

/** Enter an object: json_next_key() then yields its keys. False, and the value skipped, if it is
 * none. */
bool json_object_begin(struct json *json);

/**
 * Move to the next member of the object entered last. The caller reads or skips exactly one value.
 *
 * Out:     ret_key  decoded; borrows from the text or the arena
 * Returns: false at the end of the object, which is then left, or after a failure
 */
bool json_next_key(struct json *json, str *ret_key);

/** Enter an array: json_next_element() then says whether one more follows. False as
 * json_object_begin(). */
bool json_array_begin(struct json *json);

/** Is there one more element, which the caller reads or skips? False: the array is left, or
 * failure. */
bool json_next_element(struct json *json);

/**
 * Read a string. Escapes are decoded to UTF-8; a lone surrogate becomes U+FFFD. Bytes that are not
 * UTF-8 are passed on as they are.
 *
 * Out:     ret  borrows from the text or the arena; written on success only
 * Returns: false, and the value skipped, if it is no string
 */
bool json_string(struct json *json, str *ret);

/** Read a number as its text, unconverted. False, and the value skipped, if it is none. */
bool json_number(struct json *json, str *ret);

/** Read true or false. False, and the value skipped, if it is neither. */
bool json_bool(struct json *json, bool *ret);

/** Pass over one value of any kind. */
void json_skip(struct json *json);

/** Pass over one value of any kind and keep its text; borrows. Empty after a failure. */
str json_raw(struct json *json);

/** Has the text proved not to be JSON? */
static inline bool json_failed(const struct json *json)
{
	return json->fail != NULL;
}

/**
 * End reading: the text must have been one whole value, with nothing but white space behind it.
 *
 * Returns: 0; -ERR_FORMAT with the byte offset and what was wrong; -ERR_LIMIT past the depth or
 * arena
 */
int json_finish(struct json *json, struct err *err);

/** A writer of one JSON document into a buffer. Initialise with JSON_WRITER(). */
struct json_writer {
	struct buf *out;
	bool pretty;    /* a line per member, two spaces per level */
	bool comma;     /* a value stands before the next one */
	bool after_key; /* the next value belongs to the key just written */
	unsigned depth;
};

#define JSON_WRITER(buffer, is_pretty)                                                             \
	((struct json_writer){ .out = (buffer), .pretty = (is_pretty) })

/** Open an object; members follow, then json_write_object_end(). */
void json_write_object(struct json_writer *w);

/** Close the object opened last. */
void json_write_object_end(struct json_writer *w);

/** Open an array; values follow, then json_write_array_end(). */
void json_write_array(struct json_writer *w);

/** Close the array opened last. */
void json_write_array_end(struct json_writer *w);

/** Write a member's key; its value is the next thing written. */
void json_write_key(struct json_writer *w, const char *key);

/** json_write_key() for a key that came from outside: treated as json_write_str() does. */
void json_write_key_str(struct json_writer *w, str key);

/**
 * Write a string. Control characters and those that turn the direction of text are escaped; bytes
 * that are not UTF-8 become U+FFFD.
 */
void json_write_str(struct json_writer *w, str s);

/** Write a number by its text, which json_number() gave. */
void json_write_number(struct json_writer *w, str text);

/** Write a number, exactly. */
void json_write_u64(struct json_writer *w, uint64_t v);

/**
 * Write a number with at most `decimals` (0 to 15) digits behind the point, trailing zeros dropped;
 * null when it is not finite. The locale has no say.
 */
void json_write_double(struct json_writer *w, double v, int decimals);

/** Write true or false. */
void json_write_bool(struct json_writer *w, bool v);

/** Write null. */
void json_write_null(struct json_writer *w);

/** A key and a string, or null when `s.p` is NULL. */
void json_write_member_str(struct json_writer *w, const char *key, str s);

/** Is every byte of `s` part of well-formed UTF-8 (RFC 3629)? */
bool str_is_utf8(str s);

/** The length of the well-formed UTF-8 sequence at the front of `s`, or 0 if there is none. */
size_t str_utf8_len(str s);
