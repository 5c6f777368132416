/* SPDX-License-Identifier: Apache-2.0 */
#include "server/parameter.h"

#include <inttypes.h>

#include "aws/codec.h"
#include "base/cleanup.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

int parameter_name_read(str text, struct arena *arena, struct parameter_name *ret)
{
	str head, tail, path = text;
	const char *slash = "";

	/* arn:aws:ssm:<region>:<account>:parameter/<name> */
	if (str_has_prefix(text, STR("arn:"))) {
		for (int i = 0; i < 5 && str_split_first(path, ':', &head, &tail); i++)
			path = tail;
		if (str_has_prefix(path, STR("parameter/")))
			path = str_skip(path, 10);
		if (str_split_first(path, '/', &head, &tail))
			slash = "/";
	}
	*ret = (struct parameter_name){ .name = path };
	if (str_split_first(path, ':', &head, &tail)) {
		ret->name = head;
		ret->selector = str_skip(path, head.n);
	}
	return slash[0] == '\0'
	               ? 0
	               : arena_printf(arena, &ret->name, "%s" STR_FMT, slash, STR_ARG(ret->name));
}

bool parameter_is_reserved(str name)
{
	return str_has_prefix(name, STR("/inspector-aws/"));
}

bool parameter_is_secret(const struct parameter *parameter)
{
	return str_eq(parameter->type, STR("SecureString"));
}

static void read_parameter(str name, const struct value *v, struct parameter *ret)
{
	*ret = (struct parameter){
		.name = name,
		.type = value_get_str(v, STR("Type")),
		.value = value_get_str(v, STR("Value")),
		.data_type = value_get_str(v, STR("DataType")),
		.description = value_get_str(v, STR("Description")),
		.pattern = value_get_str(v, STR("AllowedPattern")),
		.tier = value_get_str(v, STR("Tier")),
		.key_id = value_get_str(v, STR("KeyId")),
		.user = value_get_str(v, STR("LastModifiedUser")),
		.version = value_get_i64(v, STR("Version"), 1),
		.modified_at = value_get_time(v, STR("LastModifiedDate")),
		.tags = value_get(v, STR("Tags")),
		.labels = value_get(v, STR("Labels")),
	};
}

int parameter_version_name(str name, int64_t version, struct arena *arena, str *ret)
{
	return arena_printf(arena, ret, STR_FMT "#%010" PRId64, STR_ARG(name), version);
}

int parameter_versions(struct server *server, int64_t account, str name, struct arena *arena,
        struct parameter **ret, size_t *ret_count)
{
	const struct object *objects = NULL;
	const struct value *v = NULL;
	size_t n = 0;
	str prefix;

	if (name.n > PARAMETER_NAME_MAX)
		return -ENOENT;
	int r = object_get(server->objects, account, "parameter", name, arena, &v);
	if (r == 0)
		r = arena_printf(arena, &prefix, STR_FMT "#", STR_ARG(name));
	if (r == 0)
		r = object_list(server->objects, account, "parameter-version", prefix, none, 0,
		        arena, &objects, &n);
	if (r < 0)
		return r;
	struct parameter *all = arena_alloc(arena, n + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		read_parameter(name, objects[i].value, &all[i]);
	/* What the server itself wrote has its newest version only. */
	if (n == 0)
		read_parameter(name, v, &all[n++]);
	*ret = all;
	*ret_count = n;
	return 0;
}

int parameter_get(struct server *server, int64_t account, const struct parameter_name *name,
        struct arena *arena, struct parameter *ret)
{
	const struct value *v = NULL;
	struct parameter *all = NULL;
	str label = str_skip(name->selector, 1);
	size_t n = 0;
	uint64_t version = 0;

	if (name->name.n == 0 || name->name.n > PARAMETER_NAME_MAX)
		return -ENOENT;
	if (name->selector.n == 0) {
		int r = object_get(server->objects, account, "parameter", name->name, arena, &v);
		if (r == 0)
			read_parameter(name->name, v, ret);
		return r;
	}
	int r = parameter_versions(server, account, name->name, arena, &all, &n);
	bool is_number = str_to_u64(label, INT64_MAX, &version);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (is_number ? all[i].version == (int64_t)version
		              : value_has_str(all[i].labels, label)) {
			*ret = all[i];
			return 0;
		}
	}
	return r < 0 ? r : -ESRCH;
}

