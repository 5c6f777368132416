/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association.h"
#include "server/parameter.h"
#include "ssm/pattern.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* ---- PutParameter ---- */

static bool is_name_char(char c)
{
	return is_alnum(c) || c == '_' || c == '.' || c == '-' || c == '/';
}

static int check_name(struct response *response, str name)
{
	str rest = name;
	size_t levels = 0;
	(void)str_take_while(&rest, is_name_char);
	for (size_t i = 0; i < name.n; i++)
		levels += name.p[i] == '/';
	if (name.n == 0 || name.n > PARAMETER_NAME_MAX || rest.n > 0)
		return response_fail(response, "ValidationException",
		        "The name of a parameter has at most %d of the characters a-z, A-Z, 0-9, "
		        "_, ., - and /.",
		        PARAMETER_NAME_MAX);
	if (levels > 0 && name.p[0] != '/')
		return response_fail(response, "ValidationException",
		        "A name with levels begins with a slash: /%.*s.", STR_ARG(name));
	if (levels > PARAMETER_LEVELS_MAX)
		return response_fail(response, "HierarchyLevelLimitExceededException",
		        "The name of a parameter has at most %d levels.", PARAMETER_LEVELS_MAX);
	str first = name.p[0] == '/' ? str_skip(name, 1) : name;
	if (parameter_is_reserved(name))
		return response_fail(response, "AccessDeniedException",
		        "Parameter " STR_FMT " is the server's own.", STR_ARG(name));
	if (str_eq_nocase(str_head(first, 3), STR("aws")) ||
	        str_eq_nocase(str_head(first, 3), STR("ssm")))
		return response_fail(response, "ValidationException",
		        "The name of a parameter does not begin with aws or ssm.");
	return 0;
}

/* What can be said of the request without the parameter as it was. */
static int check_request(struct request *request, struct response *response)
{
	const struct value *in = request->in;
	str data_type = value_get_str(in, STR("DataType"));
	str key = value_get_str(in, STR("KeyId"));

	if (value_get_str(in, STR("Policies")).n > 0)
		return response_fail(response, "InvalidPolicyTypeException",
		        "This server carries out no policies of parameters.");
	if (data_type.n > 0 && !str_eq(data_type, STR("text")) &&
	        !str_eq(data_type, STR("aws:ec2:image")))
		return response_fail(
		        response, "ValidationException", "The DataType is text or aws:ec2:image.");
	if (key.n > 0 && !str_eq(key, STR("alias/aws/ssm")))
		return response_fail(response, "InvalidKeyId",
		        "This server seals secrets with its own key, alias/aws/ssm.");
	if (value_count(value_get(in, STR("Tags"))) > 0 &&
	        value_get_bool(in, STR("Overwrite"), false))
		return response_fail(response, "ValidationException",
		        "Tags and Overwrite exclude each other: use AddTagsToResource.");
	return check_name(response, value_get_str(in, STR("Name")));
}

static int check_value(struct request *request, struct response *response, str value, str text,
        struct parameter *parameter)
{
	struct pattern *pattern = NULL;
	struct err err = { 0 };
	bool is_standard = value.n <= PARAMETER_STANDARD_MAX;
	str tier = value_get_str(request->in, STR("Tier"));

	if (tier.n == 0 || str_eq(tier, STR("Intelligent-Tiering")))
		parameter->tier =
		        str_eq(parameter->tier, STR("Advanced")) || (tier.n > 0 && !is_standard)
		                ? STR("Advanced")
		                : STR("Standard");
	else
		parameter->tier = tier;
	size_t most = str_eq(parameter->tier, STR("Standard")) ? PARAMETER_STANDARD_MAX
	                                                       : PARAMETER_ADVANCED_MAX;
	if (value.n == 0 || value.n > most)
		return response_fail(response, "ValidationException",
		        "The value of a parameter of tier " STR_FMT " has 1 to %zu bytes.",
		        STR_ARG(parameter->tier), most);
	if (text.n == 0)
		return 0;
	int r = pattern_read(text, request->arena, &pattern, &err);
	if (r < 0)
		return response_fail(
		        response, "InvalidAllowedPatternException", "AllowedPattern: %s", err.text);
	if (!pattern_matches(pattern, value))
		return response_fail(response, "ParameterPatternMismatchException",
		        "The value does not match the AllowedPattern.");
	return 0;
}

