/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the reader takes, the writer can write, and that reads as the same again: reading and
 * writing a second time changes no byte. Skipping a text and reading all of it agree about it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_BYTES ((size_t)256 << 20)

/* The writer takes keys as C strings; a key is written as a string in an array of pairs instead. */
static void copy(struct json *j, struct json_writer *w)
{
	str s;
	bool b;
	switch (json_peek(j)) {
	case JSON_OBJECT:
		json_write_object(w);
		json_write_key(w, "members");
		json_write_array(w);
		for (json_object_begin(j); json_next_key(j, &s);) {
			json_write_str(w, s);
			copy(j, w);
		}
		json_write_array_end(w);
		json_write_object_end(w);
		return;
	case JSON_ARRAY:
		json_write_array(w);
		for (json_array_begin(j); json_next_element(j);)
			copy(j, w);
		json_write_array_end(w);
		return;
	case JSON_STRING:
		if (json_string(j, &s))
			json_write_str(w, s);
		return;
	case JSON_NUMBER:
		if (json_number(j, &s))
			json_write_str(w, s);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		if (json_bool(j, &b))
			json_write_bool(w, b);
		return;
	case JSON_NULL:
		json_skip(j);
		json_write_null(w);
		return;
	case JSON_NONE:
	default: json_skip(j); return;
	}
}

/* As copy(), for what copy() wrote: its objects are { "members": [...] } and stay as they are. */
static void copy_again(struct json *j, struct json_writer *w)
{
	str s;
	bool b;
	switch (json_peek(j)) {
	case JSON_OBJECT:
		json_write_object(w);
		for (json_object_begin(j); json_next_key(j, &s);) {
			if (!str_eq(s, STR("members")))
				abort();
			json_write_key(w, "members");
			copy_again(j, w);
		}
		json_write_object_end(w);
		return;
	case JSON_ARRAY:
		json_write_array(w);
		for (json_array_begin(j); json_next_element(j);)
			copy_again(j, w);
		json_write_array_end(w);
		return;
	case JSON_STRING:
		if (!json_string(j, &s))
			abort();
		json_write_str(w, s);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		if (!json_bool(j, &b))
			abort();
		json_write_bool(w, b);
		return;
	case JSON_NULL:
		json_skip(j);
		json_write_null(w);
		return;
	case JSON_NUMBER:
	case JSON_NONE:
	default: abort();
	}
}

static void check_written(str text, bool is_pretty)
{
	struct arena memory = ARENA(MEMORY_BYTES);
	struct json j = JSON(text, &memory);
	struct err err = { 0 };
	autobuf again = BUF(MEMORY_BYTES);
	struct json_writer w = JSON_WRITER(&again, is_pretty);
	copy_again(&j, &w);
	/* an object became one with an array in it: twice as deep is too deep for the reader */
	int r = json_finish(&j, &err);
	if (r != -ERR_LIMIT && (r < 0 || !str_eq(buf_str(&again), text)))
		abort();
	arena_fini(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	struct arena memory = ARENA(MEMORY_BYTES);
	struct err err = { 0 };
	struct json skipped = JSON(text, &memory), j = JSON(text, &memory);
	bool is_pretty = size % 2 == 1;
	autobuf written = BUF(MEMORY_BYTES);
	struct json_writer w = JSON_WRITER(&written, is_pretty);

	json_skip(&skipped);
	int r = json_finish(&skipped, &err);
	copy(&j, &w);
	if (json_finish(&j, &err) != r || (r < 0 && err.text[0] == '\0'))
		abort();
	if (r == 0 && buf_failed(&written))
		abort();
	if (r == 0)
		check_written(buf_str(&written), is_pretty);
	arena_fini(&memory);
	return 0;
}
