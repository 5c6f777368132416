/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node_filter.h"

#include <inttypes.h>
#include <roaring/roaring.h>

#include "base/cleanup.h"
#include "server/document.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

int node_query_init(struct node_query *query, struct request *request,
        const struct value *old_filters, const struct value *filters)
{
	struct association *all = NULL;
	*query = (struct node_query){ .request = request, .filters = { old_filters, filters } };
	int r = association_list(request->server, request->caller.account, request->arena, &all,
	        &query->n_associations);
	query->associations = all;
	return r;
}

int node_read(const struct node_query *query, const struct fleet_host *host, struct arena *arena,
        struct node *ret)
{
	struct server *server = query->request->server;
	struct association_state state = { 0 };
	str id = str_from_c(host->id);

	*ret = (struct node){ .host = host };
	int r = host_identity_get(server, host->account, id, arena, &ret->identity);
	if (r < 0 && r != -ENOENT)
		return r;
	r = association_state_get(server, host->account, id, arena, &state);
	for (size_t i = 0; r == 0 && i < query->n_associations; i++) {
		const struct association *association = &query->associations[i];
		if (!association_has(association, host))
			continue;
		const struct association_run *run = association_run_of(&state, association->id);
		ret->tally.counts[association_status(association, run)]++;
		if (run && run->at > ret->last_at)
			ret->last_at = run->at;
		if (run && run->success_at > ret->success_at)
			ret->success_at = run->success_at;
	}
	return r;
}

str node_ping_status(const struct node *node, int64_t now_at)
{
	bool is_lost = host_pinged_at(node->host) < now_at - PING_LOST_S;
	return is_lost ? STR("ConnectionLost") : STR("Online");
}

str node_resource_type(const struct node *node)
{
	return node->host->is_ec2 ? STR("EC2Instance") : STR("ManagedInstance");
}

/* ---- filters ---- */

static bool has_document(const struct node_query *query, const struct node *node, str name)
{
	for (size_t i = 0; i < query->n_associations; i++) {
		const struct association *association = &query->associations[i];
		if (str_eq(document_name(association_str(association, "Name")), name) &&
		        association_has(association, node->host))
			return true;
	}
	return false;
}

static bool compares(str op, str a, str b)
{
	if (str_eq(op, STR("NotEqual")))
		return !str_eq(a, b);
	if (str_eq(op, STR("BeginWith")))
		return str_has_prefix(a, b);
	if (str_eq(op, STR("LessThan")))
		return str_cmp(a, b) < 0;
	if (str_eq(op, STR("GreaterThan")))
		return str_cmp(a, b) > 0;
	return str_eq(a, b);
}

/* The text by which a key filters; false when the key is unknown. */
static bool text_of(const struct node_query *query, const struct node *node, str key, str *ret)
{
	const struct fleet_host *host = node->host;
	if (str_eq(key, STR("AgentVersion")))
		*ret = host_fact(host, "AgentVersion");
	else if (str_eq(key, STR("PingStatus")))
		*ret = node_ping_status(node, query->request->now_at);
	else if (str_eq(key, STR("PlatformTypes")) || str_eq(key, STR("PlatformType")))
		*ret = host_fact(host, "PlatformType");
	else if (str_eq(key, STR("ActivationIds")))
		*ret = node->identity.activation;
	else if (str_eq(key, STR("IamRole")))
		*ret = node->identity.role;
	else if (str_eq(key, STR("ResourceType")))
		*ret = node_resource_type(node);
	else if (str_eq(key, STR("AssociationStatus")))
		*ret = association_tally_status(&node->tally);
	else if (str_has_prefix(key, STR("tag:"))) {
		*ret = none;
		(void)host_tag(host, str_skip(key, 4), ret);
	} else
		return false;
	return true;
}

static int value_fits(
        const struct node_query *query, const struct node *node, str key, str op, str value)
{
	str text = none;
	if (str_eq(key, STR("InstanceIds")))
		return compares(op, str_from_c(node->host->id), host_digits(value));
	if (str_eq(key, STR("DocumentName")))
		return has_document(query, node, document_name(value));
	if (str_eq(key, STR("tag-key")))
		return host_tag(node->host, value, NULL);
	if (!text_of(query, node, key, &text))
		return -EINVAL;
	return compares(op, text, value);
}

int node_fits(const struct node_query *query, const struct node *node)
{
	for (size_t list = 0; list < 2; list++) {
		const struct value *filters = query->filters[list];
		for (size_t i = 0; i < value_count(filters); i++) {
			const struct value *f = value_at(filters, i);
			const struct value *values =
			        value_get(f, list == 0 ? STR("valueSet") : STR("Values"));
			str key = value_get_str(f, list == 0 ? STR("key") : STR("Key"));
			str op = value_get_str(f, STR("Operator"));
			bool is_any = false;
			for (size_t k = 0; k < value_count(values); k++) {
				int r = value_fits(
				        query, node, key, op, value_str(value_at(values, k)));
				if (r < 0)
					return r;
				is_any = is_any || r > 0;
			}
			if (!is_any)
				return 0;
		}
	}
	return 1;
}

