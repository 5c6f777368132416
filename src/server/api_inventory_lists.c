/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListInventoryEntries and GetInventory: rows of one host, and hosts by their rows. Evidence is
 * read host by host, so that the fleet is never held long; a page ends early rather than read more
 * than its share.
 */
#include <inttypes.h>
#include <roaring/roaring.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "fleet/content.h"
#include "server/api.h"
#include "server/inventory.h"
#include "server/ssm.h"

/* Memory for what one host reported of one type. */
#define ROWS_BYTES ((size_t)256 << 20)
#define ROWS_A_PAGE 50
#define HOSTS_A_PAGE 50
/* An answer ends behind the host that passes this. */
#define ANSWER_BYTES ((size_t)8 << 20)
/* Hosts that are looked at for one page when there are filters. */
#define LOOKS_A_PAGE 5000

static int refuse_filter(struct response *response)
{
	return response_fail(response, "InvalidFilter",
	        "The Key of a filter is Type.Attribute, as in AWS:Application.Name.");
}

/* Is there a type of this name, for this account? */
static int check_type(struct request *request, struct response *response, str type)
{
	struct custom_type custom;
	if (inventory_type_find(type) ||
	        (str_has_prefix(type, STR("Custom:")) && !custom_type_is_counted(type)))
		return 0;
	int r = custom_type_get(
	        request->server, request->caller.account, type, request->arena, &custom);
	if (r < 0)
		return r;
	if (custom.is_there)
		return 0;
	return response_fail(response, "InvalidTypeNameException",
	        "There is no inventory type " STR_FMT ".", STR_ARG(str_head(type, 100)));
}

/* ---- ListInventoryEntries ---- */

static int write_entries(struct request *request, struct response *response, const char *id,
        const struct inventory_filters *filters, const struct inventory_rows *rows)
{
	struct json_writer *w = &response->json;
	size_t n_all = value_count(rows->rows), n = 0;
	const struct value **met = arena_alloc(request->arena, n_all + 1, sizeof(*met));
	struct list_page page;
	if (!met)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n_all; i++) {
		if (inventory_row_meets(filters, rows->type, value_at(rows->rows, i)))
			met[n++] = value_at(rows->rows, i);
	}
	int r = page_begin(request, response, "Entries", n, ROWS_A_PAGE, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		value_write_json(met[i], w);
	(void)page_end(response, &page, 0);
	json_write_member_str(w, "TypeName", rows->type);
	json_write_member_str(w, "InstanceId", str_from_c(id));
	write_text(w, "SchemaVersion", rows->schema_version);
	write_text(w, "CaptureTime", rows->capture_time);
	return 0;
}

int api_list_inventory_entries(struct request *request, struct response *response)
{
	struct arena arena = ARENA(ROWS_BYTES);
	struct inventory_filters filters;
	struct inventory_rows rows = { .is_there = false };
	struct host_ref host;
	struct err err = { 0 };
	str type = value_get_str(request->in, STR("TypeName"));
	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), &host);
	if (r == 0)
		r = check_type(request, response, type);
	if (r == 0 &&
	        inventory_filters_read(value_get(request->in, STR("Filters")), type, &filters) < 0)
		r = refuse_filter(response);
	if (r < 0)
		return r;
	fleet_lock(request->server->fleet);
	const struct fleet_host *at = fleet_host_at(request->server->fleet, host.number);
	if (at)
		r = inventory_rows(request->server, at, type, &arena, &rows, &err);
	if (r == 0 && at)
		r = write_entries(request, response, host.shown.text, &filters, &rows);
	fleet_unlock(request->server->fleet);
	arena_fini(&arena);
	return r;
}

/* ---- GetInventory: entities ---- */

static void write_item(struct json_writer *w, const struct inventory_rows *rows, str type)
{
	json_write_key_str(w, type);
	json_write_object(w);
	json_write_member_str(w, "TypeName", type);
	json_write_member_str(w, "SchemaVersion", rows->schema_version);
	write_text(w, "CaptureTime", rows->capture_time);
	write_text(w, "ContentHash", rows->content_hash);
	json_write_key(w, "Content");
	if (rows->rows) {
		value_write_json(rows->rows, w);
	} else {
		json_write_array(w);
		json_write_array_end(w);
	}
	json_write_object_end(w);
}

