/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon EC2: hosts as instances, and their tags. Tags come from here only, never from what a host
 * says of itself; the one that ends scanning takes effect with the same commit.
 */
#include <roaring/roaring.h>

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/inside.h"

#define TAGS_MAX 50
#define TAG_KEY_CHARS 128
#define TAG_VALUE_CHARS 256
#define RESOURCES_MAX 1000
#define PAGE_MAX 1000
/* Hosts that one page looks at before it ends with a token, whatever it found. */
#define LOOKED_AT_MAX 20000

/* ---- tags: which ---- */

static size_t count_chars(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

static int check_tag(struct response *response, str key, str value)
{
	if (key.n == 0)
		return response_fail(response, "MissingParameter", "A tag must have a key.");
	if (count_chars(key) > TAG_KEY_CHARS || count_chars(value) > TAG_VALUE_CHARS)
		return response_fail(response, "InvalidParameterValue",
		        "A tag's key has at most %d characters, its value %d.", TAG_KEY_CHARS,
		        TAG_VALUE_CHARS);
	if (key.n >= 4 && str_eq_nocase(str_head(key, 4), STR("aws:")))
		return response_fail(response, "InvalidParameterValue",
		        "Tag keys starting with 'aws:' are reserved for internal use.");
	return 0;
}

/* The tags that a host is to have. */
struct tag_set {
	struct pair *items;
	size_t n;
};

static void put_tag(struct tag_set *set, str key, str value)
{
	size_t i = 0;
	while (i < set->n && str_cmp(set->items[i].key, key) < 0)
		i++;
	if (i == set->n || !str_eq(set->items[i].key, key)) {
		memmove(&set->items[i + 1], &set->items[i], (set->n - i) * sizeof(*set->items));
		set->n++;
	}
	set->items[i] = (struct pair){ key, value };
}

static void drop_tag(struct tag_set *set, str key, const str *value)
{
	for (size_t i = 0; i < set->n; i++) {
		if (!str_eq(set->items[i].key, key) ||
		        (value && !str_eq(set->items[i].value, *value)))
			continue;
		set->n--;
		memmove(&set->items[i], &set->items[i + 1], (set->n - i) * sizeof(*set->items));
		return;
	}
}

/* What one call does to each host it names. */
struct tagging {
	struct request *request;
	struct response *response;
	const struct value *tags;
	bool is_delete;
};

static void edit(const struct tagging *tagging, struct tag_set *set)
{
	size_t n = value_count(tagging->tags);
	if (tagging->is_delete && n == 0)
		set->n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct value *tag = value_at(tagging->tags, i);
		str key = value_get_str(tag, STR("Key")), value = value_get_str(tag, STR("Value"));
		if (!tagging->is_delete)
			put_tag(set, key, value);
		else
			drop_tag(set, key, value.p ? &value : NULL);
	}
}

/* A host of the caller's own account: its number and its tags, with room for more. */
static int read_host(struct tagging *tagging, str id, uint64_t *ret_number, struct tag_set *ret)
{
	struct request *request = tagging->request;
	int r = 0;
	fleet_lock(request->server->fleet);
	const struct fleet_host *host = host_of_caller(request->server, &request->caller, id);
	bool is_own =
	        host && host->account == request->caller.account && host->state != HOST_TERMINATED;
	if (is_own) {
		size_t room = host->n_tags + value_count(tagging->tags) + 1;
		*ret_number = host->number;
		ret->items = arena_alloc(request->arena, room, sizeof(*ret->items));
		ret->n = ret->items ? host->n_tags : 0;
		r = ret->items ? 0 : -ERR_LIMIT;
		for (size_t i = 0; r >= 0 && i < ret->n; i++) {
			r = arena_copy(request->arena, host->tags[i].key, &ret->items[i].key);
			if (r >= 0)
				r = arena_copy(
				        request->arena, host->tags[i].value, &ret->items[i].value);
		}
	}
	fleet_unlock(request->server->fleet);
	return is_own ? r
	              : response_fail(tagging->response, "InvalidInstanceID.NotFound",
	                        "The instance ID '" STR_FMT "' does not exist",
	                        STR_ARG(str_head(id, 64)));
}

static bool has_tag(const struct tag_set *set, str key)
{
	for (size_t i = 0; i < set->n; i++) {
		if (str_eq(set->items[i].key, key))
			return true;
	}
	return false;
}

