/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hosts, and users about hosts, say of their compliance. One object "compliance" per host and
 * type, "<host id>/<type>": each report replaces the one before it, or is merged into it.
 */
#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/association.h"
#include "server/clone.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* Longest items of one type of one host, in bytes of JSON, and most types of a host. */
#define ITEMS_MAX_BYTES (800u << 10)
#define TYPES_MAX 100

/* ---- PutComplianceItems ---- */

static bool has_id(const struct value *items, str id)
{
	for (size_t i = 0; id.n > 0 && i < value_count(items); i++) {
		if (str_eq(value_get_str(value_at(items, i), STR("Id")), id))
			return true;
	}
	return false;
}

/* COMPLETE replaces; PARTIAL keeps what it does not name. */
static void write_items(struct request *request, struct json_writer *w, const struct value *before)
{
	const struct value *items = value_get(request->in, STR("Items"));
	const struct value *old = value_get(before, STR("Items"));
	bool is_partial = str_eq(value_get_str(request->in, STR("UploadType")), STR("PARTIAL"));

	json_write_key(w, "Items");
	json_write_array(w);
	for (size_t i = 0; is_partial && i < value_count(old); i++) {
		if (!has_id(items, value_get_str(value_at(old, i), STR("Id"))))
			value_write_json(value_at(old, i), w);
	}
	for (size_t i = 0; i < value_count(items); i++)
		value_write_json(value_at(items, i), w);
	json_write_array_end(w);
}

static int put(struct request *request, struct response *response, const struct host_ref *host)
{
	static const char *const passed[] = { "ExecutionSummary", "ItemContentHash", NULL };
	str type = value_get_str(request->in, STR("ComplianceType")), prefix;
	struct object_change change = { .account = host->account, .type = "compliance" };
	const struct value *before = NULL;
	const struct object *all = NULL;
	struct err err = { 0 };
	autodraft draft = { 0 };
	size_t n = 0;

	int r = arena_printf(request->arena, &change.name, "%s/" STR_FMT, host->id, STR_ARG(type));
	if (r == 0)
		r = object_get(request->server->objects, host->account, "compliance", change.name,
		        request->arena, &before);
	if (r == -ENOENT) {
		r = arena_printf(request->arena, &prefix, "%s/", host->id);
		if (r == 0)
			r = object_list(request->server->objects, host->account, "compliance",
			        prefix, none, TYPES_MAX, request->arena, &all, &n);
		if (r == 0 && n == TYPES_MAX)
			return response_fail(response, "ComplianceTypeCountLimitExceededException",
			        "A managed node has at most %d types of compliance.", TYPES_MAX);
	}
	if (r < 0)
		return r;
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Type", type);
	write_members(&draft.json, request->in, passed);
	write_items(request, &draft.json, before);
	r = draft_end(&draft, request->arena, &change.json);
	if (r == -ERR_LIMIT || (r == 0 && change.json.n > ITEMS_MAX_BYTES))
		return response_fail(response, "TotalSizeLimitExceededException",
		        "The items of one type have at most %u bytes.", ITEMS_MAX_BYTES);
	return r < 0 ? r : objects_change(request->server->objects, &change, 1, NULL, &err);
}

int api_compliance_put(struct request *request, struct response *response)
{
	str id = value_get_str(request->in, STR("ResourceId"));
	struct host_ref host;

	if (!str_eq(value_get_str(request->in, STR("ResourceType")), STR("ManagedInstance")))
		return response_fail(response, "InvalidResourceType",
		        "Compliance is kept of resources of type ManagedInstance.");
	/* What is said of a copied machine is not for one of the two to take back. */
	if (request->caller.role == ROLE_HOST &&
	        str_eq(value_get_str(request->in, STR("ComplianceType")), STR(CLONE_COMPLIANCE)))
		return response_fail(response, "AccessDeniedException",
		        "A host says nothing of whether it was copied.");
	int r = request_self(request, response, id, "InvalidResourceId", &host);
	if (r == 0 && host.account != request->caller.account)
		return response_fail(
		        response, "InvalidResourceId", "The managed node is not of this account.");
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = put(request, response, &host);
	account_unlock(request->server, host.account);
	return r;
}

/* ---- reading ---- */

/* One item with what it belongs to. */
struct item {
	str host_id, type;
	const struct value *summary, *value;
};

static bool compares(str op, str a, str b)
{
	if (str_eq(op, STR("NOT_EQUAL")))
		return !str_eq(a, b);
	if (str_eq(op, STR("BEGIN_WITH")))
		return str_has_prefix(a, b);
	if (str_eq(op, STR("LESS_THAN")))
		return str_cmp(a, b) < 0;
	if (str_eq(op, STR("GREATER_THAN")))
		return str_cmp(a, b) > 0;
	return str_eq(a, b);
}

