/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * node_filter: managed nodes as Systems Manager shows and filters them.
 */

#include "server/association.h"
#include "server/keys.h"

/** Seconds without a sign of life after which an agent counts as lost: three heartbeats. */
#define PING_LOST_S 900

/** One host with what is known of it besides. Valid while the fleet is locked. */
struct node {
	const struct fleet_host *host;
	struct host_identity identity; /* zero when it has none */
	struct association_tally tally;
	int64_t last_at, success_at; /* of its associations; 0: never */
};

/** A request for nodes. */
struct node_query {
	struct request *request;
	const struct association *associations;
	size_t n_associations;
	const struct value
	        *filters[2]; /* lists of {key, valueSet} and of {Key, Values, Operator} */
};

/** Prepare a query: read the associations. Returns: 0; -ERR_LIMIT */
int node_query_init(struct node_query *query, struct request *request,
        const struct value *old_filters, const struct value *filters);

/** Gather what is known of a host. Fleet locked. Returns: 0; -ERR_LIMIT; -ERR_FORMAT */
int node_read(const struct node_query *query, const struct fleet_host *host, struct arena *arena,
        struct node *ret);

/**
 * Does a node meet all conditions?
 *
 * Returns: 1; 0; -EINVAL for a key that is unknown
 */
int node_fits(const struct node_query *query, const struct node *node);

/** "Online" or "ConnectionLost". Static. */
str node_ping_status(const struct node *node, int64_t now_at);

/** "EC2Instance" or "ManagedInstance". Static. */
str node_resource_type(const struct node *node);

/** The members that both answers share. */
void node_write(const struct node_query *query, struct json_writer *w, const struct node *node);

/**
 * Visit the nodes of the caller's account that fit, by number, and write those of one page.
 *
 * In:      most     of a page
 *          write    called with the fleet locked, inside an open array
 * Returns: 0; what response_fail() returned; -ERR_LIMIT
 */
int node_page(const struct node_query *query, struct response *response, const char *key,
        size_t most,
        void (*write)(
                const struct node_query *query, struct json_writer *w, const struct node *node));
