/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of aws/ share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aws/value.h"
#include "base/buf.h"

/* Equality of bytes, with both sides shown when they differ. */
#define assert_text(actual, expected)                                                              \
	do {                                                                                       \
		str a_ = (actual);                                                                 \
		char *z_ = strndup(a_.n ? a_.p : "", a_.n);                                        \
		assert_string_equal(z_, (expected));                                               \
		free(z_);                                                                          \
	} while (0)

/* Parse a text that is known to be good. */
static inline const struct value *parse(struct arena *arena, const char *text)
{
	const struct value *v = NULL;
	struct err err = { 0 };
	if (value_from_json(str_from_c(text), arena, &v, &err) != 0)
		fail_msg("%s", err.text);
	return v;
}

/* A value as one line of JSON, appended. */
static inline void print_value(const struct value *v, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	value_write_json(v, &w);
}
