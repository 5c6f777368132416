/* SPDX-License-Identifier: Apache-2.0 */
/* Coverage: which hosts are scanned, and why the others are not. One row per host: packages are
 * what is scanned; network paths are not looked at, so that there are no rows of scan type NETWORK.
 */
#include <errno.h>
#include <math.h>
#include <roaring/roaring.h>

#include "aws/timestamp.h"
#include "server/api.h"
#include "server/finding_json.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX 200

/* A host as coverage sees it. */
struct covered {
	const struct fleet_host *host;
	struct account_text account;
	struct host_text id;
	struct coverage coverage;
	const char *mode;
};

/* ---- criteria ---- */

static str text_of(const struct covered *covered, str member)
{
	if (str_eq(member, STR("scanStatusCode")))
		return covered->coverage.is_active ? STR("ACTIVE") : STR("INACTIVE");
	if (str_eq(member, STR("scanStatusReason")))
		return str_from_c(covered->coverage.reason);
	if (str_eq(member, STR("accountId")))
		return str_from_c(covered->account.text);
	if (str_eq(member, STR("resourceId")))
		return str_from_c(covered->id.text);
	if (str_eq(member, STR("resourceType")))
		return STR("AWS_EC2_INSTANCE");
	if (str_eq(member, STR("scanType")))
		return STR("PACKAGE");
	if (str_eq(member, STR("scanMode")))
		return str_from_c(covered->mode);
	return (str){ NULL, 0 }; /* of images and functions: no host has it */
}

/* "mi-" names the same host as "i-". */
static str plain_id(str member, str value)
{
	if (str_eq(member, STR("resourceId")) && str_has_prefix(value, STR("mi-")))
		return str_skip(value, 1);
	return value;
}

static bool meets_texts(const struct covered *covered, str member, const struct value *entries)
{
	str text = text_of(covered, member);
	bool has_equals = false, is_equal = false;
	for (size_t i = 0; i < value_count(entries); i++) {
		const struct value *entry = value_at(entries, i);
		bool same = str_eq(text, plain_id(member, value_get_str(entry, STR("value"))));
		if (str_eq(value_get_str(entry, STR("comparison")), STR("NOT_EQUALS"))) {
			if (same)
				return false;
		} else {
			has_equals = true;
			is_equal = is_equal || same;
		}
	}
	return !has_equals || is_equal;
}

static bool meets_tags(const struct covered *covered, const struct value *entries)
{
	for (size_t i = 0; i < value_count(entries); i++) {
		const struct value *entry = value_at(entries, i);
		str wanted = value_get_str(entry, STR("value")), value;
		if (host_tag(covered->host, value_get_str(entry, STR("key")), &value) &&
		        (!wanted.p || str_eq(value, wanted)))
			return true;
	}
	return false;
}

static bool meets_dates(const struct covered *covered, const struct value *entries)
{
	int64_t at = covered->coverage.last_scanned_at;
	for (size_t i = 0; i < value_count(entries) && at > 0; i++) {
		const struct value *entry = value_at(entries, i);
		int64_t from_ms, to_ms;
		bool has_from =
		        timestamp_from_value(value_get(entry, STR("startInclusive")), &from_ms);
		bool has_to = timestamp_from_value(value_get(entry, STR("endInclusive")), &to_ms);
		if ((!has_from || at * 1000 >= from_ms) && (!has_to || at * 1000 <= to_ms))
			return true;
	}
	return false;
}

static bool meets(const struct covered *covered, const struct value *criteria)
{
	for (size_t i = 0; i < value_count(criteria); i++) {
		str member = value_key_at(criteria, i);
		const struct value *entries = value_at(criteria, i);
		bool is_met;
		if (str_eq(member, STR("ec2InstanceTags")))
			is_met = meets_tags(covered, entries);
		else if (str_eq(member, STR("lastScannedAt")))
			is_met = meets_dates(covered, entries);
		else
			is_met = meets_texts(covered, member, entries);
		if (!is_met)
			return false;
	}
	return true;
}

/* ---- walking ---- */

struct walk {
	struct request *request;
	const struct value *criteria;
	int64_t account; /* behind this place */
	uint64_t number;
	/* Returns: 0 to go on, 1 to stop behind this host, < 0 a failure */
	int (*visit)(void *ctx, const struct covered *covered);
	void *ctx;
};

