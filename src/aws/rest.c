/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/rest.h"

#include <errno.h>

#include "aws/codec.h"
#include "base/json.h"

#define PARAMETERS_MAX 512
#define LABEL_MAX 8192

static int read_label(str coded, struct arena *arena, str *ret)
{
	autobuf text = BUF(LABEL_MAX);
	int r = percent_decode(coded, false, &text);
	if (r < 0)
		return r;
	if (text.n == 0 || memchr(text.p, '\0', text.n) || !str_is_utf8(buf_str(&text)))
		return -ERR_FORMAT;
	return arena_copy(arena, buf_str(&text), ret);
}

/* Does a path have the form of an address? The raw labels then stand in `ret`. */
static bool match(str uri, str path, struct rest_route *ret)
{
	ret->n = 0;
	for (bool more = true; more;) {
		str want, have;
		bool more_path = str_split_first(path, '/', &have, &path);
		more = str_split_first(uri, '/', &want, &uri);
		if (!more)
			want = uri;
		bool is_label = want.n > 2 && want.p[0] == '{' && want.p[want.n - 1] == '}';
		if (!more_path) {
			have = path;
			path = (str){ NULL, 0 };
		} else if (is_label && !more) {
			have.n += 1 + path.n; /* the last label takes the rest */
			more_path = false;
		}
		if (more != more_path || (is_label ? have.n == 0 : !str_eq(want, have)))
			return false;
		if (is_label && ret->n < REST_LABELS_MAX) {
			ret->names[ret->n] = (str){ want.p + 1, want.n - 2 };
			ret->labels[ret->n++] = have;
		}
	}
	return true;
}

int rest_route(str service, str method, str path, struct arena *arena, struct rest_route *ret)
{
	struct rest_route route = { .n = 0 };
	size_t n;
	const struct operation_shape *operations = operation_all(&n);
	for (size_t i = 0; i < n && !route.operation; i++) {
		const struct operation_shape *operation = &operations[i];
		if (str_eq(service, str_from_c(operation->service)) &&
		        str_eq(method, str_from_c(operation->method)) &&
		        match(str_from_c(operation->uri), path, &route))
			route.operation = operation;
	}
	if (!route.operation)
		return -ENOENT;
	for (size_t i = 0; i < route.n; i++) {
		int r = read_label(route.labels[i], arena, &route.labels[i]);
		if (r < 0)
			return r;
	}
	*ret = route;
	return 0;
}

struct parameters {
	struct value_member *items; /* name and text */
	size_t n;
};

static int read_text(str coded, struct arena *arena, str *ret, struct err *err)
{
	autobuf text = BUF(coded.n);
	if (percent_decode(coded, false, &text) < 0 || !str_is_utf8(buf_str(&text)) ||
	        (text.n > 0 && memchr(text.p, '\0', text.n)))
		return err_set(err, -ERR_FORMAT, "the query is not well encoded");
	return arena_copy(arena, buf_str(&text), ret) < 0
	               ? err_set(err, -ERR_LIMIT, "the query is too large")
	               : 0;
}

static int read_query(str query, struct arena *arena, struct parameters *ret, struct err *err)
{
	size_t n = 0, most = query.n > 0;
	for (size_t i = 0; i < query.n; i++)
		most += query.p[i] == '&';
	struct value_member *items =
	        most <= PARAMETERS_MAX ? arena_alloc(arena, most, sizeof(*items)) : NULL;
	if (!items)
		return err_set(err, -ERR_LIMIT, "the query has too many parameters");
	for (bool more = query.n > 0; more;) {
		str part, name, coded = { NULL, 0 }, text;
		more = str_split_first(query, '&', &part, &query);
		if (!more)
			part = query;
		if (part.n == 0)
			continue;
		if (!str_split_first(part, '=', &name, &coded))
			name = part;
		int r = read_text(name, arena, &items[n].key, err);
		if (r == 0)
			r = read_text(coded, arena, &text, err);
		if (r < 0)
			return r;
		items[n++].value = value_of_str(text);
	}
	*ret = (struct parameters){ items, n };
	return 0;
}

/* All parameters of a name: a list, or the one value; VALUE_NULL when there is none. */
static int query_value(const struct parameters *parameters, const struct shape_member *member,
        struct arena *arena, struct value *ret, struct err *err)
{
	bool is_list = member->shape->kind == SHAPE_LIST;
	const struct shape *shape = is_list ? member->shape->item : member->shape;
	struct value *found = arena_alloc(arena, parameters->n, sizeof(*found));
	size_t n = 0;
	if (!found)
		return err_set(err, -ERR_LIMIT, "the query is too large");
	for (size_t i = 0; i < parameters->n; i++) {
		if (str_eq(parameters->items[i].key, str_from_c(member->name)))
			found[n++] =
			        shape_value_of_text(shape, value_str(&parameters->items[i].value));
	}
	if (n == 0)
		return 0;
	if (!is_list && n > 1)
		return err_set(err, -ERR_FORMAT, "the query has '%s' twice", member->name);
	if (!is_list) {
		*ret = found[0];
		return 0;
	}
	return value_of_items(arena, found, n, ret) < 0
	               ? err_set(err, -ERR_LIMIT, "the query is too large")
	               : 0;
}

static str label_of(const struct rest_route *route, const char *name)
{
	for (size_t i = 0; i < route->n; i++) {
		if (str_eq(route->names[i], str_from_c(name)))
			return route->labels[i];
	}
	return (str){ NULL, 0 };
}

int rest_input(const struct rest_route *route, str query, const struct value *body,
        struct arena *arena, const struct value **ret, struct err *err)
{
	const struct shape *input = route->operation->input;
	struct parameters parameters = { NULL, 0 };
	if (body && value_kind(body) != VALUE_OBJECT)
		return err_set(err, -ERR_FORMAT, "the body is not an object");
	int r = read_query(query, arena, &parameters, err);
	if (r < 0)
		return r;
	struct value_member *members = arena_alloc(arena, input->n, sizeof(*members));
	struct value *object = arena_alloc(arena, 1, sizeof(*object));
	size_t n = 0;
	if (!members || !object)
		return err_set(err, -ERR_LIMIT, "the request is too large");
	for (size_t i = 0; i < input->n; i++) {
		const struct shape_member *member = &input->members[i];
		struct value v = { .kind = VALUE_NULL };
		str name = str_from_c(member->name);
		if (member->location == SHAPE_IN_URI) {
			v = shape_value_of_text(member->shape, label_of(route, member->name));
		} else if (member->location == SHAPE_IN_QUERY) {
			r = query_value(&parameters, member, arena, &v, err);
			if (r < 0)
				return r;
		} else if (value_get(body, name)) {
			v = *value_get(body, name);
		}
		if (v.kind != VALUE_NULL)
			members[n++] = (struct value_member){ name, v };
	}
	if (value_of_members(arena, members, n, object) < 0)
		return err_set(err, -ERR_LIMIT, "the request is too large");
	*ret = object;
	return 0;
}
