/* SPDX-License-Identifier: Apache-2.0 */
#include "server/finding_scope.h"

#include <errno.h>
#include <math.h>

#include "aws/timestamp.h"
#include "server/server.h"

enum form { FORM_TEXT, FORM_NUMBER, FORM_DATE, FORM_TAG, FORM_PACKAGE };

/* Which member of FilterCriteria asks for what. Members that are missing here ask for things that
 * no host has (images, functions, code): nothing meets them. */
struct member {
	const char *name;
	enum finding_field field;
	enum form form;
};

static const struct member members[] = {
	{ "awsAccountId", FIELD_ACCOUNT, FORM_TEXT },
	{ "ec2InstanceImageId", FIELD_IMAGE_ID, FORM_TEXT },
	{ "ec2InstanceSubnetId", FIELD_SUBNET_ID, FORM_TEXT },
	{ "ec2InstanceVpcId", FIELD_VPC_ID, FORM_TEXT },
	{ "epssScore", FIELD_EPSS, FORM_NUMBER },
	{ "exploitAvailable", FIELD_EXPLOIT, FORM_TEXT },
	{ "findingArn", FIELD_ARN, FORM_TEXT },
	{ "findingStatus", FIELD_STATUS, FORM_TEXT },
	{ "findingType", FIELD_TYPE, FORM_TEXT },
	{ "firstObservedAt", FIELD_FIRST_OBSERVED, FORM_DATE },
	{ "fixAvailable", FIELD_FIX, FORM_TEXT },
	{ "inspectorScore", FIELD_SCORE, FORM_NUMBER },
	{ "lastObservedAt", FIELD_LAST_OBSERVED, FORM_DATE },
	{ "relatedVulnerabilities", FIELD_RELATED, FORM_TEXT },
	{ "resourceId", FIELD_RESOURCE_ID, FORM_TEXT },
	{ "resourceTags", FIELD_TAG, FORM_TAG },
	{ "resourceType", FIELD_RESOURCE_TYPE, FORM_TEXT },
	{ "severity", FIELD_SEVERITY, FORM_TEXT },
	{ "title", FIELD_TITLE, FORM_TEXT },
	{ "updatedAt", FIELD_UPDATED, FORM_DATE },
	{ "vendorSeverity", FIELD_VENDOR_SEVERITY, FORM_TEXT },
	{ "vulnerabilityId", FIELD_VULNERABILITY, FORM_TEXT },
	{ "vulnerabilitySource", FIELD_SOURCE, FORM_TEXT },
	{ "vulnerablePackages", FIELD_PACKAGE, FORM_PACKAGE },
};

static const struct member *find_member(str name)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (str_eq(name, str_from_c(members[i].name)))
			return &members[i];
	}
	return NULL;
}

static struct text_criterion read_text(const struct value *v)
{
	str word = value_get_str(v, STR("comparison"));
	struct text_criterion text = { .comparison = TEXT_EQUALS,
		.value = value_get_str(v, STR("value")) };
	if (str_eq(word, STR("PREFIX")))
		text.comparison = TEXT_PREFIX;
	else if (str_eq(word, STR("NOT_EQUALS")))
		text.comparison = TEXT_NOT_EQUALS;
	return text;
}

/* An end that is not given is open. False when both are. */
static bool read_numbers(const struct value *v, double *ret_from, double *ret_to)
{
	*ret_from = -(double)INFINITY;
	*ret_to = INFINITY;
	bool has_from = value_f64(value_get(v, STR("lowerInclusive")), ret_from);
	bool has_to = value_f64(value_get(v, STR("upperInclusive")), ret_to);
	return has_from || has_to;
}

static bool read_dates(const struct value *v, double *ret_from, double *ret_to)
{
	int64_t at_ms;
	*ret_from = -(double)INFINITY;
	*ret_to = INFINITY;
	bool has_from = timestamp_from_value(value_get(v, STR("startInclusive")), &at_ms);
	if (has_from)
		*ret_from = (double)at_ms / 1000;
	bool has_to = timestamp_from_value(value_get(v, STR("endInclusive")), &at_ms);
	if (has_to)
		*ret_to = (double)at_ms / 1000;
	return has_from || has_to;
}