struct tagged {
	uint64_t number;
	struct tag_set set;
};

/* Under account_lock(): all hosts are looked at before the first is changed. */
static int tag_hosts(struct tagging *tagging)
{
	struct request *request = tagging->request;
	const struct value *ids = value_get(request->in, STR("ResourceId"));
	size_t n = value_count(ids);
	struct account account;
	struct err err = { 0 };
	struct tagged *hosts = arena_alloc(request->arena, n + 1, sizeof(*hosts));
	int r = hosts ? account_get(
	                        request->server, request->caller.account, request->arena, &account)
	              : -ERR_LIMIT;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = read_host(
		        tagging, value_str(value_at(ids, i)), &hosts[i].number, &hosts[i].set);
		if (r >= 0)
			edit(tagging, &hosts[i].set);
		if (r >= 0 && hosts[i].set.n > TAGS_MAX)
			r = response_fail(tagging->response, "TagLimitExceeded",
			        "A resource has at most %d tags.", TAGS_MAX);
	}
	for (size_t i = 0; r >= 0 && i < n; i++) {
		enum host_state state = !account.is_ec2_enabled                      ? HOST_DISABLED
		                        : has_tag(&hosts[i].set, STR(EXCLUSION_TAG)) ? HOST_EXCLUDED
		                                                                     : HOST_ACTIVE;
		struct host_change change = { .state = &state,
			.tags = hosts[i].set.items,
			.n_tags = hosts[i].set.n,
			.has_tags = true };
		r = fleet_host_change(
		        request->server->fleet, hosts[i].number, &change, request->now_at, &err);
	}
	return r;
}

static int write_audit(struct request *request, const char *what)
{
	struct store_batch batch;
	struct err err = { 0 };
	str first = value_str(value_at(value_get(request->in, STR("ResourceId")), 0));
	store_batch_init(&batch, 0);
	audit_add(request->server, request, what, first, &batch);
	int r = store_commit(request->server->store, &batch, &err);
	store_batch_fini(&batch);
	return r;
}

static int change_tags(struct request *request, struct response *response, bool is_delete)
{
	struct tagging tagging = { .request = request,
		.response = response,
		.tags = value_get(request->in, STR("Tag")),
		.is_delete = is_delete };
	int r = 0;
	if (value_count(value_get(request->in, STR("ResourceId"))) == 0)
		return response_fail(response, "MissingParameter",
		        "The request must contain the parameter ResourceId.");
	if (value_count(value_get(request->in, STR("ResourceId"))) > RESOURCES_MAX)
		return response_fail(response, "InvalidParameterValue",
		        "At most %d resources in one call.", RESOURCES_MAX);
	for (size_t i = 0; r >= 0 && i < value_count(tagging.tags); i++) {
		const struct value *tag = value_at(tagging.tags, i);
		r = check_tag(
		        response, value_get_str(tag, STR("Key")), value_get_str(tag, STR("Value")));
	}
	if (r < 0)
		return r;
	if (value_get_bool(request->in, STR("DryRun"), false))
		return response_fail(response, "DryRunOperation",
		        "Request would have succeeded, but DryRun flag is set.");
	account_lock(request->server, request->caller.account);
	r = write_audit(request, is_delete ? "delete tags" : "create tags");
	if (r >= 0)
		r = tag_hosts(&tagging);
	account_unlock(request->server, request->caller.account);
	if (r >= 0)
		xml_bool(&response->xml, "return", true);
	return r;
}

int api_create_tags(struct request *request, struct response *response)
{
	if (value_count(value_get(request->in, STR("Tag"))) == 0)
		return response_fail(response, "MissingParameter",
		        "The request must contain the parameter Tag.");
	return change_tags(request, response, false);
}

int api_delete_tags(struct request *request, struct response *response)
{
	return change_tags(request, response, true);
}

/* ---- filters ---- */