static str text_of(const struct item *item, str key)
{
	str rest = key;
	if (str_eq(key, STR("ComplianceType")))
		return item->type;
	if (str_has_prefix(key, STR("Compliance:"))) {
		str head, tail;
		if (str_split_last(key, '.', &head, &tail))
			rest = tail;
	}
	if (str_has_prefix(rest, STR("Details.")))
		return value_get_str(value_get(item->value, STR("Details")), str_skip(rest, 8));
	return value_get_str(item->value, rest);
}

static bool fits(const struct value *filters, const struct item *item)
{
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *f = value_at(filters, i);
		const struct value *values = value_get(f, STR("Values"));
		str op = value_get_str(f, STR("Type"));
		str text = text_of(item, value_get_str(f, STR("Key")));
		bool is_any = false;
		for (size_t k = 0; k < value_count(values); k++)
			is_any = is_any || compares(op, text, value_str(value_at(values, k)));
		if (!is_any)
			return false;
	}
	return true;
}

/* Called for each item that the request's filters let through. */
typedef int item_visit(void *ctx, const struct item *item);

static int visit_object(
        struct request *request, const struct object *object, item_visit *visit, void *ctx)
{
	const struct value *filters = value_get(request->in, STR("Filters"));
	const struct value *items = value_get(object->value, STR("Items"));
	struct item item = { .type = value_get_str(object->value, STR("Type")),
		.summary = value_get(object->value, STR("ExecutionSummary")) };
	int r = 0;

	(void)str_split_first(object->name, '/', &item.host_id, &(str){ 0 });
	for (size_t i = 0; r == 0 && i < value_count(items); i++) {
		item.value = value_at(items, i);
		if (fits(filters, &item))
			r = visit(ctx, &item);
	}
	return r;
}

/* Walk the account's objects from behind `*after`, a few in memory at a time, until the visitor has
 * enough: it returns 1 then. Each object is visited whole. */
static int visit_all(struct request *request, str *after, item_visit *visit, void *ctx)
{
	enum { PIECE = 16 };
	int r = 0;
	for (bool is_more = true; r == 0 && is_more;) {
		struct arena arena = ARENA((size_t)64 << 20);
		const struct object *objects = NULL;
		size_t n = 0;
		r = object_list(request->server->objects, request->caller.account, "compliance",
		        none, *after, PIECE, &arena, &objects, &n);
		for (size_t i = 0; r == 0 && i < n; i++) {
			r = visit_object(request, &objects[i], visit, ctx);
			int copied = arena_copy(request->arena, objects[i].name, after);
			if (copied < 0)
				r = copied;
		}
		is_more = n == PIECE;
		arena_fini(&arena);
	}
	return r;
}

struct page {
	struct request *request;
	struct json_writer *w;
	size_t n, skip, most; /* `skip` items of the first object were shown before */
};

static struct host_text shown_host(struct server *server, str id)
{
	struct host_text text;
	fleet_lock(server->fleet);
	const struct fleet_host *host = fleet_host_find(server->fleet, id);
	if (host)
		text = host_ssm_id(host);
	else
		(void)snprintf(text.text, sizeof text.text, "mi-" STR_FMT, STR_ARG(id));
	fleet_unlock(server->fleet);
	return text;
}

static bool is_asked(struct request *request, const struct item *item)
{
	const struct value *ids = value_get(request->in, STR("ResourceIds"));
	const struct value *types = value_get(request->in, STR("ResourceTypes"));
	bool is_named = value_count(ids) == 0;
	for (size_t i = 0; !is_named && i < value_count(ids); i++)
		is_named = str_eq(host_digits(value_str(value_at(ids, i))), item->host_id);
	return is_named &&
	       (value_count(types) == 0 || value_has_str(types, STR("ManagedInstance")));
}

static int show(void *ctx, const struct item *item)
{
	static const char *const passed[] = { "Id", "Title", "Severity", "Status", "Details",
		NULL };
	struct page *page = ctx;
	struct host_text shown;

	if (!is_asked(page->request, item))
		return 0;
	if (page->skip > 0) {
		page->skip--;
		return 0;
	}
	if (page->n == page->most)
		return 1;
	shown = shown_host(page->request->server, item->host_id);
	json_write_object(page->w);
	json_write_member_str(page->w, "ComplianceType", item->type);
	json_write_member_str(page->w, "ResourceType", STR("ManagedInstance"));
	json_write_member_str(page->w, "ResourceId", str_from_c(shown.text));
	write_members(page->w, item->value, passed);
	write_value(page->w, "ExecutionSummary", item->summary);
	json_write_object_end(page->w);
	page->n++;
	return 0;
}

