/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags of documents, associations, parameters and managed nodes. Those of a managed node are the
 * host's tags in the fleet: the key InspectorEc2Exclusion takes it out of scanning, as with ec2.
 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association.h"
#include "server/document.h"
#include "server/parameter.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* Most tags of one thing. */
#define TAGS_MAX 50

/* The tags of a resource, on their way from one state to the next. */
struct tags {
	struct pair items[TAGS_MAX + 1];
	size_t n;
};

static int set_tag(struct tags *tags, str key, str value)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (str_eq(tags->items[i].key, key)) {
			tags->items[i].value = value;
			return 0;
		}
	}
	if (tags->n == TAGS_MAX)
		return -ERR_LIMIT;
	tags->items[tags->n++] = (struct pair){ key, value };
	return 0;
}

static void remove_tag(struct tags *tags, str key)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (!str_eq(tags->items[i].key, key))
			continue;
		for (size_t k = i + 1; k < tags->n; k++)
			tags->items[k - 1] = tags->items[k];
		tags->n--;
		return;
	}
}

static void read_tags(const struct value *list, struct tags *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < value_count(list); i++)
		(void)set_tag(ret, value_get_str(value_at(list, i), STR("Key")),
		        value_get_str(value_at(list, i), STR("Value")));
}

static int tags_value(const struct tags *tags, struct arena *arena, const struct value **ret)
{
	struct value items[TAGS_MAX], *made = arena_alloc(arena, 1, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t i = 0; i < tags->n; i++) {
		const struct value_member members[] = {
			{ STR("Key"), value_of_str(tags->items[i].key) },
			{ STR("Value"), value_of_str(tags->items[i].value) },
		};
		int r = value_of_members(arena, members, 2, &items[i]);
		if (r < 0)
			return r;
	}
	*ret = made;
	return value_of_items(arena, items, tags->n, made);
}

/* Apply the request: Tags to set, TagKeys to take away. */
static int apply(const struct request *request, struct response *response, struct tags *tags)
{
	const struct value *set = value_get(request->in, STR("Tags"));
	const struct value *keys = value_get(request->in, STR("TagKeys"));
	for (size_t i = 0; i < value_count(keys); i++)
		remove_tag(tags, value_str(value_at(keys, i)));
	for (size_t i = 0; i < value_count(set); i++) {
		if (set_tag(tags, value_get_str(value_at(set, i), STR("Key")),
		            value_get_str(value_at(set, i), STR("Value"))) < 0)
			return response_fail(response, "TooManyTagsError",
			        "A resource has at most %d tags.", TAGS_MAX);
	}
	return 0;
}

/* ---- kinds of resources ---- */

static int fail_id(struct request *request, struct response *response)
{
	str id = value_get_str(request->in, STR("ResourceId"));
	return response_fail(response, "InvalidResourceId",
	        "This account has no such resource: " STR_FMT ".", STR_ARG(str_head(id, 200)));
}

/* Each kind reads its tags, and writes them when `is_change`. Under account_lock(). */
typedef int tag_kind(struct request *request, struct response *response, str id, bool is_change,
        struct tags *tags);

static int tag_document(struct request *request, struct response *response, str id, bool is_change,
        struct tags *tags)
{
	struct document document = { 0 };
	struct object_change change;

	int r = document_find(request->server, request->caller.account, document_name(id),
	        STR("$LATEST"), none, request->arena, &document);
	if (r == -ENOENT || r == -ESRCH || (r == 0 && document.is_builtin))
		return fail_id(request, response);
	if (r < 0)
		return r;
	read_tags(document.tags, tags);
	if (!is_change)
		return 0;
	r = apply(request, response, tags);
	if (r == 0)
		r = tags_value(tags, request->arena, &document.tags);
	if (r == 0)
		r = document_change(&document, request->arena, &change);
	return r < 0 ? r : request_commit(request, &change, 1, "TagDocument", document.name);
}

static int tag_parameter(struct request *request, struct response *response, str id, bool is_change,
        struct tags *tags)
{
	struct parameter_name name;
	struct parameter parameter;
	struct object_change change;

	int r = parameter_name_read(id, request->arena, &name);
	if (r == 0)
		r = parameter_get(request->server, request->caller.account, &name, request->arena,
		        &parameter);
	if (r == -ENOENT || r == -ESRCH || name.selector.n > 0 ||
	        (is_change && parameter_is_reserved(name.name)))
		return fail_id(request, response);
	if (r != 0)
		return r;
	read_tags(parameter.tags, tags);
	if (!is_change)
		return 0;
	r = apply(request, response, tags);
	if (r == 0)
		r = tags_value(tags, request->arena, &parameter.tags);
	if (r == 0)
		r = parameter_change(request->caller.account, &parameter, request->arena, &change);
	return r < 0 ? r : request_commit(request, &change, 1, "TagParameter", parameter.name);
}

/* The specification with other tags. */
static int replace_tags(
        struct association *association, const struct tags *tags, struct arena *arena)
{
	struct value_member members[64];
	const struct value *list = NULL;
	size_t n = 0;