/* '*' any run, '?' any byte. Linear but for the last '*', which is enough. */
static bool glob(str pattern, str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool any_matches(const struct value *filter, str text)
{
	const struct value *values = value_get(filter, STR("Value"));
	for (size_t i = 0; i < value_count(values); i++) {
		if (glob(value_str(value_at(values, i)), text))
			return true;
	}
	return false;
}

/* The filters that a list knows, and the text of a row that each looks at. */
typedef bool filter_text(const void *row, str name, str *ret);

static int check_filters(struct request *request, struct response *response,
        const char *const *known, bool takes_tags)
{
	const struct value *filters = value_get(request->in, STR("Filter"));
	for (size_t i = 0; i < value_count(filters); i++) {
		str name = value_get_str(value_at(filters, i), STR("Name"));
		size_t k = 0;
		while (known[k] && !str_eq(name, str_from_c(known[k])))
			k++;
		if (!known[k] && !(takes_tags && str_has_prefix(name, STR("tag:"))))
			return response_fail(response, "InvalidParameterValue",
			        "The filter '" STR_FMT "' is invalid", STR_ARG(str_head(name, 64)));
	}
	return 0;
}

static bool filters_hold(const struct request *request, const void *row, filter_text *text_of)
{
	const struct value *filters = value_get(request->in, STR("Filter"));
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *filter = value_at(filters, i);
		str text, name = value_get_str(filter, STR("Name"));
		if (str_eq(name, STR("tag-key")))
			continue; /* tag_keys_hold() */
		if (!text_of(row, name, &text) || !any_matches(filter, text))
			return false;
	}
	return true;
}

/* ---- a page of hosts ---- */

struct page {
	struct request *request;
	struct response *response;
	size_t most, n; /* rows */
	uint64_t host;  /* where to go on: this host, and this row of it */
	size_t row;
	bool has_more;
};

static int begin_page(struct page *page, struct request *request, struct response *response)
{
	str mark, host, row;
	uint64_t v = 0;
	*page = (struct page){ .request = request, .response = response };
	page->most = (size_t)value_get_i64(request->in, STR("MaxResults"), PAGE_MAX);
	if (page->most == 0 || page->most > PAGE_MAX)
		return response_fail(response, "InvalidParameterValue",
		        "MaxResults is between 5 and %d.", PAGE_MAX);
	int r = token_read(request, STR("NextToken"), &mark);
	if (r >= 0 && mark.n > 0) {
		if (!str_split_first(mark, '/', &host, &row) ||
		        !str_to_u64(host, UINT32_MAX, &page->host) ||
		        !str_to_u64(row, SIZE_MAX / 2, &v))
			r = -ERR_FORMAT;
		page->row = (size_t)v;
	}
	return r < 0 ? response_fail(response, "InvalidParameterValue",
	                       "The token is not of this request.")
	             : 0;
}

/* Visit the caller's hosts from where the page begins; `visit` returns false when the page is full.
 * Fleet locked. */
static void each_host(
        struct page *page, bool (*visit)(struct page *page, const struct fleet_host *host))
{
	struct server *server = page->request->server;
	const roaring_bitmap_t *hosts = fleet_hosts(server->fleet, page->request->caller.account);
	roaring_uint32_iterator_t i;
	if (!hosts)
		return;
	roaring_init_iterator(hosts, &i);
	bool has = roaring_move_uint32_iterator_equalorlarger(&i, (uint32_t)page->host);
	for (size_t looked = 0; has; looked++) {
		const struct fleet_host *host = fleet_host_at(server->fleet, i.current_value);
		if (page->host != i.current_value)
			page->row = 0;
		page->host = i.current_value;
		if (looked == LOOKED_AT_MAX || (host && !visit(page, host))) {
			page->has_more = true;
			return;
		}
		has = roaring_advance_uint32_iterator(&i);
	}
}

static int end_page(struct page *page)
{
	str mark, token;
	if (!page->has_more)
		return 0;
	int r = arena_printf(
	        page->request->arena, &mark, "%llu/%zu", (unsigned long long)page->host, page->row);
	if (r == 0)
		r = token_make(page->request, mark, &token);
	if (r == 0)
		xml_text(&page->response->xml, "nextToken", token);
	return r;
}

/* ---- DescribeTags ---- */

struct tag_row {
	const struct fleet_host *host;
	const struct pair *tag;
	struct host_text id;
};

