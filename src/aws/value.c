/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children are parsed onto one stack that all levels share; when an array or object ends, its
 * children stand on top of the stack and are copied to the arena as one contiguous run. So the
 * arena holds nothing but the tree, and nobody counts elements beforehand.
 *
 * base/json.h accepts more than we do: it replaces lone surrogates, passes bytes on that are not
 * UTF-8 and keeps NUL. The encoding is checked once for the whole text; escapes, which are the only
 * way to the other two, are checked where a string had any.
 */
#include "aws/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Objects with more members than this get an index, and are searched by bisection. */
#define FEW_MEMBERS 12

/* An array or object that has begun. */
struct level {
	size_t base;    /* of its children on the stack */
	const char *at; /* where it begins in the text */
	str key;        /* of the member that is being read */
	bool is_object;
};

struct parse {
	struct json json;
	struct arena *arena;
	struct level levels[VALUE_DEPTH_MAX];
	unsigned depth;
	struct value_member *stack;
	size_t n, cap;
	const char *fail; /* static: why this is JSON, but not acceptable */
	size_t fail_at;
	bool is_limit;
};

static bool refuse(struct parse *p, const char *at, const char *why, bool is_limit)
{
	if (!p->fail) {
		p->fail = why;
		p->fail_at = at && p->json.start ? (size_t)(at - p->json.start) : 0;
		p->is_limit = is_limit;
	}
	return false;
}

static bool push(struct parse *p, const struct value_member *child)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct value_member *stack = NULL;
		/* The tree is at most as large as the arena; the stack need not be larger. */
		if (cap <= p->arena->cap_bytes / sizeof(*stack) + 64)
			stack = reallocarray(p->stack, cap, sizeof(*stack));
		if (!stack)
			return refuse(p, p->json.rest.p, "too many values", true);
		p->stack = stack;
		p->cap = cap;
	}
	p->stack[p->n++] = *child;
	return true;
}