/* The parameter as it was, if it was; and what the request makes of it. */
static int next_version(
        struct request *request, struct response *response, struct parameter *parameter)
{
	str type = value_get_str(request->in, STR("Type"));
	struct parameter_name name = { .name = value_get_str(request->in, STR("Name")) };

	int r = parameter_get(
	        request->server, request->caller.account, &name, request->arena, parameter);
	if (r == 0 && !value_get_bool(request->in, STR("Overwrite"), false))
		return response_fail(response, "ParameterAlreadyExists",
		        "The parameter is there already: use Overwrite to change its value.");
	if (r == 0 && type.n > 0 && !str_eq(type, parameter->type))
		return response_fail(response, "HierarchyTypeMismatchException",
		        "The type of a parameter cannot be changed.");
	if (r == 0) {
		parameter->version++;
		return 0;
	}
	if (r != -ENOENT)
		return r;
	if (type.n == 0)
		return response_fail(
		        response, "ValidationException", "A new parameter needs a Type.");
	if (object_count(request->server->objects, request->caller.account, "parameter") >=
	        PARAMETERS_MAX)
		return response_fail(response, "ParameterLimitExceeded",
		        "An account has at most %d parameters.", PARAMETERS_MAX);
	*parameter = (struct parameter){ .name = name.name,
		.type = type,
		.version = 1,
		.tags = value_get(request->in, STR("Tags")) };
	return 0;
}

/* The oldest version goes when there are too many. */
static int drop_oldest(struct request *request, struct response *response,
        const struct parameter *parameter, struct object_change *changes, size_t *n)
{
	struct parameter *all = NULL;
	size_t n_versions = 0;
	int r = parameter_versions(request->server, request->caller.account, parameter->name,
	        request->arena, &all, &n_versions);
	if (r < 0 || n_versions < PARAMETER_VERSIONS_MAX)
		return r == -ENOENT ? 0 : r;
	if (value_count(all[0].labels) > 0)
		return response_fail(response, "ParameterMaxVersionLimitExceeded",
		        "The oldest version has a label, and cannot make room.");
	changes[*n] = (struct object_change){ .account = request->caller.account,
		.type = "parameter-version" };
	return parameter_version_name(
	        parameter->name, all[0].version, request->arena, &changes[(*n)++].name);
}

static int put(struct request *request, struct response *response, struct parameter *parameter)
{
	str value = value_get_str(request->in, STR("Value"));
	str pattern = value_get_str(request->in, STR("AllowedPattern"));
	str data_type = value_get_str(request->in, STR("DataType"));
	str description = value_get_str(request->in, STR("Description"));
	struct object_change changes[3];
	size_t n = 2;

	int r = next_version(request, response, parameter);
	if (r == 0)
		r = check_value(request, response, value,
		        pattern.n > 0 ? pattern : parameter->pattern, parameter);
	if (r < 0)
		return r;
	parameter->value = value;
	parameter->labels = NULL;
	parameter->modified_at = request->now_at;
	parameter->user = request->caller.arn;
	if (pattern.n > 0)
		parameter->pattern = pattern;
	if (description.n > 0)
		parameter->description = description;
	if (data_type.n > 0 || parameter->data_type.n == 0)
		parameter->data_type = data_type.n > 0 ? data_type : STR("text");
	if (parameter_is_secret(parameter)) {
		parameter->key_id = STR("alias/aws/ssm");
		r = parameter_seal(request->server, request->caller.account, parameter->name,
		        parameter->version, value, request->arena, &parameter->value);
	}
	if (r == 0)
		r = parameter_changes(request->caller.account, parameter, request->arena, changes);
	if (r == 0)
		r = drop_oldest(request, response, parameter, changes, &n);
	return r < 0 ? r : request_commit(request, changes, n, "PutParameter", parameter->name);
}

int api_parameter_put(struct request *request, struct response *response)
{
	struct parameter parameter = { 0 };
	int r = check_request(request, response);
	if (r < 0)
		return r;
	account_lock(request->server, request->caller.account);
	r = put(request, response, &parameter);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	write_number(&response->json, "Version", parameter.version);
	json_write_member_str(&response->json, "Tier", parameter.tier);
	return 0;
}

/* ---- reading ---- */

/* Hosts read what is no secret: agents refuse secrets in documents anyway. */
static bool is_readable(const struct request *request, const struct parameter *parameter)
{
	return request->caller.role != ROLE_HOST || !parameter_is_secret(parameter);
}

static str tier_of(const struct parameter *parameter)
{
	return parameter->tier.n > 0 ? parameter->tier : STR("Standard");
}

