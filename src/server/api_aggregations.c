/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of active findings by account, instance, image, package, title and type. */
#include <errno.h>

#include "server/api.h"
#include "server/finding_json.h"
#include "server/finding_scope.h"

#define PAGE_DEFAULT 100

/* Which member of the request narrows which field. */
struct narrowing {
	const char *member;
	enum finding_field field;
	bool is_package_name;
};

/* One kind of aggregation: the members of the unions in request and answer have one name. */
struct kind {
	const char *type, *member;
	enum aggregation by;
	struct narrowing narrowings[4];
	const char *words[2]; /* members that hold one word: findingType, resourceType */
};

static const struct kind kinds[] = {
	{ "ACCOUNT", "accountAggregation", BY_ACCOUNT, { { 0 } },
	        { "findingType", "resourceType" } },
	{ "AMI", "amiAggregation", BY_IMAGE, { { "amis", FIELD_IMAGE_ID, false } }, { 0 } },
	{ "AWS_EC2_INSTANCE", "ec2InstanceAggregation", BY_HOST,
	        { { "amis", FIELD_IMAGE_ID, false }, { "instanceIds", FIELD_RESOURCE_ID, false },
	                { "instanceTags", FIELD_TAG, false } },
	        { 0 } },
	{ "FINDING_TYPE", "findingTypeAggregation", BY_TYPE, { { 0 } },
	        { "findingType", "resourceType" } },
	{ "PACKAGE", "packageAggregation", BY_PACKAGE, { { "packageNames", FIELD_PACKAGE, true } },
	        { 0 } },
	{ "TITLE", "titleAggregation", BY_TITLE,
	        { { "titles", FIELD_TITLE, false },
	                { "vulnerabilityIds", FIELD_VULNERABILITY, false } },
	        { "findingType", "resourceType" } },
};

static const struct kind *find_kind(str type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (str_eq(type, str_from_c(kinds[i].type)))
			return &kinds[i];
	}
	return NULL;
}

static enum text_comparison comparison_of(const struct value *entry)
{
	str word = value_get_str(entry, STR("comparison"));
	if (str_eq(word, STR("PREFIX")))
		return TEXT_PREFIX;
	return str_eq(word, STR("NOT_EQUALS")) ? TEXT_NOT_EQUALS : TEXT_EQUALS;
}

static size_t add_entries(
        struct criterion *items, const struct narrowing *narrowing, const struct value *entries)
{
	size_t n = value_count(entries);
	for (size_t i = 0; i < n; i++) {
		const struct value *entry = value_at(entries, i);
		struct text_criterion text = { comparison_of(entry),
			value_get_str(entry, STR("value")) };
		items[i] = (struct criterion){ .field = narrowing->field };
		if (narrowing->is_package_name)
			items[i].package.name = text;
		else
			items[i].text = text;
		items[i].tag_key = value_get_str(entry, STR("key"));
	}
	return n;
}

static enum finding_field word_field(const char *member)
{
	return strcmp(member, "findingType") == 0 ? FIELD_TYPE : FIELD_RESOURCE_TYPE;
}

/* The model lets each list hold ten entries: there is room for all of them. */
static int read_criteria(const struct request *request, const struct kind *kind,
        const struct value *wanted, struct query *query)
{
	static const struct narrowing accounts = { "accountIds", FIELD_ACCOUNT, false };
	struct criterion *items = arena_alloc(request->arena, 64, sizeof(*items));
	size_t n = 0;
	if (!items)
		return -ERR_LIMIT;
	n += add_entries(items, &accounts, value_get(request->in, STR("accountIds")));
	for (size_t i = 0; i < 4 && kind->narrowings[i].member; i++)
		n += add_entries(&items[n], &kind->narrowings[i],
		        value_get(wanted, str_from_c(kind->narrowings[i].member)));
	for (size_t i = 0; i < 2 && kind->words[i]; i++) {
		str word = value_get_str(wanted, str_from_c(kind->words[i]));
		if (word.n > 0)
			items[n++] = (struct criterion){ .field = word_field(kind->words[i]),
				.text = { TEXT_EQUALS, word } };
	}
	query->criteria = (struct criteria){ .items = items, .n = n };
	return 0;
}

static void read_sort(const struct value *wanted, struct aggregate_question *question)
{
	str by = value_get_str(wanted, STR("sortBy"));
	question->sort = SORT_CRITICAL;
	if (str_eq(by, STR("HIGH")))
		question->sort = SORT_HIGH;
	else if (str_eq(by, STR("ALL")))
		question->sort = SORT_ALL;
	else if (str_eq(by, STR("AFFECTED_INSTANCES")))
		question->sort = SORT_HOSTS;
	question->is_descending = !str_eq(value_get_str(wanted, STR("sortOrder")), STR("ASC"));
}

/* ---- the answer ---- */

static void write_counts(struct json_writer *w, const struct aggregate_row *row)
{
	json_write_key(w, "severityCounts");
	json_write_object(w);
	write_number(w, "all", (int64_t)row->n_all);
	write_number(w, "medium", (int64_t)row->n_medium);
	write_number(w, "high", (int64_t)row->n_high);
	write_number(w, "critical", (int64_t)row->n_critical);
	json_write_object_end(w);
}