/* Four hexadecimal digits, known to be such. */
static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (size_t i = 0; i < 4; i++) {
		char c = to_lower(p[i]);
		v = v * 16 + (unsigned)(is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	return v;
}

/*
 * The escapes of a string that json.h has accepted, so that each "\u" has four digits. `text` is
 * what was read: the string with its quotes, and for a key also the colon and blanks around.
 */
static bool check_escapes(struct parse *p, str text)
{
	bool want_low = false;
	for (size_t i = 0; i < text.n; i++) {
		bool is_code = text.p[i] == '\\' && i + 5 < text.n && text.p[i + 1] == 'u';
		unsigned code = is_code ? hex4(text.p + i + 2) : 1;
		bool is_low = is_code && code >= 0xDC00 && code < 0xE000;
		if (want_low != is_low)
			return refuse(p, text.p + i, "lone surrogate in a string", false);
		want_low = is_code && code >= 0xD800 && code < 0xDC00;
		if (code == 0)
			return refuse(p, text.p + i, "NUL in a string", false);
		if (text.p[i] == '\\')
			i += is_code ? 5 : 1;
	}
	return true;
}

/* Does `s` borrow from what was read between the two positions? Then it had no escapes. */
static bool is_borrowed(str s, const char *from, const char *to)
{
	return s.p >= from && s.p <= to;
}

static bool check_string(struct parse *p, const char *from, str s)
{
	const char *to = p->json.rest.p;
	if (is_borrowed(s, from, to))
		return true;
	return check_escapes(p, (str){ from, (size_t)(to - from) });
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct value_member *members = ctx;
	const uint32_t *x = a, *y = b;
	return str_cmp(members[*x].key, members[*y].key);
}

/*
 * Finish an object whose members are in the arena. Returns: 0; -ERR_FORMAT for a key that stands
 * twice; -ERR_LIMIT
 */
static int end_object(
        struct arena *arena, const struct value_member *members, size_t n, struct value *ret)
{
	uint32_t *order = NULL;
	if (n > FEW_MEMBERS) {
		order = arena_alloc(arena, n, sizeof(*order));
		if (!order)
			return -ERR_LIMIT;
		for (size_t i = 0; i < n; i++)
			order[i] = (uint32_t)i;
		qsort_r(order, n, sizeof(*order), by_key, (void *)(uintptr_t)members);
		for (size_t i = 1; i < n; i++) {
			if (str_eq(members[order[i - 1]].key, members[order[i]].key))
				return -ERR_FORMAT;
		}
	} else {
		for (size_t i = 1; i < n; i++) {
			for (size_t k = 0; k < i; k++) {
				if (str_eq(members[i].key, members[k].key))
					return -ERR_FORMAT;
			}
		}
	}
	*ret = (struct value){ .kind = VALUE_OBJECT, .count = (uint32_t)n };
	ret->members = members;
	ret->order = order;
	return 0;
}

int value_of_members(
        struct arena *arena, const struct value_member *members, size_t n, struct value *ret)
{
	struct value_member *copy = n < UINT32_MAX ? arena_alloc(arena, n, sizeof(*copy)) : NULL;
	if (!copy)
		return -ERR_LIMIT;
	if (n > 0)
		memcpy(copy, members, n * sizeof(*copy));
	return end_object(arena, copy, n, ret);
}

int value_of_items(struct arena *arena, const struct value *items, size_t n, struct value *ret)
{
	struct value *copy = n < UINT32_MAX ? arena_alloc(arena, n, sizeof(*copy)) : NULL;
	if (!copy)
		return -ERR_LIMIT;
	if (n > 0)
		memcpy(copy, items, n * sizeof(*copy));
	*ret = (struct value){ .kind = VALUE_ARRAY, .count = (uint32_t)n };
	ret->items = copy;
	return 0;
}

static bool pop_object(struct parse *p, size_t base, const char *at, struct value *ret)
{
	int r = value_of_members(p->arena, p->stack ? p->stack + base : NULL, p->n - base, ret);
	p->n = base;
	if (r == -ERR_FORMAT)
		return refuse(p, at, "a key stands twice in this object", false);
	return r < 0 ? refuse(p, at, "too many values", true) : true;
}

static bool pop_array(struct parse *p, size_t base, const char *at, struct value *ret)
{
	size_t n = p->n - base;
	struct value *items = n < UINT32_MAX ? arena_alloc(p->arena, n, sizeof(*items)) : NULL;
	if (!items)
		return refuse(p, at, "too many values", true);
	for (size_t i = 0; i < n; i++)
		items[i] = p->stack[base + i].value;
	p->n = base;
	*ret = (struct value){ .kind = VALUE_ARRAY, .count = (uint32_t)n };
	ret->items = items;
	return true;
}

/* Nesting is limited by VALUE_DEPTH_MAX. */
static bool open_level(struct parse *p, bool is_object)
{
	struct level *level = &p->levels[p->depth];
	if (p->depth == VALUE_DEPTH_MAX)
		return refuse(p, p->json.rest.p, "nested too deeply", true);
	*level = (struct level){ .base = p->n, .at = p->json.rest.p, .is_object = is_object };
	p->depth++;
	return is_object ? json_object_begin(&p->json) : json_array_begin(&p->json);
}

static bool close_level(struct parse *p, struct value *ret)
{
	const struct level *level = &p->levels[--p->depth];
	return level->is_object ? pop_object(p, level->base, level->at, ret)
	                        : pop_array(p, level->base, level->at, ret);
}

/* One more child of the innermost level, whose value is next? False: its end, or a failure. */
static bool next_child(struct parse *p)
{
	struct level *level = &p->levels[p->depth - 1];
	const char *from = p->json.rest.p;
	if (!level->is_object)
		return json_next_element(&p->json);
	return json_next_key(&p->json, &level->key) && check_string(p, from, level->key);
}

static bool read_scalar(struct parse *p, enum json_kind kind, struct value *ret)
{
	const char *from = p->json.rest.p;
	str text = { NULL, 0 };
	bool boolean = false;
	if (kind == JSON_STRING) {
		if (!json_string(&p->json, &text) || !check_string(p, from, text))
			return false;
		*ret = value_of_str(text);
	} else if (kind == JSON_NUMBER) {
		if (!json_number(&p->json, &text))
			return false;
		*ret = value_of_number(text);
	} else if (kind == JSON_TRUE || kind == JSON_FALSE) {
		if (!json_bool(&p->json, &boolean))
			return false;
		*ret = value_of_bool(boolean);
	} else {
		json_skip(&p->json);
		*ret = (struct value){ .kind = VALUE_NULL };
	}
	return !json_failed(&p->json);
}

/* A finished value goes to the level it stands in, or is the whole. */
static bool place(struct parse *p, const struct value *v, struct value *ret_root)
{
	if (p->depth == 0) {
		*ret_root = *v;
		return true;
	}
	struct value_member child = { .key = p->levels[p->depth - 1].key, .value = *v };
	return push(p, &child);
}

static bool read_tree(struct parse *p, struct value *ret_root)
{
	do {
		struct value v = { .kind = VALUE_NULL };
		enum json_kind kind = json_peek(&p->json);
		if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
			if (!open_level(p, kind == JSON_OBJECT))
				return false;
		} else if (!read_scalar(p, kind, &v) || !place(p, &v, ret_root)) {
			return false;
		}
		while (p->depth > 0 && !next_child(p)) {
			if (p->fail || json_failed(&p->json) || !close_level(p, &v) ||
			        !place(p, &v, ret_root))
				return false;
		}
	} while (p->depth > 0);
	return true;
}

