/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inventory types of an account: what they look like, and how a custom one is deleted. A
 * deletion is done when its answer is given; what is kept of it is for DescribeInventoryDeletions.
 */
#include <roaring/roaring.h>

#include "base/cleanup.h"
#include "fleet/content.h"
#include "server/api.h"
#include "server/inventory.h"
#include "server/ssm.h"

#define SCHEMAS_A_PAGE 50
#define DELETIONS_A_PAGE 50
/* Deletions of one account that are remembered. */
#define DELETIONS_MAX 100
/* Schema versions of one type that are told apart. */
#define VERSIONS_MAX 32

/* ---- GetInventorySchema ---- */

/* Columns of the types that always exist, beside those of AWS. */
static const struct inventory_type own_types[] = {
	{ STR(CONTENT_METRICS), STR("1.0"),
	        STR("RunAt ElapsedMs Directories Files Packages TimeLimitReached "
	            "PackageLimitReached CpuHistogram MemoryHistogram LogTail") },
	{ STR(CONTENT_THIRD_PARTY), STR("1.0"), STR("Name Version PackageManager Path") },
	{ STR(FLEET_OWN_TYPE), STR("1.0"),
	        STR("Name Version Architecture Type PackageManager Path SourceName SourceVersion "
	            "Owner Publisher") },
};

#define N_OWN (sizeof(own_types) / sizeof(own_types[0]))

/* One schema to be answered: of a fixed type, or of a custom one. */
struct schema {
	const struct inventory_type *fixed;
	const struct object *custom;
	str name;
};

static void write_attribute(struct json_writer *w, str name)
{
	json_write_object(w);
	json_write_member_str(w, "Name", name);
	json_write_member_str(w, "DataType", STR("string"));
	json_write_object_end(w);
}

static void write_schema(struct json_writer *w, const struct schema *schema)
{
	str version = { NULL, 0 }, list, word;
	const struct value *attributes =
	        schema->custom ? value_get(schema->custom->value, STR("Attributes")) : NULL;
	if (schema->custom) {
		version = value_get_str(schema->custom->value, STR("Version"));
	} else {
		for (list = schema->fixed->versions; inventory_list_next(&list, &word);)
			version = word;
	}
	json_write_object(w);
	json_write_member_str(w, "TypeName", schema->name);
	write_text(w, "Version", version);
	json_write_key(w, "Attributes");
	json_write_array(w);
	for (size_t i = 0; i < value_count(attributes); i++)
		write_attribute(w, value_str(value_at(attributes, i)));
	if (schema->fixed) {
		for (list = schema->fixed->attributes; inventory_list_next(&list, &word);)
			write_attribute(w, word);
	}
	json_write_array_end(w);
	json_write_member_str(w, "DisplayName", schema->name);
	json_write_object_end(w);
}

/* GetInventorySchema takes the front of a name, or all of it. */
static bool is_asked(str name, str asked)
{
	return asked.n == 0 || str_has_prefix(name, asked);
}

static void add_fixed(struct schema *schemas, size_t *n, const struct inventory_type *types,
        size_t n_types, str asked)
{
	for (size_t i = 0; i < n_types; i++) {
		if (is_asked(types[i].name, asked))
			schemas[(*n)++] =
			        (struct schema){ .fixed = &types[i], .name = types[i].name };
	}
}

static int gather_schemas(struct request *request, str asked, struct schema **ret, size_t *ret_n)
{
	const struct object *custom;
	size_t n_fixed, n_custom, n = 0;
	const struct inventory_type *fixed = inventory_type_all(&n_fixed);
	int r = object_list(request->server->objects, request->caller.account, "inventory-type",
	        STR(""), STR(""), 0, request->arena, &custom, &n_custom);
	if (r < 0)
		return r;
	struct schema *schemas =
	        arena_alloc(request->arena, n_fixed + N_OWN + n_custom, sizeof(*schemas));
	if (!schemas)
		return -ERR_LIMIT;
	add_fixed(schemas, &n, fixed, n_fixed, asked);
	add_fixed(schemas, &n, own_types, N_OWN, asked);
	for (size_t i = 0; i < n_custom; i++) {
		if (custom_type_is_counted(custom[i].name) && is_asked(custom[i].name, asked) &&
		        !value_get_bool(custom[i].value, STR("IsDisabled"), false))
			schemas[n++] =
			        (struct schema){ .custom = &custom[i], .name = custom[i].name };
	}
	*ret = schemas;
	*ret_n = n;
	return 0;
}

