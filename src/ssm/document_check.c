/* SPDX-License-Identifier: Apache-2.0 */
#include "ssm/document_check.h"

#include "ssm/pattern.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_one_of(str text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(text, str_from_c(names[i])))
			return true;
	}
	return false;
}

static bool is_parameter_name(str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (!is_alnum(name.p[i]))
			return false;
	}
	return name.n > 0 && name.n <= 128;
}

/* A number that may be written as a number or as a string of digits. */
static bool read_limit(const struct value *v, int64_t *ret)
{
	uint64_t n = 0;
	if (!v)
		return true;
	if (value_i64(v, ret))
		return *ret >= 0;
	if (!str_to_u64(value_str(v), INT32_MAX, &n))
		return false;
	*ret = (int64_t)n;
	return true;
}

static bool is_scalar(const struct value *v)
{
	enum value_kind kind = value_kind(v);
	return kind == VALUE_STRING || kind == VALUE_NUMBER || kind == VALUE_BOOL;
}

/* Does a default value have the type of its parameter? */
static bool fits_type(const struct value *v, str type)
{
	if (str_eq(type, STR("StringList")) || str_eq(type, STR("MapList")))
		return value_kind(v) == VALUE_ARRAY;
	if (str_eq(type, STR("StringMap")))
		return value_kind(v) == VALUE_OBJECT || value_kind(v) == VALUE_STRING;
	return is_scalar(v);
}

static int read_parameter(str name, const struct value *v, struct arena *arena,
        struct document_parameter *ret, struct err *err)
{
	static const char *const types[] = { "String", "StringList", "StringMap", "Boolean",
		"Integer", "MapList" };
	struct document_parameter p = { .name = name,
		.type = value_get_str(v, STR("type")),
		.description = value_get_str(v, STR("description")),
		.otherwise = value_get(v, STR("default")),
		.allowed = value_get(v, STR("allowedValues")),
		.pattern = value_get_str(v, STR("allowedPattern")),
		.min_chars = -1,
		.max_chars = -1,
		.min_items = -1,
		.max_items = -1 };
	struct pattern *pattern = NULL;
	struct err why = { 0 };

	if (!is_parameter_name(name))
		return err_set(err, -ERR_FORMAT,
		        "the name of a parameter has letters and digits only, not '" STR_FMT "'",
		        STR_ARG(str_head(name, 64)));
	if (!is_one_of(p.type, types, COUNT(types)))
		return err_set(err, -ERR_FORMAT,
		        "parameter '" STR_FMT "' has no type, or an unknown one", STR_ARG(name));
	if (p.otherwise && !fits_type(p.otherwise, p.type))
		return err_set(err, -ERR_FORMAT,
		        "the default value of parameter '" STR_FMT "' is not of its type",
		        STR_ARG(name));
	if (p.allowed && value_kind(p.allowed) != VALUE_ARRAY)
		return err_set(err, -ERR_FORMAT,
		        "allowedValues of parameter '" STR_FMT "' is not a list", STR_ARG(name));
	if (!read_limit(value_get(v, STR("minChars")), &p.min_chars) ||
	        !read_limit(value_get(v, STR("maxChars")), &p.max_chars) ||
	        !read_limit(value_get(v, STR("minItems")), &p.min_items) ||
	        !read_limit(value_get(v, STR("maxItems")), &p.max_items))
		return err_set(err, -ERR_FORMAT,
		        "a limit of parameter '" STR_FMT "' is not a number", STR_ARG(name));
	if (p.pattern.n > 0 && pattern_read(p.pattern, arena, &pattern, &why) < 0)
		return err_set(err, -ERR_FORMAT, "allowedPattern of parameter '" STR_FMT "': %s",
		        STR_ARG(name), why.text);
	*ret = p;
	return 0;
}

static int read_parameters(
        const struct value *root, struct arena *arena, struct document_info *info, struct err *err)
{
	const struct value *all = value_get(root, STR("parameters"));
	size_t n = value_count(all);

	if (all && value_kind(all) != VALUE_OBJECT)
		return err_set(err, -ERR_FORMAT, "'parameters' is not an object");
	if (n > DOCUMENT_PARAMETERS_MAX)
		return err_set(err, -ERR_FORMAT, "a document has at most %d parameters",
		        DOCUMENT_PARAMETERS_MAX);
	struct document_parameter *made = arena_alloc(arena, n + 1, sizeof *made);
	if (!made)
		return err_set(err, -ERR_LIMIT, "the document is too large");
	for (size_t i = 0; i < n; i++) {
		int r = read_parameter(
		        value_key_at(all, i), value_at(all, i), arena, &made[i], err);
		if (r < 0)
			return r;
	}
	info->parameters = made;
	info->n_parameters = n;
	return 0;
}