static bool read_package(const struct value *v, struct package_criterion *ret)
{
	const struct value *epoch = value_get(v, STR("epoch"));
	ret->name = read_text(value_get(v, STR("name")));
	ret->version = read_text(value_get(v, STR("version")));
	ret->release = read_text(value_get(v, STR("release")));
	ret->arch = read_text(value_get(v, STR("architecture")));
	ret->path = read_text(value_get(v, STR("filePath")));
	ret->is_never =
	        value_get(v, STR("sourceLayerHash")) || value_get(v, STR("sourceLambdaLayerArn"));
	ret->has_epoch = epoch != NULL;
	return !epoch || read_numbers(epoch, &ret->epoch_from, &ret->epoch_to);
}

static bool read_criterion(
        const struct member *member, const struct value *v, struct criterion *ret)
{
	*ret = (struct criterion){ .field = member->field };
	switch (member->form) {
	case FORM_NUMBER: return read_numbers(v, &ret->from, &ret->to);
	case FORM_DATE: return read_dates(v, &ret->from, &ret->to);
	case FORM_PACKAGE: return read_package(v, &ret->package);
	case FORM_TAG:
		ret->tag_key = value_get_str(v, STR("key"));
		ret->text.value = value_get_str(v, STR("value"));
		return true;
	case FORM_TEXT: ret->text = read_text(v); return true;
	}
	return false;
}

/* What no host has is different from everything, and equal to nothing. */
static bool is_never(const struct value *entries)
{
	for (size_t i = 0; i < value_count(entries); i++) {
		const struct value *entry = value_at(entries, i);
		if (!str_eq(value_get_str(entry, STR("comparison")), STR("NOT_EQUALS")))
			return true;
	}
	return false;
}

static size_t count_entries(const struct value *value)
{
	size_t n = 0;
	for (size_t i = 0; i < value_count(value); i++)
		n += value_count(value_at(value, i));
	return n;
}

int criteria_from_value(
        const struct value *value, struct arena *arena, struct criteria *ret, struct err *err)
{
	struct criterion *items = arena_alloc(arena, count_entries(value) + 1, sizeof(*items));
	size_t n = 0;
	if (!items)
		return err_set(err, -ERR_LIMIT, "the criteria are too long");
	for (size_t i = 0; i < value_count(value); i++) {
		str name = value_key_at(value, i);
		const struct value *entries = value_at(value, i);
		const struct member *member = find_member(name);
		if (!member) {
			if (is_never(entries))
				items[n++] = (struct criterion){ .field = FIELD_NEVER };
			continue;
		}
		for (size_t k = 0; k < value_count(entries); k++) {
			if (!read_criterion(member, value_at(entries, k), &items[n++]))
				return err_set(
				        err, -EINVAL, "%s needs one of its two ends", member->name);
		}
	}
	*ret = (struct criteria){ .items = items, .n = n };
	return 0;
}

/* ---- suppression rules ---- */

struct rules {
	struct server *server;
	struct arena *arena;
	struct suppression *items;
	size_t n, cap;
};

static int add_rule(
        struct rules *rules, const struct value *filter, const int64_t *accounts, size_t n_accounts)
{
	struct err err = { 0 };
	struct suppression rule = { .accounts = accounts, .n_accounts = n_accounts };
	if (!str_eq(value_get_str(filter, STR("action")), STR("SUPPRESS")))
		return 0;
	int r = criteria_from_value(
	        value_get(filter, STR("criteria")), rules->arena, &rule.criteria, &err);
	if (r < 0)
		return r == -EINVAL ? 0 : r; /* refused when it was made: cannot be */
	rule.changed_at = value_get_i64(filter, STR("updatedAt"), 0);
	if (rules->n == rules->cap) {
		size_t cap = rules->cap ? rules->cap * 2 : 16;
		struct suppression *items = arena_alloc(rules->arena, cap, sizeof(*items));
		if (!items)
			return -ERR_LIMIT;
		if (rules->n)
			memcpy(items, rules->items, rules->n * sizeof(*items));
		rules->items = items;
		rules->cap = cap;
	}
	rules->items[rules->n++] = rule;
	return 0;
}

