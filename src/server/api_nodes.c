/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/node_filter.h"
#include "server/ssm.h"

/* The newest agent is unknown here: nothing is said to be out of date. */
static void write_information(
        const struct node_query *query, struct json_writer *w, const struct node *node)
{
	json_write_object(w);
	node_write(query, w, node);
	write_flag(w, "IsLatestVersion", true);
	json_write_object_end(w);
}

int api_node_information(struct request *request, struct response *response)
{
	struct node_query query;
	int r = node_query_init(&query, request,
	        value_get(request->in, STR("InstanceInformationFilterList")),
	        value_get(request->in, STR("Filters")));
	return r < 0 ? r
	             : node_page(&query, response, "InstanceInformationList",
	                       (size_t)value_get_i64(request->in, STR("MaxResults"), 50),
	                       write_information);
}

static void write_property(
        const struct node_query *query, struct json_writer *w, const struct node *node)
{
	const struct fleet_host *host = node->host;
	json_write_object(w);
	node_write(query, w, node);
	write_text(w, "Architecture", host_fact(host, "Arch"));
	write_text(w, "AvailabilityZone", host_fact(host, "AvailabilityZone"));
	write_time(w, "LaunchTime", host->registered_at);
	json_write_member_str(w, "InstanceState", STR("running"));
	json_write_object_end(w);
}

int api_node_properties(struct request *request, struct response *response)
{
	struct node_query query;
	int r = node_query_init(&query, request,
	        value_get(request->in, STR("InstancePropertyFilterList")),
	        value_get(request->in, STR("FiltersWithOperator")));
	return r < 0 ? r
	             : node_page(&query, response, "InstanceProperties",
	                       (size_t)value_get_i64(request->in, STR("MaxResults"), 50),
	                       write_property);
}

int api_node_role(struct request *request, struct response *response)
{
	struct host_identity identity;
	struct object_change change;
	struct host_ref host;

	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), &host);
	if (r < 0)
		return r;
	account_lock(request->server, host.account);
	r = host_identity_get(
	        request->server, host.account, str_from_c(host.id), request->arena, &identity);
	identity.role = value_get_str(request->in, STR("IamRole"));
	if (r == 0)
		r = host_identity_change(&identity, request->arena, &change);
	if (r == 0)
		r = request_commit(
		        request, &change, 1, "UpdateManagedInstanceRole", str_from_c(host.id));
	account_unlock(request->server, host.account);
	if (r == -ENOENT)
		return response_fail(response, "InvalidInstanceId",
		        "Managed node %s did not enrol with an activation.", host.shown.text);
	return r;
}

int api_node_deregister(struct request *request, struct response *response)
{
	const enum host_state state = HOST_TERMINATED;
	struct host_change change = { .state = &state };
	struct host_ref host;
	struct err err = { 0 };

	int r = request_host(
	        request, response, value_get_str(request->in, STR("InstanceId")), &host);
	if (r == 0)
		r = request_commit(
		        request, NULL, 0, "DeregisterManagedInstance", str_from_c(host.id));
	/* From here on its credentials are refused; what is left of it is then removed. */
	if (r == 0)
		r = fleet_host_change(
		        request->server->fleet, host.number, &change, request->now_at, &err);
	if (r == 0)
		r = association_forget_host(request->server, host.account, host.id, &err);
	return r;
}

int api_node_connection(struct request *request, struct response *response)
{
	str target = value_get_str(request->in, STR("Target"));
	bool is_connected = false;

	fleet_lock(request->server->fleet);
	const struct fleet_host *host = host_of_caller(request->server, &request->caller, target);
	if (host && host->account == request->caller.account && host->state != HOST_TERMINATED)
		is_connected = host_pinged_at(host) >= request->now_at - PING_LOST_S;
	fleet_unlock(request->server->fleet);
	json_write_member_str(&response->json, "Target", target);
	json_write_member_str(
	        &response->json, "Status", is_connected ? STR("connected") : STR("notconnected"));
	return 0;
}