static const struct document_parameter *find_parameter(const struct document_info *info, str name)
{
	for (size_t i = 0; i < info->n_parameters; i++) {
		if (str_eq(info->parameters[i].name, name))
			return &info->parameters[i];
	}
	return NULL;
}

/* Every "{{ name }}" of a step must be declared; names with other signs ("ssm:x", "global:y") are
 * the agent's own. */
static int check_text(const struct document_info *info, str text, struct err *err)
{
	str head;
	while (str_split_first(text, '{', &head, &text)) {
		str inside, name = { NULL, 0 };
		if (!str_has_prefix(text, STR("{")))
			continue;
		inside = str_skip(text, 1);
		if (!str_split_first(inside, '}', &name, &inside) ||
		        !str_has_prefix(inside, STR("}")))
			continue;
		name = str_trim(name);
		if (!is_parameter_name(name) || find_parameter(info, name))
			continue;
		return err_set(err, -ERR_FORMAT, "parameter '" STR_FMT "' is used but not declared",
		        STR_ARG(str_head(name, 64)));
	}
	return 0;
}

/* Values are nested no deeper than VALUE_DEPTH_MAX. */
static int check_texts(const struct document_info *info, const struct value *v, struct err *err)
{
	int r = value_kind(v) == VALUE_STRING ? check_text(info, value_str(v), err) : 0;
	if (value_kind(v) != VALUE_ARRAY && value_kind(v) != VALUE_OBJECT)
		return r;
	for (size_t i = 0; r == 0 && i < value_count(v); i++)
		r = check_texts(info, value_at(v, i), err);
	return r;
}

/* Which platforms a step runs on, as bits in the order of `platforms`. */
static const char *const platforms[] = { "Windows", "Linux", "MacOS" };

static unsigned platforms_of_step(const struct value *step)
{
	str action = value_get_str(step, STR("action"));
	const struct value *pair =
	        value_get(value_get(step, STR("precondition")), STR("StringEquals"));
	unsigned bits = str_eq(action, STR("aws:runShellScript")) ? 6 : 7;

	if (value_count(pair) != 2)
		return bits;
	for (size_t i = 0; i < COUNT(platforms); i++) {
		for (size_t side = 0; side < 2; side++) {
			if (str_eq(value_str(value_at(pair, side)), STR("platformType")) &&
			        str_eq_nocase(value_str(value_at(pair, 1 - side)),
			                str_from_c(platforms[i])))
				return bits & 1u << i;
		}
	}
	return bits;
}

static void keep_platforms(struct document_info *info, unsigned bits)
{
	for (size_t i = 0; i < COUNT(platforms); i++) {
		if (bits >> i & 1)
			info->platforms[info->n_platforms++] = platforms[i];
	}
}

static int check_step(const struct value *steps, size_t i, struct err *err)
{
	const struct value *step = value_at(steps, i);
	str name = value_get_str(step, STR("name"));
	const struct value *condition = value_get(step, STR("precondition"));

	if (!str_has_prefix(value_get_str(step, STR("action")), STR("aws:")))
		return err_set(err, -ERR_FORMAT, "step %zu has no action 'aws:...'", i + 1);
	if (name.n == 0 || name.n > 128)
		return err_set(err, -ERR_FORMAT, "step %zu has no name", i + 1);
	for (size_t other = 0; other < i; other++) {
		if (str_eq(value_get_str(value_at(steps, other), STR("name")), name))
			return err_set(err, -ERR_FORMAT, "two steps are named '" STR_FMT "'",
			        STR_ARG(name));
	}
	if (condition && value_count(value_get(condition, STR("StringEquals"))) != 2)
		return err_set(err, -ERR_FORMAT,
		        "the precondition of step '" STR_FMT
		        "' is not StringEquals with two operands",
		        STR_ARG(name));
	const struct value *inputs = value_get(step, STR("inputs"));
	if (inputs && value_kind(inputs) != VALUE_OBJECT)
		return err_set(err, -ERR_FORMAT,
		        "the inputs of step '" STR_FMT "' are not an object", STR_ARG(name));
	return 0;
}

/* Schemas 2.x: a list of steps. */
static int check_steps(const struct value *root, struct document_info *info, struct err *err)
{
	const struct value *steps = value_get(root, STR("mainSteps"));
	unsigned bits = 0;

	if (value_kind(steps) != VALUE_ARRAY || value_count(steps) == 0 ||
	        value_count(steps) > DOCUMENT_STEPS_MAX)
		return err_set(err, -ERR_FORMAT, "'mainSteps' is not a list of 1 to %d steps",
		        DOCUMENT_STEPS_MAX);
	for (size_t i = 0; i < value_count(steps); i++) {
		int r = check_step(steps, i, err);
		if (r < 0)
			return r;
		bits |= platforms_of_step(value_at(steps, i));
	}
	keep_platforms(info, bits);
	return check_texts(info, steps, err);
}