static int write_arn(struct request *request, struct json_writer *w, str name)
{
	str arn;
	struct account_text account = account_text(request->caller.account);
	int r = arena_printf(request->arena, &arn, "arn:aws:ssm:" STR_FMT ":%s:parameter%s" STR_FMT,
	        STR_ARG(request->region), account.text, name.n > 0 && name.p[0] == '/' ? "" : "/",
	        STR_ARG(name));
	if (r == 0)
		json_write_member_str(w, "ARN", arn);
	return r;
}

/* The value as the request wants it: sealed, unless it asks for more. */
static int value_asked(struct request *request, const struct parameter *parameter, str *ret)
{
	*ret = parameter->value;
	if (!parameter_is_secret(parameter) ||
	        !value_get_bool(request->in, STR("WithDecryption"), false))
		return 0;
	return parameter_open(
	        request->server, request->caller.account, parameter, request->arena, ret);
}

static int write_parameter(struct request *request, struct json_writer *w,
        const struct parameter *parameter, str selector)
{
	str value;
	int r = value_asked(request, parameter, &value);
	if (r < 0)
		return r;
	json_write_object(w);
	json_write_member_str(w, "Name", parameter->name);
	json_write_member_str(w, "Type", parameter->type);
	json_write_member_str(w, "Value", value);
	write_number(w, "Version", parameter->version);
	write_text(w, "Selector", selector);
	write_time(w, "LastModifiedDate", parameter->modified_at);
	r = write_arn(request, w, parameter->name);
	json_write_member_str(w, "DataType", parameter->data_type);
	json_write_object_end(w);
	return r;
}

static int find(
        struct request *request, str text, struct parameter_name *name, struct parameter *ret)
{
	int r = parameter_name_read(text, request->arena, name);
	if (r == 0)
		r = parameter_get(
		        request->server, request->caller.account, name, request->arena, ret);
	return r == 0 && !is_readable(request, ret) ? -ENOENT : r;
}

static int fail_find(struct response *response, int r, str name)
{
	if (r == -ENOENT)
		return response_fail(response, "ParameterNotFound",
		        "There is no parameter " STR_FMT ".", STR_ARG(str_head(name, 400)));
	if (r == -ESRCH)
		return response_fail(response, "ParameterVersionNotFound",
		        "The parameter has no such version or label: " STR_FMT ".",
		        STR_ARG(str_head(name, 400)));
	return r;
}

int api_parameter_get(struct request *request, struct response *response)
{
	str text = value_get_str(request->in, STR("Name"));
	struct parameter_name name;
	struct parameter parameter;
	int r = find(request, text, &name, &parameter);
	if (r != 0)
		return fail_find(response, r, text);
	json_write_key(&response->json, "Parameter");
	return write_parameter(request, &response->json, &parameter, name.selector);
}

int api_parameter_get_several(struct request *request, struct response *response)
{
	const struct value *names = value_get(request->in, STR("Names"));
	struct json_writer *w = &response->json;
	bool is_missing[10] = { false };

	json_write_key(w, "Parameters");
	json_write_array(w);
	for (size_t i = 0; i < value_count(names) && i < 10; i++) {
		struct parameter_name name;
		struct parameter parameter;
		int r = find(request, value_str(value_at(names, i)), &name, &parameter);
		is_missing[i] = r == -ENOENT || r == -ESRCH;
		if (r == 0)
			r = write_parameter(request, w, &parameter, name.selector);
		if (r < 0 && !is_missing[i])
			return r;
	}
	json_write_array_end(w);
	json_write_key(w, "InvalidParameters");
	json_write_array(w);
	for (size_t i = 0; i < value_count(names) && i < 10; i++) {
		if (is_missing[i])
			json_write_str(w, value_str(value_at(names, i)));
	}
	json_write_array_end(w);
	return 0;
}

/* What is said of a parameter beside its value. */
static void write_about(struct json_writer *w, const struct parameter *parameter)
{
	json_write_member_str(w, "Name", parameter->name);
	json_write_member_str(w, "Type", parameter->type);
	write_text(w, "KeyId", parameter->key_id);
	write_time(w, "LastModifiedDate", parameter->modified_at);
	write_text(w, "LastModifiedUser", parameter->user);
	write_text(w, "Description", parameter->description);
	write_text(w, "AllowedPattern", parameter->pattern);
	write_number(w, "Version", parameter->version);
	json_write_member_str(w, "Tier", tier_of(parameter));
	write_text(w, "DataType", parameter->data_type);
}

