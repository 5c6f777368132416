/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Substitution happens once, on the document's own texts: a value that holds "{{ x }}" itself is
 * left as it is. A text that is one token as a whole takes the value with its type; inside a longer
 * text a value stands as text.
 */
#include "agent/recipe.h"

#include "agent/trust.h"
#include "ssm/document_check.h"

struct filling {
	const struct document_info *info;
	const struct value *values; /* checked */
	struct arena *arena;
	struct err *err;
	unsigned depth;
};

/* ---- values ---- */

/* The value of a parameter: given, or its default. */
static const struct value *value_of(const struct filling *f, str name)
{
	const struct value *given = value_get(f->values, name);
	if (given)
		return given;
	for (size_t i = 0; i < f->info->n_parameters; i++) {
		if (str_eq(f->info->parameters[i].name, name))
			return f->info->parameters[i].otherwise;
	}
	return NULL;
}

static int add_text(struct buf *out, const struct value *v)
{
	bool flag = false;
	if (value_kind(v) == VALUE_STRING) {
		buf_add(out, value_str(v));
	} else if (value_kind(v) == VALUE_NUMBER) {
		buf_add(out, value_number(v));
	} else if (value_bool(v, &flag)) {
		buf_add(out, flag ? STR("true") : STR("false"));
	} else {
		struct json_writer w = JSON_WRITER(out, false);
		value_write_json(v, &w);
	}
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

/* "{{ name }}" at the front of `s`: eaten, and its name given. */
static bool take_token(str *s, str *ret_name)
{
	str rest = str_skip(*s, 2), name;
	if (!str_has_prefix(*s, STR("{{")))
		return false;
	(void)str_take_while(&rest, is_space);
	name = str_take_while(&rest, is_alnum);
	(void)str_take_while(&rest, is_space);
	if (name.n == 0 || !str_has_prefix(rest, STR("}}")))
		return false;
	*ret_name = name;
	*s = str_skip(rest, 2);
	return true;
}

/* Parameters of the service's store are asked for by documents of the host's owner only through
 * the service; this agent does not fetch them. */
static int refuse_store(const struct filling *f, str s)
{
	for (str rest = s; rest.n > 0; rest = str_skip(rest, 1)) {
		str at = rest;
		if (!str_has_prefix(at, STR("{{")))
			continue;
		at = str_skip(at, 2);
		(void)str_take_while(&at, is_space);
		if (str_has_prefix(at, STR("ssm:")))
			return err_set(f->err, -ERR_UNSUPPORTED,
			        "the document asks for a parameter of the parameter store, which "
			        "this agent does not fetch");
	}
	return 0;
}

static int fill_text(struct filling *f, str s, struct value *ret)
{
	autobuf out = BUF(RECIPE_TEXT_MAX);
	str whole = s, name, copy;
	int r = refuse_store(f, s);
	if (r < 0)
		return r;
	if (take_token(&whole, &name) && whole.n == 0 && value_of(f, name)) {
		*ret = *value_of(f, name);
		return 0;
	}
	while (r == 0 && s.n > 0) {
		const struct value *v = NULL;
		str at = s;
		if (take_token(&at, &name) && (v = value_of(f, name)) != NULL) {
			r = add_text(&out, v);
			s = at;
			continue;
		}
		buf_add_byte(&out, s.p[0]);
		s = str_skip(s, 1);
	}
	if (r < 0 || buf_failed(&out))
		return err_set(f->err, -ERR_LIMIT, "a text of the document becomes too long");
	if (arena_copy(f->arena, buf_str(&out), &copy) < 0)
		return err_set(f->err, -ERR_LIMIT, "the document is too large");
	*ret = value_of_str(copy);
	return 0;
}

/* An array and an object are filled the same way, element by element; only what they are kept in
 * differs. */
static int fill(struct filling *f, const struct value *v, struct value *ret)
{
	bool is_object = value_kind(v) == VALUE_OBJECT;
	size_t n = value_count(v);
	if (value_kind(v) == VALUE_STRING)
		return fill_text(f, value_str(v), ret);
	if (!is_object && value_kind(v) != VALUE_ARRAY) {
		*ret = v ? *v : (struct value){ 0 };
		return 0;
	}
	if (f->depth >= VALUE_DEPTH_MAX)
		return err_set(f->err, -ERR_LIMIT, "the document is nested too deeply");
	struct value_member *members = arena_alloc(f->arena, n + 1, sizeof(*members));
	struct value *items = arena_alloc(f->arena, n + 1, sizeof(*items));
	if (!members || !items)
		return err_set(f->err, -ERR_LIMIT, "the document is too large");
	int r = 0;
	f->depth++;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = fill(f, value_at(v, i), &items[i]);
		members[i] = (struct value_member){ value_key_at(v, i), items[i] };
	}
	f->depth--;
	if (r < 0)
		return r;
	r = is_object ? value_of_members(f->arena, members, n, ret)
	              : value_of_items(f->arena, items, n, ret);
	return r < 0 ? err_set(f->err, r, "the document is too large") : 0;
}