/* Schema 1.2: a plug-in per member of "runtimeConfig". */
static int check_runtime(const struct value *root, struct document_info *info, struct err *err)
{
	const struct value *config = value_get(root, STR("runtimeConfig"));
	bool is_shell = true;

	if (value_kind(config) != VALUE_OBJECT || value_count(config) == 0)
		return err_set(err, -ERR_FORMAT, "'runtimeConfig' is not an object with a plug-in");
	for (size_t i = 0; i < value_count(config); i++) {
		str name = value_key_at(config, i);
		if (!str_has_prefix(name, STR("aws:")))
			return err_set(err, -ERR_FORMAT, "'" STR_FMT "' is not a plug-in 'aws:...'",
			        STR_ARG(str_head(name, 64)));
		is_shell = is_shell && str_eq(name, STR("aws:runShellScript"));
	}
	keep_platforms(info, is_shell ? 6 : 7);
	return check_texts(info, config, err);
}

/* A package's manifest: platforms with their files, and the files with their digests. */
static int check_package(const struct value *root, struct document_info *info, struct err *err)
{
	const struct value *files = value_get(root, STR("files"));
	if (value_count(value_get(root, STR("packages"))) == 0 || value_count(files) == 0)
		return err_set(
		        err, -ERR_FORMAT, "the manifest of a package has 'packages' and 'files'");
	for (size_t i = 0; i < value_count(files); i++) {
		const struct value *sums = value_get(value_at(files, i), STR("checksums"));
		if (value_get_str(sums, STR("sha256")).n != 64)
			return err_set(err, -ERR_FORMAT,
			        "file '" STR_FMT "' of the package has no SHA-256",
			        STR_ARG(str_head(value_key_at(files, i), 64)));
	}
	keep_platforms(info, 7);
	return 0;
}

static enum document_fault check_schema(
        const struct value *root, str type, struct document_info *info, struct err *err)
{
	static const char *const with_steps[] = { "2.0", "2.0.1", "2.0.2", "2.0.3", "2.2" };
	static const char *const with_runtime[] = { "1.0", "1.2" };
	int r;

	if (str_eq(type, STR("Package"))) {
		r = check_package(root, info, err);
	} else if (str_eq(type, STR("Session"))) {
		keep_platforms(info, 7);
		r = 0;
	} else if (is_one_of(info->schema, with_steps, COUNT(with_steps))) {
		r = check_steps(root, info, err);
	} else if (is_one_of(info->schema, with_runtime, COUNT(with_runtime))) {
		r = check_runtime(root, info, err);
	} else {
		(void)err_set(err, -ERR_FORMAT,
		        "schemaVersion is one of 1.0, 1.2, 2.0, 2.0.1, 2.0.2, 2.0.3 and 2.2");
		return DOCUMENT_SCHEMA;
	}
	return r < 0 ? DOCUMENT_CONTENT : DOCUMENT_FINE;
}

enum document_fault document_check(str content, str type, str format, struct arena *arena,
        struct document_info *ret, struct err *err)
{
	static const char *const types[] = { "Command", "Policy", "Session", "Package" };
	struct document_info info = { 0 };
	const struct value *root = NULL;
	struct err why = { 0 };

	if (content.n > DOCUMENT_MAX_BYTES) {
		(void)err_set(
		        err, -ERR_LIMIT, "a document has at most %u bytes", DOCUMENT_MAX_BYTES);
		return DOCUMENT_SIZE;
	}
	if (!is_one_of(type, types, COUNT(types))) {
		(void)err_set(err, -ERR_UNSUPPORTED,
		        "this server keeps documents of the types Command, Policy, Session and "
		        "Package");
		return DOCUMENT_CONTENT;
	}
	if (!str_eq(format, STR("JSON"))) {
		(void)err_set(err, -ERR_UNSUPPORTED,
		        "this server reads documents in JSON, not in " STR_FMT ": convert it first",
		        STR_ARG(str_head(format, 16)));
		return DOCUMENT_CONTENT;
	}
	if (value_from_json(content, arena, &root, &why) < 0 || value_kind(root) != VALUE_OBJECT) {
		(void)err_set(err, -ERR_FORMAT, "the content is not a JSON object: %s",
		        why.text[0] ? why.text : "it is another value");
		return DOCUMENT_CONTENT;
	}
	info.content = root;
	info.schema = value_get_str(root, STR("schemaVersion"));
	info.description = value_get_str(root, STR("description"));
	if (read_parameters(root, arena, &info, err) < 0)
		return DOCUMENT_CONTENT;
	enum document_fault fault = check_schema(root, type, &info, err);
	if (fault == DOCUMENT_FINE)
		*ret = info;
	return fault;
}