int api_parameter_history(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct parameter_name name;
	struct parameter *all = NULL;
	size_t n = 0;
	str text = value_get_str(request->in, STR("Name"));
	struct list_page page;

	int r = parameter_name_read(text, request->arena, &name);
	if (r == 0)
		r = parameter_versions(request->server, request->caller.account, name.name,
		        request->arena, &all, &n);
	if (r != 0)
		return fail_find(response, r, text);
	r = page_begin(request, response, "Parameters", n, 50, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; r == 0 && i < page.to; i++) {
		str value;
		r = value_asked(request, &all[i], &value);
		if (r < 0)
			return r;
		json_write_object(w);
		write_about(w, &all[i]);
		json_write_member_str(w, "Value", value);
		write_value(w, "Labels", all[i].labels);
		json_write_object_end(w);
	}
	return page_end(response, &page, r);
}

/* ---- filters ---- */

static bool in_path(str name, str path, bool is_recursive)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (str_eq(path, STR("/"))) {
		name = str_has_prefix(name, path) ? str_skip(name, 1) : name;
	} else {
		if (!str_has_prefix(name, path) || name.n <= path.n || name.p[path.n] != '/')
			return false;
		name = str_skip(name, path.n + 1);
	}
	return is_recursive || !str_has(name, '/');
}

static bool text_fits(str text, str option, str value)
{
	if (str_eq(option, STR("BeginsWith")))
		return str_has_prefix(text, value);
	if (str_eq(option, STR("Contains")))
		return memmem(text.p, text.n, value.p, value.n) != NULL;
	return str_eq(text, value);
}

static bool has_tag(const struct value *tags, str key, str value)
{
	for (size_t i = 0; i < value_count(tags); i++) {
		if (str_eq(value_get_str(value_at(tags, i), STR("Key")), key) &&
		        (!value.p || str_eq(value_get_str(value_at(tags, i), STR("Value")), value)))
			return true;
	}
	return false;
}

static bool value_fits(const struct parameter *p, str key, str option, str value)
{
	if (str_eq(key, STR("Name")))
		return text_fits(p->name, option, value);
	if (str_eq(key, STR("Type")))
		return text_fits(p->type, option, value);
	if (str_eq(key, STR("KeyId")))
		return text_fits(p->key_id, option, value);
	if (str_eq(key, STR("Path")))
		return in_path(p->name, value, str_eq(option, STR("Recursive")));
	if (str_eq(key, STR("Tier")))
		return text_fits(tier_of(p), option, value);
	if (str_eq(key, STR("DataType")))
		return text_fits(p->data_type, option, value);
	if (str_eq(key, STR("Label")))
		return value_has_str(p->labels, value);
	return has_tag(p->tags, str_skip(key, 4), value);
}

static int check_filters(struct response *response, const struct value *filters)
{
	static const str options[] = { STR("Equals"), STR("BeginsWith"), STR("Contains"),
		STR("Recursive"), STR("OneLevel") };
	for (size_t i = 0; i < value_count(filters); i++) {
		str option = value_get_str(value_at(filters, i), STR("Option"));
		bool is_known = option.n == 0;
		for (size_t k = 0; k < sizeof options / sizeof options[0]; k++)
			is_known = is_known || str_eq(option, options[k]);
		if (!is_known)
			return response_fail(response, "InvalidFilterOption",
			        "The Option is Equals, BeginsWith, Contains, Recursive or "
			        "OneLevel.");
	}
	return 0;
}

static bool fits(const struct value *filters, const struct parameter *parameter, bool is_old)
{
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *f = value_at(filters, i);
		const struct value *values = value_get(f, STR("Values"));
		str key = value_get_str(f, STR("Key"));
		/* The older filters compare the beginning of names. */
		str option = is_old && str_eq(key, STR("Name")) ? STR("BeginsWith")
		                                                : value_get_str(f, STR("Option"));
		bool is_any = value_count(values) == 0 && str_has_prefix(key, STR("tag:")) &&
		              has_tag(parameter->tags, str_skip(key, 4), none);
		for (size_t k = 0; k < value_count(values); k++)
			is_any = is_any ||
			         value_fits(parameter, key, option, value_str(value_at(values, k)));
		if (!is_any)
			return false;
	}
	return true;
}