static struct covered cover(
        const struct walk *walk, const struct account *account, const struct fleet_host *host)
{
	return (struct covered){
		.host = host,
		.account = account_text(host->account),
		.id = host_ec2_id(host->id),
		.coverage = host_coverage(host, account->is_deep_active, walk->request->now_at),
		.mode = "EC2_SSM_AGENT_BASED",
	};
}

static int walk_account(const struct walk *walk, const struct account *account, uint64_t after)
{
	struct fleet *fleet = walk->request->server->fleet;
	const roaring_bitmap_t *hosts = fleet_hosts(fleet, account->number);
	roaring_uint32_iterator_t at;
	int r = 0;
	if (!hosts)
		return 0;
	roaring_init_iterator(hosts, &at);
	if (after > 0 && !roaring_move_uint32_iterator_equalorlarger(&at, (uint32_t)after + 1))
		return 0;
	for (; r == 0 && at.has_value; roaring_advance_uint32_iterator(&at)) {
		const struct fleet_host *host = fleet_host_at(fleet, at.current_value);
		if (!host)
			continue;
		struct covered covered = cover(walk, account, host);
		if (meets(&covered, walk->criteria))
			r = walk->visit(walk->ctx, &covered);
	}
	return r;
}

/* Every host that the caller may see, by account and number. */
static int walk_hosts(const struct walk *walk)
{
	struct request *request = walk->request;
	const int64_t *accounts;
	size_t n;
	int r = caller_accounts(request->server, &request->caller, request->arena, &accounts, &n);
	fleet_lock(request->server->fleet);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct account account;
		if (accounts[i] < walk->account)
			continue;
		r = account_get(request->server, accounts[i], request->arena, &account);
		if (r == -ENOENT)
			r = 0;
		else if (r == 0)
			r = walk_account(
			        walk, &account, accounts[i] == walk->account ? walk->number : 0);
	}
	fleet_unlock(request->server->fleet);
	return r;
}

/* ---- ListCoverage ---- */

static void write_covered(struct json_writer *w, const struct covered *covered)
{
	str image = host_fact(covered->host, "ImageId");
	str platform = host_fact(covered->host, "PlatformType");
	json_write_object(w);
	write_text(w, "resourceType", STR("AWS_EC2_INSTANCE"));
	write_text(w, "resourceId", str_from_c(covered->id.text));
	write_text(w, "accountId", str_from_c(covered->account.text));
	write_text(w, "scanType", STR("PACKAGE"));
	json_write_key(w, "scanStatus");
	json_write_object(w);
	write_text(w, "statusCode", text_of(covered, STR("scanStatusCode")));
	write_text(w, "reason", str_from_c(covered->coverage.reason));
	json_write_object_end(w);
	json_write_key(w, "resourceMetadata");
	json_write_object(w);
	json_write_key(w, "ec2");
	json_write_object(w);
	write_tags(w, covered->host);
	write_text(w, "amiId", image);
	if (str_eq_nocase(platform, STR("Linux")) || host_fact(covered->host, "Os.Id").n > 0)
		write_text(w, "platform", STR("LINUX"));
	else
		write_text(w, "platform", STR("UNKNOWN"));
	json_write_object_end(w);
	json_write_object_end(w);
	write_time(w, "lastScannedAt", covered->coverage.last_scanned_at);
	write_text(w, "scanMode", str_from_c(covered->mode));
	json_write_object_end(w);
}

struct page {
	struct json_writer *w;
	size_t n, most;
	int64_t account; /* of the last host shown */
	uint64_t number;
	bool has_more;
};

static int show(void *ctx, const struct covered *covered)
{
	struct page *page = ctx;
	if (page->n == page->most) {
		page->has_more = true;
		return 1;
	}
	write_covered(page->w, covered);
	page->account = covered->host->account;
	page->number = covered->host->number;
	page->n++;
	return 0;
}

static int read_place(const struct request *request, struct walk *walk)
{
	str mark, account, number;
	uint64_t at, host;
	if (token_read(request, STR("nextToken"), &mark) < 0)
		return -ERR_FORMAT;
	if (mark.n == 0)
		return 0;
	if (!str_split_first(mark, '/', &account, &number) ||
	        !str_to_u64(account, STORE_ACCOUNT_MAX, &at) ||
	        !str_to_u64(number, UINT32_MAX, &host))
		return -ERR_FORMAT;
	walk->account = (int64_t)at;
	walk->number = host;
	return 0;
}