/* The offset of the first byte that is not UTF-8, or the length. ASCII goes by eight bytes. */
static size_t utf8_prefix(str s)
{
	size_t i = 0;
	while (i < s.n) {
		uint64_t word = 0;
		while (i + sizeof(word) <= s.n) {
			memcpy(&word, s.p + i, sizeof(word));
			if (word & 0x8080808080808080u)
				break;
			i += sizeof(word);
		}
		size_t n = str_utf8_len(str_skip(s, i));
		if (n == 0)
			return i;
		i += n;
	}
	return i;
}

static int finish(struct parse *p, struct err *err)
{
	if (p->fail)
		return err_set(err, p->is_limit ? -ERR_LIMIT : -ERR_FORMAT, "byte %zu: %s",
		        p->fail_at, p->fail);
	return json_finish(&p->json, err);
}

int value_from_json(str body, struct arena *arena, const struct value **ret, struct err *err)
{
	struct parse p = { .json = JSON(body, arena), .arena = arena };
	struct value *root = arena_alloc(arena, 1, sizeof(*root));
	size_t good = utf8_prefix(body);
	if (!root)
		return err_set(err, -ERR_LIMIT, "byte 0: too many values");
	if (good < body.n)
		return err_set(err, -ERR_FORMAT, "byte %zu: not UTF-8", good);
	(void)read_tree(&p, root);
	int r = finish(&p, err);
	free(p.stack);
	if (r == 0)
		*ret = root;
	return r;
}

enum value_kind value_kind(const struct value *v)
{
	return v ? v->kind : VALUE_NULL;
}