/* ---- given values ---- */

struct giving {
	const struct document_info *info;
	int (*read_json)(str text, struct arena *, const struct value **, struct err *);
	struct arena *arena;
	struct err *err;
};

static const struct document_parameter *parameter_of(const struct document_info *info, str name)
{
	for (size_t i = 0; i < info->n_parameters; i++) {
		if (str_eq(info->parameters[i].name, name))
			return &info->parameters[i];
	}
	return NULL;
}

/* A value of one element where the document wants a text is that text, and a map may be given as
 * its JSON. */
static int as_typed(
        const struct giving *g, str name, const struct value *v, struct value *ret, bool *ret_list)
{
	const struct document_parameter *p = parameter_of(g->info, name);
	const struct value *parsed = NULL;
	if (!p)
		return err_set(g->err, -ERR_FORMAT, "the document has no parameter '" STR_FMT "'",
		        STR_ARG(str_head(name, 64)));
	bool is_list = str_eq(p->type, STR("StringList")) || str_eq(p->type, STR("MapList"));
	if (!is_list && value_kind(v) == VALUE_ARRAY && value_count(v) == 1)
		v = value_at(v, 0);
	/* Only what was read so is passed on: the checker would read a text itself. */
	if (str_eq(p->type, STR("StringMap")) && value_kind(v) != VALUE_OBJECT) {
		if (value_kind(v) != VALUE_STRING ||
		        g->read_json(value_str(v), g->arena, &parsed, NULL) < 0 ||
		        value_kind(parsed) != VALUE_OBJECT)
			return err_set(g->err, -ERR_FORMAT,
			        "parameter '" STR_FMT "' is a JSON object",
			        STR_ARG(str_head(name, 64)));
		v = parsed;
	}
	*ret_list = is_list || value_kind(v) == VALUE_ARRAY;
	if (is_list && value_kind(v) != VALUE_ARRAY)
		return value_of_items(g->arena, v, 1, ret);
	*ret = *v;
	return 0;
}

/* The checker takes what the API takes, lists of texts, and maps that were read already. */
static int as_list(struct arena *arena, const struct value *v, bool is_list, struct value *ret)
{
	autobuf text = BUF(RECIPE_TEXT_MAX);
	struct value one = *v;
	str copy;
	if (is_list) {
		*ret = *v;
		return 0;
	}
	if (value_kind(v) != VALUE_OBJECT) {
		if (add_text(&text, v) < 0 || arena_copy(arena, buf_str(&text), &copy) < 0)
			return -ERR_LIMIT;
		one = value_of_str(copy);
	}
	return value_of_items(arena, &one, 1, ret);
}

static int check_values(const struct giving *g, const struct value *values, struct value *ret)
{
	size_t n = value_count(values);
	struct value_member *lists = arena_alloc(g->arena, n + 1, sizeof(*lists));
	struct value_member *typed = arena_alloc(g->arena, n + 1, sizeof(*typed));
	struct value all;
	if (!lists || !typed)
		return err_set(g->err, -ERR_LIMIT, "the values of the parameters are too large");
	for (size_t i = 0; i < n; i++) {
		bool is_list = false;
		lists[i].key = typed[i].key = value_key_at(values, i);
		int r = as_typed(g, typed[i].key, value_at(values, i), &typed[i].value, &is_list);
		if (r == -ERR_FORMAT)
			return r;
		if (r < 0 || as_list(g->arena, &typed[i].value, is_list, &lists[i].value) < 0)
			return err_set(
			        g->err, -ERR_LIMIT, "the values of the parameters are too large");
	}
	int r = value_of_members(g->arena, lists, n, &all);
	if (r < 0)
		return err_set(g->err, r, "the values of the parameters are too large");
	r = document_check_values(g->info, &all, g->arena, g->err);
	return r < 0 ? r : value_of_members(g->arena, typed, n, ret);
}

/* ---- steps ---- */