static int write_token(
        const struct request *request, struct response *response, const struct page *page)
{
	str mark, token;
	if (!page->has_more)
		return 0;
	int r = arena_printf(request->arena, &mark, "%lld/%llu", (long long)page->account,
	        (unsigned long long)page->number);
	if (r == 0)
		r = token_make(request, mark, &token);
	if (r == 0)
		write_text(&response->json, "nextToken", token);
	return r;
}

int api_list_coverage(struct request *request, struct response *response)
{
	int64_t most = value_get_i64(request->in, STR("maxResults"), PAGE_DEFAULT);
	struct page page = { .w = &response->json,
		.most = (size_t)(most > PAGE_MAX ? PAGE_MAX : most) };
	struct walk walk = { .request = request,
		.criteria = value_get(request->in, STR("filterCriteria")),
		.visit = show,
		.ctx = &page };
	if (read_place(request, &walk) < 0)
		return response_invalid(
		        response, "nextToken", "The token is not one that this request gave.");
	json_write_key(&response->json, "coveredResources");
	json_write_array(&response->json);
	int r = walk_hosts(&walk);
	json_write_array_end(&response->json);
	return r < 0 ? r : write_token(request, response, &page);
}

/* ---- ListCoverageStatistics ---- */

struct tally {
	struct arena *arena;
	str member;        /* what is counted by; empty: nothing */
	struct map counts; /* text -> uint64_t */
	uint64_t total;
};

static int count(void *ctx, const struct covered *covered)
{
	struct tally *tally = ctx;
	tally->total++;
	if (tally->member.n == 0)
		return 0;
	void **at = map_at(&tally->counts, text_of(covered, tally->member));
	if (at && !*at)
		*at = arena_alloc(tally->arena, 1, sizeof(uint64_t));
	if (!at || !*at)
		return -ERR_LIMIT;
	(*(uint64_t *)*at)++;
	return 0;
}

static str member_of_group(str group)
{
	static const struct {
		const char *group, *member;
	} rows[] = {
		{ "SCAN_STATUS_CODE", "scanStatusCode" },
		{ "SCAN_STATUS_REASON", "scanStatusReason" },
		{ "ACCOUNT_ID", "accountId" },
		{ "RESOURCE_TYPE", "resourceType" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (str_eq(group, str_from_c(rows[i].group)))
			return str_from_c(rows[i].member);
	}
	return STR("");
}

/* The model's Counts names the kind of group and not which one it is; so do we, one entry per
 * group, the largest first. */
static int by_count(const void *a, const void *b)
{
	const struct map_entry *left = a, *right = b;
	uint64_t n = *(const uint64_t *)left->value, m = *(const uint64_t *)right->value;
	return n != m ? (n < m) - (n > m) : str_cmp(left->key, right->key);
}

#define GROUPS_MAX 5u

static int write_groups(
        struct request *request, struct response *response, struct tally *tally, str group)
{
	struct json_writer *w = &response->json;
	size_t from, to;
	str token;
	int r = token_slice(
	        request, STR("nextToken"), tally->counts.n, GROUPS_MAX, &from, &to, &token);
	if (r == -ERR_FORMAT)
		return response_invalid(
		        response, "nextToken", "The token is not one that this request gave.");
	if (r < 0 || tally->counts.n == 0)
		return r;
	qsort(tally->counts.entries, tally->counts.n, sizeof(*tally->counts.entries), by_count);
	json_write_key(w, "countsByGroup");
	json_write_array(w);
	for (size_t i = from; i < to; i++) {
		json_write_object(w);
		write_number(w, "count", (int64_t) * (uint64_t *)tally->counts.entries[i].value);
		write_text(w, "groupKey", group);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	write_text(w, "nextToken", token);
	return 0;
}

int api_list_coverage_statistics(struct request *request, struct response *response)
{
	str group = value_get_str(request->in, STR("groupBy"));
	struct tally tally = { .arena = request->arena,
		.member = member_of_group(group),
		.counts = MAP(request->arena) };
	struct walk walk = { .request = request,
		.criteria = value_get(request->in, STR("filterCriteria")),
		.visit = count,
		.ctx = &tally };
	int r = walk_hosts(&walk);
	if (r < 0)
		return r;
	write_number(&response->json, "totalCounts", (int64_t)tally.total);
	return write_groups(request, response, &tally, group);
}