int api_compliance_list(struct request *request, struct response *response)
{
	struct page page = { .request = request,
		.w = &response->json,
		.most = (size_t)value_get_i64(request->in, STR("MaxResults"), 50) };
	uint64_t shown_before = 0;
	str after = none, mark = none, token;

	/* The mark counts the items shown so far: lists of this kind are short. */
	int r = token_read(request, STR("NextToken"), &mark);
	if (r < 0 || (mark.n > 0 && !str_to_u64(mark, UINT32_MAX, &shown_before)))
		return response_fail(response, "InvalidNextToken",
		        "The NextToken is not one that this operation gave for this request.");
	page.skip = (size_t)shown_before;
	json_write_key(page.w, "ComplianceItems");
	json_write_array(page.w);
	r = visit_all(request, &after, show, &page);
	json_write_array_end(page.w);
	if (r <= 0)
		return r;
	r = arena_printf(request->arena, &mark, "%zu", (size_t)shown_before + page.n);
	if (r == 0)
		r = token_make(request, mark, &token);
	if (r == 0)
		write_text(page.w, "NextToken", token);
	return r;
}

/* ---- summaries ---- */

enum { N_SEVERITIES = 6 };
static const struct {
	const char *word, *member;
} severities[N_SEVERITIES] = {
	{ "CRITICAL", "CriticalCount" },
	{ "HIGH", "HighCount" },
	{ "MEDIUM", "MediumCount" },
	{ "LOW", "LowCount" },
	{ "INFORMATIONAL", "InformationalCount" },
	{ "UNSPECIFIED", "UnspecifiedCount" },
};

struct summary {
	str type;
	int64_t counts[2][N_SEVERITIES]; /* compliant, not compliant */
};

struct summaries {
	struct arena *arena;
	struct summary *items;
	size_t n, cap;
};

static struct summary *summary_of(struct summaries *all, str type)
{
	for (size_t i = 0; i < all->n; i++) {
		if (str_eq(all->items[i].type, type))
			return &all->items[i];
	}
	if (all->n == all->cap)
		return NULL;
	struct summary *made = &all->items[all->n];
	*made = (struct summary){ 0 };
	if (arena_copy(all->arena, type, &made->type) < 0)
		return NULL;
	all->n++;
	return made;
}

static int count(void *ctx, const struct item *item)
{
	struct summary *summary = summary_of(ctx, item->type);
	str severity = value_get_str(item->value, STR("Severity"));
	bool is_bad = str_eq(value_get_str(item->value, STR("Status")), STR("NON_COMPLIANT"));
	if (!summary)
		return -ERR_LIMIT;
	for (int i = 0; i < N_SEVERITIES; i++) {
		if (str_eq(severity, str_from_c(severities[i].word)))
			summary->counts[is_bad][i]++;
	}
	return 0;
}

static void write_half(
        struct json_writer *w, const char *key, const char *total_key, const int64_t *counts)
{
	int64_t total = 0;
	json_write_key(w, key);
	json_write_object(w);
	for (int i = 0; i < N_SEVERITIES; i++)
		total += counts[i];
	write_number(w, total_key, total);
	json_write_key(w, "SeveritySummary");
	json_write_object(w);
	for (int i = 0; i < N_SEVERITIES; i++)
		write_number(w, severities[i].member, counts[i]);
	json_write_object_end(w);
	json_write_object_end(w);
}

int api_compliance_summaries(struct request *request, struct response *response)
{
	struct json_writer *w = &response->json;
	struct summaries all = { .arena = request->arena, .cap = 1000 };
	str after = none;
	struct list_page page;

	all.items = arena_alloc(request->arena, all.cap, sizeof *all.items);
	if (!all.items)
		return -ERR_LIMIT;
	int r = visit_all(request, &after, count, &all);
	if (r == 0)
		r = page_begin(request, response, "ComplianceSummaryItems", all.n, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++) {
		json_write_object(w);
		json_write_member_str(w, "ComplianceType", all.items[i].type);
		write_half(w, "CompliantSummary", "CompliantCount", all.items[i].counts[0]);
		write_half(w, "NonCompliantSummary", "NonCompliantCount", all.items[i].counts[1]);
		json_write_object_end(w);
	}
	return page_end(response, &page, 0);
}