static const struct value *find_sorted(const struct value *v, str key)
{
	size_t low = 0, high = v->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct value_member *member = &v->members[v->order[mid]];
		int c = str_cmp(key, member->key);
		if (c == 0)
			return &member->value;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static const struct value *find(const struct value *v, str key)
{
	if (v->order)
		return find_sorted(v, key);
	for (size_t i = 0; i < v->count; i++) {
		if (str_eq(v->members[i].key, key))
			return &v->members[i].value;
	}
	return NULL;
}

const struct value *value_get(const struct value *v, str key)
{
	if (value_kind(v) != VALUE_OBJECT)
		return NULL;
	const struct value *member = find(v, key);
	return value_kind(member) == VALUE_NULL ? NULL : member;
}

str value_str(const struct value *v)
{
	return value_kind(v) == VALUE_STRING ? v->text : (str){ NULL, 0 };
}

str value_number(const struct value *v)
{
	return value_kind(v) == VALUE_NUMBER ? v->text : (str){ NULL, 0 };
}

bool value_i64(const struct value *v, int64_t *ret)
{
	str s = value_number(v);
	bool is_negative = s.n > 0 && s.p[0] == '-';
	uint64_t magnitude, max = (uint64_t)INT64_MAX + is_negative;
	if (!str_to_u64(is_negative ? str_skip(s, 1) : s, max, &magnitude))
		return false;
	*ret = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

/* What follows 'e' or 'E', clamped to where every double is zero or infinite. */
static int exponent_of(str s)
{
	bool is_negative = s.n > 0 && s.p[0] == '-';
	int v = 0;
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = str_skip(s, 1);
	for (size_t i = 0; i < s.n && v < 100000; i++)
		v = v * 10 + (s.p[i] - '0');
	return is_negative ? -v : v;
}

/*
 * Not strtod(), which asks the locale for the decimal point. Nineteen digits fit 64 bits; digits
 * behind them cannot change a double by more than its last place. The power of ten is taken in
 * extended precision.
 */
bool value_f64(const struct value *v, double *ret)
{
	str s = value_number(v), mantissa = s, exponent = { NULL, 0 };
	uint64_t digits = 0;
	int scale = 0, n = 0;
	bool is_behind_point = false;
	if (s.n == 0)
		return false;
	if (!str_split_first(s, 'e', &mantissa, &exponent))
		(void)str_split_first(s, 'E', &mantissa, &exponent);
	for (size_t i = 0; i < mantissa.n && i < 4096; i++) {
		char c = mantissa.p[i];
		is_behind_point |= c == '.';
		if (!is_digit(c))
			continue;
		if (n < 19) {
			digits = digits * 10 + (uint64_t)(c - '0');
			n += digits != 0;
			scale -= is_behind_point;
		} else {
			scale += !is_behind_point;
		}
	}
	scale += exponent_of(exponent);
	scale = scale < -5000 ? -5000 : scale > 5000 ? 5000 : scale;
	long double power = powl(10.0L, (long double)(scale < 0 ? -scale : scale));
	long double magnitude = (long double)digits;
	double result = (double)(digits == 0 ? 0
	                         : scale < 0 ? magnitude / power
	                                     : magnitude * power);
	if (!isfinite(result))
		return false;
	*ret = s.p[0] == '-' ? -result : result;
	return true;
}

bool value_bool(const struct value *v, bool *ret)
{
	if (value_kind(v) != VALUE_BOOL)
		return false;
	*ret = v->boolean;
	return true;
}

size_t value_count(const struct value *v)
{
	enum value_kind kind = value_kind(v);
	return kind == VALUE_ARRAY || kind == VALUE_OBJECT ? v->count : 0;
}

const struct value *value_at(const struct value *v, size_t i)
{
	if (i >= value_count(v))
		return NULL;
	return v->kind == VALUE_ARRAY ? &v->items[i] : &v->members[i].value;
}

str value_key_at(const struct value *v, size_t i)
{
	bool has = value_kind(v) == VALUE_OBJECT && i < v->count;
	return has ? v->members[i].key : (str){ NULL, 0 };
}

str value_get_str(const struct value *v, str key)
{
	return value_str(value_get(v, key));
}

int64_t value_get_i64(const struct value *v, str key, int64_t otherwise)
{
	int64_t n = otherwise;
	(void)value_i64(value_get(v, key), &n);
	return n;
}

bool value_get_bool(const struct value *v, str key, bool otherwise)
{
	bool b = otherwise;
	(void)value_bool(value_get(v, key), &b);
	return b;
}

/* Recursion ends: trees are built bottom up, and parsed ones are VALUE_DEPTH_MAX deep at most. */
void value_write_json(const struct value *v, struct json_writer *w)
{
	switch (value_kind(v)) {
	case VALUE_BOOL: json_write_bool(w, v->boolean); return;
	case VALUE_NUMBER: json_write_number(w, v->text); return;
	case VALUE_STRING: json_write_str(w, v->text); return;
	case VALUE_ARRAY:
		json_write_array(w);
		for (size_t i = 0; i < v->count; i++)
			value_write_json(&v->items[i], w);
		json_write_array_end(w);
		return;
	case VALUE_OBJECT:
		json_write_object(w);
		for (size_t i = 0; i < v->count; i++) {
			json_write_key_str(w, v->members[i].key);
			value_write_json(&v->members[i].value, w);
		}
		json_write_object_end(w);
		return;
	case VALUE_NULL:
	default: json_write_null(w); return;
	}
}

struct value value_of_str(str text)
{
	if (!text.p)
		text = STR("");
	return (struct value){ .kind = VALUE_STRING, .text = text };
}

struct value value_of_number(str text)
{
	return (struct value){ .kind = VALUE_NUMBER, .text = text };
}

struct value value_of_bool(bool boolean)
{
	return (struct value){ .kind = VALUE_BOOL, .boolean = boolean };
}

bool value_is_number(str text)
{
	struct json json = JSON(text, NULL);
	str number;
	return json_number(&json, &number) && number.n == text.n;
}