	for (size_t i = 0; i < value_count(&association->spec) && n < 63; i++) {
		str key = value_key_at(&association->spec, i);
		if (!str_eq(key, STR("Tags")))
			members[n++] =
			        (struct value_member){ key, *value_at(&association->spec, i) };
	}
	int r = tags_value(tags, arena, &list);
	if (r < 0)
		return r;
	members[n++] = (struct value_member){ STR("Tags"), *list };
	return value_of_members(arena, members, n, &association->spec);
}

static int tag_association(struct request *request, struct response *response, str id,
        bool is_change, struct tags *tags)
{
	struct association association;
	struct object_change change;

	int r = association_get(
	        request->server, request->caller.account, id, request->arena, &association);
	if (r == -ENOENT)
		return fail_id(request, response);
	if (r < 0)
		return r;
	read_tags(value_get(&association.spec, STR("Tags")), tags);
	if (!is_change)
		return 0;
	r = apply(request, response, tags);
	if (r == 0)
		r = replace_tags(&association, tags, request->arena);
	if (r == 0)
		r = association_write(
		        request->caller.account, &association, request->arena, &change);
	return r < 0 ? r : request_commit(request, &change, 1, "TagAssociation", association.id);
}

static int compare_pairs(const void *a, const void *b)
{
	return str_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* A host's tags, copied: the host may be another record the next moment. */
static int read_host_tags(struct request *request, uint64_t number, struct tags *ret)
{
	int r = 0;
	ret->n = 0;
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = fleet_host_at(request->server->fleet, number);
	for (size_t i = 0; host && r == 0 && i < host->n_tags && i < TAGS_MAX; i++) {
		struct pair copy;
		r = arena_copy(request->arena, host->tags[i].key, &copy.key);
		if (r == 0)
			r = arena_copy(request->arena, host->tags[i].value, &copy.value);
		if (r == 0)
			ret->items[ret->n++] = copy;
	}
	fleet_unlock(request->server->fleet);
	return r;
}

static int tag_host(struct request *request, struct response *response, str id, bool is_change,
        struct tags *tags)
{
	struct account account;
	struct host_ref host;
	struct err err = { 0 };

	if (request_host(request, response, id, &host) < 0)
		return fail_id(request, response);
	int r = read_host_tags(request, host.number, tags);
	if (r < 0 || !is_change)
		return r;
	r = apply(request, response, tags);
	if (r == 0)
		r = account_get(request->server, host.account, request->arena, &account);
	if (r == 0)
		r = request_commit(request, NULL, 0, "TagManagedInstance", str_from_c(host.id));
	if (r != 0)
		return r;
	enum host_state state = host_state_of(NULL, account.is_ec2_enabled);
	for (size_t i = 0; i < tags->n && state == HOST_ACTIVE; i++) {
		if (str_eq(tags->items[i].key, STR(EXCLUSION_TAG)))
			state = HOST_EXCLUDED;
	}
	qsort(tags->items, tags->n, sizeof tags->items[0], compare_pairs);
	struct host_change change = {
		.state = &state, .tags = tags->items, .n_tags = tags->n, .has_tags = true
	};
	return fleet_host_change(
	        request->server->fleet, host.number, &change, request->now_at, &err);
}

static int tag(
        struct request *request, struct response *response, bool is_change, struct tags *tags)
{
	static const struct {
		const char *type;
		tag_kind *kind;
	} kinds[] = {
		{ "Document", tag_document },
		{ "Parameter", tag_parameter },
		{ "Association", tag_association },
		{ "ManagedInstance", tag_host },
	};
	str type = value_get_str(request->in, STR("ResourceType"));

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!str_eq(type, str_from_c(kinds[i].type)))
			continue;
		account_lock(request->server, request->caller.account);
		int r = kinds[i].kind(request, response,
		        value_get_str(request->in, STR("ResourceId")), is_change, tags);
		account_unlock(request->server, request->caller.account);
		return r;
	}
	return response_fail(response, "InvalidResourceType",
	        "Tags are kept of Document, Parameter, Association and ManagedInstance.");
}

int api_ssm_tags_add(struct request *request, struct response *response)
{
	struct tags tags = { .n = 0 };
	return tag(request, response, true, &tags);
}

int api_ssm_tags_remove(struct request *request, struct response *response)
{
	struct tags tags = { .n = 0 };
	return tag(request, response, true, &tags);
}

int api_ssm_tags_list(struct request *request, struct response *response)
{
	struct tags tags = { .n = 0 };
	int r = tag(request, response, false, &tags);
	if (r < 0)
		return r;
	json_write_key(&response->json, "TagList");
	json_write_array(&response->json);
	for (size_t i = 0; i < tags.n; i++) {
		json_write_object(&response->json);
		json_write_member_str(&response->json, "Key", tags.items[i].key);
		json_write_member_str(&response->json, "Value", tags.items[i].value);
		json_write_object_end(&response->json);
	}
	json_write_array_end(&response->json);
	return 0;
}