static void write_host(struct json_writer *w, const struct fleet_host *host)
{
	struct host_text id = host_ec2_id(host->id);
	struct platform_text platform = host_platform(host);
	write_text(w, "instanceId", str_from_c(id.text));
	write_text(w, "ami", host_fact(host, "ImageId"));
	write_text(w, "operatingSystem", str_from_c(platform.text));
	json_write_key(w, "instanceTags");
	write_tag_object(w, host);
	write_number(w, "networkFindings", 0);
}

static void write_group(
        struct json_writer *w, const struct kind *kind, const struct aggregate_row *row)
{
	struct account_text account = account_text(row->account);
	json_write_object(w);
	json_write_key(w, kind->member);
	json_write_object(w);
	write_text(w, "accountId", str_from_c(account.text));
	switch (kind->by) {
	case BY_HOST: write_host(w, row->host); break;
	case BY_IMAGE:
		write_text(w, "ami", row->key);
		write_number(w, "affectedInstances", (int64_t)row->n_hosts);
		break;
	case BY_PACKAGE: write_text(w, "packageName", row->key); break;
	case BY_TITLE:
		write_text(w, "title", row->key);
		write_text(w, "vulnerabilityId", row->name);
		break;
	case BY_ACCOUNT:
	case BY_TYPE:
		write_number(w, "exploitAvailableCount", (int64_t)row->n_exploit);
		write_number(w, "fixAvailableCount", (int64_t)row->n_fix);
		break;
	}
	write_counts(w, row);
	json_write_object_end(w);
	json_write_object_end(w);
}

static bool text_holds(const struct value *entry, str text)
{
	str value = value_get_str(entry, STR("value"));
	switch (comparison_of(entry)) {
	case TEXT_PREFIX: return str_has_prefix(text, value);
	case TEXT_NOT_EQUALS: return !str_eq(text, value);
	case TEXT_EQUALS: return str_eq(text, value);
	}
	return false;
}

/* The platform is not one of the criteria of findings: it is asked of each instance. */
static bool is_wanted_system(const struct value *systems, const struct aggregate_row *row)
{
	bool has_alternatives = false, is_met = false;
	if (value_count(systems) == 0 || !row->host)
		return true;
	struct platform_text platform = host_platform(row->host);
	str word = str_from_c(platform.text);
	for (size_t i = 0; i < value_count(systems); i++) {
		const struct value *entry = value_at(systems, i);
		bool holds = text_holds(entry, word);
		if (comparison_of(entry) == TEXT_NOT_EQUALS) {
			if (!holds)
				return false;
		} else {
			has_alternatives = true;
			is_met = is_met || holds;
		}
	}
	return !has_alternatives || is_met;
}

static int write_groups(struct request *request, struct response *response, const struct kind *kind,
        const struct aggregate_row *rows, size_t n)
{
	int64_t most = value_get_i64(request->in, STR("maxResults"), PAGE_DEFAULT);
	size_t from, to;
	str token;
	int r = token_slice(request, STR("nextToken"), n, (size_t)most, &from, &to, &token);
	if (r == -ERR_FORMAT)
		return response_invalid(
		        response, "nextToken", "The token is not one that this request gave.");
	if (r < 0)
		return r;
	json_write_key(&response->json, "responses");
	json_write_array(&response->json);
	for (size_t i = from; i < to; i++)
		write_group(&response->json, kind, &rows[i]);
	json_write_array_end(&response->json);
	write_text(&response->json, "nextToken", token);
	return 0;
}

/* Fleet locked: rows borrow from it. */
static int aggregate(struct request *request, struct response *response, const struct kind *kind,
        const struct value *wanted, const struct query *query)
{
	struct aggregate_question question = { .by = kind->by };
	const struct aggregate_row *rows;
	struct err err = { 0 };
	size_t n, kept = 0;
	read_sort(wanted, &question);
	int r = query_aggregate(
	        request->server->fleet, query, &question, request->arena, &rows, &n, &err);
	struct aggregate_row *wanted_rows =
	        r == 0 ? arena_alloc(request->arena, n + 1, sizeof(*wanted_rows)) : NULL;
	if (!wanted_rows)
		return r < 0 ? r : -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (is_wanted_system(value_get(wanted, STR("operatingSystems")), &rows[i]))
			wanted_rows[kept++] = rows[i];
	}
	return write_groups(request, response, kind, wanted_rows, kept);
}

int api_list_finding_aggregations(struct request *request, struct response *response)
{
	str type = value_get_str(request->in, STR("aggregationType"));
	const struct kind *kind = find_kind(type);
	struct query query;
	write_text(&response->json, "aggregationType", type);
	if (!kind) { /* of images and functions, which no host is: there are none */
		json_write_key(&response->json, "responses");
		json_write_array(&response->json);
		json_write_array_end(&response->json);
		return 0;
	}
	const struct value *wanted = value_get(
	        value_get(request->in, STR("aggregationRequest")), str_from_c(kind->member));
	int r = finding_query(request, response, NULL, &query);
	if (r == 0)
		r = read_criteria(request, kind, wanted, &query);
	if (r < 0)
		return r;
	fleet_lock(request->server->fleet);
	r = aggregate(request, response, kind, wanted, &query);
	fleet_unlock(request->server->fleet);
	return r;
}