static bool tag_text(const void *ctx, str name, str *ret)
{
	const struct tag_row *row = ctx;
	if (str_eq(name, STR("resource-id")))
		*ret = str_from_c(row->id.text);
	else if (str_eq(name, STR("resource-type")))
		*ret = STR("instance");
	else if (str_eq(name, STR("key")))
		*ret = row->tag->key;
	else if (str_eq(name, STR("value")))
		*ret = row->tag->value;
	else if (str_eq(str_skip(name, 4), row->tag->key)) /* "tag:<key>" */
		*ret = row->tag->value;
	else
		return false;
	return true;
}

static bool visit_tags(struct page *page, const struct fleet_host *host)
{
	struct xml *w = &page->response->xml;
	for (; page->row < host->n_tags; page->row++) {
		struct tag_row row = { host, &host->tags[page->row], host_ec2_id(host->id) };
		if (!filters_hold(page->request, &row, tag_text))
			continue;
		if (page->n == page->most)
			return false;
		page->n++;
		xml_begin(w, "item", NULL);
		xml_text(w, "resourceId", str_from_c(row.id.text));
		xml_text(w, "resourceType", STR("instance"));
		xml_text(w, "key", row.tag->key);
		xml_text(w, "value", row.tag->value);
		xml_end(w);
	}
	return true;
}

int api_describe_tags(struct request *request, struct response *response)
{
	static const char *const known[] = { "resource-id", "resource-type", "key", "value", NULL };
	struct page page;
	int r = check_filters(request, response, known, true);
	if (r >= 0)
		r = begin_page(&page, request, response);
	if (r < 0)
		return r;
	xml_begin(&response->xml, "tagSet", NULL);
	fleet_lock(request->server->fleet);
	each_host(&page, visit_tags);
	fleet_unlock(request->server->fleet);
	xml_end(&response->xml);
	return end_page(&page);
}

/* ---- DescribeInstances ---- */

/* Filters and elements that are facts of the host by another name. */
static const struct {
	const char *filter, *element, *fact;
} facts[] = {
	{ "image-id", "imageId", "ImageId" },
	{ "instance-type", "instanceType", "InstanceType" },
	{ "private-ip-address", "privateIpAddress", "IPAddress" },
	{ "private-dns-name", "privateDnsName", "ComputerName" },
	{ "subnet-id", "subnetId", "SubnetId" },
	{ "vpc-id", "vpcId", "VpcId" },
	{ "key-name", "keyName", "KeyName" },
};

#define N_FACTS (sizeof(facts) / sizeof(*facts))

static const char *state_name(const struct fleet_host *host)
{
	return host->state == HOST_TERMINATED ? "terminated" : "running";
}

static const char *architecture(const struct fleet_host *host)
{
	str arch = host_fact(host, "Arch");
	return str_eq(arch, STR("aarch64")) || str_eq(arch, STR("arm64")) ? "arm64" : "x86_64";
}

struct instance_row {
	const struct fleet_host *host;
	struct host_text id;
	struct account_text owner;
};

static bool instance_text(const void *ctx, str name, str *ret)
{
	const struct instance_row *row = ctx;
	if (str_eq(name, STR("instance-id")))
		*ret = str_from_c(row->id.text);
	else if (str_eq(name, STR("instance-state-name")))
		*ret = str_from_c(state_name(row->host));
	else if (str_eq(name, STR("architecture")))
		*ret = str_from_c(architecture(row->host));
	else if (str_eq(name, STR("owner-id")))
		*ret = str_from_c(row->owner.text);
	else if (str_has_prefix(name, STR("tag:")))
		return host_tag(row->host, str_skip(name, 4), ret);
	else
		for (size_t i = 0; i < N_FACTS; i++) {
			if (!str_eq(name, str_from_c(facts[i].filter)))
				continue;
			*ret = host_fact(row->host, facts[i].fact);
			return ret->n > 0;
		}
	return true;
}

/* "tag-key" asks whether any tag has one of these keys: the only filter with many texts a row. */
static bool tag_keys_hold(const struct request *request, const struct fleet_host *host)
{
	const struct value *filters = value_get(request->in, STR("Filter"));
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *filter = value_at(filters, i);
		bool holds = !str_eq(value_get_str(filter, STR("Name")), STR("tag-key"));
		for (size_t k = 0; !holds && k < host->n_tags; k++)
			holds = any_matches(filter, host->tags[k].key);
		if (!holds)
			return false;
	}
	return true;
}