static int write_entity(struct request *request, struct response *response,
        const struct fleet_host *host, str type, struct arena *arena, struct err *err)
{
	struct json_writer *w = &response->json;
	struct inventory_rows rows;
	int r = inventory_rows(request->server, host, type, arena, &rows, err);
	if (r < 0)
		return r;
	json_write_object(w);
	json_write_member_str(w, "Id", str_from_c(host_ssm_id(host).text));
	json_write_key(w, "Data");
	json_write_object(w);
	if (rows.is_there)
		write_item(w, &rows, type);
	json_write_object_end(w);
	json_write_object_end(w);
	return 0;
}

/* The numbers of the account's hosts behind one, sorted. */
static int host_numbers(
        struct request *request, uint64_t after, const uint32_t **ret, size_t *ret_n)
{
	fleet_lock(request->server->fleet);
	const roaring_bitmap_t *all = fleet_hosts(request->server->fleet, request->caller.account);
	uint64_t n = all ? roaring_bitmap_get_cardinality(all) : 0;
	uint32_t *numbers = arena_alloc(request->arena, n + 1, sizeof(*numbers));
	if (numbers && n > 0)
		roaring_bitmap_to_uint32_array(all, numbers);
	fleet_unlock(request->server->fleet);
	if (!numbers)
		return -ERR_LIMIT;
	size_t skip = 0;
	while (skip < n && numbers[skip] <= after)
		skip++;
	*ret = numbers + skip;
	*ret_n = (size_t)n - skip;
	return 0;
}

/* Look at one host: 1 when it meets the filters and is written, if `type` is given. */
static int look(struct request *request, struct response *response, uint32_t number,
        const struct inventory_filters *filters, str type)
{
	struct arena arena = ARENA(ROWS_BYTES);
	struct err err = { 0 };
	bool is_met = false;
	int r = 0;
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = fleet_host_at(request->server->fleet, number);
	if (host && host->state != HOST_TERMINATED)
		r = inventory_host_meets(request->server, host, filters, &arena, &is_met, &err);
	if (r == 0 && is_met && type.n > 0)
		r = write_entity(request, response, host, type, &arena, &err);
	fleet_unlock(request->server->fleet);
	arena_fini(&arena);
	return r < 0 ? r : is_met;
}

static int write_entities(struct request *request, struct response *response,
        const struct inventory_filters *filters, str type)
{
	size_t most = (size_t)value_get_i64(request->in, STR("MaxResults"), HOSTS_A_PAGE);
	const uint32_t *numbers;
	size_t n, i, n_written = 0, before = response->body.n;
	uint64_t after = 0;
	str mark, token = { NULL, 0 };
	int r = token_read(request, STR("NextToken"), &mark);
	if (r == -ERR_FORMAT || (r == 0 && mark.n > 0 && !str_to_u64(mark, UINT32_MAX, &after)))
		return response_fail(response, "InvalidNextToken",
		        "The NextToken is not one that this operation gave for this request.");
	if (r == 0)
		r = host_numbers(request, after, &numbers, &n);
	if (r != 0)
		return r;
	json_write_key(&response->json, "Entities");
	json_write_array(&response->json);
	for (i = 0; i < n && n_written < most && i < LOOKS_A_PAGE; i++) {
		if (response->body.n - before > ANSWER_BYTES)
			break;
		r = look(request, response, numbers[i], filters, type);
		if (r < 0)
			return r;
		n_written += (size_t)r;
	}
	json_write_array_end(&response->json);
	if (i == 0 || i == n)
		return 0;
	r = arena_printf(request->arena, &mark, "%u", (unsigned)numbers[i - 1]);
	if (r == 0)
		r = token_make(request, mark, &token);
	write_text(&response->json, "NextToken", token);
	return r;
}

/* ---- GetInventory: counts ---- */

/* Combinations of values that one aggregator counts, and attributes of one. */
#define COMBINATIONS_MAX 10000
#define ATTRIBUTES_MAX 5

