/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutInventory. A host sends hashes first: an item with ContentHash and without Content moves its
 * capture time when the hash is that of what is there, and is refused with the word that asks for
 * the content when it is not. Hashes are opaque texts, of one host and one type only.
 */
#include <inttypes.h>
#include <stdio.h>

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "fleet/content.h"
#include "server/api.h"
#include "server/inventory.h"
#include "server/ssm.h"

#define ITEMS_MAX 30
/* A capture time further ahead than this would keep later reports out. */
#define AHEAD_MAX_S 86400

/* One call. */
struct put {
	struct request *request;
	struct response *response;
	struct host_ref host;
	struct report_item items[ITEMS_MAX];
	const struct value *contents[ITEMS_MAX]; /* of items; NULL: a hash alone */
	size_t n;
};

static const char hash_without_content[] =
        "Your request contains contentHash with no content of inventory type " STR_FMT
        ". The content of the type may never be sent, please resend the item with full content.";

static int refuse_type(struct put *put, str type)
{
	return response_fail(put->response, "InvalidTypeNameException",
	        "There is no inventory type " STR_FMT " that can be reported in this way.",
	        STR_ARG(str_head(type, 100)));
}

/* Is it a type that may be reported here, and what comes in a version that is read?
 * amazon-ssm-agent gives every hash that it sends alone the version of the last item of its report,
 * so that only content has a version of its own. */
static int check_type(struct put *put, str type, str version, bool has_content)
{
	const struct inventory_type *known = inventory_type_find(type);
	if (str_eq(type, STR(FLEET_OWN_TYPE)))
		return refuse_type(put, type);
	if (str_has_prefix(type, STR("Custom:")))
		return type.n > 7 ? 0 : refuse_type(put, type);
	if (!known)
		return refuse_type(put, type);
	if (has_content && !inventory_list_has(known->versions, version))
		return response_fail(put->response, "UnsupportedInventorySchemaVersionException",
		        "Version " STR_FMT " of " STR_FMT " is not supported; these are: " STR_FMT
		        ".",
		        STR_ARG(version), STR_ARG(type), STR_ARG(known->versions));
	return 0;
}

static int check_once(struct put *put, str type)
{
	for (size_t i = 0; i < put->n; i++) {
		if (str_eq(put->items[i].type, type))
			return response_fail_type(put->response, "InvalidItemContentException",
			        type, "Inventory type " STR_FMT " stands twice in the request.",
			        STR_ARG(type));
	}
	return 0;
}

static int read_time(struct put *put, str type, str text, int64_t *ret)
{
	int64_t ms = 0;
	if (!timestamp_from_iso(text, &ms))
		return response_fail_type(put->response, "InvalidItemContentException", type,
		        "The CaptureTime of " STR_FMT " is no time.", STR_ARG(type));
	if (ms / 1000 > put->request->now_at + AHEAD_MAX_S)
		return response_fail_type(put->response, "InvalidItemContentException", type,
		        "The CaptureTime of " STR_FMT " lies in the future.", STR_ARG(type));
	*ret = ms / 1000;
	return 0;
}

/* Take one item up, its content not yet as text. */
static int take_item(struct put *put, const struct value *from)
{
	struct report_item item = {
		.type = value_get_str(from, STR("TypeName")),
		.schema_version = value_get_str(from, STR("SchemaVersion")),
		.capture_time = value_get_str(from, STR("CaptureTime")),
		.content_hash = value_get_str(from, STR("ContentHash")),
	};
	const struct value *content = value_get(from, STR("Content"));
	if (value_count(value_get(from, STR("Context"))) > 0)
		return response_fail_type(put->response, "UnsupportedInventoryItemContextException",
		        item.type, "Inventory type " STR_FMT " has no Context.",
		        STR_ARG(item.type));
	int r = check_type(put, item.type, item.schema_version, content != NULL);
	if (r == 0)
		r = check_once(put, item.type);
	if (r == 0)
		r = read_time(put, item.type, item.capture_time, &item.captured_at);
	if (r < 0)
		return r;
	if (!content && item.content_hash.n == 0)
		return response_fail_type(put->response, "InvalidItemContentException", item.type,
		        "The item of " STR_FMT " has neither Content nor ContentHash.",
		        STR_ARG(item.type));
	item.has_content = content != NULL;
	put->contents[put->n] = content;
	put->items[put->n++] = item;
	return 0;
}

static int take_items(struct put *put)
{
	const struct value *items = value_get(put->request->in, STR("Items"));
	int r = 0;
	for (size_t i = 0; r == 0 && i < value_count(items) && i < ITEMS_MAX; i++)
		r = take_item(put, value_at(items, i));
	return r;
}