int parameter_list(struct server *server, int64_t account, str prefix, struct arena *arena,
        struct parameter **ret, size_t *ret_count)
{
	const struct object *objects = NULL;
	size_t n = 0;
	int r = object_list(
	        server->objects, account, "parameter", prefix, none, 0, arena, &objects, &n);
	if (r < 0)
		return r;
	struct parameter *all = arena_alloc(arena, n + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		read_parameter(objects[i].name, objects[i].value, &all[i]);
	*ret = all;
	*ret_count = n;
	return 0;
}

static int write_parameter(
        const struct parameter *parameter, bool has_tags, struct arena *arena, str *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	write_text(&draft.json, "Type", parameter->type);
	json_write_member_str(&draft.json, "Value", parameter->value);
	write_text(&draft.json, "DataType", parameter->data_type);
	write_text(&draft.json, "Description", parameter->description);
	write_text(&draft.json, "AllowedPattern", parameter->pattern);
	write_text(&draft.json, "Tier", parameter->tier);
	write_text(&draft.json, "KeyId", parameter->key_id);
	write_text(&draft.json, "LastModifiedUser", parameter->user);
	write_number(&draft.json, "Version", parameter->version);
	write_time(&draft.json, "LastModifiedDate", parameter->modified_at);
	write_value(&draft.json, "Labels", parameter->labels);
	if (has_tags)
		write_value(&draft.json, "Tags", parameter->tags);
	return draft_end(&draft, arena, ret);
}

int parameter_change(int64_t account, const struct parameter *parameter, struct arena *arena,
        struct object_change *ret)
{
	*ret = (struct object_change){
		.account = account, .type = "parameter", .name = parameter->name
	};
	return write_parameter(parameter, true, arena, &ret->json);
}

int parameter_changes(int64_t account, const struct parameter *parameter, struct arena *arena,
        struct object_change ret[2])
{
	int r = parameter_change(account, parameter, arena, &ret[0]);
	if (r < 0)
		return r;
	ret[1] = (struct object_change){ .account = account, .type = "parameter-version" };
	r = parameter_version_name(parameter->name, parameter->version, arena, &ret[1].name);
	return r < 0 ? r : write_parameter(parameter, false, arena, &ret[1].json);
}

/* ---- secrets ---- */

/* What a secret belongs to: it opens nowhere else. */
static int seal_context(int64_t account, str name, int64_t version, struct arena *arena, str *ret)
{
	return arena_printf(arena, ret, "parameter/%" PRId64 "/" STR_FMT "#%" PRId64, account,
	        STR_ARG(name), version);
}

int parameter_seal(const struct server *server, int64_t account, str name, int64_t version,
        str plain, struct arena *arena, str *ret)
{
	autobuf sealed = BUF(PARAMETER_ADVANCED_MAX + 256), text = BUF(2 * PARAMETER_ADVANCED_MAX);
	str context;
	int r = seal_context(account, name, version, arena, &context);
	if (r == 0)
		r = crypto_seal(server->crypto, server->secret_key, context, plain, &sealed);
	if (r < 0)
		return r;
	base64_add(&text, buf_str(&sealed));
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(arena, buf_str(&text), ret);
}

int parameter_open(const struct server *server, int64_t account, const struct parameter *parameter,
        struct arena *arena, str *ret)
{
	autobuf sealed = BUF(2 * PARAMETER_ADVANCED_MAX), plain = BUF(PARAMETER_ADVANCED_MAX + 1);
	str context;
	int r = seal_context(account, parameter->name, parameter->version, arena, &context);
	if (r == 0)
		r = base64_decode(parameter->value, &sealed);
	if (r == -ERR_FORMAT)
		return -EBADMSG;
	if (r == 0)
		r = crypto_open(
		        server->crypto, server->secret_key, context, buf_str(&sealed), &plain);
	if (r == 0)
		r = arena_copy(arena, buf_str(&plain), ret);
	crypto_wipe(plain.p, plain.n);
	return r;
}