/* "platformType" stands for what this host is, on either side. */
static bool operands_are_equal(const struct value *operands)
{
	str a = value_str(value_at(operands, 0)), b = value_str(value_at(operands, 1));
	if (str_eq(a, STR("platformType")))
		a = STR("Linux");
	if (str_eq(b, STR("platformType")))
		b = STR("Linux");
	return str_eq_nocase(a, b);
}

static void judge(struct recipe_step *step, const struct value *precondition)
{
	const struct value *operands = value_get(precondition, STR("StringEquals"));
	if (!precondition)
		return;
	if (value_count(precondition) != 1 || !operands)
		step->fault = STR("The precondition has an operator other than StringEquals.");
	else if (value_kind(operands) != VALUE_ARRAY || value_count(operands) != 2)
		step->fault = STR("StringEquals takes exactly two operands.");
	else
		step->is_skipped = !operands_are_equal(operands);
}

static int make_step(struct filling *f, const struct value *v, struct recipe_step *ret)
{
	struct value *inputs = arena_alloc(f->arena, 2, sizeof(*inputs));
	if (!inputs)
		return err_set(f->err, -ERR_LIMIT, "the document is too large");
	*ret = (struct recipe_step){ .name = value_get_str(v, STR("name")),
		.action = value_get_str(v, STR("action")),
		.inputs = &inputs[0] };
	if (ret->name.n == 0 || ret->action.n == 0)
		return err_set(f->err, -ERR_FORMAT, "a step lacks a name or an action");
	int r = fill(f, value_get(v, STR("inputs")), &inputs[0]);
	if (r == 0)
		r = fill(f, value_get(v, STR("precondition")), &inputs[1]);
	if (r < 0)
		return r;
	judge(ret, value_get(v, STR("precondition")) ? &inputs[1] : NULL);
	str on_failure = value_get_str(v, STR("onFailure"));
	if (on_failure.n == 0)
		on_failure = value_get_str(&inputs[0], STR("onFailure"));
	ret->forgives_failure = str_eq_nocase(on_failure, STR("successAndExit"));
	ret->exits_on_failure = ret->forgives_failure || str_eq_nocase(on_failure, STR("exit"));
	ret->is_end = value_get_bool(v, STR("isEnd"), false) ||
	              str_eq_nocase(value_get_str(v, STR("isEnd")), STR("true"));
	return 0;
}

static int read_document(const struct value *document, struct arena *arena,
        struct document_info *ret, struct err *err)
{
	autobuf text = BUF(DOCUMENT_MAX_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	str copy;
	value_write_json(document, &w);
	if (buf_failed(&text) || arena_copy(arena, buf_str(&text), &copy) < 0)
		return err_set(err, -ERR_LIMIT, "the document is larger than 64 KiB");
	if (document_check(copy, STR("Command"), STR("JSON"), arena, ret, err) != DOCUMENT_FINE)
		return -ERR_FORMAT;
	if (!str_has_prefix(ret->schema, STR("2.")))
		return err_set(err, -ERR_UNSUPPORTED,
		        "this agent runs documents of schema 2.0 and 2.2, not " STR_FMT,
		        STR_ARG(str_head(ret->schema, 8)));
	return 0;
}

int recipe_make(const struct value *document, const struct value *values,
        int (*read_json)(str text, struct arena *, const struct value **ret, struct err *),
        struct arena *arena, struct recipe *ret, struct err *err)
{
	struct document_info info;
	struct value typed = { 0 };
	struct recipe plan = { 0 };
	int r = read_document(document, arena, &info, err);
	if (r == 0)
		r = trust_digest(document, plan.digest);
	const struct giving giving = {
		.info = &info, .read_json = read_json, .arena = arena, .err = err
	};
	if (r == 0)
		r = check_values(&giving, values, &typed);
	if (r < 0)
		return r;
	const struct value *steps = value_get(info.content, STR("mainSteps"));
	struct filling filling = { .info = &info, .values = &typed, .arena = arena, .err = err };
	plan.trusted = trust_find(plan.digest);
	plan.n_steps = value_count(steps);
	if (plan.n_steps > RECIPE_STEPS_MAX)
		return err_set(
		        err, -ERR_LIMIT, "a document has at most %d steps", RECIPE_STEPS_MAX);
	plan.steps = arena_alloc(arena, plan.n_steps + 1, sizeof(*plan.steps));
	if (!plan.steps)
		return err_set(err, -ERR_LIMIT, "the document is too large");
	for (size_t i = 0; r == 0 && i < plan.n_steps; i++)
		r = make_step(&filling, value_at(steps, i), &plan.steps[i]);
	if (r == 0)
		*ret = plan;
	return r;
}
