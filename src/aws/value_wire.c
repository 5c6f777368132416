/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children wait on one stack that all levels share until their array or object is whole, as in
 * value.c: a count is only ever believed as far as elements really follow, so that a few bytes
 * cannot ask for much memory.
 */
#include "aws/value_wire.h"

#include <stdlib.h>

#include "base/cursor.h"

/* Recursion ends: trees are VALUE_DEPTH_MAX deep at most. */
void value_wire_add(const struct value *v, struct buf *out)
{
	bool flag = false;
	enum value_kind kind = value_kind(v);
	buf_add_byte(out, (char)kind);
	switch (kind) {
	case VALUE_BOOL:
		(void)value_bool(v, &flag);
		buf_add_byte(out, flag ? 1 : 0);
		return;
	case VALUE_NUMBER: buf_add_str(out, value_number(v)); return;
	case VALUE_STRING: buf_add_str(out, value_str(v)); return;
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		buf_add_u32(out, (uint32_t)value_count(v));
		for (size_t i = 0; i < value_count(v); i++) {
			if (kind == VALUE_OBJECT)
				buf_add_str(out, value_key_at(v, i));
			value_wire_add(value_at(v, i), out);
		}
		return;
	case VALUE_NULL:
	default: return;
	}
}

struct reading {
	struct cursor cursor;
	struct arena *arena;
	struct value_member *stack; /* owned */
	size_t n, cap;
	struct err *err;
};

static int refuse(struct reading *in, int code, const char *why)
{
	return err_set(in->err, code, "the tree of values %s", why);
}

static int push(struct reading *in, const struct value_member *child)
{
	if (in->n == in->cap) {
		size_t cap = in->cap ? in->cap * 2 : 64;
		struct value_member *stack = NULL;
		/* The tree is at most as large as the arena; the stack need not be larger. */
		if (cap <= in->arena->cap_bytes / sizeof(*stack) + 64)
			stack = reallocarray(in->stack, cap, sizeof(*stack));
		if (!stack)
			return refuse(in, -ERR_LIMIT, "has too many values");
		in->stack = stack;
		in->cap = cap;
	}
	in->stack[in->n++] = *child;
	return 0;
}

static int read_text(struct reading *in, str *ret)
{
	str text = cursor_str(&in->cursor);
	if (cursor_failed(&in->cursor))
		return refuse(in, -ERR_FORMAT, "breaks off");
	if (!str_is_utf8(text) || (text.n > 0 && memchr(text.p, '\0', text.n)))
		return refuse(in, -ERR_FORMAT, "has a text that is none");
	*ret = text;
	return 0;
}

static int read_scalar(struct reading *in, unsigned kind, struct value *ret)
{
	str text = { NULL, 0 };
	unsigned flag = 0;
	int r = 0;
	if (kind == VALUE_BOOL) {
		flag = cursor_u8(&in->cursor);
		if (flag > 1 || cursor_failed(&in->cursor))
			return refuse(in, -ERR_FORMAT, "has a boolean that is none");
		*ret = value_of_bool(flag == 1);
		return 0;
	}
	if (kind == VALUE_NULL) {
		*ret = (struct value){ .kind = VALUE_NULL };
		return 0;
	}
	r = read_text(in, &text);
	if (r == 0 && kind == VALUE_NUMBER && !value_is_number(text))
		r = refuse(in, -ERR_FORMAT, "has a number that is none");
	if (r == 0)
		*ret = kind == VALUE_NUMBER ? value_of_number(text) : value_of_str(text);
	return r;
}

/* The children from `base` on become one array or object. */
static int close_level(struct reading *in, bool is_object, size_t base, struct value *ret)
{
	size_t n = in->n - base;
	int r = 0;
	in->n = base;
	if (is_object) {
		r = value_of_members(in->arena, in->stack ? in->stack + base : NULL, n, ret);
	} else {
		struct value *items = arena_alloc(in->arena, n, sizeof(*items));
		if (!items)
			return refuse(in, -ERR_LIMIT, "has too many values");
		for (size_t i = 0; i < n; i++)
			items[i] = in->stack[base + i].value;
		*ret = (struct value){ .kind = VALUE_ARRAY, .count = (uint32_t)n };
		ret->items = items;
	}
	if (r == -ERR_FORMAT)
		return refuse(in, r, "has a key twice in one object");
	return r < 0 ? refuse(in, r, "has too many values") : 0;
}

static int read_value(struct reading *in, unsigned depth, struct value *ret)
{
	unsigned kind = cursor_u8(&in->cursor);
	bool is_object = kind == VALUE_OBJECT;
	size_t base = in->n;
	int r = 0;
	if (cursor_failed(&in->cursor) || kind > VALUE_OBJECT)
		return refuse(in, -ERR_FORMAT, "has a kind that is none");
	if (kind < VALUE_ARRAY)
		return read_scalar(in, kind, ret);
	if (depth >= VALUE_DEPTH_MAX)
		return refuse(in, -ERR_LIMIT, "is nested too deeply");
	uint32_t n = cursor_u32(&in->cursor);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct value_member child = { .key = { NULL, 0 } };
		if (is_object)
			r = read_text(in, &child.key);
		if (r == 0)
			r = read_value(in, depth + 1, &child.value);
		if (r == 0)
			r = push(in, &child);
	}
	if (r == 0 && cursor_failed(&in->cursor))
		r = refuse(in, -ERR_FORMAT, "breaks off");
	return r < 0 ? r : close_level(in, is_object, base, ret);
}

int value_wire_read(str bytes, struct arena *arena, const struct value **ret, struct err *err)
{
	struct reading in = { .cursor = CURSOR(bytes), .arena = arena, .err = err };
	struct value *root = arena_alloc(arena, 1, sizeof(*root));
	int r = root ? read_value(&in, 0, root) : refuse(&in, -ERR_LIMIT, "has too many values");
	free(in.stack);
	if (r == 0 && in.cursor.rest.n > 0)
		r = refuse(&in, -ERR_FORMAT, "goes on behind its end");
	if (r == 0)
		*ret = root;
	return r;
}