/* One aggregator: the attributes whose values are counted together, all of one type. */
struct aggregator {
	str type, attributes[ATTRIBUTES_MAX];
	size_t n;
	struct map counts; /* values, each with its length, to uint64_t */
};

static int refuse_aggregator(struct response *response, const char *why)
{
	return response_fail(response, "InvalidAggregatorException", "%s", why);
}

/* An expression, and those nested in it, outermost first. */
static int read_aggregator(
        struct response *response, const struct value *from, struct aggregator *ret)
{
	*ret = (struct aggregator){ .n = 0 };
	for (; from; from = value_at(value_get(from, STR("Aggregators")), 0)) {
		str type, attribute, expression = value_get_str(from, STR("Expression"));
		if (value_count(value_get(from, STR("Aggregators"))) > 1 ||
		        ret->n == ATTRIBUTES_MAX)
			return refuse_aggregator(response,
			        "An aggregator has one aggregator inside it, and at most five "
			        "levels.");
		if (!str_split_first(expression, '.', &type, &attribute) || attribute.n == 0)
			return refuse_aggregator(response, "An Expression is Type.Attribute, as in "
			                                   "AWS:InstanceInformation.PlatformName.");
		if (ret->n > 0 && !str_eq(type, ret->type))
			return refuse_aggregator(
			        response, "Nested aggregators are of one inventory type.");
		ret->type = type;
		ret->attributes[ret->n++] = attribute;
	}
	return 0;
}

static int count_row(
        struct aggregator *aggregator, const struct value *row, struct response *response)
{
	autobuf key = BUF((size_t)64 << 10);
	for (size_t i = 0; i < aggregator->n; i++)
		buf_add_str(&key, value_get_str(row, aggregator->attributes[i]));
	if (buf_failed(&key))
		return -ERR_LIMIT;
	void **at = map_at(&aggregator->counts, buf_str(&key));
	if (!at)
		return -ERR_LIMIT;
	if (aggregator->counts.n > COMBINATIONS_MAX)
		return refuse_aggregator(response, "There are more than 10,000 combinations.");
	*at = (void *)((uintptr_t)*at + 1);
	return 0;
}

static int count_host(struct request *request, struct response *response, uint32_t number,
        const struct inventory_filters *filters, struct aggregator *aggregator)
{
	struct arena arena = ARENA(ROWS_BYTES);
	struct inventory_rows rows = { .rows = NULL };
	struct err err = { 0 };
	bool is_met = false;
	int r = 0;
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = fleet_host_at(request->server->fleet, number);
	if (host && host->state != HOST_TERMINATED)
		r = inventory_host_meets(request->server, host, filters, &arena, &is_met, &err);
	if (r == 0 && is_met)
		r = inventory_rows(request->server, host, aggregator->type, &arena, &rows, &err);
	for (size_t i = 0; r == 0 && i < value_count(rows.rows); i++)
		r = count_row(aggregator, value_at(rows.rows, i), response);
	fleet_unlock(request->server->fleet);
	arena_fini(&arena);
	return r;
}

static void write_count(struct json_writer *w, const char *key, uint64_t n)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	json_write_member_str(w, key, str_from_c(text));
}

static void write_counts(struct json_writer *w, const struct aggregator *aggregator)
{
	for (size_t i = 0; i < aggregator->counts.n; i++) {
		const struct map_entry *entry = &aggregator->counts.entries[i];
		struct cursor key = CURSOR(entry->key);
		json_write_object(w);
		write_count(w, "Count", (uintptr_t)entry->value);
		for (size_t k = 0; k < aggregator->n; k++) {
			json_write_key_str(w, aggregator->attributes[k]);
			json_write_str(w, cursor_str(&key));
		}
		json_write_object_end(w);
	}
}

static void begin_data(struct json_writer *w, str name)
{
	json_write_object(w);
	json_write_key(w, "Data");
	json_write_object(w);
	json_write_key_str(w, name);
	json_write_object(w);
	if (str_has_prefix(name, STR("AWS:")) || str_has_prefix(name, STR("Custom:"))) {
		json_write_member_str(w, "TypeName", name);
		json_write_member_str(w, "SchemaVersion", STR("1.0"));
	}
	json_write_key(w, "Content");
	json_write_array(w);
}