/* ---- values ---- */

static int refuse(struct err *err, const struct document_parameter *p, const char *text)
{
	return err_set(err, -ERR_FORMAT, "parameter '" STR_FMT "' %s",
	        STR_ARG(str_head(p->name, 64)), text);
}

static size_t n_chars(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static bool is_integer(str s)
{
	uint64_t n = 0;
	if (str_has_prefix(s, STR("-")))
		s = str_skip(s, 1);
	return str_to_u64(s, INT64_MAX, &n);
}

static bool is_allowed(const struct document_parameter *p, str s)
{
	for (size_t i = 0; i < value_count(p->allowed); i++) {
		const struct value *v = value_at(p->allowed, i);
		str text = value_kind(v) == VALUE_NUMBER ? value_number(v) : value_str(v);
		bool flag = false;
		if (value_bool(v, &flag))
			text = flag ? STR("true") : STR("false");
		if (str_eq(text, s))
			return true;
	}
	return !p->allowed;
}

/* The texts of a list are checked as they are; a map that was read already as its JSON. */
static int text_of(const struct value *v, struct arena *arena, str *ret)
{
	autobuf text = BUF(2 * DOCUMENT_MAX_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	if (value_kind(v) != VALUE_OBJECT) {
		*ret = value_str(v);
		return 0;
	}
	value_write_json(v, &w);
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(arena, buf_str(&text), ret);
}

/* A map is given as the JSON text of an object. */
static bool is_json_of(str s, enum value_kind kind, struct arena *arena)
{
	const struct value *v = NULL;
	return value_from_json(s, arena, &v, NULL) == 0 && value_kind(v) == kind;
}

static int check_value(const struct document_parameter *p, const struct value *v,
        const struct pattern *pattern, struct arena *arena, struct err *err)
{
	bool is_map = str_eq(p->type, STR("StringMap"));
	bool is_read = is_map && value_kind(v) == VALUE_OBJECT;
	str s;
	if (value_kind(v) != VALUE_STRING && !is_read)
		return refuse(err, p, "is not a list of strings");
	if (text_of(v, arena, &s) < 0)
		return err_set(err, -ERR_LIMIT, "a value is too large");
	size_t n = n_chars(s);
	if (str_eq(p->type, STR("Integer")) && !is_integer(s))
		return refuse(err, p, "is an integer");
	if (str_eq(p->type, STR("Boolean")) && !str_eq_nocase(s, STR("true")) &&
	        !str_eq_nocase(s, STR("false")))
		return refuse(err, p, "is true or false");
	if (is_map && !is_read && !is_json_of(s, VALUE_OBJECT, arena))
		return refuse(err, p, "is a JSON object");
	if (p->min_chars >= 0 && n < (size_t)p->min_chars)
		return refuse(err, p, "is too short");
	if (p->max_chars >= 0 && n > (size_t)p->max_chars)
		return refuse(err, p, "is too long");
	if (!is_allowed(p, s))
		return refuse(err, p, "has a value that is not among its allowedValues");
	if (pattern && !pattern_matches(pattern, s))
		return refuse(err, p, "has a value that does not match its allowedPattern");
	return 0;
}

static int check_given(const struct document_parameter *p, const struct value *list,
        struct arena *arena, struct err *err)
{
	size_t n = value_count(list);
	bool is_list = str_eq(p->type, STR("StringList")) || str_eq(p->type, STR("MapList"));
	struct pattern *pattern = NULL;
	int r = 0;

	if (value_kind(list) != VALUE_ARRAY)
		return refuse(err, p, "is not a list of strings");
	if (!is_list && n != 1)
		return refuse(err, p, "takes exactly one value");
	if (is_list && ((p->min_items >= 0 && n < (size_t)p->min_items) ||
	                       (p->max_items >= 0 && n > (size_t)p->max_items)))
		return refuse(err, p, "has too few or too many values");
	if (p->pattern.n > 0)
		r = pattern_read(p->pattern, arena, &pattern, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_value(p, value_at(list, i), pattern, arena, err);
	return r;
}

int document_check_values(const struct document_info *info, const struct value *values,
        struct arena *arena, struct err *err)
{
	for (size_t i = 0; i < value_count(values); i++) {
		str name = value_key_at(values, i);
		const struct document_parameter *p = find_parameter(info, name);
		if (!p)
			return err_set(err, -ERR_FORMAT,
			        "the document has no parameter '" STR_FMT "'",
			        STR_ARG(str_head(name, 64)));
		int r = check_given(p, value_at(values, i), arena, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < info->n_parameters; i++) {
		const struct document_parameter *p = &info->parameters[i];
		if (!p->otherwise && !value_get(values, p->name))
			return refuse(err, p, "must be given");
	}
	return 0;
}
