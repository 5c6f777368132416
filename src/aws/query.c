/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of all parameters are cut at their dots and sorted, numbers by their value. What
 * belongs to one member or one element of a list then stands together, and the tree is built from
 * the inside out without a search:
 *
 *     Filter.1.Name     Filter.1.Value.1     Filter.1.Value.2     Filter.2.Name     MaxResults
 *     |---------------- Filter -------------------------------------------------|
 *     |---------- element 1 -------------------------------|  |-- element 2 ----|
 */
#include "aws/query.h"

#include <stdlib.h>

#include "aws/codec.h"
#include "base/json.h"

#define SEGMENTS_MAX 16
#define NAME_MAX_BYTES 512

struct parameter {
	str name; /* whole */
	str segments[SEGMENTS_MAX];
	size_t n;
	str text;
};

struct form {
	enum protocol protocol;
	struct arena *arena;
	struct parameter *parameters;
	size_t n;
	struct err *err;
};

static bool is_index(str s)
{
	return s.n > 0 && s.n <= 4 && s.p[0] != '0' && str_take_while(&s, is_digit).n > 0 &&
	       s.n == 0;
}

/* Indices come before names and in the order of their value: a longer one is larger. */
static int by_segments(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	for (size_t i = 0; i < x->n && i < y->n; i++) {
		str s = x->segments[i], t = y->segments[i];
		bool s_is_index = is_index(s), t_is_index = is_index(t);
		if (s_is_index != t_is_index)
			return s_is_index ? -1 : 1;
		if (s_is_index && s.n != t.n)
			return s.n < t.n ? -1 : 1;
		int c = str_cmp(s, t);
		if (c != 0)
			return c;
	}
	return (x->n > y->n) - (x->n < y->n);
}

static bool is_name(char c)
{
	return is_alnum(c) || c == '.' || c == '_' || c == '-';
}

static int too_large(struct err *err)
{
	return err_set(err, -ERR_LIMIT, "the request has too many parameters");
}

static int read_text(str coded, struct arena *arena, str *ret, struct err *err)
{
	autobuf text = BUF(coded.n);
	if (percent_decode(coded, true, &text) < 0 || !str_is_utf8(buf_str(&text)) ||
	        (text.n > 0 && memchr(text.p, '\0', text.n)))
		return err_set(err, -ERR_FORMAT, "a parameter is not well encoded");
	return arena_copy(arena, buf_str(&text), ret) < 0 ? too_large(err) : 0;
}

static int read_name(str name, struct parameter *ret, struct err *err)
{
	str rest = name;
	if (name.n == 0 || name.n > NAME_MAX_BYTES || str_take_while(&rest, is_name).n != name.n)
		return err_set(err, -ERR_FORMAT, "a parameter has no valid name");
	*ret = (struct parameter){ .name = name };
	rest = name;
	for (bool more = true; more;) {
		str segment;
		more = str_split_first(rest, '.', &segment, &rest);
		if (!more)
			segment = rest;
		if (segment.n == 0 || ret->n == SEGMENTS_MAX)
			return err_set(err, -ERR_FORMAT, "the parameter " STR_FMT " is unknown",
			        STR_ARG(name));
		ret->segments[ret->n++] = segment;
	}
	return 0;
}

static int read_form(str form, struct arena *arena, struct form *ret, struct err *err)
{
	size_t most = form.n > 0;
	for (size_t i = 0; i < form.n; i++)
		most += form.p[i] == '&';
	struct parameter *parameters =
	        most <= QUERY_PARAMETERS_MAX ? arena_alloc(arena, most, sizeof(*parameters)) : NULL;
	if (!parameters)
		return too_large(err);
	ret->parameters = parameters;
	for (bool more = form.n > 0; more;) {
		str part, coded, value = { NULL, 0 }, name, text;
		more = str_split_first(form, '&', &part, &form);
		if (!more)
			part = form;
		if (part.n == 0)
			continue;
		if (!str_split_first(part, '=', &coded, &value))
			coded = part;
		int r = read_text(coded, arena, &name, err);
		if (r == 0)
			r = read_text(value, arena, &text, err);
		if (r == 0)
			r = read_name(name, &parameters[ret->n], err);
		if (r < 0)
			return r;
		parameters[ret->n++].text = text;
	}
	return 0;
}

int query_call(str form, struct arena *arena, struct query_call *ret, struct err *err)
{
	struct form f = { .arena = arena };
	struct query_call call = { .action = { NULL, 0 } };
	int r = read_form(form, arena, &f, err);
	for (size_t i = 0; r == 0 && i < f.n; i++) {
		bool is_action = str_eq(f.parameters[i].name, STR("Action"));
		bool is_version = str_eq(f.parameters[i].name, STR("Version"));
		str *at = is_action ? &call.action : &call.version;
		if (!is_action && !is_version)
			continue;
		if (at->p)
			return err_set(err, -ERR_FORMAT, "the parameter " STR_FMT " stands twice",
			        STR_ARG(f.parameters[i].name));
		*at = f.parameters[i].text;
	}
	if (r == 0)
		*ret = call;
	return r;
}