static void end_data(struct json_writer *w)
{
	json_write_array_end(w);
	json_write_object_end(w);
	json_write_object_end(w);
	json_write_object_end(w);
}

/* Hosts inside and outside each group. */
static int write_groups(struct request *request, struct response *response,
        const struct inventory_filters *filters, const struct value *groups)
{
	const uint32_t *numbers;
	struct inventory_filters inside;
	struct json_writer *w = &response->json;
	size_t n;
	int r = host_numbers(request, 0, &numbers, &n);
	for (size_t g = 0; r == 0 && g < value_count(groups); g++) {
		const struct value *group = value_at(groups, g);
		uint64_t n_in = 0, n_all = 0;
		if (inventory_filters_read(value_get(group, STR("Filters")), STR(""), &inside) < 0)
			return response_fail(response, "InvalidInventoryGroupException",
			        "The Key of a filter is Type.Attribute.");
		for (size_t i = 0; r >= 0 && i < n; i++) {
			r = look(request, response, numbers[i], filters, STR(""));
			n_all += r > 0;
			if (r > 0)
				r = look(request, response, numbers[i], &inside, STR(""));
			n_in += r > 0;
		}
		if (r < 0)
			return r;
		r = 0;
		begin_data(w, value_get_str(group, STR("Name")));
		json_write_object(w);
		write_count(w, "matchingCount", n_in);
		json_write_object_end(w);
		json_write_object(w);
		write_count(w, "nonMatchingCount", n_all - n_in);
		json_write_object_end(w);
		end_data(w);
	}
	return r;
}

static int write_aggregator(struct request *request, struct response *response,
        const struct inventory_filters *filters, const struct value *from)
{
	const struct value *groups = value_get(from, STR("Groups"));
	struct aggregator aggregator;
	const uint32_t *numbers;
	size_t n;
	if (value_count(groups) > 0)
		return write_groups(request, response, filters, groups);
	int r = read_aggregator(response, from, &aggregator);
	if (r == 0)
		r = check_type(request, response, aggregator.type);
	if (r == 0)
		r = host_numbers(request, 0, &numbers, &n);
	aggregator.counts = MAP(request->arena);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = count_host(request, response, numbers[i], filters, &aggregator);
	if (r < 0)
		return r;
	begin_data(&response->json, aggregator.type);
	write_counts(&response->json, &aggregator);
	end_data(&response->json);
	return 0;
}

static int write_aggregators(struct request *request, struct response *response,
        const struct inventory_filters *filters, const struct value *aggregators)
{
	int r = 0;
	json_write_key(&response->json, "Entities");
	json_write_array(&response->json);
	for (size_t i = 0; r == 0 && i < value_count(aggregators); i++)
		r = write_aggregator(request, response, filters, value_at(aggregators, i));
	json_write_array_end(&response->json);
	return r;
}

int api_get_inventory(struct request *request, struct response *response)
{
	const struct value *aggregators = value_get(request->in, STR("Aggregators"));
	const struct value *wanted = value_at(value_get(request->in, STR("ResultAttributes")), 0);
	str type = wanted ? value_get_str(wanted, STR("TypeName")) : STR(CONTENT_INSTANCE);
	struct inventory_filters filters;
	if (inventory_filters_read(value_get(request->in, STR("Filters")), STR(""), &filters) < 0)
		return refuse_filter(response);
	if (wanted && value_count(aggregators) > 0)
		return response_fail(response, "InvalidResultAttributeException",
		        "A request has Aggregators or ResultAttributes, not both.");
	int r = 0;
	for (size_t i = 0; r == 0 && i < filters.n; i++)
		r = check_type(request, response, filters.items[i].type);
	if (r == 0)
		r = check_type(request, response, type);
	if (r < 0)
		return r;
	return value_count(aggregators) > 0
	               ? write_aggregators(request, response, &filters, aggregators)
	               : write_entities(request, response, &filters, type);
}