/* The rules of one account, for the findings of some. */
static int add_rules(struct rules *rules, int64_t owner, const int64_t *accounts, size_t n_accounts)
{
	const struct object *filters;
	size_t n;
	int r = object_list(rules->server->objects, owner, "filter", STR(""), STR(""), 0,
	        rules->arena, &filters, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_rule(rules, filters[i].value, accounts, n_accounts);
	return r;
}

/* The delegated administrator whose rules reach an account; 0 for none, or when it is that itself.
 */
static int find_delegated(struct rules *rules, int64_t number, int64_t *ret)
{
	struct account account;
	struct organisation organisation;
	*ret = 0;
	int r = account_get(rules->server, number, rules->arena, &account);
	if (r == -ENOENT)
		return 0;
	if (r < 0 || !account.is_member || account.organisation == 0)
		return r;
	r = organisation_get(rules->server, account.organisation, rules->arena, &organisation);
	if (r == 0 && organisation.delegated != number)
		*ret = organisation.delegated;
	return r == -ENOENT ? 0 : r;
}

/* An account's own rules speak of its own findings, those of the delegated administrator of its
 * members' too. A caller sees one account, or it is the delegated administrator of all the others.
 */
static int collect_rules(
        struct rules *rules, const struct caller *caller, const struct query *query)
{
	int64_t delegated = 0;
	int r = 0;
	for (size_t i = 0; r == 0 && i < query->n_accounts; i++) {
		if (query->accounts[i] != caller->account)
			r = add_rules(rules, query->accounts[i], &query->accounts[i], 1);
	}
	if (r == 0)
		r = add_rules(rules, caller->account, query->accounts, query->n_accounts);
	if (r == 0 && !caller->is_delegated)
		r = find_delegated(rules, caller->account, &delegated);
	if (r == 0 && delegated)
		r = add_rules(rules, delegated, query->accounts, query->n_accounts);
	return r;
}

/* ---- queries ---- */

static int make_arn(void *ctx, const struct finding_row *row, char *ret, size_t size)
{
	const struct request *request = ctx;
	struct arn_text arn = arn_of_finding(request->server, request->region, row->account,
	        row->host_number, row->vuln, row->first_observed);
	size_t n = strlen(arn.text);
	if (n >= size)
		return -ERR_LIMIT;
	memcpy(ret, arn.text, n + 1);
	return 0;
}

int finding_query(struct request *request, struct response *response, const struct value *criteria,
        struct query *ret)
{
	struct err err = { 0 };
	struct rules rules = { .server = request->server, .arena = request->arena };
	struct query query = {
		.sort = FIELD_VULNERABILITY, .most = 25, .arn = make_arn, .arn_ctx = request
	};
	int r = criteria_from_value(criteria, request->arena, &query.criteria, &err);
	if (r == -EINVAL)
		return response_invalid(response, "filterCriteria", "%s", err.text);
	if (r == 0)
		r = caller_accounts(request->server, &request->caller, request->arena,
		        &query.accounts, &query.n_accounts);
	if (r == 0)
		r = collect_rules(&rules, &request->caller, &query);
	if (r < 0)
		return r;
	query.suppressions = rules.items;
	query.n_suppressions = rules.n;
	*ret = query;
	return 0;
}

enum finding_field finding_sort_field(str word)
{
	static const struct {
		const char *word;
		enum finding_field field;
	} rows[] = {
		{ "AWS_ACCOUNT_ID", FIELD_ACCOUNT },
		{ "EPSS_SCORE", FIELD_EPSS },
		{ "FINDING_STATUS", FIELD_STATUS },
		{ "FINDING_TYPE", FIELD_TYPE },
		{ "FIRST_OBSERVED_AT", FIELD_FIRST_OBSERVED },
		{ "INSPECTOR_SCORE", FIELD_SCORE },
		{ "LAST_OBSERVED_AT", FIELD_LAST_OBSERVED },
		{ "RESOURCE_TYPE", FIELD_RESOURCE_TYPE },
		{ "SEVERITY", FIELD_SEVERITY },
		{ "VENDOR_SEVERITY", FIELD_VENDOR_SEVERITY },
		{ "VULNERABILITY_ID", FIELD_VULNERABILITY },
		{ "VULNERABILITY_SOURCE", FIELD_SOURCE },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (str_eq(word, str_from_c(rows[i].word)))
			return rows[i].field;
	}
	return FIELD_NEVER;
}

bool finding_names_status(const struct query *query)
{
	for (size_t i = 0; i < query->criteria.n; i++) {
		if (query->criteria.items[i].field == FIELD_STATUS)
			return true;
	}
	return false;
}

int finding_only_active(struct query *query, struct arena *arena)
{
	struct criterion *items = arena_alloc(arena, query->criteria.n + 1, sizeof(*items));
	if (!items)
		return -ERR_LIMIT;
	if (query->criteria.n)
		memcpy(items, query->criteria.items, query->criteria.n * sizeof(*items));
	items[query->criteria.n] = (struct criterion){ .field = FIELD_STATUS,
		.text = { .comparison = TEXT_EQUALS, .value = STR("ACTIVE") } };
	query->criteria = (struct criteria){ .items = items, .n = query->criteria.n + 1 };
	return 0;
}