int api_get_inventory_schema(struct request *request, struct response *response)
{
	str asked = value_get_str(request->in, STR("TypeName"));
	struct list_page page;
	struct schema *schemas;
	size_t n;
	int r = gather_schemas(request, asked, &schemas, &n);
	if (r < 0)
		return r;
	if (n == 0)
		return response_fail(response, "InvalidTypeNameException",
		        "There is no inventory type " STR_FMT ".", STR_ARG(str_head(asked, 100)));
	r = page_begin(request, response, "Schemas", n, SCHEMAS_A_PAGE, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_schema(&response->json, &schemas[i]);
	return page_end(response, &page, 0);
}

/* ---- DeleteInventory ---- */

/* How many hosts report a type, by schema version. */
struct summary {
	struct {
		str version;
		int64_t count;
	} items[VERSIONS_MAX];
	size_t n;
	int64_t total;
};

static int count_item(struct summary *summary, str version, struct arena *arena)
{
	size_t i = 0;
	summary->total++;
	while (i < summary->n && !str_eq(summary->items[i].version, version))
		i++;
	if (i == VERSIONS_MAX)
		return 0; /* counted in the total */
	if (i == summary->n) {
		if (arena_copy(arena, version, &summary->items[i].version) < 0)
			return -ERR_LIMIT;
		summary->n++;
	}
	summary->items[i].count++;
	return 0;
}

static int summarise(struct request *request, str type, struct summary *ret)
{
	int r = 0;
	*ret = (struct summary){ .n = 0 };
	fleet_lock(request->server->fleet);
	const roaring_bitmap_t *all = fleet_hosts(request->server->fleet, request->caller.account);
	roaring_uint32_iterator_t at;
	if (all) {
		for (roaring_init_iterator(all, &at); r == 0 && at.has_value;
		        roaring_advance_uint32_iterator(&at)) {
			const struct fleet_host *host =
			        fleet_host_at(request->server->fleet, at.current_value);
			const struct host_item *item = host ? host_item(host, type) : NULL;
			if (item)
				r = count_item(ret, item->schema_version, request->arena);
		}
	}
	fleet_unlock(request->server->fleet);
	return r;
}

/* The summary as it is before a deletion, or after it. */
static void write_summary(struct json_writer *w, const struct summary *summary, bool is_done)
{
	json_write_key(w, "DeletionSummary");
	json_write_object(w);
	write_number(w, "TotalCount", summary->total);
	write_number(w, "RemainingCount", is_done ? 0 : summary->total);
	json_write_key(w, "SummaryItems");
	json_write_array(w);
	for (size_t i = 0; i < summary->n; i++) {
		json_write_object(w);
		write_text(w, "Version", summary->items[i].version);
		write_number(w, "Count", summary->items[i].count);
		write_number(w, "RemainingCount", is_done ? 0 : summary->items[i].count);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

/* The type's own change: deleted, disabled, or left as it is. */
static int change_type(struct request *request, const struct custom_type *known, str type,
        struct object_change *changes, size_t *n)
{
	str option = value_get_str(request->in, STR("SchemaDeleteOption"));
	struct object_change *change = &changes[*n];
	if (option.n == 0 || !known->is_there)
		return 0;
	*change = (struct object_change){
		.account = request->caller.account, .type = "inventory-type", .name = type
	};
	(*n)++;
	if (str_eq(option, STR("DeleteSchema")))
		return 0;
	autodraft draft = { 0 };
	draft_begin(&draft);
	write_text(&draft.json, "Version", known->version);
	write_value(&draft.json, "Attributes", known->attributes);
	write_flag(&draft.json, "IsDisabled", true);
	return draft_end(&draft, request->arena, &change->json);
}

/* What is kept of the deletion. */
static int record(struct request *request, str type, const char *id, const struct summary *summary,
        struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "DeletionId", str_from_c(id));
	json_write_member_str(&draft.json, "TypeName", type);
	write_time(&draft.json, "DeletionStartTime", request->now_at);
	json_write_member_str(&draft.json, "LastStatus", STR("Complete"));
	json_write_member_str(&draft.json, "LastStatusMessage", STR("Deletion is complete."));
	write_summary(&draft.json, summary, true);
	write_time(&draft.json, "LastStatusUpdateTime", request->now_at);
	write_text(&draft.json, "ClientToken", value_get_str(request->in, STR("ClientToken")));
	*ret = (struct object_change){ .account = request->caller.account,
		.type = "inventory-deletion" };
	int r = arena_copy(request->arena, str_from_c(id), &ret->name);
	return r < 0 ? r : draft_end(&draft, request->arena, &ret->json);
}

static int list_deletions(struct request *request, const struct object **ret, size_t *ret_n)
{
	return object_list(request->server->objects, request->caller.account, "inventory-deletion",
	        STR(""), STR(""), 0, request->arena, ret, ret_n);
}

static int64_t started_at(const struct object *deletion)
{
	return value_get_time(deletion->value, STR("DeletionStartTime"));
}

/* The oldest deletion gives way when there are too many. */
static void make_room(
        const struct object *deletions, size_t n, struct object_change *changes, size_t *n_changes)
{
	size_t oldest = 0;
	if (n < DELETIONS_MAX)
		return;
	for (size_t i = 1; i < n; i++) {
		if (started_at(&deletions[i]) < started_at(&deletions[oldest]))
			oldest = i;
	}
	changes[(*n_changes)++] = (struct object_change){ .account = deletions[oldest].account,
		.type = "inventory-deletion",
		.name = deletions[oldest].name };
}

/* A deletion that the same token asked for before; NULL when there is none. */
static const struct object *find_token(
        struct request *request, const struct object *deletions, size_t n)
{
	str token = value_get_str(request->in, STR("ClientToken"));
	for (size_t i = 0; token.n > 0 && i < n; i++) {
		if (str_eq(token, value_get_str(deletions[i].value, STR("ClientToken"))))
			return &deletions[i];
	}
	return NULL;
}

static int write_before(struct response *response, const struct object *deletion)
{
	static const char *const names[] = { "DeletionId", "TypeName", "DeletionSummary", NULL };
	write_members(&response->json, deletion->value, names);
	return 0;
}

/* Delete. Under account_lock(). */
static int delete_type(struct request *request, struct response *response, str type,
        const struct custom_type *known, const struct summary *summary)
{
	const struct object *deletions;
	struct object_change changes[3];
	struct err err = { 0 };
	size_t n_deletions, n = 0;
	char id[37];
	int r = list_deletions(request, &deletions, &n_deletions);
	if (r < 0)
		return r;
	const struct object *before = find_token(request, deletions, n_deletions);
	if (before)
		return write_before(response, before);
	r = uuid_make(id);
	if (r == 0)
		r = record(request, type, id, summary, &changes[n++]);
	if (r == 0)
		r = change_type(request, known, type, changes, &n);
	make_room(deletions, n_deletions, changes, &n);
	if (r < 0)
		return r;
	int64_t n_hosts = fleet_forget_type(
	        request->server->fleet, request->caller.account, type, request->now_at, &err);
	r = n_hosts < 0 ? (int)n_hosts
	                : request_commit(request, changes, n, "delete inventory", type);
	if (r < 0)
		return r;
	json_write_member_str(&response->json, "DeletionId", str_from_c(id));
	json_write_member_str(&response->json, "TypeName", type);
	write_summary(&response->json, summary, false);
	return 0;
}

/* Under account_lock(). */
static int answer_delete(struct request *request, struct response *response, str type)
{
	struct custom_type known;
	struct summary summary;
	int r = custom_type_get(
	        request->server, request->caller.account, type, request->arena, &known);
	if (r == 0)
		r = summarise(request, type, &summary);
	if (r != 0)
		return r;
	if (!known.is_there && summary.total == 0)
		return response_fail(response, "InvalidTypeNameException",
		        "There is no custom inventory type " STR_FMT " to delete.",
		        STR_ARG(str_head(type, 100)));
	if (!value_get_bool(request->in, STR("DryRun"), false))
		return delete_type(request, response, type, &known, &summary);
	json_write_member_str(&response->json, "TypeName", type);
	write_summary(&response->json, &summary, false);
	return 0;
}

int api_delete_inventory(struct request *request, struct response *response)
{
	str type = value_get_str(request->in, STR("TypeName"));
	if (!str_has_prefix(type, STR("Custom:")))
		return response_fail(response, "InvalidTypeNameException",
		        STR_FMT " is no custom inventory type.", STR_ARG(str_head(type, 100)));
	account_lock(request->server, request->caller.account);
	int r = answer_delete(request, response, type);
	account_unlock(request->server, request->caller.account);
	return r;
}

/* ---- DescribeInventoryDeletions ---- */

static int deletion_order(const void *left, const void *right)
{
	const struct object *a = left, *b = right;
	int64_t x = started_at(a), y = started_at(b);
	return x != y ? (x < y) - (x > y) : str_cmp(a->name, b->name);
}

static void write_deletion(struct json_writer *w, const struct object *deletion)
{
	static const char *const names[] = { "DeletionId", "TypeName", "DeletionStartTime",
		"LastStatus", "LastStatusMessage", "DeletionSummary", "LastStatusUpdateTime",
		NULL };
	json_write_object(w);
	write_members(w, deletion->value, names);
	json_write_object_end(w);
}

int api_describe_inventory_deletions(struct request *request, struct response *response)
{
	str asked = value_get_str(request->in, STR("DeletionId"));
	struct list_page page;
	const struct object *found;
	size_t n_found, n = 0;
	int r = list_deletions(request, &found, &n_found);
	struct object *sorted =
	        r < 0 ? NULL : arena_alloc(request->arena, n_found + 1, sizeof(*sorted));
	if (!sorted)
		return r < 0 ? r : -ERR_LIMIT;
	for (size_t i = 0; i < n_found; i++) {
		if (asked.n == 0 || str_eq(asked, found[i].name))
			sorted[n++] = found[i];
	}
	if (asked.n > 0 && n == 0)
		return response_fail(response, "InvalidDeletionIdException",
		        "There is no deletion " STR_FMT ".", STR_ARG(asked));
	qsort(sorted, n, sizeof(*sorted), deletion_order);
	r = page_begin(request, response, "InventoryDeletions", n, DELETIONS_A_PAGE, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_deletion(&response->json, &sorted[i]);
	return page_end(response, &page, 0);
}
