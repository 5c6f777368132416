/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/shape.h"

#include <inttypes.h>
#include <math.h>

#include "aws/codec.h"
#include "aws/shape_pattern.h"
#include "aws/shape_table.h"
#include "aws/timestamp.h"

/* The longest sentence that lists problems or the values of an enumeration, in bytes. */
#define SENTENCE_MAX (64u << 10)

/* Where in the request we are: a chain on the stack, from the inside out. */
struct place {
	const struct place *up;
	str name; /* of a member or key; p == NULL: index */
	size_t index;
};

struct check {
	struct shape_problems *out;
	bool is_full; /* the arena is */
};

const struct operation_shape *operation_all(size_t *ret_n)
{
	*ret_n = operation_table_n;
	return operation_table;
}

const struct operation_shape *operation_find(str service, str name)
{
	size_t low = 0, high = operation_table_n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct operation_shape *operation = &operation_table[mid];
		int c = str_cmp(service, str_from_c(operation->service));
		if (c == 0)
			c = str_cmp(name, str_from_c(operation->name));
		if (c == 0)
			return operation;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct shape_member *shape_member(const struct shape *shape, str name)
{
	for (size_t i = 0; shape->kind == SHAPE_STRUCTURE && i < shape->n; i++) {
		if (str_eq(str_from_c(shape->members[i].name), name))
			return &shape->members[i];
	}
	return NULL;
}

static void add_place(const struct place *place, struct buf *out)
{
	/* Deepest first on the chain: as deep as a value can be, no recursion. */
	const struct place *chain[VALUE_DEPTH_MAX + 2];
	size_t n = 0;
	for (; place && n < VALUE_DEPTH_MAX + 2; place = place->up)
		chain[n++] = place;
	while (n-- > 0) {
		if (!chain[n]->name.p) {
			buf_printf(out, "[%zu]", chain[n]->index);
			continue;
		}
		if (out->n > 0)
			buf_add_byte(out, '.');
		buf_add(out, chain[n]->name);
	}
}

static void add_problem(
        struct check *c, const struct place *place, enum shape_fault fault, str text)
{
	struct shape_problems *out = c->out;
	autobuf path = BUF(SENTENCE_MAX);
	struct shape_problem problem = { .fault = fault };
	out->n_all++;
	if (out->n == SHAPE_PROBLEMS_MAX || c->is_full)
		return;
	add_place(place, &path);
	if (buf_failed(&path) || arena_copy(out->arena, buf_str(&path), &problem.path) < 0 ||
	        arena_copy(out->arena, text, &problem.text) < 0) {
		c->is_full = true;
		return;
	}
	out->items[out->n++] = problem;
}

static void add_limit(struct check *c, const struct place *place, enum shape_fault fault,
        const char *what, bool is_max, int64_t limit)
{
	autobuf text = BUF(256);
	buf_printf(&text, "Member must have %s %s than or equal to %" PRId64, what,
	        is_max ? "less" : "greater", limit);
	add_problem(c, place, fault, buf_str(&text));
}

/* False when there was a problem. */
static bool check_length(
        struct check *c, const struct shape *shape, size_t n, const struct place *place)
{
	if (shape->has_min && (int64_t)n < shape->min) {
		add_limit(c, place, SHAPE_FAULT_SHORT, "length", false, shape->min);
		return false;
	}
	if (shape->has_max && (int64_t)n > shape->max) {
		add_limit(c, place, SHAPE_FAULT_LONG, "length", true, shape->max);
		return false;
	}
	return true;
}

static size_t count_characters(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return n;
}

/* A string that is too long is not looked at any further. */
static void check_string(
        struct check *c, const struct shape *shape, str s, const struct place *place)
{
	if (!check_length(c, shape, count_characters(s), place) || !shape->pattern ||
	        shape_pattern_matches(shape->pattern, s))
		return;
	autobuf text = BUF(SENTENCE_MAX);
	buf_printf(&text, "Member must satisfy regular expression pattern: %s",
	        shape_pattern_text(shape->pattern));
	add_problem(c, place, SHAPE_FAULT_PATTERN, buf_str(&text));
}

static void check_enum(struct check *c, const struct shape *shape, str s, const struct place *place)
{
	autobuf text = BUF(SENTENCE_MAX);
	buf_add(&text, STR("Member must satisfy enum value set: ["));
	for (size_t i = 0; i < shape->n; i++) {
		if (str_eq(s, str_from_c(shape->values[i])))
			return;
		buf_printf(&text, "%s%s", i > 0 ? ", " : "", shape->values[i]);
	}
	buf_add_byte(&text, ']');
	add_problem(c, place, SHAPE_FAULT_ENUM, buf_str(&text));
}

static void check_number(struct check *c, const struct shape *shape, const struct value *v,
        const struct place *place)
{
	int64_t n = 0;
	double d = 0;
	bool is_whole = shape->kind != SHAPE_DOUBLE;
	bool good = is_whole ? value_i64(v, &n) : value_f64(v, &d);
	if (!good || (shape->kind == SHAPE_INTEGER && (n < INT32_MIN || n > INT32_MAX))) {
		add_problem(c, place, SHAPE_FAULT_TYPE,
		        shape->kind == SHAPE_INTEGER ? STR("Member must be an integer of 32 bits")
		        : is_whole                   ? STR("Member must be an integer of 64 bits")
		                                     : STR("Member must be a number"));
		return;
	}
	if (shape->has_min && (is_whole ? n < shape->min : d < (double)shape->min))
		add_limit(c, place, SHAPE_FAULT_SMALL, "value", false, shape->min);
	if (shape->has_max && (is_whole ? n > shape->max : d > (double)shape->max))
		add_limit(c, place, SHAPE_FAULT_LARGE, "value", true, shape->max);
}

static void check_blob(struct check *c, const struct shape *shape, str s, const struct place *place)
{
	autobuf bytes = BUF(s.n);
	if (base64_decode(s, &bytes) < 0)
		add_problem(c, place, SHAPE_FAULT_TYPE, STR("Member must be base64"));
	else
		(void)check_length(c, shape, bytes.n, place);
}

static void check_scalar(struct check *c, const struct shape *shape, const struct value *v,
        const struct place *place)
{
	int64_t at_ms;
	str s = value_str(v);
	bool is_text = shape->kind == SHAPE_STRING || shape->kind == SHAPE_ENUM ||
	               shape->kind == SHAPE_BLOB;
	if (is_text && !s.p)
		add_problem(c, place, SHAPE_FAULT_TYPE, STR("Member must be a string"));
	else if (shape->kind == SHAPE_STRING)
		check_string(c, shape, s, place);
	else if (shape->kind == SHAPE_ENUM)
		check_enum(c, shape, s, place);
	else if (shape->kind == SHAPE_BLOB)
		check_blob(c, shape, s, place);
	else if (shape->kind == SHAPE_BOOLEAN && value_kind(v) != VALUE_BOOL)
		add_problem(c, place, SHAPE_FAULT_TYPE, STR("Member must be a boolean"));
	else if (shape->kind == SHAPE_TIMESTAMP && !timestamp_from_value(v, &at_ms))
		add_problem(c, place, SHAPE_FAULT_TYPE, STR("Member must be a timestamp"));
	else if (shape->kind != SHAPE_BOOLEAN && shape->kind != SHAPE_TIMESTAMP)
		check_number(c, shape, v, place);
}

static bool is_kind(
        struct check *c, const struct value *v, enum value_kind kind, const struct place *place)
{
	if (value_kind(v) == kind)
		return true;
	add_problem(c, place, SHAPE_FAULT_TYPE,
	        kind == VALUE_OBJECT ? STR("Member must be an object")
	                             : STR("Member must be a list"));
	return false;
}

static void check_union(struct check *c, const struct shape *shape, const struct value *v,
        const struct place *place)
{
	size_t n = 0;
	for (size_t i = 0; i < shape->n; i++)
		n += value_get(v, str_from_c(shape->members[i].name)) != NULL;
	if (n != 1)
		add_problem(c, place, SHAPE_FAULT_UNION,
		        STR("Member must have exactly one of its members set"));
}

/*
 * The recursion follows the shapes, and stops where the value does: value_from_json() lets none be
 * deeper than VALUE_DEPTH_MAX.
 */
static void check(struct check *c, const struct shape *shape, const struct value *v,
        const struct place *place)
{
	if (shape->kind == SHAPE_STRUCTURE) {
		if (!is_kind(c, v, VALUE_OBJECT, place))
			return;
		if (shape->is_union)
			check_union(c, shape, v, place);
		for (size_t i = 0; i < shape->n; i++) {
			const struct shape_member *member = &shape->members[i];
			struct place inside = { .up = place, .name = str_from_c(member->name) };
			const struct value *child = value_get(v, inside.name);
			if (child)
				check(c, member->shape, child, &inside);
			else if (member->is_required)
				add_problem(c, &inside, SHAPE_FAULT_MISSING,
				        STR("Member must not be null"));
		}
		return;
	}
	if (shape->kind != SHAPE_LIST && shape->kind != SHAPE_MAP) {
		check_scalar(c, shape, v, place);
		return;
	}
	bool is_map = shape->kind == SHAPE_MAP;
	if (!is_kind(c, v, is_map ? VALUE_OBJECT : VALUE_ARRAY, place) ||
	        !check_length(c, shape, value_count(v), place))
		return;
	for (size_t i = 0; i < value_count(v); i++) {
		struct place inside = { .up = place, .name = value_key_at(v, i), .index = i };
		const struct value *child = value_at(v, i);
		struct value key = value_of_str(inside.name);
		if (is_map)
			check_scalar(c, shape->key, &key, &inside);
		if (value_kind(child) == VALUE_NULL)
			add_problem(
			        c, &inside, SHAPE_FAULT_MISSING, STR("Member must not be null"));
		else
			check(c, shape->item, child, &inside);
	}
}

int shape_validate(const struct shape *shape, const struct value *v, struct shape_problems *out)
{
	static const struct value empty = { .kind = VALUE_OBJECT };
	struct check c = { .out = out };
	if (shape->kind == SHAPE_STRUCTURE && !v)
		v = &empty;
	check(&c, shape, v, NULL);
	if (c.is_full)
		return -ERR_LIMIT;
	return out->n_all > 0 ? -ERR_FORMAT : 0;
}

void shape_problems_add_sentence(const struct shape_problems *problems, struct buf *out)
{
	buf_printf(out, "%zu validation error%s detected: ", problems->n_all,
	        problems->n_all == 1 ? "" : "s");
	for (size_t i = 0; i < problems->n; i++) {
		const struct shape_problem *problem = &problems->items[i];
		buf_add(out, i > 0 ? STR("; Value at '") : STR("Value at '"));
		buf_add(out, problem->path);
		buf_add(out, STR("' failed to satisfy constraint: "));
		buf_add(out, problem->text);
	}
}

struct value shape_value_of_text(const struct shape *shape, str text)
{
	bool is_number = shape->kind == SHAPE_INTEGER || shape->kind == SHAPE_LONG ||
	                 shape->kind == SHAPE_DOUBLE;
	if (is_number && value_is_number(text))
		return value_of_number(text);
	if (shape->kind == SHAPE_BOOLEAN && str_eq(text, STR("true")))
		return value_of_bool(true);
	if (shape->kind == SHAPE_BOOLEAN && str_eq(text, STR("false")))
		return value_of_bool(false);
	return value_of_str(text);
}