/* The parameters below a prefix that the filters let through. */
static int filtered(struct request *request, struct response *response, str prefix,
        struct parameter **ret, size_t *ret_count)
{
	const struct value *filters = value_get(request->in, STR("ParameterFilters"));
	const struct value *old = value_get(request->in, STR("Filters"));
	struct parameter *all = NULL;
	size_t n = 0, kept = 0;

	int r = check_filters(response, filters);
	if (r == 0)
		r = parameter_list(
		        request->server, request->caller.account, prefix, request->arena, &all, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (is_readable(request, &all[i]) && fits(filters, &all[i], false) &&
		        fits(old, &all[i], true))
			all[kept++] = all[i];
	}
	*ret = all;
	*ret_count = kept;
	return r;
}

int api_parameter_by_path(struct request *request, struct response *response)
{
	str path = value_get_str(request->in, STR("Path"));
	struct list_page page;
	bool is_recursive = value_get_bool(request->in, STR("Recursive"), false);
	struct parameter *all = NULL;
	size_t n = 0, kept = 0;

	if (!str_has_prefix(path, STR("/")))
		return response_fail(
		        response, "ValidationException", "The Path begins with a slash.");
	int r = filtered(request, response, str_eq(path, STR("/")) ? none : path, &all, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (in_path(all[i].name, path, is_recursive))
			all[kept++] = all[i];
	}
	r = page_begin(request, response, "Parameters", kept, 10, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; r == 0 && i < page.to; i++)
		r = write_parameter(request, &response->json, &all[i], none);
	return page_end(response, &page, r);
}

int api_parameter_describe(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct parameter *all = NULL;
	size_t n = 0;
	struct list_page page;

	int r = filtered(request, response, none, &all, &n);
	/* Nothing is shared between accounts here. */
	if (value_get_bool(request->in, STR("Shared"), false))
		n = 0;
	if (r == 0)
		r = page_begin(request, response, "Parameters", n, 10, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; r == 0 && i < page.to; i++) {
		json_write_object(w);
		write_about(w, &all[i]);
		r = write_arn(request, w, all[i].name);
		json_write_object_end(w);
	}
	return page_end(response, &page, r);
}

/* ---- deleting ---- */

/* Under account_lock(). Returns: -ENOENT; what response_fail() returned. */
static int delete_one(struct request *request, str text)
{
	struct parameter_name name;
	struct parameter parameter;
	struct object_change change = { .account = request->caller.account, .type = "parameter" };
	struct err err = { 0 };
	str prefix;

	int r = parameter_name_read(text, request->arena, &name);
	if (r == 0 && (parameter_is_reserved(name.name) || name.selector.n > 0))
		return -ENOENT;
	if (r == 0)
		r = parameter_get(request->server, request->caller.account, &name, request->arena,
		        &parameter);
	if (r == 0)
		r = arena_printf(request->arena, &prefix, STR_FMT "#", STR_ARG(name.name));
	change.name = name.name;
	if (r == 0)
		r = request_commit(request, &change, 1, "DeleteParameter", name.name);
	if (r == 0)
		r = objects_delete(request->server, request->caller.account, "parameter-version",
		        prefix, SIZE_MAX, &err);
	return r;
}

int api_parameter_delete(struct request *request, struct response *response)
{
	str name = value_get_str(request->in, STR("Name"));
	if (parameter_is_reserved(name))
		return response_fail(response, "AccessDeniedException",
		        "Parameter " STR_FMT " is the server's own.", STR_ARG(str_head(name, 400)));
	account_lock(request->server, request->caller.account);
	int r = delete_one(request, name);
	account_unlock(request->server, request->caller.account);
	return r < 0 ? fail_find(response, r, name) : 0;
}

int api_parameter_delete_several(struct request *request, struct response *response)
{
	const struct value *names = value_get(request->in, STR("Names"));
	struct json_writer *w = &response->json;
	bool is_deleted[10] = { false };
	int r = 0;

	account_lock(request->server, request->caller.account);
	for (size_t i = 0; r == 0 && i < value_count(names) && i < 10; i++) {
		r = delete_one(request, value_str(value_at(names, i)));
		is_deleted[i] = r == 0;
		if (r == -ENOENT)
			r = 0;
	}
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		return r;
	for (int part = 0; part < 2; part++) {
		json_write_key(w, part == 0 ? "DeletedParameters" : "InvalidParameters");
		json_write_array(w);
		for (size_t i = 0; i < value_count(names) && i < 10; i++) {
			if (is_deleted[i] == (part == 0))
				json_write_str(w, value_str(value_at(names, i)));
		}
		json_write_array_end(w);
	}
	return 0;
}