static bool is_named(const struct request *request, const struct fleet_host *host)
{
	const struct value *ids = value_get(request->in, STR("InstanceId"));
	for (size_t i = 0; i < value_count(ids); i++) {
		str digits;
		if (host_id_parse(value_str(value_at(ids, i)), &digits) &&
		        str_eq(digits, str_from_c(host->id)))
			return true;
	}
	return value_count(ids) == 0;
}

static void write_instance(struct xml *w, const struct fleet_host *host)
{
	xml_begin(w, "item", NULL);
	xml_text(w, "instanceId", str_from_c(host_ec2_id(host->id).text));
	xml_begin(w, "instanceState", NULL);
	xml_i64(w, "code", host->state == HOST_TERMINATED ? 48 : 16);
	xml_text(w, "name", str_from_c(state_name(host)));
	xml_end(w);
	for (size_t i = 0; i < N_FACTS; i++) {
		str text = host_fact(host, facts[i].fact);
		if (text.n > 0)
			xml_text(w, facts[i].element, text);
	}
	xml_text(w, "architecture", str_from_c(architecture(host)));
	xml_text(w, "platformDetails", STR("Linux/UNIX"));
	if (host_fact(host, "AvailabilityZone").n > 0) {
		xml_begin(w, "placement", NULL);
		xml_text(w, "availabilityZone", host_fact(host, "AvailabilityZone"));
		xml_end(w);
	}
	autobuf at = BUF(64);
	timestamp_add_iso(&at, host->registered_at * 1000);
	xml_text(w, "launchTime", buf_str(&at));
	xml_begin(w, "tagSet", NULL);
	for (size_t i = 0; i < host->n_tags; i++) {
		xml_begin(w, "item", NULL);
		xml_text(w, "key", host->tags[i].key);
		xml_text(w, "value", host->tags[i].value);
		xml_end(w);
	}
	xml_end(w);
	xml_end(w);
}

static bool visit_instance(struct page *page, const struct fleet_host *host)
{
	struct xml *w = &page->response->xml;
	struct instance_row row = { host, host_ec2_id(host->id), account_text(host->account) };
	autobuf reservation = BUF(32);
	if (!is_named(page->request, host) || !tag_keys_hold(page->request, host) ||
	        !filters_hold(page->request, &row, instance_text))
		return true;
	if (page->n == page->most)
		return false;
	page->n++;
	buf_printf(&reservation, "r-%s", host->id);
	xml_begin(w, "item", NULL);
	xml_text(w, "reservationId", buf_str(&reservation));
	xml_text(w, "ownerId", str_from_c(row.owner.text));
	xml_begin(w, "groupSet", NULL);
	xml_end(w);
	xml_begin(w, "instancesSet", NULL);
	write_instance(w, host);
	xml_end(w);
	xml_end(w);
	return true;
}

/* Every id must be there. */
static int check_ids(struct request *request, struct response *response)
{
	const struct value *ids = value_get(request->in, STR("InstanceId"));
	for (size_t i = 0; i < value_count(ids); i++) {
		str id = value_str(value_at(ids, i));
		fleet_lock(request->server->fleet);
		const struct fleet_host *host =
		        host_of_caller(request->server, &request->caller, id);
		bool is_own = host && host->account == request->caller.account;
		fleet_unlock(request->server->fleet);
		if (!is_own)
			return response_fail(response, "InvalidInstanceID.NotFound",
			        "The instance ID '" STR_FMT "' does not exist",
			        STR_ARG(str_head(id, 64)));
	}
	return 0;
}

int api_describe_instances(struct request *request, struct response *response)
{
	static const char *const known[] = { "instance-id", "instance-state-name", "architecture",
		"owner-id", "image-id", "instance-type", "private-ip-address", "private-dns-name",
		"subnet-id", "vpc-id", "key-name", "tag-key", NULL };
	struct page page;
	int r = check_filters(request, response, known, true);
	if (r >= 0)
		r = check_ids(request, response);
	if (r >= 0)
		r = begin_page(&page, request, response);
	if (r < 0)
		return r;
	xml_begin(&response->xml, "reservationSet", NULL);
	fleet_lock(request->server->fleet);
	each_host(&page, visit_instance);
	fleet_unlock(request->server->fleet);
	xml_end(&response->xml);
	return end_page(&page);
}