/* ---- custom types ---- */

/* Add the attributes of content that are not there yet. */
static int add_attributes(struct put *put, str type, const struct value *content, struct map *names)
{
	for (size_t i = 0; i < value_count(content); i++) {
		const struct value *row = value_at(content, i);
		for (size_t k = 0; k < value_count(row); k++) {
			if (!map_at(names, value_key_at(row, k)))
				return -ERR_LIMIT;
			if (names->n > INVENTORY_ATTRIBUTES_MAX)
				return response_fail_type(put->response,
				        "InvalidItemContentException", type,
				        "Inventory type " STR_FMT
				        " would have more than 50 attributes.",
				        STR_ARG(type));
		}
	}
	return 0;
}

static int write_type(
        struct put *put, const struct report_item *item, const struct map *names, bool is_new)
{
	autodraft draft = { 0 };
	struct object_change change = { .account = put->request->caller.account,
		.type = "inventory-type",
		.name = item->type };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Version", item->schema_version);
	json_write_key(&draft.json, "Attributes");
	json_write_array(&draft.json);
	for (size_t i = 0; i < names->n; i++)
		json_write_str(&draft.json, names->entries[i].key);
	json_write_array_end(&draft.json);
	int r = draft_end(&draft, put->request->arena, &change.json);
	if (r < 0)
		return r;
	return request_commit(put->request, &change, 1,
	        is_new ? "register inventory type" : "add inventory attributes", item->type);
}

/* How many types of the account count. Under account_lock(). */
static int count_types(struct put *put, size_t *ret)
{
	const struct object *objects;
	size_t n;
	int r = object_list(put->request->server->objects, put->request->caller.account,
	        "inventory-type", STR(""), STR(""), 0, put->request->arena, &objects, &n);
	*ret = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		*ret += custom_type_is_counted(objects[i].name);
	return r;
}

/* Register what a custom type has now. Under account_lock(). */
static int register_type(struct put *put, const struct report_item *item,
        const struct custom_type *known, const struct map *names)
{
	size_t n = 0;
	int r = 0;
	if (!known->is_there && custom_type_is_counted(item->type)) {
		r = count_types(put, &n);
		if (r == 0 && n >= INVENTORY_CUSTOM_MAX)
			return response_fail(put->response,
			        "CustomSchemaCountLimitExceededException",
			        "This account has %d custom inventory types already.",
			        INVENTORY_CUSTOM_MAX);
	}
	return r < 0 ? r : write_type(put, item, names, !known->is_there);
}

/* Out: ret_names  the attributes that the type has with this content
 * Returns: 1 when the type must be registered or changed; 0; as register_custom() */
static int compare_type(struct put *put, size_t i, struct custom_type *ret, struct map *ret_names)
{
	const struct report_item *item = &put->items[i];
	int r = custom_type_get(put->request->server, put->request->caller.account, item->type,
	        put->request->arena, ret);
	*ret_names = MAP(put->request->arena);
	for (size_t k = 0; r == 0 && k < value_count(ret->attributes); k++) {
		if (!map_at(ret_names, value_str(value_at(ret->attributes, k))))
			r = -ERR_LIMIT;
	}
	size_t before = ret_names->n;
	if (r == 0 && !ret->is_disabled)
		r = add_attributes(put, item->type, put->contents[i], ret_names);
	if (r < 0 || ret->is_disabled || !item->has_content)
		return r;
	return !ret->is_there || ret_names->n > before ||
	       !str_eq(ret->version, item->schema_version);
}

/* Bring about that a custom type is registered with its attributes. Out: ret_disabled  it is
 * disabled: what is reported of it is ignored */
static int register_custom(struct put *put, size_t i, bool *ret_disabled)
{
	struct custom_type known;
	struct map names;
	int r = compare_type(put, i, &known, &names);
	if (r == 1) {
		account_lock(put->request->server, put->request->caller.account);
		r = compare_type(put, i, &known, &names);
		if (r == 1)
			r = register_type(put, &put->items[i], &known, &names);
		account_unlock(put->request->server, put->request->caller.account);
	}
	*ret_disabled = known.is_disabled;
	return r;
}

static int register_customs(struct put *put)
{
	size_t n = 0;
	for (size_t i = 0; i < put->n; i++) {
		bool is_disabled = false;
		int r = str_has_prefix(put->items[i].type, STR("Custom:"))
		                ? register_custom(put, i, &is_disabled)
		                : 0;
		if (r < 0)
			return r;
		if (is_disabled)
			continue;
		put->items[n] = put->items[i];
		put->contents[n++] = put->contents[i];
	}
	put->n = n;
	return 0;
}