static int refuse(const struct form *f, size_t i, const char *why)
{
	return err_set(f->err, -ERR_FORMAT, "the parameter " STR_FMT " %s",
	        STR_ARG(f->parameters[i].name), why);
}

/* The end of the run from `at` that shares the segment at `depth`. */
static size_t run_end(const struct form *f, size_t at, size_t end, size_t depth)
{
	size_t i = at + 1;
	while (i < end && f->parameters[i].n > depth &&
	        str_eq(f->parameters[i].segments[depth], f->parameters[at].segments[depth]))
		i++;
	return i;
}

/* In the older protocol a list has a level of its own, called "member". */
static int skip_member_level(const struct form *f, size_t at, size_t end, size_t *depth)
{
	if (f->protocol != PROTOCOL_QUERY)
		return 0;
	for (size_t i = at; i < end; i++) {
		if (f->parameters[i].n <= *depth + 1 ||
		        !str_eq(f->parameters[i].segments[*depth], STR("member")))
			return refuse(f, i, "is not an element of its list");
	}
	++*depth;
	return 0;
}

/* The shape that the segment at `depth` stands for; NULL when it is to be passed over. */
static int child_shape(const struct form *f, const struct shape *shape, size_t at, size_t depth,
        const struct shape **ret)
{
	const struct parameter *parameter = &f->parameters[at];
	uint64_t index;
	*ret = NULL;
	if (parameter->n <= depth)
		return refuse(f, at, "has no value of its own");
	str segment = parameter->segments[depth];
	if (shape->kind == SHAPE_LIST) {
		*ret = shape->item;
		bool good = is_index(segment) && str_to_u64(segment, QUERY_INDEX_MAX, &index);
		return good ? 0 : refuse(f, at, "has no valid index");
	}
	const struct shape_member *member = shape_member(shape, segment);
	if (member) {
		*ret = member->shape;
		return 0;
	}
	/* EC2 refuses what it does not know: a filter passed over would widen what is asked for. */
	bool is_call = depth == 0 && parameter->n == 1 &&
	               (str_eq(segment, STR("Action")) || str_eq(segment, STR("Version")));
	return is_call || f->protocol == PROTOCOL_QUERY ? 0 : refuse(f, at, "is unknown");
}

/*
 * Decode the parameters from `at` to `end`, which agree in their first `depth` segments. Recursion
 * is limited by SEGMENTS_MAX: each level takes a segment.
 */
static int decode(const struct form *f, const struct shape *shape, size_t at, size_t end,
        size_t depth, struct value *ret)
{
	bool is_list = shape->kind == SHAPE_LIST;
	bool is_leaf = end - at == 1 && f->parameters[at].n == depth;
	if (shape->kind == SHAPE_MAP)
		return refuse(f, at, "is not supported");
	if (!is_list && shape->kind != SHAPE_STRUCTURE) {
		if (!is_leaf)
			return refuse(f, at, "stands twice or has parts");
		*ret = shape_value_of_text(shape, f->parameters[at].text);
		return 0;
	}
	if (is_list && is_leaf && f->parameters[at].text.n == 0) /* "Tags=": an empty list */
		return value_of_items(f->arena, NULL, 0, ret) < 0 ? too_large(f->err) : 0;
	int r = is_list ? skip_member_level(f, at, end, &depth) : 0;
	struct value_member *members = arena_alloc(f->arena, end - at, sizeof(*members));
	struct value *items = is_list ? arena_alloc(f->arena, end - at, sizeof(*items)) : NULL;
	size_t n = 0;
	if (!members || (is_list && !items))
		return too_large(f->err);
	for (size_t i = at, next; r == 0 && i < end; i = next) {
		const struct shape *child;
		struct value v = { .kind = VALUE_NULL };
		r = child_shape(f, shape, i, depth, &child);
		if (r < 0)
			return r;
		next = run_end(f, i, end, depth);
		if (!child)
			continue;
		r = decode(f, child, i, next, depth + 1, &v);
		if (is_list)
			items[n++] = v;
		else
			members[n++] = (struct value_member){ f->parameters[i].segments[depth], v };
	}
	if (r < 0)
		return r;
	r = is_list ? value_of_items(f->arena, items, n, ret)
	            : value_of_members(f->arena, members, n, ret);
	return r < 0 ? too_large(f->err) : 0;
}

int query_decode(enum protocol protocol, const struct shape *shape, str form, struct arena *arena,
        const struct value **ret, struct err *err)
{
	struct form f = { .protocol = protocol, .arena = arena, .err = err };
	struct value *root = arena_alloc(arena, 1, sizeof(*root));
	if (!root)
		return too_large(err);
	int r = read_form(form, arena, &f, err);
	if (r < 0)
		return r;
	qsort(f.parameters, f.n, sizeof(*f.parameters), by_segments);
	r = decode(&f, shape, 0, f.n, 0, root);
	if (r < 0)
		return r;
	*ret = root;
	return 0;
}