/* ---- answers ---- */

static str node_name(const struct node *node)
{
	str name = none;
	if (host_tag(node->host, STR("Name"), &name) && name.n > 0)
		return name;
	return host_fact(node->host, "DefaultInstanceName");
}

void node_write(const struct node_query *query, struct json_writer *w, const struct node *node)
{
	static const char *const facts[] = { "AgentVersion", "PlatformType", "PlatformName",
		"PlatformVersion", "IPAddress", "ComputerName" };
	const struct fleet_host *host = node->host;
	struct host_text shown = host_ssm_id(host);
	int64_t registered_at = node->identity.registered_at;

	json_write_member_str(w, "InstanceId", str_from_c(shown.text));
	json_write_member_str(w, "PingStatus", node_ping_status(node, query->request->now_at));
	write_time(w, "LastPingDateTime", host_pinged_at(host));
	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
		write_text(w, facts[i], host_fact(host, facts[i]));
	write_text(w, "ActivationId", node->identity.activation);
	write_text(w, "IamRole", node->identity.role);
	write_time(w, "RegistrationDate", registered_at ? registered_at : host->registered_at);
	json_write_member_str(w, "ResourceType", node_resource_type(node));
	write_text(w, "Name", node_name(node));
	write_time(w, "LastAssociationExecutionDate", node->last_at);
	write_time(w, "LastSuccessfulAssociationExecutionDate", node->success_at);
	json_write_member_str(w, "SourceId", str_from_c(shown.text));
	json_write_member_str(w, "SourceType",
	        host->is_ec2 ? STR("AWS::EC2::Instance") : STR("AWS::SSM::ManagedInstance"));
	if (association_tally_total(&node->tally) == 0)
		return;
	str word = association_tally_status(&node->tally);
	json_write_member_str(w, "AssociationStatus", word);
	json_write_key(w, "AssociationOverview");
	json_write_object(w);
	json_write_member_str(w, "DetailedStatus", word);
	association_tally_write(w, "InstanceAssociationStatusAggregatedCount", &node->tally);
	json_write_object_end(w);
}

/* ---- pages ---- */

/* One hold of the fleet's lock: hosts from *at on, until the page is full. */
struct page {
	const struct node_query *query;
	struct json_writer *w;
	void (*write)(
	        const struct node_query *query, struct json_writer *w, const struct node *node);
	size_t n, most;
	uint32_t at; /* the next number to look at */
	bool is_end;
};

static int look_at(struct page *page, uint32_t number)
{
	struct fleet *fleet = page->query->request->server->fleet;
	const struct fleet_host *host = fleet_host_at(fleet, number);
	struct arena arena = ARENA((size_t)4 << 20);
	struct node node;
	int r = 0;

	if (host && host->state != HOST_TERMINATED) {
		r = node_read(page->query, host, &arena, &node);
		if (r == 0)
			r = node_fits(page->query, &node);
		if (r > 0) {
			page->write(page->query, page->w, &node);
			page->n++;
			r = 0;
		}
	}
	arena_fini(&arena);
	return r;
}

static int some_hosts(struct page *page)
{
	struct request *request = page->query->request;
	roaring_uint32_iterator_t i;
	int r = 0;

	fleet_lock(request->server->fleet);
	const roaring_bitmap_t *hosts =
	        fleet_hosts(request->server->fleet, request->caller.account);
	page->is_end = true;
	if (hosts) {
		roaring_init_iterator(hosts, &i);
		bool has = roaring_move_uint32_iterator_equalorlarger(&i, page->at);
		for (size_t n = 0; r == 0 && has && n < HOSTS_AT_ONCE && page->n < page->most;
		        n++) {
			r = look_at(page, i.current_value);
			page->at = i.current_value + 1;
			has = roaring_advance_uint32_iterator(&i);
		}
		page->is_end = !has;
	}
	fleet_unlock(request->server->fleet);
	return r;
}

int node_page(const struct node_query *query, struct response *response, const char *key,
        size_t most,
        void (*write)(
                const struct node_query *query, struct json_writer *w, const struct node *node))
{
	struct request *request = query->request;
	struct page page = { .query = query, .w = &response->json, .write = write, .most = most };
	uint64_t from = 0;
	str mark = none, token;

	int r = token_read(request, STR("NextToken"), &mark);
	if (r < 0 || (mark.n > 0 && !str_to_u64(mark, UINT32_MAX, &from)))
		return response_fail(response, "InvalidNextToken",
		        "The NextToken is not one that this operation gave for this request.");
	page.at = (uint32_t)from;
	json_write_key(page.w, key);
	json_write_array(page.w);
	while (r == 0 && page.n < most && !page.is_end)
		r = some_hosts(&page);
	json_write_array_end(page.w);
	if (r == -EINVAL)
		return response_fail(
		        response, "InvalidFilterKey", "Managed nodes have no such filter.");
	if (r < 0 || page.is_end)
		return r;
	r = arena_printf(request->arena, &mark, "%" PRIu32, page.at);
	if (r == 0)
		r = token_make(request, mark, &token);
	if (r == 0)
		write_text(page.w, "NextToken", token);
	return r;
}