/* ---- sizes ---- */

static int write_content(struct put *put, size_t i, size_t *total)
{
	struct report_item *item = &put->items[i];
	autobuf text = BUF(INVENTORY_ITEM_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	value_write_json(put->contents[i], &w);
	if (buf_failed(&text))
		return response_fail_type(put->response, "ItemSizeLimitExceededException",
		        item->type, "The content of " STR_FMT " is larger than 1,024 KB.",
		        STR_ARG(item->type));
	*total += text.n;
	item->is_metered = !custom_type_is_counted(item->type);
	return arena_copy(put->request->arena, buf_str(&text), &item->content);
}

static int write_contents(struct put *put)
{
	size_t total = 0;
	for (size_t i = 0; i < put->n; i++) {
		int r = put->contents[i] ? write_content(put, i, &total) : 0;
		if (r < 0)
			return r;
		if (total > INVENTORY_CALL_BYTES)
			return response_fail_type(put->response, "TotalSizeLimitExceededException",
			        put->items[i].type,
			        "The items of the request are larger than 1 MB together.");
	}
	return 0;
}

/* ---- the quota of the day ---- */

static int refuse_quota(struct put *put)
{
	struct err err = { 0 };
	char now[24];
	(void)snprintf(now, sizeof(now), "%" PRId64, put->request->now_at);
	const struct pair fact = { STR(FACT_DAILY_LIMIT_AT), str_from_c(now) };
	const struct host_change change = { .facts = &fact, .n_facts = 1 };
	struct server *server = put->request->server;
	uint64_t told_at = 0;

	fleet_lock(server->fleet);
	const struct fleet_host *host = fleet_host_at(server->fleet, put->host.number);
	if (host)
		(void)str_to_u64(host_fact(host, FACT_DAILY_LIMIT_AT), INT64_MAX, &told_at);
	fleet_unlock(server->fleet);
	/* Once a day is enough: a host that goes on is not to cause a write with each call. */
	int r = (int64_t)told_at / 86400 == put->request->now_at / 86400
	                ? 0
	                : fleet_host_change(server->fleet, put->host.number, &change,
	                          put->request->now_at, &err);
	if (r < 0 && r != -ENOENT)
		return r;
	return response_fail(put->response, "TotalSizeLimitExceededException",
	        "Managed node %s has reported more than 5,000 KB of inventory today.",
	        put->host.shown.text);
}

/* ---- the report ---- */

static int conclude(struct put *put, enum report_verdict verdict, size_t item)
{
	str type = item < put->n ? put->items[item].type : STR("");
	switch (verdict) {
	case REPORT_TAKEN:
	case REPORT_STALE: return 0;
	case REPORT_OVER_QUOTA: return refuse_quota(put);
	case REPORT_NO_CONTENT:
		return response_fail_type(put->response, "InvalidItemContentException", type,
		        hash_without_content, STR_ARG(type));
	case REPORT_OTHER_HASH:
		return response_fail_type(put->response, "ItemContentMismatchException", type,
		        "The contentHash of inventory type " STR_FMT
		        " is not that of its content here, please resend the item with full "
		        "content.",
		        STR_ARG(type));
	}
	return -EINVAL;
}

static int report(struct put *put)
{
	struct server *server = put->request->server;
	int64_t now_at = put->request->now_at;
	enum report_verdict verdict = REPORT_TAKEN;
	size_t item = 0;
	struct err err = { 0 };
	if (put->n == 0)
		return 0;
	int r = fleet_report(
	        server->fleet, put->host.number, put->items, put->n, now_at, &verdict, &item, &err);
	if (r == -ENOENT)
		return response_fail(put->response, "InvalidInstanceId",
		        "There is no managed node %s in this account.", put->host.shown.text);
	if (r == -ERR_LIMIT || r == -ERR_FORMAT)
		return response_fail(put->response, "InvalidItemContentException", "%s.", err.text);
	return r < 0 ? r : conclude(put, verdict, item);
}

int api_put_inventory(struct request *request, struct response *response)
{
	struct put *put = arena_alloc(request->arena, 1, sizeof(*put));
	if (!put)
		return -ERR_LIMIT;
	put->request = request;
	put->response = response;
	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), &put->host);
	if (r == 0 && put->host.account != request->caller.account)
		r = response_fail(response, "InvalidInstanceId",
		        "There is no managed node %s in this account.", put->host.shown.text);
	if (r == 0)
		r = take_items(put);
	if (r == 0)
		r = write_contents(put);
	if (r == 0)
		r = register_customs(put);
	return r < 0 ? r : report(put);
}
